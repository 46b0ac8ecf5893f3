"""Blocks, branches and calls."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64, read_i64_le
from wasmcore_singlepass.allocation import CONSTANT, FLOAT_REGISTER, IN_SLOT, KIND_MASK, REGISTER, TYPE_SHIFT, is_wide
from wasmcore_singlepass.atomics import Atomics
from wasmcore_singlepass.entry import read_u32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_LOOP_HAS_CALLS: Final = 0x4000
_REACHED: Final = 0x4000
_END_KIND_SHIFT: Final = 11
_END_LOOP: Final = 1
_END_IF: Final = 2
_RETURN_LABEL: Final = -1
_COUNT_MASK: Final = 0x7FF

_LOOP_LABEL: Final = 0x80000000
"""In `label_valid`: the label is the head of a loop, so its set is fixed."""
_UNSEEN: Final = -1


class Control(Atomics):
    """Where values are at labels, and which pinned registers are current there."""

    def direct_call(self, function: i64, tail: i64) -> None:
        """call and return_call."""
        signature = read_u32(self.function_types, 4 * function) * 16
        params = self.number(signature, 4)
        if function < self.imported:
            self.call(m.CALL_IMPORT, tail, self.imports_offset + 8 * function, 0, params)
        else:
            self.call(m.CALL, tail, self.functions_offset + self.funcref_size * (function - self.imported), 0, params)
        if tail == 0:
            self.push_call_results(signature)

    def indirect_call(self, type_index: i64, table: i64, tail: i64) -> None:
        """call_indirect and return_call_indirect."""
        signature = type_index * 16
        self.pop_table_index()
        self.call(m.CALL_INDIRECT, tail, self.table_offset[table], type_index, self.number(signature, 4))
        if tail == 0:
            self.push_call_results(signature)

    def push_call_results(self, signature: i64) -> None:
        """The results of a call of this signature."""
        count = self.number(signature, 12)
        if count:
            self.push_results(self.types, self.number(signature, 8), count)

    def edge(self, label: i64) -> None:
        """There is a jump to the label from here: what is current there is what is current on every edge; a loop's set is fixed."""
        have = self.label_valid[label]
        if have == _UNSEEN:
            self.label_valid[label] = self.valid
        elif have & _LOOP_LABEL:
            self.make_valid(have & ~_LOOP_LABEL)
        else:
            self.label_valid[label] = have & self.valid

    def is_loop(self, label: i64) -> bool:
        """Whether a label is the head of a loop."""
        valid = self.label_valid[label]
        return valid != _UNSEEN and valid & _LOOP_LABEL != 0

    def to_label(self, label: i64, count: i64, height: i64) -> None:
        """Put the top `count` values where the label wants them: one value in a register, several (and a loop's) in slots."""
        if count == 0:
            return
        base = self.top - count
        if count == 1 and not self.is_loop(label):
            self.to_result_register()
            return
        entry = base
        while entry < self.top:
            slot = self.locals + height + entry - base
            if slot != self.locals + entry or self.shape[entry] & KIND_MASK != IN_SLOT:
                self.store_entry(entry, slot)
            entry += 1

    def to_result_register(self) -> None:
        """Move the top entry to the register of block results; it stays on the stack."""
        top = self.top - 1
        value_type = i64(self.shape[top]) >> TYPE_SHIFT
        if 3 <= value_type <= 5:
            register = i64(self.float_results[0])
            if self.shape[top] & KIND_MASK == FLOAT_REGISTER and self.value[top] == register:
                return
            a = self.pop_float()
            if a != register:
                self.take_float(register)
                self.emit(m.FLOAT_MOVE, m.WIDE, register, a, 0, 0)
                self.give_float(a)
            self.push_float(register, value_type)
            return
        register = i64(self.integer_results[0])
        if self.shape[top] & KIND_MASK == REGISTER and self.value[top] == register:
            return
        wide = is_wide(value_type)
        kind = i64(self.shape[top]) & KIND_MASK
        value = self.value[top]
        if kind == CONSTANT:
            self.forget_top()
            self.take(register)
            self.emit_constant(m.CONSTANT, wide, register, 0, 0, value)
        else:
            a = self.pop()
            if a != register:
                self.take(register)
                self.emit(m.MOVE, wide, register, a, 0, 0)
                self.give(a)
        self.push_register(register, value_type)

    def label_here(self, label: i64, valid: i64) -> None:
        """Bind a label (of records); these registers are current."""
        self.emit(m.LABEL, 0, 0, 0, 0, label)
        self.valid = valid

    def begin_block_state(self, height: i64, run: i64, count: i64, in_register: bool) -> None:
        """The stack at a label: `count` values above a height."""
        self.top = height
        self.settled = height
        self.comparison = 0
        self.discard_registers()
        if count == 1 and in_register:
            value_type = i64(self.types[run])
            if 3 <= value_type <= 5:
                self.take_float(i64(self.float_results[0]))
                self.push_float(i64(self.float_results[0]), value_type)
            else:
                self.take(i64(self.integer_results[0]))
                self.push_register(i64(self.integer_results[0]), value_type)
            return
        i: i64 = 0
        while i < count:
            self.push(IN_SLOT, 0, i64(self.types[run + i]))
            i += 1
        self.settled = self.top

    def settle_all(self, count: i64) -> None:
        """Everything into its slot, constants too among the top `count`."""
        self.settle_below(self.top - count)
        entry = self.top - count
        while entry < self.top:
            if self.shape[entry] & KIND_MASK != IN_SLOT:
                self.settle(entry)
            entry += 1
        self.settled = self.top

    def begin_loop(self, label: i64, flags: i64) -> None:
        """loop: a loop without calls keeps all pinned locals current, one with calls begins with none."""
        self.settle_all(flags & _COUNT_MASK)
        if self.has_calls:
            if flags & _LOOP_HAS_CALLS:
                self.valid = 0
            else:
                self.make_valid(self.all_valid)
        self.label_valid[label] = self.valid | _LOOP_LABEL
        self.emit(m.LABEL, 0, 0, 0, 0, 2 * label)
        self.emit(m.POLL, 0, 0, 0, 0, 0)

    def begin_if(self, label: i64, params: i64) -> None:
        """if: jumps to the label of the other branch."""
        self.pop_condition()
        self.settle_all(params)
        self.else_valid[label] = self.valid
        condition = self.condition ^ 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label + 1)

    def begin_else(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """else: the end of the first branch, the begin of the second."""
        if flags & _REACHED:
            self.to_label(label, self.top - height, height)
            self.edge(label)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        self.label_here(2 * label + 1, self.else_valid[label])
        self.begin_block_state(height, run, flags & _COUNT_MASK, False)

    def end_block(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """end: where the ways meet again."""
        count = flags & _COUNT_MASK
        kind = (flags >> _END_KIND_SHIFT) & 3
        if kind == _END_LOOP:
            return
        if kind == _END_IF:
            self.end_if(label, flags, height, run)
        elif self.label_valid[label] != _UNSEEN:
            if flags & _REACHED:
                self.to_label(label, count, height)
                self.edge(label)
            self.label_here(2 * label, self.label_valid[label])
            self.begin_block_state(height, run, count, True)
        elif flags & _REACHED == 0:
            self.begin_block_state(height, run, 0, True)

    def end_if(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """The end of an `if` without `else`, whose values (as many as parameters) are in slots if the branch was not taken."""
        count = flags & _COUNT_MASK
        targeted = self.label_valid[label] != _UNSEEN
        if flags & _REACHED:
            self.to_label(label, count, height)
            self.edge(label)
        if count == 1 and (targeted or flags & _REACHED):
            if flags & _REACHED:
                self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
            self.label_here(2 * label + 1, self.else_valid[label])
            self.begin_block_state(height, run, 1, False)
            self.to_result_register()
        else:
            self.emit(m.LABEL, 0, 0, 0, 0, 2 * label + 1)
            self.valid = self.else_valid[label]
        self.edge(label)
        if targeted or (count == 1 and flags & _REACHED):
            self.emit(m.LABEL, 0, 0, 0, 0, 2 * label)
        self.valid = self.label_valid[label]
        self.begin_block_state(height, run, count, targeted or flags & _REACHED != 0)

    def branch_if(self, label: i64, count: i64, height: i64) -> None:
        """br_if."""
        if label == _RETURN_LABEL:
            self.return_if(count)
            return
        if count == 0:
            self.pop_condition()
            self.edge(label)
            condition = self.condition
            self.emit_comparison()
            self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label)
            return
        self.pop_condition()
        if count == 1 and not self.is_loop(label):
            self.keep_comparison_from_result()
            self.to_result_register()
            self.edge(label)
            condition = self.condition
            self.emit_comparison()
            self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label)
            return
        condition = self.condition ^ 1
        self.edge(label)
        over = self.next_label
        self.next_label += 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, over)
        self.to_label(label, count, height)
        self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def return_if(self, count: i64) -> None:
        """br_if out of the function; what is on the stack stays as it is for the other way."""
        self.pop_condition()
        if count > 1:
            self.settle_all(count)
        condition = self.condition ^ 1
        over = self.next_label
        self.next_label += 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, over)
        self.leave(count)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def keep_comparison_from_result(self) -> None:
        """If an operand of the waiting comparison is in the register of block results, move it."""
        value_type = i64(self.shape[self.top - 1]) >> TYPE_SHIFT
        if 3 <= value_type <= 5:
            register = i64(self.float_results[0])
            if self.comparison != m.FLOAT_COMPARE or (self.comparison_a != register and self.comparison_b != register):
                return
            other = self.take_any_float()
            self.emit(m.FLOAT_MOVE, m.WIDE, other, register, 0, 0)
            self.give_float(register)
        else:
            register = i64(self.integer_results[0])
            uses_b = self.comparison == m.COMPARE or self.comparison == m.TEST
            if self.comparison == m.FLOAT_COMPARE or (self.comparison_a != register and not (uses_b and self.comparison_b == register)):
                return
            other = self.take_any()
            self.emit(m.MOVE, m.WIDE, other, register, 0, 0)
            self.give(register)
        if self.comparison_a == register:
            self.comparison_a = other
        if self.comparison_b == register:
            self.comparison_b = other

    def branch_table(self, targets: i64) -> None:
        """br_table with the records of its targets."""
        first = read_i64_le(self.stream, self.position)
        count = (first >> 16) & _COUNT_MASK
        index = self.pop_temporary()
        if count == 1:
            self.free_from_result(index)
            index = self.table_index
            self.to_result_register()
        elif count > 1:
            self.settle_all(count)
        self.table_edges(targets)
        self.emit(m.BRANCH_TABLE, 0, 0, index, 0, targets)
        self.give(index)
        if count == 0:
            self.plain_targets(targets)
        else:
            self.targets_with_values(targets, count)

    def free_from_result(self, index: i64) -> None:
        """The index of a table must not be in the register of block results; `table_index` is where it is."""
        self.table_index = index
        value_type = i64(self.shape[self.top - 1]) >> TYPE_SHIFT
        if 3 <= value_type <= 5 or index != i64(self.integer_results[0]):
            return
        self.table_index = self.take_any()
        self.emit(m.MOVE, m.WIDE, self.table_index, index, 0, 0)
        self.give(index)

    def table_edges(self, targets: i64) -> None:
        """Edges to all targets; what loops among them want current is loaded first, for all."""
        step: i64 = 0
        while step < 2:
            at = self.position
            i: i64 = 0
            while i < targets:
                word = read_i64_le(self.stream, at)
                at += 16 if word & _EXTENDED else 8
                label = word >> 32
                if label != _RETURN_LABEL and self.is_loop(label) == (step == 0):
                    self.edge(label)
                i += 1
            step += 1

    def plain_targets(self, targets: i64) -> None:
        """Targets without values; one way to return for all that leave the function."""
        returning: i64 = -1
        at = self.position
        i: i64 = 0
        while i < targets:
            label = read_i64_le(self.stream, at) >> 32
            target = 2 * label
            if label == _RETURN_LABEL:
                if returning < 0:
                    returning = self.next_label
                    self.next_label += 1
                target = returning
            self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, target)
            at += 8
            i += 1
        self.position = at
        if returning >= 0:
            self.emit(m.LABEL, 0, 0, 0, 0, returning)
            self.leave(0)

    def targets_with_values(self, targets: i64, count: i64) -> None:
        """Targets with values: some through a piece of code of their own that moves the values, one per label."""
        pieces: dict[int, int] = {}
        heights: list[tuple[int, int, int]] = []
        base = self.top - count
        at = self.position
        i: i64 = 0
        while i < targets:
            word = read_i64_le(self.stream, at)
            height = read_i64_le(self.stream, at + 8) & 0xFFFFFFFF
            at += 16
            label = word >> 32
            target = 2 * label
            if label == _RETURN_LABEL or (self.is_loop(label) if count == 1 else height != base):
                if label in pieces:
                    target = i64(pieces[label])
                else:
                    target = self.next_label
                    self.next_label += 1
                    pieces[label] = target
                    heights.append((label, height, target))
            self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, target)
            i += 1
        self.position = at
        for piece_label, piece_height, piece in heights:
            self.emit(m.LABEL, 0, 0, 0, 0, piece)
            if piece_label == _RETURN_LABEL:
                self.leave(count)
                continue
            self.to_label(piece_label, count, piece_height)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * i64(piece_label))

"""Arguments and results: several values into the registers and overflow slots of the calling convention at once."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64, vec
from wasmcore_singlepass.allocation import (
    CONSTANT,
    FLOAT_REGISTER,
    FLOATS,
    IN_SLOT,
    KIND_MASK,
    LOCAL,
    NOT_PINNED,
    REGISTER,
    TYPE_SHIFT,
    Allocation,
    is_wide,
    put,
)
from wasmcore_singlepass.registers import RegisterFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Placing(Allocation):
    """Calls and returns. Registers are bytes of hardware numbers, in the convention's order."""

    def __init__(self, registers: RegisterFile) -> None:
        super().__init__(registers)
        self.integers = registers.integers
        self.floats = registers.floats
        self.integer_results = registers.integer_results
        self.float_results = registers.float_results
        self.call_index: i64 = registers.call_index
        self.native_arguments = registers.native_arguments
        self.native_destroyed: i64 = registers.native_destroyed
        # Moves that wait: destination (integer registers, `FLOATS` + float registers), entry, and the register it is in, or -1.
        self.moves: Final = vec[i64]([0] * 64)
        self.move_entry: Final = vec[i64]([0] * 64)
        self.move_source: Final = vec[i64]([0] * 64)
        self.readers: Final = vec[i64]([0] * 64)

    def register_of(self, entry: i64) -> i64:
        """The register an entry's value is in (floats: plus `FLOATS`), or -1."""
        kind = i64(self.shape[entry]) & KIND_MASK
        value = self.value[entry]
        if kind == REGISTER:
            return value
        if kind == FLOAT_REGISTER:
            return FLOATS + value
        if kind == LOCAL:
            pin = i64(self.pin[value])
            if pin != NOT_PINNED and (self.valid >> pin) & 1:
                return pin
        return -1

    def place(self, base: i64, skip: i64, integers: bytes, floats: bytes) -> None:
        """Move the entries from `base` to the top to where the convention wants them, the first `skip` integers left out."""
        next_integer: i64 = skip
        next_float: i64 = 0
        overflow: i64 = 0
        count: i64 = 0
        entry = base
        while entry < self.top:
            entry_type = i64(self.shape[entry]) >> TYPE_SHIFT
            target: i64 = -1
            if 3 <= entry_type <= 5:
                if next_float < len(floats):
                    target = FLOATS + i64(floats[next_float])
                    next_float += 1
            elif next_integer < len(integers):
                target = i64(integers[next_integer])
                next_integer += 1
            if target < 0:
                self.place_in_overflow(entry, overflow)
                overflow += 1
            else:
                put(self.moves, count, target)
                put(self.move_entry, count, entry)
                count += 1
            entry += 1
        if count == 0:
            return
        self.move_registers(count)
        i: i64 = 0
        while i < count:
            if self.moves[i] >= 0:
                self.load_into(self.moves[i], self.move_entry[i])
            i += 1

    def move_registers(self, count: i64) -> None:
        """Make those moves whose source is a register, as if all at once; a finished one becomes -1."""
        readers = self.readers  # all zero before and after
        moves = self.moves
        sources = self.move_source
        waiting: i64 = 0
        i: i64 = 0
        while i < count:
            source = self.register_of(self.move_entry[i])
            sources[i] = source
            if source >= 0:
                if source == moves[i]:
                    moves[i] = -1
                else:
                    readers[source] += 1
                    waiting += 1
            i += 1
        while waiting:
            left = waiting
            i = 0
            blocked: i64 = 0
            while i < count:
                target = moves[i]
                source = sources[i]
                if target >= 0 and source >= 0:
                    if readers[target] == 0:
                        self.move_register(target, source, self.move_entry[i])
                        readers[source] -= 1
                        moves[i] = -1
                        waiting -= 1
                    else:
                        blocked = i
                i += 1
            if waiting == left:  # a cycle: one of its values waits in its slot
                entry = self.move_entry[blocked]
                readers[sources[blocked]] -= 1
                sources[blocked] = -1
                self.forget_read(entry)
                self.settle(entry)
                waiting -= 1

    def forget_read(self, entry: i64) -> None:
        """If the entry is a pending read, take it out of its local's chain."""
        if self.shape[entry] & KIND_MASK != LOCAL:
            return
        local = self.value[entry]
        above = self.pending[local]
        if above == entry:
            self.pending[local] = self.link[entry]
            return
        while self.link[above] != entry:
            above = self.link[above]
        self.link[above] = self.link[entry]

    def move_register(self, target: i64, source: i64, entry: i64) -> None:
        """One move between registers of the same file."""
        if target < FLOATS:
            self.emit(m.MOVE, is_wide(i64(self.shape[entry]) >> TYPE_SHIFT), target, source, 0, 0)
        else:
            self.emit(m.FLOAT_MOVE, m.WIDE, target - FLOATS, source - FLOATS, 0, 0)

    def load_into(self, target: i64, entry: i64) -> None:
        """Load a constant or a slot into its place."""
        kind = i64(self.shape[entry]) & KIND_MASK
        value = self.value[entry]
        wide = is_wide(i64(self.shape[entry]) >> TYPE_SHIFT)
        slot = value if kind == LOCAL else self.locals + entry
        if target < FLOATS:
            if kind == CONSTANT:
                self.emit_constant(m.CONSTANT, wide, target, 0, 0, value)
            else:
                self.emit(m.LOAD_SLOT, wide, target, 0, 0, slot)
        elif kind == CONSTANT:
            self.float_constant(target - FLOATS, entry)
        else:
            self.load_float_slot(target - FLOATS, i64(self.shape[entry]) >> TYPE_SHIFT, slot)

    def place_in_overflow(self, entry: i64, slot: i64) -> None:
        """Store a value to the overflow area."""
        source = self.register_of(entry)
        if i64(self.shape[entry]) >> TYPE_SHIFT == 5:
            self.place_vector_in_overflow(entry, slot, source - FLOATS)
        elif source >= FLOATS:
            self.emit(m.FLOAT_STORE_OVERFLOW, m.WIDE, 0, source - FLOATS, 0, slot)
        elif source >= 0:
            self.emit(m.STORE_OVERFLOW, m.WIDE, 0, source, 0, slot)
        else:
            register = self.take_any()
            kind = i64(self.shape[entry]) & KIND_MASK
            wide = is_wide(i64(self.shape[entry]) >> TYPE_SHIFT)
            if kind == CONSTANT:
                self.emit_constant(m.CONSTANT, wide, register, 0, 0, self.value[entry])
            else:
                self.emit(m.LOAD_SLOT, wide, register, 0, 0, self.value[entry] if kind == LOCAL else self.locals + entry)
            self.emit(m.STORE_OVERFLOW, m.WIDE, 0, register, 0, slot)
            self.give(register)

    def place_vector_in_overflow(self, entry: i64, slot: i64, source: i64) -> None:
        """Store a vector, that is in a float register or in none (negative), to the overflow area."""
        register = source
        if source < 0:
            register = self.take_any_float()
            self.load_into(FLOATS + register, entry)
        self.emit(m.VECTOR_STORE_OVERFLOW, 0, 0, register, 0, slot)
        if source < 0:
            self.give_float(register)

    # Calls

    def pop_table_index(self) -> None:
        """Pop the index of an indirect call, or a reference to call, into the register for it."""
        index = self.pop()
        target = self.call_index
        if index != target:
            self.take(target)
            self.emit(m.MOVE, m.WIDE, target, index, 0, 0)
            self.give(index)

    def discard_to(self, height: i64) -> None:
        """Pop all entries above a height whose registers nobody needs."""
        top = self.top
        while top > height:
            top -= 1
            if self.shape[top] & KIND_MASK == LOCAL and self.pending[self.value[top]] == top:
                self.pending[self.value[top]] = self.link[top]
        self.top = top
        if top < self.settled:
            self.settled = top
        self.discard_registers()

    def discard_registers(self) -> None:
        """All temporaries are free."""
        self.free = self.temporaries
        self.float_free = self.float_temporaries

    def push_results(self, types: bytes, offset: i64, count: i64) -> None:
        """A call returned: push its results (a run of `types`)."""
        if count == 1:
            result_type = i64(types[offset])
            if 3 <= result_type <= 5:
                self.push_float_result(i64(self.float_results[0]), result_type)
            else:
                self.push_integer_result(i64(self.integer_results[0]), result_type)
            return
        next_integer: i64 = 0
        next_float: i64 = 0
        overflow: i64 = 0
        self.take_result_registers(types, offset, count)
        i: i64 = 0
        while i < count:
            result_type = i64(types[offset + i])
            is_float = 3 <= result_type <= 5
            if is_float and next_float < len(self.float_results):
                self.push_float(i64(self.float_results[next_float]), result_type)
                next_float += 1
            elif not is_float and next_integer < len(self.integer_results):
                register = i64(self.integer_results[next_integer])
                if result_type == 1:
                    self.emit(m.MOVE, 0, register, register, 0, 0)
                self.push_register(register, result_type)
                next_integer += 1
            else:
                self.push_overflow_result(result_type, overflow)
                overflow += 1
            i += 1

    def push_overflow_result(self, result_type: i64, overflow: i64) -> None:
        """Push what a call left in the overflow area; its registers may be needed by the results behind it."""
        slot = self.locals + self.top
        if result_type == 5:
            scratch = self.take_any_float()
            self.emit(m.VECTOR_LOAD_OVERFLOW, 0, scratch, 0, 0, overflow)
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, scratch, 0, slot)
            self.give_float(scratch)
        else:
            scratch = self.take_any()
            self.emit(m.LOAD_OVERFLOW, m.WIDE, scratch, 0, 0, overflow)
            self.emit(m.STORE_SLOT, is_wide(result_type), 0, scratch, 0, slot)
            self.give(scratch)
        self.push(IN_SLOT, 0, result_type)

    def take_result_registers(self, types: bytes, offset: i64, count: i64) -> None:
        """Reserve the registers that hold results."""
        integers_left = i64(len(self.integer_results))
        floats_left = i64(len(self.float_results))
        i: i64 = 0
        while i < count:
            result_type = i64(types[offset + i])
            if 3 <= result_type <= 5:
                if floats_left:
                    self.take_float(i64(self.float_results[i64(len(self.float_results)) - floats_left]))
                    floats_left -= 1
            elif integers_left:
                self.take(i64(self.integer_results[i64(len(self.integer_results)) - integers_left]))
                integers_left -= 1
            i += 1

    def push_integer_result(self, register: i64, result_type: i64) -> None:
        """Push what a call left in a register; the upper half of an i32 is undefined there."""
        self.take(register)
        target = self.destination(register)
        if target != register or result_type == 1:
            self.emit(m.MOVE, is_wide(result_type), target, register, 0, 0)
        self.push_register(target, result_type)

    def push_float_result(self, register: i64, result_type: i64) -> None:
        """Push what a call left in a float register."""
        self.take_float(register)
        target = self.destination_float(register)
        if target != register:
            self.emit(m.FLOAT_MOVE, m.WIDE, target, register, 0, 0)
        self.push_float(target, result_type)

    def call(self, operation: i64, tail: i64, immediate: i64, constant: i64, params: i64) -> None:
        """Put `params` arguments into place and call (or jump); the arguments are popped."""
        base = self.top - params
        if tail == 0:
            self.settle_registers_below(base)
        self.place(base, 0, self.integers, self.floats)
        index = self.call_index if operation == m.CALL_INDIRECT or operation == m.CALL_REFERENCE else 0
        self.emit_long(operation, tail, 0, index, 0, immediate, constant)
        self.discard_to(base)
        if tail == 0:
            self.valid = 0

    def call_builtin(self, number: i64, constants: i64, first: i64, second: i64, params: i64) -> None:
        """Call a built-in with `constants` leading constants (`first`, `second`) and `params` arguments from the stack."""
        base = self.top - params
        self.settle_registers_below(base)
        self.place(base, constants, self.integers, self.floats)
        if constants > 0:
            self.emit(m.CONSTANT, 0, i64(self.integers[0]), 0, 0, first)
        if constants > 1:
            self.emit(m.CONSTANT, 0, i64(self.integers[1]), 0, 0, second)
        self.emit(m.CALL_BUILTIN, 0, 0, 0, 0, number)
        self.discard_to(base)
        self.valid = 0

    def call_native(self, operation: i64, immediate: i64, constant: i64, size: i64) -> None:
        """Pop three integers into the registers of the platform's C convention and run an operation that calls a C function."""
        base = self.top - 3
        self.settle_registers_below(base)
        lost = self.all_valid & self.native_destroyed
        if not self.has_calls:
            self.save_pinned(lost)
        self.place(base, 0, self.native_arguments, self.floats)
        self.emit_long(operation, size, 0, 0, 0, immediate, constant)
        self.discard_to(base)
        self.valid &= ~lost
        if not self.has_calls:
            self.make_valid(lost)

    def save_pinned(self, pins: i64) -> None:
        """Store pinned locals to their slots."""
        pin: i64 = 0
        while pins >> pin:
            if (pins >> pin) & 1:
                local = self.pinned_local[pin]
                wide = is_wide(i64(self.local_type[local]))
                if pin < FLOATS:
                    self.emit(m.STORE_SLOT, wide, 0, pin, 0, local)
                else:
                    self.store_float_slot(pin - FLOATS, i64(self.local_type[local]), local)
            pin += 1

    def leave(self, count: i64) -> None:
        """Return the top `count` entries."""
        self.place(self.top - count, 0, self.integer_results, self.float_results)
        self.emit(m.RETURN, 0, 0, 0, 0, 0)

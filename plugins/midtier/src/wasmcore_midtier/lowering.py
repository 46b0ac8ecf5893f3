"""From the graph to macro records: one function for each kind of value, with registers as they are needed."""

from __future__ import annotations

from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore_midtier import records as m
from wasmcore_midtier._native import append, i64, read_i64_le, vec, write_i64_le
from wasmcore_midtier.registers.allocator import Allocator
from wasmcore_midtier.registers.records import DEFINED, EDGE, FIRST_MARK, FLOAT, JUMP_IF_EDGE, SLOT, TARGET_EDGE, is_wide
from wasmcore_midtier.ssa.build import LOAD_FIRST, SELECT, STORE_FIRST, STORE_LAST
from wasmcore_midtier.ssa.graph import (
    ARGUMENT,
    BRANCH,
    CALL,
    CALL_INDIRECT,
    JUMP,
    MEMORY_COPY,
    MEMORY_FILL,
    MEMORY_GROW,
    NONE,
    RESULT,
    RETURN,
    TABLE,
    Graph,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore_singlepass.protocol import Lowering as Target

_ALU: Final = bytes((m.ADD, m.SUB, m.MUL, 0, 0, 0, 0, m.AND, m.OR, m.XOR))
"""From i32.add on."""
_CONDITIONS: Final = bytes(
    (
        *(m.EQUAL, m.NOT_EQUAL, m.LESS_S, m.LESS_U, m.GREATER_S, m.GREATER_U),
        *(m.LESS_EQUAL_S, m.LESS_EQUAL_U, m.GREATER_EQUAL_S, m.GREATER_EQUAL_U),
    )
)
_FLOAT_CONDITIONS: Final = bytes(
    (m.FLOAT_EQUAL, m.FLOAT_NOT_EQUAL, m.FLOAT_GREATER, m.FLOAT_GREATER, m.FLOAT_GREATER_EQUAL, m.FLOAT_GREATER_EQUAL)
)
"""eq ne lt gt le ge; lt and le with their operands exchanged."""
_GLOBAL_GET: Final = 0x23
_GLOBAL_SET: Final = 0x24
_MEMORY_SIZE: Final = 0x3F
_BUILTIN_MEMORY_GROW: Final = 2


class Lowering(Allocator):
    """Writes the records of one function after the other."""

    def __init__(self, graph: Graph, types: FunctionTypes, target: Target, noted: bool) -> None:
        super().__init__(
            graph,
            bytes((*target.TEMPORARIES, *target.PINNED)),
            bytes([FLOAT + register for register in (*target.FLOAT_TEMPORARIES, *target.FLOAT_PINNED)]),
        )
        convention = target.CONVENTION
        self.types: Final = types
        self.environment: Final = types.environment
        self.argument_integers: Final = bytes(convention.integers)
        self.argument_floats: Final = bytes(convention.floats)
        self.result_integers: Final = bytes(convention.integer_results)
        self.result_floats: Final = bytes(convention.float_results)
        self.call_index: i64 = target.CALL_INDEX
        self.shift_count: i64 = target.SHIFT_COUNT
        self.dividend: i64 = target.DIVIDEND
        self.remainder: i64 = target.REMAINDER
        self.native_arguments: Final = bytes(target.NATIVE_ARGUMENTS)
        self.native_destroyed: Final = bytes(
            (*target.NATIVE_DESTROYED, *(FLOAT + register for register in target.NATIVE_DESTROYED_FLOATS))
        )
        self.noted = noted
        """Whether records say which words they were made from."""
        self.base_offset: i64 = 0
        self.param_classes = b""
        """Of the function."""
        self.next_label: i64 = 0
        self.has_calls = False
        self.reaches: vec[i64] = vec[i64]()
        """By loop: whether it accesses memory 0."""
        # A comparison that is about to be written: its record, and the condition to look at.
        self.comparison: i64 = 0
        self.comparison_size: i64 = 0
        self.comparison_a: i64 = 0
        self.comparison_b: i64 = 0
        self.comparison_immediate: i64 = 0
        # Where a value of a list of arguments or results is.
        self.next_integer: i64 = 0
        self.next_float: i64 = 0
        self.next_overflow: i64 = 0

    def write(self, type_index: int) -> bytes:
        """All records of the graph."""
        graph = self.graph
        self.param_classes = self.types.params(type_index)
        self.begin_graph()
        self.look_through()
        if self.environment.memories:
            self.base_offset = self.environment.memories[0].offset
        block: i64 = 0
        while block < graph.blocks:
            self.write_block(block)
            block += 1
        return self.finished()

    def look_through(self) -> None:
        """Find out what loops access memory, and whether anything is called."""
        graph = self.graph
        while i64(len(self.reaches)) < graph.loops:
            self.reaches = append(self.reaches, 0)
        loop: i64 = 0
        while loop < graph.loops:
            self.reaches[loop] = 0
            loop += 1
        self.has_calls = False
        block: i64 = 0
        while block < graph.blocks:
            value = graph.first[block]
            while value >= 0:
                operation = graph.operation[value]
                if operation == CALL or operation == CALL_INDIRECT or operation == MEMORY_GROW:
                    self.has_calls = True
                elif LOAD_FIRST <= operation <= STORE_LAST:
                    loop = graph.block_loop[block]
                    while loop >= 0:
                        self.reaches[loop] = 1
                        loop = graph.outer[loop]
                value = graph.following[value]
            block += 1

    def uses_memory(self, loop: i64) -> bool:
        """Whether the base register is worth loading before a loop."""
        return self.reaches[loop] != 0

    def load_base(self) -> None:
        """The base register."""
        self.emit(m.MEMORY_BASE, 0, 0, 0, 0, self.base_offset)

    # Blocks

    def write_block(self, block: i64) -> None:
        """One block."""
        graph = self.graph
        positions = self.positions
        if block == 0:
            self.begin()
        else:
            self.emit(m.LABEL, 0, 0, 0, 0, block)
            self.enter(block)
            if self.loop >= 0 and graph.head[self.loop] == block:
                self.note(graph.block_word[block])
                self.emit(m.POLL, 0, 0, 0, 0, 0)
        value = graph.first[block]
        while value >= 0:
            if not positions.fused[value]:
                self.at = positions.position[value]
                self.note(graph.word[value])
                self.write_value(value)
            value = graph.following[value]
        self.at = positions.end_of[block]
        self.write_end(block)

    def begin(self) -> None:
        """The arguments arrive. A poll may change the overflow area, so it comes behind those in it."""
        graph = self.graph
        step: i64 = 0
        while step < 3:
            self.begin_places()
            value = graph.first[0]
            number: i64 = 0
            while value >= 0 and graph.operation[value] == ARGUMENT:
                while number < graph.immediate[value]:
                    self.next_place(i64(self.param_classes[number]), self.argument_integers, self.argument_floats)
                    number += 1
                self.arrive(value, self.next_place(graph.machine_class[value], self.argument_integers, self.argument_floats), step)
                number += 1
                value = graph.following[value]
            step += 1
        if self.has_calls and not self.polls_first():
            self.note(graph.block_word[0])
            self.emit(m.POLL, 0, 0, 0, 0, 0)

    def polls_first(self) -> bool:
        """Whether no argument can be in the overflow area."""
        return len(self.param_classes) <= len(self.argument_floats)

    def note(self, word: i64) -> None:
        """What follows was made from a word of the stream."""
        if self.noted:
            self.emit(m.POSITION, 0, 0, 0, 0, word)

    def write_end(self, block: i64) -> None:
        """How a block ends."""
        graph = self.graph
        end = graph.end[block]
        edge = graph.first_edge[block]
        if end == JUMP:
            self.leave_by(edge)
            self.emit(EDGE, 0, 0, 0, 0, edge)
            if graph.target[edge] != block + 1:
                self.emit(m.JUMP, 0, 0, 0, 0, graph.target[edge])
        elif end == BRANCH:
            self.branch(block)
        elif end == TABLE:
            self.branch_table(block)
        elif end == RETURN:
            self.place_values(graph.results[block], graph.result_count[block], self.result_integers, self.result_floats, NONE)
            self.emit(m.RETURN, 0, 0, 0, 0, 0)

    def branch(self, block: i64) -> None:
        """A branch: to the block behind, and to another one on a condition."""
        graph = self.graph
        value = graph.end_value[block]
        taken = graph.first_edge[block]
        condition = self.prepare(value)
        self.leave_by(taken)
        self.leave_by(taken + 1)
        self.unlock()
        self.compare()
        other = taken + 1
        if graph.target[taken] == block + 1:
            taken, other = other, taken
            condition ^= 1
        self.emit(JUMP_IF_EDGE, condition, 0, 0, 0, taken)
        self.emit(EDGE, 0, 0, 0, 0, other)

    def branch_table(self, block: i64) -> None:
        """A table of branches, which destroys the index."""
        graph = self.graph
        register = self.free_register(self.integers, NONE)
        self.load_to(graph.end_value[block], register)
        edge = graph.first_edge[block]
        last = edge + graph.edge_count[block]
        while edge < last:
            self.leave_by(edge)
            edge += 1
        self.unlock()
        self.emit(m.BRANCH_TABLE, 0, 0, register, 0, graph.edge_count[block])
        edge = graph.first_edge[block]
        while edge < last:
            self.emit(TARGET_EDGE, 0, 0, 0, 0, edge)
            edge += 1

    # Conditions

    def prepare(self, value: i64) -> i64:
        """Operands of a condition into registers, for `compare`; the condition to look at."""
        graph = self.graph
        if not self.positions.fused[value]:
            self.comparison = m.TEST
            self.comparison_size = 0
            self.comparison_a = self.load(value)
            self.comparison_b = self.comparison_a
            self.comparison_immediate = 0
            return m.NOT_EQUAL
        return self.prepare_comparison(value, graph.operation[value], graph.a[value], graph.b[value])

    def prepare_comparison(self, value: i64, code: i64, a: i64, b: i64) -> i64:
        """The same of a comparison."""
        self.comparison_immediate = 0
        self.comparison_size = 1 if code >= 0x61 or 0x50 <= code < 0x5B else 0
        if code >= 0x5B:
            number = code - 0x61 if code >= 0x61 else code - 0x5B
            if number == 2 or number == 4:
                a, b = b, a
            self.comparison = m.FLOAT_COMPARE
            self.comparison_a = self.load(a)
            self.comparison_b = self.load(b)
            return i64(_FLOAT_CONDITIONS[number])
        self.comparison_a = self.load(a)
        if code == 0x45 or code == 0x50:
            self.comparison = m.TEST
            self.comparison_b = self.comparison_a
            return m.EQUAL
        number = code - 0x51 if code >= 0x50 else code - 0x46
        bits = self.graph.immediate[b]
        if self.is_constant(b) and -0x80000000 <= bits <= 0x7FFFFFFF:
            if bits == 0 and number < 2:
                self.comparison = m.TEST
                self.comparison_b = self.comparison_a
            else:
                self.comparison = m.COMPARE_CONSTANT
                self.comparison_b = 0
                self.comparison_immediate = bits
        elif self.is_better_in_slot(b):
            self.comparison = m.COMPARE_SLOT
            self.comparison_b = 0
            self.comparison_immediate = self.need_slot(b)
            self.reads(b, SLOT + self.comparison_immediate)
        else:
            self.comparison = m.COMPARE
            self.comparison_b = self.load(b)
        return i64(_CONDITIONS[number])

    def compare(self) -> None:
        """The record that compares."""
        self.emit(self.comparison, self.comparison_size, 0, self.comparison_a, self.comparison_b, self.comparison_immediate)

    def free_condition(self, value: i64) -> None:
        """The operands of a condition have been used."""
        if self.positions.fused[value]:
            self.free_dead(self.graph.a[value])
            self.free_dead(self.graph.b[value])
        else:
            self.free_dead(value)

    # Values

    def write_value(self, value: i64) -> None:
        """One value."""
        operation = self.graph.operation[value]
        if LOAD_FIRST <= operation <= STORE_LAST:
            if operation < STORE_FIRST:
                self.memory_load(value, operation - LOAD_FIRST)
            else:
                self.memory_store(value, operation - STORE_FIRST)
        elif 0x45 <= operation <= 0x66:
            self.write_comparison(value)
        elif 0x67 <= operation <= 0x8A:
            self.integer(value, operation)
        elif 0x8B <= operation <= 0xA6:
            self.float(value, operation)
        elif 0xA7 <= operation < 0x108:
            self.conversion(value, operation)
        elif operation == CALL or operation == CALL_INDIRECT:
            self.call(value, operation)
        elif operation == SELECT:
            self.select(value)
        elif operation == _GLOBAL_GET:
            self.global_get(value)
        elif operation == _GLOBAL_SET:
            self.global_set(value)
        elif operation == _MEMORY_SIZE:
            self.memory_size(value)
        elif operation == MEMORY_GROW:
            self.memory_grow(value)
        elif operation == MEMORY_COPY or operation == MEMORY_FILL:
            self.memory_native(value, operation)
        elif operation == 0:
            self.emit(m.TRAP, self.graph.immediate[value], 0, 0, 0, 0)
        else:
            assert operation == ARGUMENT or operation == RESULT

    def write_comparison(self, value: i64) -> None:
        """A comparison whose result is a number."""
        graph = self.graph
        condition = self.prepare_comparison(value, graph.operation[value], graph.a[value], graph.b[value])
        self.unlock()
        self.free_dead(graph.a[value])
        self.free_dead(graph.b[value])
        d = self.define(value, NONE, NONE)
        self.compare()
        self.emit(m.SET_IF, condition, d, 0, 0, 0)
        self.defined(value)

    def integer(self, value: i64, operation: i64) -> None:
        """clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr."""
        wide: i64 = 0
        number = operation - 0x67
        if operation >= 0x79:
            wide = 1
            number = operation - 0x79
        if number < 3:
            self.one_operand(value, m.UNARY, wide | (number << 1))
        elif 6 <= number <= 9:
            self.divide(value, wide, number - 6)
        elif number >= 13:
            self.shift(value, wide, number - 13)
        else:
            self.alu(value, wide, i64(_ALU[number - 3]))

    def one_operand(self, value: i64, operation: i64, size: i64) -> None:
        """d = op a."""
        a = self.graph.a[value]
        register = self.load(a)
        self.unlock()
        self.free_dead(a)
        d = self.define(value, register, NONE)
        if self.checked:
            self.mark_reads()
        self.emit(operation, size, d, register, 0, 0)
        self.defined(value)

    def alu(self, value: i64, wide: i64, variant: i64) -> None:
        """d = a op b."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        bits = self.graph.immediate[b]
        if variant != m.SUB and self.place[b] >= 0 and self.is_better_in_slot(a):
            a, b = b, a
        x = self.load(a)
        if self.is_constant(b) and -0x80000000 <= bits <= 0x7FFFFFFF:
            self.unlock()
            self.free_dead(a)
            d = self.define(value, x, NONE)
            self.emit(m.ALU_CONSTANT, wide | (variant << 1), d, x, 0, bits)
        elif self.is_better_in_slot(b):
            self.unlock()
            self.free_dead(a)
            slot = self.need_slot(b)
            self.reads(b, SLOT + slot)
            d = self.define(value, x, NONE)
            self.emit(m.ALU_SLOT, wide | (variant << 1), d, x, 0, slot)
        else:
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            d = self.define(value, x, y)
            self.emit(m.ALU, wide | (variant << 1), d, x, y, 0)
        self.defined(value)

    def shift(self, value: i64, wide: i64, variant: i64) -> None:
        """d = a shifted or rotated by b."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        size = wide | (variant << 1)
        if self.is_constant(b):
            register = self.load(a)
            self.unlock()
            self.free_dead(a)
            d = self.define(value, register, NONE)
            self.emit(m.SHIFT_CONSTANT, size, d, register, 0, self.graph.immediate[b] & (63 if wide else 31))
            self.defined(value)
            return
        count = self.shift_count
        if count >= 0:
            self.load_to(b, count)
            register = self.load(a)
        else:
            register = self.load(a)
            count = self.load(b)
        if not self.is_live(a) and register != count:
            self.locked[register] = 0
            self.free_dead(a)
        d = self.define(value, register, NONE)
        self.emit(m.SHIFT, size, d, register, count, 0)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)
        self.defined(value)

    def divide(self, value: i64, wide: i64, variant: i64) -> None:
        """Division, in registers of its own where the target wants that."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        if self.is_constant(b) and self.graph.immediate[b] > 0:
            size = wide | ((variant + m.DIVISOR_SAFE) << 1)
        else:
            size = wide | (variant << 1)
        if self.dividend < 0:
            x = self.load(a)
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            self.emit(m.DIVIDE, size, self.define(value, x, NONE), x, y, 0)
            self.defined(value)
            return
        if a == b:  # what is destroyed is a copy
            self.clear_register(self.dividend)
        self.load_to(a, self.dividend)
        self.clear_register(self.remainder)
        self.lock(self.remainder)
        y = self.load(b)
        result = self.dividend if variant < m.REM_S else self.remainder
        self.emit(m.DIVIDE, size, result, self.dividend, y, 0)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)
        self.assign(value, result)
        self.defined(value)

    def float(self, value: i64, operation: i64) -> None:
        """abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign."""
        wide: i64 = 0
        number = operation - 0x8B
        if operation >= 0x99:
            wide = 1
            number = operation - 0x99
        if number < 7:
            self.one_operand(value, m.FLOAT_UNARY, wide | (number << 1))
            return
        variant = number - 7
        a = self.graph.a[value]
        b = self.graph.b[value]
        x = self.load(a)
        if self.is_constant(b) and variant <= m.FLOAT_DIV:
            self.unlock()
            self.free_dead(a)
            d = self.define(value, x, NONE)
            self.emit_constant(m.FLOAT_ALU_CONSTANT, wide | (variant << 1), d, x, 0, self.graph.immediate[b])
        elif variant <= m.FLOAT_DIV and self.is_better_in_slot(b):
            self.unlock()
            self.free_dead(a)
            slot = self.need_slot(b)
            self.reads(b, SLOT + slot)
            d = self.define(value, x, NONE)
            self.emit(m.FLOAT_ALU_SLOT, wide | (variant << 1), d, x, 0, slot)
        else:
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            d = self.define(value, x, NONE)
            self.emit(m.FLOAT_ALU, wide | (variant << 1), d, x, y, 0)
        self.defined(value)

    def conversion(self, value: i64, code: i64) -> None:
        """Between types."""
        if code == 0xA7 or code == 0xAD:
            self.one_operand(value, m.MOVE, 0)
        elif code == 0xAC:
            self.one_operand(value, m.UNARY, 1 | (m.EXTEND32 << 1))
        elif code <= 0xAB:
            self.truncate(value, code - 0xA8, 0)
        elif code <= 0xB1:
            self.truncate(value, code - 0xAE + 4, 0)
        elif code >= 0x100:
            self.truncate(value, code - 0x100, m.SATURATING)
        elif code >= 0xC0:
            number = code - 0xC0
            if code < 0xC2:
                self.one_operand(value, m.UNARY, (m.EXTEND8 + number) << 1)
            else:
                self.one_operand(value, m.UNARY, 1 | ((m.EXTEND8 + number - 2) << 1))
        elif code == 0xB6 or code == 0xBB:
            self.one_operand(value, m.FLOAT_CONVERT, 1 if code == 0xBB else 0)
        elif code <= 0xBA:
            number = code - 0xB2
            size: i64 = 0
            if code >= 0xB7:
                size = m.FLOAT_WIDE
                number = code - 0xB7
            if number & 1:
                size |= m.UNSIGNED
            if number & 2:
                size |= m.INTEGER_WIDE
            self.one_operand(value, m.FLOAT_FROM_INTEGER, size)
        elif code <= 0xBD:
            self.one_operand(value, m.FLOAT_TO_BITS, code - 0xBC)
        else:
            self.one_operand(value, m.BITS_TO_FLOAT, code - 0xBE)

    def truncate(self, value: i64, number: i64, size: i64) -> None:
        """Float to integer; number: i32 f32 s, i32 f32 u, i32 f64 s, i32 f64 u, then the same to i64."""
        if number & 1:
            size |= m.UNSIGNED
        if number & 2:
            size |= m.FLOAT_WIDE
        if number & 4:
            size |= m.INTEGER_WIDE
        self.one_operand(value, m.FLOAT_TO_INTEGER, size)

    def select(self, value: i64) -> None:
        """One of two values, on a condition. Nothing may stand between the comparison and its use."""
        graph = self.graph
        x = self.load(graph.a[value])
        y = self.load(graph.b[value])
        condition = self.prepare(graph.c[value])
        self.unlock()
        self.free_dead(graph.a[value])
        self.free_dead(graph.b[value])
        self.free_condition(graph.c[value])
        d = self.define(value, x, NONE)
        self.compare()
        if d >= FLOAT:
            self.emit(m.FLOAT_SELECT_IF, m.WIDE | (condition << 1), d, x, y, 0)
        else:
            self.emit(m.SELECT_IF, is_wide(graph.machine_class[value]) | (condition << 1), d, x, y, 0)
        self.defined(value)

    # Memory and globals

    def ready_base(self) -> None:
        """The base register has to be loaded now."""
        if not self.based:
            self.load_base()
            self.based = True

    def is_folded(self, a: i64, offset: i64) -> bool:
        """Whether an address is a constant that can be added to the offset."""
        return self.is_constant(a) and (self.graph.immediate[a] & 0xFFFFFFFF) + offset <= 0x7FFFFFFF

    def memory_load(self, value: i64, kind: i64) -> None:
        """A load."""
        a = self.graph.a[value]
        offset = self.graph.immediate[value]
        self.ready_base()
        register: i64 = m.NO_REGISTER
        if self.is_folded(a, offset):
            offset += self.graph.immediate[a] & 0xFFFFFFFF
        else:
            register = self.load(a)
            self.unlock()
            self.free_dead(a)
        d = self.define(value, register, NONE)
        self.emit_constant(m.FLOAT_LOAD if d >= FLOAT else m.LOAD, kind, d, register, 0, offset)
        self.defined(value)

    def memory_store(self, value: i64, kind: i64) -> None:
        """A store."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        offset = self.graph.immediate[value]
        bits = self.graph.immediate[b]
        self.ready_base()
        register: i64 = m.NO_REGISTER
        if self.is_folded(a, offset):
            offset += self.graph.immediate[a] & 0xFFFFFFFF
        else:
            register = self.load(a)
        if self.is_constant(b) and kind != 2 and kind != 3 and -0x80000000 <= bits <= 0x7FFFFFFF and offset <= 0x7FFFFFFF:
            self.emit_long(m.STORE_CONSTANT, kind, 0, register, 0, offset, bits)
        else:
            x = self.load(b)
            self.emit_constant(m.FLOAT_STORE if x >= FLOAT else m.STORE, kind, 0, register, x, offset)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)

    def memory_size(self, value: i64) -> None:
        """memory.size."""
        plan = self.environment.memories[0]
        d = self.define(value, NONE, NONE)
        self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, plan.offset + 8)
        if plan.page_size_log2:
            self.emit(m.SHIFT_CONSTANT, m.WIDE | (m.SHR_U << 1), d, d, 0, plan.page_size_log2)
        self.defined(value)

    def memory_grow(self, value: i64) -> None:
        """memory.grow: a built-in, whose first argument is the memory."""
        a = self.graph.a[value]
        self.want(self.source(a), i64(self.argument_integers[1]), a)
        self.reads(a, i64(self.argument_integers[1]))
        self.write_moves()
        if self.checked:
            self.mark_reads()
        self.emit(m.CONSTANT, 0, i64(self.argument_integers[0]), 0, 0, 0)
        self.emit(m.CALL_BUILTIN, 0, 0, 0, 0, _BUILTIN_MEMORY_GROW)
        self.lose_all()
        register = i64(self.result_integers[0])
        self.assign(value, register)
        self.emit(m.MOVE, 0, register, register, 0, 0)
        self.defined(value)

    def pass_native(self, value: i64, number: i64) -> None:
        """A value is an argument of a function of the C library."""
        register = i64(self.native_arguments[number])
        self.want(self.source(value), register, value)
        self.reads(value, register)

    def memory_native(self, value: i64, operation: i64) -> None:
        """memory.copy and memory.fill: functions of the C library."""
        graph = self.graph
        self.pass_native(graph.a[value], 0)
        self.pass_native(graph.b[value], 1)
        self.pass_native(graph.c[value], 2)
        self.write_moves()
        if operation == MEMORY_COPY:
            self.emit_long(m.MEMORY_COPY, 0, 0, 0, 0, self.base_offset, self.base_offset)
        else:
            self.emit_long(m.MEMORY_FILL, 0, 0, 0, 0, self.base_offset, 0)
        self.lose_file(self.native_destroyed)
        self.lose_file(self.native_arguments)

    def global_get(self, value: i64) -> None:
        """global.get."""
        plan = self.environment.globals[int(self.graph.immediate[value])]
        wide = is_wide(plan.machine_class)
        d = self.define(value, NONE, NONE)
        if not plan.indirect:
            self.emit(m.FLOAT_LOAD_CONTEXT if d >= FLOAT else m.LOAD_CONTEXT, wide, d, 0, 0, plan.offset)
        elif d >= FLOAT:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            self.emit(m.FLOAT_LOAD, m.ABSOLUTE | (2 + wide), d, cell, 0, 0)
        else:
            self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, plan.offset)
            self.emit(m.LOAD, m.ABSOLUTE | wide, d, d, 0, 0)
        self.defined(value)

    def global_set(self, value: i64) -> None:
        """global.set."""
        plan = self.environment.globals[int(self.graph.immediate[value])]
        wide = is_wide(plan.machine_class)
        a = self.graph.a[value]
        x = self.load(a)
        if not plan.indirect:
            self.emit(m.FLOAT_STORE_CONTEXT if x >= FLOAT else m.STORE_CONTEXT, wide, 0, x, 0, plan.offset)
        else:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            if x >= FLOAT:
                self.emit(m.FLOAT_STORE, m.ABSOLUTE | (2 + wide), 0, cell, x, 0)
            else:
                self.emit(m.STORE, m.ABSOLUTE | wide, 0, cell, x, 0)
        self.unlock()
        self.free_dead(a)

    # Calls

    def begin_places(self) -> None:
        """Begin with a list of arguments or results."""
        self.next_integer = 0
        self.next_float = 0
        self.next_overflow = 0

    def next_place(self, machine_class: i64, integers: bytes, floats: bytes) -> i64:
        """Where the next one of a list is: its register, or its slot of the overflow area from `SLOT` on."""
        if machine_class == 3 or machine_class == 4:
            if self.next_float < len(floats):
                self.next_float += 1
                return FLOAT + i64(floats[self.next_float - 1])
        elif self.next_integer < len(integers):
            self.next_integer += 1
            return i64(integers[self.next_integer - 1])
        self.next_overflow += 1
        return SLOT + self.next_overflow - 1

    def place_values(self, start: i64, count: i64, integers: bytes, floats: bytes, index: i64) -> None:
        """Values in the pool where the convention wants them: first those in the overflow area, then all others at once, with the index
        of a call."""
        graph = self.graph
        self.begin_places()
        at = start
        while at < start + count:
            value = graph.pool[at]
            place = self.next_place(graph.machine_class[value], integers, floats)
            if place >= SLOT:
                x = self.load(value)
                self.emit(m.FLOAT_STORE_OVERFLOW if x >= FLOAT else m.STORE_OVERFLOW, m.WIDE, 0, x, 0, place - SLOT)
                self.unlock()
            at += 1
        self.begin_places()
        at = start
        while at < start + count:
            value = graph.pool[at]
            place = self.next_place(graph.machine_class[value], integers, floats)
            if place < SLOT:
                self.want(self.source(value), place, value)
                self.reads(value, place)
            at += 1
        if index >= 0:
            self.want(self.source(index), self.call_index, index)
            self.reads(index, self.call_index)
        self.write_moves()

    def call(self, value: i64, operation: i64) -> None:
        """A direct call, or one through a table."""
        graph = self.graph
        environment = self.environment
        immediate = graph.immediate[value]
        start = graph.b[value]
        count = graph.c[value]
        if operation == CALL_INDIRECT:
            self.place_values(start, count - 1, self.argument_integers, self.argument_floats, graph.pool[start + count - 1])
            table = environment.tables[int(immediate >> 32)].offset
            self.emit_long(m.CALL_INDIRECT, 0, 0, self.call_index, 0, table, immediate & 0xFFFFFFFF)
        else:
            self.place_values(start, count, self.argument_integers, self.argument_floats, NONE)
            imported = i64(environment.imported_functions)
            if immediate < imported:
                self.emit(m.CALL_IMPORT, 0, 0, 0, 0, environment.imports_offset + 8 * immediate)
            else:
                self.emit(m.CALL, 0, 0, 0, 0, environment.functions_offset + FUNCREF_SIZE * (immediate - imported))
        self.lose_all()
        if graph.machine_class[value]:
            self.arrive_results(value, operation, immediate)

    def arrive_results(self, call: i64, operation: i64, immediate: i64) -> None:
        """The results of a call, of which the others follow it as values, if they are used."""
        graph = self.graph
        type_index = int(immediate & 0xFFFFFFFF) if operation == CALL_INDIRECT else self.types.type_of(int(immediate))
        classes = self.types.results(type_index)
        step: i64 = 0
        while step < 3:
            self.begin_places()
            self.arrive(call, self.next_place(graph.machine_class[call], self.result_integers, self.result_floats), step)
            number: i64 = 1
            value = graph.following[call]
            while value >= 0 and graph.operation[value] == RESULT and graph.a[value] == call:
                while number < graph.immediate[value]:
                    self.next_place(i64(classes[number]), self.result_integers, self.result_floats)
                    number += 1
                self.arrive(value, self.next_place(graph.machine_class[value], self.result_integers, self.result_floats), step)
                number += 1
                value = graph.following[value]
            step += 1

    def arrive(self, value: i64, place: i64, step: i64) -> None:
        """An argument of the function, or a result of a call. First all that are in registers are there (the upper half of an i32 is
        undefined), then come those in memory."""
        if step == 0:
            if place < SLOT:
                self.assign(value, place)
        elif step == 1:
            if place < SLOT:
                if self.graph.machine_class[value] == 1:
                    self.emit(m.MOVE, 0, place, place, 0, 0)
                self.defined(value)
        elif place >= SLOT:
            d = self.define(value, NONE, NONE)
            wide = is_wide(self.graph.machine_class[value])
            self.emit(m.FLOAT_LOAD_OVERFLOW if d >= FLOAT else m.LOAD_OVERFLOW, wide, d, 0, 0, place - SLOT)
            self.defined(value)

    # The whole

    def finished(self) -> bytes:
        """All records: the prologue, slots written behind definitions, edges with what they move."""
        graph = self.graph
        words = self.out.getvalue()
        fixes = self.fixes.getvalue()
        self.out.truncate(0)
        size: i64 = 0
        if self.has_calls:
            size = m.FRAME_CALLS | (m.FRAME_POLLS if self.polls_first() else 0)
        self.emit(m.PROLOGUE, size, 0, 0, 0, self.slots)
        self.next_label = graph.blocks
        at: i64 = 0
        end = i64(len(words))
        while at < end:
            word = read_i64_le(words, at)
            at += 8
            operation = word & 0x7F
            number = word >> 32
            if operation < FIRST_MARK:
                write_i64_le(self.out, word)
                if word & m.EXTENDED:
                    write_i64_le(self.out, read_i64_le(words, at))
                    at += 8
            elif operation == EDGE:
                self.write_fix(fixes, number)
            elif operation == JUMP_IF_EDGE:
                self.write_jump_if(fixes, number, (word >> 8) & 127)
            elif operation == TARGET_EDGE:
                at = self.write_targets(words, fixes, at - 8)
            else:
                place = read_i64_le(words, at)
                at += 8
                if self.checked:
                    self.mark(operation, number, place)
                if operation == DEFINED and self.slot[number] >= 0:
                    self.store_slot(self.slot[number], place, graph.machine_class[number])
        self.emit(m.END, 0, 0, 0, 0, 0)
        return self.out.getvalue()

    def mark_edge(self, edge: i64) -> None:
        """What follows is by an edge, if that is checked."""
        if self.checked:
            self.mark(EDGE, edge, 0)

    def write_fix(self, fixes: bytes, edge: i64) -> None:
        """What an edge moves."""
        self.mark_edge(edge)
        at = self.fix_start[edge]
        while at < self.fix_end[edge]:
            write_i64_le(self.out, read_i64_le(fixes, at))
            at += 8

    def write_jump_if(self, fixes: bytes, edge: i64, condition: i64) -> None:
        """A jump by an edge on a condition; around what it moves, if it moves anything."""
        target = self.graph.target[edge]
        if self.fix_start[edge] == self.fix_end[edge]:
            self.mark_edge(edge)
            self.emit(m.JUMP_IF, condition, 0, 0, 0, target)
            return
        over = self.next_label
        self.next_label += 1
        self.emit(m.JUMP_IF, condition ^ 1, 0, 0, 0, over)
        self.write_fix(fixes, edge)
        self.emit(m.JUMP, 0, 0, 0, 0, target)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def write_targets(self, words: bytes, fixes: bytes, at: i64) -> i64:
        """The targets of a table; those that move something go to a place of their own behind it. Where the words go on."""
        first = at
        label = self.next_label
        end = i64(len(words))
        while at < end and read_i64_le(words, at) & 0x7F == TARGET_EDGE:
            edge = read_i64_le(words, at) >> 32
            if self.fix_start[edge] == self.fix_end[edge]:
                self.mark_edge(edge)
                self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, self.graph.target[edge])
            else:
                self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, self.next_label)
                self.next_label += 1
            at += 8
        while first < at:
            edge = read_i64_le(words, first) >> 32
            if self.fix_start[edge] != self.fix_end[edge]:
                self.emit(m.LABEL, 0, 0, 0, 0, label)
                label += 1
                self.write_fix(fixes, edge)
                self.emit(m.JUMP, 0, 0, 0, 0, self.graph.target[edge])
            first += 8
        return at

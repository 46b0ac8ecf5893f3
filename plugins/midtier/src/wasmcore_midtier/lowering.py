"""From the graph to macro records: one function for each kind of value, with registers as they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.stream import CLASS_F32, CLASS_I32
from wasmcore_midtier.registers.allocator import DEFINED, Allocator, RegisterFiles
from wasmcore_midtier.registers.moves import CONSTANT, FLOAT, SLOT, write_moves
from wasmcore_midtier.ssa.build import LOADS, SELECT, STORES
from wasmcore_midtier.ssa.graph import ARGUMENT, BRANCH, JUMP, RESULT, RETURN, TABLE, Block, Edge, Graph
from wasmcore_singlepass import records as m

if TYPE_CHECKING:
    from wasmcore.plugin.convention import Place
    from wasmcore.plugin.streams.bodies import FunctionTypes
    from wasmcore_singlepass.protocol import Lowering as Target

JUMP_IF_EDGE: Final = 126
"""Operation of a word that is no record: jump on a condition (size) by an edge (immediate)."""
EDGE: Final = 125
"""What an edge (immediate) has to move."""
TARGET_EDGE: Final = 124
"""A target of a table, by an edge."""
_INTEGER_CONDITIONS: Final = (
    *(m.EQUAL, m.NOT_EQUAL, m.LESS_S, m.LESS_U, m.GREATER_S, m.GREATER_U),
    *(m.LESS_EQUAL_S, m.LESS_EQUAL_U, m.GREATER_EQUAL_S, m.GREATER_EQUAL_U),
)
_FLOAT_CONDITIONS: Final = (
    *(m.FLOAT_EQUAL, m.FLOAT_NOT_EQUAL, m.FLOAT_GREATER, m.FLOAT_GREATER),
    *(m.FLOAT_GREATER_EQUAL, m.FLOAT_GREATER_EQUAL),
)
"""eq ne lt gt le ge; lt and le with their operands exchanged."""
_ALU: Final = {0x6A: m.ADD, 0x6B: m.SUB, 0x6C: m.MUL, 0x71: m.AND, 0x72: m.OR, 0x73: m.XOR}
_UNARY: Final = {
    0x67: (0, m.CLZ), 0x68: (0, m.CTZ), 0x69: (0, m.POPCNT), 0x79: (1, m.CLZ), 0x7A: (1, m.CTZ), 0x7B: (1, m.POPCNT),
    0xC0: (0, m.EXTEND8), 0xC1: (0, m.EXTEND16), 0xC2: (1, m.EXTEND8), 0xC3: (1, m.EXTEND16), 0xC4: (1, m.EXTEND32),
    0xAC: (1, m.EXTEND32),
}
_FITS: Final = range(-(1 << 31), 1 << 31)


class Lowering(Allocator):
    """Writes the records of one function."""

    def __init__(self, graph: Graph, types: FunctionTypes, target: Target, positions: bool) -> None:
        integers = (*target.TEMPORARIES, *target.PINNED)
        floats = tuple([FLOAT + register for register in (*target.FLOAT_TEMPORARIES, *target.FLOAT_PINNED)])
        super().__init__(graph, RegisterFiles(integers, floats))
        self.types: Final = types
        self.environment: Final = types.environment
        self.target: Final = target
        self.noted: Final = positions
        self.edges: Final[list[Edge]] = []
        self.reaches: Final = self._reaches()
        self.has_calls: Final = any(graph.operation[value] in _CALLS for block in graph.blocks for value in block.values)

    def _reaches(self) -> bytearray:
        """The loops that access memory 0."""
        found = bytearray(len(self.graph.loops))
        for block in self.graph.blocks:
            if any(self.graph.operation[value] in LOADS or self.graph.operation[value] in STORES for value in block.values):
                loop = block.loop
                while loop >= 0:
                    found[loop] = 1
                    loop = self.graph.loops[loop].outer
        return found

    def uses_memory(self, loop: int) -> bool:
        return bool(self.reaches[loop])

    def load_base(self) -> None:
        self.emit(m.MEMORY_BASE, 0, 0, 0, 0, self.environment.memories[0].offset)

    def write(self, type_index: int) -> list[int]:
        """The words of all records."""
        params = self.types.params(type_index)
        self.params: list[Place] = self.target.CONVENTION.arguments(params)
        self.results: list[Place] = self.target.CONVENTION.results(self.types.results(type_index))
        for block in self.graph.blocks:
            self.block(block)
        return self.finished()

    # Blocks

    def block(self, block: Block) -> None:
        """One block."""
        graph, positions = self.graph, self.positions
        if block.number == 0:
            self.begin()
        else:
            self.emit(m.LABEL, 0, 0, 0, 0, block.number)
            self.enter(block)
            if block.loop >= 0 and graph.loops[block.loop].head == block.number:
                self.note(block.word)
                self.emit(m.POLL, 0, 0, 0, 0, 0)
        for value in block.values:
            self.at = positions.position[value]
            if not positions.fused[value]:
                self.note(graph.word[value])
                self.value(value)
        self.at = positions.end[block.number]
        self.loop = block.loop
        self.end(block)

    def begin(self) -> None:
        """The arguments arrive. A poll may change the overflow area, so it comes behind those in it."""
        arguments = [each for each in self.graph.blocks[0].values if self.graph.operation[each] == ARGUMENT]
        self.arrive([(each, self.params[self.graph.immediate[each]]) for each in arguments])
        if self.has_calls and not self.polls_first():
            self.emit(m.POLL, 0, 0, 0, 0, 0)

    def polls_first(self) -> bool:
        """Whether no argument can be in the overflow area."""
        return len(self.params) <= len(self.target.CONVENTION.floats)

    def note(self, word: int) -> None:
        """What follows was made from a word of the stream."""
        if self.noted:
            self.emit(m.POSITION, 0, 0, 0, 0, word)

    def end(self, block: Block) -> None:
        """How a block ends."""
        if block.end == JUMP:
            edge = block.edges[0]
            self.leave_by(edge)
            self.words.append(EDGE | self.number(edge) << 32)
            if edge.target != block.number + 1:
                self.emit(m.JUMP, 0, 0, 0, 0, edge.target)
        elif block.end == BRANCH:
            self.branch(block)
        elif block.end == TABLE:
            index = block.value
            register = self.free_register(self.files.integers)
            self.load_to(index, register)
            for edge in block.edges:
                self.leave_by(edge)
            self.emit(m.BRANCH_TABLE, 0, 0, register, 0, len(block.edges))
            self.words += [TARGET_EDGE | self.number(edge) << 32 for edge in block.edges]
            self.locked.clear()
        elif block.end == RETURN:
            self.moves_to([(value, place) for value, place in zip(block.results, self.results)])
            self.emit(m.RETURN, 0, 0, 0, 0, 0)

    def number(self, edge: Edge) -> int:
        """Of an edge, in words that name it."""
        self.edges.append(edge)
        return len(self.edges) - 1

    def branch(self, block: Block) -> None:
        """A branch: to the block behind, and to another one on a condition."""
        taken, other = block.edges
        condition = self.prepare(block.value)
        self.leave_by(taken)
        self.leave_by(other)
        self.release_condition(block.value)
        size = self.compare(condition)
        if taken.target == block.number + 1:
            taken, size = other, size ^ 1
        self.words.append(JUMP_IF_EDGE | size << 8 | self.number(taken) << 32)

    # Conditions

    def prepare(self, value: int) -> tuple[int, int, int, int, int, int]:
        """Operands of a condition into registers: the record that compares, and the condition to look at."""
        graph = self.graph
        code = graph.operation[value]
        if not self.positions.fused[value]:
            register = self.load(value)
            return m.TEST, 0, register, register, 0, m.NOT_EQUAL
        a, b = graph.a[value], graph.b[value]
        if code in (0x45, 0x50):
            register = self.load(a)
            return m.TEST, int(code == 0x50), register, register, 0, m.EQUAL
        if code < 0x5B:
            wide, number = (0, code - 0x46) if code < 0x50 else (1, code - 0x51)
            condition = _INTEGER_CONDITIONS[number]
            bits = graph.immediate[b]
            if self.is_constant(b) and bits in _FITS:
                register = self.load(a)
                if bits == 0 and number < 2:
                    return m.TEST, wide, register, register, 0, condition
                return m.COMPARE_CONSTANT, wide, register, 0, bits, condition
            return m.COMPARE, wide, self.load(a), self.load(b), 0, condition
        wide, number = (0, code - 0x5B) if code < 0x61 else (1, code - 0x61)
        if number in (2, 4):
            a, b = b, a
        return m.FLOAT_COMPARE, wide, self.load(a), self.load(b), 0, _FLOAT_CONDITIONS[number]

    def compare(self, condition: tuple[int, int, int, int, int, int]) -> int:
        """The record that compares; the condition."""
        operation, size, a, b, immediate, found = condition
        self.emit(operation, size, 0, a, b, immediate)
        return found

    def release_condition(self, value: int) -> None:
        """The operands have been used."""
        self.release(*(self.graph.operands_of(value) if self.positions.fused[value] else [value]))

    # Values

    def value(self, value: int) -> None:
        """One value."""
        code = self.graph.operation[value]
        if code in LOADS:
            self.memory_load(value, code)
        elif code in STORES:
            self.memory_store(value, code)
        elif code in _SPECIAL:
            _SPECIAL[code](self, value)
        elif code < 0x67:
            self.comparison(value)
        elif code < 0x8B:
            self.integer(value, code)
        elif code < 0xA7:
            self.float(value, code)
        else:
            self.conversion(value, code)

    def comparison(self, value: int) -> None:
        """A comparison whose result is a number."""
        self.positions.fused[value] = 1
        condition = self.prepare(value)
        self.positions.fused[value] = 0
        self.release(*self.graph.operands_of(value))
        d = self.define(value)
        size = self.compare(condition)
        self.emit(m.SET_IF, size, d, 0, 0, 0)
        self.defined(value)

    def integer(self, value: int, code: int) -> None:
        """clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr."""
        wide, base = (1, code - 0x12) if code >= 0x79 else (0, code)
        if base < 0x6A:
            self.one_operand(value, m.UNARY, wide | _UNARY[code][1] << 1)
        elif base in _ALU:
            self.alu(value, wide, _ALU[base])
        elif base >= 0x74:
            self.shift(value, wide, base - 0x74)
        else:
            self.divide(value, wide, base - 0x6D)

    def one_operand(self, value: int, operation: int, size: int) -> None:
        """d = op a."""
        a = self.graph.a[value]
        register = self.load(a)
        self.release(a)
        d = self.define(value, register)
        self.emit(operation, size, d, register, 0, 0)
        self.defined(value)

    def alu(self, value: int, wide: int, variant: int) -> None:
        """d = a op b."""
        a, b = self.graph.a[value], self.graph.b[value]
        size = wide | variant << 1
        bits = self.graph.immediate[b]
        if self.is_constant(b) and bits in _FITS:
            register = self.load(a)
            self.release(a)
            d = self.define(value, register)
            self.emit(m.ALU_CONSTANT, size, d, register, 0, bits)
        else:
            x, y = self.load(a), self.load(b)
            self.release(a, b)
            d = self.define(value, x, y)
            self.emit(m.ALU, size, d, x, y, 0)
        self.defined(value)

    def shift(self, value: int, wide: int, variant: int) -> None:
        """d = a shifted or rotated by b."""
        a, b = self.graph.a[value], self.graph.b[value]
        size = wide | variant << 1
        if self.is_constant(b):
            register = self.load(a)
            self.release(a)
            d = self.define(value, register)
            self.emit(m.SHIFT_CONSTANT, size, d, register, 0, self.graph.immediate[b] & (63 if wide else 31))
        else:
            count = self.target.SHIFT_COUNT
            if count >= 0:
                self.load_to(b, count)
                register = self.load(a)
            else:
                register, count = self.load(a), self.load(b)
            self.unlock_dead(a)
            d = self.define(value, register)
            self.emit(m.SHIFT, size, d, register, count, 0)
            self.release(a, b)
        self.defined(value)

    def unlock_dead(self, *values: int) -> None:
        """Operands that nobody needs any more give their registers to the result; the others stay locked."""
        for value in values:
            register = self.place[value]
            if register >= 0 and not self.is_live(value):
                self.locked.discard(register)
                self.forget(value)

    def divide(self, value: int, wide: int, variant: int) -> None:
        """Division, in registers of its own where the target wants that."""
        a, b = self.graph.a[value], self.graph.b[value]
        bits = self.graph.immediate[b] if self.is_constant(b) else 0
        size = wide | (variant + (m.DIVISOR_SAFE if bits > 0 else 0)) << 1
        dividend, remainder = self.target.DIVIDEND, self.target.REMAINDER
        if dividend < 0:
            x, y = self.load(a), self.load(b)
            self.release(a, b)
            self.emit(m.DIVIDE, size, self.define(value, x), x, y, 0)
            self.defined(value)
            return
        if a == b:  # one of them is destroyed
            self.clear_register(dividend)
        self.load_to(a, dividend)
        self.clear_register(remainder)
        self.locked.add(remainder)
        y = self.load(b)
        self.emit(m.DIVIDE, size, dividend if variant < m.REM_S else remainder, dividend, y, 0)
        self.release(a, b)
        result = dividend if variant < m.REM_S else remainder
        self.define_in(value, result)
        self.defined(value)

    def float(self, value: int, code: int) -> None:
        """abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign."""
        wide, number = (0, code - 0x8B) if code < 0x99 else (1, code - 0x99)
        if number < 7:
            self.one_operand(value, m.FLOAT_UNARY, wide | number << 1)
            return
        a, b = self.graph.a[value], self.graph.b[value]
        variant = number - 7
        if self.is_constant(b) and variant <= m.FLOAT_DIV:
            x = self.load(a)
            self.release(a)
            d = self.define(value, x)
            self.emit_constant(m.FLOAT_ALU_CONSTANT, wide | variant << 1, d, x, 0, self.graph.immediate[b])
        else:
            x, y = self.load(a), self.load(b)
            self.release(a, b)
            d = self.define(value, x)
            self.emit(m.FLOAT_ALU, wide | variant << 1, d, x, y, 0)
        self.defined(value)

    def conversion(self, value: int, code: int) -> None:
        """Between types."""
        if code in (0xA7, 0xAD):
            self.one_operand(value, m.MOVE, 0)
        elif code in _UNARY:
            wide, variant = _UNARY[code]
            self.one_operand(value, m.UNARY, wide | variant << 1)
        elif code <= 0xB1 or code >= 0x100:
            number = code - 0x100 if code >= 0x100 else code - 0xA8 if code <= 0xAB else code - 0xAE + 4
            size = m.SATURATING if code >= 0x100 else 0
            size |= (m.UNSIGNED if number & 1 else 0) | (m.FLOAT_WIDE if number & 2 else 0) | (m.INTEGER_WIDE if number & 4 else 0)
            self.one_operand(value, m.FLOAT_TO_INTEGER, size)
        elif code in (0xB6, 0xBB):
            self.one_operand(value, m.FLOAT_CONVERT, int(code == 0xBB))
        elif code <= 0xBA:
            wide, number = (m.FLOAT_WIDE, code - 0xB7) if code >= 0xB7 else (0, code - 0xB2)
            self.one_operand(value, m.FLOAT_FROM_INTEGER, wide | (m.UNSIGNED if number & 1 else 0) | (m.INTEGER_WIDE if number & 2 else 0))
        elif code <= 0xBD:
            self.one_operand(value, m.FLOAT_TO_BITS, code - 0xBC)
        else:
            self.one_operand(value, m.BITS_TO_FLOAT, code - 0xBE)

    def select(self, value: int) -> None:
        """One of two values, on a condition."""
        graph = self.graph
        a, b, condition = graph.a[value], graph.b[value], graph.c[value]
        x, y = self.load(a), self.load(b)
        prepared = self.prepare(condition)
        self.release(a, b, *(graph.operands_of(condition) if self.positions.fused[condition] else [condition]))
        # Constants must not be made between the comparison and its use.
        d = self.define(value, x)
        size = self.compare(prepared)
        if d >= FLOAT:
            self.emit(m.FLOAT_SELECT_IF, m.WIDE | size << 1, d, x, y, 0)
        else:
            self.emit(m.SELECT_IF, int(graph.machine_class[value] != CLASS_I32) | size << 1, d, x, y, 0)
        self.defined(value)

    # Memory

    def address(self, value: int) -> tuple[int, int]:
        """The address register of an access, and its offset."""
        a, offset = self.graph.a[value], self.graph.immediate[value]
        if not self.based:
            self.load_base()
            self.based = True
        folded = (self.graph.immediate[a] & 0xFFFFFFFF) + offset
        if self.is_constant(a) and folded < 1 << 31:
            return m.NO_REGISTER, folded
        return self.load(a), offset

    def memory_load(self, value: int, code: int) -> None:
        """A load."""
        a, offset = self.address(value)
        self.release(self.graph.a[value])
        d = self.define(value, a)
        self.emit_constant(m.FLOAT_LOAD if d >= FLOAT else m.LOAD, code - 0x28, d, a, 0, offset)
        self.defined(value)

    def memory_store(self, value: int, code: int) -> None:
        """A store."""
        a, offset = self.address(value)
        b = self.graph.b[value]
        bits = self.graph.immediate[b]
        kind = code - 0x36
        if self.is_constant(b) and kind not in (2, 3) and bits in _FITS and offset < 1 << 31:
            self.emit_long(m.STORE_CONSTANT, kind, 0, a, 0, offset, bits)
        else:
            x = self.load(b)
            self.emit_constant(m.FLOAT_STORE if x >= FLOAT else m.STORE, kind, 0, a, x, offset)
        self.release(self.graph.a[value], b)

    def memory_size(self, value: int) -> None:
        """memory.size."""
        plan = self.environment.memories[0]
        d = self.define(value)
        self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, plan.offset + 8)
        if plan.page_size_log2:
            self.emit(m.SHIFT_CONSTANT, m.WIDE | m.SHR_U << 1, d, d, 0, plan.page_size_log2)
        self.defined(value)

    def global_get(self, value: int) -> None:
        """global.get."""
        plan = self.environment.globals[self.graph.immediate[value]]
        wide = int(plan.machine_class not in (CLASS_I32, CLASS_F32))
        d = self.define(value)
        if not plan.indirect:
            self.emit(m.FLOAT_LOAD_CONTEXT if d >= FLOAT else m.LOAD_CONTEXT, wide, d, 0, 0, plan.offset)
        else:
            self.locked.add(d)
            cell = self.free_register(self.files.integers) if d >= FLOAT else d
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            if d >= FLOAT:
                self.emit(m.FLOAT_LOAD, m.ABSOLUTE | (2 + wide), d, cell, 0, 0)
            else:
                self.emit(m.LOAD, m.ABSOLUTE | wide, d, cell, 0, 0)
            self.locked.clear()
        self.defined(value)

    def global_set(self, value: int) -> None:
        """global.set."""
        plan = self.environment.globals[self.graph.immediate[value]]
        wide = int(plan.machine_class not in (CLASS_I32, CLASS_F32))
        a = self.graph.a[value]
        x = self.load(a)
        if not plan.indirect:
            self.emit(m.FLOAT_STORE_CONTEXT if x >= FLOAT else m.STORE_CONTEXT, wide, 0, x, 0, plan.offset)
        else:
            cell = self.free_register(self.files.integers)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            if x >= FLOAT:
                self.emit(m.FLOAT_STORE, m.ABSOLUTE | (2 + wide), 0, cell, x, 0)
            else:
                self.emit(m.STORE, m.ABSOLUTE | wide, 0, cell, x, 0)
        self.release(a)

    # Calls

    def source(self, value: int) -> int:
        """The place of a value now."""
        if self.place[value] >= 0:
            return self.place[value]
        return CONSTANT if self.is_constant(value) else SLOT + self.need_slot(value)

    def moves_to(self, values: list[tuple[int, Place]], index: int = -1) -> None:
        """Values where the convention wants them: first those in the overflow area, then all others at once, and the index of a call."""
        for value, place in values:
            if place.overflow >= 0:
                register = self.load(value)
                if register >= FLOAT:
                    self.emit(m.FLOAT_STORE_OVERFLOW, m.WIDE, 0, register, 0, place.overflow)
                else:
                    self.emit(m.STORE_OVERFLOW, m.WIDE, 0, register, 0, place.overflow)
                self.locked.clear()
        moves = [
            (self.source(value), place.register + (FLOAT if place.float else 0), value) for value, place in values if place.overflow < 0
        ]
        if index >= 0:
            moves.append((self.source(index), self.target.CALL_INDEX, index))
        write_moves(self, moves, self.graph, self.new_slot)

    def call(self, value: int) -> None:
        """A direct call, or one through a table."""
        graph, environment = self.graph, self.environment
        immediate, operands = graph.immediate[value], graph.operands[value]
        indirect = graph.operation[value] == 0x11
        type_index = immediate & 0xFFFFFFFF if indirect else self.types.type_of(immediate)
        places = self.target.CONVENTION.arguments(self.types.params(type_index))
        self.moves_to(list(zip(operands, places)), operands[-1] if indirect else -1)
        if indirect:
            table = environment.tables[immediate >> 32]
            self.emit_long(m.CALL_INDIRECT, 0, 0, self.target.CALL_INDEX, 0, table.offset, type_index)
        elif immediate < environment.imported_functions:
            self.emit(m.CALL_IMPORT, 0, 0, 0, 0, environment.imports_offset + 8 * immediate)
        else:
            number = immediate - environment.imported_functions
            self.emit(m.CALL, 0, 0, 0, 0, environment.functions_offset + FUNCREF_SIZE * number)
        self.lose_all()
        values = graph.results.get(value, [])
        used = [(each, place) for each, place in zip(values, self.target.CONVENTION.results(self.types.results(type_index)))]
        self.arrive([(each, place) for each, place in used if self.positions.uses[each] or each == value])

    def arrive(self, values: list[tuple[int, Place]]) -> None:
        """Arguments of the function, or results of a call: in registers, the upper half of an i32 undefined; then those in memory."""
        for value, place in values:
            if place.overflow < 0:
                self.assign(value, place.register + (FLOAT if place.float else 0))
        for value, place in values:
            if place.overflow < 0:
                if self.graph.machine_class[value] == CLASS_I32:
                    self.emit(m.MOVE, 0, place.register, place.register, 0, 0)
                self.defined(value)
        for value, place in values:
            if place.overflow >= 0:
                wide = int(self.graph.machine_class[value] not in (CLASS_I32, CLASS_F32))
                d = self.define(value)
                self.emit(m.FLOAT_LOAD_OVERFLOW if d >= FLOAT else m.LOAD_OVERFLOW, wide, d, 0, 0, place.overflow)
                self.defined(value)

    def arrived(self, value: int) -> None:
        """An argument of the function, or a result, which came with its call."""

    def trap(self, value: int) -> None:
        """unreachable, or a trap of another kind."""
        self.emit(m.TRAP, self.graph.immediate[value], 0, 0, 0, 0)

    # The whole

    def finished(self) -> list[int]:
        """All words: the prologue, slots written behind definitions, edges with what they move."""
        words, self.words = self.words, []
        pieces: list[tuple[int, Edge]] = []
        label = len(self.graph.blocks)
        size = 0
        if self.has_calls:
            size = m.FRAME_CALLS | (m.FRAME_POLLS if self.polls_first() else 0)
        self.emit(m.PROLOGUE, size, 0, 0, 0, len(self.busy))
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            operation, immediate = word & 0x7F, word >> 32
            if operation == DEFINED:
                if self.slot[immediate] >= 0:
                    self.store_slot(self.slot[immediate], word >> 8 & 63, self.graph.machine_class[immediate])
            elif operation == EDGE:
                self.words += self.fixes.get(self.edges[immediate], [])
            elif operation == JUMP_IF_EDGE:
                edge = self.edges[immediate]
                fix = self.fixes.get(edge)
                if fix is None:
                    self.emit(m.JUMP_IF, word >> 8 & 127, 0, 0, 0, edge.target)
                else:
                    self.emit(m.JUMP_IF, word >> 8 & 127 ^ 1, 0, 0, 0, label)
                    self.words += fix
                    self.emit(m.JUMP, 0, 0, 0, 0, edge.target)
                    self.emit(m.LABEL, 0, 0, 0, 0, label)
                    label += 1
            elif operation == TARGET_EDGE:
                edge = self.edges[immediate]
                target = edge.target
                if edge in self.fixes:
                    target = label
                    pieces.append((label, edge))
                    label += 1
                self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, target)
                if pieces and (at == len(words) or words[at] & 0x7F != TARGET_EDGE):
                    for number, each in pieces:
                        self.emit(m.LABEL, 0, 0, 0, 0, number)
                        self.words += self.fixes[each]
                        self.emit(m.JUMP, 0, 0, 0, 0, each.target)
                    pieces.clear()
            else:
                self.words.append(word)
                if word & m.EXTENDED:
                    self.words.append(words[at])
                    at += 1
        self.emit(m.END, 0, 0, 0, 0, 0)
        return self.words


_CALLS: Final = frozenset((0x10, 0x11))
_SPECIAL: Final = {
    ARGUMENT: Lowering.arrived,
    RESULT: Lowering.arrived,
    SELECT: Lowering.select,
    0x00: Lowering.trap,
    0x10: Lowering.call,
    0x11: Lowering.call,
    0x23: Lowering.global_get,
    0x24: Lowering.global_set,
    0x3F: Lowering.memory_size,
}

"""Values from the records of the stream that are no control: constants, arithmetic, vectors, memory 0, globals."""

from __future__ import annotations

from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64, read_i64_le, vec
from wasmcore_midtier.ssa.algebra.ranges import ADD, ANY
from wasmcore_midtier.ssa.algebra.simplify import Simplifier
from wasmcore_midtier.ssa.graph import MEMORY_COPY, MEMORY_FILL, MEMORY_GROW, NONE, VECTOR_CONSTANT, is_constant
from wasmcore_midtier.ssa.operations import (
    CLASSES,
    OPERANDS,
    PURE,
    SELECT,
    STORE_FIRST,
    V128,
    VECTOR_SHAPES,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_MEMORY_MASK: Final = 0x3FF
_LANE_SHIFT: Final = 10
MOST_OFFSET: Final = 0x7FFFFFFF
"""What instructions add to an address without help."""
LANE_OF_ACCESS_SHIFT: Final = 32
"""The immediate of an access to a lane has the lane above the offset."""


class NotBuilt(Exception):
    """What stands in a function that this compiler leaves to another one."""


class Values(Simplifier):
    """The operand stack, and what makes values of what is on it."""

    def __init__(self, types: FunctionTypes) -> None:
        super().__init__()
        self.begin_unit(types)
        self.stream = b""
        self.at: i64 = 0
        """Where in the stream the next record begins."""
        self.stack: vec[i64] = vec[i64]()
        self.top: i64 = 0

    def begin_unit(self, types: FunctionTypes) -> None:
        """The functions that follow are of a module with these types."""
        self.types = types
        self.environment = types.environment
        self.type_pool = types.environment.type_pool
        self.signatures = types.environment.signatures
        self.function_types = types.environment.function_types
        memories = types.environment.memories
        self.knows_memory = len(memories) > 0 and memories[0].guarded and not memories[0].index64

    def push(self, value: i64) -> None:
        """A value on the operand stack."""
        self.stack[self.top] = value
        self.top += 1

    def pop(self) -> i64:
        """The top of the operand stack."""
        self.top -= 1
        return self.stack[self.top]

    def numeric(self, code: i64) -> None:
        """Arithmetic."""
        b: i64 = NONE
        if OPERANDS[code] == 2:
            b = self.pop()
        a = self.pop()
        machine_class = i64(CLASSES[code])
        if PURE[code]:
            self.push(self.pure(code, machine_class, a, b, NONE, 0))
            return
        if b >= 0 and is_constant(self.graph.operation[b]):
            simple = self.binary(code, machine_class, a, b)
            if simple >= 0:
                self.push(simple)
                return
        self.push(self.put(code, machine_class, a, b, NONE, 0))

    def select(self, machine_class: i64) -> None:
        """One of two values."""
        condition = self.pop()
        b = self.pop()
        a = self.pop()
        if is_constant(self.graph.operation[condition]):
            self.push(a if self.graph.immediate[condition] else b)
        elif a == b:
            self.push(a)
        else:
            self.push(self.pure(SELECT, machine_class, a, b, condition, 0))

    # Memory 0 and globals

    def access(self, code: i64, flags: i64, offset: i64) -> None:
        """Loads and stores."""
        self.check_memory(flags & _MEMORY_MASK)
        x: i64 = NONE
        if code >= STORE_FIRST:
            x = self.pop()
        address = self.pop()
        more = self.addend(address, offset)
        if more:
            address = self.graph.a[address]
        value = self.put(code, i64(CLASSES[code]), address, x, NONE, offset + more)
        if code < STORE_FIRST:
            self.push(value)

    def addend(self, address: i64, offset: i64) -> i64:
        """What is added to make an address, if that can not wrap around, so that the instruction may add it as well."""
        graph = self.graph
        if graph.operation[address] != ADD or not is_constant(graph.operation[graph.b[address]]):
            return 0
        more = graph.immediate[graph.b[address]]
        if more < 0 or graph.most[graph.a[address]] + more > ANY or offset + more > MOST_OFFSET:
            return 0
        return more

    def check_memory(self, memory: i64) -> None:
        """Only memory 0, with a guard, is known here."""
        if memory or not self.knows_memory:
            raise NotBuilt("another memory")

    def global_or_memory(self, code: i64, flags: i64, immediate: i64) -> None:
        """Globals, and what concerns a whole memory."""
        if code == 0x23:
            machine_class = i64(self.environment.globals[int(immediate)].machine_class)
            self.push(self.put(code, machine_class, NONE, NONE, NONE, immediate))
        elif code == 0x24:
            self.put(code, 0, self.pop(), NONE, NONE, immediate)
        elif code == 0x3F:
            self.check_memory(immediate)
            self.push(self.put(code, 1, NONE, NONE, NONE, 0))
        elif code == MEMORY_GROW:
            self.check_memory(immediate)
            self.push(self.put(code, 1, self.pop(), NONE, NONE, 0))
        elif code == MEMORY_COPY or code == MEMORY_FILL:
            self.check_memory(immediate | flags)
            count = self.pop()
            x = self.pop()
            self.put(code, 0, self.pop(), x, count, 0)
        else:
            raise NotBuilt(f"operation {code:#x}")

    # Vectors

    def zero(self, machine_class: i64) -> i64:
        """What a local begins with."""
        return self.vector_constant(0, 0) if machine_class == V128 else self.constant(machine_class, 0)

    def vector(self, code: i64, flags: i64, lane: i64, value: i64) -> None:
        """An instruction behind the prefix 0xFD."""
        shape = i64(VECTOR_SHAPES[code])
        if shape == m.SHAPE_CONSTANT:
            self.push(self.vector_constant(value, self.second_word()))
        elif shape == m.SHAPE_LOAD or shape == m.SHAPE_STORE or shape == m.SHAPE_LOAD_LANE or shape == m.SHAPE_STORE_LANE:
            self.check_memory(flags & _MEMORY_MASK)
            self.vector_access(code, shape, (value & 0xFFFFFFFF) | ((flags >> _LANE_SHIFT) << LANE_OF_ACCESS_SHIFT))
        elif shape == m.SHAPE_SHUFFLE:
            pattern = self.graph.pattern(value, self.second_word())
            b = self.pop()
            self.push(self.pure(code, V128, self.pop(), b, NONE, pattern))
        elif OPERANDS[code]:
            self.vector_operation(code, lane)
        else:
            raise NotBuilt(f"operation {code:#x}")

    def vector_operation(self, code: i64, lane: i64) -> None:
        """One without an effect."""
        count = i64(OPERANDS[code])
        b: i64 = NONE
        c: i64 = NONE
        if count == 3:
            c = self.pop()
        if count >= 2:
            b = self.pop()
        self.push(self.pure(code, i64(CLASSES[code]), self.pop(), b, c, lane))

    def vector_access(self, code: i64, shape: i64, immediate: i64) -> None:
        """Loads and stores of vectors and lanes."""
        x: i64 = NONE
        if shape != m.SHAPE_LOAD:
            x = self.pop()
        address = self.pop()
        more = self.addend(address, immediate & ANY)
        if more:
            address = self.graph.a[address]
        value = self.put(code, i64(CLASSES[code]), address, x, NONE, immediate + more)
        if self.graph.machine_class[value]:
            self.push(value)

    def vector_constant(self, low: i64, high: i64) -> i64:
        """The 16 bytes of a constant."""
        pattern = self.graph.pattern(low, high)
        found = self.numbering.find(VECTOR_CONSTANT, NONE, NONE, NONE, pattern)
        if found < 0:
            found = self.graph.add(0, VECTOR_CONSTANT, V128, NONE, NONE, NONE, pattern, 0)
            self.numbering.insert(found)
        return found

    def second_word(self) -> i64:
        """The second extension word of the current record."""
        word = read_i64_le(self.stream, self.at)
        self.at += 8
        return word

"""Vectors."""

from __future__ import annotations

from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64, write_i64_le
from wasmcore_midtier.lowering.accesses import Accesses
from wasmcore_midtier.registers.records import FLOAT
from wasmcore_midtier.ssa.graph import NONE
from wasmcore_midtier.ssa.operations import (
    OPERANDS,
    VECTOR_FIRST,
    VECTOR_SHAPES,
)
from wasmcore_midtier.ssa.values import LANE_OF_ACCESS_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_RECORDS: Final = {
    m.SHAPE_BINARY: m.VECTOR_BINARY,
    m.SHAPE_TERNARY: m.VECTOR_TERNARY,
    m.SHAPE_SHIFT: m.VECTOR_SHIFT,
    m.SHAPE_FROM_INTEGER: m.VECTOR_FROM_INTEGER,
    m.SHAPE_REPLACE: m.VECTOR_REPLACE,
    m.SHAPE_TO_I32: m.VECTOR_TO_INTEGER,
    m.SHAPE_TO_I64: m.VECTOR_TO_INTEGER,
}
_RECORD: Final = bytes(_RECORDS.get(shape, m.VECTOR_UNARY if OPERANDS[code] else 0) for code, shape in enumerate(VECTOR_SHAPES))
"""By opcode: the record of an operation on registers."""
_FIRST_SHIFT: Final = 0x6B
_FIRST_LOAD_ZERO: Final = 0x5C
_LOAD_ZERO_KIND: Final = 11
_OFFSET_MASK: Final = 0xFFFFFFFF


class Vectors(Accesses):
    """Writes their operations."""

    def vector(self, value: i64, operation: i64) -> None:
        """An instruction behind the prefix 0xFD."""
        shape = i64(VECTOR_SHAPES[operation])
        if shape == m.SHAPE_LOAD or shape == m.SHAPE_STORE or shape == m.SHAPE_LOAD_LANE or shape == m.SHAPE_STORE_LANE:
            self.vector_access(value, operation - VECTOR_FIRST, shape)
        elif shape == m.SHAPE_SHIFT and self.is_constant(self.graph.b[value]):
            self.vector_shift_constant(value, operation - VECTOR_FIRST)
        elif shape == m.SHAPE_SHUFFLE:
            self.shuffle(value, operation - VECTOR_FIRST)
        else:
            self.vector_operation(value, operation - VECTOR_FIRST, i64(_RECORD[operation]))

    def vector_temporary(self, number: i64) -> i64:
        """What stands in a record for the temporary that the target wants for an instruction, while all operands are locked. They may be
        the destination from then on, the temporary not."""
        if not self.vector_temporaries[number]:
            self.unlock()
            return m.NO_REGISTER << m.VECTOR_T_SHIFT
        register = self.free_register(self.floats, NONE)
        self.unlock()
        self.lock(register)
        return (register - FLOAT) << m.VECTOR_T_SHIFT

    def free_operands(self, value: i64) -> None:
        """The operands have been used."""
        self.free_dead(self.graph.a[value])
        self.free_dead(self.graph.b[value])
        self.free_dead(self.graph.c[value])

    def vector_operation(self, value: i64, number: i64, record: i64) -> None:
        """From registers to a register."""
        graph = self.graph
        x = self.load(graph.a[value])
        y: i64 = 0
        third: i64 = 0
        if graph.b[value] >= 0:
            y = self.load(graph.b[value])
        if graph.c[value] >= 0:
            third = (self.load(graph.c[value]) - FLOAT) << m.VECTOR_C_SHIFT
        temporary = self.vector_temporary(number)
        self.free_operands(value)
        d = self.define(value, x, y if y >= FLOAT else NONE)
        self.emit(record, 0, d, x, y, number | third | temporary | (graph.immediate[value] << m.VECTOR_LANE_SHIFT))
        self.unlock()
        self.defined(value)

    def vector_shift_constant(self, value: i64, number: i64) -> None:
        """A shift whose count is known. The shifts of the wider lanes stand 0x20 further each."""
        graph = self.graph
        lane_bits: i64 = 8
        lane_bits <<= (number - _FIRST_SHIFT) >> 5
        count = graph.immediate[graph.b[value]] & (lane_bits - 1)
        x = self.load(graph.a[value])
        temporary = self.vector_temporary(number)
        self.free_operands(value)
        d = self.define(value, x, NONE)
        if count:
            self.emit(m.VECTOR_SHIFT_CONSTANT, 0, d, x, 0, number | temporary | (count << m.VECTOR_LANE_SHIFT))
        else:
            self.emit(m.FLOAT_MOVE, m.WIDE, d, x, 0, 0)
            self.reading = []
        self.unlock()
        self.defined(value)

    def shuffle(self, value: i64, number: i64) -> None:
        """i8x16.shuffle."""
        graph = self.graph
        pattern = graph.immediate[value]
        x = self.load(graph.a[value])
        y = self.load(graph.b[value])
        temporary = self.vector_temporary(number)
        self.free_operands(value)
        d = self.define(value, x, y)
        self.emit_long(m.VECTOR_SHUFFLE, 0, d, x, y, number | temporary, graph.low[pattern])
        write_i64_le(self.out, graph.high[pattern])
        self.unlock()
        self.defined(value)

    def vector_access(self, value: i64, number: i64, shape: i64) -> None:
        """Loads and stores of vectors and lanes."""
        graph = self.graph
        a = graph.a[value]
        lane = graph.immediate[value] >> LANE_OF_ACCESS_SHIFT
        self.ready_base()
        register = self.load_address(a, graph.immediate[value] & _OFFSET_MASK)
        x: i64 = 0
        if shape != m.SHAPE_LOAD:
            x = self.load(graph.b[value])
        self.unlock()
        self.free_address(a)
        self.free_dead(graph.b[value])
        scaled = self.scale << m.SCALE_SHIFT
        if shape == m.SHAPE_STORE:
            self.emit_access(m.VECTOR_STORE, 0, 0, register, x, self.offset, self.scale)
        elif shape == m.SHAPE_STORE_LANE:
            self.emit_long(m.VECTOR_STORE_LANE | scaled, number & 3, 0, register, x, lane, self.offset)
        elif shape == m.SHAPE_LOAD_LANE:
            d = self.define(value, x, NONE)
            self.emit_long(m.VECTOR_LOAD_LANE | scaled, number & 3, d, register, x, lane, self.offset)
            self.defined(value)
        else:
            d = self.define(value, NONE, NONE)
            kind = number if number < _FIRST_LOAD_ZERO else number - _FIRST_LOAD_ZERO + _LOAD_ZERO_KIND
            self.emit_access(m.VECTOR_LOAD, kind, d, register, 0, self.offset, self.scale)
            self.defined(value)

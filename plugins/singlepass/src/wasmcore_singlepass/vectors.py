"""Vector instructions."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64, read_i64_le, write_i64_le
from wasmcore_singlepass.accesses import PLAIN_ACCESS
from wasmcore_singlepass.allocation import CONSTANT, KIND_MASK
from wasmcore_singlepass.entry import Unsupported
from wasmcore_singlepass.registers import RegisterFile
from wasmcore_singlepass.variables import Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_MEMORY_INDEX_MASK: Final = 0x3FF
_LANE_SHIFT: Final = 10

_FIRST_SHIFT: Final = 0x6B
_FIRST_LOAD_ZERO: Final = 0x5C
_LOAD_ZERO_KIND: Final = 11
_LOAD_LOGARITHMS: Final = b"\x04\x03\x03\x03\x03\x03\x03\x00\x01\x02\x03\x02\x03"
"""Logarithms of the bytes of loads, by kind."""
_STORE_LOGARITHM: Final = 4


class Vectors(Variables):
    """Instructions behind the prefix 0xFD."""

    def __init__(self, registers: RegisterFile) -> None:
        super().__init__(registers)
        self.vector_temporaries = registers.vector_temporaries

    def vector(self, word: i64, code: i64, flags: i64, value: i64) -> None:
        """Compile one record."""
        number = code - 0x200
        shape = i64(m.VECTOR_SHAPES[number])
        instruction = number | ((word >> 32) << m.VECTOR_LANE_SHIFT)
        if shape == m.SHAPE_BINARY:
            self.vector_binary(instruction, number)
        elif shape == m.SHAPE_UNARY:
            self.vector_unary(instruction, number, 5)
        elif shape == m.SHAPE_LOAD or shape == m.SHAPE_STORE or shape == m.SHAPE_LOAD_LANE or shape == m.SHAPE_STORE_LANE:
            self.vector_access(shape, number, flags, value)
        elif shape == m.SHAPE_CONSTANT:
            self.link[self.top] = self.second_word()
            self.push(CONSTANT, value, 5)
        elif shape == m.SHAPE_SHIFT:
            self.vector_shift(instruction, number)
        elif shape == m.SHAPE_TO_I32 or shape == m.SHAPE_TO_I64:
            self.vector_to_integer(instruction, number, 1 if shape == m.SHAPE_TO_I32 else 2)
        elif shape == m.SHAPE_TO_F32 or shape == m.SHAPE_TO_F64:
            self.vector_unary(instruction, number, 3 if shape == m.SHAPE_TO_F32 else 4)
        elif shape == m.SHAPE_FROM_INTEGER:
            self.vector_from_integer(instruction, number)
        elif shape == m.SHAPE_REPLACE:
            self.vector_replace(instruction, number)
        elif shape == m.SHAPE_TERNARY:
            self.vector_ternary(instruction, number)
        elif shape == m.SHAPE_SHUFFLE:
            self.vector_shuffle(number, value)
        else:
            raise Unsupported(code, (self.position >> 3) - 1)

    def second_word(self) -> i64:
        """The second extension word of the current record."""
        at = self.position
        word = read_i64_le(self.stream, at)
        at += 8
        self.position = at
        if at < self.end:
            self.ahead = read_i64_le(self.stream, at)
        else:
            self.ahead = 0
        return word

    # Operations. A temporary is taken before the destination, which may be a register that an operand leaves.

    def take_vector_temporary(self, number: i64) -> i64:
        """A float temporary if the target wants one for this instruction, else NO_REGISTER."""
        if self.vector_temporaries[number]:
            return self.take_any_float()
        return m.NO_REGISTER

    def give_vector_temporary(self, temporary: i64) -> None:
        """The temporary is not needed any more."""
        if temporary != m.NO_REGISTER:
            self.give_float(temporary)

    def vector_unary(self, instruction: i64, number: i64, result_type: i64) -> None:
        """Pop a, push `op a`."""
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        d = self.destination_float(a)
        self.emit(m.VECTOR_UNARY, 0, d, a, 0, instruction | (t << m.VECTOR_T_SHIFT))
        self.give_vector_temporary(t)
        self.push_float(d, result_type)

    def vector_binary(self, instruction: i64, number: i64) -> None:
        """Pop b, pop a, push `a op b`."""
        b = self.pop_float()
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        if self.is_float_temporary(b) and not self.is_float_temporary(a):
            d = self.destination_float(b)
            self.emit(m.VECTOR_BINARY, 0, d, a, b, instruction | (t << m.VECTOR_T_SHIFT))
        else:
            d = self.destination_float(a)
            self.emit(m.VECTOR_BINARY, 0, d, a, b, instruction | (t << m.VECTOR_T_SHIFT))
            self.give_float(b)
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    def vector_ternary(self, instruction: i64, number: i64) -> None:
        """Pop c, b, a, push `op(a, b, c)`."""
        c = self.pop_float()
        b = self.pop_float()
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        d = self.destination_float(a)
        self.emit(m.VECTOR_TERNARY, 0, d, a, b, instruction | (c << m.VECTOR_C_SHIFT) | (t << m.VECTOR_T_SHIFT))
        self.give_float(b)
        self.give_float(c)
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    def vector_shift(self, instruction: i64, number: i64) -> None:
        """Pop the count, pop a, push the shifted; the shifts of the wider lanes stand 0x20 further each."""
        top = self.top - 1
        if self.shape[top] & KIND_MASK != CONSTANT:
            b = self.pop()
            a = self.pop_float()
            t = self.take_vector_temporary(number)
            d = self.destination_float(a)
            self.emit(m.VECTOR_SHIFT, 0, d, a, b, instruction | (t << m.VECTOR_T_SHIFT))
            self.give(b)
        else:
            lane_bits: i64 = 8
            lane_bits <<= (number - _FIRST_SHIFT) >> 5
            count = self.value[top] & (lane_bits - 1)
            self.forget_top()
            if count == 0:
                return
            a = self.pop_float()
            t = self.take_vector_temporary(number)
            d = self.destination_float(a)
            count <<= m.VECTOR_LANE_SHIFT
            self.emit(m.VECTOR_SHIFT_CONSTANT, 0, d, a, 0, number | count | (t << m.VECTOR_T_SHIFT))
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    def vector_to_integer(self, instruction: i64, number: i64, result_type: i64) -> None:
        """Pop a, push an integer made from it."""
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        d = self.destination(-1)
        self.emit(m.VECTOR_TO_INTEGER, 0, d, a, 0, instruction | (t << m.VECTOR_T_SHIFT))
        self.give_float(a)
        self.give_vector_temporary(t)
        self.push_register(d, result_type)

    def vector_from_integer(self, instruction: i64, number: i64) -> None:
        """Pop an integer, push a vector of it."""
        a = self.pop()
        t = self.take_vector_temporary(number)
        d = self.destination_float(-1)
        self.emit(m.VECTOR_FROM_INTEGER, 0, d, a, 0, instruction | (t << m.VECTOR_T_SHIFT))
        self.give(a)
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    def vector_replace(self, instruction: i64, number: i64) -> None:
        """Pop an integer, pop a, push a with a lane replaced."""
        b = self.pop()
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        d = self.destination_float(a)
        self.emit(m.VECTOR_REPLACE, 0, d, a, b, instruction | (t << m.VECTOR_T_SHIFT))
        self.give(b)
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    def vector_shuffle(self, number: i64, low: i64) -> None:
        """Pop b, pop a, push the bytes of both that the constant chooses."""
        high = self.second_word()
        b = self.pop_float()
        a = self.pop_float()
        t = self.take_vector_temporary(number)
        d = self.destination_float(a)
        self.emit_long(m.VECTOR_SHUFFLE, 0, d, a, b, number | (t << m.VECTOR_T_SHIFT), low)
        write_i64_le(self.out, high)
        self.give_float(b)
        self.give_vector_temporary(t)
        self.push_float(d, 5)

    # Memories

    def vector_access(self, shape: i64, number: i64, flags: i64, offset: i64) -> None:
        """Loads and stores."""
        memory = flags & _MEMORY_INDEX_MASK
        lane = flags >> _LANE_SHIFT
        if shape == m.SHAPE_STORE:
            self.vector_store(memory, offset)
        elif shape == m.SHAPE_LOAD:
            self.vector_load(number if number < _FIRST_LOAD_ZERO else number - _FIRST_LOAD_ZERO + _LOAD_ZERO_KIND, memory, offset)
        elif shape == m.SHAPE_LOAD_LANE:
            self.vector_load_lane(number & 3, lane, memory, offset)
        else:
            self.vector_store_lane(number & 3, lane, memory, offset)

    def vector_load(self, kind: i64, memory: i64, offset: i64) -> None:
        """Load; kinds as in VECTOR_LOAD."""
        a = self.pop_access_address(memory, offset, PLAIN_ACCESS + i64(_LOAD_LOGARITHMS[kind]))
        based = memory == 0 and self.based
        size = kind
        if not based:
            size |= m.ABSOLUTE
        d = self.destination_float(-1)
        self.emit_constant(m.VECTOR_LOAD, size, d, a, 0, self.access_offset(offset, based))
        self.give_address(a)
        self.push_float(d, 5)

    def vector_store(self, memory: i64, offset: i64) -> None:
        """Store 16 bytes."""
        b = self.pop_float()
        a = self.pop_access_address(memory, offset, PLAIN_ACCESS + _STORE_LOGARITHM)
        based = memory == 0 and self.based
        self.emit_constant(m.VECTOR_STORE, 0 if based else m.ABSOLUTE, 0, a, b, self.access_offset(offset, based))
        self.give_address(a)
        self.give_float(b)

    def vector_load_lane(self, logarithm: i64, lane: i64, memory: i64, offset: i64) -> None:
        """Load one lane of a vector."""
        b = self.pop_float()
        a = self.pop_access_address(memory, offset, PLAIN_ACCESS + logarithm)
        based = memory == 0 and self.based
        size = logarithm
        if not based:
            size |= m.ABSOLUTE
        d = self.destination_float(b)
        self.emit_long(m.VECTOR_LOAD_LANE, size, d, a, b, lane, self.access_offset(offset, based))
        self.give_address(a)
        self.push_float(d, 5)

    def vector_store_lane(self, logarithm: i64, lane: i64, memory: i64, offset: i64) -> None:
        """Store one lane of a vector."""
        b = self.pop_float()
        a = self.pop_access_address(memory, offset, PLAIN_ACCESS + logarithm)
        based = memory == 0 and self.based
        size = logarithm
        if not based:
            size |= m.ABSOLUTE
        self.emit_long(m.VECTOR_STORE_LANE, size, 0, a, b, lane, self.access_offset(offset, based))
        self.give_address(a)
        self.give_float(b)

    def give_address(self, address: i64) -> None:
        """The register of an address, or NO_REGISTER, is not needed any more."""
        if address != m.NO_REGISTER:
            self.give(address)

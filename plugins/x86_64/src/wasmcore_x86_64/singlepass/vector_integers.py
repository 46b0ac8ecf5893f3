"""Encodings of vector records on integer lanes that are more than one instruction."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import FLOAT_SCRATCH, SCRATCH
from wasmcore_x86_64.singlepass.vector_forms import VectorForms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SHL: Final = 0
_SHR_S: Final = 1

_ONES_8: Final = 0x0101010101010101
_ONES_16: Final = 0x0001000100010001
_LOW_NIBBLES: Final = 0x0F0F0F0F0F0F0F0F
_SIGNS_16: Final = -0x7FFF7FFF7FFF8000
"""0x8000 in each 16-bit lane."""
_CARRIES_32: Final = 0x0001000000010000
_SATURATING_INDEX: Final = 0x7070707070707070
_POPCNT_LOW: Final = 0x0302020102010100
"""Numbers of ones of 0 to 7, then of 8 to 15."""
_POPCNT_HIGH: Final = 0x0403030203020201

_HIGH_HALF: Final = 0xEE
"""Order of 32-bit lanes: 2 3 2 3."""
_ODD_LANES: Final = 0xF5
"""1 1 3 3."""
_ODD_WORDS: Final = 0xCC
"""For `pblendw`: the upper 32 bits of each 64-bit lane from the second source."""

# Selections as tables for `vpternlog`, where the destination is the mask, what the mask selects, what it does not.
_SELECT_MASK: Final = 0xCA
_SELECT_CHOSEN: Final = 0xE4
_SELECT_OTHER: Final = 0xD8


class VectorIntegers(VectorForms):
    """Arithmetic and comparisons of integer lanes, and bitwise selection."""

    def bitselect(self, d: i64, a: i64, b: i64, c: i64) -> None:
        """d = a where c has ones, else b."""
        if self.has_avx512:
            if d == a:
                self.vector_extended(v.VPTERNLOG, 0, d, b, c)
                self.imm8(_SELECT_CHOSEN)
            elif d == b:
                self.vector_extended(v.VPTERNLOG, 0, d, a, c)
                self.imm8(_SELECT_OTHER)
            else:
                self.copy_float(d, c)
                self.vector_extended(v.VPTERNLOG, 0, d, a, b)
                self.imm8(_SELECT_MASK)
            return
        self.vector(v.PANDN, FLOAT_SCRATCH, c, b)
        self.commutative(v.PAND, d, a, c)
        self.commutative(v.POR, d, d, FLOAT_SCRATCH)

    # Comparisons

    def bounded(self, instruction: i64, equal: i64, d: i64, a: i64, b: i64) -> None:
        """d = (a op b) == a, where op is a minimum or maximum: a <= b or a >= b."""
        if d == a:
            self.vector(instruction, FLOAT_SCRATCH, a, b)
            self.commutative(equal, d, a, FLOAT_SCRATCH)
        else:
            self.commutative(instruction, d, a, b)
            self.commutative(equal, d, d, a)

    def greater64(self, d: i64, a: i64, b: i64, t: i64) -> None:
        """d = a > b, of signed 64-bit lanes."""
        if self.has_sse42:
            self.vector(v.PCMPGTQ, d, a, b)
            return
        # Upper halves greater; or equal, and b - a has a borrow from its lower half.
        self.vector(v.PSUBQ, FLOAT_SCRATCH, b, a)
        self.vector(v.PCMPEQD, t, a, b)
        self.vector(v.PAND, FLOAT_SCRATCH, FLOAT_SCRATCH, t)
        self.vector(v.PCMPGTD, t, a, b)
        self.vector(v.POR, t, t, FLOAT_SCRATCH)
        self.shuffle_words32(d, t, _ODD_LANES)

    # One source

    def negate(self, instruction: i64, d: i64, a: i64) -> None:
        """d = 0 - a."""
        if d == a:
            self.zeros(FLOAT_SCRATCH)
            self.from_scratch(instruction, d, a)
        else:
            self.zeros(d)
            self.reg_reg(instruction, 0, d, a)

    def absolute64(self, d: i64, a: i64) -> None:
        """d = abs(a), 64-bit lanes."""
        if self.has_avx512:
            self.vector_extended(v.VPABSQ, 1, d, 0, a)
            return
        self.shuffle_words32(FLOAT_SCRATCH, a, _ODD_LANES)
        self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT_SIGNED, FLOAT_SCRATCH, FLOAT_SCRATCH, 31)
        self.commutative(v.PXOR, d, a, FLOAT_SCRATCH)
        self.vector(v.PSUBQ, d, d, FLOAT_SCRATCH)

    def count_ones8(self, d: i64, a: i64, t: i64) -> None:
        """d = number of ones in each byte: two look-ups of four bits."""
        self.vector_with(v.PAND, FLOAT_SCRATCH, a, _LOW_NIBBLES, _LOW_NIBBLES)
        self.vector_constant(t, _POPCNT_LOW, _POPCNT_HIGH)
        self.vector(v.PSHUFB, t, t, FLOAT_SCRATCH)
        self.shift_lanes(v.PSHIFTW, v.DIGIT_RIGHT, FLOAT_SCRATCH, a, 4)
        self.vector_with(v.PAND, FLOAT_SCRATCH, FLOAT_SCRATCH, _LOW_NIBBLES, _LOW_NIBBLES)
        self.vector_constant(d, _POPCNT_LOW, _POPCNT_HIGH)
        self.vector(v.PSHUFB, d, d, FLOAT_SCRATCH)
        self.vector(v.PADDB, d, d, t)

    def extend_high(self, instruction: i64, d: i64, a: i64) -> None:
        """d = upper half of a, extended."""
        self.shuffle_words32(d, a, _HIGH_HALF)
        self.reg_reg(instruction, 0, d, d)

    def add_pairs8_signed(self, d: i64, a: i64) -> None:
        """d = sums of neighbouring signed bytes."""
        self.vector_constant(FLOAT_SCRATCH, _ONES_8, _ONES_8)
        self.from_scratch(v.PMADDUBSW, d, a)

    def add_pairs16_unsigned(self, d: i64, a: i64) -> None:
        """d = sums of neighbouring unsigned 16-bit lanes: made signed, added, corrected."""
        self.vector_with(v.PXOR, d, a, _SIGNS_16, _SIGNS_16)
        self.vector_with(v.PMADDWD, d, d, _ONES_16, _ONES_16)
        self.vector_with(v.PADDD, d, d, _CARRIES_32, _CARRIES_32)

    # Products

    def multiply64(self, d: i64, a: i64, b: i64, t: i64) -> None:
        """d = a * b, 64-bit lanes."""
        if self.has_avx512:
            self.vector_extended(v.PMULLD, 1, d, a, b)
            return
        self.shift_lanes(v.PSHIFTQ, v.DIGIT_RIGHT, FLOAT_SCRATCH, a, 32)
        self.vector(v.PMULUDQ, FLOAT_SCRATCH, FLOAT_SCRATCH, b)
        self.shift_lanes(v.PSHIFTQ, v.DIGIT_RIGHT, t, b, 32)
        self.vector(v.PMULUDQ, t, t, a)
        self.vector(v.PADDQ, t, t, FLOAT_SCRATCH)
        self.shift_lanes(v.PSHIFTQ, v.DIGIT_LEFT, t, t, 32)
        self.commutative(v.PMULUDQ, d, a, b)
        self.commutative(v.PADDQ, d, d, t)

    def extended_product8(self, extend: i64, high: i64, d: i64, a: i64, b: i64) -> None:
        """d = products of 8-bit lanes of one half."""
        if high:
            self.extend_high(extend, FLOAT_SCRATCH, a)
            self.extend_high(extend, d, b)
        else:
            self.reg_reg(extend, 0, FLOAT_SCRATCH, a)
            self.reg_reg(extend, 0, d, b)
        self.commutative(v.PMULLW, d, d, FLOAT_SCRATCH)

    def extended_product16(self, multiply_high: i64, unpack: i64, d: i64, a: i64, b: i64) -> None:
        """d = products of 16-bit lanes of one half: lower and upper halves of the products, put together."""
        self.vector(multiply_high, FLOAT_SCRATCH, a, b)
        self.commutative(v.PMULLW, d, a, b)
        self.vector(unpack, d, d, FLOAT_SCRATCH)

    def extended_product32(self, multiply: i64, order: i64, d: i64, a: i64, b: i64) -> None:
        """d = products of 32-bit lanes of one half."""
        self.shuffle_words32(FLOAT_SCRATCH, a, order)
        self.shuffle_words32(d, b, order)
        self.commutative(multiply, d, d, FLOAT_SCRATCH)

    def rounding_product(self, d: i64, a: i64, b: i64) -> None:
        """d = i16x8.q15mulr_sat_s: the instruction, but -1 * -1 is the greatest number."""
        self.commutative(v.PMULHRSW, d, a, b)
        self.vector_with(v.PCMPEQW, FLOAT_SCRATCH, d, _SIGNS_16, _SIGNS_16)
        self.commutative(v.PXOR, d, d, FLOAT_SCRATCH)

    def dot_add(self, d: i64, a: i64, b: i64, c: i64) -> None:
        """d = c + sums of four products of neighbouring bytes, those of b of seven bits."""
        self.vector(v.PMADDUBSW, FLOAT_SCRATCH, b, a)
        self.vector_with(v.PMADDWD, FLOAT_SCRATCH, FLOAT_SCRATCH, _ONES_16, _ONES_16)
        self.commutative(v.PADDD, d, c, FLOAT_SCRATCH)

    def swizzle(self, d: i64, a: i64, b: i64) -> None:
        """d = bytes of a by the indices b, 0 for those above 15."""
        self.vector_with(v.PADDUSB, FLOAT_SCRATCH, b, _SATURATING_INDEX, _SATURATING_INDEX)
        self.vector(v.PSHUFB, d, a, FLOAT_SCRATCH)

    # Shifts by a register

    def shift_vector(self, number: i64, d: i64, a: i64, b: i64, t: i64) -> None:
        """d = a shifted by the integer register b."""
        lanes, variant = _shift_of(number)
        width: i64 = 8
        self.mov32(SCRATCH, b)
        self.alu_imm(x.DIGIT_AND, 0, SCRATCH, (width << lanes) - 1)
        if lanes == 0:
            self.shift_bytes(variant, d, a, t)
            return
        self.reg_reg(x.MOVD, 0, FLOAT_SCRATCH, SCRATCH)
        if lanes < 3 or variant != _SHR_S:
            self.vector(i64(_SHIFTS[3 * variant + lanes - 1]), d, a, FLOAT_SCRATCH)
        elif self.has_avx512:
            self.vector_extended(v.PSRAD, 1, d, a, FLOAT_SCRATCH)
        else:  # (a >> n) ^ m - m, m the sign's bit shifted like a
            self.ones(t)
            self.shift_lanes(v.PSHIFTQ, v.DIGIT_LEFT, t, t, 63)
            self.vector(v.PSRLQ, t, t, FLOAT_SCRATCH)
            self.vector(v.PSRLQ, d, a, FLOAT_SCRATCH)
            self.vector(v.PXOR, d, d, t)
            self.vector(v.PSUBQ, d, d, t)

    def shift_bytes(self, variant: i64, d: i64, a: i64, t: i64) -> None:
        """d = a shifted by the scratch register, 8-bit lanes."""
        if variant == _SHR_S:  # as the upper halves of 16-bit lanes
            self.alu_imm(x.DIGIT_ADD, 0, SCRATCH, 8)
            self.reg_reg(x.MOVD, 0, FLOAT_SCRATCH, SCRATCH)
            self.vector(v.PUNPCKHBW, t, a, a)
            self.vector(v.PUNPCKLBW, d, a, a)
            self.vector(v.PSRAW, t, t, FLOAT_SCRATCH)
            self.vector(v.PSRAW, d, d, FLOAT_SCRATCH)
            self.vector(v.PACKSSWB, d, d, t)
            return
        self.reg_reg(x.MOVD, 0, FLOAT_SCRATCH, SCRATCH)
        self.ones(t)  # becomes the bits of each byte that are left after a shift to the right
        self.shift_lanes(v.PSHIFTW, v.DIGIT_RIGHT, t, t, 8)
        self.vector(v.PSRLW, t, t, FLOAT_SCRATCH)
        self.vector(v.PACKUSWB, t, t, t)
        if variant == _SHL:
            self.vector(v.PAND, t, t, a)
            self.vector(v.PSLLW, d, t, FLOAT_SCRATCH)
        else:
            self.vector(v.PSRLW, d, a, FLOAT_SCRATCH)
            self.vector(v.PAND, d, d, t)

    # Shifts by a constant

    def shift_vector_constant(self, number: i64, d: i64, a: i64, count: i64) -> None:
        """d = a shifted by a count below the width of the lanes."""
        lanes, variant = _shift_of(number)
        if count == 0:
            self.copy_float(d, a)
        elif lanes == 0:
            self.shift_bytes_constant(variant, d, a, count)
        elif lanes < 3 or variant != _SHR_S:
            self.shift_lanes(v.PSHIFTW + lanes - 1, i64(_DIGITS[variant]), d, a, count)
        elif self.has_avx512:
            self.reg_reg(v.PSHIFTD | x.VEX | x.EVEX | (d << 28), 1, v.DIGIT_RIGHT_SIGNED, a)
            self.imm8(count)
        elif count < 32:
            self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT_SIGNED, FLOAT_SCRATCH, a, count)
            self.shift_lanes(v.PSHIFTQ, v.DIGIT_RIGHT, d, a, count)
            self.upper_halves(d)
        else:
            self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT_SIGNED, FLOAT_SCRATCH, a, 31)
            self.shuffle_words32(d, a, _ODD_LANES)
            if count > 32:
                self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT_SIGNED, d, d, count - 32)
            self.upper_halves(d)

    def upper_halves(self, d: i64) -> None:
        """Take the upper half of each 64-bit lane from the scratch register."""
        self.reg_reg(v.PBLENDW, 0, d, FLOAT_SCRATCH)
        self.imm8(_ODD_WORDS)

    def shift_bytes_constant(self, variant: i64, d: i64, a: i64, count: i64) -> None:
        """d = a shifted by 1 to 7, 8-bit lanes: 16-bit lanes, without the bits that came from the neighbour."""
        ones: i64 = 255
        if variant == _SHL:
            if count == 1:
                self.vector(v.PADDB, d, a, a)
                return
            self.shift_lanes(v.PSHIFTW, v.DIGIT_LEFT, d, a, count)
            kept = _splat8((ones << count) & 255)
            self.vector_with(v.PAND, d, d, kept, kept)
            return
        self.shift_lanes(v.PSHIFTW, v.DIGIT_RIGHT, d, a, count)
        kept = _splat8(ones >> count)
        self.vector_with(v.PAND, d, d, kept, kept)
        if variant == _SHR_S:  # extend from the bit where the sign is now
            sign = _splat8((ones >> count) ^ (ones >> (count + 1)))
            self.vector_constant(FLOAT_SCRATCH, sign, sign)
            self.vector(v.PXOR, d, d, FLOAT_SCRATCH)
            self.vector(v.PSUBB, d, d, FLOAT_SCRATCH)


_DIGITS: Final = bytes([v.DIGIT_LEFT, v.DIGIT_RIGHT_SIGNED, v.DIGIT_RIGHT])
_SHIFTS: Final = [v.PSLLW, v.PSLLD, v.PSLLQ, v.PSRAW, v.PSRAD, 0, v.PSRLW, v.PSRLD, v.PSRLQ]


def _shift_of(number: i64) -> tuple[i64, i64]:
    """Logarithm of the lanes' bytes, and shl, shr_s or shr_u."""
    distance = number - 0x6B
    return distance >> 5, distance & 31


def _splat8(byte: i64) -> i64:
    """Eight bytes as a signed number."""
    if byte < 128:
        return byte * _ONES_8
    return ~((255 - byte) * _ONES_8)

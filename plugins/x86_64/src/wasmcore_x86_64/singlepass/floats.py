"""Encodings of float records."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.singlepass.frame import (
    FLOAT_SCRATCH,
    SCRATCH,
    TRAP_INTEGER_OVERFLOW,
    TRAP_INVALID_CONVERSION_TO_INTEGER,
    FrameEncoder,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_MIN: Final = 4
_COPYSIGN: Final = 6
_SHIFT_RIGHT: Final = 2
_SHIFT_LEFT: Final = 6

_DOUBLE_ZERO: Final = 0
_DOUBLE_MIN_I32: Final = -0x3E20000000000000
"""Bits of -2147483648.0."""
_DOUBLE_MAX_I32: Final = 0x41DFFFFFFFC00000
_DOUBLE_MAX_U32: Final = 0x41EFFFFFFFE00000
_DOUBLE_MIN_I64: Final = -0x3C20000000000000
"""Bits of -9223372036854775808.0."""
_DOUBLE_TWO_63: Final = 0x43E0000000000000
_SINGLE_MIN_I64: Final = 0xDF000000
_SINGLE_TWO_63: Final = 0x5F000000
_SIGN: Final = -0x8000000000000000


def arithmetic(wide: i64, variant: i64) -> i64:
    """The instruction for add, sub, mul, div, min, max."""
    if variant < 2:
        base: i64 = x.ADDSS if variant == 0 else x.SUBSS
    elif variant < 4:
        base = x.MULSS if variant == 2 else x.DIVSS
    else:
        base = x.MINSS if variant == 4 else x.MAXSS
    return base - 0x10000 * wide


class FloatEncoder(FrameEncoder):
    """Float arithmetic and conversions, exact as the specification wants them."""

    def __init__(self) -> None:
        super().__init__()
        self.has_avx = False

    def float_arithmetic(self, wide: i64, variant: i64, d: i64, a: i64) -> i64:
        """The instruction that computes d from a, and from what it is applied to: with AVX from a itself, else from a copy in d."""
        instruction = arithmetic(wide, variant)
        if self.has_avx:
            return instruction | x.VEX | (a << 28)
        self.copy_float(d, a)
        return instruction

    def float_alu(self, wide: i64, variant: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b."""
        if variant >= _MIN:
            if variant == _COPYSIGN:
                self.copysign(wide, d, a, b)
            else:
                self.minimum(wide, variant, d, a, b)
            return
        if d != b or d == a or self.has_avx:
            self.reg_reg(self.float_arithmetic(wide, variant, d, a), 0, d, b)
        elif variant & 1 == 0:
            self.reg_reg(arithmetic(wide, variant), 0, d, a)
        else:
            self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, b)
            self.reg_reg(self.float_arithmetic(wide, variant, d, a), 0, d, FLOAT_SCRATCH)

    def minimum(self, wide: i64, variant: i64, d: i64, a: i64, b: i64) -> None:
        """min and max: a NaN wins, and -0 is less than 0."""
        self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, a)
        self.reg_reg(x.UCOMISD if wide else x.UCOMISS, 0, FLOAT_SCRATCH, b)
        unordered = self.short_jump_if(x.PARITY)
        equal = self.short_jump_if(x.EQUAL)
        self.reg_reg(arithmetic(wide, variant), 0, FLOAT_SCRATCH, b)
        done = self.short_jump()
        self.bind_short(unordered)
        self.reg_reg(x.ADDSD if wide else x.ADDSS, 0, FLOAT_SCRATCH, b)
        also_done = self.short_jump()
        self.bind_short(equal)
        self.reg_reg(x.ORPS if variant == _MIN else x.ANDPS, 0, FLOAT_SCRATCH, b)
        self.bind_short(done)
        self.bind_short(also_done)
        self.reg_reg(x.MOVAPS, 0, d, FLOAT_SCRATCH)

    def shift_bits(self, wide: i64, digit: i64, reg: i64, count: i64) -> None:
        """Shift the bits of a float register."""
        self.reg_reg(x.PSHIFTQ if wide else x.PSHIFTD, 0, digit, reg)
        self.imm8(count)

    def copysign(self, wide: i64, d: i64, a: i64, b: i64) -> None:
        """The magnitude of a with the sign of b."""
        bits: i64 = 63 if wide else 31
        self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, b)
        self.shift_bits(wide, _SHIFT_RIGHT, FLOAT_SCRATCH, bits)
        self.shift_bits(wide, _SHIFT_LEFT, FLOAT_SCRATCH, bits)
        self.absolute(wide, d, a)
        self.reg_reg(x.ORPS, 0, d, FLOAT_SCRATCH)

    def absolute(self, wide: i64, d: i64, a: i64) -> None:
        """Clear the sign."""
        self.copy_float(d, a)
        self.shift_bits(wide, _SHIFT_LEFT, d, 1)
        self.shift_bits(wide, _SHIFT_RIGHT, d, 1)

    def float_unary(self, wide: i64, variant: i64, d: i64, a: i64) -> None:
        """abs neg ceil floor trunc nearest sqrt."""
        if variant == 0:
            self.absolute(wide, d, a)
        elif variant == 1:
            self.reg_reg(x.PCMPEQD, 0, FLOAT_SCRATCH, FLOAT_SCRATCH)
            self.shift_bits(wide, _SHIFT_LEFT, FLOAT_SCRATCH, 63 if wide else 31)
            self.copy_float(d, a)
            self.reg_reg(x.XORPS, 0, d, FLOAT_SCRATCH)
        elif variant == 6:
            self.reg_reg(x.SQRTSD if wide else x.SQRTSS, 0, d, a)
        else:
            self.reg_reg(x.ROUNDSD if wide else x.ROUNDSS, 0, d, a)
            if variant == 2:
                self.imm8(10)
            elif variant == 3:
                self.imm8(9)
            else:
                self.imm8(11 if variant == 4 else 8)

    def float_constant(self, wide: i64, d: i64, bits: i64) -> None:
        """d = the float with these bits."""
        if bits == 0:
            self.reg_reg(x.XORPS, 0, d, d)
        else:
            self.reg_constant(x.MOVSD if wide else x.MOVSS, 0, d, bits)

    def float_convert(self, promote: i64, d: i64, a: i64) -> None:
        """Between f32 and f64."""
        self.reg_reg(x.CVTSS2SD if promote else x.CVTSD2SS, 0, d, a)

    # Integers to floats

    def float_from_integer(self, wide: i64, wide_integer: i64, unsigned: i64, d: i64, a: i64) -> None:
        """d = the nearest float of the integer a."""
        convert: i64 = x.CVTSI2SD if wide else x.CVTSI2SS
        self.reg_reg(x.XORPS, 0, d, d)  # the conversion keeps the upper bits: no dependency on the old value
        if unsigned == 0:
            self.reg_reg(convert, wide_integer, d, a)
            return
        if wide_integer == 0:  # zero-extended, so it is a non-negative 64-bit integer
            self.reg_reg(convert, 1, d, a)
            return
        self.test(a, a)
        large = self.short_jump_if(x.SIGN)
        self.reg_reg(convert, 1, d, a)
        done = self.short_jump()
        self.bind_short(large)  # half of it, the lost bit kept for rounding, then doubled
        self.mov(SCRATCH, a)
        self.shift_imm(x.DIGIT_SHR, 1, SCRATCH, 1)
        even = self.short_jump_if(x.ABOVE_EQUAL)
        self.alu_imm(x.DIGIT_OR, 1, SCRATCH, 1)
        self.bind_short(even)
        self.reg_reg(convert, 1, d, SCRATCH)
        self.reg_reg(x.ADDSD if wide else x.ADDSS, 0, d, d)
        self.bind_short(done)

    # Floats to integers

    def float_to_integer(self, wide: i64, wide_integer: i64, unsigned: i64, d: i64, a: i64) -> None:
        """d = a truncated; traps when it is no number or out of range."""
        convert: i64 = x.CVTTSD2SI if wide else x.CVTTSS2SI
        if wide_integer == 0:
            self.reg_reg(convert, 1, d, a)
            self.reg_reg(x.MOV if unsigned else x.MOVSXD, 0 if unsigned else 1, SCRATCH, d)
            self.reg_reg(x.CMP, 1, SCRATCH, d)
            good = self.short_jump_if(x.EQUAL)
            self.conversion_traps(wide, a)
            self.bind_short(good)
            self.mov32(d, d)
        elif unsigned:
            self.to_u64(wide, d, a)
        else:
            self.reg_reg(convert, 1, d, a)
            self.cmp_imm(d, 1)
            good = self.short_jump_if(x.OVERFLOW + 1)
            self.reg_constant(x.UCOMISD if wide else x.UCOMISS, 0, a, _DOUBLE_MIN_I64 if wide else _SINGLE_MIN_I64)
            self.trap_if(x.PARITY, TRAP_INVALID_CONVERSION_TO_INTEGER)
            self.trap_if(x.NOT_EQUAL, TRAP_INTEGER_OVERFLOW)
            self.bind_short(good)

    def conversion_traps(self, wide: i64, a: i64) -> None:
        """The float a can not be converted: say why."""
        self.reg_reg(x.UCOMISD if wide else x.UCOMISS, 0, a, a)
        self.trap_if(x.PARITY, TRAP_INVALID_CONVERSION_TO_INTEGER)
        self.trap_if(x.NO_PARITY, TRAP_INTEGER_OVERFLOW)

    def to_u64(self, wide: i64, d: i64, a: i64) -> None:
        """Truncate to an unsigned 64-bit integer."""
        convert: i64 = x.CVTTSD2SI if wide else x.CVTTSS2SI
        two_63: i64 = _DOUBLE_TWO_63 if wide else _SINGLE_TWO_63
        self.reg_constant(x.UCOMISD if wide else x.UCOMISS, 0, a, two_63)
        large = self.short_jump_if(x.ABOVE_EQUAL)
        self.reg_reg(convert, 1, d, a)
        self.test(d, d)
        done = self.short_jump_if(x.SIGN + 1)
        self.conversion_traps(wide, a)
        self.bind_short(large)
        self.subtract_two_63(wide, d, a)
        self.trap_if(x.SIGN, TRAP_INTEGER_OVERFLOW)
        self.mov_imm(SCRATCH, _SIGN)
        self.reg_reg(x.XOR, 1, d, SCRATCH)
        self.bind_short(done)

    def subtract_two_63(self, wide: i64, d: i64, a: i64) -> None:
        """d = a - 2**63 truncated, and its flags: negative if that is out of range."""
        self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, a)
        self.reg_constant(x.SUBSD if wide else x.SUBSS, 0, FLOAT_SCRATCH, _DOUBLE_TWO_63 if wide else _SINGLE_TWO_63)
        self.reg_reg(x.CVTTSD2SI if wide else x.CVTTSS2SI, 1, d, FLOAT_SCRATCH)
        self.test(d, d)

    def float_to_integer_saturating(self, wide: i64, wide_integer: i64, unsigned: i64, d: i64, a: i64) -> None:
        """d = a truncated, the nearest end of the range when it is out of that, 0 for NaN."""
        self.zero(d)
        self.reg_reg(x.UCOMISD if wide else x.UCOMISS, 0, a, a)
        done = self.short_jump_if(x.PARITY)
        if wide_integer == 0:
            if wide:
                self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, a)
            else:
                self.reg_reg(x.CVTSS2SD, 0, FLOAT_SCRATCH, a)
            self.reg_constant(x.MINSD, 0, FLOAT_SCRATCH, _DOUBLE_MAX_U32 if unsigned else _DOUBLE_MAX_I32)
            self.reg_constant(x.MAXSD, 0, FLOAT_SCRATCH, _DOUBLE_ZERO if unsigned else _DOUBLE_MIN_I32)
            self.reg_reg(x.CVTTSD2SI, 1, d, FLOAT_SCRATCH)
            self.mov32(d, d)
            self.bind_short(done)
        elif unsigned:
            self.to_u64_saturating(wide, d, a)
            self.bind_short(done)
        else:
            self.reg_reg(x.CVTTSD2SI if wide else x.CVTTSS2SI, 1, d, a)
            self.cmp_imm(d, 1)
            good = self.short_jump_if(x.OVERFLOW + 1)
            self.reg_constant(x.UCOMISD if wide else x.UCOMISS, 0, a, _DOUBLE_TWO_63 if wide else _SINGLE_TWO_63)
            small = self.short_jump_if(x.BELOW)
            self.mov_imm(d, 0x7FFFFFFFFFFFFFFF)
            self.bind_short(small)
            self.bind_short(good)
            self.bind_short(done)

    def to_u64_saturating(self, wide: i64, d: i64, a: i64) -> None:
        """The same for an unsigned 64-bit integer; d is 0, a is no NaN."""
        convert: i64 = x.CVTTSD2SI if wide else x.CVTTSS2SI
        self.reg_constant(x.UCOMISD if wide else x.UCOMISS, 0, a, _DOUBLE_TWO_63 if wide else _SINGLE_TWO_63)
        large = self.short_jump_if(x.ABOVE_EQUAL)
        self.reg_reg(convert, 1, d, a)
        self.test(d, d)
        done = self.short_jump_if(x.SIGN + 1)
        self.zero(d)
        also_done = self.short_jump()
        self.bind_short(large)
        self.subtract_two_63(wide, d, a)
        fits = self.short_jump_if(x.SIGN + 1)
        self.mov_imm(d, -1)
        finished = self.short_jump()
        self.bind_short(fits)
        self.mov_imm(SCRATCH, _SIGN)
        self.reg_reg(x.XOR, 1, d, SCRATCH)
        self.bind_short(finished)
        self.bind_short(done)
        self.bind_short(also_done)

"""Encodings of vector records on float lanes that are more than one instruction."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import FLOAT_SCRATCH
from wasmcore_x86_64.singlepass.vector_integers import VectorIntegers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_EQUAL: Final = 0
_LESS_EQUAL: Final = 2
_UNORDERED: Final = 3
_TRUNCATE: Final = 11
_MINIMUM: Final = 4
_MAXIMUM: Final = 5
_MASK: Final = 1
"""The register k1."""
_EVEN_LANES: Final = 0x88
"""For `shufps`: lanes 0 and 2 of both."""

_LOW_HALVES_32: Final = 0x0000FFFF0000FFFF
_TWO_16_SINGLES: Final = 0x4780000047800000
_EXPONENTS_52: Final = 0x4330000043300000
"""The upper halves of doubles of 2**52 and more."""
_TWO_52: Final = 0x4330000000000000
_MAX_I32: Final = 0x41DFFFFFFFC00000
"""2147483647.0"""
_MAX_U32: Final = 0x41EFFFFFFFE00000


class VectorFloats(VectorIntegers):
    """Minimum, maximum, conversions and fused products.

    `double` is 1 where the lanes are f64, 0 for f32; instructions for f32 lanes become those for f64 by the prefix 66.
    """

    def compare_floats(self, double: i64, predicate: i64, d: i64, a: i64, b: i64) -> None:
        """d = a ? b."""
        self.vector(v.CMPPS + 0x660000 * double, d, a, b)
        self.imm8(predicate)

    # Minimum, maximum

    def minimum_lanes(self, double: i64, d: i64, a: i64, b: i64) -> None:
        """d = minimum: -0 is less than 0, and a NaN wins."""
        if self.has_avx512:
            self.range_lanes(double, _MINIMUM, d, a, b)
            return
        self.both_orders(v.MINPS + 0x660000 * double, d, a, b)
        self.commutative(v.POR, FLOAT_SCRATCH, FLOAT_SCRATCH, d)  # where they differ: -0, or a NaN
        self.clean_nan(double, d)

    def maximum_lanes(self, double: i64, d: i64, a: i64, b: i64) -> None:
        """d = maximum: 0 is greater than -0, and a NaN wins."""
        if self.has_avx512:
            self.range_lanes(double, _MAXIMUM, d, a, b)
            return
        self.both_orders(v.MAXPS + 0x660000 * double, d, a, b)
        self.vector(v.PXOR, d, d, FLOAT_SCRATCH)  # what is different: the sign of 0, or the bits of a NaN
        self.commutative(v.POR, FLOAT_SCRATCH, FLOAT_SCRATCH, d)
        self.vector(v.SUBPS + 0x660000 * double, FLOAT_SCRATCH, FLOAT_SCRATCH, d)
        self.clean_nan(double, d)

    def range_lanes(self, double: i64, which: i64, d: i64, a: i64, b: i64) -> None:
        """d = minimum or maximum, by the instruction for it; but the sum where one is a NaN."""
        result = d
        if d == a or d == b:
            result = FLOAT_SCRATCH
        prefix = 0x660000 * double
        self.vector_extended(v.CMPPS + prefix, double, _MASK, a, b)
        self.imm8(_UNORDERED)
        self.vector_extended(v.VRANGEPS, double, result, a, b)
        self.imm8(which)
        self.vector_extended((v.ADDPS + prefix) | x.MASKED, double, result, a, b)
        self.copy_float(d, result)

    def both_orders(self, instruction: i64, d: i64, a: i64, b: i64) -> None:
        """d and scratch = a op b and b op a, in any order: the second operand is the result for NaN and for zeros."""
        if d == a:
            self.vector(instruction, FLOAT_SCRATCH, b, a)
            self.vector(instruction, d, a, b)
        else:
            self.vector(instruction, FLOAT_SCRATCH, a, b)
            self.vector(instruction, d, b, a)

    def clean_nan(self, double: i64, d: i64) -> None:
        """d = scratch register with quiet NaN without payload; d and scratch are unordered where it has a NaN."""
        self.compare_floats(double, _UNORDERED, d, d, FLOAT_SCRATCH)
        self.commutative(v.POR, FLOAT_SCRATCH, FLOAT_SCRATCH, d)
        self.shift_lanes(v.PSHIFTD + double, v.DIGIT_RIGHT, d, d, 13 if double else 10)
        self.vector(v.PANDN, d, d, FLOAT_SCRATCH)

    # Conversions

    def singles_from_unsigned(self, d: i64, a: i64) -> None:
        """d = f32 of unsigned lanes."""
        if self.has_avx512:
            self.vector_extended(v.VCVTUDQ2PS, 0, d, 0, a)
            return
        self.vector_with(v.PAND, FLOAT_SCRATCH, a, _LOW_HALVES_32, _LOW_HALVES_32)  # both halves are exact: one rounding
        self.reg_reg(v.CVTDQ2PS, 0, FLOAT_SCRATCH, FLOAT_SCRATCH)
        self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT, d, a, 16)
        self.reg_reg(v.CVTDQ2PS, 0, d, d)
        self.vector_with(v.MULPS, d, d, _TWO_16_SINGLES, _TWO_16_SINGLES)
        self.vector(v.ADDPS, d, d, FLOAT_SCRATCH)

    def doubles_from_unsigned(self, d: i64, a: i64) -> None:
        """d = f64 of the two low unsigned lanes."""
        if self.has_avx512:
            self.vector_extended(v.VCVTUDQ2PD, 0, d, 0, a)
            return
        self.vector_with(v.PUNPCKLDQ, d, a, _EXPONENTS_52, _EXPONENTS_52)
        self.vector_with(v.SUBPD, d, d, _TWO_52, _TWO_52)

    def truncate_singles(self, d: i64, a: i64) -> None:
        """d = i32x4.trunc_sat_f32x4_s: the instruction gives the least number for everything that does not fit."""
        self.compare_floats(0, _EQUAL, FLOAT_SCRATCH, a, a)
        self.vector(v.PAND, d, a, FLOAT_SCRATCH)  # 0 for NaN
        self.vector(v.PXOR, FLOAT_SCRATCH, FLOAT_SCRATCH, d)  # the sign is set where d is positive
        self.reg_reg(v.CVTTPS2DQ, 0, d, d)
        self.vector(v.PAND, FLOAT_SCRATCH, FLOAT_SCRATCH, d)  # and now only where it became negative
        self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT_SIGNED, FLOAT_SCRATCH, FLOAT_SCRATCH, 31)
        self.commutative(v.PXOR, d, d, FLOAT_SCRATCH)

    def truncate_singles_unsigned(self, d: i64, a: i64, t: i64) -> None:
        """d = i32x4.trunc_sat_f32x4_u."""
        self.zeros(FLOAT_SCRATCH)
        if self.has_avx512:
            self.vector(v.MAXPS, FLOAT_SCRATCH, a, FLOAT_SCRATCH)
            self.vector_extended(v.VCVTTPS2UDQ, 0, d, 0, FLOAT_SCRATCH)
            return
        self.vector(v.MAXPS, d, a, FLOAT_SCRATCH)  # 0 for NaN
        self.ones(FLOAT_SCRATCH)
        self.shift_lanes(v.PSHIFTD, v.DIGIT_RIGHT, FLOAT_SCRATCH, FLOAT_SCRATCH, 1)
        self.reg_reg(v.CVTDQ2PS, 0, FLOAT_SCRATCH, FLOAT_SCRATCH)  # 2**31
        self.vector(v.SUBPS, t, d, FLOAT_SCRATCH)  # what is above 2**31
        self.compare_floats(0, _LESS_EQUAL, FLOAT_SCRATCH, FLOAT_SCRATCH, t)
        self.reg_reg(v.CVTTPS2DQ, 0, t, t)
        self.vector(v.PXOR, t, t, FLOAT_SCRATCH)  # 2**31 - 1 where that does not fit either
        self.zeros(FLOAT_SCRATCH)
        self.vector(v.PMAXSD, t, t, FLOAT_SCRATCH)
        self.reg_reg(v.CVTTPS2DQ, 0, d, d)
        self.vector(v.PADDD, d, d, t)

    def truncate_doubles(self, d: i64, a: i64) -> None:
        """d = i32x4.trunc_sat_f64x2_s_zero: only what is too large needs help."""
        self.compare_floats(1, _EQUAL, FLOAT_SCRATCH, a, a)
        self.vector_with(v.PAND, FLOAT_SCRATCH, FLOAT_SCRATCH, _MAX_I32, _MAX_I32)
        self.vector(v.MINPD, d, a, FLOAT_SCRATCH)  # 0 for NaN
        self.reg_reg(v.CVTTPD2DQ, 0, d, d)

    def truncate_doubles_unsigned(self, d: i64, a: i64) -> None:
        """d = i32x4.trunc_sat_f64x2_u_zero: the integer is the low half of its sum with 2**52."""
        self.zeros(FLOAT_SCRATCH)
        if self.has_avx512:
            self.vector(v.MAXPD, FLOAT_SCRATCH, a, FLOAT_SCRATCH)
            self.vector_extended(v.VCVTTPD2UDQ, 1, d, 0, FLOAT_SCRATCH)
            return
        self.vector(v.MAXPD, d, a, FLOAT_SCRATCH)
        self.vector_with(v.MINPD, d, d, _MAX_U32, _MAX_U32)
        self.reg_reg(v.ROUNDPD, 0, d, d)
        self.imm8(_TRUNCATE)
        self.vector_with(v.ADDPD, d, d, _TWO_52, _TWO_52)
        self.vector(v.SHUFPS, d, d, FLOAT_SCRATCH)
        self.imm8(_EVEN_LANES)

    # Fused

    def multiply_add(self, double: i64, negated: i64, d: i64, a: i64, b: i64, c: i64) -> None:
        """d = c + a * b, or c - a * b; rounded once where the processor can."""
        if self.has_fma:
            if d == c:
                first = a
                instruction: i64 = v.VFNMADD231 if negated else v.VFMADD231
                last = b
            else:
                instruction = v.VFNMADD213 if negated else v.VFMADD213
                last = c
                if d == b:
                    first = a
                else:
                    first = b
                    self.copy_float(d, a)
            self.reg_reg(instruction | x.VEX | (first << 28), double, d, last)
            return
        self.vector(v.MULPS + 0x660000 * double, FLOAT_SCRATCH, a, b)
        if negated:
            self.vector(v.SUBPS + 0x660000 * double, d, c, FLOAT_SCRATCH)
        else:
            self.commutative(v.ADDPS + 0x660000 * double, d, c, FLOAT_SCRATCH)

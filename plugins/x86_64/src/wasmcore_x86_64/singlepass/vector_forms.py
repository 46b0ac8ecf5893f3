"""What the encodings of vector records are made of: three-address forms with AVX and without."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import FLOAT_SCRATCH
from wasmcore_x86_64.singlepass.integers import IntegerEncoder


class VectorForms(IntegerEncoder):
    """Forms of vector instructions.

    Instructions with one source are written as those of SSE in any case: they write the whole of their destination, and 128-bit
    code of both kinds can be mixed. Where the scratch register is a source, `from_scratch` is the form to use: the others need it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.has_sse42 = False
        self.has_avx2 = False
        self.has_fma = False
        self.has_avx512 = False  # VL, DQ and BW

    def set_vector_features(self, features: frozenset[str]) -> None:
        """Vector instructions beyond the base line that may be used."""
        self.has_avx = "avx" in features
        self.has_sse42 = self.has_avx or "sse4.2" in features
        self.has_avx2 = self.has_avx and "avx2" in features
        self.has_fma = self.has_avx and "fma" in features
        self.has_avx512 = self.has_avx2 and {"avx512f", "avx512vl", "avx512dq", "avx512bw"} <= features

    # Two sources

    def vector(self, instruction: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b."""
        if self.has_avx:
            self.reg_reg(instruction | x.VEX | (a << 28), 0, d, b)
        elif d == a:
            self.reg_reg(instruction, 0, d, b)
        elif d != b:
            self.reg_reg(x.MOVAPS, 0, d, a)
            self.reg_reg(instruction, 0, d, b)
        else:
            self.reg_reg(x.MOVAPS, 0, FLOAT_SCRATCH, b)
            self.reg_reg(x.MOVAPS, 0, d, a)
            self.reg_reg(instruction, 0, d, FLOAT_SCRATCH)

    def commutative(self, instruction: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b or b op a, which are the same."""
        if d == b or (self.has_avx and b >= 8):  # a low register in the second place makes a shorter instruction
            self.vector(instruction, d, b, a)
        else:
            self.vector(instruction, d, a, b)

    def from_scratch(self, instruction: i64, d: i64, b: i64) -> None:
        """d = scratch register op b; destroys the scratch register."""
        if self.has_avx:
            self.vector(instruction, d, FLOAT_SCRATCH, b)
        else:
            self.reg_reg(instruction, 0, FLOAT_SCRATCH, b)
            self.reg_reg(x.MOVAPS, 0, d, FLOAT_SCRATCH)

    def vector_extended(self, instruction: i64, wide: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b, the form of AVX-512."""
        self.reg_reg(instruction | x.VEX | x.EVEX | (a << 28), wide, d, b)

    # Constants

    def vector_with(self, instruction: i64, d: i64, a: i64, low: i64, high: i64) -> None:
        """d = a op constant."""
        if self.has_avx:
            self.reg_wide_constant(instruction | x.VEX | (a << 28), 0, d, low, high)
        else:
            self.copy_float(d, a)
            self.reg_wide_constant(instruction, 0, d, low, high)

    def vector_constant(self, d: i64, low: i64, high: i64) -> None:
        """d = constant."""
        if low == 0 and high == 0:
            self.zeros(d)
        elif low == -1 and high == -1:
            self.ones(d)
        else:
            self.reg_wide_constant(x.MOVAPS, 0, d, low, high)

    def zeros(self, d: i64) -> None:
        """Clear all bits."""
        self.reg_reg(x.XORPS, 0, d, d)

    def ones(self, d: i64) -> None:
        """Set all bits."""
        self.reg_reg(v.PCMPEQD, 0, d, d)

    def invert(self, d: i64, a: i64) -> None:
        """d = ~a."""
        if self.has_avx512:
            self.vector_extended(v.VPTERNLOG, 0, d, a, a)
            self.imm8(0x55)
        else:
            self.ones(FLOAT_SCRATCH)
            self.commutative(v.PXOR, d, a, FLOAT_SCRATCH)

    # Shifts and shuffles by constants

    def shift_lanes(self, instruction: i64, digit: i64, d: i64, a: i64, count: i64) -> None:
        """d = a with all lanes shifted."""
        if self.has_avx and d != a:
            self.reg_reg(instruction | x.VEX | (d << 28), 0, digit, a)
        else:
            self.copy_float(d, a)
            self.reg_reg(instruction, 0, digit, d)
        self.imm8(count)

    def shuffle_words32(self, d: i64, a: i64, order: i64) -> None:
        """d = four 32-bit lanes of a."""
        self.reg_reg(v.PSHUFD, 0, d, a)
        self.imm8(order)

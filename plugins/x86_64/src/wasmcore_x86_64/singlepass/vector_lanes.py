"""Encodings of vector records on single lanes: splats, extraction, replacement, masks, loads and stores of vectors and lanes."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import FLOAT_SCRATCH
from wasmcore_x86_64.singlepass.vector_floats import VectorFloats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ANY_TRUE: Final = 0x53
_EXTRACT_I8_S: Final = 0x15
_EXTRACT_I8_U: Final = 0x16
_EXTRACT_I16_S: Final = 0x18
_EXTRACT_I16_U: Final = 0x19
_EXTRACT_I32: Final = 0x1B
_EXTRACT_I64: Final = 0x1D
_SPLAT_I8: Final = 0x0F

_LOAD_SPLAT_8: Final = 7
_LOAD_SPLAT_16: Final = 8
_LOAD_SPLAT_32: Final = 9

_UPPER: Final = 0xEE

_LOADS: Final = [
    x.MOVUPS,
    *(v.PMOVSXBW, v.PMOVZXBW, v.PMOVSXWD, v.PMOVZXWD, v.PMOVSXDQ, v.PMOVZXDQ),
    *(v.PINSRB, v.PINSRW, x.MOVSS, v.MOVDDUP),
    *(x.MOVSS, x.MOVSD),
]
"""By the kinds of VECTOR_LOAD; splats of 8 to 32 bits need more than these."""
_INSERT: Final = [v.PINSRB, v.PINSRW, v.PINSRD, v.PINSRD]
"""By the logarithm of the bytes, as the following."""
_EXTRACT: Final = [v.PEXTRB, v.PEXTRW_STORE, v.PEXTRD, v.PEXTRD]
_EQUAL: Final = [v.PCMPEQB, v.PCMPEQW, v.PCMPEQD, v.PCMPEQQ]


class VectorLanes(VectorFloats):
    """Lanes to and from registers and memory."""

    # Integer registers

    def vector_to_integer(self, number: i64, d: i64, a: i64, lane: i64) -> None:
        """d integer = op a."""
        if number == _ANY_TRUE:
            self.zero(d)
            self.reg_reg(v.PTEST, 0, a, a)
            self.setcc(x.NOT_EQUAL, d)
        elif number > _ANY_TRUE:  # 0x63, 0x83, 0xA3, 0xC3 are all_true of 8, 16, 32, 64 bits; bitmask is behind each
            lanes = (number - 0x63) >> 5
            if number & 1:
                self.zeros(FLOAT_SCRATCH)
                self.reg_reg(i64(_EQUAL[lanes]), 0, FLOAT_SCRATCH, a)
                self.zero(d)
                self.reg_reg(v.PTEST, 0, FLOAT_SCRATCH, FLOAT_SCRATCH)
                self.setcc(x.EQUAL, d)
            else:
                self.bitmask(lanes, d, a)
        elif number <= _EXTRACT_I8_U:
            self.reg_reg(v.PEXTRB, 0, a, d)
            self.imm8(lane)
            if number == _EXTRACT_I8_S:
                self.reg_reg(x.MOVSX8, 0, d, d)
        elif number <= _EXTRACT_I16_U:
            self.reg_reg(v.PEXTRW, 0, d, a)
            self.imm8(lane)
            if number == _EXTRACT_I16_S:
                self.reg_reg(x.MOVSX16, 0, d, d)
        else:
            wide: i64 = 1 if number == _EXTRACT_I64 else 0
            if lane == 0:
                self.reg_reg(x.MOVD_STORE, wide, a, d)
            else:
                self.reg_reg(v.PEXTRD, wide, a, d)
                self.imm8(lane)

    def bitmask(self, lanes: i64, d: i64, a: i64) -> None:
        """d integer = signs of the lanes of 2**lanes bytes."""
        if lanes == 0:
            self.reg_reg(v.PMOVMSKB, 0, d, a)
        elif lanes == 1:
            self.vector(v.PACKSSWB, FLOAT_SCRATCH, a, a)
            self.reg_reg(v.PMOVMSKB, 0, d, FLOAT_SCRATCH)
            self.reg_reg(x.MOVZX8, 0, d, d)
        else:
            self.reg_reg(v.MOVMSKPS if lanes == 2 else v.MOVMSKPD, 0, d, a)

    def vector_from_integer(self, number: i64, d: i64, a: i64) -> None:
        """d = splat of the integer register a."""
        lanes = number - _SPLAT_I8
        self.reg_reg(x.MOVD, 1 if lanes == 3 else 0, d, a)
        self.splat_lowest(lanes, d)

    def splat_lowest(self, lanes: i64, d: i64) -> None:
        """Copy the lowest lane, of 2**lanes bytes, to all."""
        if lanes == 3:
            self.reg_reg(v.PUNPCKLQDQ, 0, d, d)
        elif lanes == 2:
            self.shuffle_words32(d, d, 0)
        elif self.has_avx2:
            self.reg_reg((v.VPBROADCASTW if lanes else v.VPBROADCASTB) | x.VEX, 0, d, d)
        elif lanes == 1:
            self.reg_reg(v.PSHUFLW, 0, d, d)
            self.imm8(0)
            self.reg_reg(v.PUNPCKLQDQ, 0, d, d)
        else:
            self.zeros(FLOAT_SCRATCH)
            self.reg_reg(v.PSHUFB, 0, d, FLOAT_SCRATCH)

    def vector_replace(self, number: i64, d: i64, a: i64, b: i64, lane: i64) -> None:
        """d = a with a lane from the integer register b."""
        lanes: i64 = 3
        if number == 0x17:
            lanes = 0
        elif number == 0x1A:
            lanes = 1
        elif number == 0x1C:
            lanes = 2
        wide: i64 = 1 if lanes == 3 else 0
        instruction = i64(_INSERT[lanes])
        if self.has_avx and d != a:
            self.reg_reg(instruction | x.VEX | (a << 28), wide, d, b)
        else:
            self.copy_float(d, a)
            self.reg_reg(instruction, wide, d, b)
        self.imm8(lane)

    # Float registers

    def extract_float(self, double: i64, d: i64, a: i64, lane: i64) -> None:
        """d = a lane of a."""
        if lane == 0:
            self.copy_float(d, a)
        else:
            self.shuffle_words32(d, a, _UPPER if double else lane)

    def replace_float(self, double: i64, d: i64, a: i64, b: i64, lane: i64) -> None:
        """d = a with a lane from the float register b."""
        if double:
            self.vector(v.MOVLHPS if lane else x.MOVSD, d, a, b)
        else:
            self.vector(v.INSERTPS, d, a, b)
            self.imm8(lane << 4)

    # Memory

    def vector_load(self, kind: i64, d: i64, absolute: i64, a: i64, offset: i64) -> None:
        """d = loaded, extended or splatted."""
        if kind < _LOAD_SPLAT_8 or kind > _LOAD_SPLAT_32:
            self.access(i64(_LOADS[kind]), 0, d, absolute, a, offset)
        elif kind == _LOAD_SPLAT_32:
            if self.has_avx:
                self.access(v.VBROADCASTSS | x.VEX, 0, d, absolute, a, offset)
            else:
                self.access(x.MOVSS, 0, d, absolute, a, offset)
                self.shuffle_words32(d, d, 0)
        elif self.has_avx2:
            self.access((v.VPBROADCASTW if kind == _LOAD_SPLAT_16 else v.VPBROADCASTB) | x.VEX, 0, d, absolute, a, offset)
        else:
            self.access(i64(_LOADS[kind]), 0, d, absolute, a, offset)
            self.imm8(0)
            self.splat_lowest(kind - _LOAD_SPLAT_8, d)

    def vector_load_lane(self, lanes: i64, d: i64, absolute: i64, a: i64, b: i64, offset: i64, lane: i64) -> None:
        """d = b with a lane of 2**lanes bytes from memory."""
        instruction = i64(_INSERT[lanes])
        if self.has_avx and d != b:
            instruction |= x.VEX | (b << 28)
        else:
            self.copy_float(d, b)
        self.access(instruction, 1 if lanes == 3 else 0, d, absolute, a, offset)
        self.imm8(lane)

    def vector_store_lane(self, lanes: i64, absolute: i64, a: i64, b: i64, offset: i64, lane: i64) -> None:
        """A lane of b, of 2**lanes bytes, to memory."""
        if lane == 0 and lanes >= 2:
            self.access(x.MOVSS_STORE if lanes == 2 else x.MOVSD_STORE, 0, b, absolute, a, offset)
        elif lanes == 3:
            self.access(v.MOVHPS_STORE, 0, b, absolute, a, offset)
        else:
            self.access(i64(_EXTRACT[lanes]), 0, b, absolute, a, offset)
            self.imm8(lane)

"""The lowering protocol of the singlepass compiler (`wasmcore_singlepass.protocol`), as attributes of this module."""

from __future__ import annotations

from wasmcore_x86_64.assembler.instructions import R8, R9, R10, R11, R13, R14, R15, RAX, RCX, RDI, RDX, RSI
from wasmcore_x86_64.singlepass.encoder import Encoder
from wasmcore_x86_64.target import CONVENTION as CONVENTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PROTOCOL: Final = (5, 0)

TEMPORARIES: Final = (RAX, RCX, RDX, RSI, RDI)
PINNED: Final = (R13, R14, R15, R8, R9, R10)
FLOAT_TEMPORARIES: Final = (0, 1, 2, 3, 4, 5, 6, 7)
FLOAT_PINNED: Final = (8, 9, 10, 11, 12, 13, 14)
"""xmm15 is the encoder's, as is r11; rbx is the base of memory 0."""
_NEEDS_TEMPORARY: Final = {
    *(0x62, 0x6B, 0x6C, 0x6D),  # i8x16: popcnt, shl, shr_s, shr_u
    *(0xCC, 0xD5, 0xD8, 0xD9, 0xDA, 0xDB),  # i64x2: shr_s, mul, lt_s, gt_s, le_s, ge_s
    *(0xF9, 0x102),  # i32x4.trunc_sat_f32x4_u and the relaxed one
}
VECTOR_TEMPORARIES: Final = bytes(number in _NEEDS_TEMPORARY for number in range(0x120))
CALL_INDEX: Final = RAX
SHIFT_COUNT: Final = RCX
DIVIDEND: Final = RAX
REMAINDER: Final = RDX
NATIVE_ARGUMENTS: Final = (RDI, RSI, RDX)
NATIVE_DESTROYED: Final = (RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11)
NATIVE_DESTROYED_FLOATS: Final = tuple(range(16))


def shifts_by_any(features: frozenset[str]) -> bool:
    """Whether there are shlx, sarx and shrx."""
    return "bmi2" in features


def encoder(features: frozenset[str], signals: bool) -> Encoder:
    """An encoder for processors with these features, of code whose faults become traps or that has none."""
    result = Encoder()
    result.set_signals(signals)
    result.set_features("popcnt" in features, "lzcnt" in features, "bmi1" in features, "bmi2" in features)
    result.set_vector_features(features)
    return result

"""What the LLVM backend has to know of x86-64: `wasmcore_llvm.target.LlvmTarget`."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

PROTOCOL: Final = (1, 0)
TRIPLE: Final = "x86_64-unknown-linux-gnu"
PROCESSOR: Final = "x86-64"
LIBRARY_NAME: Final = "X86"
BASE_LINE: Final = frozenset(("sse3", "ssse3", "sse4.1"))
FEATURE_NAMES: Final = {"bmi1": "bmi"}
TUNING: Final = ("-slow-3ops-lea",)
"""What processors since 2019 are good at, against what LLVM takes for a base line."""

TRAP: Final = "ud2"
GIVE_BACK: Final = "movq %rbp, %rsp"
BELOW_LIMIT: Final = (
    'call i8 asm sideeffect "cmpq $1, %rsp", "={{@ccb}},*m,~{{dirflag}},~{{fpsr}},~{{flags}}"(ptr elementtype(i64) {limit})'
)
STACK_POINTER: Final = 'call i64 asm sideeffect "movq %rsp, $0", "=r"()'
INTRINSICS: Final = {
    "shuffle_bytes": "llvm.x86.ssse3.pshuf.b.128",
    "narrow i16x8 s": "llvm.x86.sse2.packsswb.128",
    "narrow i16x8 u": "llvm.x86.sse2.packuswb.128",
    "narrow i32x4 s": "llvm.x86.sse2.packssdw.128",
    "narrow i32x4 u": "llvm.x86.sse41.packusdw",
    "dot i16x8": "llvm.x86.sse2.pmadd.wd",
    "dot i8x16": "llvm.x86.ssse3.pmadd.ub.sw.128",
    "rounded product": "llvm.x86.ssse3.pmul.hr.sw.128",
    "truncate f32x4": "llvm.x86.sse2.cvttps2dq",
    "truncate f64x2": "llvm.x86.sse2.cvttpd2dq",
}

# Relocations: the System V ABI's supplement for the processor, section 4.4.
_RELATIVE32: Final = 2
_CALL32: Final = 4
_RELATIVE64: Final = 24
MACHINE: Final = 62
FILLER: Final = b"\xcc"
ABSOLUTE: Final = (10, 1)
CALLS: Final = frozenset((_RELATIVE32, _CALL32))

_PUSH_MOVE: Final = b"\x55\x48\x89\xe5"
_AND_STACK: Final = b"\x48\x83\xe4"
_SUB_STACK: Final = b"\x48\x81\xec"


def relocate(code: bytearray, at: int, kind: int, distance: int) -> bool:
    """Relative addresses only: the code can be anywhere."""
    if kind not in (_RELATIVE32, _CALL32, _RELATIVE64):
        return False
    struct.pack_into("<q" if kind == _RELATIVE64 else "<i", code, at, distance)
    return True


def frame_size(code: bytes, at: int) -> int | None:
    """push rbp; mov rbp, rsp; perhaps and rsp, -n; sub rsp, n."""
    if code[at : at + 4] != _PUSH_MOVE:
        return None
    at += 4
    if code[at : at + 3] == _AND_STACK:
        at += 4
    if code[at : at + 3] == _SUB_STACK:
        return int.from_bytes(code[at + 3 : at + 7], "little")
    return 0

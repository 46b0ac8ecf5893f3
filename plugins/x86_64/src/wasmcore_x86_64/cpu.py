"""What the running processor can do, asked of the processor itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

from wasmcore_x86_64.assembler.instructions import DIGIT_SHL, OR, R8, RAX, RBX, RCX, RDI, RDX, RSI, Assembler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_PAGE: Final = 4096
_READ_WRITE: Final = 3
_READ_EXECUTE: Final = 5
_PRIVATE_ANONYMOUS: Final = 0x22

_OSXSAVE: Final = 27
_VECTORS: Final = 0x6
"""Bits of the state that the system must save for AVX, and with `_WIDE_VECTORS` for AVX-512."""
_WIDE_VECTORS: Final = 0xE6
SAVED_STATE: Final = 0xE7
"""The parts of the processor's state that an interrupt saves: x87, SSE, AVX, AVX-512."""
LEGACY_STATE_SIZE: Final = 512

# name: (leaf, register of the answer, bit, state needed)
_FEATURES: Final = {
    "ssse3": (1, 2, 9, 0),
    "sse4.1": (1, 2, 19, 0),
    "sse4.2": (1, 2, 20, 0),
    "popcnt": (1, 2, 23, 0),
    "fma": (1, 2, 12, _VECTORS),
    "avx": (1, 2, 28, _VECTORS),
    "bmi1": (7, 1, 3, 0),
    "avx2": (7, 1, 5, _VECTORS),
    "bmi2": (7, 1, 8, 0),
    "avx512f": (7, 1, 16, _WIDE_VECTORS),
    "avx512dq": (7, 1, 17, _WIDE_VECTORS),
    "avx512bw": (7, 1, 30, _WIDE_VECTORS),
    "avx512vl": (7, 1, 31, _WIDE_VECTORS),
    "lzcnt": (0x80000001, 2, 5, 0),
}


class Processor:
    """`features` by name, and `state_size`: bytes that `xsave` writes for `SAVED_STATE`, 0 where there is no `xsave`."""

    def __init__(self, features: frozenset[str], state_size: int) -> None:
        self.features = features
        self.state_size = state_size


@cache
def processor() -> Processor:
    """The running processor."""
    library = ctypes.PyDLL(None)
    library.mmap.restype = ctypes.c_size_t
    code, xgetbv = _probe_code()
    address = library.mmap(None, ctypes.c_size_t(_PAGE), _READ_WRITE, _PRIVATE_ANONYMOUS, -1, ctypes.c_long(0))
    if address == 2**64 - 1:
        raise MemoryError("no page for the code that asks the processor what it can do")
    where = ctypes.c_size_t(address)
    try:
        ctypes.memmove(address, code, len(code))
        if library.mprotect(where, ctypes.c_size_t(_PAGE), _READ_EXECUTE):
            raise OSError("this process may not make memory executable")
        answer = (ctypes.c_uint32 * 4)()
        ask = ctypes.PYFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)(address)
        state = ctypes.PYFUNCTYPE(ctypes.c_uint64)(address + xgetbv)

        def cpuid(leaf: int, subleaf: int = 0) -> list[int]:
            ask(leaf, subleaf, ctypes.addressof(answer))
            return list(answer)

        return _examine(cpuid, state)
    finally:
        library.munmap(where, ctypes.c_size_t(_PAGE))


def _probe_code() -> tuple[bytes, int]:
    """void cpuid(leaf, subleaf, answer), and the offset of u64 xgetbv()."""
    a = Assembler()
    a.push(RBX)
    a.mov(R8, RDX)
    a.mov32(RAX, RDI)
    a.mov32(RCX, RSI)
    a.data(b"\x0f\xa2")
    for number, register in enumerate((RAX, RBX, RCX, RDX)):
        a.store32(R8, 4 * number, register)
    a.pop(RBX)
    a.ret()
    xgetbv = a.position()
    a.zero(RCX)
    a.data(b"\x0f\x01\xd0")
    a.shift_imm(DIGIT_SHL, 1, RDX, 32)
    a.reg_reg(OR, 1, RAX, RDX)
    a.ret()
    return a.code(), xgetbv


def _examine(cpuid: Callable[..., list[int]], state: Callable[[], int]) -> Processor:
    largest = {0: cpuid(0)[0], 0x80000000: cpuid(0x80000000)[0]}
    answers = {leaf: cpuid(leaf) if leaf <= largest[leaf & 0x80000000] else [0] * 4 for leaf in (1, 7, 0x80000001)}
    saved = state() if answers[1][2] >> _OSXSAVE & 1 else 0
    found = frozenset(
        name for name, (leaf, register, bit, needed) in _FEATURES.items() if answers[leaf][register] >> bit & 1 and saved & needed == needed
    )
    size = 0
    if saved:
        length, offset, _, _ = cpuid(13, (saved & SAVED_STATE).bit_length() - 1) if saved & _VECTORS == _VECTORS else (0, 0, 0, 0)
        size = max(LEGACY_STATE_SIZE + 64, offset + length)
    return Processor(found, size)

"""Access to the guest's memory with every address and length checked.

Addresses and lengths are i32 as the engine gives them, signed. Fixed structures are read and written with `Struct.unpack_from` and
`pack_into` at a masked address: these check the range, and their `struct.error` becomes FAULT in `wasmcore_wasi.functions`.
"""

from __future__ import annotations

from wasmcore_wasi.errors import FAULT, ILSEQ, INVAL, NAMETOOLONG, Failure
from wasmcore_wasi.layout import PAIR, U32_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

IOVECS_MAX: Final = 1024
"""Buffers in one call, as in Linux (`IOV_MAX`)."""
PATH_MAX: Final = 4096


def span(memory: memoryview, address: int, length: int) -> memoryview:
    """`length` bytes at `address`; FAULT when they are not all inside."""
    start = address & U32_MASK
    end = start + (length & U32_MASK)
    if end > len(memory):
        raise Failure(FAULT)
    return memory[start:end]


def buffers(memory: memoryview, address: int, count: int) -> list[memoryview]:
    """The buffers of an array of iovecs; INVAL when there are more than `IOVECS_MAX`."""
    size = len(memory)
    if count == 1:
        start, length = PAIR.unpack_from(memory, address & U32_MASK)
        end = start + length
        if end > size:
            raise Failure(FAULT)
        return [memory[start:end]]
    count &= U32_MASK
    vectors = span(memory, address, min(count * PAIR.size, U32_MASK))
    if count > IOVECS_MAX:
        raise Failure(INVAL)
    views = []
    for start, length in PAIR.iter_unpack(vectors):
        end = start + length
        if end > size:
            raise Failure(FAULT)
        views.append(memory[start:end])
    return views


def path(memory: memoryview, address: int, length: int) -> bytes:
    """A path that the guest passes: UTF-8 without NUL, else ILSEQ or INVAL; at most `PATH_MAX` bytes."""
    view = span(memory, address, length)
    if len(view) > PATH_MAX:
        raise Failure(NAMETOOLONG)
    text = bytes(view)
    if 0 in text:
        raise Failure(INVAL)
    try:
        text.decode()
    except UnicodeDecodeError:
        raise Failure(ILSEQ) from None
    return text

"""What accesses of memories do, by the specification: in Python integers and bytes, told by the names of instructions alone."""

from __future__ import annotations

import re
from typing import NamedTuple

WIDTHS = {"i32": 4, "i64": 8, "f32": 4, "f64": 8, "v128": 16}
"""Bytes of each value type."""
_ACCESS = re.compile(
    r"(?P<type>i32|i64|f32|f64|v128)\.(?P<atomic>atomic\.)?(?P<action>load|store|rmw)(?P<bits>\d+)?(?:x(?P<lanes>\d+))?"
    r"(?:\.(?P<operation>\w+?))?(?:_(?P<how>s|u|splat|zero|lane))?"
)
_UPDATES = {
    "add": int.__add__,
    "sub": int.__sub__,
    "and": int.__and__,
    "or": int.__or__,
    "xor": int.__xor__,
    "xchg": lambda old, new: new,
}


class Access(NamedTuple):
    """A load, a store or an update; values are little-endian bytes throughout."""

    value_type: str
    atomic: bool
    action: str
    bits: int | None
    """Of what is read or written, or of one part of it, where the name says so."""
    lanes: int | None
    operation: str | None
    how: str | None

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.bits // 8 * (self.lanes or 1) if self.bits else WIDTHS[self.value_type]

    @property
    def lane(self) -> int | None:
        """The lane in the tests, the last, of accesses that have one."""
        return 16 // self.size - 1 if self.how == "lane" else None

    def loaded(self, place: bytes, operands: list[bytes]) -> bytes:
        """The result of a load or an update."""
        width = WIDTHS[self.value_type]
        if self.lanes is not None:
            assert self.bits is not None
            part = self.bits // 8
            return b"".join(_extended(place[at : at + part], 2 * part, self.how) for at in range(0, len(place), part))
        if self.how == "splat":
            return place * (width // self.size)
        if self.lane is not None:
            before = operands[0]
            return before[: self.lane * self.size] + place + before[(self.lane + 1) * self.size :]
        return _extended(place, width, self.how)

    def stored(self, place: bytes, operands: list[bytes]) -> bytes:
        """What a store or an update leaves in memory."""
        size = self.size
        if self.operation == "cmpxchg":
            expected, new = operands
            return new[:size] if _extended(place, len(expected), "u") == expected else place
        if self.operation is not None:
            old, operand = (int.from_bytes(each[:size], "little") for each in (place, operands[0]))
            return (_UPDATES[self.operation](old, operand) % (1 << 8 * size)).to_bytes(size, "little")
        at = (self.lane or 0) * size
        return operands[0][at : at + size]


def access(name: str) -> Access | None:
    """The access with this name, None if it is none that the model knows."""
    match = _ACCESS.fullmatch(name)
    if match is None:
        return None
    bits, lanes = match["bits"], match["lanes"]
    return Access(
        match["type"],
        match["atomic"] is not None,
        match["action"],
        int(bits) if bits else None,
        int(lanes) if lanes else None,
        match["operation"],
        match["how"],
    )


def _extended(part: bytes, width: int, how: str | None) -> bytes:
    fill = b"\xff" if how == "s" and part[-1] & 0x80 else b"\0"
    return part + fill * (width - len(part))


class MemoryKind(NamedTuple):
    """A memory of a program under test."""

    index64: bool
    page_size_log2: int
    pages: int

    @property
    def length(self) -> int:
        """Its bytes."""
        return self.pages << self.page_size_log2

    @property
    def limit(self) -> int:
        """Dynamic addresses are smaller."""
        return 1 << (64 if self.index64 else 32)

    def holds(self, address: int, offset: int, size: int) -> bool:
        """Whether an access is inside."""
        return address + offset + size <= self.length


POINTS = (0, 1 << 12, 1 << 16, 1 << 31, 1 << 32, 1 << 63, 1 << 64)
"""Around these, boundaries are: of pages of the machine and of memories, of signed and unsigned numbers."""
WINDOW = 128
"""Bytes on each side of a point that hold something, in memories that are too large to be looked at as a whole."""
_SMALL = 1 << 18


class Contents:
    """The bytes of a memory at the beginning. All parts of it are numbers that make no NaN."""

    def __init__(self, memory: MemoryKind) -> None:
        length = memory.length
        if length <= _SMALL:
            bounds = [(0, length)]
        else:
            bounds = [(max(point - WINDOW, 0), min(point + WINDOW, length)) for point in (*POINTS, length) if point - WINDOW < length]
        self.windows = [(start, bytes((at * 37 + 11) % 120 for at in range(start, end))) for start, end in bounds]
        """Where something is, and what."""

    def read(self, start: int, size: int) -> bytes:
        """What is in a range."""
        found = bytearray(size)
        for at, window in self.windows:
            low, high = max(start, at), min(start + size, at + len(window))
            if low < high:
                found[low - start : high - start] = window[low - at : high - at]
        return bytes(found)


def offsets(memory: MemoryKind, size: int) -> list[int]:
    """Static offsets for accesses of so many bytes."""
    length = memory.length
    found = {0, 1, 7, length - size, length, 2**31 - size, 2**31 - 1, 2**31, 2**32 - 16, 2**32 - 1}
    if memory.index64:
        found |= {
            2**32,
            2**32 + 1,
            2**63 - 1,
            2**63,
            *(2**64 - back for back in (2**32 + 1, 2**32, 2**31 + 1, 2**31, 2**31 - 1, 4096, 16, 1)),
        }
    return sorted(each for each in found if 0 <= each < memory.limit)


def addresses(memory: MemoryKind, size: int, offset: int) -> list[int]:
    """Dynamic addresses for accesses of so many bytes at an offset: such that either they or the sums are near a point."""
    length = memory.length
    step = max(size, 1)
    points = {*POINTS, length, length // step * step}
    near = {point + distance for point in points for distance in (-size - 1, -size, -size + 1, -1, 0, 1)}
    return sorted(each for each in near | {each - offset for each in near} if 0 <= each < memory.limit)

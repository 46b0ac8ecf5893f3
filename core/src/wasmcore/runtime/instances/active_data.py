"""Copies active data segments; compiled, since a module can have tens of thousands of them."""

from __future__ import annotations

from wasmcore._native import BytesWriter, i64, read_i32_le
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.segments import ACTIVE, PASSIVE, ROW, ConstantExpression, DataSegments

if TYPE_CHECKING:
    from collections.abc import Callable

_SMALL: Final = 1 << 12
"""Bytes of a segment that is worth a copy of its own; smaller ones are put together first."""
_GAP: Final = 64
"""Bytes between two segments that are still put together."""
_MOST: Final = 1 << 16
"""Bytes that are put together at most."""
_ZEROS: Final = [bytes(size) for size in range(_GAP)]


class _Target:
    """A memory, and what is waiting to be copied into it."""

    def __init__(self, memory: memoryview, fresh: bool) -> None:
        self.memory: Final = memory
        self.size: Final[i64] = len(memory)
        self.fresh: Final = fresh
        """Whether there are nothing but zeros above `end`."""
        self.start: i64 = 0
        self.end: i64 = 0
        self.waiting: Final = BytesWriter()

    def copy(self, to: i64, data: bytes, source: memoryview, start: i64, size: i64) -> None:
        """Copy bytes `start` to `start + size` of a module; `source` is a view of `data`."""
        gap = to - self.end
        if not self.fresh or size >= _SMALL or gap < 0:
            self.flush()
            self.memory[to : to + size] = source[start : start + size]
            if gap + size > 0:
                self.start = self.end = to + size
            return
        if gap >= _GAP or to - self.start >= _MOST:
            self.flush()
            self.start = to
        elif gap > 0:
            self.waiting.write(_ZEROS[gap])
        self.waiting.write(data[start : start + size])
        self.end = to + size

    def flush(self) -> None:
        """Copy what is waiting."""
        if len(self.waiting):
            self.memory[self.start : self.end] = self.waiting.getvalue()
            self.waiting.truncate(0)
        self.start = self.end


def copy_active(
    segments: DataSegments,
    data: bytes,
    memories: list[memoryview],
    imported: int,
    evaluate: Callable[[ConstantExpression], int],
) -> int:
    """Copy active data segments from a module into its memories, in order, up to the first that does not fit; how many that are.

    All but the first `imported` memories are full of zeros.
    """
    source = memoryview(data)
    targets = [_Target(memory, number >= imported) for number, memory in enumerate(memories)]
    rows = segments.rows
    number: i64 = 0
    count: i64 = len(segments)
    while number < count:
        row = number * ROW
        mode = i64(read_i32_le(rows, row))
        if mode != PASSIVE:
            target = targets[read_i32_le(rows, row + 4)]
            to = i64(read_i32_le(rows, row + 16)) & 0xFFFFFFFF
            if mode != ACTIVE:
                address = evaluate(segments.expressions[to])
                if address > int(target.size):
                    break
                to = address
            start = i64(read_i32_le(rows, row + 20))
            size = i64(read_i32_le(rows, row + 24)) - start
            if to + size > target.size:
                break
            target.copy(to, data, source, start, size)
        number += 1
    for target in targets:
        target.flush()
    return number

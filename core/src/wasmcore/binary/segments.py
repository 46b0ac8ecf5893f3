"""The parts of a module that there can be many thousands of: data segments and their offsets."""

from __future__ import annotations

from wasmcore._native import i64, read_i32_le
from wasmcore._typing import TYPE_CHECKING, Final, TypeAlias, final

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIVE: Final = 0
PASSIVE: Final = 1
DECLARATIVE: Final = 2

I32_CONST: Final = 0x41
COMPUTED: Final = 4
"""Added to the mode of a data segment whose offset is more than one `i32.const`."""
ROW: Final = 28
"""Bytes per segment in `DataSegments.rows`."""

Immediate: TypeAlias = int | bytes | tuple[int, ...] | None


@final
class ConstantExpression:
    """A constant expression, decoded: (opcode, immediate) pairs without the final `end`, for a small stack machine.

    Immediates: the signed integer of `i32.const` and `i64.const`; the bits of floats as an unsigned integer; the 16 bytes of
    `v128.const`; an index; the packed null type of `ref.null`; a tuple where an instruction has several; else None. `start` and
    `end` are where it stands.
    """

    __slots__ = ("end", "operations", "start")

    def __init__(self, start: int, end: int, operations: tuple[tuple[int, Immediate], ...]) -> None:
        self.start: Final = start
        self.end: Final = end
        self.operations: Final = operations

    def __repr__(self) -> str:
        return f"ConstantExpression({self.start}, {self.end}, {self.operations})"


@final
class DataSegment:
    """A data segment; its bytes are `ModuleInfo.data[start:end]`. `offset` is None unless the mode is ACTIVE."""

    __slots__ = ("end", "memory", "mode", "offset", "start")

    def __init__(self, mode: int, memory: int, offset: ConstantExpression | None, start: int, end: int) -> None:
        self.mode: Final = mode
        self.memory: Final = memory
        self.offset: Final = offset
        self.start: Final = start
        self.end: Final = end

    def __repr__(self) -> str:
        return f"DataSegment({self.mode}, {self.memory}, {self.offset}, {self.start}, {self.end})"


@final
class DataSegments:
    """All data segments of a module: a sequence of `DataSegment`, which are made when they are asked for.

    `rows` has seven little-endian i32 for each: mode, memory, where its offset begins and ends, the value of the offset, where its
    bytes begin and end. Where the mode has `COMPUTED` in it, the value is an index of `expressions`.
    """

    def __init__(self, rows: bytes, expressions: tuple[ConstantExpression, ...]) -> None:
        self.rows: Final = rows
        self.expressions: Final = expressions

    def __len__(self) -> int:
        return len(self.rows) // ROW

    def __getitem__(self, number: int) -> DataSegment:
        if not 0 <= number < len(self):
            raise IndexError(f"there is no data segment {number}")
        rows = self.rows
        row: i64 = number * ROW
        mode = int(read_i32_le(rows, row))
        memory = int(read_i32_le(rows, row + 4))
        value = int(read_i32_le(rows, row + 16))
        offset: ConstantExpression | None = None
        if mode & COMPUTED:
            mode -= COMPUTED
            offset = self.expressions[value]
        elif mode == ACTIVE:
            begin = int(read_i32_le(rows, row + 8))
            offset = ConstantExpression(begin, int(read_i32_le(rows, row + 12)), ((I32_CONST, value),))
        return DataSegment(mode, memory, offset, int(read_i32_le(rows, row + 20)), int(read_i32_le(rows, row + 24)))

    def __iter__(self) -> Iterator[DataSegment]:
        for number in range(len(self)):
            yield self[number]

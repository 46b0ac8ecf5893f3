"""The parts of a module that there can be many thousands of: data segments and their offsets."""

from __future__ import annotations

from typing import Final, TypeAlias, final

ACTIVE: Final = 0
PASSIVE: Final = 1
DECLARATIVE: Final = 2

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

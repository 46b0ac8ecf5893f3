"""Copies active data segments; compiled, since a module can have tens of thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore._native import i64
from wasmcore.binary.segments import ACTIVE, ConstantExpression, DataSegment

if TYPE_CHECKING:
    from collections.abc import Callable


_I32_CONST: Final = 0x41


def copy_active(
    segments: tuple[DataSegment, ...],
    source: memoryview,
    memories: list[memoryview],
    evaluate: Callable[[ConstantExpression], int],
    dropped: set[int],
) -> bool:
    """Copy active data segments from a module into memories, in order, and note their numbers; False at one that does not fit."""
    number: i64 = 0
    for segment in segments:
        if segment.mode == ACTIVE:
            expression = segment.offset
            assert expression is not None
            code, immediate = expression.operations[0]
            if code == _I32_CONST and len(expression.operations) == 1 and isinstance(immediate, int):  # most often
                to = immediate & 0xFFFFFFFF
            else:
                to = evaluate(expression)
            end = to + segment.end - segment.start
            memory = memories[segment.memory]
            if end > len(memory):
                return False
            memory[to:end] = source[segment.start : segment.end]
            dropped.add(number)
        number += 1
    return True

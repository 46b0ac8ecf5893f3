"""What the memories of a module hold in the beginning, as images that its instances share."""

from __future__ import annotations

from collections.abc import Sequence

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import KIND_MEMORY, KIND_TABLE
from wasmcore.binary.segments import ACTIVE, PASSIVE, ROW
from wasmcore.runtime.instances.active_data import copy_active
from wasmcore.runtime.system.images import Image

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ConstantExpression, ModuleInfo

_GAPS: Final = 1 << 20
"""Bytes that an image may have beyond four times those of the segments."""


class Images:
    """The images of the memories of a module, where all its active data segments have known places in memories that it defines.

    They are made for the second instance: the first one has its data copied, and may be the only one.
    """

    def __init__(self, info: ModuleInfo) -> None:
        self._info = info
        self._instances = 0
        self._made: Sequence[Image | None] | None = None

    def for_instance(self) -> Sequence[Image | None] | None:
        """By memory, for an instance that is about to be made; None: its segments are to be copied."""
        if self._instances < 2:
            self._instances += 1
            if self._instances == 2:
                self._made = _images(self._info)
        return self._made


def _images(info: ModuleInfo) -> Sequence[Image | None] | None:
    words = memoryview(info.data_segments.rows).cast("i")
    columns = [words[column :: ROW // 4].tolist() for column in range(ROW // 4)]
    sizes, used = [0] * len(info.memories), 0
    for mode, memory, _, _, at, start, end in zip(*columns):
        if mode == ACTIVE:
            sizes[memory] = max(sizes[memory], (at & 0xFFFFFFFF) + end - start)
            used += end - start
        elif mode != PASSIVE:
            return None
    # If one of those does not fit, what has come into the table of others sees memories without data.
    escapes = any(segment.mode == ACTIVE and segment.table < info.imported(KIND_TABLE) for segment in info.elements)
    fits = all(size <= memory.type.limits.minimum << memory.type.page_size_log2 for size, memory in zip(sizes, info.memories))
    if escapes or any(sizes[: info.imported(KIND_MEMORY)]) or not fits or sum(sizes) > 4 * used + _GAPS:
        return None
    contents = [bytearray(size) for size in sizes]
    if copy_active(info.data_segments, info.data, [memoryview(content) for content in contents], 0, _nothing) < len(info.data_segments):
        return None
    try:
        return [Image(content) if content else None for content in contents]
    except OSError:
        return None


def _nothing(expression: ConstantExpression) -> int:
    raise AssertionError("no place is computed")

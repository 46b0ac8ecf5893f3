"""Where the sections of a module are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

SECTION_NAMES: Final = (
    "custom", "type", "import", "function", "table", "memory", "global", "export", "start", "element", "code", "data", "data count", "tag",
)  # fmt: skip
"""Names of sections, by number."""

_HEADER_SIZE: Final = 8


def sections(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of the content of every section of a well-formed module."""
    position = _HEADER_SIZE
    while position < len(data):
        number = data[position]
        size = shift = 0
        while True:
            position += 1
            size |= (data[position] & 0x7F) << shift
            shift += 7
            if data[position] < 0x80:
                break
        position += 1
        yield number, position, position + size
        position += size

"""Images: bytes in a file in memory, which many memories show until they write there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain

from wasmcore._typing import Final
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.resources import Resource, release_reserves

MOST: Final = 64
"""Images that there can be at a time: each has a file descriptor."""
_open: Final[list[int]] = []
"""Descriptors of those there are."""


class Image(Resource):
    """So many bytes, whole pages, that can be mapped wherever they are wanted; OSError where the system refuses that."""

    __slots__ = ("descriptor", "size")

    def __init__(self, content: bytes | bytearray) -> None:
        if len(_open) >= MOST:
            release_reserves()  # which show images that nobody needs any more
        if len(_open) >= MOST or not hasattr(os, "memfd_create"):
            raise OSError("there can not be more images")
        self.size = platform.round_up(len(content))
        made: list[int] = []
        platform.at_once(map(made.append, map(os.memfd_create, ("wasmcore",))), self._becoming(_closing, made), map(_open.extend, (made,)))
        self.descriptor = made[0]
        os.ftruncate(self.descriptor, self.size)
        view, written = memoryview(content), 0
        while written < len(view):
            written += os.pwrite(self.descriptor, view[written:], written)

    def mapping(self, address: int) -> Iterable[object]:
        """Show it at an address, privately and writable, as a step for `platform.at_once`, which it ends where the system refuses."""
        return platform.mapping_file(address, self.size, self.descriptor)


def _closing(made: list[int]) -> Iterable[None]:
    return chain(map(_open.remove, made), map(os.close, made))

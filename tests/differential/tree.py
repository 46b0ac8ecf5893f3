"""Code as a tree, so that a failing program can be made smaller by replacing parts with constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass
class Node:
    """Code that pushes values of `results`; its parts are bytes and nodes in order. A fixed node may not be replaced as a whole."""

    results: tuple[int, ...]
    parts: Sequence[bytes | Node]
    fixed: bool = False

    def to_bytes(self) -> bytes:
        """The code."""
        return b"".join(part if isinstance(part, bytes) else part.to_bytes() for part in self.parts)

    def walk(self) -> Iterator[Node]:
        """This node and all below, from the top."""
        yield self
        for part in self.parts:
            if isinstance(part, Node):
                yield from part.walk()

"""Where the words of a stream with inlined bodies come from, as `CompiledCode` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmcore.plugin.code import IN_INLINED

if TYPE_CHECKING:
    from wasmcore.plugin.streams.inlining import Origins


class InlinedPlaces:
    """The rows of `CompiledCode.inlined`."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        self._known: dict[tuple[int, int, int], int] = {}

    def place(self, function: int, origins: Origins, body: int, word: int) -> int:
        """The word itself in a function's own body; else the row of a place in an inlined body of it."""
        if body == 0:
            return word
        key = (function, body, word)
        found = self._known.get(key)
        if found is None:
            callee, around, call = origins.bodies[body]
            row = (callee, word, self.place(function, origins, around, call))
            found = self._known[key] = IN_INLINED | len(self.rows)
            self.rows.append(row)
        return found

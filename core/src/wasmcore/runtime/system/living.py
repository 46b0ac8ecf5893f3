"""Weak references to what is at an address, and to those who want to be told something."""

from __future__ import annotations

from collections.abc import Iterator
from weakref import ref

from wasmcore._typing import Any, Final

_FIRST_LOOK: Final = 16


class AtAddress(dict[int, "ref[Any]"]):
    """What is at an address, until that is forgotten; nothing keeps it alive.

    A reference without a callback costs a third of what those of `WeakValueDictionary` do. Who gives the memory back forgets the address.
    """

    __slots__ = ()

    def find(self, address: int) -> Any:
        """What is there; None where there is nothing, and where finalizers ask for what is being collected: weak references are gone by
        then."""
        found = self.get(address)
        return None if found is None else found()

    def everything(self) -> list[Any]:
        """All that is somewhere."""
        return [value for found in list(self.values()) if (value := found()) is not None]


class Listeners:
    """Objects to be told, each with a number of its own meaning; nothing keeps them alive."""

    __slots__ = ("_look_at", "_pairs")

    def __init__(self) -> None:
        self._pairs: list[tuple[ref[Any], int]] = []
        self._look_at = _FIRST_LOOK
        """When there are so many, those that are gone are looked for."""

    def add(self, listener: object, number: int) -> None:
        """One more."""
        self._pairs.append((ref(listener), number))
        if len(self._pairs) >= self._look_at:
            pairs = self._pairs
            seen = len(pairs)
            left = [pair for pair in pairs[:seen] if pair[0]() is not None]
            # One step, and what was added meanwhile is behind.
            pairs[:seen] = left
            self._look_at = max(2 * len(left), _FIRST_LOOK)

    def __iter__(self) -> Iterator[tuple[Any, int]]:
        return iter([(listener, number) for found, number in list(self._pairs) if (listener := found()) is not None])

"""Elements in address space of their own: they never move, and every context that has their {base, length} is told when they become more.

Rules for all of memories and tables:

- Address space is reserved for what they may become; more elements are more of its pages made writable. Where it ends, growing is refused.
- Nothing beyond the length can be touched, but for the rest of a page where accesses are checked.
- Growing is one step: before it nothing has changed, behind it everything has. It needs no lock, since no Python code runs within, nor
  another thread; who finds that somebody was faster begins anew.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from itertools import repeat
from operator import attrgetter, index, is_not
from weakref import ref

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.areas import Mapping
from wasmcore.runtime.system.living import Listeners
from wasmcore.types import Limits

if TYPE_CHECKING:
    from wasmcore.runtime.instances.instance import InstanceState

_edition_of: Final = attrgetter("_edition")


def checked_limits(minimum: int, maximum: int | None, most: int, unit: str) -> Limits:
    """The limits that somebody asks for; ValueError if they can not be."""
    limits = Limits(index(minimum), None if maximum is None else index(maximum))
    for limit in limits[:2]:
        if limit is not None and not 0 <= limit <= most:
            raise ValueError(f"there can be 0 to {most} {unit}, not {limit}")
    if limits.maximum is not None and limits.maximum < limits.minimum:
        raise ValueError(f"the maximum, {limits.maximum} {unit}, is less than the minimum, {limits.minimum}")
    return limits


class Space:
    """Elements of `width` bytes at an address, in memory that `owner` keeps.

    In a `Mapping` their pages become writable when they are needed; memory of another owner is writable from the start. All is zero.
    """

    __slots__ = (
        *("__weakref__", "_edition", "_home", "_home_place", "_mirrors", "_touched", "_width"),
        *("address", "bytes", "capacity", "length", "owner"),
    )
    bytes: memoryview
    """All it may become, made when asked for. Only the elements may be touched, and only while the owner is kept alive."""

    def __init__(self, owner: object, address: int, width: int, length: int, capacity: int) -> None:
        self.owner = owner
        self.address = address
        self.length = length
        """Number of elements."""
        self.capacity = capacity
        """Number of elements there is address space for."""
        self._width = width
        self._touched = length
        """Elements that may be something else than zero, as a filling that failed may leave some behind the length."""
        self._home: ref[InstanceState] | None = None
        self._home_place = 0
        """Where in its context the instance has the length that defines it."""
        self._mirrors: Listeners | None = None
        """Other instances that have it, and where."""
        self._edition: object = None
        """Another one whenever length or mirrors have changed."""

    def __getattr__(self, name: str) -> Any:
        if name == "bytes":
            self.bytes = platform.bytes_at(self.address, self.capacity * self._width)
            return self.bytes
        raise AttributeError(name)

    def be_at_home(self, state: ref[InstanceState], address: int) -> None:
        """Keep the length at this address of the context of the instance that defines it true; nobody else knows of it yet."""
        self._home = state
        self._home_place = address

    def attach(self, state: InstanceState, address: int) -> None:
        """Keep {base, length} at this address of an instance's context true as long as the instance is there."""
        words = (ctypes.c_uint64 * 2).from_address(address)
        words[0] = self.address
        mirrors = self._mirrors
        if mirrors is None:
            made = Listeners()
            if self._mirrors is None:  # no other thread was faster
                self._mirrors = made
            mirrors = self._mirrors
        mirrors.add(state, address + 8)
        self._edition = object()
        words[1] = self.length

    def grow(self, elements: int, word: int = 0) -> int:
        """Make it so many elements longer, filled with a word of 8 bytes; the length before. A MemoryError leaves everything as it was."""
        while True:
            edition = self._edition
            before = self.length
            after = before + elements
            if not before <= after <= self.capacity:
                raise MemoryError(self._refusal(before, elements))
            if self._become(before, after, edition, word):
                return before
            if self._edition is edition:
                raise MemoryError(f"{self._refusal(before, elements)}: the system has no memory for it")

    def _become(self, before: int, after: int, edition: object, word: int) -> bool:
        """Have another length and say so everywhere, at once, unless somebody else was faster or the system refuses."""
        if word:
            self._touched = max(self._touched, after)
        told = list(self._mirrors or ())  # which keeps the instances meanwhile
        home = None if self._home is None else self._home()
        if home is not None:
            told.append((home, self._home_place))
        lengths = [ctypes.c_uint64.from_address(address) for _, address in told]
        return platform.at_once(
            map(is_not, map(_edition_of, (self,)), (edition,)),
            self._opening(after),
            platform.filling(self.address + before * self._width, word, after - before) if self._touched > before else (),
            map(setattr, lengths, repeat("value"), repeat(after)),
            map(setattr, repeat(self), ("length", "_edition"), (after, object())),
        )

    def _opening(self, length: int) -> Iterable[object]:
        owner = self.owner
        if not isinstance(owner, Mapping):
            return ()
        writable = platform.round_up(self.address - owner.address + length * self._width)
        return owner.area.opening(writable) if writable > owner.area.writable else ()

    def _refusal(self, before: int, elements: int) -> str:
        """Which growth is impossible, for an error message."""
        return f"{before} elements can not become {elements} more, there is space for {self.capacity}"

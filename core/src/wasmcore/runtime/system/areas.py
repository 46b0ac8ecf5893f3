"""Address space that is used again: to empty some costs a tenth of what it takes to ask the system for it and to give it back.

An `Area` is address space with its first bytes writable. A `Mapping` has one as long as it is there; then it goes to those that `Areas`
keep for whoever asks for as much next. Between the system and its mapping no exception can lose it, nor between two mappings: each change
of hands is one step (`platform.at_once`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from wasmcore._typing import Any, Final
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.images import Image
from wasmcore.runtime.system.resources import GiveBack, Resource, requested, reserves

MOST_KEPT: Final = 64
"""Areas of one purpose that are kept for others."""


class Area:
    """`size` bytes of address space at an address, of which the first `writable` can be touched."""

    __slots__ = ("address", "image", "size", "told", "writable")

    def __init__(self) -> None:
        self.address = 0
        self.size = 0
        self.writable = 0
        self.told = False
        """Whether those know of it that are to be told of each new one."""
        self.image: Image | None = None
        """What its first bytes are when it is empty; None: zeros."""

    def reserve_most(self, wanted: int, needed: int) -> None:
        """Have so many bytes of address space or, where the system refuses that, less than half of what it would give, so that there is
        room for the rest of the process, but what is needed at least; MemoryError if there is not even that."""
        self.size = wanted
        while not platform.at_once(platform.reserving(self, self.size)):
            if self.size <= needed:
                raise platform.no_address_space(self.size)
            while self.size > needed:
                self.size = max(platform.round_up(self.size // 2), needed)
                if platform.leaves_room(2 * self.size):
                    break

    def opening(self, writable: int) -> Iterable[object]:
        """Let so many of its bytes be touched and not others, which are zeros then, as steps for `platform.at_once`; the first ends it
        where the system has no memory for that."""
        now = map(setattr, (self,), ("writable",), (writable,))
        start, size = self.address + min(self.writable, writable), abs(writable - self.writable)
        if writable > self.writable:
            return chain(platform.protecting(start, size, platform.READ_WRITE), now)
        return chain(platform.emptying(start, size), platform.protecting(start, size, platform.NO_ACCESS), now)

    def emptying(self) -> Iterable[object]:
        """Let all that can be touched be what it was in the beginning, as a step for `platform.at_once`."""
        return platform.emptying(self.address, self.writable)

    def open(self, writable: int) -> None:
        """The same at once; MemoryError where the system has no memory for that."""
        if writable == self.writable:
            return
        if not platform.at_once(self.opening(writable)):
            raise MemoryError(f"the system has no memory for {writable} bytes")

    def show(self, image: Image | None) -> None:
        """Begin with another image, which can be touched, and nothing else; MemoryError where the system refuses that."""
        if image is not self.image:
            self.open(0)
            before, writable = self.image, 0 if image is None else image.size
            hidden = () if before is None else platform.mapping_nothing(self.address, before.size)
            shown = () if image is None else image.mapping(self.address)
            none = map(setattr, (self,), ("image",), (None,))  # if the next step is refused
            if not platform.at_once(hidden, none, shown, map(setattr, (self, self), ("image", "writable"), (image, writable))):
                raise MemoryError(f"the system has no memory for {writable} bytes")


class Areas:
    """Areas for one purpose, with those that nobody uses at the moment."""

    def __init__(
        self,
        emptying: Callable[[Area], Iterable[object]],
        made: Callable[[Area], None] | None = None,
        going: Callable[[Area], None] | None = None,
    ) -> None:
        """`emptying` gets one ready for somebody else, as steps for `platform.at_once`; `made` and `going` are told of what the system
        gave, and is about to get back."""
        self._emptying = emptying
        self._made = made
        self._going = going
        self._give_back = self._giving_back
        self._kept: list[Area] = []
        reserves.append(self._release_kept)

    def take(self, mapping: Mapping, wanted: int, needed: int, image: Image | None) -> Area:
        """The area of a mapping: one that is kept, rather with this image, else a new one."""
        while True:
            found = self._find(wanted, image)
            if found is None:
                return self._make(mapping, wanted, needed)
            if self._take_kept(found, mapping._becoming(*mapping._giving(self._give_back, found))):
                if not found.told:
                    self._tell(found)
                return found

    def _find(self, size: int, image: Image | None) -> Area | None:
        found = None
        for area in reversed(self._kept):
            if area.size == size:
                if area.image is image:
                    return area
                found = area
        return found

    def _take_kept(self, area: Area, becoming: Iterable[object]) -> bool:
        try:
            return platform.at_once(map(self._kept.remove, (area,)), becoming)
        except ValueError:  # somebody was faster
            return False

    def _make(self, mapping: Mapping, wanted: int, needed: int) -> Area:
        if len(self._kept) >= MOST_KEPT:
            self._release_kept()  # nobody has asked for such lately
        area = Area()
        mapping._become(*mapping._giving(self._give_back, area))
        requested(area.reserve_most, wanted, needed)
        self._tell(area)
        return area

    def _tell(self, area: Area) -> None:
        if self._made is not None:
            self._made(area)
        area.told = True

    def _giving_back(self, area: Area) -> Iterable[object]:
        # What is locked in memory can not be emptied.
        if area.address and len(self._kept) < MOST_KEPT and platform.at_once(self._emptying(area)):
            return map(self._kept.append, (area,))
        return self._releasing(area)

    def _releasing(self, area: Area) -> Iterable[object]:
        if not area.address:
            return ()
        if self._going is not None:
            self._going(area)
        return platform.releasing(area.address, area.size)

    def _release_kept(self) -> None:
        for area in list(self._kept):
            leaving = Mapping.__new__(Mapping)
            if self._take_kept(area, leaving._becoming(self._releasing, area)):
                leaving.free()


class Mapping(Resource):
    """Some address space as long as somebody needs it."""

    __slots__ = ("address", "area")

    def __init__(self, areas: Areas, wanted: int, needed: int, image: Image | None = None) -> None:
        """Of so many bytes, or as many as the system gives, but those that are needed at least; MemoryError otherwise. How many can be
        touched is for `area.open`; what they are is what `areas` leave, and may be another image."""
        self.area = areas.take(self, wanted, needed, image)
        self.address = self.area.address

    _become = Resource.__init__

    def _giving(self, give_back: GiveBack, area: Area) -> tuple[Any, ...]:
        """How the area is given back, and the arguments of that."""
        return give_back, area

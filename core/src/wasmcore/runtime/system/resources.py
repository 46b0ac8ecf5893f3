"""Things outside of Python's heap that are freed with the last reference to their object.

Two things make that more than a `__del__`:

- When the collector finds a cycle of objects, all their `__del__` methods run before any object goes, so memory would be gone while the
  `__del__` of somebody else still calls code in it. What is found by a collection is therefore freed at its end.
- A finalizer may fail, or never begin: at Python's limit of recursion, without memory, by the exception of a signal handler. How to free
  something is therefore noted apart from its object, and done later.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from operator import delitem, setitem
from weakref import ref

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.system import platform

if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex, TypeVar

    T = TypeVar("T")

GiveBack = Callable[..., Iterable[Any]]
"""Frees something: gets ready, which may be broken off and done again, and returns the last step, for `platform.at_once`, which does not
refuse."""

_numbers: Final = count(1)
_owned: Final[dict[int, tuple[ref[Resource], GiveBack, tuple[Any, ...]]]] = {}
"""All that is not yet freed, by the number of its resource."""
_waiting: Final[list[tuple[int, ref[Resource]]]] = []
"""What is freed at the end of the collection that is going on, unless it is there still: a finalizer may keep an object of its cycle."""
_kept: Final[set[int]] = set()
"""Numbers of those: no finalizer is called when they go."""
_lost: Final = {"looked for at": 256, "wanted": False}
"""Resources whose finalizer failed are looked for when there are so many, and at the end of the next collection when that is wanted."""
reserves: Final[list[Callable[[], None]]] = []
"""Free what is kept for later use, where the system has no more."""
NOT_NOW: Final = (RecursionError, MemoryError, ctypes.ArgumentError)
"""Why a finalizer may fail; the last is what ctypes makes of the others."""


class Unique:
    """Base of what stands for something outside of Python's heap: a second object would not be a second one of that. It is made once, and
    can not be copied or pickled."""

    __slots__ = ()
    _instead = ""
    """What to do instead of copying it, for the error message."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        kind = type(self)
        raise TypeError(f"a {kind.__module__.partition('.')[0]}.{kind.__name__} can not be copied or pickled{kind._instead}")

    def _made_once(self, attribute: str) -> None:
        """For `__init__`: TypeError if it was called before, since others rely on what it made."""
        if hasattr(self, attribute):
            raise TypeError(f"this {type(self).__name__} is there already: make another one")


class Resource(Unique):
    """Base of what has something to free. `__init__` is called once that is there, so that a failure before frees nothing.

    The arguments of `give_back` may lead neither to the object nor to what keeps it alive.
    """

    __slots__ = ("__weakref__", "_number")

    def __init__(self, give_back: GiveBack, *arguments: Any) -> None:
        platform.at_once(self._becoming(give_back, *arguments))
        if len(_owned) >= _lost["looked for at"]:
            _look_for_lost()

    def _becoming(self, give_back: GiveBack, *arguments: Any) -> Iterable[None]:
        """`__init__` as a step for `platform.at_once`, of which what there is to free may be another one."""
        self._number = next(_numbers)
        # A reference with a callback is dead when the collector calls finalizers; this callback does nothing, and can not fail.
        return map(setitem, (_owned,), (self._number,), ((ref(self, type), give_back, arguments),))

    @property
    def freed(self) -> bool:
        """Whether `free` has done its work."""
        return self._number not in _owned

    def free(self) -> None:
        """Give it back now; nothing may use it any more. More than once is fine."""
        _free(self._number)

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # The system takes everything back when the interpreter ends, and by then names of modules are gone.
        if _is_finalizing():
            return
        number: int = getattr(self, "_number", 0)
        owned = _owned.get(number)
        if owned is None:
            return
        try:
            if owned[0]() is self:
                _free(number)
            else:
                _waiting.append((number, ref(self)))
                _call_at_end()
        except NOT_NOW:
            _look_for_lost()


def _free(number: int) -> None:
    owned = _owned.get(number)
    if owned is not None:
        # In this order: what fails at Python's limit of recursion fails at the first.
        platform.at_once(owned[1](*owned[2]), map(delitem, (_owned,), (number,)))


def _call_at_end() -> None:
    """Of the collection that is going on, or the next one."""
    if _free_waiting not in gc.callbacks:
        gc.callbacks.append(_free_waiting)


def _free_waiting(phase: str, info: dict[str, int]) -> None:
    if phase == "stop":
        looks, _lost["wanted"] = _lost["wanted"], True  # until all of it is done
        with suppress(*NOT_NOW):
            while _waiting:
                number, found = _waiting.pop()
                _free_unless_kept(number, found())
            for number in list(_owned if looks else _kept):
                owned = _owned.get(number)
                if owned is not None and owned[0]() is None:
                    _kept.discard(number)
                    _free(number)
            _lost["wanted"] = False
            # Where it is not the last, the collector would miss the one behind.
            if not _kept and gc.callbacks[-1] is _free_waiting:
                gc.callbacks.pop()


def _free_unless_kept(number: int, resource: Resource | None) -> None:
    owned = _owned.get(number)
    if resource is None:
        _free(number)
    elif owned is not None:
        _kept.add(number)
        _owned[number] = ref(resource, type), owned[1], owned[2]


def _look_for_lost() -> None:
    _lost["looked for at"] = 2 * len(_owned)
    _lost["wanted"] = True
    _call_at_end()


def collect() -> None:
    """Free all that nothing refers to any more, and what is kept for later use."""
    _look_for_lost()
    gc.collect()
    release_reserves()


def release_reserves() -> None:
    """Free what is kept for later use."""
    for release in reserves:
        release()


def requested(request: Callable[..., T], *arguments: Any) -> T:
    """What the system gives; before it refuses with a MemoryError, all that nothing refers to any more is freed."""
    try:
        return request(*arguments)
    except MemoryError:
        collect()
        return request(*arguments)

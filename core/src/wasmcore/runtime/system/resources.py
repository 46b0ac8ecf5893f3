"""Things outside of Python's heap that are freed with the last reference to their object.

`__del__` is not enough: when a cycle of objects is collected, all their `__del__` methods run before any object goes, so memory would be
gone while the `__del__` of somebody else still calls code in it. What is found during a collection is therefore freed at its end.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from functools import partial

from wasmcore._typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import NoReturn, SupportsIndex

_waiting: Final[list[Resource]] = []
_collection: Final = {"phase": "stop"}


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
    """Base of what has something to free. `__init__` is called once that is there, so that a failure before frees nothing."""

    __slots__ = ("__weakref__", "_freed")

    def __init__(self) -> None:
        self._freed = False

    def free(self) -> None:
        """Give it back now; nothing may use it any more. More than once is fine."""
        if not self._freed:
            self._freed = True
            self._free()

    def _free(self) -> None:
        """What to do, once."""
        raise NotImplementedError

    def __del__(self, _is_finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # The system takes everything back when the interpreter ends, and by then names of modules are gone.
        if _is_finalizing() or getattr(self, "_freed", True):
            return
        if _collection["phase"] == "stop":
            self.free()
            return
        if not _waiting:
            gc.callbacks.append(_free_waiting)
        _waiting.append(self)


def _free_waiting(phase: str, info: dict[str, int]) -> None:
    """Called at the end of the collection that is going on; again at the next one if an exception ended it."""
    try:
        while _waiting:
            _waiting.pop().free()
    finally:
        if not _waiting:
            gc.callbacks.remove(_free_waiting)


# Noted without running any Python: an exception of a signal handler that came in a callback of the collector would be lost.
_note: Final = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.py_object] * 4)(("PyDict_SetItem", ctypes.pythonapi))
gc.callbacks.append(partial(_note, _collection, "phase"))

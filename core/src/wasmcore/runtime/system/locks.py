"""Locks that no thread can take away with it when a process forks, and locks that machine code can release."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import partial
from threading import RLock
from weakref import WeakSet

from wasmcore._typing import Any, Final
from wasmcore.runtime.system.resources import Resource

_locks: Final[WeakSet[Any]] = WeakSet()


_RLock: type[RLock] = type(RLock())
if sys.version_info >= (3, 14):

    class _RLock(_RLock):  # type: ignore[no-redef, valid-type, misc]
        """Python 3.14 runs handlers of signals between a builtin `__enter__` and its `with`; what they raise would leave the lock taken."""

        def __enter__(self) -> bool:
            before = self._recursion_count()
            try:
                return self.acquire()
            except BaseException:
                while self._recursion_count() > before:
                    self.release()
                raise


def Lock() -> RLock:
    """A re-entrant lock for `with`; in a forked child it is free unless the forking thread holds it.

    It is one of Python's own: nothing can interrupt it between taking the lock and the `with` that lets it go, as it could in Python code;
    where Python itself has that gap, it is closed.
    """
    lock = _RLock()
    _locks.add(lock)
    return lock


def is_mine(lock: Any) -> bool:
    """Whether the current thread holds such a lock: then it is in the middle of what the lock is for, and a finalizer or the handler of a
    signal has come in between."""
    return bool(lock._is_owned())


def _after_fork() -> None:
    """Forget holders that are gone."""
    for lock in list(_locks):
        if lock.acquire(blocking=False):
            lock.release()
        else:
            lock._at_fork_reinit()


os.register_at_fork(after_in_child=_after_fork)


_allocate: Final = ctypes.pythonapi.PyThread_allocate_lock
_allocate.restype = ctypes.c_void_p
_free: Final = ctypes.pythonapi.PyThread_free_lock
_free.argtypes = [ctypes.c_void_p]
_free.restype = None
_release: Final = ctypes.pythonapi.PyThread_release_lock
_release.argtypes = [ctypes.c_void_p]
# The interpreter lock is released while this waits.
_acquire: Final = ctypes.CDLL(None).PyThread_acquire_lock_timed
_acquire.argtypes = [ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int]


class NativeLock(Resource):
    """A lock of Python's C interface (`PyThread_type_lock`), which is taken from the beginning; whoever has its `address` can release it.

    The interpreter lock has to be held whenever it is released.
    """

    __slots__ = ("address",)

    def __init__(self) -> None:
        self.address: int = _allocate() or 0
        if not self.address:
            raise MemoryError("no memory for a lock")
        _acquire(self.address, 0, 0)
        super().__init__(partial(map, _free), (self.address,))

    def acquire(self, seconds: float) -> None:
        """Take it when it is released, but wait no longer than that. Handlers of signals run meanwhile and may raise."""
        _acquire(self.address, int(seconds * 1e6), 1)
        ctypes.pythonapi.PyErr_CheckSignals()

    def release(self) -> None:
        """Let who waits for it go on; more than once is fine."""
        _acquire(self.address, 0, 0)
        _release(self.address)

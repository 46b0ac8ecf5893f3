"""Locks that no thread can take away with it when a process forks."""

from __future__ import annotations

import os
from threading import RLock
from types import TracebackType
from weakref import WeakSet

from wasmcore._typing import Final

_locks: Final[WeakSet[Lock]] = WeakSet()


class Lock:
    """A re-entrant lock for `with`; in a forked child it is free unless the forking thread holds it."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Forget a holder that is not the current thread."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = RLock()


def _after_fork() -> None:
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(after_in_child=_after_fork)

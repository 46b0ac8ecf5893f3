"""Threads that want to enter the same store are served one after the other.

A store is entered by one thread at a time. As long as that one holds the interpreter lock, nobody else comes near; but it lets go of it in
polls, while a function is compiled, in host functions, and all along where the instance was made so. Who comes then waits in a queue of
the store. The entry stub of the thread that leaves releases the lock of the first in the queue (`store.waiter`) and gives the store up, so
that whoever calls next, be it the same thread, asks here and waits behind those that are waiting.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import StoreBusyError
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution.threads import StoreRecord, ThreadRecord, process
from wasmcore.runtime.system.locks import NativeLock

if TYPE_CHECKING:
    from types import FrameType

    from wasmcore.runtime.execution.store import Store

_LOOK: Final = 0.05
"""Seconds after which a waiting thread looks again by itself: whether the one inside has died, or has come to wait for it."""


class _Waiting:
    """A thread that waits for a store."""

    def __init__(self, thread: int, kept: Store) -> None:
        self.thread = thread
        self.kept = kept
        """It may become part of another store meanwhile."""
        self.store = kept.address
        self.lock = NativeLock()


_waiting: Final[dict[int, _Waiting]] = {}
"""By the address of the thread record."""


def enter(store: int, pointer: int) -> int:
    """The callback `enter`: the record of the current thread, when its turn may have come; StoreBusyError where it never would, or where
    the store's users do not want to wait."""
    thread = process.current_thread(pointer)
    kept = stores.at_address(store)
    if kept is not None and (kept.queue or _taken(store, thread)):
        _wait(_Waiting(thread, kept), True)
    return thread


def wait_until_left(store: Store) -> None:
    """Return when no other thread is inside of a store, for the moment; StoreBusyError as `enter`."""
    thread = process.this_thread() or 0
    if _taken(store.address, thread):
        _wait(_Waiting(thread, store), False)


def _taken(store: int, thread: int) -> bool:
    """Whether another thread is inside; one that has ended is not."""
    record = StoreRecord.from_address(store)
    return bool(record.activation and record.thread != thread and ThreadRecord.from_address(record.thread).pointer)


def _wait(waiting: _Waiting, enters: bool) -> None:
    """Wait for one's turn; whoever is next in the queue is let in by the entry stub of who `enters`, or now."""
    _refuse_if_hopeless(waiting)
    record = StoreRecord.from_address(waiting.store)
    queue: list[_Waiting] = waiting.kept.queue
    outer = _waiting.get(waiting.thread)
    served = False
    try:
        queue.append(waiting)
        _waiting[waiting.thread] = waiting
        # A signal handler that comes in while its thread waits has the turn of that.
        while queue[0].thread != waiting.thread or _taken(waiting.store, waiting.thread):
            record.waiter = queue[0].lock.address
            waiting.lock.acquire(_LOOK)
            _refuse_if_hopeless(waiting)
        served = True
    finally:
        with suppress(ValueError):
            queue.remove(waiting)
        if outer is None:
            _waiting.pop(waiting.thread, None)
        else:
            _waiting[waiting.thread] = outer
        following = _first(queue)
        record.waiter = following.lock.address if following is not None else 0
        if following is not None and not (served and enters):
            following.lock.release()


def _first(queue: list[_Waiting]) -> _Waiting | None:
    with suppress(IndexError):
        return queue[0]
    return None


def _refuse_if_hopeless(waiting: _Waiting) -> None:
    """StoreBusyError if a thread would wait for itself, through others or not, or does not want to wait."""
    record = StoreRecord.from_address(waiting.store)
    if not _taken(waiting.store, waiting.thread):
        return
    if not waiting.kept.waits:
        raise StoreBusyError("another thread is running code of this group of linked instances")
    inside, next_one = record.thread, _waiting.get(record.thread)
    while next_one is not None and inside != waiting.thread:
        inside = StoreRecord.from_address(next_one.store).thread
        next_one = _waiting.get(inside)
    if inside == waiting.thread or _waits_in_python(inside):
        raise StoreBusyError("another thread is running code of this group of linked instances, and waits for this thread")


def _waits_in_python(thread: int) -> bool:
    """Whether a thread waits without an end for the current one to end or to give a result: in `Thread.join` or `Future.result`."""
    frame = sys._current_frames().get(ThreadRecord.from_address(thread).pointer)
    for _ in range(4):
        if frame is None:
            return False
        name, awaited = frame.f_code.co_name, frame.f_locals.get("self")
        if name in ("join", "result") and frame.f_locals.get("timeout") is None and _is_mine(name, awaited):
            return True
        frame = frame.f_back
    return False


def _is_mine(name: str, awaited: object) -> bool:
    """Whether that is the current thread, or the future of the work that it does."""
    if name == "join":
        return awaited is threading.current_thread()
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if awaited is not None and frame.f_code.co_name == "run" and getattr(frame.f_locals.get("self"), "future", None) is awaited:
            return True
        frame = frame.f_back
    return False


def _after_fork() -> None:
    """Who waited is gone."""
    _waiting.clear()


os.register_at_fork(after_in_child=_after_fork)

"""Work that needs more stack than a thread may have left: a guest that called many functions before it called one that is to be compiled,
or a thread with a small stack."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from threading import local as thread_local

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.execution.threads import ActivationRecord, ThreadRecord, process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock

if TYPE_CHECKING:
    from typing import TypeVar

    Result = TypeVar("Result")

ENOUGH: Final = 4 << 20
"""Bytes of stack that are enough for any compiler."""
_SIZE: Final = 16 << 20
"""Bytes of stack of the threads that are started where there is less."""
_LOOK: Final = 0.1
"""Seconds between two looks for signals: one that arrives just before a thread begins to wait does not wake it."""
_sizes: Final = thread_local()
_starting: Final = Lock()


def room() -> int:
    """Bytes of stack that the current thread has left for sure: inside of a guest those above its limit, else all that the thread has."""
    thread = process.this_thread()
    activation = 0 if thread is None else ThreadRecord.from_address(thread).activation
    if activation:
        frame: int = ActivationRecord.from_address(activation).host_frame
        limit: int = ThreadRecord.from_address(thread).stack_limit
        return frame - limit
    size: int = getattr(_sizes, "size", 0)
    if not size:
        low, high = platform.stack_bounds()
        size = _sizes.size = high - low
    return size


def with_room(work: Callable[..., Result], *arguments: Any) -> Result:
    """The result of `work(*arguments)`, which has at least `ENOUGH` bytes of stack: a new thread's where this one has less left.

    Exceptions come through. One that is raised here meanwhile, as KeyboardInterrupt is, leaves the work to itself: its result is lost, and
    it may still go on for a while. MemoryError where no thread can be started.
    """
    if room() >= ENOUGH:
        return work(*arguments)
    results: list[Result] = []
    errors: list[BaseException] = []
    done = _thread.allocate_lock()

    def run() -> None:
        try:
            results.append(work(*arguments))
        except BaseException as error:
            errors.append(error)
        finally:
            done.release()

    done.acquire()
    _start(run)
    while not done.acquire(timeout=_LOOK):
        pass
    if errors:
        raise errors.pop()
    return results.pop()


def _start(run: Callable[[], None]) -> None:
    with _starting:
        before = _thread.stack_size()
        try:
            _thread.stack_size(_SIZE)
            _thread.start_new_thread(run, ())
        except RuntimeError as error:
            raise MemoryError(f"there is too little stack left to compile, and no other: {error}") from None
        finally:
            _thread.stack_size(before)

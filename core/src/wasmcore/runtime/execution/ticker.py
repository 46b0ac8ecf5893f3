"""The ticker: what has to happen during a long call happens because of it.

Short calls shall pay nothing for being interruptible and fair, so nothing is counted or looked at when they begin and end. A native
thread, which needs no interpreter lock, looks every 5 milliseconds where each thread is. A store that is still inside a call has its poll
page withdrawn, and the next poll of its code calls Python with all registers kept: `traps.trap`. There other threads get their turn and
handlers of signals run; how long that takes does not count, so that the code gets its turn, too. The code of the thread is a stub of the
target (`ticker`); this module starts, wakes and stops it.

It sleeps when no call has lasted for a second. Who enters WebAssembly code next finds `ticker_asleep` set, and wakes it. It does not live
across a fork: threads do not, and Python warns of forks of processes that have some.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal

from wasmcore._typing import Final
from wasmcore.plugin.layout import STOPPED
from wasmcore.runtime.execution.threads import ProcessRecord, process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock


class Ticker:
    """The thread. All methods may be called on any thread that holds the interpreter lock."""

    def __init__(self, code: int) -> None:
        """`code`: address of the stub."""
        self._code = code
        self._thread = ctypes.c_size_t(0)
        self._started = False
        self._starting = False
        self._lock = Lock()
        self._record = ProcessRecord.from_address(process.address)
        # Before a fork, so that there is nothing to warn of, and no child that was forked while it looks.
        os.register_at_fork(before=self._stop, after_in_parent=self._after_fork, after_in_child=self._in_child)
        atexit.register(self._at_exit)

    def wake(self) -> None:
        """Let it look after calls from now on; MemoryError if the system gives no thread."""
        with self._lock:
            self._started = True
            if self._thread:
                self._signal()
            elif not self._starting:  # else this thread is about to, and the handler of a signal has come in between
                self._start()
            self._record.ticker_asleep = 0

    def wake_if_asleep(self) -> None:
        """The same where nobody has done it yet."""
        if self._record.ticker_asleep:
            self.wake()

    def _start(self) -> None:
        self._record.ticker_stop = 0
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._starting = True
            platform.start_thread(self._code, "wasmcore-ticker", self._thread)
        finally:
            self._starting = False
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _signal(self) -> None:
        self._record.ticker_wakes = self._record.ticker_wakes + 1 & 0xFFFFFFFF
        platform.wake_futex(process.address + _WAKES)

    def _stop(self) -> None:
        """Until somebody enters or polls."""
        with self._lock:
            if self._thread:
                # First: who goes on in a long call before the ticker has ended is to ask for another one.
                self._record.ticker_asleep = STOPPED
                self._record.ticker_stop = 1
                self._signal()
                platform.join_thread(self._thread)

    def _after_fork(self) -> None:
        """Who is inside of a long call does not enter again; others wake it when they do. Behind this Python warns of threads that are
        there."""
        if self._started and process.anybody_inside():
            self.wake()

    def _in_child(self) -> None:
        """If another thread has started it again before the fork, that is not here."""
        self._thread.value = 0
        self._record.ticker_scans = 0
        if self._started:
            self._record.ticker_asleep = STOPPED

    def _at_exit(self) -> None:
        """A main thread that ends by itself, as Python's may with subinterpreters left, does not end a process that has other threads. But
        as long as one is inside of a long call, the end of the interpreter needs its turn."""
        if not process.others_inside():
            self._stop()


_WAKES: Final = ProcessRecord.ticker_wakes.offset


def wait_for_scan() -> None:
    """Return when the ticker can not be about to touch a store that nobody was inside of when this was called."""
    record = ProcessRecord.from_address(process.address)
    scan = record.ticker_scans
    while scan & 1 and record.ticker_scans == scan:
        os.sched_yield()

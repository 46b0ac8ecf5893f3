"""Signal handlers: faults of generated code become traps, Ctrl-C reaches a running loop; everything else goes to whom it went before."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final
from wasmcore.errors import PluginError
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock

FAULTS: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
INTERRUPTS: Final = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGALRM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGVTALRM,
    signal.SIGPROF,
)
"""Where these have a handler in Python, they interrupt generated code so that it can run."""
ACTIONS_SIZE: Final = 16 * 64


def blocked_faults() -> set[signal.Signals]:
    """Signals of faults that this thread blocks: a fault would end the process."""
    return {signal.Signals(number) for number in FAULTS} & signal.pthread_sigmask(signal.SIG_BLOCK, ())


class Handlers(NamedTuple):
    """One copy of the handlers, with the table of actions it chains to."""

    fault: int
    interrupt: int
    actions: int

    def handler(self, number: int) -> int:
        """Address of the handler for a signal."""
        return self.fault if number in FAULTS else self.interrupt

    def chained(self, number: int) -> tuple[int, int]:
        """Handler and flags it passes a signal on to."""
        handler, flags = (ctypes.c_uint64 * 2).from_address(self.actions + 16 * number)
        return handler, flags

    def chain(self, number: int, handler: int, flags: int) -> None:
        """Pass a signal on to this handler."""
        action = (ctypes.c_uint64 * 2).from_address(self.actions + 16 * number)
        action[0] = handler
        action[1] = flags


class SignalHandlers:
    """Keeps handlers of ours on top.

    When somebody else has installed a handler since, and may call ours from it, a fresh copy goes on top that passes on to theirs; each
    copy passes every signal to one handler only, so no loop can arise.
    """

    def __init__(self, first: Handlers, make: Callable[[int], Handlers]) -> None:
        """`make(actions)` makes another copy, with its table at this address."""
        self._make = make
        self._copies = [first]
        self._used: set[tuple[int, int]] = set()
        self._lock = Lock()

    def ensure_installed(self) -> None:
        """Install the handlers where they are not on top; PluginError if that is refused."""
        for number in FAULTS + tuple(number for number in INTERRUPTS if callable(signal.getsignal(number))):
            handler, flags = platform.signal_action(number)
            if not any(copy.handler(number) == handler for copy in self._copies):
                with self._lock:
                    self._put_on_top(number, handler, flags)

    def _put_on_top(self, number: int, handler: int, flags: int) -> None:
        copy = self._copy_for(number, handler, flags)
        flags = platform.SA_SIGINFO | platform.SA_ONSTACK | (flags & platform.SA_RESTART)
        try:
            platform.set_signal_action(number, copy.handler(number), flags)
            installed = platform.signal_action(number)[0]
        except OSError as error:
            raise PluginError(f"a handler for signal {number} is refused ({error})") from error
        if installed != copy.handler(number):
            raise PluginError(f"a handler for signal {number} is refused")

    def _copy_for(self, number: int, handler: int, flags: int) -> Handlers:
        """A copy that passes this signal on to this handler: one that does already, one that is not used for the signal, a new one."""
        for at, copy in enumerate(self._copies):
            if (at, number) in self._used and copy.chained(number) == (handler, flags & 0xFFFFFFFF):
                return copy
        at = next((at for at in range(len(self._copies)) if (at, number) not in self._used), len(self._copies))
        if at == len(self._copies):
            self._copies.append(self._make(platform.allocate(platform.round_up(ACTIONS_SIZE))))
        copy = self._copies[at]
        copy.chain(number, handler, flags & 0xFFFFFFFF)
        self._used.add((at, number))
        return copy

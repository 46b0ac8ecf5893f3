"""Signal handlers: faults of generated code become traps; everything else goes to whom it went before."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Callable
from math import inf
from time import monotonic

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final
from wasmcore.errors import PluginError
from wasmcore.plugin.layout import GIVEN_ACTION_SIZE
from wasmcore.runtime.execution.threads import ProcessRecord, process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.interposition import Interposition
from wasmcore.runtime.system.locks import Lock

FAULTS: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
ACTIONS_SIZE: Final = 16 * 64
_AGAIN: Final = 0.001
"""Seconds in which nobody is expected to install a handler past ours: to look costs as much as an instance does."""
_FLAGS: Final = platform.SA_SIGINFO | platform.SA_ONSTACK


def blocked_faults() -> set[signal.Signals]:
    """Signals of faults that this thread blocks: a fault would end the process."""
    return {signal.Signals(number) for number in FAULTS} & signal.pthread_sigmask(signal.SIG_BLOCK, ())


class FaultHandler(NamedTuple):
    """One copy of the handler, with the table of actions it chains to."""

    address: int
    """Of the handler."""
    actions: int

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

    Whoever calls the C library to install one calls a stub of ours (`Interposition`), which leaves ours on top, lets it pass on to theirs,
    and tells them of nobody but each other. Somebody who gets past that is found at the next instantiation a millisecond later, and may
    call ours from theirs: then a fresh copy goes on top; each copy passes every signal to one handler only, so no loop can arise.
    """

    def __init__(self, first: FaultHandler, make: Callable[[int], FaultHandler], installers: Interposition) -> None:
        """`make(actions)` makes another copy, with its table at this address; `installers` sees handlers that others install."""
        self._make = make
        self._installers = installers
        self._record = ProcessRecord.from_address(process.address)
        self._copies = [first]
        self._used: set[tuple[int, int]] = set()
        self._actions = platform.SignalActions(FAULTS)
        self._seen = b""
        """What the actions were when all was well."""
        self._looked = -inf
        self._lock = Lock()

    @property
    def changed(self) -> bool:
        """Whether somebody has installed a handler since `ensure_installed`."""
        return bool(self._record.handlers_changed)

    @changed.setter
    def changed(self, whether: bool) -> None:
        self._record.handlers_changed = whether

    def ensure_installed(self) -> None:
        """Install the handlers where they are not on top; PluginError if that is refused."""
        now = monotonic()
        if now - self._looked < _AGAIN and not self.changed:
            return
        self._looked = now
        actions = self._actions.now()
        if self._installers.renewed() and actions == self._seen and not self.changed:
            return
        self._seen = b""
        self._installers.renew()
        self.changed = False
        as_wanted = True
        for number in FAULTS:
            handler, flags = platform.signal_action(number)
            if not any(copy.address == handler for copy in self._copies):
                as_wanted = False
                with self._lock:
                    self._put_on_top(number, handler, flags)
            elif not flags & platform.SA_SIGINFO:  # somebody put it back without
                as_wanted = False
                platform.set_signal_action(number, handler, flags | _FLAGS)
        if as_wanted:
            self._seen = actions

    def _put_on_top(self, number: int, handler: int, flags: int) -> None:
        copy = self._copy_for(number, handler, flags)
        if copy is self._copies[0]:
            platform.copy_signal_action(number, process.given_actions + GIVEN_ACTION_SIZE * number)
        flags = _FLAGS | flags & platform.SA_RESTART
        try:
            platform.set_signal_action(number, copy.address, flags)
            installed = platform.signal_action(number)[0]
        except OSError as error:
            raise PluginError(f"a handler for signal {number} is refused ({error})") from error
        if installed != copy.address:
            raise PluginError(f"a handler for signal {number} is refused")

    def _copy_for(self, number: int, handler: int, flags: int) -> FaultHandler:
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

"""Waiting for clocks and files."""

from __future__ import annotations

import os
import sys
import time

from wasmcore_wasi import rights as right
from wasmcore_wasi.descriptors import Descriptor
from wasmcore_wasi.errors import BADF, INVAL, NOTSUP, SUCCESS, Failure
from wasmcore_wasi.guest import Guest
from wasmcore_wasi.layout import (
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    EVENT,
    EVENTRWFLAGS_HANGUP,
    EVENTTYPE_CLOCK,
    EVENTTYPE_FD_READ,
    EVENTTYPE_FD_WRITE,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    SUBCLOCKFLAGS_ABSTIME,
    SUBSCRIPTION,
    U32,
    U32_MASK,
)
from wasmcore_wasi.memory import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SUBSCRIPTIONS_MAX: Final = 4096
"""Subscriptions in one call; more are INVAL."""
_PIECE: Final = 3_600_000_000_000
"""Longest single wait in ns, within the limits of every system call."""


class Event:
    """What a subscription gives."""

    __slots__ = ("available", "error", "event_type", "flags", "user_data")

    def __init__(self, user_data: int, error: int, event_type: int, available: int = 0) -> None:
        self.user_data = user_data
        self.error = error
        self.event_type = event_type
        self.available = available
        self.flags = 0


class _Wait:
    """The subscriptions of one call that are not answered yet, and the events of the others."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.deadlines: list[tuple[int, Event]] = []
        """Times of the monotonic clock of the host, in ns."""
        self.files: list[tuple[Descriptor, Event]] = []


def poll_oneoff(guest: Guest, subscriptions: int, events: int, count: int, result: int) -> None:
    """Wait until at least one subscription has an event; events and their number."""
    memory = guest.memory()
    count &= U32_MASK
    if not 0 < count <= SUBSCRIPTIONS_MAX:
        raise Failure(INVAL)
    span(memory, events, count * EVENT.size)
    guest.writable(result, U32.size)
    wanted = bytes(span(memory, subscriptions, count * SUBSCRIPTION.size))
    memory.release()
    wait = _Wait()
    for user_data, event_type, which, timeout, _precision, flags in SUBSCRIPTION.iter_unpack(wanted):
        if event_type == EVENTTYPE_CLOCK:
            _subscribe_clock(guest, wait, user_data, which, timeout, flags)
        elif event_type in (EVENTTYPE_FD_READ, EVENTTYPE_FD_WRITE):
            _subscribe_file(guest, wait, user_data, which, event_type)
        else:
            raise Failure(INVAL)
    _finish(wait)
    memory = guest.memory()
    for index, event in enumerate(wait.events):
        address = (events & U32_MASK) + index * EVENT.size
        EVENT.pack_into(memory, address, event.user_data, event.error, event.event_type, event.available, event.flags)
    U32.pack_into(memory, result & U32_MASK, len(wait.events))


def _subscribe_clock(guest: Guest, wait: _Wait, user_data: int, clock: int, timeout: int, flags: int) -> None:
    if clock not in (CLOCK_REALTIME, CLOCK_MONOTONIC):
        wait.events.append(Event(user_data, NOTSUP if clock <= 3 else INVAL, EVENTTYPE_CLOCK))
        return
    if flags & SUBCLOCKFLAGS_ABSTIME:
        timeout = max(0, timeout - guest.now(clock))
    wait.deadlines.append((time.monotonic_ns() + timeout, Event(user_data, SUCCESS, EVENTTYPE_CLOCK)))


def _subscribe_file(guest: Guest, wait: _Wait, user_data: int, fd: int, event_type: int) -> None:
    try:
        descriptor = guest.files.get(fd)
        if not descriptor.directory and descriptor.filetype != FILETYPE_REGULAR_FILE:
            guest.files.get(fd, right.POLL_FD_READWRITE)
    except Failure as failure:
        wait.events.append(Event(user_data, failure.errno, event_type))
        return
    if descriptor.host < 0:
        wait.events.append(Event(user_data, SUCCESS, event_type, 1))
    elif descriptor.filetype in (FILETYPE_REGULAR_FILE, FILETYPE_DIRECTORY):
        wait.events.append(Event(user_data, SUCCESS, event_type, _remaining(descriptor)))
    else:
        wait.files.append((descriptor, Event(user_data, SUCCESS, event_type)))


def _remaining(descriptor: Descriptor) -> int:
    """Bytes between the position and the end of a file."""
    if descriptor.directory:
        return 0
    return max(0, os.fstat(descriptor.host).st_size - os.lseek(descriptor.host, 0, os.SEEK_CUR))


def _finish(wait: _Wait) -> None:
    """Wait, unless there are events already, and collect what is due."""
    while True:
        now = time.monotonic_ns()
        timeout = 0 if wait.events else min([deadline for deadline, _ in wait.deadlines] + [now + _PIECE]) - now
        timeout = max(0, min(timeout, _PIECE))
        if wait.files:
            _poll_files(wait, timeout)
        elif timeout:
            time.sleep(timeout / 1e9)
        now = time.monotonic_ns()
        wait.events += [event for deadline, event in wait.deadlines if deadline <= now]
        if wait.events:
            return


def _poll_files(wait: _Wait, timeout: int) -> None:
    import select

    poll = select.poll()
    interest: dict[int, int] = {}
    for descriptor, event in wait.files:
        mask = select.POLLIN if event.event_type == EVENTTYPE_FD_READ else select.POLLOUT
        interest[descriptor.host] = interest.get(descriptor.host, 0) | mask
    for host, mask in interest.items():
        poll.register(host, mask)
    ready = dict(poll.poll(-(-timeout // 1_000_000)))
    for descriptor, event in wait.files:
        found = ready.get(descriptor.host, 0)
        reads = event.event_type == EVENTTYPE_FD_READ
        if found & select.POLLNVAL:
            event.error = BADF
            wait.events.append(event)
        elif found & ((select.POLLIN if reads else select.POLLOUT) | select.POLLHUP | select.POLLERR):
            event.available = _waiting(descriptor.host) if reads else 0
            event.flags = EVENTRWFLAGS_HANGUP if found & (select.POLLHUP | select.POLLERR) else 0
            wait.events.append(event)


def _waiting(host: int) -> int:
    """Bytes that can be read from a terminal, pipe or socket now."""
    from fcntl import ioctl
    from termios import FIONREAD

    try:
        return int.from_bytes(ioctl(host, FIONREAD, bytes(4)), sys.byteorder)
    except OSError:
        return 1

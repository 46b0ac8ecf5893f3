"""Waiting: clocks, files, limits."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeGuest = Callable[..., Any]
READ, WRITE = 1, 2


def clock(user_data: int, timeout: int, *, clock: int = 1, flags: int = 0) -> bytes:
    return struct.pack("<QB7xI4xQQH6x", user_data, 0, clock, timeout, 0, flags)


def file(user_data: int, fd: int, event_type: int) -> bytes:
    return struct.pack("<QB7xI28x", user_data, event_type, fd)


def poll(guest: Any, *subscriptions: bytes) -> list[tuple[int, ...]]:
    """(user data, error, event type, bytes, flags) of the events."""
    address, _ = guest.put(b"".join(subscriptions))
    events = guest.space(32 * len(subscriptions))
    guest.ok("poll_oneoff", address, events, len(subscriptions), 8)
    return [struct.unpack_from("<QHB5xQH6x", guest.bytes, events + 32 * index) for index in range(guest.u32(8))]


def test_layouts() -> None:
    assert len(clock(0, 0)) == len(file(0, 0, 1)) == 48


def test_sleeping(make_guest: MakeGuest) -> None:
    guest = make_guest()
    for flags, which, now in ((0, 1, 0), (0, 0, 0), (1, 1, time.monotonic_ns), (1, 0, time.time_ns)):
        start = time.monotonic()
        base = now() if callable(now) else now
        wanted = [clock(index, base + timeout, clock=which, flags=flags) for index, timeout in enumerate((10**18, 30_000_000))]
        assert poll(guest, *wanted) == [(1, 0, 0, 0, 0)]
        assert time.monotonic() - start >= 0.029
    assert poll(guest, clock(1, 0), clock(2, 1, flags=1), clock(3, (1 << 64) - 1)) == [(1, 0, 0, 0, 0), (2, 0, 0, 0, 0)]
    assert poll(guest, clock(1, 0, clock=9), clock(2, 0, clock=2)) == [(1, 28, 0, 0, 0), (2, 58, 0, 0, 0)]


def test_a_long_sleep_can_be_interrupted(make_guest: MakeGuest, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(seconds: float) -> None:
        assert 0 < seconds <= 3600
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    guest = make_guest()
    with pytest.raises(KeyboardInterrupt) as caught:
        poll(guest, clock(1, (1 << 64) - 1))
    assert caught.value.__traceback__ is not None
    guest.bytes.append(0)


def test_files(make_guest: MakeGuest, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    read_end, write_end = os.pipe()
    try:
        guest = make_guest(stdin=read_end, stdout=write_end, dirs={"/": tmp_path})
        fd = guest.open("file")
        guest.read(fd, 1)
        assert poll(guest, file(1, fd, READ), clock(2, 10**18)) == [(1, 0, READ, 2, 0)]
        assert poll(guest, file(1, 99, READ)) == [(1, 8, READ, 0, 0)]
        start = time.monotonic()
        assert poll(guest, file(1, 0, READ), clock(2, 30_000_000)) == [(2, 0, 0, 0, 0)]
        assert time.monotonic() - start >= 0.029
        assert poll(guest, file(3, 1, WRITE), file(4, 0, READ)) == [(3, 0, WRITE, 0, 0)]
        timer = threading.Timer(0.03, os.write, (write_end, b"hello"))
        timer.start()
        assert poll(guest, file(5, 0, READ), clock(6, 10**11)) == [(5, 0, READ, 5, 0)]
        timer.join()
        os.read(read_end, 5)
        os.close(write_end)
        assert poll(guest, file(5, 0, READ), clock(6, 10**11)) == [(5, 0, READ, 0, 1)]
        assert poll(guest, file(5, 1, WRITE)) == [(5, 8, WRITE, 0, 0)]
        write_end = os.dup(read_end)
    finally:
        os.close(read_end)
        os.close(write_end)


def test_objects_are_always_ready(make_guest: MakeGuest) -> None:
    import io

    assert poll(make_guest(stdin=io.BytesIO(), stdout=io.BytesIO()), file(1, 0, READ), file(2, 1, WRITE)) == [
        (1, 0, 1, 1, 0),
        (2, 0, 2, 1, 0),
    ]


def test_limits(make_guest: MakeGuest) -> None:
    guest = make_guest()
    assert guest.call("poll_oneoff", 0, 0, 0, 8) == 28
    assert guest.call("poll_oneoff", 0, 0, -1, 8) == 28
    assert guest.call("poll_oneoff", 0, 0, 4097, 8) == 28
    assert guest.call("poll_oneoff", 0, 0, 4096, 8) == 21
    assert guest.call("poll_oneoff", 0, 1000, 1, -1) == 21
    address, _ = guest.put(file(1, 0, 3))
    assert guest.call("poll_oneoff", address, 1000, 1, 8) == 28

"""Arguments, environment, random bytes and clocks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

MakeGuest = Callable[..., Any]


@pytest.mark.parametrize(
    ("option", "names", "value", "expected"),
    [
        ("args", ("args_sizes_get", "args_get"), ["program", "", "ü"], [b"program", b"", "ü".encode()]),
        ("env", ("environ_sizes_get", "environ_get"), {"A": "1", "B": "x=y"}, [b"A=1", b"B=x=y"]),
        ("args", ("args_sizes_get", "args_get"), [], []),
    ],
)
def test_strings(make_guest: MakeGuest, option: str, names: tuple[str, str], value: object, expected: list[bytes]) -> None:
    guest = make_guest(**{option: value})
    guest.ok(names[0], 16, 20)
    assert guest.u32(16) == len(expected)
    assert guest.u32(20) == sum(len(string) + 1 for string in expected)
    guest.ok(names[1], 1000, 2000)
    for index, string in enumerate(expected):
        address = guest.u32(1000 + 4 * index)
        assert bytes(guest.bytes[address : address + len(string) + 1]) == string + b"\0"
    if expected:
        assert guest.call(names[1], len(guest.bytes) - 2, 2000) == 21
        assert guest.call(names[1], 1000, len(guest.bytes) - 2) == 21


def test_random_is_injectable_and_bounded(make_guest: MakeGuest) -> None:
    asked = []

    def random(count: int) -> bytes:
        asked.append(count)
        return bytes([len(asked)]) * count

    guest = make_guest(size=1 << 18, random=random)
    guest.ok("random_get", 5, 200_000)
    assert asked == [65536, 65536, 65536, 3392]
    assert guest.bytes[4] == 0 and guest.bytes[5] == 1 and guest.bytes[5 + 199_999] == 4 and guest.bytes[5 + 200_000] == 0
    assert guest.call("random_get", 0, 0xFFFFFFFF) == 21
    assert len(asked) == 4
    assert make_guest(random=lambda count: b"").call("random_get", 0, 8) == 29


def test_clocks(make_guest: MakeGuest) -> None:
    guest = make_guest(clock=lambda clock: 10**18 + clock)
    for clock in range(4):
        guest.ok("clock_time_get", clock, 0, 8)
        assert guest.u64(8) == 10**18 + clock
        guest.ok("clock_res_get", clock, 8)
        assert 1 <= guest.u64(8) <= 10**8
    for clock in (4, -1, 1 << 31):
        assert guest.call("clock_time_get", clock, 0, 8) == 28
        assert guest.call("clock_res_get", clock, 8) == 28
    guest = make_guest()
    guest.ok("clock_time_get", 0, 0, 8)
    assert abs(guest.u64(8) - time.time_ns()) < 10**10
    guest.ok("sched_yield")

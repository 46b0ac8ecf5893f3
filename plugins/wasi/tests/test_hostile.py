"""Arguments that no honest program passes: every function answers with an error number."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasmcore_wasi import Exit
from wasmcore_wasi.errors import ERRNO_NAMES, errno_of
from wasmcore_wasi.functions import FUNCTIONS

MakeGuest = Callable[..., Any]
SIZE = 1 << 17
WORDS = st.one_of(
    st.sampled_from([0, 1, 3, 4, 8, 64, 1000, SIZE - 4, SIZE - 1, SIZE, SIZE + 1, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, (1 << 32) - 8]),
    st.integers(0, 200),
    st.integers(0, (1 << 32) - 1),
)
LONG_WORDS = st.one_of(st.sampled_from([0, 1, 1 << 63, (1 << 63) - 1, (1 << 64) - 1, (1 << 30) - 1]), st.integers(0, (1 << 64) - 1))
# Nothing that would use the disk or wait as long as it is told to.
NAMES = sorted(set(FUNCTIONS) - {"fd_allocate", "fd_filestat_set_size", "poll_oneoff", "fd_pwrite", "fd_sync", "fd_datasync"})


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[int]]:
    name = draw(st.sampled_from(NAMES))
    return name, [draw(WORDS if letter == "i" else LONG_WORDS) for letter in FUNCTIONS[name][0]]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(calls(), max_size=12), st.binary(max_size=300))
def test_any_call_gives_an_error_number(
    make_guest: MakeGuest, tmp_path: Path, sequence: list[tuple[str, list[int]]], contents: bytes
) -> None:
    guest = make_guest(
        size=SIZE, stdin=io.BytesIO(b"x" * 100), stdout=io.BytesIO(), stderr=io.BytesIO(), dirs={"/": tmp_path}, args=["a"], env={"b": "c"}
    )
    guest.bytes[: len(contents)] = contents
    for name, arguments in sequence:
        try:
            result = guest.call(name, *arguments)
        except Exit:
            assert name == "proc_exit"
        else:
            assert name != "proc_exit" and type(result) is int and 0 <= result < len(ERRNO_NAMES)
    assert len(guest.bytes) == SIZE


@pytest.mark.parametrize("name", ["fd_read", "fd_write"])
def test_iovecs(make_guest: MakeGuest, name: str) -> None:
    fd = 0 if name == "fd_read" else 1
    guest = make_guest(stdin=io.BytesIO(), stdout=io.BytesIO())
    size = len(guest.bytes)
    assert guest.call(name, fd, size - 4, 1, 8) == 21
    assert guest.call(name, fd, -8, 1, 8) == 21
    assert guest.call(name, fd, 0, -1, 8) == 21
    assert guest.call(name, fd, 0, 1 << 29, 8) == 21
    assert guest.call(name, fd, 0, 1025, 8) == 28
    guest.ok(name, fd, 16, 1024, 8)
    for address, length in ((size - 1, 2), (size, 1), (0xFFFFFFFF, 1), (1, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF)):
        table, _ = guest.put(address.to_bytes(4, "little") + length.to_bytes(4, "little") + bytes(8))
        assert guest.call(name, fd, table, 1, 8) == 21
        assert guest.call(name, fd, table, 2, 8) == 21
    assert guest.call(name, fd, 16, 1, size - 3) == 21


def test_error_numbers() -> None:
    assert len(ERRNO_NAMES) == 77
    numbers = {"ENOENT": 44, "EPIPE": 64, "EXDEV": 75, "EOPNOTSUPP": 58, "ENOTSUP": 58, "EWOULDBLOCK": 6, "EAGAIN": 6, "ELOOP": 32}
    import errno

    for name, number in numbers.items():
        assert errno_of(OSError(getattr(errno, name), "")) == number
    assert errno_of(OSError("no number")) == 29
    assert errno_of(io.UnsupportedOperation("x")) == 29


def test_too_many_open_files_is_an_error_number(make_guest: MakeGuest, tmp_path: Path) -> None:
    import resource

    guest = make_guest(dirs={"/": tmp_path})
    (tmp_path / "file").touch()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        results = {guest.try_open("file")[0] for _ in range(300)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert results == {0, 33}

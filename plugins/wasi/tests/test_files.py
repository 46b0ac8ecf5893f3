"""Open files: streams, positions, status, rights, numbers."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeGuest = Callable[..., Any]
FD_READ, FD_SEEK, FD_WRITE = 1 << 1, 1 << 2, 1 << 6
CREATE, TRUNCATE = 1, 8
ALL_RIGHTS = (1 << 30) - 1


def test_streams_can_be_descriptors_and_objects(make_guest: MakeGuest, tmp_path: Path) -> None:
    output = io.BytesIO()
    with open(tmp_path / "err", "wb", buffering=0) as err:
        guest = make_guest(stdin=io.BytesIO(b"input"), stdout=output, stderr=err.fileno())
        assert guest.write(1, b"one ", b"", b"two") == (0, 7)
        assert guest.write(2, b"one ", b"", b"two") == (0, 7)
        assert guest.read(0, 3) == (0, b"inp")
        assert guest.read(0, 3) == (0, b"ut")
        assert guest.read(0, 3) == (0, b"")
        assert guest.write(0, b"x")[0] == 76
        assert guest.read(1)[0] == 76
        for fd in range(3):
            guest.ok("fd_fdstat_get", fd, 8)
            guest.ok("fd_filestat_get", fd, 64)
        assert guest.call("fd_seek", 0, 0, 0, 8) == 76
        assert guest.call("fd_pread", 0, 8, 0, 0, 8) == 76
        guest.ok("fd_sync", 1)
        assert guest.call("fd_filestat_set_times", 1, 0, 0, 0) == 58
        guest.ok("fd_close", 2)
        os.fstat(err.fileno())
    assert output.getvalue() == b"one two" == (tmp_path / "err").read_bytes()


def test_streams_that_only_read_or_write(make_guest: MakeGuest) -> None:
    class Reader:
        def read(self, count: int) -> bytes:
            return b"abc"[:count]

    class Writer:
        def __init__(self) -> None:
            self.pieces: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.pieces.append(data)

    writer = Writer()
    guest = make_guest(size=1 << 18, stdin=Reader(), stdout=writer)
    assert guest.read(0, 2) == (0, b"ab")
    assert guest.write(1, bytes(100_000), b"x") == (0, 100_001)
    assert list(map(len, writer.pieces)) == [65536, 34464, 1]


def test_broken_streams_are_errors_not_exceptions(make_guest: MakeGuest) -> None:
    class Broken(io.RawIOBase):
        def write(self, data: object) -> int:
            raise RuntimeError("broken")

        def readinto(self, data: object) -> None:
            return None

    class Full(io.RawIOBase):
        def write(self, data: Any) -> int:
            return min(2, len(data))

    closed = io.BytesIO()
    closed.close()
    guest = make_guest(stdin=Broken(), stdout=closed, stderr=Broken())
    assert guest.read(0)[0] == 6
    assert guest.write(1, b"x")[0] == 29
    assert guest.write(2, b"x")[0] == 29
    assert make_guest(stdout=Full()).write(1, b"xyz", b"w") == (0, 2)
    read_end, write_end = os.pipe()
    os.close(read_end)
    assert make_guest(stdout=write_end).write(1, b"x")[0] == 64
    os.close(write_end)
    assert make_guest(stdout=write_end).write(1, b"x")[0] == 8


def test_keyboard_interrupt_comes_through_and_holds_no_memory(make_guest: MakeGuest) -> None:
    class Interrupted(io.RawIOBase):
        def readinto(self, data: object) -> int:
            raise KeyboardInterrupt

    guest = make_guest(stdin=Interrupted())
    with pytest.raises(KeyboardInterrupt) as caught:
        guest.read(0)
    assert caught.value.__traceback__ is not None
    guest.bytes.append(0)


def test_positions(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/": tmp_path})
    fd = guest.open("file", oflags=CREATE, rights=ALL_RIGHTS)
    assert guest.write(fd, b"0123456789") == (0, 10)
    for offset, whence, expected in ((2, 0, 2), (3, 1, 5), (-1, 2, 9), (0, 1, 9)):
        guest.ok("fd_seek", fd, offset, whence, 8)
        assert guest.u64(8) == expected
    assert guest.call("fd_seek", fd, -100, 1, 8) == 28
    assert guest.call("fd_seek", fd, 0, 3, 8) == 28
    guest.ok("fd_tell", fd, 8)
    assert guest.u64(8) == 9
    assert guest.read(fd) == (0, b"9")
    table, count, buffers = guest.iovecs(2, 3)
    guest.ok("fd_pread", fd, table, count, 4, 8)
    assert guest.u32(8) == 5 and guest.bytes[buffers[0] : buffers[0] + 2] == b"45" and guest.bytes[buffers[1] : buffers[1] + 3] == b"678"
    guest.ok("fd_pwrite", fd, table, count, 0, 8)
    assert (tmp_path / "file").read_bytes() == b"4567856789"
    assert guest.call("fd_pread", fd, table, count, -1, 8) == 28
    guest.ok("fd_filestat_set_size", fd, 3)
    assert (tmp_path / "file").read_bytes() == b"456"
    assert guest.call("fd_filestat_set_size", fd, 1 << 63) == 28
    guest.ok("fd_allocate", fd, 0, 100)
    assert (tmp_path / "file").stat().st_size == 100
    assert guest.call("fd_allocate", fd, 0, 0) == 28
    assert guest.call("fd_allocate", fd, 1 << 62, 1 << 62) in (22, 28)
    for advice in range(6):
        guest.ok("fd_advise", fd, 0, 10, advice)
    assert guest.call("fd_advise", fd, 0, 10, 6) == 28
    guest.ok("fd_sync", fd)
    guest.ok("fd_datasync", fd)


def test_structures(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/data": tmp_path, "ünï": tmp_path})
    guest.ok("fd_prestat_get", 4, 8)
    assert struct.unpack_from("<II", guest.bytes, 8) == (0, 5)
    guest.ok("fd_prestat_dir_name", 4, 16, 5)
    assert bytes(guest.bytes[16:22]) == "ünï\0".encode()
    assert guest.call("fd_prestat_dir_name", 4, 16, 4) == 37
    assert guest.call("fd_prestat_get", 5, 8) == 8
    assert guest.call("fd_prestat_get", 0, 8) == 8
    fd = guest.open("file", oflags=CREATE, rights=FD_WRITE | FD_READ, fdflags=1)
    guest.ok("fd_fdstat_get", fd, 8)
    assert struct.unpack_from("<BxHxxxxQQ", guest.bytes, 8) == (4, 1, FD_WRITE | FD_READ, 0)
    guest.ok("fd_fdstat_get", 3, 8)
    filetype, flags, rights, inheriting = struct.unpack_from("<BxHxxxxQQ", guest.bytes, 8)
    assert (filetype, flags, inheriting) == (3, 0, ALL_RIGHTS)
    assert not rights & FD_READ
    guest.write(fd, b"abc")
    address, length = guest.path("file")
    guest.ok("path_filestat_get", 3, 0, address, length, 1000)
    status = (tmp_path / "file").stat()
    expected = (status.st_dev, status.st_ino, 4, 1, 3, status.st_atime_ns, status.st_mtime_ns, status.st_ctime_ns)
    assert struct.unpack_from("<QQB7xQQQQQ", guest.bytes, 1000) == expected
    assert guest.call("fd_filestat_get", fd, 1000) == 76
    guest.ok("fd_filestat_get", 3, 1000)
    assert guest.bytes[1016] == 3


def test_times(make_guest: MakeGuest, tmp_path: Path) -> None:
    now = 1_700_000_000_000_000_001
    guest = make_guest(dirs={"/": tmp_path}, clock=lambda _: now)
    fd = guest.open("file", oflags=CREATE)
    file = tmp_path / "file"
    guest.ok("fd_filestat_set_times", fd, 5, 7, 1 | 4)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (5, 7)
    guest.ok("fd_filestat_set_times", fd, 9, 9, 8)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (5, now)
    assert guest.call("fd_filestat_set_times", fd, 5, 7, 1 | 2) == 28
    assert guest.call("fd_filestat_set_times", fd, 5, 7, 4 | 8) == 28
    assert guest.call("fd_filestat_set_times", fd, 5, 7, 16) == 28
    address, length = guest.path("file")
    guest.ok("path_filestat_set_times", 3, 0, address, length, 11, 0, 1)
    assert (file.stat().st_atime_ns, file.stat().st_mtime_ns) == (11, now)
    (tmp_path / "link").symlink_to("file")
    address, length = guest.path("link")
    guest.ok("path_filestat_set_times", 3, 0, address, length, 13, 13, 5)
    assert file.stat().st_atime_ns == 11
    guest.ok("path_filestat_set_times", 3, 1, address, length, 13, 13, 5)
    assert file.stat().st_atime_ns == 13


def test_lowest_number_is_used(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/": tmp_path})
    assert [guest.open("file", oflags=CREATE) for _ in range(4)] == [4, 5, 6, 7]
    guest.ok("fd_close", 6)
    guest.ok("fd_close", 4)
    assert guest.call("fd_close", 4) == 8
    assert guest.call("fd_close", -1) == 8
    assert [guest.open("file") for _ in range(3)] == [4, 6, 8]
    guest.ok("fd_close", 1)
    assert guest.open("file") == 1


def test_renumber(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/": tmp_path})
    (tmp_path / "a").write_bytes(b"A")
    (tmp_path / "b").write_bytes(b"B")
    guest.open("a")
    guest.open("b")
    guest.ok("fd_renumber", 4, 5)
    assert guest.read(5) == (0, b"A")
    assert guest.read(4)[0] == 8
    assert guest.call("fd_renumber", 4, 5) == 8
    assert guest.call("fd_renumber", 5, 99) == 8
    guest.ok("fd_renumber", 5, 5)
    assert guest.open("b") == 4


def test_flags(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/": tmp_path})
    fd = guest.open("file", oflags=CREATE, rights=ALL_RIGHTS)
    guest.write(fd, b"abc")
    guest.ok("fd_fdstat_set_flags", fd, 1)
    guest.ok("fd_seek", fd, 0, 0, 8)
    guest.write(fd, b"d")
    assert (tmp_path / "file").read_bytes() == b"abcd"
    guest.ok("fd_fdstat_get", fd, 8)
    assert guest.bytes[10] == 1
    assert guest.call("fd_fdstat_set_flags", fd, 16) == 28
    guest.ok("fd_fdstat_set_flags", 1, 0)
    assert guest.call("fd_fdstat_set_flags", 1, 4) == 58


def test_rights(make_guest: MakeGuest, tmp_path: Path) -> None:
    guest = make_guest(dirs={"/": tmp_path})
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "sub").mkdir()
    reader = guest.open("file", rights=FD_READ)
    assert guest.read(reader) == (0, b"abc")
    assert guest.write(reader, b"x")[0] == 76
    assert guest.call("fd_seek", reader, 0, 0, 8) == 76
    assert guest.call("fd_filestat_get", reader, 8) == 76
    assert guest.read(guest.open("file", rights=FD_WRITE))[0] == 76
    path = guest.path("x")
    assert guest.call("path_create_directory", reader, *path) == 54
    assert guest.read(3)[0] == 31
    assert guest.call("fd_fdstat_set_rights", reader, FD_READ | FD_SEEK, 0) == 76
    guest.ok("fd_fdstat_set_rights", reader, 0, 0)
    assert guest.read(reader)[0] == 76
    sub = guest.open("sub", oflags=2, inheriting=FD_READ)
    assert guest.try_open("x", fd=sub, oflags=CREATE, rights=FD_WRITE, inheriting=0)[0] == 76
    narrow = guest.open("sub", oflags=2, rights=1 << 13)
    assert guest.try_open("x", fd=narrow, oflags=CREATE, rights=FD_WRITE, inheriting=0)[0] == 76
    assert guest.call("path_create_directory", narrow, *path) == 76
    assert guest.try_open("file", oflags=TRUNCATE, rights=FD_READ)[0] == 0


def test_device(make_guest: MakeGuest) -> None:
    guest = make_guest(dirs={"/": "/dev"})
    fd = guest.open("null", rights=ALL_RIGHTS)
    guest.ok("fd_fdstat_get", fd, 8)
    assert guest.bytes[8] == 2
    assert guest.u64(16) & FD_SEEK  # so a C program does not take it for a terminal
    assert guest.write(fd, b"x") == (0, 1)
    assert guest.read(fd) == (0, b"")

"""Directories, links, renaming."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeGuest = Callable[..., Any]


@pytest.fixture
def guest(make_guest: MakeGuest, tmp_path: Path) -> Any:
    (tmp_path / "root").mkdir()
    return make_guest(dirs={"/": tmp_path / "root"})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def do(guest: Any, name: str, *parts: int | str) -> int:
    """Call with paths as strings."""
    arguments: list[int] = []
    for part in parts:
        arguments += guest.path(part) if isinstance(part, str) else [part]
    return int(guest.call(name, *arguments))


def read_directory(guest: Any, fd: int, size: int) -> list[tuple[bytes, int, int]]:
    """(name, file type, inode), as the C library reads it: from the cookie of the last entry that was whole."""
    buffer = guest.space(size)
    cookie, found = 0, []
    while True:
        guest.ok("fd_readdir", fd, buffer, size, cookie, 8)
        used = guest.u32(8)
        data = bytes(guest.bytes[buffer : buffer + used])
        position = 0
        while position + 24 <= used:
            following, inode, length, filetype = struct.unpack_from("<QQIB", data, position)
            if position + 24 + length > used:
                break
            found.append((data[position + 24 : position + 24 + length], filetype, inode))
            cookie = following
            position += 24 + length
        if used < size:
            return found


@pytest.mark.parametrize("size", [300, 333, 1000, 100_000])
def test_readdir_with_any_buffer(guest: Any, root: Path, size: int) -> None:
    names = [f"{'n' * (i % 200)}{i}" for i in range(300)]
    for name in names:
        (root / name).touch()
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to("nowhere")
    (root / "sub").mkdir()
    found = read_directory(guest, guest.open(".", oflags=2), size)
    assert sorted(name.decode() for name, _, _ in found) == sorted([*names, ".", "..", "pipe", "link", "sub"])
    types = {name: filetype for name, filetype, _ in found}
    assert (types[b"."], types[b".."], types[b"pipe"], types[b"link"], types[b"sub"], types[b"n1"]) == (3, 3, 0, 7, 3, 4)
    inodes = {name: inode for name, _, inode in found}
    assert inodes[b"n1"] == (root / "n1").stat().st_ino
    assert inodes[b".."] == inodes[b"."] == root.stat().st_ino


def test_readdir_sees_a_stable_list_until_it_starts_again(guest: Any, root: Path) -> None:
    for name in "abc":
        (root / name).touch()
    guest.ok("fd_readdir", 3, 1000, 10_000, 0, 8)
    for name in "abc":
        (root / name).unlink()
    guest.ok("fd_readdir", 3, 1000, 10_000, 2, 8)
    assert guest.u32(8) == 3 * 25
    guest.ok("fd_readdir", 3, 1000, 10_000, 0, 8)
    assert guest.u32(8) == 24 + 1 + 24 + 2
    for cookie in (99, -1):
        guest.ok("fd_readdir", 3, 1000, 10_000, cookie, 8)
        assert guest.u32(8) == 0
    guest.ok("fd_readdir", 3, 1000, 10, 0, 8)
    assert guest.u32(8) == 10
    assert guest.call("fd_readdir", 3, 1000, -1, 0, 8) == 21


def test_making_and_removing(guest: Any, root: Path) -> None:
    assert do(guest, "path_create_directory", 3, "a") == 0
    assert do(guest, "path_create_directory", 3, "a") == 20
    assert do(guest, "path_create_directory", 3, "a/b//") == 0
    assert do(guest, "path_create_directory", 3, "x/y") == 44
    assert do(guest, "path_create_directory", 3, ".") == 20
    assert do(guest, "path_create_directory", 3, "") == 44
    assert do(guest, "path_remove_directory", 3, "a") == 55
    assert do(guest, "path_remove_directory", 3, "a/b/") == 0
    (root / "a/file").touch()
    assert do(guest, "path_remove_directory", 3, "a/file") == 54
    assert do(guest, "path_unlink_file", 3, "a/file/") == 54
    assert do(guest, "path_unlink_file", 3, "a") == 31
    assert do(guest, "path_unlink_file", 3, "a/") == 31
    assert do(guest, "path_unlink_file", 3, "./a/../a/./file") == 0
    assert do(guest, "path_unlink_file", 3, "a/file") == 44
    assert do(guest, "path_remove_directory", 3, ".") != 0
    assert os.listdir(root) == ["a"]


def test_renaming(guest: Any, root: Path) -> None:
    (root / "file").write_bytes(b"1")
    (root / "sub").mkdir()
    assert do(guest, "path_rename", 3, "file", 3, "sub/new") == 0
    assert (root / "sub/new").read_bytes() == b"1"
    assert do(guest, "path_rename", 3, "file", 3, "x") == 44
    assert do(guest, "path_rename", 3, "sub/new/", 3, "x") == 54
    assert do(guest, "path_rename", 3, "sub/new", 3, "x/") == 54
    assert do(guest, "path_rename", 3, "sub/", 3, "moved/") == 0
    assert do(guest, "path_rename", 3, "moved", 3, "moved/inside") == 28
    assert os.listdir(root) == ["moved"]


def test_links(guest: Any, root: Path) -> None:
    (root / "file").write_bytes(b"1")
    (root / "sub").mkdir()
    assert do(guest, "path_symlink", "../file", 3, "sub/link") == 0
    assert do(guest, "path_symlink", "../file", 3, "sub/link") == 20
    assert do(guest, "path_symlink", "/etc", 3, "absolute") == 63
    assert do(guest, "path_symlink", "file", 3, "new/") == 44
    buffer = guest.space(16)
    assert do(guest, "path_readlink", 3, "sub/link", buffer, 16, 8) == 0
    assert bytes(guest.bytes[buffer : buffer + guest.u32(8)]) == b"../file"
    assert do(guest, "path_readlink", 3, "sub/link", buffer, 3, 8) == 0
    assert guest.u32(8) == 3
    assert do(guest, "path_readlink", 3, "file", buffer, 16, 8) == 28
    assert do(guest, "path_link", 3, 0, "file", 3, "hard") == 0
    assert (root / "hard").stat().st_nlink == 2
    assert do(guest, "path_link", 3, 0, "file", 3, "new/") == 44
    assert do(guest, "path_link", 3, 0, "file/", 3, "new") == 54
    assert do(guest, "path_link", 3, 0, "sub", 3, "new") == 63
    assert do(guest, "path_link", 3, 0, "sub/link", 3, "linklink") == 0
    assert (root / "linklink").is_symlink()
    assert do(guest, "path_link", 3, 1, "sub/link", 3, "followed") == 0
    assert (root / "followed").stat().st_nlink == 3
    assert guest.read(guest.open("sub/link")) == (0, b"1")
    assert guest.try_open("sub/link", lookup=0)[0] == 32
    assert do(guest, "path_filestat_get", 3, 1, "sub/link/", 1000) == 54
    assert do(guest, "path_unlink_file", 3, "sub/link/") == 54
    assert do(guest, "path_unlink_file", 3, "sub/link") == 0
    assert (root / "file").exists()


def test_opening(guest: Any, root: Path) -> None:
    (root / "file").write_bytes(b"1")
    (root / "sub").mkdir()
    (root / "to-sub").symlink_to("sub")
    (root / "dangling").symlink_to("sub/made")
    assert guest.try_open("file/")[0] == 54
    assert guest.try_open("file/.")[0] == 54
    assert guest.try_open("file/..")[0] == 54
    assert guest.try_open("file", oflags=2)[0] == 54
    assert guest.try_open("new/", oflags=1)[0] == 31
    assert guest.try_open("sub", rights=(1 << 30) - 1)[0] == 31
    assert guest.try_open("sub", oflags=1 | 2)[0] == 28
    assert guest.try_open("file", oflags=1 | 4)[0] == 20
    assert guest.try_open("dangling", oflags=1 | 4)[0] == 20
    assert guest.try_open("dangling")[0] == 44
    guest.open("dangling", oflags=1)
    assert (root / "sub/made").exists()
    guest.open("to-sub/", lookup=0)
    guest.open("to-sub/../to-sub//./made")
    assert guest.read(guest.open("file", oflags=8, rights=2)) == (0, b"")
    for options in ({"oflags": 16}, {"fdflags": 32}, {"fdflags": 1 << 31}):
        assert guest.try_open("file", **options)[0] == 28
    assert guest.try_open("n" * 256)[0] == 37
    assert guest.try_open("n/" * 2049)[0] == 37
    assert guest.call("path_open", 3, 0, *guest.path("file"), 0, 2, 0, 0, len(guest.bytes) - 2) == 21

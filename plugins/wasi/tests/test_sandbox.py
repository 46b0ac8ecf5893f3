"""No path leads out of a preopened directory."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wasmcore_wasi.errors import PERM, SUCCESS, Failure, errno_of
from wasmcore_wasi.paths import Location

MakeGuest = Callable[..., Any]
SECRET = b"secret"
LINKS = {
    "up": "..",
    "up-up": "../..",
    "absolute": "/etc/passwd",
    "root": "/",
    "to-secret": "../secret",
    "sub/up": "../..",
    "sub/inside": "../file",
    "sub/back": "../sub",
    "here": ".",
    "chain-a": "chain-b",
    "chain-b": "to-secret",
    "loop-a": "loop-b",
    "loop-b": "loop-a",
    "self": "self/x",
    "roundabout": "sub/../sub/../../secret",
    "outside-and-in": "../root/file",
    "slash": "sub/",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`secret` and `elsewhere` beside the directory `root` that a guest is given."""
    world = tmp_path_factory.mktemp("world")
    (world / "secret").write_bytes(SECRET)
    (world / "elsewhere").mkdir()
    (world / "root/sub/deep").mkdir(parents=True)
    (world / "root/file").write_bytes(b"file")
    for name, target in LINKS.items():
        (world / "root" / name).symlink_to(target)
    return world


@pytest.fixture
def guest(make_guest: MakeGuest, world: Path) -> Any:
    return make_guest(dirs={"/": world / "root"})


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("../secret", 63),
        ("..", 63),
        ("sub/../../secret", 63),
        ("sub/deep/../../../secret", 63),
        ("/etc/passwd", 63),
        ("/", 63),
        ("//etc/passwd", 63),
        ("up/secret", 63),
        ("up-up", 63),
        ("absolute", 63),
        ("root/etc/passwd", 63),
        ("to-secret", 63),
        ("sub/up/secret", 63),
        ("chain-a", 63),
        ("roundabout", 63),
        ("outside-and-in", 63),
        ("loop-a", 32),
        ("self", 32),
        ("loop-a/x", 32),
        ("", 44),
        ("a\0b", 28),
        (b"\xff", 25),
        (b"\xed\xa0\x80", 25),
        ("sub/inside", 0),
        ("here/here/sub/../file", 0),
        ("slash/deep/../../sub/back/inside", 0),
        ("./././file", 0),
        (".//file", 0),
    ],
)
def test_paths(guest: Any, path: str | bytes, number: int) -> None:
    assert guest.try_open(path)[0] == number


def test_the_last_link_is_not_followed_where_not_asked_for(guest: Any) -> None:
    assert guest.try_open("to-secret", lookup=0)[0] == 32
    address, length = guest.path("to-secret")
    guest.ok("path_filestat_get", 3, 0, address, length, 1000)
    assert guest.bytes[1016] == 7
    assert guest.call("path_filestat_get", 3, 1, address, length, 1000) == 63


@pytest.mark.parametrize("path", ["../made", "up/made", "sub/up/made", "/tmp/made", "root/tmp/made", "sub/../../made", "up/elsewhere"])
def test_nothing_is_changed_outside(guest: Any, world: Path, path: str) -> None:
    before = sorted(os.listdir(world))
    place = guest.path(path)
    inside = guest.path("file")
    assert guest.try_open(path, oflags=1)[0] == 63
    assert guest.call("path_create_directory", 3, *place) == 63
    assert guest.call("path_remove_directory", 3, *place) == 63
    assert guest.call("path_unlink_file", 3, *place) == 63
    assert guest.call("path_rename", 3, *inside, 3, *place) == 63
    assert guest.call("path_rename", 3, *place, 3, *inside) == 63
    assert guest.call("path_link", 3, 0, *inside, 3, *place) == 63
    assert guest.call("path_link", 3, 1, *place, 3, *inside) == 63
    assert guest.call("path_symlink", *inside, 3, *place) == 63
    assert guest.call("path_readlink", 3, *place, 1000, 10, 8) == 63
    assert guest.call("path_filestat_set_times", 3, 1, *place, 0, 0, 0) == 63
    assert sorted(os.listdir(world)) == before


def test_an_opened_directory_is_a_sandbox_too(guest: Any) -> None:
    sub = guest.open("sub", oflags=2)
    assert guest.try_open("deep/../inside", fd=sub)[0] == 63
    assert guest.try_open("../file", fd=sub)[0] == 63
    guest.open("deep/..", fd=sub, oflags=2)


def test_links_are_followed_forty_times(make_guest: MakeGuest, tmp_path: Path) -> None:
    (tmp_path / "link0").write_bytes(b"end")
    for number in range(1, 42):
        (tmp_path / f"link{number}").symlink_to(f"link{number - 1}")
    guest = make_guest(dirs={"/": tmp_path})
    assert guest.try_open("link40")[0] == 0
    assert guest.try_open("link41")[0] == 32


PARTS = st.sampled_from(["..", ".", "", "sub", "deep", "file", "missing", "secret", "root", "elsewhere", *LINKS])
PATHS = st.one_of(st.lists(PARTS, max_size=12).map("/".join), st.text(alphabet="./\\a\0é", max_size=20))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS, st.booleans())
def test_what_is_found_is_inside(world: Path, path: str, follow: bool) -> None:
    """A location's directory is inside, and so is what the kernel finds there without following links."""
    before = len(os.listdir("/proc/self/fd"))
    root = os.open(world / "root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with Location(root, path.encode(), follow) as location:
            parent = os.readlink(f"/proc/self/fd/{location.parent}")
            assert Path(parent).is_relative_to((world / "root").resolve())
            assert b"/" not in location.name and location.name not in (b"", b"..")
    except (Failure, OSError, ValueError):
        pass
    finally:
        os.close(root)
    assert len(os.listdir("/proc/self/fd")) == before


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATHS, st.integers(0, 1))
def test_secrets_are_not_read(make_guest: MakeGuest, world: Path, path: str, lookup: int) -> None:
    guest = make_guest(dirs={"/": world / "root"})
    number, fd = guest.try_open(path, lookup=lookup)
    if number == 0:
        assert guest.read(fd)[1] != SECRET
        guest.ok("fd_filestat_get", fd, 1000)
        assert guest.u64(1008) in {
            entry.stat().st_ino for entry in [world / "root", *(world / "root").rglob("*")] if not entry.is_symlink()
        }
        guest.ok("fd_close", fd)


def kernel_opens(root: int, path: bytes, flags: int) -> int:
    """What `openat2` with RESOLVE_BENEATH says: an error number of the host, or 0."""
    system_call = 437
    how = struct.pack("<QQQ", flags | os.O_CLOEXEC, 0o666 if flags & os.O_CREAT else 0, 8)
    result = ctypes.CDLL(None, use_errno=True).syscall(system_call, root, path, how, len(how))
    if result < 0:
        return ctypes.get_errno()
    os.close(result)
    return 0


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(PARTS, max_size=8).map("/".join), st.sampled_from([(0, os.O_NOFOLLOW), (1, 0)]), st.sampled_from([(0, 0), (2, os.O_DIRECTORY)])
)
def test_the_kernel_agrees(make_guest: MakeGuest, world: Path, path: str, lookups: tuple[int, int], kinds: tuple[int, int]) -> None:
    root = os.open(world / "root", os.O_RDONLY | os.O_DIRECTORY)
    try:
        expected = kernel_opens(root, path.encode(), lookups[1] | kinds[1])
    finally:
        os.close(root)
    if expected == errno.ENOSYS:
        pytest.skip("this kernel has no openat2")
    guest = make_guest(dirs={"/": world / "root"})
    number, _ = guest.try_open(path, lookup=lookups[0], oflags=kinds[0])
    assert number == (SUCCESS if expected == 0 else PERM if expected == errno.EXDEV else errno_of(OSError(expected, "")))


def test_swapping_a_directory_for_a_link_does_not_help(make_guest: MakeGuest, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "real/secret").write_bytes(b"harmless")
    (tmp_path / "secret").write_bytes(SECRET)
    (root / "way").mkdir()
    (root / "way/secret").write_bytes(b"harmless")
    (root / "evil").symlink_to("..")
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            os.rename(root / "way", root / "aside")
            os.rename(root / "evil", root / "way")
            os.rename(root / "way", root / "evil")
            os.rename(root / "aside", root / "way")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        guest = make_guest(dirs={"/": root})
        seen = set()
        for _ in range(1500):
            number, fd = guest.try_open("way/secret")
            seen.add(number)
            if number == 0:
                assert guest.read(fd) == (0, b"harmless")
                guest.ok("fd_close", fd)
        assert seen <= {0, 44, 54, 63}
    finally:
        stop.set()
        thread.join()

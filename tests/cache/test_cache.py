"""The cache under fire: whatever happens to the folder, modules do what they should, and nothing that is not ours is ever used."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import stat
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from wasmcore.compile import cache as disk
from wasmcore.compile import saved_code
from wasmcore.compile.artifact import read_artifact, write_artifact

from .programs import FUNCTIONS, expected, module, result, start, value

WASM = module()
AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("module") / "module.wasm"
    path.write_bytes(WASM)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def run(backend: str, folder: Path | str, x: int = 3, lazy: bool = False, data: bytes = WASM, salt: int = 0) -> bool:
    """Use a module with this cache folder, check what it computes, and say whether the cache had its code."""
    compiled = wasmcore.Module(data, engine=wasmcore.Engine(backend, lazy=lazy, cache=folder))
    exports = wasmcore.Instance(compiled).exports
    assert exports.all(x) == expected(x, salt)
    assert exports.f50(x) == value(50, x, salt)
    with pytest.raises(wasmcore.Trap, match="divide by zero") as trap:
        exports.divide(0)
    assert [frame.function_index for frame in trap.value.frames] == [FUNCTIONS]
    saved = next(iter(compiled._known.values()))[1]
    assert saved is not None
    saved.flush()
    return saved.hit


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.cwasm"))


def the_entry(folder: Path) -> Path:
    (entry,) = entries(folder)
    return entry


# What it is for


@pytest.mark.parametrize("lazy", [False, True])
def test_the_second_time_it_is_there(backend: str, folder: Path, lazy: bool) -> None:
    assert not run(backend, folder, lazy=lazy)
    before = the_entry(folder).read_bytes()
    assert run(backend, folder, x=-7, lazy=lazy)
    assert the_entry(folder).read_bytes() == before
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(each.stat().st_mode) == 0o600 for each in folder.iterdir())
    assert sorted(each.name for each in folder.iterdir()) == sorted([before_name(folder), "key"])


def before_name(folder: Path) -> str:
    return the_entry(folder).name


def test_lazy_processes_compile_nothing_the_second_time(backend: str, folder: Path, file: Path) -> None:
    assert result(start(backend, True, file, 5, folder)) == (expected(5), FUNCTIONS + 1, False)
    assert result(start(backend, True, file, 6, folder)) == (expected(6), 0, True)


def test_what_is_new_is_added(backend: str, folder: Path) -> None:
    """A process that needs some functions, and one that needs all."""
    engine = wasmcore.Engine(backend, lazy=True, cache=folder)
    for number in range(0, FUNCTIONS, 50):
        first = wasmcore.Module(WASM, engine=engine)
        exports = wasmcore.Instance(first).exports
        assert exports[f"f{number}"](1) == value(number, 1)
        del first, exports  # written when the module goes, if that is worth it
    some = disk.Cache(folder).entries()
    assert not run(backend, folder, lazy=True) or some
    made = disk.Cache(folder).describe(before_name(folder))
    assert made is not None and not made.complete
    functions = [each.function for unit in made.units for each in unit.function_table()]
    assert len(functions) == len(set(functions)) >= FUNCTIONS + 1
    assert not run(backend, folder, lazy=False)
    assert len(entries(folder)) == 2
    assert run(backend, folder, lazy=False)
    assert run(backend, folder, lazy=True)


def test_other_modules_options_and_plans_have_other_entries(backend: str, folder: Path) -> None:
    assert not run(backend, folder)
    assert not run(backend, folder, data=module(1), salt=1)
    assert run(backend, folder)
    for other in (
        wasmcore.Engine(backend, lazy=False, cache=folder, guard=False),
        wasmcore.Engine(backend, lazy=False, cache=folder, signals=False),
        wasmcore.Engine(backend, lazy=False, cache=folder, features=wasmcore.DEFAULT_FEATURES - {"simd", "relaxed_simd"}),
    ):
        count = len(entries(folder))
        assert wasmcore.Instance(wasmcore.Module(WASM, engine=other)).exports.all(2) == expected(2)
        assert len(entries(folder)) == count + 1


def test_a_module_that_is_not_valid_is_never_there(backend: str, folder: Path) -> None:
    wrong = WASM.replace(b"\x41\x07\x20\x00\x6d\x0b", b"\x41\x07\x20\x00\x7f\x0b")
    assert wrong != WASM
    for lazy in (False, True, False, True):
        with pytest.raises(wasmcore.CompileError):
            wasmcore.Module(wrong, engine=wasmcore.Engine(backend, lazy=lazy, cache=folder))
    assert not folder.exists() or not entries(folder)


def test_switched_off(backend: str, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMCORE_CACHE_DIR", str(folder))
    monkeypatch.setenv("WASMCORE_CACHE", "1")
    for engine in (wasmcore.Engine(backend, lazy=False, cache=False),):
        assert wasmcore.Instance(wasmcore.Module(WASM, engine=engine)).exports.all(1) == expected(1)
    assert not folder.exists()
    assert result(start(backend, True, file, 5, folder, WASMCORE_CACHE="0"))[0] == expected(5)
    assert not folder.exists()
    wasmcore.Module(WASM, engine=wasmcore.Engine(backend, lazy=False))
    assert len(entries(folder)) == 1


# Processes and threads


@pytest.mark.parametrize("lazy", [False, True])
def test_eight_processes_at_once(backend: str, folder: Path, file: Path, lazy: bool) -> None:
    processes = [start(backend, lazy, file, number, folder) for number in range(8)]
    assert [result(process)[0] for process in processes] == [expected(number) for number in range(8)]
    assert len(entries(folder)) == 1
    assert len(list(folder.iterdir())) == 2
    assert result(start(backend, lazy, file, 9, folder)) == (expected(9), 0, True)


KILLED = """
import os, signal, sys
from wasmcore.compile import cache
sys.path.insert(0, {here!r})
write = os.rename
def killed(*names, **options):
    os.kill(os.getpid(), signal.SIGKILL)
os.rename = killed
import wasmcore
wasmcore.Module({file!r}, engine=wasmcore.Engine({backend!r}, lazy=False, cache={folder!r}))
"""


def test_a_killed_writer(backend: str, folder: Path, file: Path) -> None:
    script = KILLED.format(here=str(Path(__file__).parent), file=str(file), backend=backend, folder=str(folder))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    assert subprocess.run([sys.executable, "-c", script], env=environment, timeout=120).returncode == -signal.SIGKILL
    left = [each.name for each in folder.iterdir() if each.name != "key"]
    assert len(left) == 1 and left[0].endswith(".tmp")
    assert not run(backend, folder)
    assert run(backend, folder)
    assert disk.Cache(folder).prune() == (1, 0)
    assert sorted(each.name for each in folder.iterdir()) == sorted([before_name(folder), "key"])


def test_what_somebody_is_writing_is_not_pruned(folder: Path) -> None:
    import fcntl

    folder.mkdir(mode=0o700)
    with open(folder / "x.cwasm.1.2.tmp", "wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert disk.Cache(folder).prune() == (0, 0)
    assert disk.Cache(folder).prune() == (1, 0)


def test_a_forked_child(backend: str, folder: Path) -> None:
    engine = wasmcore.Engine(backend, lazy=True, cache=folder)
    shared = wasmcore.Module(WASM, engine=engine)
    instance = wasmcore.Instance(shared)
    child = os.fork()
    if not child:
        try:
            signal.alarm(100)
            right = instance.exports.all(4) == expected(4)
            saved_code.flush_all()
            os._exit(0 if right else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert instance.exports.all(5) == expected(5)
    saved_code.flush_all()
    assert run(backend, folder, lazy=True)


def test_threads(backend: str, folder: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: run(backend, folder, number, lazy=number % 2 == 0), range(8)))
    assert run(backend, folder)
    assert run(backend, folder, lazy=True)


# Room


def test_a_full_disk(backend: str, folder: Path, file: Path, tmp_path: Path) -> None:
    """A file system of three pages where mounting is allowed."""
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12k,mode=700", "none", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("not allowed to mount a file system")
    try:
        for lazy in (False, True, False):
            assert result(start(backend, lazy, file, 5, folder))[0] == expected(5)
        assert not [each.name for each in folder.iterdir() if each.name.endswith(".tmp")]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_write_that_fails(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a full disk or over quota: the limit of the size of files is one that every user can set."""
    assert not run(backend, folder, data=module(1), salt=1)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        for size in (0, 1, 100, 4096):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
            assert not run(backend, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("call", ["rename", "open", "fstat", "listdir", "mkdir", "utime"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_any_call_may_fail(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: int) -> None:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise OSError(error, os.strerror(error))

    class Os:
        def __getattr__(self, name: str) -> Any:
            return fail if name == call else getattr(os, name)

    cache = disk.Cache(folder)
    monkeypatch.setattr(disk, "os", Os())
    assert not run(backend, folder)
    cache.entries(), cache.clear(), cache.prune(), cache.problem()


def test_least_recently_used_goes_first(backend: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not run(backend, folder)
    size = the_entry(folder).stat().st_size
    monkeypatch.setenv("WASMCORE_CACHE_SIZE", str(3 * size + size // 2))
    names = [before_name(folder)]
    for salt in (1, 2):
        run(backend, folder, data=module(salt), salt=salt)
        names += [each.name for each in entries(folder) if each.name not in names]
    for age, name in zip((5000, 4000, 3000), names, strict=True):
        os.utime(folder / name, (time.time() - age,) * 2)
    assert run(backend, folder)  # the oldest is used again
    run(backend, folder, data=module(3), salt=3)
    assert len(entries(folder)) <= 3
    assert names[0] in [each.name for each in entries(folder)]
    assert names[1] not in [each.name for each in entries(folder)]
    monkeypatch.setenv("WASMCORE_CACHE_SIZE", "1000")
    disk.Cache(folder).prune()
    assert not run(backend, folder)
    assert not entries(folder)


@pytest.mark.parametrize(
    ("text", "size"),
    [("100", 100), ("2k", 2048), ("3 MiB", 3 << 20), ("1GB", 1 << 30), ("1T", 1 << 40), ("", None), ("x", None), ("-1", None)],
)
def test_sizes(text: str, size: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk.parsed_size(text) == size
    monkeypatch.setenv("WASMCORE_CACHE_SIZE", text)
    assert disk.default_size() == (disk.DEFAULT_SIZE if size is None else size)


# Entries that are not what they should be


@pytest.mark.parametrize("lazy", [False, True])
def test_every_part_of_an_entry_damaged(backend: str, folder: Path, lazy: bool) -> None:
    assert not run(backend, folder, lazy=lazy)
    entry = the_entry(folder)
    good = entry.read_bytes()
    count, table = struct.unpack_from("<I", good, 12)[0], 64
    places = [0, 8, 12, 16, 24, 32, 63, len(good) - 1]
    for number in range(count):
        _, _, offset, length = struct.unpack_from("<IIQQ", good, table + 24 * number)
        places += [table + 24 * number, offset, offset + length // 2, offset + max(0, length - 1)]
    cache = disk.Cache(folder)
    wanted = cache.describe(entry.name)
    assert wanted is not None
    for at in places:
        damaged = bytearray(good)
        damaged[min(at, len(good) - 1)] ^= 0x10
        entry.write_bytes(damaged)
        assert cache.find(wanted.made_for) is None
    for length in (0, 1, 31, 64, 100, len(good) // 2, len(good) - 1):
        entry.write_bytes(good[:length])
        assert cache.find(wanted.made_for) is None
    assert not run(backend, folder, lazy=lazy)
    assert the_entry(folder).read_bytes() == good
    assert run(backend, folder, lazy=lazy)


def test_entries_of_others_are_not_used(backend: str, folder: Path) -> None:
    """Another processor, version, contract, build; also under the name that would be right, with the right key."""
    assert not run(backend, folder)
    entry = the_entry(folder)
    key = (folder / "key").read_bytes()
    found = read_artifact(entry.read_bytes(), key)
    made_for = found.made_for
    for change in (
        {"features": made_for.features | {"avx9000"}},
        {"target": "aarch64"},
        {"wasmcore": "0.0.9"},
        {"backend_version": "0.0.9"},
        {"backend": "other"},
        {"build": bytes(16)},
        {"contract": (made_for.contract[0], made_for.contract[1] + 1)},
        {"options": (("level", "O9"),)},
        {"wasm_features": frozenset()},
        {"signals": not made_for.signals},
        {"lazy": not made_for.lazy},
        {"memories": ()},
        {"layout": (0, 0, 0, 0)},
        {"module": bytes(32)},
    ):
        entry.write_bytes(write_artifact(found._replace(made_for=made_for._replace(**change)), key))
        assert disk.Cache(folder).find(made_for) is None, change
        assert not run(backend, folder)
        assert run(backend, folder)


def test_entries_with_another_key(backend: str, folder: Path, tmp_path: Path) -> None:
    assert not run(backend, folder)
    assert not run(backend, tmp_path / "theirs")
    (tmp_path / "theirs" / before_name(folder)).replace(the_entry(folder))
    assert not run(backend, folder)
    assert run(backend, folder)
    found = read_artifact(the_entry(folder).read_bytes(), (folder / "key").read_bytes())
    the_entry(folder).write_bytes(write_artifact(found))
    assert not run(backend, folder)


@pytest.mark.parametrize("damage", ["missing", "short", "readable", "symlink", "folder", "empty"])
def test_a_key_that_is_no_good(backend: str, folder: Path, tmp_path: Path, damage: str) -> None:
    assert not run(backend, folder)
    key = folder / "key"
    content = key.read_bytes()
    if damage == "readable":
        key.chmod(0o644)
    else:
        key.unlink()
    if damage in ("short", "empty"):
        key.write_bytes(content[:5] if damage == "short" else b"")
        key.chmod(0o600)
    elif damage == "symlink":
        (tmp_path / "elsewhere").write_bytes(content)
        (tmp_path / "elsewhere").chmod(0o600)
        key.symlink_to(tmp_path / "elsewhere")
    elif damage == "folder":
        key.mkdir()
    assert not run(backend, folder)
    assert run(backend, folder) == (damage != "folder")
    if damage != "folder":
        assert not key.is_symlink() and key.read_bytes() != content and stat.S_IMODE(key.stat().st_mode) == 0o600


# Folders that are not what they should be


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720, 0o702])
def test_a_folder_that_others_may_write(backend: str, folder: Path, mode: int) -> None:
    assert not run(backend, folder)
    folder.chmod(mode)
    before = the_entry(folder).stat().st_mtime_ns
    assert not run(backend, folder)
    assert the_entry(folder).stat().st_mtime_ns == before
    problem = disk.Cache(folder).problem()
    assert problem is not None and "may use it" in problem


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_an_entry_that_others_may_write(backend: str, folder: Path, mode: int) -> None:
    assert not run(backend, folder)
    the_entry(folder).chmod(mode)
    assert not run(backend, folder)
    assert run(backend, folder)
    assert stat.S_IMODE(the_entry(folder).stat().st_mode) == 0o600


def test_a_folder_that_is_a_symbolic_link(backend: str, folder: Path, tmp_path: Path) -> None:
    assert not run(backend, folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    assert not run(backend, link)
    assert disk.Cache(link).problem() is not None


def test_an_entry_that_is_a_symbolic_link(backend: str, folder: Path, tmp_path: Path) -> None:
    assert not run(backend, folder)
    entry = the_entry(folder)
    moved = entry.replace(tmp_path / "moved")
    content = moved.read_bytes()
    entry.symlink_to(moved)
    assert not run(backend, folder)
    assert not entry.is_symlink()
    assert moved.read_bytes() == content
    assert run(backend, folder)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_an_entry_that_is_no_file(backend: str, folder: Path, kind: str) -> None:
    assert not run(backend, folder)
    entry = the_entry(folder)
    entry.unlink()
    if kind == "folder":
        entry.mkdir()
    else:
        os.mkfifo(entry, 0o600)
    assert not run(backend, folder)
    assert run(backend, folder) == (kind == "pipe")


@pytest.mark.skipif(not AS_ROOT, reason="only root can give files away")
@pytest.mark.parametrize("what", ["folder", "entry", "key"])
def test_of_another_user(backend: str, folder: Path, what: str) -> None:
    assert not run(backend, folder)
    path = {"folder": folder, "entry": the_entry(folder), "key": folder / "key"}[what]
    os.chown(path, 12345, 12345)
    assert not run(backend, folder)
    assert run(backend, folder) == (what != "folder")
    if what != "folder":
        assert path.stat().st_uid == os.geteuid()


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Not root, who may write everywhere."""
    if not AS_ROOT:
        yield
        return
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_that_can_only_be_read(backend: str, folder: Path, nobody: None) -> None:
    parent = Path("/tmp") / f"wasmcore-test-{os.getpid()}-{os.urandom(4).hex()}"
    parent.mkdir(mode=0o700)
    folder = parent / "cache"
    try:
        assert not run(backend, folder, data=module(1), salt=1)
        folder.chmod(0o500)
        assert not run(backend, folder)
        assert len(entries(folder)) == 1
        assert run(backend, folder, data=module(1), salt=1)
        parent.chmod(0o500)
        assert not run(backend, parent / "other")
        assert not (parent / "other").exists()
    finally:
        parent.chmod(0o700)
        folder.chmod(0o700)
        shutil.rmtree(parent)


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full", "/proc/nothing/here", "/dev/null/below"])
def test_places_where_no_folder_can_be(backend: str, place: str) -> None:
    assert not run(backend, place)
    assert disk.Cache(place).entries() == []
    assert disk.Cache(place).clear() == 0
    assert disk.Cache(place).prune() == (0, 0)


def test_without_a_home(backend: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "WASMCORE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # nor one in the list of users
    assert disk.default_folder() is None
    assert disk.Cache().problem() is None
    monkeypatch.setenv("WASMCORE_CACHE", "1")
    compiled = wasmcore.Module(WASM, engine=wasmcore.Engine(backend, lazy=False))
    assert wasmcore.Instance(compiled).exports.all(1) == expected(1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    wasmcore.Module(WASM, engine=wasmcore.Engine(backend, lazy=False))
    assert len(entries(tmp_path / "xdg" / "wasmcore")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs itself is asked")
@pytest.mark.parametrize("variables", [{}, {"XDG_CACHE_HOME": "/x/y"}, {"XDG_CACHE_HOME": " "}, {"HOME": "/h"}])
def test_the_place_is_that_of_platformdirs(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    platformdirs = pytest.importorskip("platformdirs")
    for name in ("XDG_CACHE_HOME", "WASMCORE_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert disk.default_folder() == platformdirs.user_cache_dir("wasmcore")


# The command line


def test_commands(backend: str, folder: Path, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from wasmcore.cli import main

    monkeypatch.setenv("WASMCORE_CACHE_DIR", str(folder))
    assert not run(backend, folder)
    assert main(["cache", "dir"]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert main(["cache", "list"]) == 0
    assert f" {backend} " in capsys.readouterr().out
    assert main(["cache", "size"]) == 0
    assert capsys.readouterr().out.startswith(f"{the_entry(folder).stat().st_size} bytes in 1 entries, at most ")
    (folder / "abandoned.tmp").touch()
    (folder / ("0" * 64 + ".cwasm")).touch()
    assert main(["cache", "prune"]) == 0
    assert capsys.readouterr().out == "1 entries and 1 temporary files removed\n"
    assert run(backend, folder)
    assert main(["cache", "prune", "--size", "1k"]) == 0
    assert capsys.readouterr().out == "1 entries and 0 temporary files removed\n"
    assert main(["cache", "prune", "--size", "many"]) == 2
    assert not run(backend, folder)
    assert main(["cache", "clear"]) == 0
    assert "1 entries removed" in capsys.readouterr().out
    assert list(folder.iterdir()) == []
    folder.chmod(0o777)
    assert main(["cache", "dir"]) == 1
    assert "can not be used" in capsys.readouterr().err


def test_hello_does_not_even_import_it(backend: str) -> None:
    """Starting a small program must not pay for what it does not use."""
    hello = Path(__file__).parents[2] / "examples" / "hello.wasm"
    code = f"""
        import sys
        from wasmcore.cli import main
        assert main(["run", "--backend={backend}", {str(hello)!r}]) == 0
        unwanted = {{"hashlib", "platformdirs", "concurrent.futures", "wasmcore.compile.parallel", "wasmcore.compile.worker_pool"}}
        assert not unwanted & {{*sys.modules}}, unwanted & {{*sys.modules}}
    """
    if backend != "singlepass":
        pytest.skip("code of slower backends is always cached")
    environment = {**os.environ, "WASMCORE_CACHE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, check=True, timeout=120, capture_output=True)

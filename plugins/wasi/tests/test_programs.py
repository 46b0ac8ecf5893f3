"""C programs give the same output, exit code and files with these functions as with wasmtime's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from wasmcore_wasi import Exit
from wasmcore_wasi.functions import FUNCTIONS
from wasmcore_wasi.plugin import wasmcore_host_module

wasmtime = pytest.importorskip("wasmtime")

PROGRAMS = Path(__file__).parent / "programs"
INSTALLED = {point.name for point in entry_points(group="wasmcore")}
RUNS = [
    ("process", ["process"], b""),
    ("process", ["process", "7", "", "two words", "ünïcode"], b"first\nsecond line\nthird without end"),
    ("files", ["files"], b""),
]
Runner = Callable[[Path, list[str], dict[str, str], Path, list[Path]], int]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The programs as WebAssembly."""
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("programs")
    results = {}
    for source in PROGRAMS.glob("*.c"):
        output = folder / f"{source.stem}.wasm"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", "-o", str(output), str(source)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        results[source.stem] = output
    return results


def run_with_wasmtime(program: Path, args: list[str], env: dict[str, str], data: Path, streams: list[Path]) -> int:
    store = wasmtime.Store()
    config = wasmtime.WasiConfig()
    config.argv = args
    config.env = list(env.items())
    config.preopen_dir(str(data), "/data")
    config.stdin_file, config.stdout_file, config.stderr_file = map(str, streams)
    store.set_wasi(config)
    linker = wasmtime.Linker(store.engine)
    linker.define_wasi()
    instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, str(program)))
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as exit_trap:
        return int(exit_trap.code)
    return 0


class WasmtimeLink:
    """The memory of an instance of wasmtime, as a link of this project."""

    def __init__(self) -> None:
        self.exports: Any = None
        self.store: Any = None

    def memory(self) -> memoryview:
        return memoryview(self.exports["memory"].get_buffer_ptr(self.store)).cast("B")


def run_with_ours(program: Path, args: list[str], env: dict[str, str], data: Path, streams: list[Path]) -> int:
    """wasmtime runs the program, the functions are ours."""
    store = wasmtime.Store()
    linker = wasmtime.Linker(store.engine)
    link = WasmtimeLink()
    with open(streams[0], "rb") as stdin, open(streams[1], "wb") as stdout, open(streams[2], "wb") as stderr:
        options = {
            "args": args,
            "env": env,
            "dirs": {"/data": data},
            "stdin": stdin.fileno(),
            "stdout": stdout.fileno(),
            "stderr": stderr.fileno(),
        }
        value_types = {"i": wasmtime.ValType.i32(), "I": wasmtime.ValType.i64()}
        for name, (_, function) in wasmcore_host_module().functions(link, options).items():
            params, results, _ = FUNCTIONS[name]
            func_type = wasmtime.FuncType([value_types[letter] for letter in params], [value_types[letter] for letter in results])
            linker.define_func("wasi_snapshot_preview1", name, func_type, function)
        instance = linker.instantiate(store, wasmtime.Module.from_file(store.engine, str(program)))
        link.exports, link.store = instance.exports(store), store
        try:
            link.exports["_start"](store)
        except Exit as exit_error:
            return exit_error.code
    return 0


def run_with_wasmcore(program: Path, args: list[str], env: dict[str, str], data: Path, streams: list[Path]) -> int:
    """Everything is ours."""
    import wasmcore

    with open(streams[0], "rb") as stdin, open(streams[1], "wb") as stdout, open(streams[2], "wb") as stderr:
        options = {"args": args, "env": env, "dirs": {"/data": data}, "stdin": stdin, "stdout": stdout, "stderr": stderr.fileno()}
        instance = wasmcore.Instance(wasmcore.Module(program), host_options={"wasi": options})
        try:
            instance.exports["_start"]()
        except Exit as exit_error:
            return exit_error.code
    return 0


def snapshot(folder: Path) -> dict[str, object]:
    """Names and contents of everything in a folder."""
    found: dict[str, object] = {}
    for root, directories, files in os.walk(folder):
        for name in directories + files:
            path = Path(root, name)
            found[str(path.relative_to(folder))] = os.readlink(path) if path.is_symlink() else path.is_dir() or path.read_bytes()
    return found


def results(runner: Runner, program: Path, folder: Path, args: list[str], stdin: bytes) -> tuple[int, bytes, bytes, dict[str, object]]:
    data = folder / "data"
    data.mkdir(parents=True)
    (folder / "outside").write_bytes(b"not for the guest")
    streams = [folder / name for name in ("in", "out", "err")]
    streams[0].write_bytes(stdin)
    code = runner(program, args, {"HOME": "/", "NAME": "value ä"}, data, streams)
    return code, streams[1].read_bytes(), streams[2].read_bytes(), snapshot(data)


def check(runner: Runner, compiled: Mapping[str, Path], folder: Path) -> None:
    """Run all programs with a runner and with wasmtime."""
    for number, (program, args, stdin) in enumerate(RUNS):
        expected = results(run_with_wasmtime, compiled[program], folder / f"{number} expected", args, stdin)
        got = results(runner, compiled[program], folder / f"{number} got", args, stdin)
        assert got[1].decode() == expected[1].decode()
        assert got == expected


@pytest.mark.slow
def test_programs_equal_wasmtimes(compiled: Mapping[str, Path], tmp_path: Path) -> None:
    check(run_with_ours, compiled, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not {"wasi", "singlepass"} <= INSTALLED, reason="wasmcore-wasi and wasmcore-singlepass are not installed")
def test_programs_in_wasmcore_equal_wasmtimes(compiled: Mapping[str, Path], tmp_path: Path) -> None:
    check(run_with_wasmcore, compiled, tmp_path)


def test_types_equal_wasmtimes() -> None:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    letters = {"i32": "i", "i64": "I"}
    for name, (params, returned, _) in FUNCTIONS.items():
        func_type = linker.get(store, "wasi_snapshot_preview1", name).type(store)
        assert "".join(letters[str(value)] for value in func_type.params) == params, name
        assert "".join(letters[str(value)] for value in func_type.results) == returned, name

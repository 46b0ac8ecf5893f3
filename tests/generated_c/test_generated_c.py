"""Generated C programs compute the same natively and on every backend. Clang is that of the package `ziglang`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wasmcore

from .generator import programs

COUNT = 8
"""Programs of a module."""
SEEDS = (0, 1, 12345)
"""Arguments of each program."""
LEVELS = (
    ("-O0",),
    ("-O1",),
    ("-O2", "-mcpu=mvp"),
    ("-O3", "-mcpu=generic+simd128"),
    ("-Os", "-mcpu=generic+tail_call+multivalue"),
)
"""How the modules are compiled, in turn."""
_WARNINGS = ("-w", "-ffp-contract=off", "-fno-sanitize=undefined")
_NATIVE = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
for name in sys.argv[2].split():
    function = library[name]
    function.restype = ctypes.c_uint64
    print(*[function(int(seed)) for seed in sys.argv[3].split()])
"""
_NAMES = [f"p{number}_run" for number in range(COUNT)]

pytestmark = pytest.mark.slow


def clang(*arguments: str) -> None:
    """Compile."""
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *_WARNINGS, *arguments], check=True, timeout=300)


def native_results(library: Path) -> list[list[int]]:
    """The results of each program, in a process of their own."""
    command = [sys.executable, "-I", "-S", "-c", _NATIVE, str(library), " ".join(_NAMES), " ".join(map(str, SEEDS))]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
    return [[int(word) for word in line.split()] for line in output.splitlines()]


def compare(number: int, folder: Path, engine: wasmcore.Engine) -> None:
    """Compile the programs of a number both ways, and run them."""
    pytest.importorskip("ziglang")
    source, library, module = folder / "programs.c", folder / "programs.so", folder / "programs.wasm"
    source.write_text(programs(number, COUNT))
    clang("-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-lm")
    level = LEVELS[number % len(LEVELS)]
    clang("-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", *level, "-o", str(module), str(source))
    exports = wasmcore.Instance(wasmcore.Module(module, engine=engine)).exports
    found = [[exports[name](seed) % (1 << 64) for seed in SEEDS] for name in _NAMES]
    expected = native_results(library)
    different = [name for name, ours, theirs in zip(_NAMES, found, expected) if ours != theirs]
    assert len(expected) == COUNT and not different, f"programs({number}, {COUNT}) with {' '.join(level)}: {different}"


@pytest.mark.parametrize("number", range(5))
def test_on_each_backend(backend: str, number: int, tmp_path: Path) -> None:
    compare(number, tmp_path, wasmcore.Engine(backend, cache=False))


@pytest.mark.parametrize("number", range(5, 25))
def test_many_programs(number: int, tmp_path: Path) -> None:
    """On the backend that compiles at once, half of them without signals."""
    compare(number, tmp_path, wasmcore.Engine("singlepass", signals=number % 2 == 0, cache=False))

"""Compiles kernels and programs to WebAssembly, with clang of the `ziglang` package: `python benchmarks/kernels/build.py [FILE...]`.

`native_library` compiles them with the same clang for this machine; `run.py` calls it.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCES = [*sorted(HERE.glob("*.c")), HERE / "calls" / "calls.c", *sorted((HERE.parent / "programs").glob("*.c"))]

COMPILER = [sys.executable, "-m", "ziglang", "cc", "-O3", "-Wall", "-Wextra", "-fno-sanitize=undefined"]
# Results are compared bit for bit, so no multiplication and addition may be fused; no call to a C library for `sqrt`.
COMPILER += ["-ffp-contract=off", "-fno-math-errno"]
WASM = ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-s"]
NATIVE = ["-target", f"{platform.machine()}-linux-gnu", "-shared", "-fPIC", "-fvisibility=hidden", "-s"]


def native_library(source: Path, folder: Path, processor: str = "baseline") -> Path:
    """Compile one C file to a shared library in a folder, for any processor of this kind or for the `native` one; CalledProcessError."""
    output = folder / f"{source.stem}.so"
    subprocess.run([*COMPILER, *NATIVE, f"-mcpu={processor}", "-o", str(output), str(source)], check=True)
    return output


def build(source: Path) -> None:
    """Compile one C file to WebAssembly beside it; raises `CalledProcessError`."""
    output = source.with_suffix(".wasm")
    subprocess.run([*COMPILER, *WASM, "-o", str(output), str(source)], check=True)
    output.chmod(0o644)
    print(f"{output.name:20} {output.stat().st_size:7} bytes")


if __name__ == "__main__":
    for file in map(Path, sys.argv[1:]) if sys.argv[1:] else SOURCES:
        build(file)

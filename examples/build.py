"""Compiles the C examples to WebAssembly with clang from the `ziglang` package: `pip install ziglang; python examples/build.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

COMPILER = [sys.executable, "-m", "ziglang", "cc", "-O2", "-Wall", "-Wextra", "-fno-sanitize=undefined"]
PROGRAM = ["-target", "wasm32-wasi", "-s"]
PROGRAM_WITH_NAMES = ["-target", "wasm32-wasi", "-Wl,--strip-debug"]
LIBRARY = ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-s"]
LIBRARY_WITH_NAMES = [*LIBRARY[:-1], "-Wl,--strip-debug"]

FLAGS = {
    "hello": PROGRAM,
    "sieve": PROGRAM,
    "wordcount": PROGRAM,
    "sha256sum": PROGRAM,
    "calculator": PROGRAM,
    "queens": PROGRAM,
    "environment": PROGRAM,
    "trap": PROGRAM_WITH_NAMES,
    "gcd": LIBRARY,
    "divide": LIBRARY_WITH_NAMES,
    "collatz": LIBRARY,
    "mandelbrot": LIBRARY,
}


def build(name: str) -> None:
    """Compile one example; raises `CalledProcessError` with the compiler's messages on standard error."""
    output = HERE / f"{name}.wasm"
    subprocess.run([*COMPILER, *FLAGS[name], "-o", str(output), str(HERE / f"{name}.c")], check=True)
    output.chmod(0o644)
    print(f"{output.name:20} {output.stat().st_size:7} bytes")


if __name__ == "__main__":
    for example in sys.argv[1:] or FLAGS:
        build(example)

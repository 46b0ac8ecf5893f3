"""Compiles the C examples to WebAssembly with clang from the `ziglang` package: `pip install ziglang; python examples/build.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

COMPILER = [sys.executable, "-m", "ziglang", "cc", "-O2", "-Wall", "-Wextra", "-fno-sanitize=undefined"]
PROGRAM = ["-target", "wasm32-wasi", "-s"]
PROGRAM_WITH_NAMES = PROGRAM[:-1]
LIBRARY = ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-s"]
LIBRARY_WITH_NAMES = LIBRARY[:-1]

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


def without_debug_sections(module: bytes) -> bytes:
    """A module without DWARF; the linker strips the names of the functions with it, which backtraces want."""
    kept, at = module[:8], 8
    while at < len(module):
        start, section = at, module[at]
        size, at = leb128(module, at + 1)
        length, name = leb128(module, at) if section == 0 else (0, at)
        at += size
        if not module[name : name + length].startswith(b".debug"):
            kept += module[start:at]
    return kept


def leb128(module: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at an offset, and the offset behind it."""
    value = shift = 0
    while module[at] & 0x80:
        value |= (module[at] & 0x7F) << shift
        shift += 7
        at += 1
    return value | module[at] << shift, at + 1


def build(name: str) -> None:
    """Compile one example; raises `CalledProcessError` with the compiler's messages on standard error."""
    output = HERE / f"{name}.wasm"
    subprocess.run([*COMPILER, *FLAGS[name], "-o", str(output), str(HERE / f"{name}.c")], check=True)
    output.chmod(0o644)
    output.write_bytes(without_debug_sections(output.read_bytes()))
    print(f"{output.name:20} {output.stat().st_size:7} bytes")


if __name__ == "__main__":
    for example in sys.argv[1:] or FLAGS:
        build(example)

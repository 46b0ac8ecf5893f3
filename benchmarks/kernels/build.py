"""Compiles the kernels to WebAssembly with clang from the `ziglang` package: `pip install ziglang; python benchmarks/kernels/build.py`.

`native_library` compiles them with the same clang for this machine; `run.py` calls it.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

COMPILER = [sys.executable, "-m", "ziglang", "cc", "-O3", "-Wall", "-Wextra", "-fno-sanitize=undefined"]
# Results are compared bit for bit, so no multiplication and addition may be fused; no call to a C library for `sqrt`.
COMPILER += ["-ffp-contract=off", "-fno-math-errno"]
WASM = ["-target", "wasm32-freestanding", "-nostdlib", "-Wl,--no-entry", "-s"]
NATIVE = ["-target", f"{platform.machine()}-linux-gnu", "-mcpu=baseline", "-shared", "-fPIC", "-fvisibility=hidden", "-s"]


def native_library(name: str, folder: Path) -> Path:
    """Compile one kernel to a shared library in a folder; raises `CalledProcessError`."""
    output = folder / f"{Path(name).name}.so"
    subprocess.run([*COMPILER, *NATIVE, "-o", str(output), str(HERE / f"{name}.c")], check=True)
    return output


def build(name: str) -> None:
    """Compile one kernel to WebAssembly beside its source; raises `CalledProcessError`."""
    output = HERE / f"{name}.wasm"
    subprocess.run([*COMPILER, *WASM, "-o", str(output), str(HERE / f"{name}.c")], check=True)
    output.chmod(0o644)
    print(f"{output.name:20} {output.stat().st_size:7} bytes")


if __name__ == "__main__":
    for kernel in sys.argv[1:] or [*sorted(path.stem for path in HERE.glob("*.c")), "calls/calls"]:
        build(kernel)

"""What a user waits for: imports, whole processes to their first line of output, and the memory that compiling takes; see README.md."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from engines import HERE, wasmcore_backends
from timing import interleave, machine_kind, print_table, seconds_of, write_json

HELLO = HERE.parent / "examples" / "hello.wasm"
WASMTIME = [sys.executable, str(HERE / "wasmtime_wasi.py")]
WASMCORE = [sys.executable, "-m", "wasmcore", "run"]

IMPORT = "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"

# Linux counts in KiB.
PEAK_MEMORY = """
import resource, sys
data = open(sys.argv[1], "rb").read()
{compile}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
COMPILE = {
    "nothing (Python and the module's bytes)": "",
    "wasmtime cranelift": "import wasmtime; wasmtime.Module(wasmtime.Engine(), data)",
}
WASMCORE_COMPILE = (
    "import wasmcore; module = wasmcore.Module(data, engine=wasmcore.Engine({backend!r}, lazy=False)); "
    "module._code(tuple(True for _ in module.info.memories))"
)


def process(command: list[str], expected: bytes, **environment: str) -> Callable[[], float]:
    """Seconds of a whole process, which must print what is expected."""

    def run() -> None:
        output = subprocess.run(command, capture_output=True, check=True, env={**os.environ, **environment}).stdout
        if output.strip() != expected:
            raise RuntimeError(f"{command} printed {output!r}")

    return lambda: seconds_of(run)


def printed_number(script: str, *arguments: str) -> float:
    """The number that a Python script prints."""
    return float(subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, check=True).stdout)


def processes(backends: list[str], python_wasm: Path | None, caches: Path) -> dict[str, Callable[[], float]]:
    """All processes to measure; `caches` is an empty folder."""
    greeting = b"Hello from WebAssembly!"
    measurements = {
        "python -c pass": process([sys.executable, "-c", "pass"], b""),
        "python -c 'import wasmtime'": process([sys.executable, "-c", "import wasmtime"], b""),
        "hello, wasmtime-py": process([*WASMTIME, str(HELLO)], greeting),
    }
    if backends:
        measurements["python -c 'import wasmcore'"] = process([sys.executable, "-c", "import wasmcore"], b"")
        measurements["import wasmcore, inside the process"] = lambda: printed_number(IMPORT.format(module="wasmcore"))
    for backend in backends:
        measurements[f"hello, wasmcore {backend}"] = process([*WASMCORE, f"--backend={backend}", str(HELLO)], greeting)
    if python_wasm is not None:
        code = [str(python_wasm), "-c", "print(1)"]
        measurements["CPython, wasmtime-py, no cache"] = process([*WASMTIME, *code], b"1")
        measurements["CPython, wasmtime-py, warm"] = warm(process([*WASMTIME, *code], b"1", WASMTIME_CACHE="1"))
        for backend in backends:
            command = [*WASMCORE, f"--backend={backend}", *code]
            folder = str(caches / backend)
            cached = {"WASMCORE_CACHE": "1", "WASMCORE_CACHE_DIR": folder}
            measurements[f"CPython, wasmcore {backend}, warm"] = warm(process(command, b"1", **cached))
            if not quick(backend):
                continue
            measurements[f"CPython, wasmcore {backend}, no cache"] = process(command, b"1")
            cold = {**cached, "WASMCORE_CACHE_DIR": f"{folder}-cold"}
            measurements[f"CPython, wasmcore {backend}, cold"] = cleared(process(command, b"1", **cold), Path(f"{folder}-cold"))
    return measurements


def quick(backend: str) -> bool:
    """Whether a backend is made for compiling at the start; what others take stands in the table of `run.py`."""
    import wasmcore

    return wasmcore.backends()[backend].lazy


def warm(measure: Callable[[], float]) -> Callable[[], float]:
    """A measurement of what has been done before."""
    measure()
    return measure


def cleared(measure: Callable[[], float], folder: Path) -> Callable[[], float]:
    """A measurement that finds its cache empty, and fills it."""

    def run() -> float:
        shutil.rmtree(folder, ignore_errors=True)
        return measure()

    return run


def peak_memory(backends: list[str], module: Path) -> dict[str, float]:
    """Peak resident bytes of processes that compile a module."""
    statements = COMPILE | {f"wasmcore {backend}": WASMCORE_COMPILE.format(backend=backend) for backend in backends}
    return {name: printed_number(PEAK_MEMORY.format(compile=statement), str(module)) for name, statement in statements.items()}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--python-wasm", type=Path, default=os.environ.get("WASMCORE_PYTHON_WASM"), help="CPython for WASI")
    parser.add_argument("--backend", action="append", help="only this one, instead of all that are installed")
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds, and bytes, to a file")
    options = parser.parse_args()
    backends = options.backend or list(wasmcore_backends())

    print(f"{machine_kind()}; medians of {options.rounds} interleaved rounds\n")
    with tempfile.TemporaryDirectory() as caches:
        medians = interleave(processes(backends, options.python_wasm, Path(caches)), options.rounds)
    print_table(["process", "ms"], [[name, seconds * 1e3] for name, seconds in medians.items()])
    results: dict[str, object] = {"seconds": medians}
    if options.python_wasm is not None:
        memory = peak_memory(list(filter(quick, backends)), options.python_wasm)
        results["peak_bytes"] = memory
        print()
        print_table([f"compiling {options.python_wasm.name} with", "peak MB"], [[name, size / 1e6] for name, size in memory.items()])
    write_json(options.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())

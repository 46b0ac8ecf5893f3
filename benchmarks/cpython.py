"""CPython for WASI as a program to measure: `pure_python.py` on every engine, beside the Python that runs the benchmark."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import wasmtime
from engines import HERE, NODE_FLAGS, STRATEGIES, wasmcore_ways, wasmtime_engine

SCRIPT = HERE / "programs" / "pure_python.py"

Program = Callable[[], tuple[float, int]]
"""Runs the script on a loaded engine: seconds that it measured, its checksum."""


def parsed(output: str) -> tuple[float, int]:
    """What the script printed."""
    seconds, checksum = output.split()
    return float(seconds), int(checksum)


def output_of(command: list[str]) -> tuple[float, int]:
    """What it printed in a process."""
    return parsed(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def load_native(_module: Path) -> Program:
    """This Python."""
    return lambda: output_of([sys.executable, "-I", str(SCRIPT)])


def load_wasmtime(strategy: str, module: Path) -> Program:
    """One of wasmtime's compilers; compiled once, a store for each run."""
    engine = wasmtime_engine(strategy)
    compiled = wasmtime.Module.from_file(engine, str(module))

    def run() -> tuple[float, int]:
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        store = wasmtime.Store(engine)
        config = wasmtime.WasiConfig()
        config.argv = ["python", "-c", SCRIPT.read_text()]
        with tempfile.NamedTemporaryFile() as output:
            config.stdout_file = output.name
            store.set_wasi(config)
            start: Any = linker.instantiate(store, compiled).exports(store)["_start"]
            try:
                start(store)
            except wasmtime.ExitTrap as ended:
                if ended.code:
                    raise
            return parsed(Path(output.name).read_text())

    return run


def load_wasmcore(backend: str, options: dict[str, str], module: Path) -> Program:
    """One of wasmcore's backends, the whole module at once; compiled once, an instance for each run."""
    import wasmcore

    engine = wasmcore.Engine(backend, lazy=False, cache=False, options=options)
    compiled = wasmcore.Module(module, engine=engine)

    def run() -> tuple[float, int]:
        with tempfile.TemporaryFile("w+") as output:
            options = {"wasi": {"args": ["python", "-c", SCRIPT.read_text()], "stdout": output.fileno()}}
            instance = wasmcore.Instance(compiled, host_options=options)
            try:
                instance.exports["_start"]()
            except wasmcore.Exit as ended:
                if ended.code:
                    raise
            output.seek(0)
            return parsed(output.read())

    return run


def load_node(flags: list[str], module: Path) -> Program:
    """V8, which compiles each function at its first call, in the run that warms up; a process for each run."""
    command = [shutil.which("node") or "node", "--no-warnings", *flags, "--wasm-lazy-compilation", str(HERE / "node_wasi.mjs"), str(module)]
    return lambda: output_of([*command, "python", "-c", SCRIPT.read_text()])


def program_engines() -> dict[str, Callable[[Path], Program]]:
    """Name -> loader of all engines there are here, native code first; names as in `engines.kernel_engines`."""
    found: dict[str, Callable[[Path], Program]] = {"native": load_native}
    found |= {strategy: partial(load_wasmtime, strategy) for strategy in STRATEGIES}
    if shutil.which("node"):
        found |= {name: partial(load_node, flags) for name, flags in NODE_FLAGS.items()}
    return found | {name: partial(load_wasmcore, backend, options) for name, backend, options in wasmcore_ways()}


def module_path() -> Path | None:
    """The module that `$WASMCORE_PYTHON_WASM` names."""
    named = os.environ.get("WASMCORE_PYTHON_WASM")
    return Path(named) if named else None

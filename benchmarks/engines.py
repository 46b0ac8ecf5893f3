"""The engines that the benchmarks compare: native code, wasmtime, V8 under node, wasmcore."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import wasmtime
from kernels import build
from timing import seconds_of

HERE = Path(__file__).resolve().parent

# Nothing is measured but what is said: where a cache is wanted, it is named.
os.environ["WASMCORE_CACHE"] = "0"

Kernel = Callable[[int], tuple[float, int]]
"""Runs a loaded kernel: argument -> seconds, and the 64 bits of the result."""

STRATEGIES = {"cranelift": 1, "winch": 2}

NODE_FLAGS = {
    "liftoff": ["--liftoff-only", "--no-wasm-tier-up", "--no-wasm-lazy-compilation"],
    "turbofan": ["--no-liftoff", "--no-wasm-tier-up", "--no-wasm-lazy-compilation"],
}
NODE_COMPILE_FLAGS = [*NODE_FLAGS["liftoff"], "--no-wasm-native-module-cache-enabled", "--single-threaded"]


def bits_of(result: float | int) -> int:
    """The 64 bits of an i64 or f64 as an unsigned number."""
    if isinstance(result, float):
        return int(struct.unpack("<Q", struct.pack("<d", result))[0])
    return result & 0xFFFFFFFFFFFFFFFF


def timed_kernel(run: Callable[[int], float | int]) -> Kernel:
    """Measure a function from Python's side."""

    def kernel(argument: int) -> tuple[float, int]:
        result: float | int = 0

        def call() -> None:
            nonlocal result
            result = run(argument)

        return seconds_of(call), bits_of(result)

    return kernel


class Native:
    """Clang's -O3 for any machine of this kind (`baseline`) or for this one (`native`), called through ctypes."""

    def __init__(self, processor: str = "baseline") -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._processor = processor

    def load(self, module: Path, result: str) -> Kernel:
        """Compile and load the kernel whose WebAssembly is at a path; `result` is `i64` or `f64`."""
        function = ctypes.CDLL(str(build.native_library(module.with_suffix(".c"), Path(self._folder.name), self._processor))).run
        function.restype = ctypes.c_double if result == "f64" else ctypes.c_int64
        return timed_kernel(function)


def wasmtime_engine(strategy: str) -> wasmtime.Engine:
    """An engine that compiles on one thread, without a cache."""
    config = wasmtime.Config()
    config.parallel_compilation = False
    # Config.strategy knows no Winch.
    wasmtime._bindings.wasmtime_config_strategy_set(config.ptr(), STRATEGIES[strategy])
    return wasmtime.Engine(config)


class Wasmtime:
    """One of wasmtime's compilers."""

    def __init__(self, strategy: str) -> None:
        self._engine = wasmtime_engine(strategy)

    def load(self, module: Path, _result: str) -> Kernel:
        """Compile and instantiate a kernel."""
        store = wasmtime.Store(self._engine)
        function = wasmtime.Instance(store, wasmtime.Module.from_file(self._engine, str(module)), []).exports(store)["run"]
        assert isinstance(function, wasmtime.Func)
        return timed_kernel(lambda argument: function(store, argument))


class Node:
    """V8 in a node process of its own; raises `OSError` where there is no node."""

    def __init__(self, flags: list[str]) -> None:
        command = [shutil.which("node") or "node", *flags, str(HERE / "node_driver.mjs")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: object) -> dict[str, Any]:
        """Send one request of `node_driver.mjs` and return the answer; raises `RuntimeError` when node has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"node ended with exit code {self._process.wait()}")
        return dict(json.loads(answer))

    def load(self, module: Path, _result: str) -> Kernel:
        """Compile and instantiate a kernel."""
        self.ask(load=str(module))

        def kernel(argument: int) -> tuple[float, int]:
            answer = self.ask(run=argument)
            return answer["seconds"], int(answer["result"])

        return kernel


class Wasmcore:
    """One of wasmcore's backends with some options; whole modules, without a cache."""

    def __init__(self, backend: str, options: dict[str, str]) -> None:
        import wasmcore

        self._engine = wasmcore.Engine(backend, lazy=False, cache=False, options=options)

    def load(self, module: Path, _result: str) -> Kernel:
        """Compile and instantiate a kernel."""
        import wasmcore

        instance = wasmcore.Instance(wasmcore.Module(module, engine=self._engine))
        return timed_kernel(instance.exports.run)


def wasmcore_backends() -> Iterator[str]:
    """Names of the backends that are installed and work here; none without wasmcore."""
    with contextlib.suppress(ImportError):
        import wasmcore

        yield from wasmcore.backends()


def wasmcore_ways() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, backend, options of all that wasmcore has to offer: each level, the default one first, that also with the other library."""
    for backend in wasmcore_backends():
        import wasmcore

        found = wasmcore.backends()[backend]
        levels = found.options.get("level")
        if levels is None:
            yield f"wasmcore {backend}", backend, {}
        for level in levels or ():
            yield f"wasmcore {backend} {level}", backend, {"level": level}
        if levels is not None and "libllvm" in found.version:
            yield f"wasmcore {backend} {levels[0]}, llvmlite", backend, {"level": levels[0], "library": "llvmlite"}


def kernel_engines() -> dict[str, Callable[[], Any]]:
    """Name -> constructor of all engines there are here, native code first."""
    engines: dict[str, Callable[[], Any]] = {"native": Native, "native -march": partial(Native, "native")}
    engines |= {strategy: partial(Wasmtime, strategy) for strategy in STRATEGIES}
    if shutil.which("node"):
        engines |= {name: partial(Node, flags) for name, flags in NODE_FLAGS.items()}
    return engines | {name: partial(Wasmcore, backend, options) for name, backend, options in wasmcore_ways()}


fresh_number = itertools.count(1).__next__
"""A number not used before, for V8's cache to know no module twice."""

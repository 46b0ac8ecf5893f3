"""The process that `wasmcore bench` measures one engine in: what it prints is forgotten, what it found goes to a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

import wasmcore
from wasmcore.cli.options import RunRequest
from wasmcore.cli.run import enabled_features, host_options, requested_function

Ran = tuple[float, str]
"""Seconds, and the result."""


def main(words: list[str]) -> None:
    """Measure what the one argument says, as JSON."""
    engine, backend, options, fields, rounds, pipe = json.loads(words[0])
    named: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    request = RunRequest(**named)
    try:
        make = with_wasmcore(request, backend, options) if engine == "wasmcore" else with_wasmtime(request, backend)
        compiling, running, result = [], [], ""
        for _ in range(rounds):
            start = perf_counter()
            run = make()
            compiling.append(perf_counter() - start)
            seconds, result = run()
            running.append(seconds)
        answer: list[Any] = [1000 * min(compiling), 1000 * min(running), result, ""]
    except Exception as error:
        answer = [0.0, 0.0, "", f"{type(error).__name__}: {error}"]
    with open(pipe, "w", encoding="utf-8") as opened:
        json.dump(answer, opened)


def with_wasmcore(request: RunRequest, backend: str, options: dict[str, str]) -> Callable[[], Callable[[], Ran]]:
    """Compile all functions; then run."""
    engine = wasmcore.Engine(backend, lazy=False, options=options, features=enabled_features(request.enable), cache=False)
    with open(request.file, "rb") as opened:
        data = opened.read()

    def make() -> Callable[[], Ran]:
        module = wasmcore.Module(data, engine=engine)
        name, arguments = requested_function(request, module)
        return lambda: run(module, name, arguments)

    def run(module: wasmcore.Module, name: str, arguments: list[int | float]) -> Ran:
        instance = wasmcore.Instance(module, host_options=host_options(request))
        if request.invoke is not None and "_initialize" in instance.exports:
            instance.exports["_initialize"]()
        function = instance.exports[name]
        start = perf_counter()
        try:
            result: object = function(*arguments)
        except wasmcore.Exit as ended:
            result = f"exit code {ended.code}"
        return perf_counter() - start, repr(result)

    return make


def with_wasmtime(request: RunRequest, strategy: str) -> Callable[[], Callable[[], Ran]]:
    """The same with one of wasmtime's compilers, on one thread."""
    import wasmtime

    config = wasmtime.Config()
    config.strategy = strategy
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    with open(request.file, "rb") as opened:
        data = opened.read()
    name, arguments = requested_function(request, wasmcore.Module(data, engine=wasmcore.Engine(cache=False)))

    def run(module: wasmtime.Module) -> Ran:
        store, linker, wasi = wasmtime.Store(engine), wasmtime.Linker(engine), wasmtime.WasiConfig()
        wasi.argv = [request.file, *(request.arguments if request.invoke is None else ())]
        wasi.env = list(host_options(request)["wasi"]["env"].items())
        for guest, host in host_options(request)["wasi"]["dirs"].items():
            wasi.preopen_dir(host, guest)
        wasi.stdout_file = os.devnull
        store.set_wasi(wasi)
        linker.define_wasi()
        exports = linker.instantiate(store, module).exports(store)
        function: Any = exports[name]
        start = perf_counter()
        try:
            result: object = function(store, *arguments)
        except wasmtime.ExitTrap as ended:
            result = f"exit code {ended.code}"
        return perf_counter() - start, repr(result)

    def make() -> Callable[[], Ran]:
        module = wasmtime.Module(engine, data)
        return lambda: run(module)

    return make

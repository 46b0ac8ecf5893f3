"""One compiler, and what it takes for each module: `throughput.py` starts this in the interpreter that has it."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable

Compile = Callable[[bytes], object]

TINY = bytes.fromhex("0061736d01000000010401600000030201000a040102000b")
"""One function that does nothing: takes what only a first module takes."""


def wasmcore(backend: str, options: str) -> Compile:
    """A backend of wasmcore in this process, with its options as JSON: from bytes to the code of all units."""
    import wasmcore
    from wasmcore.binary import decode
    from wasmcore.compile.units import whole_module
    from wasmcore.plugin.unit import CompileUnit
    from wasmcore.runtime.instances.plan import plan
    from wasmcore.validation import StreamWriter

    engine = wasmcore.Engine(backend, cache=False, options=json.loads(options))

    def compile_module(data: bytes) -> None:
        info = decode(data)
        writer = StreamWriter(info)
        environment = plan(info, tuple(True for _ in info.memories))
        environment, groups = whole_module(info, writer, environment, engine.backend)
        unit = CompileUnit.made_for(engine.target, environment, (), options=engine.options)
        for streams, callees in groups:
            engine.backend.compile(unit._replace(streams=streams, callees=callees))

    return compile_module


def wasmtime(strategy: str) -> Compile:
    """One of wasmtime's compilers."""
    import wasmtime

    config = wasmtime.Config()
    config.strategy = strategy
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)
    return lambda data: wasmtime.Module(engine, data)


def wasmer(name: str) -> Compile:
    """One of Wasmer's compilers."""
    package = importlib.import_module("wasmer")
    compiler = importlib.import_module(f"wasmer_compiler_{name}").Compiler
    return lambda data: package.Module(package.Store(package.engine.JIT(compiler)), data)


def seconds(compile_module: Compile, data: bytes, rounds: int) -> float:
    """Of the processor, the least of some rounds; not a number, with the reason on stderr, where it does not compile."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        try:
            compile_module(data)
        except Exception as error:
            print(error, file=sys.stderr)
            return float("nan")
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """`ENGINE ARGUMENT... ROUNDS FILE` prints a number."""
    name, *arguments, rounds, file = sys.argv[1:]
    compile_module: Compile = {"wasmcore": wasmcore, "wasmtime": wasmtime, "wasmer": wasmer}[name](*arguments)
    compile_module(TINY)
    with open(file, "rb") as opened:
        print(seconds(compile_module, opened.read(), int(rounds)))


if __name__ == "__main__":
    # This folder has modules with the names of others.
    sys.path.pop(0)
    main()

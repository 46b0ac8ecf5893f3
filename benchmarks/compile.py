"""How fast modules are decoded, validated and compiled: wasmcore's stages beside wasmtime and V8; see README.md."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import wasmtime
from engines import HERE, NODE_COMPILE_FLAGS, Node, fresh_number, wasmtime_engine
from timing import interleave, machine_kind, print_table, seconds_of, write_json

Measurements = dict[str, Callable[[], float]]

CODE_SECTION = 10


def code_size(data: bytes) -> int:
    """Bytes of the code section."""
    at = 8
    while at < len(data):
        section, (size, at) = data[at], _unsigned(data, at + 1)
        if section == CODE_SECTION:
            return size
        at += size
    return 0


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
        if byte < 0x80:
            return value, at


def wasmcore_stages(data: bytes) -> Measurements:
    """Each includes the ones before it, except for the parts of singlepass, which start from finished streams."""
    import wasmcore
    from wasmcore.binary import decode
    from wasmcore.validation import StreamWriter
    from wasmcore.validation import validate as validate_module

    def validate() -> None:
        validate_module(decode(data))

    def stream() -> None:
        info = decode(data)
        writer = StreamWriter(info)
        for index in range(info.imported_functions, info.function_count):
            writer.stream(index)

    def whole(backend: str) -> None:
        module = wasmcore.Module(data, engine=wasmcore.Engine(backend, lazy=False))
        module._code(tuple(True for _ in module.info.memories))

    measurements: Measurements = {
        "decode": lambda: seconds_of(lambda: decode(data)),
        "decode, validate": lambda: seconds_of(validate),
        "decode, stream": lambda: seconds_of(stream),
    }
    if "singlepass" in wasmcore.backends():
        measurements |= singlepass_parts(data)
    for name in wasmcore.backends():
        measurements[f"{name}, whole"] = partial(seconds_of, partial(whole, name))
    return {f"wasmcore {stage}": measure for stage, measure in measurements.items()}


def singlepass_parts(data: bytes) -> Measurements:
    """The two halves of the singlepass compiler: streams to macro records, and those to machine code."""
    import wasmcore
    from wasmcore.binary import decode
    from wasmcore.plugin.unit import CompileUnit
    from wasmcore.runtime.instances.plan import plan
    from wasmcore.validation import StreamWriter

    info = decode(data)
    writer = StreamWriter(info)
    streams = tuple(writer.stream(index) for index in range(info.imported_functions, info.function_count))
    engine = wasmcore.Engine("singlepass")
    environment = plan(info, tuple(True for _ in info.memories))
    unit = CompileUnit.made_for(engine.target, environment, streams)
    compiler = engine.backend._take(unit)  # type: ignore[attr-defined]  # the seam is inside the backend

    return {
        "singlepass: allocate": lambda: seconds_of(lambda: compiler.records(unit)),
        "singlepass: allocate, encode": lambda: seconds_of(lambda: engine.backend.compile(unit)),
    }


def wasmtime_stages(data: bytes, strategies: tuple[str, ...]) -> Measurements:
    """wasmtime's validator and compilers, on one thread and without a cache."""
    engine = wasmtime_engine("cranelift")
    measurements: Measurements = {"wasmtime validate": lambda: seconds_of(lambda: wasmtime.Module.validate(engine, data))}
    for strategy in strategies:
        measurements[f"wasmtime {strategy}"] = partial(compile_by_wasmtime, wasmtime_engine(strategy), data)
    return measurements


def compile_by_wasmtime(engine: wasmtime.Engine, data: bytes) -> float:
    """Seconds to compile; not a number where it can not."""
    try:
        return seconds_of(lambda: wasmtime.Module(engine, data))
    except wasmtime.WasmtimeError:
        return float("nan")


def v8_stages(path: Path) -> Measurements:
    """V8's validator and Liftoff, eager, without background threads, on bytes never seen before."""
    if not shutil.which("node"):
        return {}
    node = Node(NODE_COMPILE_FLAGS)
    node.ask(read=str(path.resolve()))
    return {
        "V8 validate": lambda: float(node.ask(validate=fresh_number())["seconds"]),
        "V8 liftoff": lambda: float(node.ask(compile=fresh_number())["seconds"]),
    }


def report(path: Path, rounds: int, strategies: tuple[str, ...]) -> dict[str, float]:
    """Measure one module and print a table; the medians in seconds."""
    data = path.read_bytes()
    code = code_size(data)
    measurements = wasmcore_stages(data) | wasmtime_stages(data, strategies) | v8_stages(path)
    for measure in measurements.values():
        measure()
    medians = interleave(measurements, rounds)
    print(f"\n{path.name}: {len(data) / 1e6:.3f} MB, code section {code / 1e6:.3f} MB")
    reference = medians.get("wasmcore singlepass, whole", float("nan"))
    rows: list[list[str | float]] = [[name, t * 1e3, len(data) / t / 1e6, code / t / 1e6, t / reference] for name, t in medians.items()]
    print_table(["stage", "ms", "MB/s", "MB/s of code", "of singlepass"], rows)
    return medians


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", type=Path, help="modules (default: the larger examples, and $WASMCORE_PYTHON_WASM where set)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each stage runs")
    parser.add_argument("--no-cranelift", action="store_true", help="leave out Cranelift, which takes long on large modules")
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds to a file")
    options = parser.parse_args()
    modules = options.modules or [HERE.parent / "examples" / f"{name}.wasm" for name in ("calculator", "sha256sum")]
    if not options.modules and "WASMCORE_PYTHON_WASM" in os.environ:
        modules.append(Path(os.environ["WASMCORE_PYTHON_WASM"]))
    strategies = ("winch",) if options.no_cranelift else ("winch", "cranelift")
    print(f"{machine_kind()}; medians of {options.rounds} interleaved rounds, one thread, no caches")
    results = {path.name: report(path, options.rounds, strategies) for path in modules}
    write_json(options.json, {"seconds": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())

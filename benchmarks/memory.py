"""What Python pays for a few bytes, a number, a string or a view of a memory of WebAssembly; see README.md."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable
from timeit import Timer
from typing import Any

import wasmtime
from timing import interleave, machine_kind, print_table, write_json

TEXT = '(module (memory (export "memory") 1))'
AIMS = dict.fromkeys(("read 4 bytes", "write 4 bytes", "read a u32", "write a u32"), 150)
AIMS |= dict.fromkeys(("view", "read a string", "read a string, counted", "write a string"), 300)
"""Nanoseconds of wasmcore."""
STRING = "hello world"
STATEMENTS = {
    "wasmcore": {
        "read 4 bytes": "memory.read(64, 4)",
        "write 4 bytes": "memory.write(64, b'abcd')",
        "read a u32": "memory.u32[64]",
        "write a u32": "memory.u32[64] = 77",
        "view": "memory.view()",
        "read a string": "memory.read_string(128)",
        "read a string, counted": "memory.read_string(128, 11)",
        "write a string": "memory.write_string(128, STRING)",
    },
    "wasmtime-py": {
        "read 4 bytes": "memory.read(store, 64, 68)",
        "write 4 bytes": "memory.write(store, b'abcd', 64)",
        "read a u32": "int.from_bytes(memory.read(store, 64, 68), 'little')",
        "write a u32": "memory.write(store, (77).to_bytes(4, 'little'), 64)",
        "view": "memory.data_ptr(store)",
        "read a string, counted": "memory.read(store, 128, 139).decode()",
        "write a string": "memory.write(store, STRING.encode() + b'\\0', 128)",
    },
    "wasm3": {
        "read 4 bytes": "bytes(memory[64:68])",
        "write 4 bytes": "memory[64:68] = b'abcd'",
        "read a u32": "int.from_bytes(memory[64:68], 'little')",
        "write a u32": "memory[64:68] = (77).to_bytes(4, 'little')",
        "view": "runtime.get_memory(0)",
        "read a string, counted": "str(memory[128:139], 'utf-8')",
        "write a string": "memory[128:140] = STRING.encode() + b'\\0'",
    },
}
"""By engine and what is done; `memory`, `store` and `runtime` are those of the engine."""


def wasmcore_names() -> dict[str, Any]:
    """A memory of wasmcore."""
    import wasmcore

    return {"memory": wasmcore.Instance(wasmcore.Module(TEXT)).exports.memory}


def wasmtime_names() -> dict[str, Any]:
    """A memory of wasmtime."""
    store = wasmtime.Store()
    memory = wasmtime.Instance(store, wasmtime.Module(store.engine, TEXT), []).exports(store)["memory"]
    return {"memory": memory, "store": store}


def wasm3_names() -> dict[str, Any]:
    """A memory of wasm3, which gives it as a memoryview."""
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(65536)
    runtime.load(environment.parse_module(bytes(wasmtime.wat2wasm(TEXT))))
    return {"memory": runtime.get_memory(0), "runtime": runtime, "environment": environment}


ENGINES: dict[str, Callable[[], dict[str, Any]]] = {"wasmcore": wasmcore_names, "wasmtime-py": wasmtime_names}
if importlib.util.find_spec("wasm3"):
    ENGINES["wasm3"] = wasm3_names


def measurement(engine: str, statement: str, number: int) -> Callable[[], float]:
    """Seconds that a statement takes."""
    names = {**ENGINES[engine](), "STRING": STRING}
    exec(STATEMENTS[engine]["write a string"], names)
    timer = Timer(statement, globals=names)
    return lambda: timer.timeit(number) / number


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--number", type=int, default=50_000, help="how often each is done in a round")
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds to a file")
    options = parser.parse_args()
    kinds = list(STATEMENTS["wasmcore"])
    medians = interleave(
        {
            f"{engine}: {kind}": measurement(engine, statement, options.number if engine == "wasmcore" else options.number // 10)
            for engine in ENGINES
            for kind, statement in STATEMENTS[engine].items()
        },
        options.rounds,
    )
    print(f"{machine_kind()}; medians of {options.rounds} interleaved rounds, nanoseconds\n")
    rows: list[list[str | float]] = []
    for kind in kinds:
        found = [medians.get(f"{engine}: {kind}", float("nan")) * 1e9 for engine in ENGINES]
        rows.append([kind, *found, *(each / found[0] for each in found[1:]), AIMS.get(kind, float("nan"))])
    others = list(ENGINES)[1:]
    print_table(["", *ENGINES, *(f"{engine} / wasmcore" for engine in others), "aim"], rows)
    write_json(options.json, {"seconds": medians})
    return 0


if __name__ == "__main__":
    sys.exit(main())

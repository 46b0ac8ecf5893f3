"""What an instance of a small module costs: microseconds to make and drop it, bytes while it is there; see README.md."""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable

from timing import interleave, machine_kind, print_table, write_json

TEXT = """(module (memory (export "memory") 1) (table (export "table") 2 funcref) (global (export "global") (mut i32) (i32.const 1))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))) (func (export "nothing"))
  (elem (i32.const 0) 0 1) (data (i32.const 8) "hello"))"""
AIM_MICROSECONDS, AIM_BYTES = 20.0, 6000.0
MAKERS = {
    "wasmcore": """
import wasmcore
module = wasmcore.Module(TEXT, engine=wasmcore.Engine(cache=False))
def make(): return wasmcore.Instance(module)
def use(instance): return instance.exports.add(2, 3)
""",
    "wasmtime-py": """
import wasmtime
engine = wasmtime.Engine()
module = wasmtime.Module(engine, TEXT)
def make():
    store = wasmtime.Store(engine)
    return store, wasmtime.Instance(store, module, [])
def use(made): return made[1].exports(made[0])["add"](made[0], 2, 3)
""",
    "wasm3": """
import wasm3, wasmtime
data = bytes(wasmtime.wat2wasm(TEXT))
environment = wasm3.Environment()
def make():
    runtime = environment.new_runtime(4096)
    runtime.load(environment.parse_module(data))
    return runtime
def use(runtime): return runtime.find_function("add")(2, 3)
""",
}
"""By engine: a program that defines `make`, which makes an instance, and `use`, which calls a function of one."""
MEASURE = """
import gc, time
assert use(make()) == 5
def resident():
    gc.collect()
    return int(open("/proc/self/statm").read().split()[1]) * 4096
"""
TIME = MEASURE + """
for _ in range(NUMBER // 10): make()
start = time.perf_counter()
for _ in range(NUMBER): make()
print((time.perf_counter() - start) / NUMBER)
"""
FIRST_CALL = MEASURE + """
for _ in range(NUMBER // 10): use(make())
start = time.perf_counter()
for _ in range(NUMBER): use(make())
print((time.perf_counter() - start) / NUMBER)
"""
SPACE = MEASURE + """
kept = [make() for _ in range(NUMBER // 10)]
before = resident()
kept += [make() for _ in range(NUMBER)]
print((resident() - before) / NUMBER)
"""
FLAT = MEASURE + """
for _ in range(NUMBER): make()
before = resident()
for _ in range(NUMBER): make()
print(resident() - before)
"""


def run(program: str, engine: str, number: int) -> float:
    """What a program prints, in a process of its own."""
    script = f"TEXT = {TEXT!r}\nNUMBER = {number}\n" + MAKERS[engine] + program
    environment = {**os.environ, "WASMCORE_CACHE": "0"}
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return float(done.stdout)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--number", type=int, default=2000, help="instances per round")
    parser.add_argument("--alive", type=int, default=10_000, help="instances that are there at once")
    parser.add_argument("--flat", type=int, default=0, metavar="NUMBER", help="make and drop so many, twice, and say how much memory grew")
    parser.add_argument("--json", metavar="FILE", help="write what was measured to a file")
    options = parser.parse_args()
    engines = [engine for engine in MAKERS if importlib.util.find_spec(engine.removesuffix("-py"))]

    def timed(program: str) -> dict[str, float]:
        measurements: dict[str, Callable[[], float]] = {
            engine: lambda engine=engine: run(program, engine, options.number) for engine in engines  # type: ignore[misc]
        }
        return interleave(measurements, options.rounds)

    made, called = timed(TIME), timed(FIRST_CALL)
    space = {engine: run(SPACE, engine, options.alive) for engine in engines}
    print(f"{machine_kind()}; medians of {options.rounds} interleaved rounds\n")
    ours, size = made["wasmcore"], space["wasmcore"]
    rows: list[list[str | float]] = [
        [engine, made[engine] * 1e6, made[engine] / ours, called[engine] * 1e6, space[engine], space[engine] / size] for engine in engines
    ]
    rows.append(["aim of wasmcore", AIM_MICROSECONDS, AIM_MICROSECONDS / ours / 1e6, float("nan"), AIM_BYTES, AIM_BYTES / size])
    print_table(["an instance", "us", "of wasmcore", "us with a call", "bytes", "of wasmcore"], rows)
    if options.flat:
        print(f"\n{options.flat:,} more made and dropped: {run(FLAT, 'wasmcore', options.flat):+,.0f} bytes")
    write_json(options.json, {"seconds": made, "seconds with a call": called, "bytes": space})
    return 0


if __name__ == "__main__":
    sys.exit(main())

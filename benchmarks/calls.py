"""What a call costs: Python to WebAssembly and WebAssembly to Python; see README.md."""

from __future__ import annotations

import argparse
import ctypes
import operator
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from timeit import Timer

import wasmtime
from engines import wasmcore_backends, wasmtime_engine
from kernels import build
from timing import interleave, machine_kind, print_table, write_json

HERE = Path(__file__).resolve().parent
MODULE = HERE / "kernels" / "calls" / "calls.wasm"

Measurements = dict[str, Callable[[], float]]


def per_call(function: Callable[[int, int], int], number: int) -> Callable[[], float]:
    """Seconds that `function(2, 3)` takes, the loop around it included."""
    assert function(2, 3) == 5
    timer = Timer("function(2, 3)", globals={"function": function})
    return lambda: timer.timeit(number) / number


def per_host_call(loop: Callable[[int], int], number: int) -> Callable[[], float]:
    """Seconds per turn of a loop in WebAssembly that calls the host function once a turn."""
    return lambda: Timer("loop(number)", globals={"loop": loop, "number": number}).timeit(1) / number


def python_add(a: int, b: int) -> int:
    """What the others are compared with."""
    return a + b


def python_loop(number: int) -> int:
    """The loop of `calls.c` in Python."""
    total = 0
    while number > 0:
        total = python_add(total, 1)
        number -= 1
    return total


def ctypes_add() -> Callable[[int, int], int]:
    """The same function natively through ctypes."""
    library = ctypes.CDLL(str(build.native_library(MODULE.with_suffix(".c"), Path(tempfile.mkdtemp()))))
    library.add.argtypes = [ctypes.c_int, ctypes.c_int]
    return library.add


def wasmtime_functions() -> tuple[Callable[[int, int], int], Callable[[int], int]]:
    """`add`, and `loop` which calls `python_add`, in wasmtime-py."""
    engine = wasmtime_engine("cranelift")
    store = wasmtime.Store(engine)
    i32 = wasmtime.ValType.i32
    host = wasmtime.Func(store, wasmtime.FuncType([i32(), i32()], [i32()]), python_add)
    exports = wasmtime.Instance(store, wasmtime.Module.from_file(engine, str(MODULE)), [host]).exports(store)
    add, loop = exports["add"], exports["loop"]
    assert isinstance(add, wasmtime.Func) and isinstance(loop, wasmtime.Func)
    return lambda a, b: add(store, a, b), lambda number: loop(store, number)


def wasmcore_measurements(backend: str, number: int) -> tuple[Measurements, Measurements]:
    """Calls and host calls on one backend."""
    import wasmcore

    module = wasmcore.Module(MODULE, backend=backend)
    exports = wasmcore.Instance(module, {"env": {"host": python_add}}).exports
    released = wasmcore.Instance(module, {"env": {"host": python_add}}, release_gil=True).exports
    builtin = wasmcore.Instance(module, {"env": {"host": operator.add}}).exports
    assert exports.loop(10) == released.loop(10) == builtin.loop(10) == 10
    calls = {
        f"wasmcore {backend}": per_call(exports.add, number),
        f"wasmcore {backend}, GIL released": per_call(released.add, number),
    }
    host_calls = {
        f"wasmcore {backend}": per_host_call(exports.loop, number),
        f"wasmcore {backend}, GIL released": per_host_call(released.loop, number),
        f"wasmcore {backend}, host function in C": per_host_call(builtin.loop, number),
    }
    return calls, host_calls


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--number", type=int, default=200_000, help="calls per round (a hundredth of it for wasmtime-py)")
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds to a file")
    options = parser.parse_args()

    number, few = options.number, options.number // 100
    wasmtime_add, wasmtime_loop = wasmtime_functions()
    calls: Measurements = {
        "Python def": per_call(python_add, number),
        "C builtin (operator.add)": per_call(operator.add, number),
        "ctypes": per_call(ctypes_add(), number),
        "wasmtime-py": per_call(wasmtime_add, few),
    }
    host_calls: Measurements = {"Python loop": per_host_call(python_loop, number), "wasmtime-py": per_host_call(wasmtime_loop, few)}
    for backend in wasmcore_backends():
        more_calls, more_host_calls = wasmcore_measurements(backend, number)
        calls |= more_calls
        host_calls |= more_host_calls

    print(f"{machine_kind()}; medians of {options.rounds} interleaved rounds")
    results = {}
    for title, reference, measurements in (
        ("(i32, i32) -> i32 called from Python", "Python def", calls),
        ("Python function called from a loop in WebAssembly", "Python def", {"Python def": calls["Python def"], **host_calls}),
    ):
        medians = interleave(measurements, options.rounds)
        results[title] = medians
        print()
        rows: list[list[str | float]] = [[name, seconds * 1e9, seconds / medians[reference]] for name, seconds in medians.items()]
        print_table([title, "ns", f"of {reference}"], rows)
    write_json(options.json, {"seconds": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())

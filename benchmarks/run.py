"""How fast compiled code runs: C kernels natively, on wasmtime, on V8 and on wasmcore; see README.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from engines import HERE, Kernel, kernel_engines
from timing import geometric_mean, interleave, machine_kind, print_table, write_json


class Case(NamedTuple):
    """A kernel's argument, and the type of its result."""

    argument: int
    result: str


KERNELS = {
    "matmul_f32": Case(50, "f64"),
    "matmul_f64": Case(25, "f64"),
    "stencil": Case(400, "f64"),
    "nbody": Case(700_000, "f64"),
    "mandelbrot": Case(450, "i64"),
    "sha256": Case(9_000, "i64"),
    "quicksort": Case(500_000, "i64"),
    "sieve": Case(5, "i64"),
    "hashing": Case(32_000, "i64"),
    "fib": Case(35, "i64"),
    "indirect": Case(20_000, "i64"),
    "interpreter": Case(2_000_000, "i64"),
    "random_access": Case(500, "i64"),
}


def wrong_results(kernels: Mapping[str, Kernel], argument: int) -> dict[str, int]:
    """Run each kernel once, which warms it up too; the engines whose result differs from the first one's, with the results."""
    results = {name: kernel(argument)[1] for name, kernel in kernels.items()}
    expected = next(iter(results.values()))
    return {name: result for name, result in results.items() if result != expected}


def seconds_of_run(kernel: Kernel, argument: int) -> float:
    """Seconds of one run."""
    return kernel(argument)[0]


def measurements(kernels: Mapping[str, Kernel], argument: int) -> dict[str, Callable[[], float]]:
    """Seconds of one run, for each engine."""
    return {name: partial(seconds_of_run, kernel, argument) for name, kernel in kernels.items()}


def main() -> int:
    """Measure and print; exit code 1 when a result is wrong."""
    available = kernel_engines()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each kernel runs on each engine")
    parser.add_argument("--kernel", action="append", choices=list(KERNELS), help="only this kernel (may be repeated)")
    parser.add_argument("--engine", action="append", choices=list(available), help="only this engine beside native code (may be repeated)")
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds to a file")
    options = parser.parse_args()

    names = ["native", *(name for name in available if name != "native" and name in (options.engine or available))]
    engines = {name: available[name]() for name in names}
    medians: dict[str, dict[str, float]] = {}
    failures = 0
    print(f"{machine_kind()}; median of {options.rounds} interleaved rounds; times relative to native code")
    for kernel_name in options.kernel or KERNELS:
        case = KERNELS[kernel_name]
        module = HERE / "kernels" / f"{kernel_name}.wasm"
        kernels = {name: engine.load(Path(module), case.result) for name, engine in engines.items()}
        for name, result in wrong_results(kernels, case.argument).items():
            print(f"WRONG RESULT: {kernel_name} on {name}: {result:#x}", file=sys.stderr)
            failures += 1
        medians[kernel_name] = interleave(measurements(kernels, case.argument), options.rounds)
    ratios = {kernel: {name: seconds[name] / seconds["native"] for name in names} for kernel, seconds in medians.items()}
    rows: list[list[str | float]] = [
        [kernel, medians[kernel]["native"] * 1e3, *(ratios[kernel][name] for name in names[1:])] for kernel in ratios
    ]
    means = {name: geometric_mean(ratio[name] for ratio in ratios.values()) for name in names}
    print_table(["kernel", "native ms", *names[1:]], [*rows, ["geometric mean", "", *(means[name] for name in names[1:])]])
    write_json(options.json, {"seconds": medians, "geometric_means": means, "failures": failures})
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

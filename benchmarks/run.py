"""How fast compiled code runs: kernels and programs natively, on wasmtime, on V8 and on wasmcore; see README.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cpython
from engines import HERE, NODE_FLAGS, Kernel, kernel_engines
from timing import geometric_mean, interleave, machine_kind, print_table, seconds_of, write_json


class Case(NamedTuple):
    """A module's argument, and the type of its result."""

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
PROGRAMS = {
    "lz": Case(20, "i64"),
    "huffman": Case(35, "i64"),
    "blake2b": Case(16384, "i64"),
    "json": Case(18, "i64"),
}
GROUPS = {"kernels": KERNELS, "programs": PROGRAMS}
CPYTHON = "cpython"

Seconds = dict[str, dict[str, float]]
"""By case and engine."""


class Results:
    """Medians, and the seconds of compiling and loading."""

    def __init__(self) -> None:
        self.run: Seconds = {}
        self.compile: Seconds = {}
        self.failures = 0

    def measure(self, case: str, engines: Mapping[str, Callable[[], Kernel]], argument: int, rounds: int) -> None:
        """Load a case on all engines, compare the results of a first run, which warms up, and measure."""
        self.compile[case] = {}
        kernels: dict[str, Kernel] = {}
        for name, load in engines.items():
            self.compile[case][name] = seconds_of(partial(_load, kernels, name, load))
        results = {name: kernel(argument)[1] for name, kernel in kernels.items()}
        expected = next(iter(results.values()))
        for name, result in results.items():
            if result != expected:
                print(f"WRONG RESULT: {case} on {name}: {result:#x}, not {expected:#x}", file=sys.stderr)
                self.failures += 1
        for name in [name for name in engines if name.startswith("native")]:
            del self.compile[case][name]  # its compiler has a cache
        self.run[case] = interleave({name: partial(_seconds, kernel, argument) for name, kernel in kernels.items()}, rounds)

    def ratios(self, case: str) -> dict[str, float]:
        """Times relative to native code."""
        return {name: seconds / self.run[case]["native"] for name, seconds in self.run[case].items()}

    def means(self, cases: Iterable[str]) -> dict[str, float]:
        """Geometric means of the ratios, by engine."""
        ratios = [self.ratios(case) for case in cases if case in self.run]
        return {name: geometric_mean(ratio[name] for ratio in ratios) for name in ratios[0]} if ratios else {}


def _load(kernels: dict[str, Kernel], name: str, load: Callable[[], Kernel]) -> None:
    kernels[name] = load()


def _seconds(kernel: Kernel, argument: int) -> float:
    return kernel(argument)[0]


def _ignoring_argument(load: Callable[[Path], cpython.Program], module: Path) -> Kernel:
    program = load(module)
    return lambda _argument: program()


def measure_all(names: list[str], wanted: list[str], rounds: int, python_wasm: Path | None, python_engines: list[str]) -> Results:
    """All cases on all engines."""
    results = Results()
    constructors = kernel_engines()
    engines = {name: constructors[name]() for name in names}
    for group, cases in GROUPS.items():
        for case, (argument, result) in cases.items():
            if case in wanted:
                module = HERE / group / f"{case}.wasm"
                results.measure(case, {name: partial(engine.load, module, result) for name, engine in engines.items()}, argument, rounds)
    if python_wasm is not None and CPYTHON in wanted:
        loaders = {name: load for name, load in cpython.program_engines().items() if name in python_engines}
        results.measure(CPYTHON, {name: partial(_ignoring_argument, load, python_wasm) for name, load in loaders.items()}, 0, rounds)
        for name in NODE_FLAGS:
            results.compile[CPYTHON].pop(name, None)  # compiled while it runs
    return results


def print_results(results: Results, names: list[str]) -> dict[str, dict[str, float]]:
    """Tables of ratios and of compile times; the geometric means by group."""
    means = {group: results.means(cases) for group, cases in GROUPS.items() if any(case in results.run for case in cases)}
    rows: list[list[str | float]] = []
    for group, cases in GROUPS.items():
        for case in cases:
            if case in results.run:
                ratios = results.ratios(case)
                rows.append([case, results.run[case]["native"] * 1e3, *(ratios[name] for name in names[1:])])
        if group in means:
            rows.append([f"geometric mean, {group}", "", *(means[group][name] for name in names[1:])])
    if CPYTHON in results.run:
        ratios = results.ratios(CPYTHON)
        rows.append([CPYTHON, results.run[CPYTHON]["native"] * 1e3, *(ratios.get(name, float("nan")) for name in names[1:])])
    print_table(["times relative to native", "native ms", *names[1:]], rows)
    print()
    nothing = float("nan")
    compilers = [name for name in names if not name.startswith("native")]
    print_table(
        ["milliseconds to compile", *compilers],
        [[case, *(seconds.get(name, nothing) * 1e3 for name in compilers)] for case, seconds in results.compile.items()],
    )
    return means


def main() -> int:
    """Measure and print; exit code 1 when a result is wrong."""
    available = list(kernel_engines())
    cases = [*KERNELS, *PROGRAMS, CPYTHON]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each case runs on each engine")
    parser.add_argument("--case", "--kernel", action="append", choices=cases, help="only this kernel or program (may be repeated)")
    parser.add_argument("--engine", action="append", choices=available, help="only this engine beside native code (may be repeated)")
    parser.add_argument("--python-wasm", type=Path, default=cpython.module_path(), help="CPython for WASI ($WASMCORE_PYTHON_WASM)")
    parser.add_argument(
        "--python-engine", action="append", choices=available, help="run CPython only on this engine (may be repeated; default: all)"
    )
    parser.add_argument("--json", metavar="FILE", help="write medians in seconds to a file")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the results as FILE.svg and FILE.png (needs matplotlib)")
    options = parser.parse_args()

    names = ["native", *(name for name in available if name != "native" and name in (options.engine or available))]
    print(f"{machine_kind()}; median of {options.rounds} interleaved rounds")
    python_engines = ["native", *(options.python_engine or names)]
    results = measure_all(names, options.case or cases, options.rounds, options.python_wasm, python_engines)
    means = print_results(results, names)
    data: dict[str, Any] = {
        "groups": {group: [case for case in cases if case in results.run] for group, cases in GROUPS.items()},
        "seconds": results.run,
        "compile_seconds": results.compile,
        "geometric_means": means,
        "failures": results.failures,
    }
    write_json(options.json, data)
    if options.plot:
        import plot

        plot.draw({"machine": machine_kind(), **data}, options.plot)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())

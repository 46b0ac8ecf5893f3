"""Processor seconds that compilers take for modules of 100 bytes to some megabytes, on one thread; see README.md."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from engines import HERE
from timing import machine_kind, print_table, write_json

sys.path.insert(0, str(HERE.parent))
from tests.programs.published import PROGRAMS, NotFetched, fetch

CHILD = str(HERE / "throughput_child.py")
COLOURS = {
    "wasmcore singlepass": "#8fb4dd",
    "wasmcore midtier": "#3f9e8d",
    "wasmcore llvm O1": "#9d7fd1",
    "wasmcore llvm O2": "#1f4e96",
    "wasmcore llvm O2, llvmlite": "#6d8fc4",
    "wasmtime cranelift": "#e08a2b",
    "wasmer llvm": "#b5534c",
    "wasmer cranelift": "#f3c58d",
    "wasmer singlepass": "#e3b7b3",
}
SMALL = ("kernels/fib", "kernels/quicksort", "kernels/nbody", "programs/lz", "programs/json", "../examples/calculator")


def commands(wasmer: str | None) -> dict[str, list[str]]:
    """By name: how to start each compiler; the number of rounds and a file follow."""
    ours = [sys.executable, CHILD, "wasmcore"]
    found = {
        "wasmcore singlepass": [*ours, "singlepass", "{}"],
        "wasmcore midtier": [*ours, "midtier", "{}"],
        **{f"wasmcore llvm {level}": [*ours, "llvm", json.dumps({"level": level})] for level in ("O1", "O2")},
        "wasmcore llvm O2, llvmlite": [*ours, "llvm", json.dumps({"level": "O2", "library": "llvmlite"})],
        "wasmtime cranelift": [sys.executable, CHILD, "wasmtime", "cranelift"],
    }
    if wasmer is not None:
        found |= {f"wasmer {name}": [*shlex.split(wasmer), CHILD, "wasmer", name] for name in ("llvm", "cranelift", "singlepass")}
    return found


def measure(command: list[str], file: Path, rounds: int) -> float:
    """Processor seconds; not a number where it does not compile."""
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "WASMCORE_CACHE": "0"}
    done = subprocess.run([*command, str(rounds), str(file)], env=environment, stdout=subprocess.PIPE, text=True)
    return float(done.stdout) if done.returncode == 0 else math.nan


def modules(published: bool) -> dict[str, Path]:
    """By name, from the smallest to the largest."""
    found = {Path(name).name: HERE / f"{name}.wasm" for name in SMALL}
    if published:
        for name in PROGRAMS:
            try:
                found[name] = fetch(name)
            except NotFetched as reason:
                print(f"{name} is left out: {reason}", file=sys.stderr)
    return dict(sorted(found.items(), key=lambda each: each[1].stat().st_size))


def draw(results: dict[str, Any], path: Path) -> None:
    """Seconds over size, as path.svg and path.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6.5), layout="constrained")
    axes = figure.add_subplot()
    sizes = list(results["bytes"].values())
    for name, seconds in results["seconds"].items():
        points = [(size, seconds[module]) for size, module in zip(sizes, results["bytes"]) if not math.isnan(seconds[module])]
        axes.plot(*zip(*points), marker="o", markersize=3.5, linewidth=1.2, color=COLOURS.get(name), label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("bytes of the module")
    axes.set_ylabel("processor seconds")
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda at: -sum(each for each in results["seconds"][labels[at]].values() if each == each))
    axes.legend([handles[at] for at in order], [labels[at] for at in order], frameon=False, fontsize=9)
    figure.suptitle("Compiling a module on one thread", fontsize=14, x=0.01, ha="left")
    save(figure, results["machine"], path)


def save(figure: Any, machine: str, path: Path) -> None:
    """A figure as path.svg, always the same for the same figures, and path.png; below it stands where it was measured."""
    from matplotlib import rc_context

    figure.supxlabel(machine, fontsize=8, color="#666666", x=0.99, ha="right")
    with rc_context({"svg.hashsalt": "wasmcore"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", type=Path, help="modules (default: some kernels and programs)")
    parser.add_argument("--published", action="store_true", help="also the published programs of the long tests")
    parser.add_argument("--wasmer", metavar="COMMAND", help="starts an interpreter with wasmer 1.1 and its compilers (Python 3.10)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each module is compiled; the least time counts")
    parser.add_argument("--engine", action="append", metavar="NAME", help="only these; can be given again")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw FILE.svg and FILE.png")
    parser.add_argument("--json", metavar="FILE", help="write the seconds to a file")
    options = parser.parse_args()
    files = {path.stem: path for path in options.modules} or modules(options.published)
    engines = {name: command for name, command in commands(options.wasmer).items() if not options.engine or name in options.engine}
    seconds: dict[str, dict[str, float]] = {name: {} for name in engines}
    sizes = {module: path.stat().st_size for module, path in files.items()}
    for module, path in files.items():
        for name, command in engines.items():
            seconds[name][module] = measure(command, path, options.rounds if sizes[module] < 1 << 20 else 1)
    print(f"{machine_kind()}; processor seconds, one thread, the least of {options.rounds} rounds (of one above 1 MiB)\n")
    rows: list[list[str | float]] = [[name, size / 1e3, *(seconds[engine][name] for engine in engines)] for name, size in sizes.items()]
    print_table(["module", "kB", *engines], rows)
    print()
    large = [name for name, size in sizes.items() if size > 10_000]
    print_table(["", *engines], [["MB/s above 10 kB, median", *(_rate(seconds[engine], sizes, large) for engine in engines)]])
    results = {"machine": machine_kind(), "bytes": sizes, "seconds": seconds}
    write_json(options.json, results)
    if options.plot is not None:
        draw(results, options.plot)
    return 0


def _rate(seconds: dict[str, float], sizes: dict[str, int], names: list[str]) -> float:
    rates = [sizes[name] / 1e6 / seconds[name] for name in names if not math.isnan(seconds[name])]
    return statistics.median(rates) if rates else math.nan


if __name__ == "__main__":
    sys.exit(main())

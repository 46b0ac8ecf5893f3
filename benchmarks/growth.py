"""How the time for one function grows with its size, for functions of one kind each; see README.md."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines import HERE
from throughput import COLOURS, commands, measure, save
from timing import machine_kind, print_table, write_json

sys.path.insert(0, str(HERE.parent))
from tests.differential.module_builder import I32, ModuleBuilder, unsigned

Code = Callable[[int], tuple[int, bytes]]
"""Of so many things: how many locals the function has beside its argument, and its code."""
_EMPTY = b"\x40"
_GET, _SET = b"\x20\x00", b"\x21\x00"
_CHANGE = _GET + b"\x67" + _SET
"""local.get 0, i32.clz, local.set 0"""
_BRANCH_IF = _GET + b"\x0d\x00"


def _expressions(count: int) -> tuple[int, bytes]:
    """Six instructions each: arithmetic, and a load."""
    one = _GET + b"\x41\x07\x6c" + _GET + b"\x28\x02\x00\x6a" + _SET
    return 0, one * (count // 6)


def _locals(count: int) -> tuple[int, bytes]:
    """Locals that are all written, and all read behind a branch."""
    numbers = [unsigned(1 + at) for at in range(count)]
    written = b"".join([_GET + b"\x21" + each for each in numbers])
    read = b"".join([b"\x20" + each + _GET + b"\x6a" + _SET for each in numbers])
    return count, written + b"\x02\x40" + _BRANCH_IF + _CHANGE + b"\x0b" + read


def _table(count: int) -> tuple[int, bytes]:
    """One table with so many targets, in four blocks."""
    targets = b"".join([bytes([at % 4]) for at in range(count)])
    blocks = b"\x02\x40" * 4 + _GET + b"\x0e" + unsigned(count) + targets + b"\x00"
    return 0, blocks + (b"\x0b" + _CHANGE) * 4


SHAPES: dict[str, tuple[Code, tuple[int, ...]]] = {
    "instructions": (_expressions, (1_000, 10_000, 100_000, 1_000_000)),
    "blocks": (lambda count: (0, (b"\x02" + _EMPTY + _BRANCH_IF + _CHANGE + b"\x0b") * count), (100, 1_000, 10_000, 100_000)),
    "loops": (lambda count: (0, (b"\x03" + _EMPTY + _CHANGE + _BRANCH_IF + b"\x0b") * count), (100, 1_000, 10_000, 100_000)),
    "blocks in blocks": (lambda count: (0, (b"\x02" + _EMPTY) * count + _BRANCH_IF + (_CHANGE + b"\x0b") * count), (100, 1_000, 10_000)),
    "loops in loops": (lambda count: (0, (b"\x03" + _EMPTY + _CHANGE) * count + (_BRANCH_IF + b"\x0b") * count), (100, 1_000, 10_000)),
    "locals": (_locals, (100, 1_000, 10_000, 49_999)),
    "targets of a br_table": (_table, (100, 1_000, 10_000, 100_000)),
    "calls": (lambda count: (0, (_GET + b"\x10\x00" + _SET) * count), (100, 1_000, 10_000, 100_000)),
}
"""By name of what there are many of: the code, and how many."""


def module(code: Code, count: int) -> bytes:
    """A module whose second function has so many of something; the first one, which loops, is there to be called."""
    builder = ModuleBuilder()
    builder.memory(1, 1)
    builder.function(((I32,), (I32,)), (), b"\x03" + _EMPTY + b"\x0b" + _GET)
    local_count, body = code(count)
    builder.function(((I32,), (I32,)), (I32,) * local_count, body + _GET)
    return builder.to_bytes()


def draw(results: dict[str, Any], path: Path) -> None:
    """Microseconds for each thing over how many there are, a picture for each kind, as path.svg and path.png."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6), layout="constrained")
    for at, (shape, engines) in enumerate(results["seconds"].items()):
        axes = figure.add_subplot(2, 4, at + 1)
        for name, seconds in engines.items():
            points = [(int(count), each / int(count) * 1e6) for count, each in seconds.items() if not math.isnan(each)]
            axes.plot(*zip(*points), marker="o", markersize=3, linewidth=1.2, color=COLOURS.get(name), label=name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(0.03, 300)
        axes.set_title(shape, fontsize=10, loc="left")
        axes.grid(color="#dddddd", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=9, ncols=3, loc="outside upper left")
    figure.supylabel("microseconds for each", fontsize=9)
    save(figure, results["machine"], path)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only these; can be given again")
    parser.add_argument("--engine", action="append", metavar="NAME", help="only these (default: singlepass, midtier, wasmtime's Cranelift)")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw FILE.svg and FILE.png")
    parser.add_argument("--json", metavar="FILE", help="write the seconds to a file")
    options = parser.parse_args()
    wanted = options.engine or ["wasmcore singlepass", "wasmcore midtier", "wasmtime cranelift"]
    engines = {name: command for name, command in commands(None).items() if name in wanted}
    seconds: dict[str, dict[str, dict[str, float]]] = {}
    rows: list[list[str | float]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "module.wasm"
        for shape in options.shape or SHAPES:
            code, counts = SHAPES[shape]
            seconds[shape] = {name: {} for name in engines}
            for count in counts:
                file.write_bytes(module(code, count))
                for name, command in engines.items():
                    seconds[shape][name][str(count)] = measure(command, file, 2 if count <= 10_000 else 1)
                rows.append([shape, count, *(seconds[shape][name][str(count)] / count * 1e6 for name in engines)])
    print(f"{machine_kind()}; processor microseconds for each, one thread\n")
    print_table(["many", "how many", *engines], rows)
    results = {"machine": machine_kind(), "seconds": seconds}
    write_json(options.json, results)
    if options.plot is not None:
        draw(results, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

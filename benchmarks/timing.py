"""What all benchmarks share: interleaved rounds, medians, ratios, tables, JSON."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def seconds_of(call: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleave(measurements: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median seconds of each measurement; every round takes each of them once, so that a slow moment of the machine hits all."""
    samples: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            samples[name].append(measure())
    return {name: statistics.median(values) for name, values in samples.items()}


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean; not a number where there is nothing to average."""
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


def print_table(header: Sequence[str], rows: Iterable[Sequence[str | float]]) -> None:
    """Print rows in aligned columns: text to the left, numbers with three significant digits to the right."""
    texts = [list(header)] + [[cell if isinstance(cell, str) else number_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for index, row in enumerate(texts):
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))
    sys.stdout.flush()


def number_text(number: float) -> str:
    """Three significant digits without an exponent; a dash for what was not measured."""
    if math.isnan(number):
        return "-"
    digits = 2 - math.floor(math.log10(abs(number))) if number else 0
    return f"{number:.{min(max(digits, 0), 6)}f}"


def machine_kind() -> str:
    """The kind of machine and Python, without anything that names this one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{platform.machine()} {platform.system()}, {cores} cores, {platform.python_implementation()} {platform.python_version()}"


def write_json(path: str | None, results: Mapping[str, Any]) -> None:
    """Write results with the kind of machine to a file; nothing where no path is given."""
    if path is not None:
        Path(path).write_text(json.dumps({"machine": machine_kind(), **results}, indent=2) + "\n")

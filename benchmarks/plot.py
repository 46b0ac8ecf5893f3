"""Draws what `run.py --json` wrote: `python benchmarks/plot.py RESULTS.json FILE` makes FILE.svg and FILE.png; needs matplotlib."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

COLOURS = {
    "native -march": "#9a9a9a",
    "cranelift": "#e08a2b",
    "winch": "#f3c58d",
    "turbofan": "#3a7d44",
    "liftoff": "#a3cfa8",
    "wasmcore singlepass": "#8fb4dd",
    "wasmcore midtier": "#3f9e8d",
    "wasmcore llvm O0": "#c9b6e4",
    "wasmcore llvm O1": "#9d7fd1",
    "wasmcore llvm O2": "#1f4e96",
    "wasmcore llvm O2, llvmlite": "#6d8fc4",
    "wasmcore llvm O3": "#5b3fa0",
}
"""One hue for each family, dark for its optimising compiler. Engines that are not here take what is left."""
OTHERS = ("#b5534c", "#7a5c43", "#c77fae", "#5aa7a7")
TITLES = {
    "native -march": "clang -O3 -march=native",
    "cranelift": "wasmtime, Cranelift",
    "winch": "wasmtime, Winch",
    "turbofan": "V8, TurboFan",
    "liftoff": "V8, Liftoff",
}
IN_DETAIL = ("native -march", "cranelift", "turbofan", "wasmcore singlepass", "wasmcore midtier", "wasmcore llvm O2")
"""The engines of the second picture: more bars can not be told apart there."""
TICKS = (0.25, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16)


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the results as path.svg and path.png."""
    names = [name for name in next(iter(results["seconds"].values())) if name != "native"]
    spare = iter(OTHERS * len(names))
    colours = {name: COLOURS.get(name) or next(spare) for name in names}
    upper = 0.34 * len(names) + 0.9
    figure = Figure(figsize=(13, 5.2 + upper), layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[upper, 4.4], width_ratios=[2.2, 1])
    python = results["seconds"].get("cpython")
    means = figure.add_subplot(grid[0, 0] if python else grid[0, :])
    order = _draw_means(means, results, names, colours)
    if python:
        _draw_python(figure.add_subplot(grid[0, 1]), python, order, colours)
    _draw_cases(figure.add_subplot(grid[1, :]), results, [name for name in IN_DETAIL if name in names] or names[:5], colours)
    figure.suptitle("Run time of compiled WebAssembly, relative to clang -O3", fontsize=14, x=0.01, ha="left")
    figure.supxlabel(results["machine"], fontsize=8, color="#666666", x=0.99, ha="right")
    with rc_context({"svg.hashsalt": "wasmcore"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120)


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _scale(axis: Any, ratios: list[float]) -> None:
    """A logarithmic axis, on which half and twice the time are equally far from 1, with plain numbers on it."""
    axis.axes_scale("log")
    low, high = min(*ratios, 1) / 1.15, max(*ratios, 1) * 1.2
    axis.limits(low, high)
    axis.ticks.set_major_locator(FixedLocator([tick for tick in TICKS if low <= tick <= high]))
    axis.ticks.set_minor_locator(NullLocator())
    axis.ticks.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))


class _Direction:
    """The axis of the values: of a picture whose bars lie, or stand."""

    def __init__(self, axes: Any, lies: bool) -> None:
        self.axes_scale = axes.set_xscale if lies else axes.set_yscale
        self.limits = axes.set_xlim if lies else axes.set_ylim
        self.ticks = axes.xaxis if lies else axes.yaxis


def _tidy(axes: Any, lies: bool) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if lies else "y", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    (axes.axvline if lies else axes.axhline)(1, color="#222222", linewidth=1)


def _draw_means(axes: Any, results: dict[str, Any], names: list[str], colours: dict[str, str]) -> list[str]:
    """Geometric means, the fastest on top: one bar for each group of cases. The engines in order, from below."""
    groups = results["geometric_means"]
    order = sorted(names, key=lambda name: -next(iter(groups.values()))[name])
    thickness = 0.8 / len(groups)
    every: list[float] = []
    for number, means in enumerate(groups.values()):
        ratios = [means[name] for name in order]
        every += ratios
        places = [at + 0.4 - thickness * (number + 0.5) for at in range(len(order))]
        bars = axes.barh(
            places,
            [ratio - 1 for ratio in ratios],
            thickness * 0.92,
            left=1,
            color=[colours[name] for name in order],
            alpha=1 if number == 0 else 0.55,
            hatch=None if number == 0 else "////",
            edgecolor="white",
            linewidth=0,
        )
        for bar, ratio in zip(bars, ratios):
            beyond = ratio * 1.012 if ratio >= 1 else ratio / 1.012
            side = "left" if ratio >= 1 else "right"
            axes.text(beyond, bar.get_y() + bar.get_height() / 2, f"{ratio:.2f}", va="center", ha=side, fontsize=7.5)
    axes.set_yticks(range(len(order)), [_title(name) for name in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    _scale(_Direction(axes, True), [min(every) / 1.15, max(every)])
    _tidy(axes, True)
    counts = ", hatched: ".join(f"{len(results['groups'][group])} {group}" for group in groups)
    axes.set_title(f"Geometric means. Plain: {counts}. Left of 1 is faster than native code", fontsize=10, loc="left")
    return order


def _draw_python(axes: Any, seconds: dict[str, float], order: list[str], colours: dict[str, str]) -> None:
    """CPython for WASI beside the other means, in milliseconds: here native code is another program."""
    for at, name in enumerate(order):
        if name in seconds:
            axes.barh(at, seconds[name] * 1e3, 0.74, color=colours[name])
            axes.text(seconds[name] * 1e3, at, f" {seconds[name] * 1e3:.0f}", va="center", fontsize=7.5)
        elif not name.startswith("native"):
            axes.text(seconds["native"] * 1.3e3, at, "not measured", va="center", fontsize=7.5, color="#888888")
    axes.axvline(seconds["native"] * 1e3, color="#222222", linewidth=1)
    axes.text(seconds["native"] * 1e3, len(order) - 0.42, " native CPython", va="top", fontsize=7.5)
    axes.set_yticks([])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(0, max(seconds.values()) * 1.12e3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_title("CPython for WASI, milliseconds", fontsize=10, loc="left")


def _draw_cases(axes: Any, results: dict[str, Any], names: list[str], colours: dict[str, str]) -> None:
    """Every case, on the engines that matter most."""
    cases = [case for cases in results["groups"].values() for case in cases]
    width = 0.84 / len(names)
    every: list[float] = []
    for number, name in enumerate(names):
        ratios = [results["seconds"][case][name] / results["seconds"][case]["native"] for case in cases]
        every += ratios
        places = [at - 0.42 + width * (number + 0.5) for at in range(len(cases))]
        axes.bar(places, [ratio - 1 for ratio in ratios], width * 0.95, bottom=1, color=colours[name], label=_title(name))
    axes.set_xticks(range(len(cases)), [case.replace("_", "\n") for case in cases], fontsize=8.5)
    axes.set_xlim(-0.6, len(cases) - 0.4)
    _scale(_Direction(axes, False), every)
    _tidy(axes, False)
    boundary = len(results["groups"].get("kernels", ()))
    if 0 < boundary < len(cases):
        axes.axvline(boundary - 0.5, color="#888888", linewidth=0.8, linestyle=":")
    title = "Each kernel and, right of the dotted line, each program. Logarithmic: half and twice the time are equally far from 1"
    axes.set_title(title, fontsize=10, loc="left")
    axes.legend(ncols=len(names), fontsize=9, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), columnspacing=2)


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))

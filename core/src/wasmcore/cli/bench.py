"""`wasmcore bench`: what each installed backend makes of a module, as time to compile it against time to run it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final, NamedTuple

import wasmcore
from wasmcore.cli.options import RunRequest
from wasmcore.cli.output import show_line
from wasmcore.cli.report import FAILED, UsageError, naming, read_module, say
from wasmcore.cli.run import enabled_features, requested_function

_CHILD: Final = "import sys; from wasmcore.cli.bench_child import main; main(sys.argv[1:])"


class Way(NamedTuple):
    """An engine, and how it compiles."""

    name: str
    engine: str
    """`wasmcore` or `wasmtime`."""
    backend: str = ""
    options: tuple[tuple[str, str], ...] = ()


class Measured(NamedTuple):
    """What one of them takes; milliseconds, the best of some rounds."""

    compile: float
    run: float
    result: str
    problem: str = ""


def bench(request: RunRequest, backends: Sequence[str], rounds: int, json_file: str | None, plot_file: str | None) -> int:
    """Measure all ways, in a process each, one after the other; 1 if one of them fails or they do not agree."""
    if plot_file is not None and find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib; try `pip install wasmcore[plot]`")
    data = read_module(request.file)
    with naming(request.file):
        engine = wasmcore.Engine(features=enabled_features(request.enable), cache=False)
        requested_function(request, wasmcore.Module(data, engine=engine))
    ways = all_ways(backends)
    with tempfile.TemporaryDirectory() as folder:
        module = os.path.join(folder, "module.wasm")
        with open(module, "wb") as opened:
            opened.write(data)
        found = {way.name: measure(way, request._replace(file=module), rounds) for way in ways}
    show(request, found)
    if json_file is not None:
        with open(json_file, "w", encoding="utf-8") as opened:
            json.dump({name: each._asdict() for name, each in found.items()}, opened, indent=2)
            opened.write("\n")
    if plot_file is not None:
        draw(request, found, plot_file)
    results = {each.result for each in found.values() if not each.problem}
    if len(results) > 1:
        say("they do not agree: " + "; ".join(f"{name} gave {each.result}" for name, each in found.items() if not each.problem))
    return FAILED if len(results) != 1 or any(each.problem for each in found.values()) else 0


def all_ways(backends: Sequence[str]) -> list[Way]:
    """Every installed backend with each of its levels, and wasmtime; or those that are named. UsageError for one that is not there."""
    installed = sorted(wasmcore.backends())
    for name in backends:
        if name not in installed:
            from wasmcore._arguments import choices

            raise UsageError(f"no backend {name!r}; {choices(name, installed)}")
    ways = []
    for name in backends or installed:
        levels = sorted(wasmcore.Engine(name).backend.options.get("level", ()))
        ways += [Way(f"{name} {level}", "wasmcore", name, (("level", level),)) for level in levels] or [Way(name, "wasmcore", name)]
    if not backends and find_spec("wasmtime") is not None:
        ways.append(Way("wasmtime", "wasmtime", "cranelift"))
    return ways


def measure(way: Way, request: RunRequest, rounds: int) -> Measured:
    """What a process of its own says of one way."""
    read, write = os.pipe()
    arguments = json.dumps([way.engine, way.backend, dict(way.options), request._asdict(), rounds, write])
    command = [sys.executable, "-c", _CHILD, arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(command, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment) as process:
        os.close(write)
        with open(read, "rb") as answer:
            text = answer.read()
        assert process.stderr is not None
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
    if not text:
        return Measured(math.nan, math.nan, "", said[-1] if said else f"its process ended with {process.returncode}")
    return Measured(*json.loads(text))


def show(request: RunRequest, found: dict[str, Measured]) -> None:
    """The table, and what went wrong."""
    from wasmcore.cli.tables import show_table

    rows = [(name, f"{each.compile:.3g}", f"{each.run:.3g}", f"{each.compile + each.run:.3g}") for name, each in found.items()]
    title = f"{os.path.basename(request.file)}: milliseconds"
    show_table(sys.stdout, title, ("engine", "compile", "run", "both"), [row for row in rows if not found[row[0]].problem])
    for name, each in found.items():
        if each.problem:
            say(f"{name}: {each.problem}")


def draw(request: RunRequest, found: dict[str, Measured], file: str) -> None:
    """Time to compile against time to run, on logarithmic axes, as an SVG or PNG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.add_subplot()
    measured = sorted((each.compile, each.run, name) for name, each in found.items() if not each.problem)
    for number, (compile_time, run_time, name) in enumerate(measured):
        axes.scatter(compile_time, run_time, s=45)
        place = (0, 9) if number % 2 else (0, -17)  # in turn above and below: neighbours are often near each other
        axes.annotate(name, (compile_time, run_time), xytext=place, textcoords="offset points", ha="center")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.margins(0.2)
    axes.set_xlabel("milliseconds to compile")
    axes.set_ylabel("milliseconds to run")
    axes.set_title(os.path.basename(request.file), loc="left")
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.spines[["top", "right"]].set_visible(False)
    with rc_context({"svg.hashsalt": "wasmcore"}):
        figure.savefig(file, dpi=120)
    show_line(f"{file}: the picture")

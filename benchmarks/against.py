"""Compares this tree with another commit of it: calls and kernels, in turn, as plain Python; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from timeit import Timer

from engines import HERE
from timing import geometric_mean, machine_kind, print_table

ROOT = HERE.parent
SOURCES = ("core", *(f"plugins/{name}" for name in ("x86_64", "singlepass", "llvm", "wasi")))
SMALL = '(module (func (export "f")))'
WITH_SPACES = '(module (memory (export "m") 1) (table (export "t") 10 funcref) (func (export "f")))'

Seconds = dict[tuple[str, str], float]
"""By what is measured and on what."""


def instances() -> None:
    """What a child prints: seconds to make an instance, and to use its memory."""
    import wasmcore

    seconds = {}
    for name, text in (("small instance", SMALL), ("instance with memory and table", WITH_SPACES)):
        module = wasmcore.Module(text, engine=wasmcore.Engine("singlepass", cache=False))
        made = {"instance": wasmcore.Instance, "module": module}
        seconds[name] = {"wasmcore singlepass": min(Timer("instance(module)", globals=made).repeat(5, 300)) / 300}
    memory = wasmcore.Memory(1)
    seconds["memory.read(0, 4)"] = {"wasmcore": min(Timer("read(0, 4)", globals={"read": memory.read}).repeat(5, 20_000)) / 20_000}
    print(json.dumps({"seconds": seconds}))


def commands(engines: list[str], output: str) -> list[list[str]]:
    """What is run in turn for each of the two; `output` gets what they measured, where they do not print it."""
    chosen = [argument for engine in engines for argument in ("--engine", engine)]
    return [
        [sys.executable, str(Path(__file__).resolve()), "--instances"],
        [sys.executable, str(HERE / "calls.py"), "--rounds", "3", "--json", output],
        [sys.executable, str(HERE / "run.py"), "--rounds", "1", "--json", output, *chosen],
    ]


def measured(tree: Path, engines: list[str]) -> Seconds:
    """One round with the sources of a tree."""
    found: Seconds = {}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / source / "src") for source in SOURCES)}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "json")
        for command in commands(engines, str(output)):
            output.unlink(missing_ok=True)
            said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            results = json.loads(output.read_text() if output.exists() else said)["seconds"]
            found |= {(what, on): seconds for what, by in results.items() for on, seconds in by.items() if on.startswith("wasmcore")}
    return found


def compare(commit: str, rounds: int, engines: list[str]) -> None:
    """Print both and their ratio."""
    samples: dict[str, list[Seconds]] = {"before": [], "now": []}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", folder, commit], check=True)
        try:
            for number in range(rounds):
                trees = [("before", Path(folder)), ("now", ROOT)]
                for when, tree in trees if number % 2 else reversed(trees):
                    samples[when].append(measured(tree, engines))
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", folder], check=True)
    print(f"{machine_kind()}; medians of {rounds} rounds in turn, before: {commit}")
    rows: list[list[str | float]] = []
    for what, on in samples["now"][0]:
        before, now = (statistics.median(each.get((what, on), float("nan")) for each in samples[when]) for when in ("before", "now"))
        rows.append([what, on, before * 1e6, now * 1e6, now / before])
    print_table(["", "on", "before us", "now us", "now of before"], rows)
    print(f"\ngeometric mean of the ratios: {geometric_mean(float(row[-1]) for row in rows if row[-1] == row[-1]):.3f}")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", nargs="?", default="HEAD~1", help="what to compare with")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", action="append", help="of `run.py` (may be repeated; default: wasmcore singlepass, wasmcore llvm O2)")
    parser.add_argument("--instances", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.instances:
        instances()
    else:
        compare(options.commit, options.rounds, options.engine or ["wasmcore singlepass", "wasmcore llvm O2"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

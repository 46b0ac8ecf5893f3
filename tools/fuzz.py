"""Looks for modules on which wasmcore differs from wasmtime: `python -m tools.fuzz --minutes 10`.

Modules of two generators run in child processes with bounds of time and memory, so that a crash or a hang is a finding as well. What is
found is made smaller and written to `tests/differential/found`, where a test runs it from then on.
"""

from __future__ import annotations

import itertools
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click

from tests.differential.cases import SOURCES
from tests.differential.generator import Program, generate
from tests.differential.linked import MODES
from tests.differential.reducer import reduce
from tests.differential.wasm_tools import ToolError, wasm_tools

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "tests" / "differential" / "found"
JUDGE = (sys.executable, "-m", "tests.differential.cases")
BATCH = 50
BATCH_SECONDS = 600
MODULE_SECONDS = 60
REDUCE_SECONDS = 600
ATTEMPTS = 200
"""Of wasm-tools, to make a module smaller, in a row without success."""
WRITABLE_BYTES = 4 << 30
"""The memory that a child may write to; what it only reserves does not count."""
NO_END = "no end"


class Job(NamedTuple):
    """What runs a module."""

    backend: str
    mode: str


class Child(NamedTuple):
    """A child process that has ended."""

    output: str
    ending: str
    """How it ended, if not well."""


def run_child(arguments: tuple[str, ...], seconds: float) -> Child:
    """Run `tests.differential.cases` within bounds."""
    process = subprocess.Popen(
        (*JUDGE, *arguments),
        cwd=ROOT,
        env={**os.environ, "WASMCORE_CACHE": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=_limit_memory,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return Child(process.communicate()[0], NO_END)
    code = process.returncode
    return Child(output, signal.Signals(-code).name if code < 0 else f"exit code {code}" if code else "")


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (WRITABLE_BYTES, WRITABLE_BYTES))


def judge(path: Path, job: Job) -> str:
    """The verdict on one module, or how its process ended."""
    child = run_child((str(path), *job), MODULE_SECONDS)
    return child.ending or child.output.strip()


def kind(verdict: str) -> str:
    """What has to stay the same while a module is made smaller."""
    return verdict.partition(":")[0]


def judge_numbers(source: str, first: int, last: int, job: Job) -> dict[int, str]:
    """The numbers of modules that something is wrong with; after one that ends its process the others run in the next."""
    wrong: dict[int, str] = {}
    while first <= last:
        child = run_child((source, str(first), str(last), *job), BATCH_SECONDS)
        number = first
        for line in child.output.splitlines():
            if line.isdigit():
                number = int(line)
            else:
                wrong[number] = line
        if not child.ending:
            break
        wrong[number] = child.ending
        first = number + 1
    return wrong


def smaller(source: str, number: int, job: Job, wanted: str) -> bytes:
    """The module of a number after all that can be taken away from it while it has the same kind of verdict."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "module.wasm")
        if source == "programs":
            path.write_bytes(_reduced(generate(number), path, job, wanted).to_bytes())
        else:
            path.write_bytes(SOURCES[source](number))
        kept = Path(folder, "kept.wasm")
        kept.write_bytes(path.read_bytes())
        predicate = Path(folder, "predicate")
        predicate.write_text(_predicate(job, wanted, kept))
        predicate.chmod(0o700)
        try:
            wasm_tools("shrink", f"--attempts={ATTEMPTS}", f"--output={path}", str(predicate), str(path), seconds=REDUCE_SECONDS)
        except subprocess.TimeoutExpired:
            pass  # What it had come to is kept.
        except ToolError as error:
            click.echo(f"  wasm-tools shrink: {error}", err=True)
        return kept.read_bytes()


def _predicate(job: Job, wanted: str, kept: Path) -> str:
    """A shell script that says whether the verdict on a module is of the same kind, and keeps the module if so."""
    status = 124 if wanted == NO_END else 128 + signal.Signals[wanted] if wanted in signal.Signals.__members__ else 0
    said = "" if status else f"{kind(wanted)}:"
    return f"""#!/bin/sh
module=$(realpath "$1")
cd {shlex.quote(str(ROOT))} && ulimit -d {WRITABLE_BYTES >> 10}
said=$(timeout {MODULE_SECONDS} {shlex.join(JUDGE)} "$module" {shlex.join(job)} 2>/dev/null)
[ $? = {status} ] || exit 1
case $said in {shlex.quote(said)}*) cp "$module" {shlex.quote(str(kept))} ;; *) exit 1 ;; esac
"""


def _reduced(program: Program, path: Path, job: Job, wanted: str) -> Program:
    """A program whose parts were replaced by constants where that kept the kind of verdict, as long as there is time."""
    end = time.monotonic() + REDUCE_SECONDS

    def fails(candidate: Program) -> bool:
        path.write_bytes(candidate.to_bytes())
        return time.monotonic() < end and kind(judge(path, job)) == kind(wanted)

    reduce(program, fails)
    return program


def record(source: str, number: int, job: Job, found: str, into: Path) -> None:
    """Report a finding, make it smaller and write it down, unless it needs the modules that ran before it."""
    click.echo(f"{source} {number}, {job.backend}, {job.mode}: {found}")
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder, "module.wasm")
        alone.write_bytes(SOURCES[source](number))
        verdict = judge(alone, job)
    if not verdict:
        click.echo("  not when it runs alone")
        return
    module = smaller(source, number, job, verdict)
    path = into / f"{source}_{number}.wat"
    into.mkdir(parents=True, exist_ok=True)
    path.write_text(f";; {job.backend}, {job.mode}: {verdict}\n{wasm_tools('print', given=module).decode()}", encoding="utf-8")
    click.echo(f"  {len(module)} bytes in {path}")


@click.command()
@click.option("--minutes", type=float, default=10, show_default=True, help="How long to look.")
@click.option("--backend", "backends", multiple=True, default=("singlepass", "midtier", "llvm"), show_default=True)
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(MODES)), default=tuple(MODES), show_default=True)
@click.option("--source", "sources", multiple=True, type=click.Choice(list(SOURCES)), default=tuple(SOURCES), show_default=True)
@click.option("--first", type=int, default=None, help="The number of the first module; the time unless given.")
@click.option("--into", type=click.Path(path_type=Path), default=FOUND, help="The folder for what is found.")
def main(
    minutes: float, backends: tuple[str, ...], modes: tuple[str, ...], sources: tuple[str, ...], first: int | None, into: Path
) -> None:
    """Run batch after batch, each source, backend and mode in turn, and record what is found; the exit code says whether there was any."""
    end = time.monotonic() + 60 * minutes
    start = int(time.time()) if first is None else first
    count = findings = 0
    for turn, (source, *job) in zip(itertools.count(), itertools.cycle(itertools.product(sources, backends, modes))):
        if time.monotonic() > end:
            break
        number = start + turn * BATCH
        wrong = judge_numbers(source, number, number + BATCH - 1, Job(*job))
        count += BATCH
        findings += len(wrong)
        for each, found in wrong.items():
            record(source, each, Job(*job), found, into)
    click.echo(f"{count} modules from number {start} on, {findings} findings")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()

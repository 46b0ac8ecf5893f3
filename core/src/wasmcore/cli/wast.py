"""`wasmcore wast`: run scripts of the test suite."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence

from wasmcore.cli.report import FAILED, say_if_plain
from wasmcore.cli.tables import show_table
from wasmcore.compile.engine import Engine
from wasmcore.errors import TextError
from wasmcore.opcodes import FEATURES
from wasmcore.script import Report, read_script, run_script


def wast(files: Sequence[str], backend: str | None, features: frozenset[str], verbose: bool) -> int:
    """Run scripts and say what came of them; the exit code is 0 if all did what they say."""
    say_if_plain()
    engine = Engine(backend or "auto", features=features, cache=False)
    reports = [_run(file, engine, verbose) for file in files]
    _summary(reports)
    return FAILED if any(report is None or report.failures for report in reports) else 0


def _run(file: str, engine: Engine, verbose: bool) -> Report | None:
    """Run one file and write its line; None if it can not be read as a script."""
    with open(file, "rb") as stream:
        source = stream.read()
    try:
        report = run_script(read_script(source), engine)
    except TextError as error:
        print(f"{file}: {error}")
        return None
    failed = len(report.failures)
    print(f"{file}: {report.passed} passed" + (f", {failed} failed" if failed else ""))
    if verbose:
        for outcome in report.failures:
            print(f"  {file}:{outcome.line}: {outcome.command}: {outcome.error}")
    sys.stdout.flush()
    return report


def _summary(reports: Sequence[Report | None]) -> None:
    """Passed and failed, by what the commands are about."""
    totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for report in reports:
        for subject, (passed, failed) in (report.counts() if report else {}).items():
            totals[subject] = (totals[subject][0] + passed, totals[subject][1] + failed)
    order = (*FEATURES, "malformed", "invalid", "unlinkable")
    rows = [(subject, *totals[subject]) for subject in order if subject in totals]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    unread = reports.count(None)
    print()
    show_table(sys.stdout, "Commands by the newest feature they need", ("feature", "passed", "failed"), rows)
    if unread:
        print(f"{unread} of {len(reports)} files could not be read")

"""`wasmcore wast`: run scripts of the test suite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TextIO

from wasmcore.cli.output import standard_output
from wasmcore.cli.report import FAILED, LAYOUT, message_of, say, say_if_plain, source_name, visible
from wasmcore.cli.run import enabled_features, make_engine
from wasmcore.cli.tables import show_table
from wasmcore.cli.text import read_text
from wasmcore.compile.engine import Engine
from wasmcore.errors import DecodeError, TextError
from wasmcore.opcodes import FEATURES
from wasmcore.script import Report, read_script, run_script


def wast(files: Sequence[str], backend: str | None, enable: Sequence[str], disable: Sequence[str], verbose: bool) -> int:
    """Run scripts and say what came of them; the exit code is 0 if all did what they say."""
    engine = make_engine(backend, features=enabled_features(enable, disable), cache=False)
    say_if_plain()
    with standard_output() as output:
        reports = [_run(file, engine, verbose, output) for file in files]
        _summary(reports, output)
    return FAILED if any(report is None or report.failures for report in reports) else 0


def _run(file: str, engine: Engine, verbose: bool, output: TextIO) -> Report | None:
    """Run one file and write its line; None if it can not be read as a script."""
    try:
        source = read_text(file)
    except (OSError, DecodeError) as error:
        say(message_of(error))
        return None
    name = visible(source_name(file))
    try:
        report = run_script(read_script(source), engine)
    except TextError as error:
        print(f"{name}: {visible(str(error), LAYOUT)}", file=output)
        return None
    failed = len(report.failures)
    print(f"{name}: {report.passed} passed" + (f", {failed} failed" if failed else ""), file=output)
    if verbose:
        for outcome in report.failures:
            print(f"  {name}:{outcome.line}: {outcome.command}: {visible(outcome.error or '', LAYOUT)}", file=output)
    output.flush()
    return report


def _summary(reports: Sequence[Report | None], output: TextIO) -> None:
    """Passed and failed, by what the commands are about."""
    totals: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for report in reports:
        for subject, (passed, failed) in (report.counts() if report else {}).items():
            totals[subject] = (totals[subject][0] + passed, totals[subject][1] + failed)
    order = (*FEATURES, "malformed", "invalid", "unlinkable")
    rows = [(subject, *totals[subject]) for subject in order if subject in totals]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    unread = reports.count(None)
    print(file=output)
    show_table(output, "Commands by the newest feature they need", ("feature", "passed", "failed"), rows)
    if unread:
        print(f"{unread} of {len(reports)} files could not be read", file=output)

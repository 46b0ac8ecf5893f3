"""The list of expected failures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple


class ExpectedFailure(NamedTuple):
    """How many commands of a script fail on a backend that are about one subject (`wasmcore.script.Outcome.subject`), and why."""

    backend: str
    script: str
    subject: str
    count: int
    reason: str


@lru_cache
def expected_failures() -> tuple[ExpectedFailure, ...]:
    """All entries of `expected_failures.txt`."""
    entries = []
    for line in Path(__file__).with_name("expected_failures.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            backend, script, subject, count, reason = line.split(None, 4)
            entries.append(ExpectedFailure(backend, script, subject, int(count), reason))
    return tuple(entries)

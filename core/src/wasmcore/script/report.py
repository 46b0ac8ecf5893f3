"""What came of the commands of a script."""

from __future__ import annotations

from collections import Counter
from typing import Final

from wasmcore._named_tuple import NamedTuple


class Outcome(NamedTuple):
    """What came of one command; `error` is None where it did what the script says."""

    line: int
    command: str
    """The command's keyword in the script."""
    subject: str
    """What the command is about: the newest feature that its module needs, or `malformed`, `invalid`, `unlinkable`."""
    error: str | None


class Report:
    """The outcomes of a script."""

    def __init__(self) -> None:
        self.outcomes: Final[list[Outcome]] = []

    @property
    def failures(self) -> list[Outcome]:
        """Those that are not what the script says."""
        return [outcome for outcome in self.outcomes if outcome.error is not None]

    @property
    def passed(self) -> int:
        """Number of the others."""
        return len(self.outcomes) - len(self.failures)

    def counts(self) -> dict[str, tuple[int, int]]:
        """Passed and failed by subject."""
        passed = Counter(outcome.subject for outcome in self.outcomes if outcome.error is None)
        failed = Counter(outcome.subject for outcome in self.outcomes if outcome.error is not None)
        return {subject: (passed[subject], failed[subject]) for subject in passed | failed}

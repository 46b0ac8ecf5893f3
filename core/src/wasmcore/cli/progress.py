"""The progress bar of long compilations."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

PATIENCE: Final = 0.5
"""Seconds before there is a bar; rich is not even imported for what is faster."""


_shown: set[Progress] = set()


def stop_all() -> None:
    """Take away the bars of what has been given up, so that the terminal has its cursor again."""
    while _shown:
        _shown.pop().stop()


class Progress:
    """A progress callback, `(done, total)`, that shows a bar on standard error."""

    def __init__(self) -> None:
        self._started = monotonic()
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            if done >= total or monotonic() - self._started < PATIENCE:
                return
            self._open()
        assert self._bar is not None and self._task is not None
        self._bar.update(self._task, completed=done, total=total)
        if done >= total:
            self.stop()

    def stop(self) -> None:
        """Take the bar away, if there is one."""
        _shown.discard(self)
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar

        self._bar = Bar(console=Console(file=sys.stderr), transient=True)
        self._task = self._bar.add_task("compiling")
        self._bar.start()
        _shown.add(self)

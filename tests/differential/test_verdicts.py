"""Damaged modules: wasmcore accepts what wasmtime accepts and refuses what it refuses, by a `CompileError` inside the module.

Some are judged by wasm-tools as well, which can do without proposals that wasmtime has no switch for.
"""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from random import Random

import pytest
import wasmtime

import wasmcore
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES
from wasmcore.text.module import TextReader

from ..suite.place import find_suite
from .damage import damaged
from .generator import generate
from .smith import module
from .wasm_tools import IS_HERE, ToolError, wasm_tools

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BATCHES = 10
LONG_BATCHES = 200
PER_BATCH = 300
THIRD_OPINIONS = 10
"""The modules of a batch that wasm-tools judges: a process each."""

SCRIPTS = (
    "array array_init_data array_new_elem br_on_cast br_on_cast_fail br_on_non_null br_on_null call_ref call_indirect64 elem extern global "
    "i31 local_init memory64 memory_copy64 memory_init64 ref_cast ref_eq ref_test return_call_ref simd_load8_lane struct table-sub table64 "
    "table_copy_mixed tag throw throw_ref try_table type-canon type-equivalence type-rec type-subtyping unreached-valid "
    "proposals/threads/atomic proposals/wide-arithmetic/wide-arithmetic proposals/custom-page-sizes/custom-page-sizes"
).split()
"""Scripts of the official test suite with modules of the features that the generator does not know."""
LONGEST = 3000
"""Longer modules are left out: damage seldom meets what is special in them."""


def validating_engine(proposals: bool) -> wasmtime.Engine:
    """An engine with the features that wasmcore has by default, or all that it knows."""
    config = wasmtime.Config()
    for feature in "multi_memory relaxed_simd tail_call function_references gc exceptions memory64".split():
        setattr(config, f"wasm_{feature}", True)
    for feature in "threads custom_page_sizes wide_arithmetic".split():
        setattr(config, f"wasm_{feature}", proposals)
    config.wasm_stack_switching = False
    engine = wasmtime.Engine(config)
    atexit.register(engine.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.
    return engine


ENGINES = (validating_engine(False), validating_engine(True))


def accepted_by_wasmtime(data: bytes, proposals: bool) -> bool:
    """Whether wasmtime accepts a module."""
    try:
        wasmtime.Module.validate(ENGINES[proposals], data)
    except wasmtime.WasmtimeError:
        return False
    return True


def accepted_by_wasm_tools(data: bytes, proposals: bool) -> bool:
    """Whether wasm-tools accepts a module."""
    others = "threads,custom-page-sizes,wide-arithmetic" if proposals else "-threads"
    try:
        wasm_tools("validate", f"--features=-all,wasm3,{others}", given=data)
    except ToolError:
        return False
    return True


def error_of_wasmcore(data: bytes, proposals: bool) -> str:
    """What wasmcore says about a module, if anything; whatever is no `CompileError` with an offset inside it comes out."""
    try:
        wasmcore.validate(data, features=FEATURES if proposals else DEFAULT_FEATURES)
    except wasmcore.CompileError as error:
        assert str(error)
        assert error.offset is None or 0 <= error.offset <= len(data)
        return error.message
    return ""


def is_compact(error: str) -> bool:
    """Whether 0x7E or 0x7F begins several imports, by a proposal that wasmtime has no switch for."""
    return error.startswith("malformed import kind 12")


def originals(batch: int) -> list[bytes]:
    """Whole modules of several kinds."""
    examples = [(EXAMPLES / f"{name}.wasm").read_bytes() for name in ("gcd", "collatz", "mandelbrot", "hello")]
    seeds = range(batch * 20, batch * 20 + 20)
    others = [module(seed) for seed in seeds] if IS_HERE else []
    return [*examples, *(generate(seed).to_bytes() for seed in seeds), *others]


@cache
def suite_modules() -> tuple[bytes, ...]:
    """The modules of those scripts, valid or not; without the suite there are none."""
    suite = find_suite()
    if suite is None:
        return ()
    found: list[bytes] = []
    for name in SCRIPTS:
        reader = TextReader((suite / f"{name}.wast").read_bytes())
        while not reader.at_end():
            start = reader.position
            form = reader.peek_form()
            if form == "assert_invalid":
                reader.open_form(form)
            if reader.peek_form() == "module":
                module = reader.module()
                if module.kind != "quote" and 8 < len(module.data) <= LONGEST:
                    found.append(module.data)
            reader.position = start
            reader.skip_form()
    return tuple(found)


def check(random: Random, modules: list[bytes], proposals: bool) -> None:
    """Damage some modules and compare the verdicts."""
    for number in range(PER_BATCH):
        data = damaged(random, random.choice(modules))
        error = error_of_wasmcore(data, proposals)
        accepted = accepted_by_wasmtime(data, proposals)
        if IS_HERE and (accepted == bool(error) or number < THIRD_OPINIONS):
            third = accepted_by_wasm_tools(data, proposals)
            assert accepted == third or is_compact(error), f"wasmtime and wasm-tools differ: {data.hex()}"
            accepted = third
        elif is_compact(error):
            continue
        verdict = f"refused by wasmcore alone, {error!r}" if error else "accepted by wasmcore alone"
        assert accepted != bool(error), f"{verdict}: {data.hex()}"


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_verdict(batch: int) -> None:
    check(Random(batch), originals(batch), proposals=False)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_verdict_on_modules_of_the_suite(batch: int) -> None:
    if not suite_modules():
        pytest.skip("the official test suite is not here")
    check(Random(batch), list(suite_modules()), proposals=batch % 2 == 0)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + LONG_BATCHES))
def test_same_verdict_long(batch: int) -> None:
    check(Random(batch), originals(batch), proposals=False)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(BATCHES, BATCHES + LONG_BATCHES))
def test_same_verdict_on_modules_of_the_suite_long(batch: int) -> None:
    if not suite_modules():
        pytest.skip("the official test suite is not here")
    check(Random(batch), list(suite_modules()), proposals=batch % 2 == 0)

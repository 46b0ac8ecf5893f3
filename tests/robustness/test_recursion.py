"""At Python's limit of recursion whatever the runtime does may fail, and finalizers may, or never begin: nothing is lost."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import wasmcore
from tests.faults import near_the_limit
from tests.robustness.test_reentrance import Lives, module, use
from wasmcore.runtime.execution import code_memory
from wasmcore.runtime.system import resources

MOST = 150
"""Calls that everything here needs less of."""


def in_use() -> tuple[int, int, int]:
    """Resources that are not freed, bytes of executable memory that are, bytes of reserved address space."""
    resources.collect()
    code = [end - start for memory in (code_memory.wasm_code, code_memory.stub_code) for start, end in memory.free_extents()]
    with open("/proc/self/maps") as maps:
        ranges = [line.split()[0].split("-") for line in maps if " ---p 00000000 00:00 0" in line]
    return len(resources._owned), sum(code), sum(int(end, 16) - int(start, 16) for start, end in ranges)


def instance(backend: str) -> wasmcore.Instance:
    made = wasmcore.Instance(module(backend, 7), {"e": {"h": lambda value: value}})
    use(made, 7)
    return made


@pytest.mark.parametrize("lose", [list.clear, lambda garbage: gc.collect()], ids=["dropped", "collected"])
def test_finalizers_near_the_limit(lose: Callable[[list[Any]], object], backend: str, kept_quiet: None, ignored: list[Any]) -> None:
    instance(backend)
    before = in_use()
    for remaining in range(40):
        garbage: list[Any] = [instance(backend)]
        if lose is list.clear:
            near_the_limit(remaining, partial(lose, garbage))
            assert not garbage or near_the_limit(40, partial(lose, garbage))
        else:
            garbage.append(garbage)
            near_the_limit(remaining, partial(lose, garbage))
        del garbage
        assert in_use() == before, remaining


def test_a_life_near_the_limit(backend: str, kept_quiet: None, ignored: list[Any]) -> None:
    lives = Lives(backend)
    lives.live(module(backend, 7), 7)
    before = in_use()
    for remaining in range(MOST):
        lived = near_the_limit(remaining, lambda: lives.live(module(backend, 7), 7))
        lives.current.clear()
        assert in_use() == before, remaining
    assert lived
    lives.live(module(backend, 7), 7)

"""Instances in all modes in which references are kept differently."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import wasmcore
from wasmcore.runtime.execution.blocks import stores
from wasmcore.runtime.objects import group


@pytest.fixture(params=["signals", "no signals", "released"])
def run(request: pytest.FixtureRequest, backend: str) -> Callable[..., Any]:
    """Makes an instance of a text in one of three modes and gives its exports."""
    engine = wasmcore.Engine(backend, signals=request.param != "no signals")
    released = request.param == "released"

    def instantiate(text: str, **functions: Any) -> Any:
        return wasmcore.Instance(wasmcore.Module(text, engine=engine), {"env": functions}, release_gil=released).exports

    return instantiate


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> Iterator[None]:
    """Sweeps look at all groups there are, and the many collections here at all objects: those of tests before are not to be among them.
    Where an exception at any bytecode was tested, one inside of the standard library keeps frames for ever, and tables with them."""
    gc.collect()
    for store in stores.everything():
        found = group.group_of(store.address)
        if found is not None and found._externs is not None:
            found._externs._recent.clear()
            found._externs._settled.clear()
    gc.freeze()
    yield
    gc.unfreeze()

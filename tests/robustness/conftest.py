"""What a test can ask for of Python's collector."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def kept_quiet() -> Iterator[None]:
    """Collections are where the test wants them, and look at little."""
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


@pytest.fixture
def ignored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[type[BaseException]]]:
    """What finalizers, and what else the collector calls, end with: Python has nobody to tell."""
    kinds: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: kinds.append(unraisable.exc_type))
    yield kinds
    assert set(kinds) <= {RecursionError}

"""What the tests share: an engine that caches nothing."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is compiled anew in every test."""
    monkeypatch.setenv("WASMCORE_CACHE", "0")

"""What the tests share: an engine that caches nothing, and this folder on the path, where their modules are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code is compiled anew in every test."""
    monkeypatch.setenv("WASMCORE_CACHE", "0")

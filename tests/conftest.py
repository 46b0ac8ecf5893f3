"""What all tests across distributions share."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `backend` once on each that is installed and works here; without any it fails and says why."""
    if "backend" in metafunc.fixturenames:
        import wasmcore

        metafunc.parametrize("backend", sorted(wasmcore.backends()) or ["singlepass"])

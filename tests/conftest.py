"""What all tests across distributions share."""

from __future__ import annotations

import pytest

from tests.backends import tested_backends


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `backend` once on each that is installed and works here; without any it fails and says why."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", tested_backends())

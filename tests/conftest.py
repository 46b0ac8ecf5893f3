"""What all tests across distributions share."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.backends import tested_backends
from tests.suite.scripts import remark


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `backend` once on each that is installed and works here; without any it fails and says why."""
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", tested_backends())


@pytest.fixture(autouse=True)
def proofs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backends prove of what they compile what they can, but for large programs."""
    if "programs" not in request.path.parts:
        monkeypatch.setenv("WASMCORE_VERIFY", "1")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say at the very end where a run is less than it seems."""
    yield
    if remark():
        terminalreporter.write_line(remark(), yellow=True)

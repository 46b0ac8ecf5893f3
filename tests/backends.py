"""Which backends the tests across distributions run on."""

from __future__ import annotations

import os

import wasmcore


def tested_backends() -> list[str]:
    """Names of the backends that are installed and work here; of those that `WASMCORE_TEST_BACKENDS` names, where it is set."""
    wanted = os.environ.get("WASMCORE_TEST_BACKENDS", "").split()
    return sorted(name for name in wasmcore.backends() if not wanted or name in wanted) or ["singlepass"]

"""Makes the helpers of these tests importable, and keeps what they do to the machine of the process away from other folders' tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wasmcore.runtime.execution import stubs

sys.path.insert(0, str(Path(__file__).parent))
HOOKS = ("compile_function", "box_reference", "unbox_reference", "host_function", "sweep", "pack_value")


@pytest.fixture(scope="module", autouse=True)
def hooks_of_the_machine() -> Iterator[None]:
    """The hooks are what they were when a module of tests ends that sets its own."""
    saved = [(machine, name, getattr(machine, name)) for machine in stubs._machines.values() for name in HOOKS]
    yield
    for machine, name, hook in saved:
        setattr(machine, name, hook)

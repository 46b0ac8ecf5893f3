"""No public name ends the process, whatever it is given; only functions of ours are functions of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .hostile import World

OBJECTS = sorted(World().__dict__)


@pytest.mark.parametrize("name", OBJECTS)
def test_hostile_arguments_and_values(name: str) -> None:
    program = Path(__file__).with_name("hostile.py")
    command = [sys.executable, str(program), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    alive, count = done.stdout.split()[-2:]
    assert alive == "alive" and int(count) > 20

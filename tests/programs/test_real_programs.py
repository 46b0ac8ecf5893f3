"""Programs that others have published: each compiles on every level, whatever freed memory holds, and gives right answers.

LLVM has crashed in some of them; a process of it that does is a `CompileWarning`, which is an error here, unless it says that a function is
too large for a level.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs.published import PROGRAMS, NotFetched, fetch
from wasmcore import _registry

pytestmark = [pytest.mark.slow, pytest.mark.network]


COMPILE = """
import sys, warnings
import wasmcore
from tests.programs.answers import ANSWERS
warnings.simplefilter("error", wasmcore.CompileWarning)
warnings.filterwarnings("ignore", ".* is too large for ", wasmcore.CompileWarning)
name, backend, file, *options = sys.argv[1:]
engine = wasmcore.Engine(backend, lazy=False, cache=False, options=dict(option.split("=") for option in options))
module = wasmcore.Module(file, engine=engine)
print(len(module.serialize()))
if name in ANSWERS:
    ANSWERS[name](module)
"""
ROOT = Path(__file__).parents[2]


def ways(backend: str) -> Iterator[tuple[str, ...]]:
    """The options to compile with."""
    for level in _registry.backend(backend).options.get("level", ()):
        if level != "O0":
            yield (f"level={level}",)
    if "level" not in _registry.backend(backend).options:
        yield ()


@pytest.mark.parametrize("perturb", ["", "165"], ids=["as it was", "perturbed"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_runs_on_every_level(name: str, perturb: str, backend: str) -> None:
    try:
        module = fetch(name)
    except NotFetched as reason:
        pytest.skip(str(reason))
    environment = {**os.environ, "MALLOC_PERTURB_": perturb, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for options in ways(backend):
        command = [sys.executable, "-c", COMPILE, name, backend, str(module), *options]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3600)
        assert (done.returncode, done.stderr) == (0, ""), options
        assert int(done.stdout) > module.stat().st_size // 4

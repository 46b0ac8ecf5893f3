"""The hot modules give the same bytes compiled and as plain Python: verdicts, streams, machine code and its tables."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wasmcore._build import COMPILED

ROOT = Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("examples/*.wasm"), *ROOT.glob("benchmarks/kernels/*.wasm")])


def digests(*words: str) -> Any:
    """What `digests.py` prints."""
    done = subprocess.run([sys.executable, str(ROOT / "tests/digests.py"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def compare(files: list[Path]) -> None:
    """Assert that both builds make the same of these modules."""
    names = list(map(str, files))
    compiled, plain = digests(*names), digests("--plain", *names)
    assert (compiled["compiled"], plain["compiled"]) == (True, False)
    for name in names:
        assert compiled["digests"][name] == plain["digests"][name], name


pytestmark = pytest.mark.skipif(not COMPILED, reason="nothing is compiled here")


def test_modules() -> None:
    assert MODULES
    compare(MODULES)


def test_damaged_modules(tmp_path: Path) -> None:
    """Every bit of luck: the two builds refuse the same modules with the same words at the same offset."""
    chance = random.Random(20)
    files = []
    small = [path for path in MODULES if path.stat().st_size < 20_000]
    for number in range(300):
        data = bytearray(chance.choice(small).read_bytes())
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(8, len(data))] = chance.randrange(256)
        files.append(tmp_path / f"{number}.wasm")
        files[-1].write_bytes(data)
    compare(files)

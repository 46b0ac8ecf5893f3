"""The hot modules give the same bytes compiled and as plain Python: verdicts, streams, machine code and its tables."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from wasmcore._build import COMPILED

from .differential.generator import generate

ROOT = Path(__file__).parents[1]
MODULES = sorted([*ROOT.glob("examples/*.wasm"), *ROOT.glob("benchmarks/kernels/*.wasm")])


def digests(*words: str, path: Path | None = None) -> Any:
    """What `digests.py` prints; with a path, of the distributions there."""
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else None
    command = [sys.executable, str(ROOT / "tests/digests.py"), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """In a plain build, a folder with the compiled one; `$WASMCORE_WHEELS` has its wheels where it was built before."""
    if COMPILED:
        return None
    tag = sys.implementation.cache_tag.replace("cpython-", "cp")
    wheels = sorted(Path(os.environ.get("WASMCORE_WHEELS", "missing")).glob(f"*/*-{tag}-{tag}-*.whl"), key=os.path.getmtime)
    if not wheels:
        pytest.skip("there is no compiled build to compare with")
    folder = tmp_path_factory.mktemp("compiled")
    for wheel in wheels:
        zipfile.ZipFile(wheel).extractall(folder)
    return folder


def compare(files: list[Path], other: Path | None) -> None:
    """Assert that both builds make the same of these modules."""
    names = list(map(str, files))
    compiled = digests(*names, path=other)
    plain = digests(*names) if other else digests("--plain", *names)
    assert (compiled["compiled"], plain["compiled"]) == (True, False)
    for name in names:
        assert compiled["digests"][name] == plain["digests"][name], name


def test_modules(other: Path | None) -> None:
    assert MODULES
    compare(MODULES, other)


def test_generated_programs(tmp_path: Path, other: Path | None) -> None:
    """Vectors, several memories, wide arithmetic, atomic accesses."""
    files = [tmp_path / f"{seed}.wasm" for seed in range(60)]
    for seed, file in enumerate(files):
        file.write_bytes(generate(seed).to_bytes())
    compare(files, other)


def test_damaged_modules(tmp_path: Path, other: Path | None) -> None:
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
    compare(files, other)

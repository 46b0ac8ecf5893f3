"""The backend in `examples/backend-toy`, found as an installed one is: its own tests, and files of the official suite."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite.place import find_suite

TOY = Path(__file__).parent.parent / "examples" / "backend-toy"
pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the toy compiles for x86-64")
LEVELS = {
    "integers": "i32 i64 int_exprs",
    "control": "labels br return switch forward fac stack unreachable",
    "memory": "memory_grow memory_trap",
}
"""Files of the suite, by what they need."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With a distribution that brings the toy, as `pip install` leaves it."""
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "wasmcore_toy-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wasmcore-toy\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[wasmcore]\ntoy = wasmcore_toy.plugin\n")
    paths = [str(folder), str(TOY / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "WASMCORE_CACHE": "0"}


def run(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, env=environment, cwd=TOY, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_tests(environment: dict[str, str]) -> None:
    run(environment, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(TOY), "tests")


def test_it_is_listed(environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", "wasmcore", "backends"], capture_output=True, text=True, env=environment, check=True)
    assert "toy" in done.stdout


@pytest.mark.parametrize("level", LEVELS)
def test_levels(environment: dict[str, str], level: str) -> None:
    suite = find_suite()
    if suite is None:
        pytest.skip("the official test suite is not here")
    files = [str(suite / f"{name}.wast") for name in LEVELS[level].split()]
    run(environment, "wasmcore", "wast", "--backend", "toy", *files)


def test_a_new_backend_passes_the_tests_it_comes_with(environment: dict[str, str], tmp_path: Path) -> None:
    run({**environment}, "wasmcore", "new", "backend", "mine", "--folder", str(tmp_path / "mine"))
    info = tmp_path / "wasmcore_mine-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wasmcore-mine\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[wasmcore]\nmine = wasmcore_mine.plugin\n")
    paths = os.pathsep.join([str(tmp_path), str(tmp_path / "mine" / "src"), environment["PYTHONPATH"]])
    tests = str(tmp_path / "mine" / "tests")
    run({**environment, "PYTHONPATH": paths}, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", tests, tests)


@pytest.mark.parametrize(("name", "text"), [("Mine", "no name for a backend"), ("a-b", "no name for a backend"), ("", "no name")])
def test_wrong_names(environment: dict[str, str], name: str, text: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wasmcore", "new", "backend", name, "--folder", str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 2 and text in done.stderr and not (tmp_path / "x").exists()

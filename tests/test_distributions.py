"""What holds for every distribution: its metadata, and that its sdist and wheel work outside of the checkout."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools import release

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = sorted(path.parent for path in (ROOT / "core/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")))
EACH = pytest.mark.parametrize("folder", [pytest.param(path, id=path.name) for path in DISTRIBUTIONS])


def metadata(folder: Path, key: str) -> str:
    """The value of a key of `[project]`, as it is written (Python 3.10 can not read TOML)."""
    lines = (folder / "pyproject.toml").read_text("utf-8").splitlines()
    return next(line for line in lines if line.startswith(f"{key} = ")).partition(" = ")[2].strip('"')


@EACH
def test_metadata(folder: Path) -> None:
    assert metadata(folder, "version") == metadata(ROOT / "core", "version")
    assert metadata(folder, "requires-python") == ">=3.10"
    assert metadata(folder, "license") == "MIT"
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (folder / "README.md").read_text().startswith(f"# {metadata(folder, 'name')}\n")
    assert list(folder.glob("src/*/py.typed"))


def test_build_files_are_the_same_everywhere() -> None:
    for name in ("build_backend.py", "setup.py"):
        assert len({path.read_bytes() for path in (folder / name for folder in DISTRIBUTIONS) if path.exists()}) == 1, name
    natives = [path for folder in DISTRIBUTIONS for path in folder.glob("src/*/_native.py")]
    assert len(natives) == 4
    assert len({path.read_text().replace(f'"{path.parent.name}__mypyc"', "the group") for path in natives}) == 1


WITHOUT_SETUPTOOLS = """
import sys, sysconfig, types
fake = sys.modules["setuptools"] = sys.modules["setuptools.build_meta"] = types.ModuleType("setuptools")
fake.build_meta = fake
fake.__getattr__ = lambda name: None
import build_backend
"""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sys.version_info = (3, 9, 0)", "wasmcore is for CPython 3.10 and newer, and this is cpython "),
        ("sys.implementation.name = 'pypy'", "wasmcore is for CPython 3.10 and newer, and this is pypy "),
        ("sysconfig.get_config_var = lambda name: 1", "wasmcore can not be used with free-threaded builds of Python yet"),
        ("sysconfig.get_platform = lambda: 'win-amd64'", "this distribution of wasmcore is for linux-x86_64 only, and this is win-amd64"),
    ],
    ids=["old Python", "other Python", "free-threaded", "other platform"],
)
def test_what_can_not_be_used_is_refused_in_one_line(change: str, said: str) -> None:
    """Installers ask what a build needs before they build; that is when it ends."""
    program = f"{WITHOUT_SETUPTOOLS}\n{change}\nraise SystemExit(build_backend.unsupported('linux-x86_64'))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT / "core", capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert done.stderr.startswith(said)


def test_machine_code_names_its_platform() -> None:
    assert metadata(ROOT / "plugins/x86_64", "platform") == "linux-x86_64"


def c_compiler_works(folder: Path) -> bool:
    """Whether the C compiler that builds extension modules can."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC"))
    (folder / "module.c").write_text("#include <Python.h>\n")
    command = [*compiler, "-c", "-I", sysconfig.get_path("include"), "-o", "module.o", "module.c"]
    try:
        return subprocess.run(command, cwd=folder, capture_output=True, timeout=100, check=False).returncode == 0
    except OSError:
        return False


def test_this_is_the_build_that_was_asked_for(tmp_path: Path) -> None:
    wanted = os.environ.get("WASMCORE_EXPECT")
    if wanted is None:
        pytest.skip("WASMCORE_EXPECT is not set")
    settings = "".join((folder / "pyproject.toml").read_text() for folder in DISTRIBUTIONS)
    named = re.findall(r'^  "src/(\S+)\.py",$', settings, re.MULTILINE)
    found = {name: find_spec(name.replace("/", ".")) for name in named}
    compiled = {name for name, spec in found.items() if spec is not None and str(spec.origin).endswith(".so")}
    assert len(named) > 80
    if wanted == "compiled" and not compiled:
        assert not c_compiler_works(tmp_path), "there is a C compiler, and still nothing is compiled"
        pytest.skip("no C compiler: this environment tests the plain build")
    assert compiled == (set(named) if wanted == "compiled" else set())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of each distribution and a plain wheel made from it."""
    pytest.importorskip("build")
    output = tmp_path_factory.mktemp("dist")
    for folder in DISTRIBUTIONS:
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(folder)]
        done = subprocess.run(command, env={**os.environ, "WASMCORE_PURE": "1"}, capture_output=True, text=True, check=False, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
    return output


@pytest.mark.wheels
@EACH
def test_sdist_and_wheel_hold_the_source_and_nothing_compiled(built: Path, folder: Path) -> None:
    sources = {str(path.relative_to(folder / "src")) for path in folder.glob("src/*/**/*.py")}
    name = metadata(folder, "name").replace("-", "_")
    with tarfile.open(next(built.glob(f"{name}-[0-9]*.tar.gz"))) as archive:
        inside = {member.partition("/")[2] for member in archive.getnames()}
    assert {f"src/{path}" for path in sources} | {"LICENSE", "README.md", "pyproject.toml"} <= inside
    with zipfile.ZipFile(next(built.glob(f"{name}-[0-9]*.whl"))) as wheel:
        packed = wheel.namelist()
    assert {path for path in packed if path.endswith(".py")} == sources
    assert any(path.endswith("/licenses/LICENSE") for path in packed)
    assert not [path for path in (*inside, *packed) if path.endswith((".so", ".pyc")) or path.startswith("build/")]


@pytest.mark.wheels
def test_wheels_work_outside_of_the_checkout(built: Path) -> None:
    """`pip install wasmcore wasmcore-llvm` brings all that the first programs of the README want."""
    release.try_out(sys.executable, release.check_versions(), built, "plain")

"""What a release is made of: `python tools/release.py --build FOLDER` or `--check [--python NAME]...`.

`--build` writes an sdist and a plain wheel (`py3-none-any`) of each distribution; compiled wheels are made by cibuildwheel, as
`.github/workflows/release.yml` says. `--check` does the same, adds compiled wheels for each Python that is asked for (default: all that the
path has), and tries them as a user would: `pip install wasmcore wasmcore-llvm`, in an environment that has nothing else, from a folder.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("core", "plugins/x86_64", "plugins/singlepass", "plugins/midtier", "plugins/llvm", "plugins/wasi")
PYTHONS = tuple(f"python3.{minor}" for minor in range(10, 16))
FIRST_PROGRAM = """
import sys
import wasmcore

text = '(module (func (export "double") (param i32) (result i32) (i32.shl (local.get 0) (i32.const 1))))'
for backend in (None, "singlepass", "llvm"):
    module = wasmcore.Module(text, engine=wasmcore.Engine(backend) if backend else None)
    assert wasmcore.Instance(module).exports.double(21) == 42, backend
assert wasmcore.Module(sys.argv[1]).engine.backend.name == "singlepass"
"""


def run(*command: str, folder: Path = ROOT, **environment: str) -> str:
    """What a command prints; what went wrong ends everything."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    clean |= environment
    done = subprocess.run(command, cwd=folder, env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-4000:]}")
    return done.stdout


def versions() -> dict[str, str]:
    """By distribution, what its pyproject.toml says."""
    found = {}
    for name in NAMES:
        said = re.search(r'^version = "(.+)"$', (ROOT / name / "pyproject.toml").read_text(), re.MULTILINE)
        found[name] = said[1] if said else "none"
    return found


def check_versions() -> str:
    """The version of all; ends where they differ, or the changelog does not know it."""
    found = versions()
    if len(set(found.values())) != 1:
        sys.exit(f"versions differ: {found}")
    version = found["core"]
    if f"## [{version}]" not in (ROOT / "CHANGELOG.md").read_text():
        sys.exit(f"CHANGELOG.md has no section for {version}")
    for name in NAMES[1:]:
        for package in (ROOT / name / "src").glob("*/__init__.py"):
            if f'__version__ = "{version}"' not in package.read_text():
                sys.exit(f"{package.relative_to(ROOT)} does not say that it is {version}")
    return version


def copied(name: str, folder: Path) -> Path:
    """A distribution without what earlier builds left."""
    left_out = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "*.so")
    return Path(shutil.copytree(ROOT / name, folder / Path(name).name, ignore=left_out))


def build(output: Path) -> None:
    """An sdist and a plain wheel of each distribution."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in NAMES:
            source = copied(name, Path(temporary))
            run(sys.executable, "-m", "build", "--outdir", str(output), str(source), WASMCORE_PURE="1")


def build_compiled(python: str, output: Path) -> None:
    """Compiled wheels for one Python."""
    with tempfile.TemporaryDirectory() as temporary:
        for name in NAMES:
            source = copied(name, Path(temporary))
            if (source / "build_backend.py").exists():
                run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(output), str(source), WASMCORE_PURE="0")


def try_out(python: str, version: str, wheels: Path, build_kind: str) -> None:
    """Install by name, from a folder of wheels, and run the first programs of the README."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run(python, "-m", "venv", str(folder / "venv"))
        own = str(folder / "venv/bin/python")
        wanted = (f"wasmcore=={version}", f"wasmcore-llvm=={version}")
        run(own, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--find-links", str(wheels), *wanted)
        shutil.copy(ROOT / "examples/hello.wasm", folder)
        run(own, "-c", FIRST_PROGRAM, "hello.wasm", folder=folder)
        assert "Hello from WebAssembly!" in run(str(folder / "venv/bin/wasmcore"), "run", "hello.wasm", folder=folder)
        assert build_kind in run(str(folder / "venv/bin/wasmcore"), "backends", folder=folder).partition("\n")[0]
        run(own, "-m", "pip", "check")


def interpreters(wanted: list[str] | None) -> list[str]:
    """Those that are asked for, or all that run."""
    if wanted:
        return wanted
    return [name for name in PYTHONS if shutil.which(name) and _makes_environments(name)]


def _makes_environments(python: str) -> bool:
    return subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0


def check(pythons: list[str]) -> None:
    """Everything that can be checked before a release."""
    version = check_versions()
    with tempfile.TemporaryDirectory() as temporary:
        plain = Path(temporary, "plain")
        plain.mkdir()
        build(plain)
        run(sys.executable, "-m", "twine", "check", "--strict", *map(str, plain.iterdir()))
        print(f"{version}: {len(list(plain.iterdir()))} files, whose metadata is right")
        for python in pythons:
            compiled = Path(temporary, python.replace("/", "_"))
            shutil.copytree(plain, compiled)
            build_compiled(python, compiled)
            for wheels, kind in ((plain, "plain"), (compiled, "compiled")):
                try_out(python, version, wheels, kind)
                print(f"{run(python, '--version').strip()}: {kind} wheels work", flush=True)


def main() -> int:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--build", metavar="FOLDER", type=Path, help="write sdists and plain wheels")
    what.add_argument("--check", action="store_true", help="build everything that can be built here, and try it")
    parser.add_argument("--python", action="append", metavar="NAME", help="check with this interpreter (may be repeated)")
    options = parser.parse_args()
    if options.check:
        check(interpreters(options.python))
    else:
        check_versions()
        options.build.mkdir(parents=True, exist_ok=True)
        build(options.build.resolve())
    return 0


if __name__ == "__main__":
    sys.exit(main())

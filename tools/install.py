"""Builds the wheels of all distributions and installs them: `python tools/install.py FOLDER`.

The folder keeps the wheels, so that environments of the same interpreter share them. A wheel is built again when its sources, or what
decides how they are compiled, have changed. The environment has to have what the builds want (there is no build isolation).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("core", "plugins/x86_64", "plugins/singlepass", "plugins/midtier", "plugins/llvm", "plugins/wasi")
DISTRIBUTIONS = [ROOT / name for name in NAMES]
LEFT_OUT = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__", "*.so")
DECIDING = ("WASMCORE_PURE", "MYPYC_OPT_LEVEL", "CC", "CFLAGS")


def pip(*arguments: str) -> None:
    """Run pip of this interpreter; what it says is shown only when it fails."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}")


def key(folder: Path) -> str:
    """Names what a wheel is made from."""
    found = sha256(repr([sys.version, sysconfig.get_platform(), *map(os.environ.get, DECIDING)]).encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return found.hexdigest()[:20]


def wheel(distribution: Path, kept: Path) -> Path:
    """The wheel of a distribution, built in a copy of it where it is not there yet."""
    with tempfile.TemporaryDirectory(dir=kept) as temporary:
        source = Path(temporary, distribution.name)
        shutil.copytree(distribution, source, ignore=LEFT_OUT)
        folder = kept / f"{distribution.name}-{key(source)}"
        if not folder.exists():
            output = Path(temporary, "wheel")
            pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(output), str(source))
            if not folder.exists():
                output.rename(folder)
    return next(folder.glob("*.whl"))


def main() -> None:
    kept = Path(sys.argv[1]).resolve()
    kept.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=2) as workers:
        wheels = [str(path) for path in workers.map(lambda distribution: wheel(distribution, kept), DISTRIBUTIONS)]
    print(*(Path(path).name for path in wheels), sep="\n")
    wheels[0] += "[objdump]"
    pip("uninstall", "--yes", "wasmcore", "wasmcore-x86-64", "wasmcore-singlepass", "wasmcore-midtier", "wasmcore-llvm", "wasmcore-wasi")
    pip("install", *wheels)


if __name__ == "__main__":
    main()

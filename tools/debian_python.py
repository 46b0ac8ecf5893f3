"""A command with a Python that this machine does not have: `python tools/debian_python.py 3.14 COMMAND...`.

Debian is laid out in a folder by debootstrap, with that Python and a C compiler, which takes two minutes and a root user; the command runs
there, in a copy of this checkout, with `python3` the one that was asked for. Without root or debootstrap it says so, in one line, and does
nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUITES = {"3.14": "forky", "3.15": "forky"}
"""The release of Debian that has each Python."""
PACKAGES = "ca-certificates,gcc,git,libc6-dev"
KEPT_SETTINGS = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "root/.config/pip", "etc/xdg/pip", "etc/ssl/certs/ca-certificates.crt")
"""What says where packages come from; paths that a pip configuration names are shown in the folder, too."""
PASSED_ON = ("CI", "WASM_TESTSUITE", *(name for name in os.environ if name.startswith("PIP_")))
FOUND_BY = re.compile(r"^(?:URIs:|deb(?:\s+\[[^]]*\])?)\s+(\S+)", re.MULTILINE)


def mirror() -> str | None:
    """Where this machine's own packages come from."""
    for path in sorted([*Path("/etc/apt").rglob("*.sources"), *Path("/etc/apt").rglob("*.list")]):
        found = FOUND_BY.search(path.read_text())
        if found is not None:
            return found[1]
    return None


def run(*command: str) -> None:
    """Run a command; what it says is shown only when it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-3000:]}")


def missing() -> str | None:
    """Why it can not be done here."""
    if os.name != "posix" or os.geteuid():
        return "only root can lay out a system"
    if shutil.which("debootstrap") is None:
        return "there is no debootstrap"
    return None if mirror() else "apt has no sources"


def lay_out(folder: Path, version: str) -> None:
    """Debian with a Python, from where this machine's packages come from."""
    scripts = Path("/usr/share/debootstrap/scripts")
    script = [] if (scripts / SUITES[version]).exists() else [str(scripts / "sid")]
    python = f"python{version}"
    packages = f"{PACKAGES},{python},{python}-dev,{python}-venv"
    run("debootstrap", "--variant=minbase", f"--include={packages}", SUITES[version], str(folder), str(mirror()), *script)
    for name in KEPT_SETTINGS:
        source, copy = Path("/", name), folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
        elif source.exists():
            shutil.copyfile(source, copy)
    for name in ("python3", "python"):
        (folder / "usr/local/bin" / name).symlink_to(f"/usr/bin/{python}")


def shown() -> list[str]:
    """Folders of this machine in which pip looks for packages."""
    settings = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    named = [Path("/" + each.strip("/")) for each in re.findall(r"/[\w./-]+", settings)]
    # What an index names is beside it.
    folders = {path.parent if path.name == "simple" else path for path in named if path.is_dir()}
    return sorted(map(str, folders - {Path("/")}))


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """The system with its devices and processes."""
    places = [("-t", "proc", "proc", "/proc"), ("--rbind", "/dev", "/dev"), *(("--rbind", each, each) for each in shown())]
    done: list[Path] = []
    try:
        for *what, name in places:
            place = folder / name[1:]
            place.mkdir(parents=True, exist_ok=True)
            run("mount", *what, str(place))
            run("mount", "--make-rprivate", str(place))
            done.append(place)
        yield
    finally:
        for place in reversed(done):
            run("umount", "--recursive", "--lazy", str(place))


def main() -> int:
    """The status of the command; 0 where nothing could be done."""
    version, *command = sys.argv[1:]
    reason = missing()
    if reason is not None:
        print(f"NOT RUN on Python {version}: {reason}", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory(prefix="wasmcore-debian-") as temporary:
        folder = Path(temporary, "system")
        lay_out(folder, version)
        run("git", "clone", "--quiet", "--no-local", str(ROOT), str(folder / "root/wasmcore"))
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        suite = environment.get("WASM_TESTSUITE", "none")
        if suite != "none":
            shutil.copytree(suite, folder / "root/testsuite", symlinks=True)
            environment["WASM_TESTSUITE"] = "/root/testsuite"
        environment |= {"HOME": "/root", "LC_ALL": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        with mounted(folder):
            entered = ["chroot", str(folder), "sh", "-c", 'cd /root/wasmcore && exec "$@"', "sh", *command]
            return subprocess.run(entered, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

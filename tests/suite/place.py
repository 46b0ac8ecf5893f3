"""Where the official test suite is; `python -m tests.suite.place` fetches it where it is nowhere."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Final

URL: Final = "https://github.com/WebAssembly/testsuite"
COMMIT: Final = "193e551ff22663995b1ac95dc62344133669e14b"
VARIABLE: Final = "WASM_TESTSUITE"
WITHOUT: Final = "none"
"""Value of the variable that says to do without the suite."""

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_BESIDE: Final = _CHECKOUT.parent / "shared" / "spec-testsuite"
_INSIDE: Final = _CHECKOUT / "tests" / "spec-testsuite"
_SECONDS: Final = 100
"""The time that git gets for each step."""
_OF_A_REPOSITORY: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")
"""What a git hook sets for its own repository."""


class NotFetched(Exception):
    """The suite could not be fetched; the message says why."""


def cached() -> Path:
    """The folder that a fetched suite is kept in: in `$XDG_CACHE_HOME`, named by the commit."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "wasmcore-testsuite", COMMIT)


def places() -> tuple[Path, ...]:
    """Where the suite is looked for, in this order: what `$WASM_TESTSUITE` names is the only place."""
    named = os.environ.get(VARIABLE)
    if named == WITHOUT:
        return ()
    return (Path(named),) if named else (_BESIDE, _INSIDE, cached())


def find_suite() -> Path | None:
    """The folder of the suite, the first place with scripts in it; nothing where there is none."""
    return next((place for place in places() if next(place.glob("*.wast"), None)), None)


def fetch(url: str, commit: str, folder: Path) -> None:
    """Put the files of a commit into a folder that is not there yet, all of them or none; raises `NotFetched`."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            copy = Path(temporary, "suite")
            _git("init", "--quiet", str(copy))
            _git("-C", str(copy), "fetch", "--quiet", "--depth=1", url, commit)
            _git("-C", str(copy), "-c", "advice.detachedHead=false", "checkout", "--quiet", "FETCH_HEAD")
            shutil.rmtree(copy / ".git")
            copy.rename(folder)
    except OSError as error:
        raise NotFetched(str(error)) from error


def _git(*arguments: str) -> None:
    """Run git, which asks nobody anything; its helpers end with it."""
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY}
    environment.update(GIT_TERMINAL_PROMPT="0", GIT_SSH_COMMAND="ssh -o BatchMode=yes")
    process = subprocess.Popen(
        ("git", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise NotFetched(f"no answer in {_SECONDS} seconds") from None
    if process.returncode:
        raise NotFetched(" ".join(said.split()))


def main() -> None:
    """Fetch the suite into the cache, unless it is somewhere or not wanted, and say where it is."""
    if not os.environ.get(VARIABLE) and find_suite() is None:
        print(f"fetching the official test suite: {URL}, commit {COMMIT}", flush=True)
        try:
            fetch(URL, COMMIT, cached())
        except NotFetched as error:
            print(f"the official test suite was not fetched: {error}")
    print(f"official test suite: {find_suite() or WITHOUT}")


if __name__ == "__main__":
    main()

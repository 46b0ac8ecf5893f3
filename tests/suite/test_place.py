"""Getting the official test suite: where it is looked for, fetched from, and what a run says that is without it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.suite import place
from tests.suite.scripts import remark

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = '(module (func (export "f")))\n(assert_return (invoke "f"))\n'


def git(folder: Path, *arguments: str) -> str:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout.strip()


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A commit in a repository that git takes for the one on the network; the next commit of it is another."""
    repository = tmp_path / "network" / "WebAssembly" / "testsuite"
    (repository / "custom").mkdir(parents=True)
    git(repository, "init", "--quiet")
    (repository / "one.wast").write_text(SCRIPT)
    (repository / "custom" / "two.wast").write_text(SCRIPT)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=one")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "rm", "--quiet", "one.wast")
    git(repository, "commit", "--quiet", "--message=two")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    redirect(tmp_path, monkeypatch, (tmp_path / "network").as_uri())
    return commit


def redirect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    """Let git find at an address what is asked of GitHub."""
    configuration = tmp_path / "gitconfig"
    configuration.write_text(f'[url "{base}/"]\n\tinsteadOf = https://github.com/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a machine that has the suite nowhere."""
    monkeypatch.delenv(place.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(place, "_BESIDE", tmp_path / "beside")
    monkeypatch.setattr(place, "_INSIDE", tmp_path / "inside")
    return place.cached()


@pytest.mark.usefixtures("nowhere")
def test_a_fetched_suite_is_kept(published: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(place, "COMMIT", published)
    place.main()
    assert f"official test suite: {place.cached()}" in capsys.readouterr().out
    files = [path.relative_to(place.cached()).as_posix() for path in place.cached().rglob("*") if path.is_file()]
    assert sorted(files) == ["custom/two.wast", "one.wast"]
    assert os.listdir(place.cached().parent) == [published]
    monkeypatch.setenv("PATH", "")
    place.main()
    assert "fetching" not in capsys.readouterr().out


@pytest.mark.parametrize("base", ["file:///nonexistent", "https://127.0.0.1:9", "ssh://nobody@127.0.0.1:9"])
def test_without_a_network_nothing_is_left(
    base: str, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    redirect(tmp_path, monkeypatch, base)
    place.main()
    said = capsys.readouterr().out
    assert "the official test suite was not fetched: fatal: " in said or "ssh" in said
    assert said.endswith("official test suite: none\n")
    assert os.listdir(nowhere.parent) == []
    assert remark().startswith("THE OFFICIAL TEST SUITE IS NOT RUN: no scripts in ")


@pytest.mark.usefixtures("published")
def test_a_commit_that_is_not_there(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place.main()
    assert "the official test suite was not fetched: " in capsys.readouterr().out
    assert os.listdir(nowhere.parent) == []


@pytest.mark.parametrize("program", [None, "#!/bin/sh\necho no >&2\nexit 1\n", "#!/bin/sh\n/bin/sleep 600\n"])
def test_whatever_git_does_the_wait_ends(program: str | None, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    if program:
        (tmp_path / "bin" / "git").write_text(program)
        (tmp_path / "bin" / "git").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(place, "_SECONDS", 1)
    with pytest.raises(place.NotFetched, match=r"No such file.*git|^no$|no answer in 1 seconds"):
        place.fetch(place.URL, place.COMMIT, nowhere)
    assert os.listdir(nowhere.parent) == []


def test_a_cache_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(place.NotFetched, match="file"):
        place.fetch(place.URL, place.COMMIT, tmp_path / "file" / "folder")


def test_the_repository_of_a_hook_is_left_alone(published: str, nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "hook"))
    place.fetch(place.URL, published, nowhere)
    assert not (tmp_path / "hook").exists()


def test_the_order_of_places(nowhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (nowhere, tmp_path / "inside", tmp_path / "beside", tmp_path / "named"):
        assert place.find_suite() != folder
        folder.mkdir(parents=True)
        (folder / "i32.wast").write_text(SCRIPT)
        if folder.name == "named":
            monkeypatch.setenv(place.VARIABLE, str(folder))
        assert place.find_suite() == folder
    monkeypatch.setenv(place.VARIABLE, place.WITHOUT)
    assert place.find_suite() is None
    monkeypatch.setenv(place.VARIABLE, str(tmp_path / "misspelt"))
    assert place.find_suite() is None


@pytest.mark.parametrize(
    "scripts, ci, status, said",
    [
        (None, "true", 0, "THE OFFICIAL TEST SUITE IS NOT RUN: WASM_TESTSUITE=none"),
        (0, "", 1, "THE OFFICIAL TEST SUITE IS NOT RUN: no scripts in"),
        (1, "", 0, f"THE OFFICIAL TEST SUITE IS NOT COMMIT {place.COMMIT[:12]}"),
        (1, "true", 1, f"THE OFFICIAL TEST SUITE IS NOT COMMIT {place.COMMIT[:12]}"),
    ],
)
def test_the_last_lines_of_a_run_without_it(scripts: int | None, ci: str, status: int, said: str, tmp_path: Path) -> None:
    for number in range(scripts or 0):
        (tmp_path / f"{number}.wast").write_text(SCRIPT)
    environment = {**os.environ, "CI": ci, place.VARIABLE: place.WITHOUT if scripts is None else str(tmp_path)}
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/suite/test_suite.py")
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == status, done.stdout
    assert said in done.stdout.splitlines()[-2]

"""`wasmcore bench`: every backend and level, in a table, a file and a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import wasmcore
from wasmcore.cli import main

ROOT = Path(__file__).parents[1]
GCD = str(ROOT / "examples/gcd.wasm")
HELLO = str(ROOT / "examples/hello.wasm")


def test_a_function_on_all_backends(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "gcd.json"
    assert main(["bench", "--rounds=1", "--invoke=gcd", f"--json={file}", GCD, "6", "27"]) == 0
    found = json.loads(file.read_text())
    assert {name.split()[0] for name in found} >= set(wasmcore.backends())
    assert {each["result"] for each in found.values()} == {"3"} and not any(each["problem"] for each in found.values())
    assert all(each["compile"] > 0 and each["run"] > 0 for each in found.values())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "gcd.wasm: milliseconds" and lines[1].split() == ["engine", "compile", "run", "both"]
    assert len(lines) >= 2 + len(found)


def test_a_program_on_one_backend(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What it prints is not shown."""
    assert main(["bench", "--rounds=1", "--backend=singlepass", HELLO]) == 0
    out = capsys.readouterr().out
    assert "singlepass" in out and "Hello" not in out


def test_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "gcd.svg"
    assert main(["bench", "--rounds=1", "--backend=singlepass", "--invoke=gcd", f"--plot={file}", GCD, "6", "27"]) == 0
    assert "singlepass" in file.read_text() or "<svg" in file.read_text()


def test_wrong_command_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["--backend=singlepas", HELLO], "no backend 'singlepas'; did you mean 'singlepass'?"),
        (["--invoke=gdc", GCD], "it exports no function 'gdc'; --invoke can call: gcd"),
        ([GCD], "it is no program (it exports no _start); --invoke can call: gcd"),
        (["--invoke=gcd", GCD, "1"], "gcd takes 2 arguments"),
        (["--rounds=0", HELLO], "invalid value for '--rounds'"),
    ):
        assert main(["bench", *words]) == 2
        assert message in capsys.readouterr().err


def test_a_trap_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "trap.wat"
    file.write_text('(module (func (export "f") (unreachable)))')
    assert main(["bench", "--rounds=1", "--backend=singlepass", "--invoke=f", str(file)]) == 1
    assert "singlepass: Trap: unreachable" in capsys.readouterr().err

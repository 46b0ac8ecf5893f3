"""`wasmcore objdump`: stream, macro records and machine code side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from wasmcore.cli import main

GCD = str(Path(__file__).parents[1] / "examples/gcd.wasm")


def listing(*words: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of a listing."""
    pytest.importorskip("capstone")
    assert main(["objdump", "--backend=singlepass", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_three_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = listing(GCD, capsys=capsys)
    assert lines[0].startswith("function 0 gcd: [i32 i32] -> [i32], ")
    remainder = next(number for number, line in enumerate(lines) if "i32.rem_s" in line)
    block = "\n".join(lines[remainder : remainder + 20])
    assert "divide" in block
    assert "idiv" in block
    assert any("ud2  ; integer divide by zero" in line for line in lines)
    assert any("push rbp" in line for line in lines[:3])


def test_one_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert listing("--function", "gcd", GCD, capsys=capsys) == listing("--function", "0", GCD, capsys=capsys)
    assert main(["objdump", "--function", "nothing", GCD]) == 1
    assert capsys.readouterr().err == "wasmcore: no function of the module has the name or number 'nothing'\n"

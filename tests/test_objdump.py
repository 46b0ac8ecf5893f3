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
    assert main(["objdump", "--function", "nothing", GCD]) == 2
    assert capsys.readouterr().err == "wasmcore: no function of the module has the name or number 'nothing'\n"


INLINED = """(module (func $half (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0)))
  (func $f (param i32) (result i32) (call $half (i32.add (local.get 0) (i32.const 1)))))"""


def test_inlined_instructions_stand_at_the_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("capstone")
    pytest.importorskip("wasmcore_llvm")
    file = tmp_path / "inlined.wat"
    file.write_text(INLINED)
    assert main(["objdump", "--backend=llvm", "--function=f", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    call = next(number for number, line in enumerate(lines) if line.startswith("  call 0"))
    assert any("div" in line and "; func[0]" in line for line in lines[call:])
    assert any("integer divide by zero, func[0]" in line for line in lines)

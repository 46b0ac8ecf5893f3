"""Text where modules are read, and the commands that turn text into modules and back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from wasmcore.cli import main
from wasmcore.errors import DecodeError, TextError, ValidationError

TEXT = """(module
  (type (;0;) (func (param i32) (result i32)))
  (export "twice" (func $twice))
  (func $twice (type 0) (param $number i32) (result i32)
    local.get $number
    local.get $number
    i32.add
  )
)
"""
FOLDED = TEXT.replace(
    """    local.get $number
    local.get $number
    i32.add
""",
    """    (i32.add (local.get $number) (local.get $number))
""",
)
WRONG = "(module\n  (func\n    i32.konst 1))\n"
CARET = "(line 3, column 5)\n      i32.konst 1))\n      ^"


@pytest.fixture
def wat(tmp_path: Path) -> Path:
    file = tmp_path / "twice.wat"
    file.write_text(TEXT)
    return file


@pytest.fixture
def wasm(wat: Path) -> Path:
    file = wat.with_name("other.wasm")
    file.write_bytes(wasmcore.wat2wasm(TEXT))
    return file


class Standard:
    """Standard input or output with the bytes behind it."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)

    def flush(self) -> None:
        pass


# Commands


def test_there_and_back(wat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wat2wasm", str(wat)]) == 0
    wasm = wat.with_suffix(".wasm")
    assert wasm.read_bytes() == wasmcore.wat2wasm(TEXT)
    assert main(["wasm2wat", str(wasm)]) == 0
    assert capsys.readouterr().out == TEXT
    assert main(["wasm2wat", "--fold", str(wasm), "-o", str(wat)]) == 0
    assert wat.read_text() == FOLDED
    assert sorted(file.name for file in wat.parent.iterdir()) == ["twice.wasm", "twice.wat"]


def test_text_is_written_in_its_canonical_form(wat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wat.write_text(FOLDED)
    assert main(["wasm2wat", str(wat)]) == 0
    assert capsys.readouterr().out == TEXT


def test_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Standard()
    monkeypatch.setattr(sys, "stdin", Standard(TEXT.encode()))
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["wat2wasm", "-"]) == 0
    binary = output.buffer.getvalue()
    assert binary == wasmcore.wat2wasm(TEXT)
    output = Standard()
    monkeypatch.setattr(sys, "stdin", Standard(binary))
    monkeypatch.setattr(sys, "stdout", output)
    assert main(["wasm2wat", "-"]) == 0
    assert output.buffer.getvalue() == TEXT.encode()


@pytest.mark.parametrize("command", ["wat2wasm", "wasm2wat", "validate", "inspect", "run"])
def test_errors_of_text_say_where(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "wrong.wat"
    file.write_text(WRONG)
    assert main([command, str(file)]) == 1
    error = capsys.readouterr().err
    assert f"wasmcore: {file}: " in error
    assert error.rstrip("\n").endswith(CARET)
    assert [each.name for each in tmp_path.iterdir()] == ["wrong.wat"]


def test_a_failure_leaves_the_old_output(wat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wasm = wat.with_suffix(".wasm")
    wasm.write_bytes(b"old")
    wat.write_text(WRONG)
    assert main(["wat2wasm", str(wat)]) == 1
    assert wasm.read_bytes() == b"old"
    assert "twice.wat: " in capsys.readouterr().err


def test_what_is_no_text(wasm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wat2wasm", str(wasm)]) == 2
    assert "say with -o where the binary module goes" in capsys.readouterr().err
    assert main(["wat2wasm", str(wasm), "-o", "-"]) == 1
    assert capsys.readouterr().err.endswith("other.wasm is a binary module already, no text\n")
    assert main(["wat2wasm", str(wasm.with_name("missing.wat"))]) == 1
    assert capsys.readouterr().err.endswith("missing.wat: No such file or directory\n")


def test_a_malformed_module(wasm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wasm.write_bytes(b"\0asm\1\0\0\0\1\5")
    assert main(["wasm2wat", str(wasm)]) == 1
    assert capsys.readouterr().err == f"wasmcore: {wasm}: length out of bounds (at offset 0x9)\n"


def test_an_output_that_can_not_be_written(wat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wat2wasm", str(wat), "-o", str(wat.parent / "missing" / "x.wasm")]) == 1
    assert capsys.readouterr().err.endswith("missing/x.wasm: No such file or directory\n")


def test_an_output_keeps_its_permissions_and_its_link(wat: Path) -> None:
    real = wat.with_name("real.wasm")
    real.write_bytes(b"old")
    real.chmod(0o640)
    link = wat.with_name("link.wasm")
    link.symlink_to(real.name)
    assert main(["wat2wasm", str(wat), "-o", str(link)]) == 0
    assert link.is_symlink()
    assert real.read_bytes() == wasmcore.wat2wasm(TEXT)
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="there is no /dev/null")
def test_an_output_may_be_a_device(wat: Path) -> None:
    assert main(["wat2wasm", str(wat), "-o", "/dev/null"]) == 0
    assert not Path("/dev/null").is_file()


def command(words: list[str], before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own."""
    program = f"import sys\n{before}\nfrom wasmcore.cli import console\nsys.argv[1:] = {words!r}\nconsole()"
    return subprocess.run([sys.executable, "-c", program], check=False, text=True, stderr=subprocess.PIPE, timeout=120, **options)


def test_a_full_disk_leaves_the_old_output(wat: Path) -> None:
    old = wat.with_suffix(".wasm")
    old.write_bytes(b"old")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))"
    done = command(["wat2wasm", str(wat)], limit)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"wasmcore: {old}: File too large"
    assert old.read_bytes() == b"old"
    assert sorted(file.name for file in wat.parent.iterdir()) == ["twice.wasm", "twice.wat"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("output", [["-o", "/dev/full"], []], ids=["file", "standard output"])
def test_a_full_device(wat: Path, output: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = command(["wasm2wat", *output, str(wat)], stdout=full)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"wasmcore: {output[1] if output else 'standard output'}: No space left on device"


@pytest.mark.parametrize("command", ["validate", "inspect"])
def test_commands_read_text(command: str, wat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(wat)]) == 0
    assert ("twice" in capsys.readouterr().out) == (command == "inspect")


# Sources of modules


@pytest.mark.parametrize("source", [TEXT, TEXT.encode(), "\n ;; a comment\n;;)\n" + TEXT, "(; ;)" + TEXT, bytearray(TEXT.encode())])
def test_text_is_a_source(source: str | bytes) -> None:
    wasmcore.validate(source)


def test_files_are_sources(wat: Path, wasm: Path) -> None:
    wasmcore.validate(str(wat))
    wasmcore.validate(wat)
    wasmcore.validate(wasm)
    wat.write_bytes(b" ")  # a file of that name is text, whatever is in it
    wasmcore.validate(wat)
    text = wat.rename(wat.with_suffix(".txt"))
    text.write_text(";; text needs no particular name\n" + TEXT)
    wasmcore.validate(text)


def test_a_path_may_begin_with_a_parenthesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("(module).wat").write_text(TEXT)
    wasmcore.validate(Path("(module).wat"))
    with pytest.raises(TextError):
        wasmcore.validate("(module).wat")


def test_errors_of_sources(wat: Path) -> None:
    with pytest.raises(TextError) as caught:
        wasmcore.validate(WRONG)
    assert str(caught.value).endswith(CARET)
    wat.write_text(WRONG)
    with pytest.raises(TextError) as caught:
        wasmcore.validate(wat)
    assert str(caught.value).startswith(f"{wat}: ")
    assert (caught.value.line, caught.value.column) == (3, 5)
    with pytest.raises(ValidationError, match="unknown local 0"):
        wasmcore.validate("(module (func local.get 0 drop))")
    with pytest.raises(DecodeError, match="magic header not detected"):
        wasmcore.validate(b"nothing")
    wat.with_suffix(".txt").write_bytes(b"nothing")
    with pytest.raises(DecodeError, match="nor is it text"):
        wasmcore.validate(wat.with_suffix(".txt"))

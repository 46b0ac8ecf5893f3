"""The command line, as far as it needs no backend."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from wasmcore.binary.sections import sections
from wasmcore.cli import main
from wasmcore.cli.options import RunRequest, parse_run
from wasmcore.cli.progress import Progress
from wasmcore.cli.report import exit_code
from wasmcore.cli.tables import show_table
from wasmcore.errors import Frame, Trap, TrapKind

ADD = bytes.fromhex(
    "0061736d01000000"
    "01 07 01 60 02 7f 7f 01 7f"
    "03 02 01 00"
    "05 03 01 00 01"
    "07 07 01 03 616464 00 00"
    "0a 09 01 07 00 20 00 20 01 6a 0b"
    "00 0b 046e616d65 00 04 036d6f64".replace(" ", "")
)
"""A memory and `add`, with a name section."""


@pytest.fixture
def add(tmp_path: Path) -> Path:
    file = tmp_path / "add.wasm"
    file.write_bytes(ADD)
    return file


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["a.wasm"], RunRequest("a.wasm")),
        (["a.wasm", "--dir", "x", "--", "-c"], RunRequest("a.wasm", ("--dir", "x", "--", "-c"))),
        (["--backend=x", "--backend", "y", "a.wasm"], RunRequest("a.wasm", backend="y")),
        (["--dir", "a::b", "--dir=c", "--env=K=V=W", "a.wasm", "1"], RunRequest("a.wasm", ("1",), dir=("a::b", "c"), env=("K=V=W",))),
        (["--invoke", "add", "a.wasm", "-1", "2"], RunRequest("a.wasm", ("-1", "2"), invoke="add")),
        ([], None),
        (["--help"], None),
        (["--dir"], None),
        (["--backend=x"], None),
        (["--unknown", "a.wasm"], None),
    ],
)
def test_the_quick_parser(words: list[str], wanted: RunRequest | None) -> None:
    assert parse_run(words) == wanted


def test_both_parsers_understand_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from wasmcore.cli import run
    from wasmcore.cli.commands import run_command

    seen: list[RunRequest] = []
    monkeypatch.setattr(run, "run", lambda request: seen.append(request) or 0)
    words = ["--backend=x", "--dir", "a::b", "--dir=c", "--env", "K=V", "--invoke=f", "a.wasm", "--dir", "--", "-x"]
    assert run_command(["run", *words]) == 0
    assert seen == [parse_run(words)]


def test_a_first_word_that_is_no_command_is_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing-there.wasm", "x"]) == 1
    assert capsys.readouterr().err == "wasmcore: nothing-there.wasm: No such file or directory\n"


@pytest.mark.parametrize("command", ["run", "validate", "inspect"])
def test_not_webassembly(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "text.wasm"
    file.write_text("no module")
    assert main([command, str(file)]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"wasmcore: {file} is not a WebAssembly module: it does not begin with the bytes 00 61 73 6d, nor is it text"


def test_wrong_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--frobnicate", "a.wasm"]) == 2
    assert "wasmcore: no option '--frobnicate'" in capsys.readouterr().err
    assert main(["run"]) == 2
    assert "wasmcore: missing argument 'FILE'" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    import wasmcore

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wasmcore {wasmcore.__version__}\n"
    assert main(["run", "--help"]) == 0
    assert "--dir HOST::GUEST" in capsys.readouterr().out


def test_inspect_json(add: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--json", str(add)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["size"], found["name"], found["start"]) == (len(ADD), "mod", None)
    assert [each["section"] for each in found["sections"]] == ["type", "function", "memory", "export", "code", "custom"]
    assert found["sections"][-1]["name"] == "name"
    assert found["types"] == [{"index": 0, "type": "[i32 i32] -> [i32]"}]
    assert found["exports"] == [{"name": "add", "kind": "func", "index": 0, "type": "[i32 i32] -> [i32]"}]
    assert found["memories"] == [{"index": 0, "origin": "defined", "type": "1"}]
    assert found["functions"][0]["size"] == 7
    assert found["imports"] == []


def test_inspect_text(add: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(add)]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{add} (mod): {len(ADD)} bytes, 1 functions (0 imported)\n")
    assert "Exports\n  name  kind  index  type\n  add   func  0      [i32 i32] -> [i32]\n" in text


def test_sections_cover_the_module() -> None:
    position = 8
    for _, start, end in sections(ADD):
        assert ADD[position + 1] == end - start
        assert start == position + 2
        position = end
    assert position == len(ADD)


def test_truncated(add: Path, capsys: pytest.CaptureFixture[str]) -> None:
    add.write_bytes(ADD[:-3])
    assert main(["inspect", str(add)]) == 1
    assert capsys.readouterr().err.startswith(f"wasmcore: {add}: ")


def test_validate(add: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.wasm"
    wrong.write_bytes(ADD.replace(bytes.fromhex("6a0b"), bytes.fromhex("7c0b")))
    assert main(["validate", str(add)]) == 0
    capsys.readouterr()
    assert main(["validate", str(wrong), str(add)]) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"wasmcore: {wrong}: ")
    assert "type mismatch" in message


def test_backends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends"]) in (0, 1)
    assert capsys.readouterr().out.startswith("wasmcore, contract 2.0, build: ")


def test_errors_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: BaseException) -> int:
        raise error

    frames = [Frame("mod", 3, "inner", 0x1F), Frame("mod", 1, None, None)]
    assert exit_code(lambda: fail(Trap(TrapKind.INTEGER_DIVIDE_BY_ZERO, frames))) == 134
    wanted = "wasmcore: trap: integer divide by zero\n  at mod!inner (offset 0x1f)\n  at mod!func[1]\n"
    assert capsys.readouterr().err == wanted
    assert exit_code(lambda: fail(KeyboardInterrupt())) == 130
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: fail(ZeroDivisionError()))


def test_tables_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    show_table(terminal, "Title", ("a", "b"), [("[x]", 1)])
    show_table(terminal, "Nothing", ("a",), [])
    assert "[x]" in terminal.getvalue()
    assert "Nothing" not in terminal.getvalue()


def test_the_progress_bar_waits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    now = [0.0]
    monkeypatch.setattr("wasmcore.cli.progress.monotonic", lambda: now[0])
    progress = Progress()
    progress(1, 10)
    progress(10, 10)
    assert capsys.readouterr().err == ""
    now[0] = 0.6
    progress(5, 10)
    progress(10, 10)
    assert "compiling" in capsys.readouterr().err


def test_the_progress_bar_goes_when_its_work_is_given_up(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    now = [0.0]
    monkeypatch.setattr("wasmcore.cli.progress.monotonic", lambda: now[0])

    def action() -> int:
        progress = Progress()
        now[0] += 1
        progress(5, 10)
        raise KeyboardInterrupt

    assert exit_code(action) == 130
    shown = capsys.readouterr().err
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor


def test_running_needs_neither_click_nor_rich_nor_pluggy(tmp_path: Path) -> None:
    code = """
import sys
from wasmcore.cli import main
main(["nothing-there.wasm"])
print([name for name in ("click", "rich", "pluggy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100, cwd=tmp_path)
    assert done.stdout == "[]\n"

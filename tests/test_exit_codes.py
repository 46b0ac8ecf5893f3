"""What the README says about exit codes, for every command and every kind of mistake; each mistake is told in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import wasmcore
from wasmcore.cli import main
from wasmcore.cli.options import COMMANDS
from wasmcore.cli.report import exit_code

FILE_COMMANDS = ("run", "compile", "validate", "inspect", "objdump", "wat2wasm", "wasm2wat", "wast")
OF_BINARIES = ("run", "compile", "validate", "inspect", "objdump", "wasm2wat")
OF_TEXT = ("wat2wasm", "wast")
WITH_FEATURES = ("run", "compile", "validate", "inspect", "objdump", "wast")
WITH_BACKENDS = ("run", "compile", "objdump", "wast")
VALIDATING = ("run", "compile", "validate", "objdump")

PROC_EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)'
TEXTS = {
    "good.wat": '(module (func (export "_start")))',
    "three.wat": f'(module {PROC_EXIT} (func (export "_start") (call $exit (i32.const 3))))',
    "unreachable.wat": '(module (func (export "_start") unreachable))',
    "starts.wat": '(module (func $s unreachable) (start $s) (func (export "_start")))',
    "recursion.wat": '(module (func $f (export "_start") (call $f)))',
    "library.wat": '(module (memory (export "m") 1) (func (export "f") (param i32 f64) (result i32) local.get 0))',
    "arguments.wat": '(module (func (export "_start") (param i32)) (func (export "g") (param externref)))',
    "imports.wat": '(module (import "env" "f" (func)) (func (export "_start")))',
    "shared.wat": '(module (memory 1 1 shared) (func (export "_start")))',
    "invalid.wat": '(module (func (export "_start") i32.add))',
    "misspelt.wat": "(module (funk))",
    "failing.wast": '(module (func (export "f") (result i32) (i32.const 1)))\n(assert_return (invoke "f") (i32.const 2))',
    "passing.wast": '(module (func (export "f") (result i32) (i32.const 1)))\n(assert_return (invoke "f") (i32.const 1))',
    "unclosed.wast": "(module",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a file of every kind."""
    monkeypatch.chdir(tmp_path)
    for name, text in TEXTS.items():
        Path(name).write_text(text)
    binary = wasmcore.wat2wasm(TEXTS["good.wat"])
    Path("good.wasm").write_bytes(binary)
    Path("truncated.wasm").write_bytes(binary[:-2])
    Path("garbage.bin").write_bytes(bytes(range(256)))
    Path("empty.bin").write_bytes(b"")
    Path("code.bin").write_bytes(wasmcore.Module(binary).serialize())
    Path("directory.bin").mkdir()
    with open("huge.bin", "wb") as huge:
        huge.truncate(5 << 30)
    return tmp_path


def messages(error: str) -> list[str]:
    """The lines on standard error, without the one about the plain-Python build."""
    return [line for line in error.splitlines() if not line.startswith("wasmcore: plain-Python build")]


def with_every(commands: tuple[str, ...], *words: str) -> list[list[str]]:
    return [[command, *words] for command in commands]


WRONG_USAGE = [
    ["vaildate", "good.wasm"],
    ["nothing"],
    ["--vresion"],
    ["-x"],
    ["cache"],
    ["cache", "lst"],
    ["cache", "prune", "--size"],
    ["cache", "prune", "--size", "much"],
    ["cache", "size", "extra"],
    ["backends", "extra"],
    ["inspect", "good.wasm", "extra"],
    ["inspect", "--json=yes", "good.wasm"],
    *[[command, "--frobnicate", "good.wasm"] for command in COMMANDS],
    *[[command] for command in FILE_COMMANDS],
    *with_every(WITH_FEATURES, "--enable=thread", "good.wasm"),
    *with_every(WITH_FEATURES, "--enable"),
    *with_every(WITH_BACKENDS, "--backend=nope", "good.wasm"),
    *with_every(WITH_BACKENDS, "--backend=", "good.wasm"),
    ["wast", "--disable=nope", "passing.wast"],
    *with_every(("run", "compile"), "--option=nope", "good.wasm"),
    *with_every(("run", "compile"), "--option=nope=1", "good.wasm"),
    ["run", "--dir"],
    ["run", "--dir=nowhere", "good.wasm"],
    ["run", "--dir=good.wasm", "good.wasm"],
    ["run", "--dir=", "good.wasm"],
    ["run", "--env==1", "good.wasm"],
    ["run", "--env=", "good.wasm"],
    ["run", "--allow-precompiled=1", "good.wasm"],
    ["run", "--allow-precompiled", "--enable=threads", "code.bin"],
    ["run", "--invoke", "good.wasm"],
    ["run", "--invoke=nope", "library.wat"],
    ["run", "--invoke=m", "library.wat"],
    ["run", "--invoke=f", "library.wat"],
    ["run", "--invoke=f", "library.wat", "1", "2", "3"],
    ["run", "--invoke=f", "library.wat", "1", "x"],
    ["run", "--invoke=f", "library.wat", "1.5", "2"],
    ["run", "--invoke=f", "library.wat", "4294967296", "2"],
    ["run", "--invoke=g", "arguments.wat", "0"],
    ["run", "library.wat"],
    ["run", "library.wat", "--invoke", "f"],
    ["run", "arguments.wat"],
    ["objdump", "--function=nope", "good.wasm"],
    ["wat2wasm", "good.wasm"],
    ["wat2wasm", "-o"],
]

FAILED = [
    *with_every(FILE_COMMANDS, "missing.bin"),
    *with_every(FILE_COMMANDS, "missing.bin/x"),
    *with_every(FILE_COMMANDS, "directory.bin"),
    *with_every(FILE_COMMANDS, "huge.bin"),
    *with_every(FILE_COMMANDS, "/proc/self/mem"),
    *with_every(FILE_COMMANDS, "code.bin"),
    *with_every(FILE_COMMANDS, "garbage.bin"),
    *with_every(OF_BINARIES, "empty.bin"),
    *with_every(OF_BINARIES, "truncated.wasm"),
    *with_every(VALIDATING, "invalid.wat"),
    *with_every(("run", "compile", "validate", "inspect", "objdump"), "shared.wat"),
    ["wat2wasm", "-o", "x.wasm", "good.wasm"],
    ["wast", "good.wasm"],
    ["validate", "good.wasm", "missing.wasm"],
    ["wast", "missing.wast", "passing.wast"],
    ["wast", "failing.wast"],
    ["run", "imports.wat"],
    ["missing.wasm"],
    ["./missing"],
    [""],
    *with_every(("compile", "wat2wasm", "wasm2wat"), "good.wat", "-o", "nowhere/x"),
    *with_every(("compile", "wat2wasm", "wasm2wat"), "good.wat", "-o", "directory.bin"),
    *with_every(("compile", "wat2wasm", "wasm2wat"), "good.wat", "-o", ""),
    *with_every(("compile", "wat2wasm", "wasm2wat"), "good.wat", "-o", "/dev/full"),
]

RIGHT = [
    [],
    ["--help"],
    ["-h"],
    ["--version"],
    *[[command, "--help"] for command in COMMANDS],
    ["cache", "dir"],
    ["cache", "size"],
    *with_every(FILE_COMMANDS, "good.wat"),
    *with_every(OF_BINARIES, "good.wasm"),
    *with_every(WITH_FEATURES, "--enable=threads", "shared.wat"),
    ["run", "--", "good.wasm"],
    ["good.wasm", "--vresion"],
    ["run", "--allow-precompiled", "code.bin"],
    ["run", "--invoke=f", "library.wat", "-1", "nan"],
    ["run", "--invoke=f", "library.wat", "0xffffffff", "1e400"],
    ["wast", "passing.wast", "good.wat"],
    *with_every(("compile", "wat2wasm", "wasm2wat"), "good.wat", "-o", "/dev/null"),
]


def case(words: list[str]) -> str:
    return " ".join(words) or "nothing"


@pytest.mark.parametrize("words", WRONG_USAGE, ids=case)
def test_a_wrong_command_line_is_2(words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(os.listdir())
    assert main(words) == 2
    output, error = capfd.readouterr()
    assert output == ""
    assert len(messages(error)) == 1
    assert messages(error)[0].startswith("wasmcore: ")
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("words", FAILED, ids=case)
def test_what_can_not_be_done_is_1(words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = sorted(os.listdir())
    assert main(words) == 1
    output, error = capfd.readouterr()
    if words[0] != "wast":
        assert len(messages(error)) == 1
    assert all(line.startswith("wasmcore: ") for line in messages(error))
    assert messages(error) or "failed" in output
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("words", [*with_every(FILE_COMMANDS[:-1], "misspelt.wat"), ["wast", "unclosed.wast"]], ids=case)
def test_malformed_text_is_1_and_shows_the_line(words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 1
    shown = "".join(capfd.readouterr())
    assert f"{words[1]}: unexpected" in shown or f"{words[1]}: unknown" in shown
    assert "\n  " in shown


@pytest.mark.parametrize("words", RIGHT, ids=case)
def test_what_is_right_is_0(words: list[str], folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert messages(capfd.readouterr().err) in ([], ["wasmcore: the cache is switched off by WASMCORE_CACHE=0"])


@pytest.mark.parametrize("name", ["unreachable.wat", "starts.wat", "recursion.wat"])
def test_a_trap_is_134(name: str, backend: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"--backend={backend}", name]) == 134
    lines = messages(capfd.readouterr().err)
    assert lines[0].startswith("wasmcore: trap: ")
    assert lines[1].startswith("  at ")


def test_a_program_says_its_own(backend: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", f"--backend={backend}", "three.wat"]) == 3
    assert main(["three.wat"]) == 3
    assert messages(capfd.readouterr().err) == []


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, ["wasmcore: not enough memory"]),
        (MemoryError("a memory of 3 pages"), 1, ["wasmcore: not enough memory: a memory of 3 pages"]),
        (OSError(28, "No space left on device"), 1, ["wasmcore: No space left on device"]),
        (OSError(13, "Permission denied", "x"), 1, ["wasmcore: x: Permission denied"]),
        (wasmcore.LinkError("\x1b[2Jimport"), 1, ["wasmcore: \\x1b[2Jimport"]),
        (KeyboardInterrupt(), 130, []),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_errors_have_their_codes(error: BaseException, code: int, said: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    def action() -> int:
        raise error

    assert exit_code(action) == code
    assert messages(capfd.readouterr().err) == said


def test_suggestions(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words, meant in (
        (["vaildate", "good.wasm"], "validate"),
        (["objdmup", "good.wasm"], "objdump"),
        (["cache", "purne"], "prune"),
        (["--bakend=llvm", "good.wasm"], "--backend"),
        (["--vresion"], "--version"),
        (["run", "--invok=f", "good.wasm"], "--invoke"),
        (["wast", "--enable=thread", "passing.wast"], "threads"),
    ):
        assert main(words) == 2
        assert f"did you mean {meant!r}?" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "seen"), [("CLI_TEST_UNSET", []), ("CLI_TEST_SET", ["CLI_TEST_SET=here"]), ("CLI_TEST_SET=", ["CLI_TEST_SET="])]
)
def test_a_variable_that_is_not_set_is_not_passed_on(
    given: str, seen: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CLI_TEST_UNSET", raising=False)
    monkeypatch.setenv("CLI_TEST_SET", "here")
    examples = Path(__file__).parents[1] / "examples"
    assert main(["run", "--env", given, str(examples / "environment.wasm")]) == 0
    assert capfd.readouterr().out.splitlines() == [f"environment: {variable}" for variable in seen]

"""The command line as a process: endless and closed streams, full disks, Ctrl-C, hostile scripts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import pytest

import wasmcore
from tests.test_exit_codes import FILE_COMMANDS, messages
from wasmcore._source import LARGEST, read_stream
from wasmcore.cli import main

EXAMPLES = Path(__file__).parents[1] / "examples"
COMMAND = [sys.executable, "-m", "wasmcore"]
BIG = f"""(module (memory 2) (data (i32.const 0) "{"x" * 100_000}")
  (func $f {" ".join([f"(i32.store (i32.const {number}) (i32.const {number}))" for number in range(1000)])})
  {" ".join([f'(export "{number:0100}" (func $f))' for number in range(1000)])})"""
"""Of which every command writes more than a pipe holds."""


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, which has ended."""
    return subprocess.run([*COMMAND, *words], stderr=subprocess.PIPE, text=True, check=False, timeout=200, **options)


# Reading


class Endless:
    """A stream that never ends, and counts what was read."""

    def __init__(self) -> None:
        self.given = 0
        self.part = bytes(1 << 20)

    def read(self, size: int) -> bytes:
        part = self.part if size >= len(self.part) else bytes(size)
        self.given += len(part)
        return part


def test_no_more_is_read_than_a_module_may_have() -> None:
    stream = Endless()
    with pytest.raises(wasmcore.DecodeError, match="endless has more than 1 GiB"):
        read_stream(stream, "endless")
    assert stream.given == LARGEST + 1


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.wasm"
    with huge.open("wb") as stream:
        stream.truncate(LARGEST + 1)
    with pytest.raises(wasmcore.DecodeError, match=r"huge.wasm has more than 1 GiB"):
        wasmcore.Module(huge)
    endless = Endless()
    with pytest.raises(wasmcore.DecodeError):
        read_stream(endless, "huge", LARGEST + 1)
    assert endless.given == 0


def test_parts_are_put_together() -> None:
    class Slow:
        parts = [b"one", b"two", b""]

        def read(self, size: int) -> bytes | None:
            return self.parts.pop(0) if self.parts else None

    assert read_stream(Slow(), "slow", 3) == b"onetwo"
    with pytest.raises(BlockingIOError) as caught:
        read_stream(Slow(), "slow")
    assert caught.value.filename == "slow"


def test_an_endless_device() -> None:
    done = run(["run", "/dev/zero"])
    assert (done.returncode, messages(done.stderr)) == (1, ["wasmcore: /dev/zero has more than 1 GiB, so it is no WebAssembly module"])


@pytest.mark.parametrize("command", ["run", "wast"])
def test_an_endless_pipe(command: str) -> None:
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        done = run([command, "-"], stdin=endless.stdout, stdout=subprocess.DEVNULL)
        assert endless.stdout is not None
        endless.stdout.close()
    assert (done.returncode, messages(done.stderr)) == (1, ["wasmcore: standard input has more than 1 GiB, so it is no WebAssembly module"])


# Standard input and output


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_a_file_may_be_standard_input(command: str) -> None:
    text = (EXAMPLES / "hello.wasm").read_bytes() if command in ("run", "objdump") else b"(module (func))"
    done = subprocess.run([*COMMAND, command, "-"], input=text, capture_output=True, check=False, timeout=200)
    assert (done.returncode, messages(done.stderr.decode())) == (0, [])
    assert bool(done.stdout) == (command != "validate")


def test_pipes_from_text_to_running_machine_code() -> None:
    text = subprocess.run([*COMMAND, "wasm2wat", str(EXAMPLES / "hello.wasm")], capture_output=True, check=True, timeout=200).stdout
    for command in ("wat2wasm", "compile"):
        made = subprocess.run([*COMMAND, command, "-"], input=text, capture_output=True, check=True, timeout=200).stdout
        done = subprocess.run([*COMMAND, "run", "--allow-precompiled", "-"], input=made, capture_output=True, check=True, timeout=200)
        assert done.stdout == b"Hello from WebAssembly!\n"


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_standard_input_is_named_in_errors(command: str) -> None:
    done = run([command, "-"], input="(module", stdout=subprocess.PIPE)
    assert done.returncode == 1
    assert "standard input: " in done.stdout + done.stderr


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_closed_standard_input(command: str) -> None:
    done = run([command, "-"], stdout=subprocess.DEVNULL, preexec_fn=lambda: os.close(0))
    assert (done.returncode, messages(done.stderr)) == (1, ["wasmcore: standard input is closed"])


@pytest.mark.parametrize("command", ["compile", "wat2wasm"])
def test_no_binary_is_written_to_a_terminal_unasked(command: str) -> None:
    try:
        leader, follower = os.openpty()
    except OSError as error:
        pytest.skip(f"there is no pseudo-terminal to be had: {error}")
    try:
        done = run([command, "-"], input="(module)", stdout=follower)
        assert done.returncode == 2
        assert messages(done.stderr)[0].startswith("wasmcore: standard output is a terminal; say with -o where the result goes")
        assert run([command, "-o", "-", "-"], input="(module)", stdout=follower).returncode == 0
    finally:
        os.close(follower)
        os.close(leader)


WRITING = [
    ["inspect"],
    ["inspect", "--json"],
    ["objdump"],
    ["wasm2wat"],
    ["compile", "-o", "-"],
    ["wat2wasm", "-o", "-"],
    ["wast"],
    ["run", "--invoke=many"],
]
"""Commands that write to standard output, with a file behind them."""
SHORT = [["--help"], ["--version"], ["run", "--help"], ["backends"], ["cache", "dir"], ["cache", "size"]]


def module_for(words: list[str], folder: Path) -> list[str]:
    """The file of a command that is to write much."""
    if words in SHORT:
        return []
    file = folder / "big.wat"
    if words[0] == "run":
        file.write_text(f'(module (func (export "many") (result{" i64" * 1000}) {"i64.const -1 " * 1000}))')
    else:
        file.write_text(BIG)
    return [str(file)]


@pytest.mark.parametrize("words", [*WRITING, *SHORT], ids=" ".join)
@pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
def test_standard_output_that_takes_nothing(words: list[str], closed: bool, tmp_path: Path) -> None:
    output: IO[bytes]
    if closed:
        reading, writing = os.pipe()
        os.close(reading)
        output = os.fdopen(writing, "wb")
    else:
        output = open("/dev/full", "wb")
    environment = {**os.environ, "WASMCORE_CACHE": "1", "WASMCORE_CACHE_DIR": str(tmp_path / "cache")}
    with output:
        done = run([*words, *module_for(words, tmp_path)], stdout=output, env=environment)
    reason = "Broken pipe" if closed else "No space left on device"
    assert done.returncode == 1
    assert messages(done.stderr) in ([f"wasmcore: standard output: {reason}"], [f"wasmcore: {reason}"])


@pytest.mark.parametrize("words", WRITING[:6], ids=" ".join)
@pytest.mark.parametrize("unbuffered", ["", pytest.param("1", marks=pytest.mark.slow)])
def test_a_reader_that_has_enough(words: list[str], unbuffered: str, tmp_path: Path) -> None:
    """Unbuffered, Python's own streams forget what the system did not take at once."""
    file = tmp_path / "big.wat"
    file.write_text(BIG)
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": {**os.environ, "PYTHONUNBUFFERED": unbuffered}}
    with subprocess.Popen([*COMMAND, *words, str(file)], text=True, errors="replace", **streams) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        said = messages(process.stderr.read())
        assert (process.wait(200), said) == (1, ["wasmcore: standard output: Broken pipe"])


@pytest.mark.parametrize(
    "words", [["inspect", str(EXAMPLES / "gcd.wasm")], ["--version"], ["run", str(EXAMPLES / "hello.wasm")], ["run", "x.wasm"]]
)
@pytest.mark.parametrize("closed", [1, 2])
def test_closed_standard_streams(words: list[str], closed: int) -> None:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run([*COMMAND, *words], preexec_fn=lambda: os.close(closed), check=False, timeout=200, **streams)
    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stdout + done.stderr


def test_names_in_a_script_that_the_output_does_not_have(tmp_path: Path) -> None:
    file = tmp_path / "names.wat"
    file.write_text('(module (func (export "\\c3\\a4\\1b[2J\\n")))')
    done = run(["inspect", str(file)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0
    assert "  \\xe4\\x1b[2J\\n  func" in done.stdout


# Files


@pytest.mark.parametrize("command", ["compile", "wat2wasm", "wasm2wat"])
def test_a_full_disk_leaves_the_old_file(command: str, tmp_path: Path) -> None:
    source = tmp_path / "source.wat"
    source.write_text(BIG)
    old = tmp_path / "old"
    old.write_bytes(b"old")
    program = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20)); import runpy; runpy.run_module('wasmcore')"
    words = [sys.executable, "-c", program, command, "-o", str(old), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=200)
    assert (done.returncode, messages(done.stderr)) == (1, [f"wasmcore: {old}: File too large"])
    assert old.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["old", "source.wat"]


def test_a_name_as_long_as_names_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "ä" * 125 + ".wasm"
    Path("x.wat").write_text("(module)")
    assert main(["wat2wasm", "x.wat", "-o", name]) == 0
    assert os.listdir() == ["x.wat", name] or os.listdir() == [name, "x.wat"]


def test_an_output_may_be_what_the_shell_opened(tmp_path: Path) -> None:
    source = tmp_path / "x.wat"
    source.write_text("(module)")
    with (tmp_path / "log").open("wb") as log:
        log.write(b"before")
        log.flush()
        done = run(["wat2wasm", str(source), "-o", "/dev/stdout"], stdout=log)
    assert done.returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["log", "x.wat"]
    assert wasmcore.wat2wasm("(module)") in (tmp_path / "log").read_bytes()


# Ctrl-C


def wait_for_reader(process: subprocess.Popen[str], pipe: Path) -> int:
    """A descriptor to write to a pipe, which the process has opened by then."""
    while True:
        assert process.poll() is None, process.stderr and process.stderr.read()
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.01)


@pytest.mark.parametrize("command", FILE_COMMANDS)
def test_control_c_while_reading(command: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([*COMMAND, command, str(pipe)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        writer = wait_for_reader(process, pipe)
        output, error = interrupt(process)
        os.close(writer)
    assert (process.returncode, output, messages(error)) == (130, "", [])


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ctrl-C, again if it came just before Python began to wait for the system, which it then does not notice, or in a callback of an
    import, where it says that it ignores it; what was said besides."""
    while True:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            output, error = process.communicate(timeout=3)
            return output, re.sub(r"Exception ignored in: .*\n(.*\n)*?KeyboardInterrupt: *\n", "", error)


LOOP = (
    '(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32))) (memory (export "memory") 1)'
)
LOOP += ' (data (i32.const 0) "\\10\\00\\00\\00\\01\\00\\00\\00") (data (i32.const 16) "!")'
LOOP += ' (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))) (loop (br 0))))'
SCRIPT = '(module (func (export "f") (loop (br 0))))\n(invoke "f")'


def test_control_c_while_running(backend: str, tmp_path: Path) -> None:
    file = tmp_path / "loop.wat"
    file.write_text(LOOP)
    words = [*COMMAND, "run", f"--backend={backend}", str(file)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == "!"
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=100)[1]
    assert (process.returncode, messages(error)) == (130, [])


def test_control_c_in_a_script(tmp_path: Path) -> None:
    (tmp_path / "first.wast").write_text("(module)")
    (tmp_path / "loop.wast").write_text(SCRIPT)
    words = [*COMMAND, "wast", str(tmp_path / "first.wast"), str(tmp_path / "loop.wast")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("first.wast: 1 passed\n")
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=100)[1]
    assert (process.returncode, messages(error)) == (130, [])


# Hostile scripts


HOSTILE = {
    "parentheses": ("(" * 30_000, "expected )"),
    "blocks": ("(module (func " + "(block " * 30_000, "expected )"),
    "modules": ("(module " * 30_000, "expected )"),
    "either": ('(assert_return (invoke "f") ' + "(either " * 30_000, "either within either"),
    "threads": ("(thread $t " * 30_000, "a thread within a thread"),
    "right": ("(module) " + ")" * 30_000, "expected ("),
    "word": ("x" * 30_000, "unknown operator"),
}
"""Text that is nested deeply or has long lines, and what is wrong with it as a script."""


@pytest.mark.parametrize("command", ["wast", "wat2wasm", "run"])
def test_deep_and_long_text(command: str, tmp_path: Path) -> None:
    for name, (text, _) in HOSTILE.items():
        (tmp_path / f"{name}.wat").write_text(text)
    program = (
        f"from wasmcore.cli import main\nfor name in {list(HOSTILE)}: print('exit code', main([{command!r}, name + '.wat']), flush=True)"
    )
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "cwd": tmp_path, "text": True}
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=300, **options)
    assert done.returncode == 0, done.stdout
    each = done.stdout.split("exit code 1\n")
    assert len(each) == len(HOSTILE) + 1
    for shown, (_, said) in zip(each, HOSTILE.values(), strict=False):
        assert 0 < len(shown) < 2000
        assert said in shown or command != "wast"

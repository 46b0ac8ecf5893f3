"""The examples behave as they do under wasmtime: standard output and exit code of the programs, output of the scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .wasi_oracle import TRAPPED, Run, run_in_wasmtime

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TEXTS = {"/texts": EXAMPLES}
POEM = (EXAMPLES / "poem.txt").read_bytes()

PROGRAMS = [
    ("hello", Run()),
    ("sieve", Run()),
    ("sieve", Run(["1000000"])),
    ("sieve", Run(["1"])),
    ("queens", Run()),
    ("queens", Run(["9"])),
    ("wordcount", Run(stdin=POEM)),
    ("wordcount", Run(["-", "/texts/poem.txt", "/texts/missing"], stdin=b"one line", directories=TEXTS)),
    ("sha256sum", Run(stdin=b"abc")),
    ("sha256sum", Run(["/texts/poem.txt", "/texts/sieve.wasm", "/elsewhere"], directories=TEXTS)),
    ("calculator", Run(stdin=(EXAMPLES / "expressions.txt").read_bytes())),
    ("calculator", Run(stdin=b"x = 2 ^ 0.5\nx * x\nsqrt(\nsin(p/2) + log(2)\n0/0\nfoo(1)\n-7 % 4\nquit\n1\n")),
    ("environment", Run()),
    ("environment", Run(["7", "two", "three \u00e4"], {"COLOR": "green", "EMPTY": ""})),
    ("trap", Run()),
]
TRAPS = {
    "divide": "integer divide by zero",
    "memory": "out of bounds memory access",
    "stack": "call stack exhausted",
    "unreachable": "unreachable",
    "type": "indirect call type mismatch",
    "convert": "integer overflow",
}
SCRIPTS = {
    "embed.py": "3\n",
    "callback.py": "8 steps: [6, 3, 10, 5, 16, 8, 4, 2, 1]\n",
    "numpy_memory.py": None,
}


def wasmcore_run(module: Path, run: Run, backend: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program by the command line."""
    command = [sys.executable, "-m", "wasmcore", "run", f"--backend={backend}"]
    command += [f"--dir={host}::{guest}" for guest, host in run.directories.items()]
    command += [f"--env={name}={value}" for name, value in run.environment.items()]
    return subprocess.run([*command, str(module), *run.arguments], input=run.stdin, capture_output=True, timeout=120)


@pytest.mark.parametrize(("name", "run"), PROGRAMS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(PROGRAMS)])
def test_program(name: str, run: Run, backend: str) -> None:
    module = EXAMPLES / f"{name}.wasm"
    expected = run_in_wasmtime(module, run)
    ended = wasmcore_run(module, run, backend)
    assert (ended.stdout, ended.returncode) == (expected.stdout, expected.exit_code), ended.stderr.decode()


@pytest.mark.parametrize(("way", "message"), TRAPS.items(), ids=TRAPS)
def test_trap_shows_a_backtrace(way: str, message: str, backend: str) -> None:
    module = EXAMPLES / "trap.wasm"
    assert run_in_wasmtime(module, Run([way])).exit_code == TRAPPED
    ended = wasmcore_run(module, Run([way]), backend)
    errors = ended.stderr.decode()
    assert ended.returncode == TRAPPED
    assert message in errors
    assert "go_wrong" in errors or way == "stack"
    assert "Traceback" not in errors


@pytest.mark.parametrize(("script", "expected"), SCRIPTS.items(), ids=SCRIPTS)
def test_script(script: str, expected: str | None) -> None:
    if script == "numpy_memory.py":
        pytest.importorskip("numpy")
    ended = subprocess.run([sys.executable, str(EXAMPLES / script)], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert expected is None or ended.stdout == expected


def test_traps_script() -> None:
    ended = subprocess.run([sys.executable, str(EXAMPLES / "traps.py")], capture_output=True, text=True, timeout=120)
    lines = ended.stdout.splitlines()
    for start in ("TypeError:", "OverflowError:", "LinkError:", "StopIteration: 10", "7 / 2 is 3", "Trap: INTEGER_DIVIDE_BY_ZERO"):
        assert any(line.startswith(start) for line in lines), f"{start} is not in\n{ended.stdout}{ended.stderr}"
    assert any("env" in line and "visit" in line for line in lines if line.startswith("LinkError:"))


def test_invoke() -> None:
    command = [sys.executable, "-m", "wasmcore", "run", "--invoke", "gcd", str(EXAMPLES / "gcd.wasm"), "6", "27"]
    assert subprocess.run(command, capture_output=True, timeout=120).stdout.strip() == b"3"

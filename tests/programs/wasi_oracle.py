"""Runs a WASI program in wasmtime-py, the oracle of these tests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import wasmtime

TRAPPED = 134
"""Exit code of a program that ended by a trap: what shells show for one that aborted, and what wasmtime's command returns."""


@dataclass(frozen=True)
class Run:
    """How to start a program: arguments after its name, environment, standard input, guest path -> host path."""

    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    directories: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a program did."""

    stdout: bytes
    exit_code: int


def run_in_wasmtime(module: Path, run: Run, program_name: str | None = None) -> Outcome:
    """Run a program to its end."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    with tempfile.TemporaryDirectory() as folder:
        output, standard_input = Path(folder, "stdout"), Path(folder, "stdin")
        standard_input.write_bytes(run.stdin)
        config = wasmtime.WasiConfig()
        config.argv = [program_name or module.name, *run.arguments]
        config.env = list(run.environment.items())
        config.stdin_file = str(standard_input)
        config.stdout_file = str(output)
        for guest, host in run.directories.items():
            config.preopen_dir(str(host), guest)
        store.set_wasi(config)
        exit_code = 0
        try:
            instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(module)))
            start = instance.exports(store)["_start"]
            assert isinstance(start, wasmtime.Func)
            start(store)
        except wasmtime.ExitTrap as exit_trap:
            exit_code = exit_trap.code
        except wasmtime.Trap:
            exit_code = TRAPPED
        del store
        return Outcome(output.read_bytes(), exit_code)

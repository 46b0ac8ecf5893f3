"""`wasmcore compile`, and what `wasmcore run` does with its result."""

from __future__ import annotations

import os
from collections.abc import Sequence

import wasmcore
from wasmcore.cli.output import STANDARD, write_output
from wasmcore.cli.report import UsageError, naming, read_module, say_if_plain
from wasmcore.cli.run import make_engine
from wasmcore.errors import ArtifactError


def compile_file(file: str, output: str | None, backend: str | None, options: Sequence[str]) -> int:
    """Compile a module to a file."""
    if output is None:
        output = f"{os.path.splitext(file)[0]}.cwasm"
    data = read_module(file)
    say_if_plain()
    with naming(file):
        engine = make_engine(backend, options, lazy=False)
        artifact = wasmcore.Module(data, engine=engine).serialize()
    write_output(output, artifact)
    if output != STANDARD:
        print(f"{output}: {len(artifact)} bytes")
    return 0


def load_precompiled(file: str, data: bytes, allowed: bool) -> wasmcore.Module:
    """The module of a file that holds machine code; UsageError unless that is allowed."""
    if not allowed:
        raise UsageError(f"{file} holds machine code, which may do anything; if you trust it, run it with --allow-precompiled")
    try:
        return wasmcore.Module.deserialize(data)
    except ArtifactError as error:
        raise ArtifactError(f"{file}: {error}; compile the module again with `wasmcore compile`") from None

"""`wasmcore compile`, and what `wasmcore run` does with its result."""

from __future__ import annotations

from collections.abc import Sequence

import wasmcore
from wasmcore.cli.output import output_beside, show_line, write_output
from wasmcore.cli.report import STANDARD, naming, read_module, say_if_plain
from wasmcore.cli.run import enabled_features, make_engine
from wasmcore.errors import ArtifactError


def compile_file(file: str, output: str | None, backend: str | None, options: Sequence[str], enable: Sequence[str]) -> int:
    """Compile a module to a file."""
    if output is None:
        output = output_beside(file, ".cwasm")
    engine = make_engine(backend, options, enabled_features(enable), lazy=False)
    data = read_module(file)
    say_if_plain()
    with naming(file):
        artifact = wasmcore.Module(data, engine=engine).serialize()
    write_output(output, artifact)
    if output != STANDARD:
        show_line(f"{output}: {len(artifact)} bytes")
    return 0


def load_precompiled(file: str, data: bytes, allowed: bool) -> wasmcore.Module:
    """The module of a file that holds machine code; ArtifactError unless that is allowed."""
    if not allowed:
        raise ArtifactError(f"{file} holds machine code, which may do anything; if you trust it, run it with --allow-precompiled")
    try:
        return wasmcore.Module.deserialize(data)
    except ArtifactError as error:
        raise ArtifactError(f"{file}: {error}; compile the module again with `wasmcore compile`") from None

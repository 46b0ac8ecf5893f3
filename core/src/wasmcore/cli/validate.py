"""`wasmcore validate`: check a module, compiling nothing."""

from __future__ import annotations

from wasmcore.cli.report import naming, read_module


def validate(file: str) -> int:
    """Check one module; raises `CompileError`."""
    from wasmcore.binary import decode
    from wasmcore.validation import validate_module

    data = read_module(file)
    with naming(file):
        validate_module(decode(data))
    return 0

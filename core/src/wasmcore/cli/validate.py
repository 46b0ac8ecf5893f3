"""`wasmcore validate`: check a module, compiling nothing."""

from __future__ import annotations

from wasmcore.cli.report import read_module
from wasmcore.errors import CompileError


def validate(file: str) -> int:
    """Check one module; raises `CompileError`."""
    from wasmcore.binary import decode
    from wasmcore.validation import validate_module

    data = read_module(file)
    try:
        validate_module(decode(data))
    except CompileError as error:
        raise type(error)(f"{file}: {error.message}", error.offset) from None
    return 0

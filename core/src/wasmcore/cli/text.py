"""`wasmcore wat2wasm` and `wasmcore wasm2wat`."""

from __future__ import annotations

import os
import sys

from wasmcore._source import MAGIC, to_binary
from wasmcore.cli.output import STANDARD, write_output
from wasmcore.cli.report import UsageError, naming
from wasmcore.text import wasm2wat, wat2wasm


def to_wasm(file: str, output: str | None) -> int:
    """Turn a text file into a binary module."""
    if output is None:
        stem, suffix = os.path.splitext(file)
        output = STANDARD if file == STANDARD else f"{stem}.wasm"
        if suffix == ".wasm":
            raise UsageError(f"{file}: its name ends in .wasm already; say with -o where the binary module goes")
    data, name = _read(file)
    if data.startswith(MAGIC):
        raise UsageError(f"{name} is a binary module already")
    with naming(name):
        binary = wat2wasm(data)
    write_output(output, binary)
    return 0


def to_text(file: str, output: str | None, folded: bool) -> int:
    """Turn a module into text."""
    data, name = _read(file)
    binary = to_binary(data, name)
    with naming(name):
        text = wasm2wat(binary, folded=folded)
    write_output(output or STANDARD, text.encode("utf-8"))
    return 0


def _read(file: str) -> tuple[bytes, str]:
    """Content of a file or of standard input, and its name for messages."""
    if file == STANDARD:
        return sys.stdin.buffer.read(), "standard input"
    with open(file, "rb") as stream:
        return stream.read(), file

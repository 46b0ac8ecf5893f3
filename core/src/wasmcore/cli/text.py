"""`wasmcore wat2wasm` and `wasmcore wasm2wat`."""

from __future__ import annotations

from wasmcore._source import MAGIC, PRECOMPILED, is_text
from wasmcore.cli.output import output_beside, write_output
from wasmcore.cli.report import STANDARD, UsageError, naming, read_input, read_module, source_name
from wasmcore.errors import DecodeError
from wasmcore.text import wasm2wat, wat2wasm


def to_wasm(file: str, output: str | None) -> int:
    """Turn a text file into a binary module."""
    if output is None:
        output = output_beside(file, ".wasm")
        if output == file != STANDARD:
            raise UsageError(f"{file}: its name ends in .wasm already; say with -o where the binary module goes")
    data = read_text(file)
    with naming(file):
        binary = wat2wasm(data)
    write_output(output, binary)
    return 0


def read_text(file: str) -> bytes:
    """The text in a file or standard input; DecodeError for what is none at first sight."""
    data = read_input(file)
    if data.startswith(MAGIC):
        raise DecodeError(f"{source_name(file)} is a binary module already, no text")
    if data.startswith(PRECOMPILED) or (b"\0" in data and not is_text(data)):
        raise DecodeError(f"{source_name(file)} is no text")
    return data


def to_text(file: str, output: str | None, folded: bool) -> int:
    """Turn a module into text."""
    binary = read_module(file)
    with naming(file):
        text = wasm2wat(binary, folded=folded)
    write_output(STANDARD if output is None else output, text.encode("utf-8"))
    return 0

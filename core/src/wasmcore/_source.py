"""Where modules come from: files and strings, binary or text."""

from __future__ import annotations

import os

from wasmcore._typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview"
"""What a module is read from: its path, its text, or its bytes."""
MAGIC = b"\0asm"
PRECOMPILED = b"\x7fwcode\r\n"
"""The first bytes of machine code (`wasmcore.compile.artifact.MAGIC`), which nothing here reads."""
_TEXT_SUFFIXES = (".wat", ".wast")


def is_text(data: bytes) -> bool:
    """Whether bytes begin like the text of a module: behind blanks and line comments comes an opening parenthesis."""
    import re

    if data[1:2] == b"\0":  # UTF-16
        return False
    return data[:1] == b"(" or re.match(rb"(?:[ \t\r\n]+|;;[^\n]*\n)*\(", data) is not None


def read_source(source: Source) -> bytes:
    """The binary of a module that is given as `Module` takes it."""
    if isinstance(source, str) and is_text(source.encode("utf-8", "surrogatepass")):
        from wasmcore.text import wat2wasm

        return wat2wasm(source)
    if isinstance(source, (str, os.PathLike)):
        return read_file(_path(os.fspath(source)))
    return to_binary(bytes_of(source, "a module is given as path, text or"), "")


def bytes_of(data: Any, what: str) -> bytes:
    """The content of an object with the buffer protocol; TypeError that begins with `what` for any other."""
    try:
        return data if type(data) is bytes else bytes(memoryview(data))
    except TypeError:
        advice = "; give what it reads, opened with 'rb': file.read()" if hasattr(data, "read") else ""
        raise TypeError(f"{what} bytes, not as {type(data).__name__}{advice}") from None


def _path(path: str) -> str:
    if not path:
        raise ValueError("an empty string is neither the path of a module nor its text")
    if path.startswith("\0asm"):
        raise TypeError("a binary module is given as bytes, not as str")
    return path


def read_file(file: str) -> bytes:
    """The binary of the module in a file, which holds it as it is or as text."""
    with open(file, "rb") as stream:
        data = stream.read()
    return to_binary(data, file)


def to_binary(data: bytes, file: str) -> bytes:
    """The binary of a module from the content of a file. Errors name the file, if there is one."""
    if data.startswith(MAGIC):
        return data
    from wasmcore._formats import described, known_format
    from wasmcore.errors import DecodeError, TextError

    try:
        binary = from_text(data, file.endswith(_TEXT_SUFFIXES) and known_format(data) is None)
    except TextError as error:
        raise TextError(f"{file}: {error.message}" if file else error.message, error.line, error.column, error.source_line) from None
    if binary is None:
        raise DecodeError(f"{file or 'this'} is not a WebAssembly module: {described(data)}")
    return binary


def from_text(data: bytes, certain: bool = False) -> bytes | None:
    """The binary of a module that is text, or that is `certain` to be text; None for anything else."""
    if not certain and not is_text(data):
        return None
    from wasmcore.text import wat2wasm

    return wat2wasm(data)

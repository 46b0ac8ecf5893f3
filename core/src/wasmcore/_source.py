"""Where modules come from: files and strings, binary or text."""

from __future__ import annotations

import os
from errno import EAGAIN

from wasmcore._typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from typing import Any

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview"
"""What a module is read from: its path, its text, or its bytes."""
MAGIC = b"\0asm"
PRECOMPILED = b"\x7fwcode\r\n"
"""The first bytes of machine code (`wasmcore.compile.artifact.MAGIC`), which nothing here reads."""
_TEXT_SUFFIXES = (".wat", ".wast")
LARGEST: Final = 1 << 30
"""Bytes of the largest source that is read, 1 GiB: implementations of WebAssembly take no larger modules."""
_CHUNK: Final = 1 << 20
"""Bytes that are read at a time from what does not tell its size."""


class Readable(Protocol):
    """A binary stream."""

    def read(self, size: int, /) -> bytes | None:
        """Some of its bytes, none of them at its end, None if it would have to wait for them but is not to."""


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
    return to_binary(read_bytes(file), file)


def read_bytes(file: str) -> bytes:
    """What a file holds, as `read_stream` reads it."""
    with open(file, "rb", buffering=0) as stream:
        return read_stream(stream, file, os.fstat(stream.fileno()).st_size)


def read_stream(stream: Readable, name: str, size: int = 0) -> bytes:
    """What a stream gives up to its end, of which no more than `LARGEST` + 1 bytes are read; DecodeError if there are as many.

    The name is for errors; the size is that of the file (bytes), 0 if it has none.
    """
    parts: list[bytes] = []
    room = LARGEST + 1 if size <= LARGEST else 0
    while room:
        try:
            part = stream.read(min(room, size + 1 if size and not parts else _CHUNK))
        except OSError as error:
            raise OSError(error.errno, error.strerror, name) from None
        if part is None:
            raise OSError(EAGAIN, os.strerror(EAGAIN), name)
        if not part:
            return b"".join(parts)
        parts.append(part)
        room -= len(part)
    from wasmcore.errors import DecodeError

    raise DecodeError(f"{name} has more than {LARGEST >> 30} GiB, so it is no WebAssembly module")


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
        if file:
            raise DecodeError(f"{file} is not a WebAssembly module: {described(data)}")
        standard = "unexpected end" if len(data) < len(MAGIC) else "magic header not detected"  # as the official test suite wants it
        raise DecodeError(f"{standard}: {described(data)}", 0)
    return binary


def from_text(data: bytes, certain: bool = False) -> bytes | None:
    """The binary of a module that is text, or that is `certain` to be text; None for anything else."""
    if not certain and not is_text(data):
        return None
    from wasmcore.text import wat2wasm

    return wat2wasm(data)

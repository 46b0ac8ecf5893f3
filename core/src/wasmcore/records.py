"""Reads resolved streams (`wasmcore.stream`) record by record: for tests, for people, and for backends that need not be quick."""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack
from typing import Final, NamedTuple

from wasmcore.opcodes import OPCODES
from wasmcore.stream import (
    CLASS_F32,
    CLASS_F64,
    CLASS_I32,
    CLASS_I64,
    CLASS_REF,
    CLASS_V128,
    EXTENDED,
    HEADER_RECORDS_END,
    HEADER_VERSION,
    HEADER_WORDS,
    LOCALS,
    TABLE_FUNCTION,
    TARGET,
    VERSION,
)

CLASS_NAMES: Final = {CLASS_I32: "i32", CLASS_I64: "i64", CLASS_F32: "f32", CLASS_F64: "f64", CLASS_V128: "v128", CLASS_REF: "ref"}
"""Names of machine classes."""

_OWN_NAMES: Final = {LOCALS: "locals", TARGET: "target", TABLE_FUNCTION: "table_function"}
_TWO_EXTENSIONS: Final = frozenset(opcode.code for opcode in OPCODES.values() if opcode.name in ("v128.const", "i8x16.shuffle"))


class Record(NamedTuple):
    """One record; `word` is the index of its first word in the stream."""

    word: int
    operation: int
    flags: int
    immediate: int
    extension: tuple[int, ...]

    @property
    def value(self) -> int:
        """The extension word where there is one, else the immediate."""
        return self.extension[0] if self.extension else self.immediate

    @property
    def name(self) -> str:
        """Name of the operation."""
        return _OWN_NAMES.get(self.operation) or OPCODES[self.operation].name


def header(stream: bytes) -> tuple[int, ...]:
    """The words of the header. ValueError when it is not one of this version."""
    if len(stream) < 8 * HEADER_WORDS or len(stream) % 8:
        raise ValueError("stream is cut off in its header")
    words = tuple(word for (word,) in iter_unpack("<q", stream[: 8 * HEADER_WORDS]))
    if words[HEADER_VERSION] != VERSION:
        raise ValueError(f"stream has version {words[HEADER_VERSION]}, not {VERSION}")
    if not 8 * HEADER_WORDS <= words[HEADER_RECORDS_END] <= len(stream) or words[HEADER_RECORDS_END] % 8:
        raise ValueError("records of the stream end outside of it")
    return words


def records(stream: bytes) -> Iterator[Record]:
    """The records in order. ValueError when the last one is cut off or an operation does not exist."""
    end = header(stream)[HEADER_RECORDS_END] // 8
    words = [word for (word,) in iter_unpack("<q", stream)]
    at = HEADER_WORDS
    while at < end:
        word = words[at]
        operation = word & 0xFFFF
        if operation not in OPCODES and operation not in _OWN_NAMES:
            raise ValueError(f"word {at}: no operation {operation:#x}")
        count = 0 if not word & EXTENDED else 2 if operation in _TWO_EXTENSIONS else 1
        if at + 1 + count > end:
            raise ValueError(f"word {at}: record is cut off")
        yield Record(at, operation, word >> 16 & 0x7FFF, word >> 32, tuple(words[at + 1 : at + 1 + count]))
        at += 1 + count


def weights(stream: bytes) -> tuple[int, ...]:
    """The weights of the locals."""
    return tuple(word for (word,) in iter_unpack("<q", stream[header(stream)[HEADER_RECORDS_END] :]))

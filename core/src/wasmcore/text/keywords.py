"""The keywords of the text format by number: an instruction's number is its code in `wasmcore.opcodes`, all others follow.

The lexer finds keywords in a hash table of its own, so that no object is made for a token.
"""

from __future__ import annotations

from typing import Final

from wasmcore.opcodes import CODES_END, OPCODES

FIRST_WORD: Final = 0x800
"""Number of the first keyword that is no instruction."""

WORDS: Final = (
    "module type rec sub final func struct array field mut param result local import export table memory global tag start elem data "
    "offset item declare definition instance binary quote shared pagesize then catch catch_ref catch_all catch_all_ref ref null "
    "i32 i64 f32 f64 v128 i8 i16 i8x16 i16x8 i32x4 i64x2 f32x4 f64x2 "
    "funcref externref anyref eqref i31ref structref arrayref nullref nullfuncref nullexternref exnref nullexnref "
    "extern any eq i31 none nofunc noextern exn noexn nan:canonical nan:arithmetic"
).split()
"""The keywords that are no instructions; the first has the number `FIRST_WORD`."""

VALUE_TYPE_BYTES: Final = {
    "i32": 0x7F,
    "i64": 0x7E,
    "f32": 0x7D,
    "f64": 0x7C,
    "v128": 0x7B,
    "i8": 0x78,
    "i16": 0x77,
    "funcref": 0x70,
    "externref": 0x6F,
    "anyref": 0x6E,
    "eqref": 0x6D,
    "i31ref": 0x6C,
    "structref": 0x6B,
    "arrayref": 0x6A,
    "nullref": 0x71,
    "nullfuncref": 0x73,
    "nullexternref": 0x72,
    "exnref": 0x69,
    "nullexnref": 0x74,
}
"""Value types, packed types and abbreviations of reference types by their byte."""

HEAP_TYPE_BYTES: Final = {
    "func": 0x70,
    "extern": 0x6F,
    "any": 0x6E,
    "eq": 0x6D,
    "i31": 0x6C,
    "struct": 0x6B,
    "array": 0x6A,
    "none": 0x71,
    "nofunc": 0x73,
    "noextern": 0x72,
    "exn": 0x69,
    "noexn": 0x74,
}
"""Abstract heap types by their byte."""


def _by_number(table: dict[str, int]) -> bytes:
    return bytes([table.get(word, 0) for word in WORDS])


WORD_VALUE_TYPES: Final = _by_number(VALUE_TYPE_BYTES)
"""For each of `WORDS` the byte of the value type it names, or 0."""
WORD_HEAP_TYPES: Final = _by_number(HEAP_TYPE_BYTES)
"""For each of `WORDS` the byte of the heap type it names, or 0."""


def _names() -> dict[str, int]:
    """Number by name. Of instructions that share a name (`select`), or have none of their own (`ref.test_null`), the first counts."""
    names: dict[str, int] = {}
    for code in sorted(OPCODES):
        name = OPCODES[code].name
        if name not in ("ref.test_null", "ref.cast_null"):
            names.setdefault(name, code)
    for number, word in enumerate(WORDS):
        names[word] = FIRST_WORD + number
    return names


NUMBERS: Final = _names()
"""Number of every keyword."""
NAMES: Final = {number: name for name, number in NUMBERS.items()}
"""Keyword of every number."""


def instruction_table(attribute: str) -> bytes:
    """An attribute of `Opcode` below 256 as one byte for every instruction's code."""
    return bytes([getattr(OPCODES[code], attribute) if code in OPCODES else 0 for code in range(CODES_END)])


HASH_SLOTS: Final = 4096
"""Number of slots of the hash table, a power of two."""


def hash_of(text: bytes) -> int:
    """The hash of a token's text; the lexer computes the same while it looks for the token's end."""
    value = 0
    for byte in text:
        value = value * 33 + byte & 0xFFFFFFFF
    return value


def slot_of(hash_value: int) -> int:
    """Where to start looking for a keyword of that hash."""
    return (hash_value ^ hash_value >> 13) & (HASH_SLOTS - 1)


def _hash_table() -> tuple[bytes, bytes]:
    slots = [0] * HASH_SLOTS
    texts = bytearray(b"\0")
    for name, number in NUMBERS.items():
        text = name.encode()
        slot = slot_of(hash_of(text))
        while slots[slot]:
            slot = slot + 1 & (HASH_SLOTS - 1)
        slots[slot] = len(texts) << 32 | len(text) << 16 | number
        texts += text
    return b"".join([slot.to_bytes(8, "little") for slot in slots]), bytes(texts)


SLOTS, TEXTS = _hash_table()
"""The hash table with linear probing. Per slot eight bytes, a little-endian number: 0, or where in `TEXTS` the keyword stands (bits 32 on),
its length (bits 16-31) and its number."""

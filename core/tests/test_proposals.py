"""Opcodes that are refused say what they are of."""

from __future__ import annotations

import pytest

from wasmcore.binary import decode
from wasmcore.errors import DecodeError, TextError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES, OPCODES, PREFIXES
from wasmcore.proposals import UNSUPPORTED, illegal_opcode, not_enabled
from wasmcore.text import wat2wasm
from wasmcore.validation import validate


def with_body(code: bytes) -> bytes:
    """A module with one function."""
    body = b"\0" + code
    return b"\0asm\1\0\0\0\1\4\1\x60\0\0\3\2\1\0\x0a" + bytes([len(body) + 2, 1, len(body)]) + body


def test_the_table_is_about_opcodes_that_do_not_exist() -> None:
    numbers = [(prefix, number) for prefix, first, last, _, _ in UNSUPPORTED for number in range(first, last + 1)]
    assert len(set(numbers)) == len(numbers)
    assert not OPCODES.keys() & {number if prefix is None else PREFIXES[prefix] + number for prefix, number in numbers}
    for _, first, last, _, names in UNSUPPORTED:
        assert not names or len(names.split()) == last - first + 1


@pytest.mark.parametrize("row", UNSUPPORTED, ids=lambda row: f"{row[3]} {row[1]:x}")
def test_proposals_are_named(row: tuple[int | None, int, int, str, str]) -> None:
    prefix, first, last, proposal, names = row
    number = bytes([last]) if last < 0x80 else bytes([last & 0x7F | 0x80, last >> 7])
    code = (bytes([last]) if prefix is None else bytes([prefix]) + number) + b"\0\x0b"
    with pytest.raises(DecodeError) as caught:
        validate(decode(with_body(code)))
    assert caught.value.message.endswith(f'is of the proposal "{proposal}", which is not supported')
    assert not names or names.split()[-1] in caught.value.message


@pytest.mark.parametrize("code", [code for code, opcode in OPCODES.items() if opcode.feature != "mvp"], ids=lambda code: OPCODES[code].name)
def test_features_are_named(code: int) -> None:
    """Each opcode of a feature that is not enabled says which, and how to enable it."""
    opcode = OPCODES[code]
    features = frozenset(FEATURES) - {opcode.feature}
    with pytest.raises(DecodeError) as caught:
        validate(decode(with_body(opcode.binary + b"\0\0\0\x0b"), features), features)
    assert caught.value.message.endswith(f": {opcode.name}: {not_enabled(opcode.feature)}")


def test_how_to_enable_a_feature() -> None:
    assert not_enabled("threads") == 'feature threads is not enabled (Engine(features="+threads"), --enable threads)'


IN_TEXT = [(name, row[3]) for row in UNSUPPORTED for name in row[4].split() if name not in ("catch", "catch_all")]
"""Those two are words of `try_table` as well."""


@pytest.mark.parametrize(("name", "proposal"), IN_TEXT)
def test_proposals_are_named_in_text(name: str, proposal: str) -> None:
    with pytest.raises(TextError) as caught:
        wat2wasm(f"(module (func ({name})))")
    assert caught.value.message == f'unknown operator {name}: it is of the proposal "{proposal}", which is not supported'


def test_other_opcodes_are_just_illegal() -> None:
    assert illegal_opcode(0xFF, -1, DEFAULT_FEATURES) == "illegal opcode ff"
    assert illegal_opcode(0xFC, 0x7F, DEFAULT_FEATURES) == "illegal opcode fc 7f"
    assert illegal_opcode(0xFC, 0x10C, DEFAULT_FEATURES) == "illegal opcode fc 10c"

"""The table of opcodes against an assembler that knows them all."""

from __future__ import annotations

import pytest
from module_samples import binary

from wasmcore.binary import decode
from wasmcore.opcodes import ADDRESS, FEATURES, OPCODES, PREFIXES, Immediates, Opcode
from wasmcore.records import records
from wasmcore.types import value_type_name
from wasmcore.validation import StreamWriter, validate

IMMEDIATES = {
    Immediates.I32: "-7",
    Immediates.I64: "-7",
    Immediates.F32: "1.5",
    Immediates.F64: "1.5",
    Immediates.LANE: "1",
    Immediates.MEMORY_ACCESS_LANE: "offset=9 1",
    Immediates.MEMORY_ACCESS: "offset=9",
    Immediates.V128: "i64x2 1 2",
    Immediates.SHUFFLE: " ".join(map(str, range(16))),
}


def described(*features: str) -> list[Opcode]:
    return [opcode for opcode in OPCODES.values() if opcode.params is not None and opcode.feature in features]


def test_codes_and_names_are_unique() -> None:
    names = [opcode.name for opcode in OPCODES.values()]
    assert sorted({name for name in names if names.count(name) > 1}) == ["select"]
    assert all(code == opcode.code < 0x700 for code, opcode in OPCODES.items())
    assert {opcode.feature for opcode in OPCODES.values()} <= set(FEATURES)


def test_binary_form_finds_the_code_again() -> None:
    for opcode in OPCODES.values():
        raw = opcode.binary
        number = raw[1] if len(raw) == 2 else raw[1] & 0x7F | raw[2] << 7 if len(raw) == 3 else 0
        assert opcode.code == (raw[0] if len(raw) == 1 else PREFIXES[raw[0]] + number)


def text_of(opcode: Opcode, alignment: int | None = None) -> str:
    """A module with a function that has one use of the instruction."""
    assert opcode.params is not None and opcode.results is not None
    params = ["i32" if value_type == ADDRESS else value_type_name(value_type) for value_type in opcode.params]
    results = " ".join(map(value_type_name, opcode.results))
    immediate = IMMEDIATES.get(opcode.immediates, "")
    if alignment is not None:
        immediate = f"offset=9 align={alignment}" + immediate[len("offset=9") :]
    gets = " ".join(f"local.get {n}" for n in range(len(params)))
    return f"(module (memory 1) (func (param {' '.join(params)}) (result {results}) {gets} {opcode.name} {immediate}))"


DEFAULT = described("mvp", "sign_extension", "saturating_conversions", "simd", "relaxed_simd")
LATER = described("wide_arithmetic", "threads")


@pytest.mark.parametrize("opcode", DEFAULT, ids=lambda opcode: opcode.name)
def test_instruction(opcode: Opcode) -> None:
    assert opcode.params is not None
    data = binary(text_of(opcode))
    assert b"".join(b"\x20" + bytes([n]) for n in range(len(opcode.params))) + opcode.binary in data
    module = decode(data)
    validate(module)
    found = list(records(StreamWriter(module).stream(0)))
    if opcode.name == "nop":
        assert [record.name for record in found] == ["return"]
    else:
        assert found[-2].operation == opcode.code
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE):
        assert found[-2].value == 9
        flags = data[data.index(opcode.binary, len(data) - 30) + len(opcode.binary)]
        assert flags == opcode.alignment  # the assembler's default is the natural alignment


@pytest.mark.parametrize("opcode", LATER, ids=lambda opcode: opcode.name)
def test_later_instruction(opcode: Opcode) -> None:
    data = binary(text_of(opcode).replace("(memory 1)", "(memory 1 2 shared)"))
    features = frozenset(FEATURES)
    module = decode(data, features)
    validate(module, features)
    assert [record.operation for record in records(StreamWriter(module, features).stream(0))][-2] == opcode.code

"""Modules as text: what is printed stands for the same bytes, can be read by people, and never fails in an unknown way.

`printed/*.flat.wat` and `*.folded.wat` are what is printed of the modules that they are themselves. wasmtime reads the text, too, so that
no mistake in both directions goes unnoticed.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st
from module_samples import SAMPLES
from suite_modules import NAMES, SCRIPTS, modules

from wasmcore.errors import CompileError, DecodeError, ValidationError
from wasmcore.text import printer, wasm2wat, wat2wasm
from wasmcore.text.printer_literals import bytes_text, f32_text, f64_text, name_text

PRINTED = sorted((Path(__file__).parent / "printed").glob("*.wat"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.wasm"))
BOTH = pytest.mark.parametrize("folded", [False, True], ids=["flat", "folded"])


def oracle(text: str) -> bytes:
    """What wasmtime makes of it."""
    return bytes(wasmtime.wat2wasm(text))


def section(number: int, content: bytes) -> bytes:
    assert len(content) < 1 << 28
    size = len(content)
    return bytes([number, size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21]) + content


def one_function(code: bytes, more: bytes = b"") -> bytes:
    """A module with one function, without parameters, results and locals."""
    body = section(0, b"\0" + code)[1:]
    return b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") + section(3, b"\1\0") + section(10, b"\1" + body) + more


# The same bytes


@pytest.mark.parametrize("file", PRINTED, ids=[file.stem for file in PRINTED])
def test_printed_files(file: Path) -> None:
    text = file.read_text("utf-8")
    assert wasm2wat(oracle(text), folded=".folded" in file.name) == text


@pytest.mark.parametrize("file", PRINTED, ids=[file.stem for file in PRINTED])
def test_printed_files_read_by_ourselves(file: Path) -> None:
    text = file.read_text("utf-8")
    assert wat2wasm(text) == oracle(text)


@BOTH
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_samples(name: str, folded: bool) -> None:
    data = oracle(SAMPLES[name])
    assert oracle(wasm2wat(data, folded=folded)) == data


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_suite(script: object) -> None:
    for kind, data in modules(script):
        for folded in (False, True):
            if kind == "quote":
                continue
            try:
                text = wasm2wat(data, folded=folded)
            except CompileError as error:
                assert kind == "binary" or isinstance(error, ValidationError), "text is well-formed"
                continue
            again = wat2wasm(text)
            assert again == oracle(text)
            if kind == "text":
                assert again == data
            else:
                assert wat2wasm(wasm2wat(again, folded=folded)) == again, "the second round is exact"


@BOTH
@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_examples(file: Path, folded: bool) -> None:
    text = wasm2wat(file.read_bytes(), folded=folded)
    data = wat2wasm(text)
    assert data == oracle(text)
    assert wasm2wat(data, folded=folded) == text


# Constants and strings


@given(bits=st.integers(0, 2**32 - 1))
def test_f32(bits: int) -> None:
    assert bits.to_bytes(4, "little") in oracle(f"(module (func f32.const {f32_text(bits)}))")


@given(bits=st.integers(0, 2**64 - 1))
def test_f64(bits: int) -> None:
    assert bits.to_bytes(8, "little") in oracle(f"(module (func f64.const {f64_text(bits)}))")


def test_f32_between_decimals() -> None:
    # 2**24 + 1 lies between two floats; its decimal must not be taken for the one below although it is short.
    assert f32_text(0x4B800000) == "16777216.0"
    assert f32_text(0x7F7FFFFF) == "3.4028235e+38"
    assert f32_text(0x00000001) == "0x1p-149"
    assert f32_text(0x3DCCCCCD) == "0.1"
    assert f32_text(0xFFC00000) == "-nan"
    assert f32_text(0x7FA00000) == "nan:0x200000"


@given(data=st.binary(max_size=40), name=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_strings(data: bytes, name: str) -> None:
    text = f"(module (data {bytes_text(data)}) (@custom {name_text(name)} {name_text(name)}))"
    encoded = name.encode("utf-8")
    for wasm in (oracle(text), wat2wasm(text)):
        assert bytes([len(data)]) + data in wasm
        assert wasm.endswith(bytes([len(encoded)]) + encoded + encoded)


# Names


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=600))
@settings(max_examples=50)
def test_any_name(name: str) -> None:
    note = f"(@name {name_text(name)})"
    text = f"""(module {note}
      (type {note} (func (param {note} i32) (param i32))) (type (struct (field {note} i32) (field i8 i8) (field {note} i8)))
      (func {note} (param {note} i32) (local i32) (local {note} i32)
        (block {note} (loop {note} (if {note} (result i32) (local.get 0) (then (i32.const 0)) (else (i32.const 1))) (drop)))
        block {note} end)
      (func (if $x {note} (i32.const 0) (then (if (i32.const 1) (then (br $x)))))))"""
    data = oracle(text)
    assert wat2wasm(text) == data
    for folded in (False, True):
        printed = wasm2wat(data, folded=folded)
        assert oracle(printed) == data
        assert wat2wasm(printed) == data


def test_names_that_are_not_unique_are_no_identifiers() -> None:
    text = wasm2wat(oracle('(module (func $f call $f) (func $g (@name "f") call $g))'))
    assert text.count('(func (@name "f") (;') == 2
    assert "call 0" in text
    assert "call 1" in text


def test_a_shadowed_label_is_used_by_number() -> None:
    text = wasm2wat(oracle("(module (func block $l block $l br 0 br 1 end br 0 end))"))
    assert [line.strip() for line in text.splitlines() if "br " in line] == ["br $l", "br 1 (;@1;)", "br $l"]


@pytest.mark.parametrize(
    "sections",
    [
        section(0, b"\4name\1\5\1\0"),
        section(0, b"\4name\1\4\1\0\1\xff"),
        section(0, b"\4name\1\4\1\0\1f") * 2,
        section(0, b"\4name\1\5\1\0\1f\0"),
    ],
    ids=["truncated", "no UTF-8", "two of them", "too long"],
)
def test_a_strange_name_section_is_kept_as_it_is(sections: bytes) -> None:
    data = one_function(b"\x0b", sections)
    text = wasm2wat(data)
    assert '(@custom "name"' in text
    assert oracle(wasm2wat(oracle(text))) == oracle(text)


def test_names_of_what_is_not_there_are_left_out() -> None:
    names = section(0, b"\4name\1\7\2\0\1f\7\1g\x63\2\0\1")
    text = wasm2wat(one_function(b"\x0b", names))
    assert "(func $f (type 0))" in text
    assert "g" not in text.replace("$f", "")


# Custom sections


def test_places_of_custom_sections() -> None:
    def custom(name: bytes) -> bytes:
        return section(0, bytes([len(name)]) + name)

    body = section(10, b"\1\5\0\xfc\x09\0\x0b")  # it drops a data segment, so there has to be a data count section
    parts = [
        custom(b"a"),
        section(1, b"\1\x60\0\0"),
        custom(b"b"),
        section(3, b"\1\0"),
        custom(b"c"),
        section(12, b"\1"),
        custom(b"d"),
        body,
    ]
    parts += [custom(b"e"), section(11, b"\1\1\0"), custom(b"f")]
    text = wasm2wat(b"\0asm\1\0\0\0" + b"".join(parts))
    found = [line.strip() for line in text.splitlines() if "@custom" in line]
    assert found == [
        '(@custom "a" (before first) "")',
        '(@custom "b" (after type) "")',
        '(@custom "c" (after func) "")',
        '(@custom "d" (before code) "")',
        '(@custom "e" (after code) "")',
        '(@custom "f" "")',
    ]
    again = wasm2wat(oracle(text))
    assert [line.strip() for line in again.splitlines() if "@custom" in line] == found


# Hostile modules


@BOTH
@pytest.mark.parametrize("opener", [b"\x02\x40", b"\x41\0\x04\x40"], ids=["block", "if"])
def test_deep_blocks(opener: bytes, folded: bool) -> None:
    text = wasm2wat(one_function(opener * 100_000 + b"\x0b" * 100_001), folded=folded)
    assert text.count("(;@100000;)") == 1
    assert max(map(len, text.splitlines())) < 150


@BOTH
def test_deep_operands(folded: bool) -> None:
    count = 100_000
    text = wasm2wat(one_function(b"\x41\0" * count + b"\x6a" * (count - 1) + b"\x1a\x0b"), folded=folded)
    assert text.count("i32.add") == count - 1
    assert text.count("i32.const") == count


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "unexpected end of section or function"),
        (b"\x02\x40\x0b", "unexpected end of section or function"),
        (b"\x0b\x01", "section size mismatch"),
        (b"\x05\x0b", "else outside of an if"),
        (b"\x04\x40\x05\x05\x0b\x0b", "else outside of an if"),
        (b"\x27\x0b", "illegal opcode 27"),
        (b"\xfc\x40\x0b", "illegal opcode fc 40"),
        (b"\x41", "unexpected end"),
        (b"\x41\x80\x80\x80\x80\x80\0\x0b", "integer representation too long"),
        (b"\x20\xff\xff\xff\xff\x7f\x0b", "integer too large"),
        (b"\x0e\xff\xff\xff\xff\x0f\0\x0b", "length out of bounds"),
        (b"\x28\x80\1\0\x0b", "malformed memop flags"),
        (b"\xfe\3\1\x0b", "zero byte expected"),
        (b"\x1f\x40\1\4\0\x0b\x0b", "malformed catch clause"),
        (b"\xfb\x18\4\0\x70\x70\x0b", "malformed cast flags"),
        (b"\xd0\x40\x0b", "malformed heap type"),
    ],
)
@BOTH
def test_malformed_code(code: bytes, message: str, folded: bool) -> None:
    with pytest.raises(DecodeError, match=message) as caught:
        wasm2wat(one_function(code, section(0, b"\0")), folded=folded)
    assert caught.value.offset is not None


def test_code_that_says_little_in_many_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer, "_MAX_ALL_LOCALS", 120_000)
    body = section(0, b"\1\xd0\x86\3\x7f\x0b")[1:]  # 50,000 locals
    head = b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0")
    assert wasm2wat(head + section(3, b"\2\0\0") + section(10, b"\2" + body * 2)).count("i32") == 100_000
    with pytest.raises(DecodeError, match="too many locals"):
        wasm2wat(head + section(3, b"\3\0\0\0") + section(10, b"\3" + body * 3))


@BOTH
def test_broken_modules(folded: bool) -> None:
    chance = random.Random(7)
    sources = [oracle(file.read_text("utf-8")) for file in PRINTED if ".flat" in file.name]
    for _ in range(600):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(8, len(data))] = chance.choice([chance.randrange(256), 0, 0x0B, 0x80, 0xFF])
        try:
            text = wasm2wat(bytes(data), folded=folded)
        except CompileError:
            continue
        assert text.startswith("(module")

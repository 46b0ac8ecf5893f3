"""Invalid modules: what is said about them; and that bad or hostile input is never more than a `CompileError`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from module_samples import ATOMICS, SAMPLES, binary, is_valid, module

from wasmcore.binary import decode
from wasmcore.errors import CompileError, DecodeError, NotCompiledError, ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES, OPCODES
from wasmcore.proposals import not_enabled
from wasmcore.validation import StreamWriter, validate


def leb(value: int) -> bytes:
    """An unsigned integer."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def section(number: int, payload: bytes) -> bytes:
    """A section."""
    return bytes([number]) + leb(len(payload)) + payload


def with_body(code: bytes, params: bytes = b"", results: bytes = b"", groups: bytes = b"\0", more: bytes = b"") -> bytes:
    """A module with one function and, before its code section, other sections."""
    function_type = b"\x60" + leb(len(params)) + params + leb(len(results)) + results
    body = groups + code
    return b"\0asm\1\0\0\0" + section(1, b"\1" + function_type) + section(3, b"\1\0") + more + section(10, b"\1" + leb(len(body)) + body)


MEMORY = section(5, b"\1\0\1")
INVALID_BODIES: dict[str, tuple[bytes, str]] = {
    "missing operand": (b"\x45\x1a\x0b", "type mismatch: instruction requires [i32] but stack has []"),
    "wrong operand": (b"\x42\0\x45\x1a\x0b", "type mismatch: instruction requires [i32] but stack has [i64]"),
    "second operand": (b"\x42\0\x41\0\x6a\x1a\x0b", "type mismatch: instruction requires [i32 i32] but stack has [i64 i32]"),
    "one of two": (b"\x41\0\x6a\x1a\x0b", "type mismatch: instruction requires [i32 i32] but stack has [i32]"),
    "left over": (b"\x41\0\x0b", "type mismatch: block requires [] but stack has [i32]"),
    "block result": (b"\x02\x7f\x42\0\x0b\x1a\x0b", "type mismatch: instruction requires [i32] but stack has [i64]"),
    "operands of the block outside": (b"\x41\0\x02\x40\x1a\x0b\x0b", "type mismatch: instruction requires an operand but stack has []"),
    "if without else": (b"\x41\0\x04\x7f\x41\0\x0b\x1a\x0b", "type mismatch: if without else requires [i32] but stack has []"),
    "local": (b"\x20\5\x1a\x0b", "unknown local 5"),
    "function": (b"\x10\7\x0b", "unknown function 7"),
    "label": (b"\x0c\1\x0b", "unknown label 1"),
    "global": (b"\x23\1\x1a\x0b", "unknown global 1"),
    "table": (b"\x41\0\x25\0\x1a\x0b", "unknown table 0"),
    "type": (b"\x41\0\x11\4\0\x0b", "unknown type 4"),
    "memory": (b"\x41\0\x28\2\0\x1a\x0b", "unknown memory 0"),
    "segment": (b"\xfc\x0d\3\x0b", "unknown elem segment 3"),
    "br_table": (b"\x02\x7f\x41\0\x41\0\x0e\1\0\1\x0b\x1a\x0b", "type mismatch: labels of br_table have 1 and 0 operands"),
    "select": (b"\x41\0\x42\0\x41\0\x1b\x1a\x0b", "type mismatch: instruction requires [i32 i32 i32] but stack has [i32 i64 i32]"),
    "select of references": (
        b"\xd0\x70\xd0\x70\x41\0\x1b\x1a\x0b",
        "type mismatch: select without a type requires numbers or vectors",
    ),
    "select with types": (b"\x41\0\x41\0\x41\0\x1c\2\x7f\x7f\x0b", "invalid result arity"),
    "undeclared": (b"\xd2\0\x1a\x0b", "undeclared function reference: function 0 is in no segment, global or export"),
}


@pytest.mark.parametrize("name", INVALID_BODIES)
def test_invalid_body(name: str) -> None:
    code, message = INVALID_BODIES[name]
    data = with_body(code)
    with pytest.raises(ValidationError) as caught:
        validate(decode(data))
    assert caught.value.message == message
    assert not is_valid(data)


MALFORMED_BODIES: dict[str, tuple[bytes, str]] = {
    "opcode": (b"\xff\x0b", "illegal opcode ff"),
    "prefixed opcode": (b"\xfd\xff\x7f\x0b", "illegal opcode fd 3fff"),
    "no end": (b"\x01", "unexpected end of section or function"),
    "cut constant": (b"\x41\x80", "unexpected end of section or function"),
    "cut float": (b"\x44\0\0", "unexpected end of section or function"),
    "behind the end": (b"\x0b\x01", "section size mismatch: code behind the end of the function"),
    "data count": (b"\xfc\x09\0\x0b", "data count section required"),
    "else": (b"\x05\x0b", "else found outside of an if"),
    "proposal": (b"\x06\x40\x0b", 'illegal opcode 06: try is of the proposal "legacy exceptions", which is not supported'),
    "feature": (b"\xfe\x03\0\x0b", f"illegal opcode fe 03: atomic.fence: {not_enabled('threads')}"),
    "code of another prefix": (b"\xfc\x8c\x02\x0b", "illegal opcode fc 10c"),
}


@pytest.mark.parametrize("name", MALFORMED_BODIES)
def test_malformed_body(name: str) -> None:
    code, message = MALFORMED_BODIES[name]
    with pytest.raises(DecodeError) as caught:
        validate(decode(with_body(code)))
    assert caught.value.message == message


def test_offset_is_that_of_the_instruction() -> None:
    data = with_body(b"\x01\x01\x42\0\x45\x1a\x0b")
    with pytest.raises(ValidationError) as caught:
        validate(decode(data))
    assert caught.value.offset == data.index(b"\x45\x1a")
    assert str(caught.value).endswith(f"(at offset {caught.value.offset:#x})")


def test_alignment_and_lanes() -> None:
    with pytest.raises(ValidationError, match="alignment must not be larger than natural"):
        validate(decode(with_body(b"\x41\0\x28\3\0\x1a\x0b", more=MEMORY)))
    with pytest.raises(ValidationError, match="invalid lane index 4, there are 4 lanes"):
        validate(decode(with_body(b"\x41\0\xfd\x11\xfd\x1b\4\x1a\x0b")))


INVALID_BINARIES: dict[str, tuple[bytes, str]] = {
    "memory size": (section(5, b"\1\0\x81\x80\x04"), "memory size must be at most 65536 pages (4GiB)"),
    "limits": (section(5, b"\1\1\2\1"), "size minimum must not be greater than maximum: 2 is greater than 1"),
    "function type": (section(3, b"\1\0"), "unknown type 0"),
    "export": (section(7, b"\1\1a\0\0"), "unknown function 0"),
    "start": (section(8, b"\0"), "unknown function 0"),
    "start type": (
        section(1, b"\1\x60\1\x7f\0") + section(2, b"\1\0\0\0\0") + section(8, b"\0"),
        "start function must have type [] -> [], found [i32] -> []",
    ),
    "element": (section(9, b"\1\0\x41\0\x0b\0"), "unknown table 0"),
    "data": (section(11, b"\1\0\x41\0\x0b\0"), "unknown memory 0"),
    "global": (section(6, b"\1\x7f\0\x42\0\x0b"), "type mismatch: constant expression requires [i32] but stack has [i64]"),
    "global order": (
        section(6, b"\2\x7f\0\x23\1\x0b\x7f\0\x41\0\x0b"),
        "unknown global 1",
    ),
    "constant": (section(6, b"\1\x7f\0\x41\0\x45\x0b"), "constant expression required, found i32.eqz"),
}


@pytest.mark.parametrize("name", INVALID_BINARIES)
def test_invalid_module(name: str) -> None:
    sections, message = INVALID_BINARIES[name]
    data = b"\0asm\1\0\0\0" + sections
    with pytest.raises(CompileError) as caught:
        validate(decode(data))
    assert (caught.value.message, is_valid(data)) == (message, False)
    assert caught.value.offset is not None


def test_duplicate_export() -> None:
    data = binary('(module (func (export "a")) (memory (export "b") 1))').replace(b"\1b\2", b"\1a\2")
    with pytest.raises(ValidationError, match="duplicate export name 'a'"):
        validate(decode(data))


def test_order_and_range_of_immediates() -> None:
    with pytest.raises(ValidationError, match="offset out of range"):
        validate(decode(with_body(b"\x41\0\x28\0\x80\x80\x80\x80\x10\x1a\x0b", more=MEMORY)))
    with pytest.raises(DecodeError, match="integer representation too long"):
        validate(decode(with_body(b"\x41\0\x28\0" + b"\x80" * 10 + b"\0\x1a\x0b", more=MEMORY)))
    with pytest.raises(ValidationError, match="unknown table 0"):
        validate(decode(with_body(b"\x41\0\x41\0\x41\0\xfc\x0c\0\0\x0b")))


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("simd", "(module (func (param v128)))"),
        ("tail_calls", "(module (func $f return_call $f))"),
        ("sign_extension", "(module (func i32.const 0 i32.extend8_s drop))"),
        ("multi_memory", "(module (memory 1) (memory 1))"),
        ("multi_value", "(module (func i32.const 0 block (param i32) drop end))"),
        ("extended_const", "(module (global i32 (i32.add (i32.const 1) (i32.const 1))))"),
        ("bulk_memory", '(module (memory 1) (data ""))'),
        ("reference_types", "(module (func (param funcref)))"),
        ("reference_types", "(module (func ref.null extern drop))"),
        ("function_references", "(module (func (param (ref extern))))"),
        ("function_references", "(module (type (func)) (func unreachable call_ref 0))"),
        ("function_references", "(module (func block ref.null func br_on_null 0 drop end))"),
        ("function_references", "(module (table 1 funcref (ref.null func)))"),
        ("gc", "(module (type (struct)))"),
        ("gc", "(module (rec (type (func))))"),
        ("gc", "(module (type (sub (func))))"),
        ("gc", "(module (func (param anyref)))"),
        ("gc", "(module (func ref.null nofunc drop))"),
        ("gc", "(module (func i32.const 0 ref.i31 drop))"),
        ("gc", "(module (global i32 (i32.const 0)) (global i32 (global.get 0)))"),
        ("exceptions", "(module (tag))"),
        ("exceptions", "(module (func try_table end))"),
        ("memory64", "(module (memory i64 1))"),
        ("memory64", "(module (table i64 1 funcref))"),
    ],
)
def test_features_can_be_refused(feature: str, text: str) -> None:
    data = binary(text)
    validate(decode(data))
    features = DEFAULT_FEATURES - {feature}
    with pytest.raises(CompileError):
        validate(decode(data, features), features)


def test_opcodes_of_missing_features_are_illegal() -> None:
    for opcode in OPCODES.values():
        if opcode.feature not in DEFAULT_FEATURES:
            with pytest.raises(DecodeError, match=f"feature {opcode.feature} is not enabled"):
                validate(decode(with_body(opcode.binary + b"\0\0\0\x0b", more=MEMORY)))


@pytest.mark.parametrize(
    ("feature", "text"),
    [
        ("threads", "(module (memory 1 1 shared))"),
        ("threads", "(module (func atomic.fence))"),
        ("wide_arithmetic", "(module (func (param i64) local.get 0 local.get 0 i64.mul_wide_s drop drop))"),
        ("custom_page_sizes", "(module (memory 1 (pagesize 1)))"),
    ],
)
def test_proposals_are_refused_unless_asked_for(feature: str, text: str) -> None:
    data = binary(text)
    features = DEFAULT_FEATURES | {feature}
    validate(decode(data, features), features)
    with pytest.raises(DecodeError, match=f"feature {feature} is not enabled"):
        validate(decode(data))


def test_tables_of_functions_need_no_feature() -> None:
    features = frozenset({"mvp"})
    data = b"\0asm\1\0\0\0" + section(4, b"\1\x70\0\1") + section(9, b"\1\0\x41\0\x0b\0")
    validate(decode(data, features), features)


# Mutated modules

mutations = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.booleans()), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(SAMPLES)), changes=mutations, cut=st.none() | st.integers(0, 10**6))
def test_mutated_modules_are_judged_as_by_wasmtime(name: str, changes: list[tuple[int, int, bool]], cut: int | None) -> None:
    data = bytearray(binary(SAMPLES[name]))
    for place, value, flip in changes:
        at = 8 + place % (len(data) - 8)
        data[at] = data[at] ^ 1 << value % 8 if flip else value
    mutated = bytes(data if cut is None else data[: cut % len(data)])
    try:
        info = decode(mutated)
        validate(info)
        accepted = True
    except CompileError:
        accepted = False
    assert accepted == is_valid(mutated)
    if accepted:
        writer = StreamWriter(info)
        for index in range(info.imported_functions, info.function_count):
            try:
                writer.stream(index)
            except NotCompiledError as error:
                assert error.function == index


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_random_code(code: bytes) -> None:
    data = with_body(code + b"\x0b", params=b"\x7f\x7e", more=MEMORY)
    try:
        validate(decode(data))
        accepted = True
    except CompileError:
        accepted = False
    assert accepted == is_valid(data)


# Hostile input

HOSTILE = {
    "nested try_table": b"\x1f\x40\1\2\0" * 100_000 + b"\x0b" * 100_001,
    "many handlers": b"\x1f\x40" + leb(200_000) + b"\2\0" * 200_000 + b"\x0b\x0b",
    "branches on null": b"\xd0\x70\xd5\0\x1a" * 100_000 + b"\x0b",
    "tests": b"\xd0\x6e\xfb\x14\x6c\x1a" * 100_000 + b"\x0b",
    "a local to be set for each block": b"\x02\x40\x20\0\x1a" * 100_000 + b"\x0b" * 100_001,
    "nested blocks": b"\x02\x40" * 200_000 + b"\x0b" * 200_001,
    "unclosed blocks": b"\x02\x40" * 200_000,
    "many operands": b"\x41\0" * 200_000 + b"\x0b",
    "br_table": b"\x41\0\x0e" + leb(300_000) + b"\0" * 300_001 + b"\x0b",
    "br_table without targets": b"\x41\0\x0e\xff\xff\xff\xff\x0f\0\x0b",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bodies_are_judged(name: str) -> None:
    try:
        info = decode(with_body(HOSTILE[name]))
        validate(info)
        StreamWriter(info).stream(0)
    except CompileError:
        pass


def test_operands_of_unreachable_calls_are_limited() -> None:
    results = b"\x7f" * 1000
    code = b"\x00" + b"\x10\0" * 5_000 + b"\x00\x0b"
    with pytest.raises(ValidationError, match="operand stack higher than 1000000"):
        validate(decode(with_body(code, results=results)))


def test_many_locals_in_many_functions() -> None:
    body = b"\1\xd0\x86\x03\x7f\x20\xcf\x86\x03\x1a\x0b"
    count = 2_000
    data = (
        b"\0asm\1\0\0\0"
        + section(1, b"\1\x60\0\0")
        + section(3, leb(count) + b"\0" * count)
        + section(10, leb(count) + (leb(len(body)) + body) * count)
    )
    validate(decode(data))
    with pytest.raises(ValidationError, match="unknown local 50000"):
        validate(decode(data.replace(b"\x20\xcf\x86", b"\x20\xd0\x86")))
    with pytest.raises(DecodeError, match="too many locals"):
        validate(decode(data.replace(b"\1\xd0\x86", b"\1\xd1\x86")))


def test_samples_are_valid() -> None:
    for text in SAMPLES.values():
        validate(module(text))
    features = frozenset(FEATURES)
    validate(decode(binary(ATOMICS), features), features)

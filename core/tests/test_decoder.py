"""Malformed modules: what is said about them, and where."""

from __future__ import annotations

import struct

import pytest
from module_samples import MEMORY, SAMPLES, binary, is_valid, module

from wasmcore.binary import decode
from wasmcore.binary.reader import signed, unsigned_rest
from wasmcore.errors import CompileError, DecodeError
from wasmcore.types import F64, FUNCREF, I32, FuncType, GlobalType, Limits, MemoryType, TableType
from wasmcore.validation import validate

HEADER = b"\0asm\1\0\0\0"
MALFORMED = {
    "empty": (b"", "unexpected end", 0),
    "short magic": (b"\0as", "unexpected end", 0),
    "magic": (b"asm\0\1\0\0\0", "magic header not detected", 0),
    "no version": (b"\0asm", "unexpected end", 4),
    "version": (b"\0asm\2\0\0\0", "unknown binary version", 4),
    "section id": (HEADER + b"\x0e\x01\x00", "malformed section id 14", 8),
    "section length": (HEADER + b"\x01\x05\x00", "length out of bounds", 9),
    "section size": (HEADER + b"\x01\x02\x00\x00", "section size mismatch", 11),
    "order": (HEADER + b"\x03\x01\x00\x01\x01\x00", "unexpected content after last section", 11),
    "twice": (HEADER + b"\x01\x01\x00\x01\x01\x00", "unexpected content after last section", 11),
    "long integer": (HEADER + b"\x01\x06\x80\x80\x80\x80\x80\x00", "integer representation too long", 14),
    "large integer": (HEADER + b"\x01\x05\x80\x80\x80\x80\x70", "integer too large", 14),
    "type form": (HEADER + b"\x01\x02\x01\x30", "malformed function type", 11),
    "value type": (HEADER + b"\x01\x05\x01\x60\x01\x10\x00", "malformed value type", 13),
    "utf-8": (HEADER + b"\x00\x02\x01\xff", "malformed UTF-8 encoding", 11),
    "import kind": (HEADER + b"\x02\x04\x01\x00\x00\x05", "malformed import kind 5", 13),
    "limits": (HEADER + b"\x05\x03\x01\x10\x01", "malformed limits flags", 11),
    "mutability": (HEADER + b"\x06\x06\x01\x7f\x02\x41\x00\x0b", "malformed mutability", 12),
    "constant": (HEADER + b"\x06\x05\x01\x7f\x00\x41\x00", "END opcode expected", 15),
    "function without code": (
        HEADER + b"\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00",
        "function and code section have inconsistent lengths",
        18,
    ),
    "code without function": (HEADER + b"\x0a\x04\x01\x02\x00\x0b", "function and code section have inconsistent lengths", 10),
    "data count": (HEADER + b"\x0c\x01\x01", "data count and data section have inconsistent lengths", 11),
    "element kind": (HEADER + b"\x09\x02\x01\x08", "malformed elements segment kind", 11),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name: str) -> None:
    data, message, offset = MALFORMED[name]
    with pytest.raises(DecodeError) as caught:
        decode(data)
    assert (caught.value.message, caught.value.offset) == (message, offset)


@pytest.mark.parametrize("name", SAMPLES)
def test_truncations(name: str) -> None:
    data = binary(SAMPLES[name])
    for size in range(len(data)):
        if is_valid(data[:size]):  # between two sections, where nothing that is missing is needed
            validate(decode(data[:size]))
        else:
            with pytest.raises(CompileError):
                validate(decode(data[:size]))


def test_what_a_module_says() -> None:
    info = module(MEMORY)
    assert [(item.module, item.name, item.type) for item in info.imports] == [
        ("env", "log", FuncType((I32,), ())),
        ("env", "base", GlobalType(I32)),
    ]
    assert [memory.type for memory in info.memories] == [MemoryType(Limits(1, 2)), MemoryType(Limits(1))]
    assert info.data_count == 3
    assert [bytes(info.data[segment.start : segment.end]) for segment in info.data_segments] == [b"hello", b"active", b"active"]
    init = info.globals[1].init
    assert init is not None and init.operations == ((0x23, 0), (0x41, 40), (0x6A, None))
    assert (info.imported_functions, info.function_count) == (1, 2)
    assert [(item.name, item.kind, item.index) for item in info.exports] == [("memory", 2, 0)]
    assert info.function_name(0) == "log"


def test_runs_of_types() -> None:
    info = module("(module (type (func (param f64 i32) (result f64 i32))) (type (func (param externref) (result i64))) (table 1 funcref))")
    numbers = struct.unpack("<8I", info.signatures)
    assert numbers[0] == numbers[2] and info.type_pool[numbers[0] : numbers[0] + numbers[1]] == bytes([F64, I32])
    assert info.type_pool[numbers[4]] == 6 and numbers[5:] == (1, 2, 1)
    assert info.type_pool[:16] == bytes([0, 1, 2, 3, 4, 5, 6, 6, 0, 1, 2, 3, 4, 5, 6, 6])
    assert info.tables[0].type == TableType(FUNCREF, Limits(1))


def test_names() -> None:
    info = module("(module $m (func $first) (func) (func (export $e)))".replace("$e", '"third"'))
    assert info.names.module == "m"
    assert [info.function_name(index) for index in range(3)] == ["first", None, "third"]


def test_a_broken_name_section_is_no_error() -> None:
    data = HEADER + b"\x00\x0a\x04name\x01\x03\x05\x00\x01"
    assert decode(data).names.functions == {}


def encoded(value: int, bits: int) -> bytes:
    """The longest LEB128 encoding."""
    count = -(-bits // 7)
    unsigned = value & ((1 << 7 * count) - 1)
    return bytes((unsigned >> 7 * n & 0x7F) | (0x80 if n < count - 1 else 0) for n in range(count))


@pytest.mark.parametrize("bits", (32, 33, 64))
def test_signed_integers(bits: int) -> None:
    top = 1 << (bits - 1)
    for value in (0, 1, -1, 63, 64, -64, -65, 8191, -8192, 123456789, top - 1, -top):
        if -top <= value < top:
            data = encoded(value, bits)
            assert signed(data, 0, bits) == (value, len(data))
    for value in (top, -top - 1):
        with pytest.raises(DecodeError, match="integer too large"):
            signed(encoded(value, bits), 0, bits)
    with pytest.raises(DecodeError, match="integer representation too long"):
        signed(b"\x80" * 10 + b"\x00", 0, bits)


def test_unsigned_integers() -> None:
    for value in (128, 300, 65536, 2**31, 2**32 - 1):
        data = encoded(value, 32)
        assert unsigned_rest(data, 1, data[0], 32) == (value, 5)
    with pytest.raises(DecodeError, match="integer too large"):
        unsigned_rest(b"\xff\xff\xff\xff\x1f", 1, 0xFF, 32)
    with pytest.raises(DecodeError, match="integer representation too long"):
        unsigned_rest(b"\xff\xff\xff\xff\xff\x00", 1, 0xFF, 32)

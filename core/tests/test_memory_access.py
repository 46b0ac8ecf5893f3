"""Numbers and strings in memories, against `struct` and bytes."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wasmcore

PAGE = 65536
FORMATS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "u64": "Q", "i64": "q", "f32": "f", "f64": "d"}
WIDTHS = {name: struct.calcsize("<" + letter) for name, letter in FORMATS.items()}
INTEGERS = [name for name in FORMATS if name[0] != "f"]


def bounds(name: str) -> tuple[int, int]:
    """The least and the greatest integer of a type."""
    bits = int(name[1:])
    return (0, (1 << bits) - 1) if name[0] == "u" else (-(1 << bits - 1), (1 << bits - 1) - 1)


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_numbers_are_those_of_struct(name: str, data: st.DataObject) -> None:
    memory = wasmcore.Memory(1)
    numbers, width = getattr(memory, name), WIDTHS[name]
    address = data.draw(st.integers(0, PAGE - width))
    if name in INTEGERS:
        value: Any = data.draw(st.integers(*bounds(name)))
    else:
        value = data.draw(st.floats(width=32 if name == "f32" else 64, allow_nan=False))
    numbers[address] = value
    expected = struct.pack("<" + FORMATS[name], value)
    assert memory.read(address, width) == expected
    assert numbers[address] == value
    assert memory.read(0, PAGE) == expected.rjust(address + width, b"\0").ljust(PAGE, b"\0")


@pytest.mark.parametrize("name", FORMATS)
def test_numbers_beyond_the_end(name: str) -> None:
    memory = wasmcore.Memory(1, 2)
    numbers, width = getattr(memory, name), WIDTHS[name]
    assert getattr(memory, name) is numbers
    for address in (-1, PAGE - width + 1, PAGE, 1 << 63, 1 << 64, -(1 << 70)):
        with pytest.raises(IndexError, match=f"{name} at {address} is outside of a memory of {PAGE} bytes"):
            numbers[address]
        with pytest.raises(IndexError):
            numbers[address] = 0
    memory.grow(1)
    numbers[PAGE] = 1
    assert numbers[PAGE] == 1 == numbers[Index(PAGE)]
    numbers[Index(0)] = True
    assert numbers[False] == 1
    for wrong in (1.0, "1", None, 5j):
        with pytest.raises(TypeError):
            numbers[wrong]
        with pytest.raises(TypeError):
            numbers[wrong] = 0


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_that_do_not_fit(name: str) -> None:
    memory = wasmcore.Memory(1)
    numbers = getattr(memory, name)
    low, high = bounds(name)
    for value in (low - 1, high + 1, 1 << 100):
        with pytest.raises(OverflowError, match=f"{value} does not fit {name}"):
            numbers[0] = value
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError):
            numbers[0] = wrong
    numbers[0] = Index(7)
    numbers[8] = numpy.uint8(5)
    assert (numbers[0], numbers[8]) == (7, 5)


def test_floats() -> None:
    memory = wasmcore.Memory(1)
    memory.f32[0], memory.f32[4], memory.f64[8], memory.f64[16] = 1e300, -1e300, math.nan, 3
    assert (memory.f32[0], memory.f32[4], memory.f64[16]) == (math.inf, -math.inf, 3.0)
    assert math.isnan(memory.f64[8])
    with pytest.raises(TypeError):
        memory.f64[0] = None
    with pytest.raises(ValueError, match="could not convert"):
        memory.f64[0] = "text"
    assert repr(memory.f32) == "<f32 numbers of a wasmcore.Memory>"


@given(text=st.text(), offset=st.integers(0, 1000), nul=st.booleans())
def test_strings(text: str, offset: int, nul: bool) -> None:
    memory = wasmcore.Memory(1)
    memory.write(0, b"\xff" * 20000)
    data = text.encode()
    assert memory.write_string(offset, text, nul=nul) == len(data)
    assert memory.read(offset, len(data) + 1) == data + (b"\0" if nul else b"\xff")
    assert memory.read_string(offset, len(data)) == text
    if nul:
        assert memory.read_string(offset) == text.partition("\0")[0]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 300, 5000, PAGE - 1])
def test_where_a_string_ends(size: int) -> None:
    memory = wasmcore.Memory(1)
    start = PAGE - size - 1
    memory.write_string(start, "x" * size)
    strange: Any = Index(start), Index(size)
    assert memory.read_string(start) == "x" * size == memory.read_string(*strange)
    memory.write(PAGE - 1, b"x")
    with pytest.raises(IndexError, match=f"no NUL from {start} on in a memory of {PAGE} bytes"):
        memory.read_string(start)


def test_strings_that_are_none() -> None:
    memory = wasmcore.Memory(1)
    memory.write(0, b"\xff\0")
    for size in (None, 1):
        with pytest.raises(UnicodeDecodeError):
            memory.read_string(0, size)
    assert memory.read_string(0, 1, "latin-1") == "\xff" == memory.read_string(0, encoding="latin-1")
    assert memory.write_string(8, "ab", "utf-16-le", nul=False) == 4 and memory.read_string(8, 4, "utf-16-le") == "ab"
    for use in (lambda: memory.read_string(8, encoding="utf-16-le"), lambda: memory.write_string(8, "a", "utf-16-le")):
        with pytest.raises(ValueError, match="has no NUL of one byte"):
            use()
    for arguments in ((-1,), (PAGE,), (PAGE, 1), (0, -1), (1 << 70,), (0, 1 << 70)):
        with pytest.raises(IndexError):
            memory.read_string(*arguments)
    for offset in (-1, PAGE - 1, 1 << 70):
        with pytest.raises(IndexError):
            memory.write_string(offset, "ab")
    wrong: Any
    for wrong in (5, b"bytes", None):
        with pytest.raises(TypeError):
            memory.write_string(0, wrong)
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError):
            memory.read_string(wrong)


def test_arrays() -> None:
    memory = wasmcore.Memory(1, 2)
    numbers = memory.array("<u4", 4, 3)
    numbers[:] = [1, 2, 1 << 31]
    assert [memory.u32[address] for address in (0, 4, 8, 12, 16)] == [0, 1, 2, 1 << 31, 0]
    memory.f64[8] = 2.5
    assert memory.array("f8")[1] == 2.5 and len(memory.array("f8")) == PAGE // 8 and len(memory.array("u2", 1)) == PAGE // 2 - 1
    pairs = memory.array([("x", "i4"), ("y", "i4")], 8, 1)
    assert pairs["x"][0] == memory.i32[8]
    assert len(memory.array("u1", PAGE)) == 0
    memory.grow(1)
    numbers[0] = 9
    assert memory.u32[4] == 9 and len(memory.array("u1")) == 2 * PAGE
    for arguments in (("u4", -1), ("u4", 0, -1), ("u4", 0, PAGE), ("u1", 2 * PAGE + 1), ("O", 0, 1)):
        with pytest.raises(IndexError):
            memory.array(*arguments)
    del memory
    assert numbers[0] == 9

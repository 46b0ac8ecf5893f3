"""Memories, tables and globals on their own: sizes, bounds, bytes, growth that is refused; what owns native memory is there once."""

from __future__ import annotations

import array
import copy
import ctypes
import pickle
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from faults import interrupted

import wasmcore
from wasmcore.runtime.objects.memory import MemorySpace, memory_of
from wasmcore.runtime.objects.table import MAXIMUM_ELEMENTS
from wasmcore.runtime.system import platform, resources
from wasmcore.types import EXTERNREF, Limits, MemoryType

GUARDS = pytest.mark.parametrize("guarded", [None, False], ids=["guarded", "checked"])
PAGE = 1 << 16


def new_memory(memory_type: MemoryType) -> wasmcore.Memory:
    """As an instance makes it."""
    return memory_of(memory_type, MemorySpace(memory_type, None))


class Longer(bytes):
    def __len__(self) -> int:
        return PAGE


class Shorter(bytearray):
    def __bytes__(self) -> bytes:
        return b"x"


class Other(bytes):
    def __bytes__(self) -> bytes:
        return b"x"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (Longer(b"hello"), b"hello"),
        (Shorter(b"12345"), b"12345"),
        (Other(b"yyyy"), b"yyyy"),
        (bytearray(b"abc"), b"abc"),
        (memoryview(b"abcdef")[::2], b"ace"),
        (memoryview(b"abcdef")[::-1], b"fedcba"),
        (memoryview(b"abcdef").cast("B", (2, 3)), b"abcdef"),
        (array.array("H", [1, 2]), b"\1\0\2\0"),
        (array.array("d"), b""),
        (memoryview(array.array("i", [1, 2, 3]))[::2], b"\1\0\0\0\3\0\0\0"),
        ((ctypes.c_uint16.__ctype_be__ * 2)(1, 2), b"\0\1\0\2"),
        (ctypes.c_uint32(7), b"\7\0\0\0"),
        (b"", b""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_buffer_protocol_says_what_is_written(data: Any, expected: bytes) -> None:
    memory = wasmcore.Memory(1)
    memory.write(3, data)
    assert memory.read(0, PAGE) == (b"\0\0\0" + expected).ljust(PAGE, b"\0")
    memory.write(PAGE - len(expected), data)
    with pytest.raises(IndexError):
        memory.write(PAGE - len(expected) + 1, data)


def test_a_view_of_the_same_memory_is_written() -> None:
    memory = wasmcore.Memory(1)
    memory.write(0, bytes(range(200)))
    memory.write(10, memory.view()[:100])
    assert memory.read(0, 110) == bytes(range(10)) + bytes(range(100))


@pytest.mark.parametrize("data", [5, "text", None, [1, 2], object()])
def test_what_has_no_bytes_is_refused(data: Any) -> None:
    with pytest.raises(TypeError, match=f"buffer protocol expected, got {type(data).__name__}"):
        wasmcore.Memory(1).write(0, data)


class Index:
    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


@GUARDS
def test_bounds_of_read_and_write(guarded: bool | None) -> None:
    memory = wasmcore.Memory(1, 2, guarded=guarded)
    for offset, size in ((0, PAGE + 1), (PAGE, 1), (-1, 1), (0, -1), (5, 1 << 70), (1 << 70, 1), (-(1 << 70), 1), (1 << 63, 1 << 63)):
        with pytest.raises(IndexError):
            memory.read(offset, size)
    for offset in (PAGE, -1, 1 << 70, 1 << 64):
        with pytest.raises(IndexError):
            memory.write(offset, b"x")
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError):
            memory.read(wrong, 1)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            memory.write(wrong, b"")  # type: ignore[arg-type]
    memory.write(Index(7), b"x")  # type: ignore[arg-type]
    assert memory.read(Index(7), Index(1)) == b"x"  # type: ignore[arg-type]
    assert memory.read(PAGE, 0) == b""


@GUARDS
def test_a_memory_of_nothing(guarded: bool | None) -> None:
    memory = wasmcore.Memory(0, 1, guarded=guarded)
    assert memory.size == len(memory) == len(memory.view()) == 0 and memory.read(0, 0) == b""
    with pytest.raises(IndexError):
        memory.read(0, 1)
    assert protection_of(memory, 0) == "---p"
    assert memory.grow(1) == 0 and protection_of(memory, 0) == "rw-p"
    with pytest.raises(MemoryError):
        memory.grow(1)
    assert not any(memory.view())


def protection_of(owner: Any, offset: int) -> str:
    """What `/proc/self/maps` says of a byte, counted from the last one there may be where that is negative."""
    space = owner._space
    address = space.address + (offset if offset >= 0 else space.capacity * space._width + offset)
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            if start <= address < end:
                return line.split()[1]
    return "unmapped"


@GUARDS
def test_views_stay_true(guarded: bool | None) -> None:
    memory = wasmcore.Memory(1, 10, guarded=guarded)
    view = memory.view()
    for pages in (1, 0, 3):
        memory.grow(pages)
        memory.write(0, bytes([memory.size]))
        assert view[0] == memory.size and len(view) == PAGE and len(memory.view()) == len(memory)
        view[1] = 77
        assert memory.read(1, 1) == b"\x4d"
        view[1] = 0


def test_limits() -> None:
    for wrong in ((-1, None), (2, 1), (65537, None), (1, 65537)):
        with pytest.raises(ValueError, match="there can be 0 to 65536 pages|less than the minimum"):
            wasmcore.Memory(*wrong)
    for wrong in ((-1, None), (2, 1), (1, 1 << 32)):
        with pytest.raises(ValueError, match="there can be 0 to 4294967295 elements|less than the minimum"):
            wasmcore.Table(*wrong)
    with pytest.raises(MemoryError, match="limit is 10000000"):
        wasmcore.Table(MAXIMUM_ELEMENTS + 1)
    with pytest.raises(ValueError, match="can not shrink"):
        wasmcore.Memory(1).grow(-1)
    with pytest.raises(ValueError, match="can not shrink"):
        wasmcore.Table(1).grow(-1)
    with pytest.raises(MemoryError, match="its maximum is 2"):
        wasmcore.Memory(1, 2).grow(1 << 70)
    with pytest.raises(MemoryError, match="its maximum is 2"):
        wasmcore.Table(1, 2).grow(2)
    with pytest.raises(MemoryError, match="limit is 10000000"):
        wasmcore.Table(1, 2).grow(1 << 70)


def test_memories_of_64_bits() -> None:
    large = new_memory(MemoryType(Limits(70_000, index64=True)))
    large.write(len(large) - 1, b"\7")
    assert len(large) == 70_000 * PAGE and large.view()[-1] == 7 and large.grow(1) == 70_000
    with pytest.raises(MemoryError):
        new_memory(MemoryType(Limits(1 << 48, index64=True)))
    with pytest.raises(MemoryError):
        large.grow(1 << 40)
    small = new_memory(MemoryType(Limits(1, 1 << 48, index64=True)))
    assert small.grow(70_000) == 1


def test_pages_of_one_byte() -> None:
    memory = new_memory(MemoryType(Limits(3), 0))
    assert len(memory) == 3 and not memory.guarded
    memory.write(0, b"abc")
    with pytest.raises(IndexError):
        memory.read(3, 1)
    assert memory.grow(2) == 3 and memory.read(0, 5) == b"abc\0\0" and len(memory.view()) == 5
    assert memory.grow(4096) == 5 and not any(memory.view()[3:])


def test_elements_of_tables() -> None:
    first, second = wasmcore.Func([], [], print), wasmcore.Func([], [], len)
    for maximum in (10, 1000, None):
        table = wasmcore.Table(3, maximum, initial=first)
        assert table.grow(2, second) == 3 and table.grow(3) == 5 and table.grow(0, second) == 8
        assert list(table) == [first] * 3 + [second] * 2 + [None] * 3
        assert len(table) == table.type.limits.minimum == 8
        for wrong in (8, -1, 1 << 70):
            with pytest.raises(IndexError):
                table[wrong]
        table[Index(7)] = first  # type: ignore[index]
        assert table[7] is first


def test_a_table_of_what_is_never_null() -> None:
    function = wasmcore.Func([], [], print)
    with pytest.raises(TypeError, match="expected, got None"):
        wasmcore.Table(1, element=7)
    table = wasmcore.Table(1, element=7, initial=function)
    with pytest.raises(TypeError, match="expected, got None"):
        table.grow(1)
    assert table[0] is function


@pytest.mark.parametrize("element", ["i32", 3, 5, -1, 8 * 13 + 6, 8 * (1 << 40) + 6, 10**30, 6.0, None, "nothing"])
def test_elements_that_are_no_references(element: Any) -> None:
    with pytest.raises(ValueError, match="no (value type|type of references)"):
        wasmcore.Table(1, element=element)


@pytest.mark.parametrize("words", [0, 1, 2, 3, 4, 5, 7, 8, 9, 1000])
def test_filling(words: int) -> None:
    cells = (ctypes.c_uint64 * 1001)()
    assert platform.at_once(platform.filling(ctypes.addressof(cells), 0x123456789ABCDEF0, words))
    assert list(cells) == [0x123456789ABCDEF0] * words + [0] * (1001 - words)


GROWING: dict[str, Callable[[], Any]] = {
    "guarded": lambda: wasmcore.Memory(1, 10),
    "checked": lambda: wasmcore.Memory(1, 10, guarded=False),
    "64 bits": lambda: new_memory(MemoryType(Limits(1, index64=True))),
    "small table": lambda: wasmcore.Table(1, 100, element=EXTERNREF),
    "large table": lambda: wasmcore.Table(1, element=EXTERNREF),
}


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_every_refusal_of_making(make: Callable[[], Any]) -> None:
    resources.collect()
    with platform.Refusal(0) as all_of_them:
        make()
    for number in range(1, all_of_them.requests + 1):
        resources.collect()
        with platform.Refusal(number) as refusal:
            try:
                made = make()
            except MemoryError:
                pass
            else:
                assert made.grow(1) == 1, "it did without"
                del made
            resources.collect()
        assert not refusal.held
    assert len(make()) >= 1


def many(grown: Any) -> int:
    """So many elements more need another page, where there are pages."""
    return 600 if grown._space.capacity == MAXIMUM_ELEMENTS else 1


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_every_refusal_of_growing(make: Callable[[], Any]) -> None:
    grown = make()
    with platform.Refusal(0) as all_of_them:
        grown.grow(many(grown))
    assert all_of_them.requests == (grown._space.capacity != 100)
    for number in range(1, all_of_them.requests + 1):
        grown = make()
        length, before = len(grown), protection_of(grown, -1)
        with platform.Refusal(number), pytest.raises(MemoryError, match="can not grow by .*: the system has no memory for it"):
            grown.grow(many(grown))
        assert len(grown) == length and protection_of(grown, -1) == before == "---p"
        assert grown.grow(many(grown)) == 1


def test_a_filling_that_fails_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    table = wasmcore.Table(1, 100)
    copy_bytes, calls = platform._memmove, 0

    def fail(*arguments: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        copy_bytes(*arguments)

    monkeypatch.setattr(platform, "_memmove", fail)
    with pytest.raises(MemoryError):
        table.grow(10, wasmcore.Func([], [], print))
    assert len(table) == 1 and table.grow(20) == 1 and list(table) == [None] * 21


VALUE = object()


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_an_interrupt_at_every_bytecode_of_growing(make: Callable[[], Any]) -> None:
    elements = many(make())
    value = () if isinstance(make(), wasmcore.Memory) else (VALUE,)
    number = 1
    before = after = 0
    while True:
        grown = make()
        length = len(grown)
        reached = interrupted(number, partial(grown.grow, elements, *value))
        if len(grown) == length:
            before += 1
            assert grown.grow(elements, *value) == 1, "as it was"
        else:
            after += 1
        assert len(grown) - length == elements * (PAGE if not value else 1)
        assert not any(grown.view()) if not value else list(grown) == [None] + [VALUE] * elements
        if not reached:
            break
        number += 1
    assert before > 20 and after > 1


@GUARDS
def test_threads_that_grow_one_memory(guarded: bool | None) -> None:
    memory = wasmcore.Memory(0, 4000, guarded=guarded)
    table = wasmcore.Table(0, element=EXTERNREF)
    befores: list[int] = []

    def grow() -> None:
        for _ in range(500):
            befores.append(memory.grow(1))
            table.grow(1, befores)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=grow) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sorted(befores) == list(range(2000)) and memory.size == len(table) == 2000
    assert all(element is befores for element in table)


class MyMemory(wasmcore.Memory):
    pass


UNIQUE = [
    wasmcore.Memory(1),
    MyMemory(1),
    wasmcore.Table(1),
    wasmcore.Global("i32", 1),
    wasmcore.Func([], [], print),
    wasmcore.Tag(["i32"]),
]


@pytest.mark.parametrize("owner", UNIQUE, ids=lambda owner: type(owner).__name__)
def test_what_owns_native_memory_is_there_once(owner: Any) -> None:
    attempts: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, pickle.dumps, lambda owner: copy.deepcopy([owner])]
    attempts += [lambda owner, protocol=protocol: pickle.dumps(owner, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for attempt in attempts:
        with pytest.raises(TypeError, match=f"{type(owner).__name__} can not be copied or pickled: "):
            attempt(owner)
    arguments = {"Func": ([], [], print), "Global": ("i64", 5), "Tag": (["f32"],)}.get(type(owner).__name__, (5,))
    with pytest.raises(TypeError, match="is there already"):
        owner.__init__(*arguments)


@pytest.mark.parametrize("owner", UNIQUE, ids=lambda owner: type(owner).__name__)
def test_objects_are_read_only(owner: Any) -> None:
    public = [name for name in dir(owner) if not name.startswith("_")]
    for name in public:
        if name != "value" and not isinstance(owner, MyMemory):
            with pytest.raises(AttributeError):
                setattr(owner, name, 5)
    assert "type" in public

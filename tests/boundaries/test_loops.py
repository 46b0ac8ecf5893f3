"""Loops that run over boundaries of memories, which compilers may check once for all iterations, compared with a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ..differential import module_builder as binary
from .model import POINTS, MemoryKind, offsets
from .programs import MODES, OUT_OF_BOUNDS, Program, immediates, index_constant
from .test_accesses import LAYOUTS

PART = 7
"""The fast run takes one in so many offsets."""
COUNTS = (1, 40)
STRIDES = (1, 8, 24, -1, -8)


class Width(NamedTuple):
    """A load, an addition of 1 and a store."""

    size: int
    load: bytes
    add: bytes
    store: bytes


WIDTHS = (Width(1, b"\x2d", b"\x41\x01\x6a", b"\x3a"), Width(8, b"\x29", b"\x42\x01\x7c", b"\x37"))


class Loop(NamedTuple):
    """For each of some addresses, one stride behind the other: add 1 to what is there."""

    width: Width
    memory: int
    offset: int
    stride: int

    def code(self, memory: MemoryKind) -> tuple[binary.FunctionType, bytes]:
        """A function of the first address and the number of iterations."""
        place = immediates(self.memory, self.offset)
        width = self.width
        code = b"\x03\x40\x20\x00\x20\x00" + width.load + place + width.add + width.store + place
        code += b"\x20\x00" + index_constant(memory, self.stride) + (b"\x7c" if memory.index64 else b"\x6a") + b"\x21\x00"
        code += b"\x20\x02\x41\x01\x6a\x22\x02\x20\x01\x49\x0d\x00\x0b"
        return ((binary.I64 if memory.index64 else binary.I32, binary.I32), ()), code

    def starts(self, memory: MemoryKind, count: int) -> list[int]:
        """First addresses, such that the loop begins, ends or is in the middle at a boundary."""
        way = (count - 1) * self.stride
        points = {*POINTS, memory.length}
        near = {point + distance - part for point in points for part in (0, way // 2, way) for distance in (-self.width.size, -1, 0, 1)}
        return sorted(each for each in near | {each - self.offset for each in near} if 0 <= each < memory.limit)


def loops(memories: tuple[MemoryKind, ...], part: int, first: int) -> Iterator[Loop]:
    """The loops of a program."""
    number = first
    for index, memory in enumerate(memories):
        for width in WIDTHS:
            for stride in STRIDES:
                number += 1
                for offset in offsets(memory, width.size)[number % part :: part]:
                    yield Loop(width, index, offset, stride)


def after(program: Program, loop: Loop, start: int, count: int) -> tuple[str | None, dict[int, tuple[int, bytearray]]]:
    """The trap, and by how often the address has wrapped around: where what may be changed begins, and what is there afterwards."""
    memory, contents, size = program.memories[loop.memory], program.contents[loop.memory], loop.width.size
    ends = [start + loop.offset, start + loop.offset + (count - 1) * loop.stride]
    touched: dict[int, tuple[int, bytearray]] = {}
    for number in range(count):
        turn, address = divmod(start + number * loop.stride, memory.limit)
        if not memory.holds(address, loop.offset, size):
            return OUT_OF_BOUNDS, touched
        if turn not in touched:
            low = max(min(ends) - turn * memory.limit, 0)
            high = min(max(ends) + size - turn * memory.limit, memory.length)
            touched[turn] = low, bytearray(contents.read(low, high - low))
        low, now = touched[turn]
        at = address + loop.offset - low
        value = int.from_bytes(now[at : at + size], "little") + 1
        now[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
    return None, touched


def run_loop(program: Program, name: str, loop: Loop, start: int, count: int) -> None:
    """One call, beside the model."""
    wanted, touched = after(program, loop, start, count)
    trap, _ = program.outcome(name, (start, count))
    what = f"{loop} {tuple(program.memories[loop.memory])} from {start:#x}, {count} times"
    if trap != wanted:
        program.differs(f"{what}: {trap or 'no trap'}")
    for low, now in touched.values():
        program.check_written(loop.memory, low, bytes(now), what)


def check(backend: str, layout: str, mode: str, part: int) -> None:
    """Run a layout's loops."""
    memories = LAYOUTS[layout]
    program = Program(memories)
    named = []
    for loop in loops(memories, part, list(LAYOUTS).index(layout) + list(MODES).index(mode)):
        signature, code = loop.code(memories[loop.memory])
        named.append((program.add(signature, code, (binary.I32,)), loop))
    program.instantiate(backend, mode)
    for name, loop in named:
        for count in COUNTS:
            for start in loop.starts(memories[loop.memory], count):
                run_loop(program, name, loop, start, count)
        program.check_untouched(str(loop))
    program.check()
    assert named


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_loops(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, PART)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_loops(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, 1)

"""Bulk operations on memories at every boundary, compared with a model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from wasmcore.opcodes import OPCODES, Immediates

from ..differential import module_builder as binary
from .model import POINTS, MemoryKind
from .programs import MODES, OUT_OF_BOUNDS, SEGMENT, Program, index_constant
from .test_accesses import LAYOUTS

PART = 7
"""The fast run takes one in so many calls."""
CONSTANT = 50
"""One in so many calls has a function of its own, with constant operands."""
_FILL, _COPY, _INIT = "memory.fill", "memory.copy", "memory.init"
_BYTE = 0xA5
_MOST_BYTES = 1 << 17
"""What is larger and inside of the memory is left out: it would touch all of it."""

Call = tuple[str, tuple[int, ...], tuple[int, ...]]
"""Instruction, memories, operands."""


def sizes(limit: int) -> list[int]:
    """Numbers of bytes."""
    found = {0, 1, 2, 16, 17, 4096, 65536, *(point + distance for point in POINTS[3:] for distance in (-1, 0, 1))}
    return sorted(each for each in found if 0 <= each < limit)


def places(memory: MemoryKind, size: int) -> list[int]:
    """Where a range of so many bytes begins."""
    points = {*POINTS, memory.length}
    found = {point + distance for point in points for distance in (-size - 1, -size, -size + 1, -1, 0, 1)}
    return sorted(each for each in found if 0 <= each < memory.limit)


def index(memory: MemoryKind) -> int:
    """Type of the addresses."""
    return binary.I64 if memory.index64 else binary.I32


def signature(memories: tuple[MemoryKind, ...], name: str, chosen: tuple[int, ...]) -> tuple[int, ...]:
    """Types of the operands: to, from or byte, size."""
    to = index(memories[chosen[0]])
    if name == _FILL:
        return to, binary.I32, to
    if name == _INIT:
        return to, binary.I32, binary.I32
    source = index(memories[chosen[1]])
    return to, source, to if to == source else binary.I32


def instruction(name: str, chosen: tuple[int, ...]) -> bytes:
    """The instruction with its immediates."""
    if name == _FILL:
        return b"\xfc\x0b" + bytes([chosen[0]])
    return (b"\xfc\x0a" if name == _COPY else b"\xfc\x08\x00") + bytes(chosen)


def all_calls(memories: tuple[MemoryKind, ...]) -> Iterator[Call]:
    """All calls of all instructions."""
    for number, memory in enumerate(memories):
        for size in sizes(memory.limit):
            for to in places(memory, size):
                yield _FILL, (number,), (to, _BYTE, size)
        for size in sizes(1 << 32):
            for source in (0, 1, len(SEGMENT) - size, len(SEGMENT) - 1, len(SEGMENT), len(SEGMENT) + 1, 1 << 31, (1 << 32) - 1):
                if source >= 0:
                    for to in (*places(memory, size)[::3], 0):
                        yield _INIT, (number,), (to, source, size)
        for other, from_memory in enumerate(memories):
            for size in sizes(min(memory.limit, from_memory.limit)):
                for to, source in itertools.product(places(memory, size)[::2], places(from_memory, size)[::3]):
                    yield _COPY, (number, other), (to, source, size)


def expected(program: Program, call: Call) -> bytes | None:
    """What is written at the first operand; None for a trap."""
    name, chosen, (to, middle, size) = call
    if to + size > program.memories[chosen[0]].length:
        return None
    if name == _FILL:
        return bytes([middle & 0xFF]) * size
    if middle + size > (len(SEGMENT) if name == _INIT else program.memories[chosen[1]].length):
        return None
    return SEGMENT[middle : middle + size] if name == _INIT else program.contents[chosen[1]].read(middle, size)


def too_large(memories: tuple[MemoryKind, ...], call: Call) -> bool:
    """Whether a call would touch very much."""
    name, chosen, (to, middle, size) = call
    inside = to + size <= memories[chosen[0]].length and (name != _COPY or middle + size <= memories[chosen[1]].length)
    return size > _MOST_BYTES and inside


def check(backend: str, layout: str, mode: str, step: int) -> None:
    """Make one in `step` calls, some of them with constant operands."""
    memories = LAYOUTS[layout]
    program = Program(memories)
    named: dict[tuple[str, tuple[int, ...]], str] = {}
    calls: list[tuple[Call, str, tuple[int, ...]]] = []
    for number, call in enumerate(itertools.islice((each for each in all_calls(memories) if not too_large(memories, each)), 0, None, step)):
        name, chosen, operands = call
        types = signature(memories, name, chosen)
        if number % CONSTANT == 0:
            wide = (MemoryKind(False, 16, 1), MemoryKind(True, 16, 1))
            constants = b"".join(index_constant(wide[each == binary.I64], operand) for each, operand in zip(types, operands))
            calls.append((call, program.add(((), ()), constants + instruction(name, chosen)), ()))
            continue
        if (name, chosen) not in named:
            named[name, chosen] = program.add((types, ()), b"\x20\x00\x20\x01\x20\x02" + instruction(name, chosen))
        calls.append((call, named[name, chosen], operands))
    program.instantiate(backend, mode)
    for call, function, arguments in calls:
        compare(program, call, function, arguments)
    program.check_untouched("all of it")
    program.check()
    assert len(calls) > 1000


def compare(program: Program, call: Call, function: str, arguments: tuple[Any, ...]) -> None:
    """One call."""
    wanted = expected(program, call)
    trap, _ = program.outcome(function, arguments)
    what = (
        f"{call[0]} of {[tuple(program.memories[each]) for each in call[1]]}, {[hex(each) for each in call[2]]}, {len(arguments)} arguments"
    )
    if trap != (OUT_OF_BOUNDS if wanted is None else None):
        program.differs(f"{what}: {trap or 'no trap'}")
    if trap is None and wanted:
        program.check_written(call[1][0], call[2][0], wanted, what)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bulk(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, PART)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_of_bulk(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, 1)


def test_every_instruction_on_ranges_is_here() -> None:
    kinds = (Immediates.MEMORY, Immediates.MEMORY_MEMORY, Immediates.DATA_MEMORY)
    names = {opcode.name for opcode in OPCODES.values() if opcode.immediates in kinds}
    assert names == {_FILL, _COPY, _INIT, "memory.size", "memory.grow"}

"""Active data segments: many are put together before they are copied, and nobody may notice."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from wasmcore.binary.segments import ACTIVE, COMPUTED, PASSIVE, ConstantExpression, DataSegments
from wasmcore.runtime.instances.active_data import copy_active

DATA = bytes(range(1, 251)) * 80
SIZES = (30_000, 70_000)
"""Of an imported memory, and of one of the module."""

small = st.integers(0, 40)
size = st.one_of(small, small, small, st.integers(4090, 9000))
step = st.one_of(small, small, st.integers(-300, 300), st.integers(0, 70_000))
segment = st.tuples(st.sampled_from((ACTIVE, ACTIVE, ACTIVE, PASSIVE, COMPUTED)), st.integers(0, 1), step, st.integers(0, 9000), size)


def plainly(segments: list[tuple[int, int, int, int, int]], memories: list[bytearray]) -> int:
    """What the specification says, one segment after the other."""
    for number, (mode, memory, to, start, end) in enumerate(segments):
        if mode != PASSIVE:
            if to + end - start > len(memories[memory]):
                return number
            memories[memory][to : to + end - start] = DATA[start:end]
    return len(segments)


@settings(max_examples=300, deadline=None)
@given(st.lists(segment, max_size=40), st.booleans())
def test_copied_as_if_one_by_one(choices: list[tuple[int, int, int, int, int]], ends_soon: bool) -> None:
    at = [0, 0]
    segments = []
    for mode, memory, distance, start, length in choices:
        to = max(0, at[memory] + distance)
        if not ends_soon and to + length > SIZES[memory]:
            to = distance & 31
        segments.append((mode, memory, to, start, start + length))
        at[memory] = to + length
    expected = [bytearray(b"\7" * SIZES[0]), bytearray(SIZES[1])]
    found = [bytearray(memory) for memory in expected]
    rows = []
    offsets: list[int] = []
    for mode, memory, to, start, end in segments:
        value = to
        if mode == COMPUTED:
            value = len(offsets)
            offsets.append(to)
        rows.append(struct.pack("<7i", mode, memory, 0, 0, value, start, end))
    expressions = [ConstantExpression(number, 0, ()) for number in range(len(offsets))]
    packed = DataSegments(b"".join(rows), tuple(expressions))
    copied = copy_active(packed, DATA, [memoryview(each) for each in found], 1, lambda expression: offsets[expression.start])
    assert copied == plainly(segments, expected)
    assert found == expected


def test_an_address_beyond_every_integer() -> None:
    """Offsets of 64-bit memories are unsigned."""
    rows = struct.pack("<7i", COMPUTED, 0, 0, 0, 0, 0, 0)
    memory = bytearray(10)
    for address, copied in ((10, 1), (11, 0), ((1 << 64) - 1, 0), (1 << 63, 0)):
        segments = DataSegments(rows, (ConstantExpression(0, 0, ()),))
        assert copy_active(segments, DATA, [memoryview(memory)], 0, lambda expression, address=address: address) == copied


def test_segments_are_a_sequence() -> None:
    expression = ConstantExpression(20, 25, ((0x23, 1),))
    rows = [(ACTIVE, 1, 3, 6, -1, 8, 9), (PASSIVE, 0, 10, 10, 0, 12, 12), (ACTIVE | COMPUTED, 2, 20, 25, 0, 27, 40)]
    segments = DataSegments(b"".join([struct.pack("<7i", *row) for row in rows]), (expression,))
    assert [(each.mode, each.memory, each.start, each.end) for each in segments] == [(0, 1, 8, 9), (1, 0, 12, 12), (0, 2, 27, 40)]
    first, second, third = segments
    assert first.offset is not None and second.offset is None and third.offset is expression
    assert (first.offset.start, first.offset.end, first.offset.operations) == (3, 6, ((0x41, -1),))

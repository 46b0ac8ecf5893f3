"""Loads, stores and bulk operations of a program: memories of both index types and of small pages."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

from .module_builder import I32, I64, V128, unsigned
from .operators import ATOMIC_STORES, ATOMICS, LANE_LOADS, LANE_STORES, LOADS, STORES, Access
from .tree import Node
from .values import constant

if TYPE_CHECKING:
    from .generator import FunctionGenerator

PAGE = 65536
GROWTH = (0, 1, 1, 2, 65536, -1)


class MemoryKind(NamedTuple):
    """A memory of a program."""

    index64: bool
    page_size_log2: int
    minimum: int
    maximum: int

    @property
    def index(self) -> int:
        """The type of its addresses."""
        return I64 if self.index64 else I32

    @property
    def size(self) -> int:
        """Bytes it begins with."""
        return self.minimum << self.page_size_log2


FIRST_MEMORY = MemoryKind(False, 16, 1, 3)
OTHER_MEMORIES = (
    MemoryKind(True, 16, 1, 3),
    MemoryKind(False, 16, 1, 2),
    MemoryKind(False, 0, 5000, 6000),
    MemoryKind(True, 0, 4096, 4200),
)


def random_memories(random: Random, proposals: bool) -> list[MemoryKind]:
    """Most programs have one memory; small pages are a proposal."""
    others = OTHER_MEMORIES if proposals else [memory for memory in OTHER_MEMORIES if memory.page_size_log2 == 16]
    first = FIRST_MEMORY if random.random() < 0.9 else random.choice(others)
    return [first, *(random.choice(others) for _ in range(random.randint(1, 4) if random.random() < 0.3 else 0))]


def index_value(g: FunctionGenerator, index: int, depth: int, mask: int) -> Node:
    """An address or a size of some bits."""
    return Node((index,), [g.value(index, depth), constant(index, mask), b"\x71" if index == I32 else b"\x83"])


def address(g: FunctionGenerator, depth: int) -> tuple[Node, bytes]:
    """An address, and the encoded memory, alignment and offset; most are near the start of the memory, some at its end."""
    number = g.random.randrange(len(g.program.memories))
    memory = g.program.memories[number]
    start = b"\x40" + unsigned(number) if number else b"\x00"
    chance = g.random.random()
    if chance < 0.92:
        mask = g.random.choice((0xFF, 0x1F8, 0x3FF, memory.size - 1 if memory.page_size_log2 else 0x7FF))
        offset = g.random.choice((0, 0, 0, 1, 4, 8, 60, 300))
        return index_value(g, memory.index, depth, mask), start + unsigned(offset if mask < 0x1000 else 0)
    if chance < 0.985:
        offset = g.random.choice((0, 8, 100, memory.size - 4, memory.size - 1))
        at = memory.size - g.random.randint(1, 24) - offset
        return Node((memory.index,), [constant(memory.index, at)]), start + unsigned(offset)
    offsets = (0, 1, PAGE, 2**31, 2**31 - 16, 2**32 - 1, *((2**32, 2**40, 2**63, 2**64 - 1) if memory.index64 else ()))
    return g.value(memory.index, depth), start + unsigned(g.random.choice(offsets))


def load(g: FunctionGenerator, value_type: int, depth: int) -> Node:
    """Any load of a type."""
    place, argument = address(g, depth)
    return Node((value_type,), [place, g.random.choice(LOADS[value_type]).code, argument])


def store(g: FunctionGenerator, depth: int) -> Node:
    """Any store."""
    chosen = g.random.choice([access for access in STORES if access.value in g.program.kinds])
    place, argument = address(g, depth)
    return Node((), [place, g.exact(chosen.value, depth), chosen.code, argument])


def lane(g: FunctionGenerator, access: Access) -> bytes:
    """A lane for an access."""
    return bytes([g.random.randrange(16 // access.width)])


def load_lane(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """A load of one lane."""
    chosen = g.random.choice(LANE_LOADS)
    place, argument = address(g, depth)
    return Node((V128,), [place, g.value(V128, depth), chosen.code, argument, lane(g, chosen)])


def store_lane(g: FunctionGenerator, depth: int) -> Node:
    """A store of one lane."""
    chosen = g.random.choice(LANE_STORES)
    place, argument = address(g, depth)
    return Node((), [place, g.value(V128, depth), chosen.code, argument, lane(g, chosen)])


def atomic_address(g: FunctionGenerator, depth: int, logarithm: int) -> tuple[Node, bytes]:
    """An address that is aligned, and the encoded memory, alignment and offset."""
    number = g.random.randrange(len(g.program.memories))
    memory = g.program.memories[number]
    start = bytes([0x40 | logarithm]) + unsigned(number) if number else bytes([logarithm])
    place = index_value(g, memory.index, depth, 0x1F8)
    return place, start + unsigned(8 * g.random.choice((0, 0, 1, 3, 40, PAGE)))


def atomic(g: FunctionGenerator, value_type: int, depth: int) -> Node | None:
    """An atomic load, update or exchange, where the program has them."""
    if not g.program.proposals:
        return None
    chosen = g.random.choice([each for each in ATOMICS if each.value == value_type])
    place, argument = atomic_address(g, depth, chosen.logarithm)
    return Node((value_type,), [place, *(g.value(value_type, depth) for _ in range(chosen.operands)), chosen.code, argument])


def atomic_store(g: FunctionGenerator, depth: int) -> Node | None:
    """An atomic store or a fence, where the program has them."""
    if not g.program.proposals:
        return None
    if g.chance(0.2):
        return Node((), [b"\xfe\x03\x00"])
    chosen = g.random.choice(ATOMIC_STORES)
    place, argument = atomic_address(g, depth, chosen.logarithm)
    return Node((), [place, g.value(chosen.value, depth), chosen.code, argument])


def size_or_growth(g: FunctionGenerator, value_type: int, _depth: int) -> Node | None:
    """memory.size and memory.grow of a memory with this index type."""
    found = [number for number, memory in enumerate(g.program.memories) if memory.index == value_type]
    if not found:
        return None
    number = unsigned(g.random.choice(found))
    if g.chance(0.8):
        return Node((value_type,), [b"\x3f", number])
    return Node((value_type,), [constant(value_type, g.random.choice(GROWTH)), b"\x40", number])


def bulk(g: FunctionGenerator, depth: int) -> Node:
    """memory.fill, memory.copy, memory.init and data.drop."""
    number = g.random.randrange(len(g.program.memories))
    index = g.program.memories[number].index
    length = g.random.choice((0, 1, 3, 8, 17, 40, PAGE + 1 if g.chance(0.05) else 5))
    start = index_value(g, index, depth, 0xFFF)
    chance = g.random.random()
    if chance < 0.35:
        return Node((), [start, g.value(I32, depth), constant(index, length), b"\xfc\x0b", unsigned(number)])
    if chance < 0.7:
        source = g.random.randrange(len(g.program.memories))
        source_index = g.program.memories[source].index
        shorter = I64 if index == source_index == I64 else I32
        return Node(
            (),
            [start, index_value(g, source_index, depth, 0xFFF), constant(shorter, length), b"\xfc\x0a", unsigned(number), unsigned(source)],
        )
    passive = unsigned(len(g.program.memories))
    if chance < 0.95:
        return Node((), [start, constant(I32, g.random.randrange(30)), constant(I32, length), b"\xfc\x08", passive, unsigned(number)])
    return Node((), [b"\xfc\x09", passive])

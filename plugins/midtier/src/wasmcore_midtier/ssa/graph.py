"""A function in SSA form: values in blocks, blocks with parameters.

A value is a number. What it is stands in lists of the graph, all indexed by that number: its operation, the machine class of its result,
its operands. Most operations are opcodes of the stream; the others are those below. A value is *pure* if it may be computed at any time,
any number of times, or not at all; all others stay in the order of the program.

A block ends with one of five things: a jump, a branch on a condition, a table of branches, a return, or nothing that comes back. Each
way to another block is an edge, with an argument for each parameter of that block. Blocks stand in the order of the program, so a loop
is a run of them that begins with its head.
"""

from __future__ import annotations

from typing import Final

NO_VALUE: Final = -1

# Operations that are no opcodes of the stream.
PARAMETER: Final = 0x700
"""Of a block."""
ARGUMENT: Final = 0x701
"""Of the function; immediate: its number."""
RESULT: Final = 0x702
"""a: a call; immediate: which of its results, from 1 on. The first is the call itself."""

I32_CONST: Final = 0x41
I64_CONST: Final = 0x42
F32_CONST: Final = 0x43
F64_CONST: Final = 0x44
CONSTANTS: Final = frozenset((I32_CONST, I64_CONST, F32_CONST, F64_CONST))

# How a block ends.
JUMP: Final = 0
BRANCH: Final = 1
"""`value` is the condition; the first edge is for what is not 0."""
TABLE: Final = 2
"""`value` is the index; the last edge is for all that is beyond."""
RETURN: Final = 3
UNREACHABLE: Final = 4
"""What the last value does never comes back."""


class Edge:
    """A way from one block to another."""

    def __init__(self, source: int, target: int, arguments: list[int]) -> None:
        self.source = source
        self.target = target
        self.arguments = arguments


class Block:
    """Values in order, and where it goes from there."""

    def __init__(self, number: int, loop: int) -> None:
        self.number = number
        self.loop = loop
        """The innermost loop that it is in, -1 for none."""
        self.word = 0
        """The word of the stream that it begins at."""
        self.params: list[int] = []
        self.values: list[int] = []
        self.end = UNREACHABLE
        self.value = NO_VALUE
        self.results: list[int] = []
        """What is returned."""
        self.edges: list[Edge] = []
        self.incoming: list[Edge] = []


class Loop:
    """A run of blocks."""

    def __init__(self, outer: int, depth: int, head: int) -> None:
        self.outer = outer
        """The loop around it, -1 for none."""
        self.depth = depth
        self.head = head
        """Its first block. The block that falls into it is the one before."""
        self.last = head
        """Its last block."""
        self.has_calls = False


class Graph:
    """A function."""

    def __init__(self) -> None:
        self.operation: list[int] = []
        self.machine_class: list[int] = []
        """Of the result; 0: none."""
        self.a: list[int] = []
        self.b: list[int] = []
        self.c: list[int] = []
        self.immediate: list[int] = []
        self.block: list[int] = []
        self.word: list[int] = []
        """The word of the stream that it was made from."""
        self.operands: dict[int, list[int]] = {}
        """Of calls, all of them."""
        self.results: dict[int, list[int]] = {}
        """Of calls with several results: the values of all of them."""
        self.blocks: list[Block] = []
        self.loops: list[Loop] = []

    def add(self, block: int, operation: int, machine_class: int, a: int, b: int, c: int, immediate: int, word: int) -> int:
        """A new value, which still has to be put in its place."""
        value = len(self.operation)
        self.operation.append(operation)
        self.machine_class.append(machine_class)
        self.a.append(a)
        self.b.append(b)
        self.c.append(c)
        self.immediate.append(immediate)
        self.block.append(block)
        self.word.append(word)
        return value

    def operands_of(self, value: int) -> list[int]:
        """All operands of a value."""
        found = self.operands.get(value)
        if found is not None:
            return found
        return [operand for operand in (self.a[value], self.b[value], self.c[value]) if operand >= 0]

    def uses_of(self, block: Block) -> list[int]:
        """What the end of a block uses, arguments of its edges included."""
        found = [block.value] if block.value >= 0 else []
        found += block.results
        for edge in block.edges:
            found += edge.arguments
        return found

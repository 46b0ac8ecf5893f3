"""A function in SSA form: values in blocks, blocks with parameters.

Values, blocks, edges and loops are numbers; what they are stands in arrays of the graph. A value has an operation, the machine class of its
result, and operands. Most operations are opcodes of the stream; the others are those below. A value is *pure* if it may be computed at any
time, any number of times, or not at all; all others stay in the order of the program. Constants stand in no block.

A block ends with one of five things: a jump, a branch on a condition, a table of branches, a return, or nothing that comes back. Each way
to another block is an edge, with an argument for each parameter of that block; the edges of a block are consecutive. Blocks stand in the
order of the program, so a loop is a run of them that begins with its head.

Lists of values (operands of calls, parameters, arguments, results) are runs of the *pool*.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, vec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NONE: Final = -1
"""No value, edge or loop."""

# Operations that are no opcodes of the stream.
PARAMETER: Final = 0x700
"""Of a block; immediate: its number."""
ARGUMENT: Final = 0x701
"""Of the function; immediate: its number."""
RESULT: Final = 0x702
"""a: a call; immediate: which of its results, from 1 on. The first is the call itself."""
CALL: Final = 0x10
CALL_INDIRECT: Final = 0x11
VECTOR_CONSTANT: Final = 0x20C
SHUFFLE: Final = 0x20D
"""The immediate of both is the number of their bits, as `Graph.pattern` gives it."""
MEMORY_GROW: Final = 0x40
MEMORY_COPY: Final = 0x10A
MEMORY_FILL: Final = 0x10B
"""Of memory 0; a, b, c: to, from or byte, how many bytes."""
"""Operands of calls: b, the start of a run of the pool, and c, how many. The index of an indirect call is the last; its immediate is the
table, above the type."""

# How a block ends.
JUMP: Final = 0
BRANCH: Final = 1
"""Its value is the condition; the first edge is for what is not 0."""
TABLE: Final = 2
"""Its value is the index; the last edge is for all that is beyond."""
RETURN: Final = 3
UNREACHABLE: Final = 4
"""What the last value does never comes back."""

_NEAR: Final = 64
"""Among so many constants of 128 bits an equal one is looked for."""


class Graph:
    """A function; used for one after the other."""

    def __init__(self) -> None:
        self.values: i64 = 0
        """How many there are."""
        self.operation: vec[i64] = vec[i64]()
        self.machine_class: vec[i64] = vec[i64]()
        """Of the result; 0: none."""
        self.a: vec[i64] = vec[i64]()
        self.b: vec[i64] = vec[i64]()
        self.c: vec[i64] = vec[i64]()
        self.immediate: vec[i64] = vec[i64]()
        self.most: vec[i64] = vec[i64]()
        """Of i32: the greatest number that a value can be, as an unsigned one; of all others it says nothing."""
        self.home: vec[i64] = vec[i64]()
        """The block that a value is in."""
        self.word: vec[i64] = vec[i64]()
        """The word of the stream that it was made from."""
        self.following: vec[i64] = vec[i64]()
        """The next value of its block."""
        self.blocks: i64 = 0
        self.block_loop: vec[i64] = vec[i64]()
        """The innermost loop that a block is in."""
        self.block_word: vec[i64] = vec[i64]()
        """The word of the stream that it begins at."""
        self.first: vec[i64] = vec[i64]()
        """Its first value that is no parameter."""
        self.final: vec[i64] = vec[i64]()
        """Its last one."""
        self.params: vec[i64] = vec[i64]()
        """The start of its parameters in the pool."""
        self.param_count: vec[i64] = vec[i64]()
        self.end: vec[i64] = vec[i64]()
        self.end_value: vec[i64] = vec[i64]()
        self.results: vec[i64] = vec[i64]()
        """The start of what it returns in the pool."""
        self.result_count: vec[i64] = vec[i64]()
        self.first_edge: vec[i64] = vec[i64]()
        self.edge_count: vec[i64] = vec[i64]()
        self.incoming: vec[i64] = vec[i64]()
        """The last edge that leads to it."""
        self.edges: i64 = 0
        self.source: vec[i64] = vec[i64]()
        self.target: vec[i64] = vec[i64]()
        self.arguments: vec[i64] = vec[i64]()
        """The start in the pool, of as many as the target has parameters."""
        self.another: vec[i64] = vec[i64]()
        """The edge before that leads to the same block."""
        self.loops: i64 = 0
        self.outer: vec[i64] = vec[i64]()
        """The loop around a loop."""
        self.depth: vec[i64] = vec[i64]()
        self.head: vec[i64] = vec[i64]()
        """Its first block. The block that falls into it is the one before."""
        self.last: vec[i64] = vec[i64]()
        """Its last block."""
        self.is_short: vec[i64] = vec[i64]()
        """Whether it is known to end soon, so that it need not notice interrupts."""
        self.pooled: i64 = 0
        self.pool: vec[i64] = vec[i64]()
        self.patterns: i64 = 0
        """How many constants of 128 bits there are: of vectors, and of shuffles. An immediate is the number of one."""
        self.low: vec[i64] = vec[i64]()
        self.high: vec[i64] = vec[i64]()

    def reset(self) -> None:
        """Forget the function before."""
        self.values = 0
        self.blocks = 0
        self.edges = 0
        self.loops = 0
        self.pooled = 0
        self.patterns = 0

    def add(self, block: i64, operation: i64, machine_class: i64, a: i64, b: i64, c: i64, immediate: i64, word: i64) -> i64:
        """A new value, which still has to be put in its place."""
        value = self.values
        self.values = value + 1
        if value == i64(len(self.operation)):
            self.operation = append(self.operation, 0)
            self.machine_class = append(self.machine_class, 0)
            self.a = append(self.a, 0)
            self.b = append(self.b, 0)
            self.c = append(self.c, 0)
            self.immediate = append(self.immediate, 0)
            self.most = append(self.most, 0)
            self.home = append(self.home, 0)
            self.word = append(self.word, 0)
            self.following = append(self.following, 0)
        self.operation[value] = operation
        self.machine_class[value] = machine_class
        self.a[value] = a
        self.b[value] = b
        self.c[value] = c
        self.immediate[value] = immediate
        self.most[value] = 0xFFFFFFFF
        self.home[value] = block
        self.word[value] = word
        self.following[value] = NONE
        return value

    def place(self, value: i64) -> None:
        """Put a value at the end of its block."""
        block = self.home[value]
        before = self.final[block]
        if before < 0:
            self.first[block] = value
        else:
            self.following[before] = value
        self.final[block] = value

    def add_block(self, loop: i64, word: i64) -> i64:
        """A new block."""
        block = self.blocks
        self.blocks = block + 1
        if block == i64(len(self.block_loop)):
            self.block_loop = append(self.block_loop, 0)
            self.block_word = append(self.block_word, 0)
            self.first = append(self.first, 0)
            self.final = append(self.final, 0)
            self.params = append(self.params, 0)
            self.param_count = append(self.param_count, 0)
            self.end = append(self.end, 0)
            self.end_value = append(self.end_value, 0)
            self.results = append(self.results, 0)
            self.result_count = append(self.result_count, 0)
            self.first_edge = append(self.first_edge, 0)
            self.edge_count = append(self.edge_count, 0)
            self.incoming = append(self.incoming, 0)
        self.clear_block(block, loop, word)
        return block

    def clear_block(self, block: i64, loop: i64, word: i64) -> None:
        """A block as it begins."""
        self.block_loop[block] = loop
        self.block_word[block] = word
        self.first[block] = NONE
        self.final[block] = NONE
        self.params[block] = 0
        self.param_count[block] = 0
        self.end[block] = UNREACHABLE
        self.end_value[block] = NONE
        self.results[block] = 0
        self.result_count[block] = 0
        self.first_edge[block] = 0
        self.edge_count[block] = 0
        self.incoming[block] = NONE

    def add_edge(self, source: i64) -> i64:
        """A new edge of a block; target and arguments come later."""
        edge = self.edges
        self.edges = edge + 1
        if edge == i64(len(self.source)):
            self.source = append(self.source, 0)
            self.target = append(self.target, 0)
            self.arguments = append(self.arguments, 0)
            self.another = append(self.another, 0)
        self.source[edge] = source
        self.target[edge] = NONE
        self.arguments[edge] = self.pooled
        self.another[edge] = NONE
        if self.edge_count[source] == 0:
            self.first_edge[source] = edge
        self.edge_count[source] += 1
        return edge

    def connect(self, edge: i64, target: i64) -> None:
        """Give an edge its target."""
        self.target[edge] = target
        self.another[edge] = self.incoming[target]
        self.incoming[target] = edge

    def add_loop(self, outer: i64, head: i64) -> i64:
        """A new loop."""
        loop = self.loops
        self.loops = loop + 1
        if loop == i64(len(self.outer)):
            self.outer = append(self.outer, 0)
            self.depth = append(self.depth, 0)
            self.head = append(self.head, 0)
            self.last = append(self.last, 0)
            self.is_short = append(self.is_short, 0)
        self.outer[loop] = outer
        self.depth[loop] = self.depth[outer] + 1 if outer >= 0 else 1
        self.head[loop] = head
        self.last[loop] = head
        self.is_short[loop] = 0
        return loop

    def pattern(self, low: i64, high: i64) -> i64:
        """The number of a constant of 128 bits, which may be one of the last few."""
        at = self.patterns - _NEAR if self.patterns > _NEAR else 0
        while at < self.patterns:
            if self.low[at] == low and self.high[at] == high:
                return at
            at += 1
        if at == i64(len(self.low)):
            self.low = append(self.low, 0)
            self.high = append(self.high, 0)
        self.low[at] = low
        self.high[at] = high
        self.patterns = at + 1
        return at

    def push(self, value: i64) -> None:
        """A value at the end of the pool."""
        if self.pooled == i64(len(self.pool)):
            self.pool = append(self.pool, 0)
        self.pool[self.pooled] = value
        self.pooled += 1

    def disconnect(self, edge: i64) -> None:
        """An edge leads nowhere any more."""
        target = self.target[edge]
        if self.incoming[target] == edge:
            self.incoming[target] = self.another[edge]
            return
        other = self.incoming[target]
        while self.another[other] != edge:
            other = self.another[other]
        self.another[other] = self.another[edge]

    def block_fields(self) -> list[vec[i64]]:
        """What is known of blocks, by block."""
        values = [self.first, self.final, self.params, self.param_count, self.results, self.result_count]
        return [self.block_loop, self.block_word, *values, self.end, self.end_value, self.first_edge, self.edge_count, self.incoming]

    # For those who look at it

    def run(self, start: int, count: int) -> list[int]:
        """Values in the pool."""
        return [int(self.pool[i64(start + at)]) for at in range(count)]

    def operands_of(self, value: int) -> list[int]:
        """All operands of a value."""
        number = i64(value)
        if self.operation[number] == CALL or self.operation[number] == CALL_INDIRECT:
            return self.run(int(self.b[number]), int(self.c[number]))
        found = [int(self.a[number]), int(self.b[number]), int(self.c[number])]
        return [operand for operand in found if operand >= 0]

    def params_of(self, block: int) -> list[int]:
        """The parameters of a block."""
        return self.run(int(self.params[i64(block)]), int(self.param_count[i64(block)]))

    def values_of(self, block: int) -> list[int]:
        """The values of a block, in order."""
        found = []
        value = self.first[i64(block)]
        while value >= 0:
            found.append(int(value))
            value = self.following[value]
        return found

    def results_of(self, block: int) -> list[int]:
        """What a block returns."""
        return self.run(int(self.results[i64(block)]), int(self.result_count[i64(block)]))

    def end_operands(self, block: int) -> list[int]:
        """What the end of a block uses, arguments of its edges included."""
        value = int(self.end_value[i64(block)])
        found = [value] if value >= 0 else []
        found += self.results_of(block)
        for edge in self.edges_of(block):
            found += self.arguments_of(edge)
        return found

    def edges_of(self, block: int) -> range:
        """The edges of a block."""
        first = int(self.first_edge[i64(block)])
        return range(first, first + int(self.edge_count[i64(block)]))

    def incoming_of(self, block: int) -> list[int]:
        """The edges that lead to a block, the last one first."""
        found = []
        edge = self.incoming[i64(block)]
        while edge >= 0:
            found.append(int(edge))
            edge = self.another[edge]
        return found

    def arguments_of(self, edge: int) -> list[int]:
        """The arguments of an edge."""
        target = self.target[i64(edge)]
        return self.run(int(self.arguments[i64(edge)]), int(self.param_count[target]))


def is_constant(operation: i64) -> bool:
    """Whether an operation is a constant."""
    return 0x41 <= operation <= 0x44 or operation == VECTOR_CONSTANT

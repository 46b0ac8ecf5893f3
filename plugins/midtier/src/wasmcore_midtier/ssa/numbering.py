"""Value numbering: which pure values are there already, on all ways to where the program is built.

The structure of the program makes that a stack. What is made in a block is known until ways meet that do not all come through it, and then
forgotten in the opposite order. Values before a loop, that were put there from within, are known until the loop ends.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import NONE, Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_BUCKETS: Final = 1024


class Numbering:
    """The values that are known."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self.bucket: Final = vec[i64]([NONE] * _BUCKETS)
        self.chain: vec[i64] = vec[i64]()
        """By value: the next one in its bucket."""
        self.history: vec[i64] = vec[i64]()
        """What became known in turn."""
        self.count: i64 = 0
        self.hoisted: vec[i64] = vec[i64]()
        """Values before loops that are open, the innermost loop's last."""
        self.hoisted_count: i64 = 0

    def reset(self) -> None:
        """Nothing is known."""
        bucket = self.bucket
        at: i64 = 0
        while at < _BUCKETS:
            bucket[at] = NONE
            at += 1
        self.count = 0
        self.hoisted_count = 0

    def slot(self, operation: i64, a: i64, b: i64, c: i64, immediate: i64) -> i64:
        """The bucket of what has these fields."""
        mixed = operation * 7 + (a & 0xFFFFFF) * 31 + (b & 0xFFFFFF) * 131 + (c & 0xFFFFFF) * 523 + (immediate & 0xFFFFFFFF) * 61
        return (mixed ^ (mixed >> 11)) & (_BUCKETS - 1)

    def find(self, operation: i64, a: i64, b: i64, c: i64, immediate: i64) -> i64:
        """The value with these fields, if it is known."""
        graph = self.graph
        value = self.bucket[self.slot(operation, a, b, c, immediate)]
        while value >= 0:
            if (
                graph.operation[value] == operation
                and graph.a[value] == a
                and graph.b[value] == b
                and graph.c[value] == c
                and graph.immediate[value] == immediate
            ):
                return value
            value = self.chain[value]
        return NONE

    def insert(self, value: i64) -> None:
        """A value is known from here on, to the end."""
        graph = self.graph
        slot = self.slot(graph.operation[value], graph.a[value], graph.b[value], graph.c[value], graph.immediate[value])
        self.chain = grown(self.chain, value + 1)
        self.chain[value] = self.bucket[slot]
        self.bucket[slot] = value

    def add(self, value: i64) -> None:
        """A value is known until `forget_to` goes back behind it."""
        self.insert(value)
        if self.count == i64(len(self.history)):
            self.history = append(self.history, 0)
        self.history[self.count] = value
        self.count += 1

    def add_hoisted(self, value: i64, loops: i64) -> None:
        """A value before a loop is known until that loop ends; `loops` is how many have begun before it, itself included."""
        self.insert(value)
        if self.hoisted_count + 1 >= i64(len(self.hoisted)):
            self.hoisted = append(append(self.hoisted, 0), 0)
        # Those of loops further in stand behind.
        at = self.hoisted_count
        while at >= 2 and self.hoisted[at - 1] > loops:
            self.move_up(at)
            at -= 2
        self.hoisted[at] = value
        self.hoisted[at + 1] = loops
        self.hoisted_count += 2

    def move_up(self, at: i64) -> None:
        """A pair makes room for another one."""
        self.hoisted = grown(self.hoisted, at + 1 + 1)
        self.hoisted[at] = self.hoisted[at - 2]
        self.hoisted[at + 1] = self.hoisted[at - 1]

    def forget_hoisted(self, loops: i64) -> None:
        """A loop ends."""
        while self.hoisted_count and self.hoisted[self.hoisted_count - 1] >= loops:
            self.hoisted_count -= 2
            self.remove(self.hoisted[self.hoisted_count])

    def forget_to(self, count: i64) -> None:
        """Only so many of those that `add` was given are still known."""
        while self.count > count:
            self.count -= 1
            self.remove(self.history[self.count])

    def remove(self, value: i64) -> None:
        """A value is not known any more."""
        graph = self.graph
        slot = self.slot(graph.operation[value], graph.a[value], graph.b[value], graph.c[value], graph.immediate[value])
        other = self.bucket[slot]
        if other == value:
            self.bucket[slot] = self.chain[value]
            return
        while self.chain[other] != value:
            other = self.chain[other]
        self.chain[other] = self.chain[value]

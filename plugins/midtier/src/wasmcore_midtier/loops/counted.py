"""Loops that are one block, and of which it is known at their beginning how often they run."""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.algebra.arithmetic import signed, unsigned
from wasmcore_midtier.ssa.algebra.rules import CODES, INVERSE, SWAPPED
from wasmcore_midtier.ssa.graph import BRANCH, JUMP, Graph, is_constant

ADDITIONS: Final = CODES["add"]
SUBTRACTIONS: Final = CODES["sub"]
ADD, SUB, MUL, SHL = (CODES[name][0] for name in ("add", "sub", "mul", "shl"))
_STEPPING: Final = (*ADDITIONS, *SUBTRACTIONS)
_EQZ: Final = CODES["eqz"][0]
NOT_EQUAL: Final = CODES["ne"][0]
LESS: Final = (CODES["lt_s"][0], CODES["lt_u"][0])
_GREATER: Final = (CODES["gt_s"][0], CODES["gt_u"][0])


class Affine(NamedTuple):
    """A number modulo 2**32 that changes by the same amount in each turn: the sum of the terms, and an offset."""

    terms: tuple[tuple[int, int], ...]
    """Values and their factors, in order; parameters of the loop stand for what they are in a turn."""
    offset: int
    stride: int
    """By how much it changes from turn to turn."""


class Test(NamedTuple):
    """What has to hold at the end of a turn for another one: `number` is not equal to the bound, or on one side of it."""

    comparison: int
    """NOT_EQUAL, or one of LESS: below the bound, or above it if the number becomes smaller."""
    number: Affine
    bound: int


class CountedLoop:
    """A loop of one block with its parameters; see `counted`."""

    def __init__(self, graph: Graph, loop: int, block: int, back: int, leaving: int, entry: int) -> None:
        self.graph: Final = graph
        self.loop: Final = loop
        self.block = block
        self.leaving: Final = leaving
        """The edge that leaves it."""
        self.entry: Final = entry
        """The edge that leads to it from before."""
        self.params: Final = graph.params_of(block)
        self.initial: Final = dict(zip(self.params, graph.arguments_of(entry)))
        self.next: Final = dict(zip(self.params, graph.arguments_of(back)))
        self.steps: Final = {param: step for param in self.params if (step := self._step(param)) is not None}
        """By how much parameters change in each turn, if that is always the same."""
        self._affine: Final[dict[int, Affine | None]] = {}

    def is_inside(self, value: int) -> bool:
        """Whether a value is made anew in each turn."""
        number = i64(value)
        return self.graph.home[number] == self.block and not is_constant(self.graph.operation[number])

    def constant(self, value: int) -> int | None:
        """The number that a constant is."""
        return int(self.graph.immediate[i64(value)]) if is_constant(self.graph.operation[i64(value)]) else None

    def known(self, affine: Affine) -> int | None:
        """What a sum is in the first turn, if that is known."""
        total = affine.offset
        for value, factor in affine.terms:
            number = self.constant(self.initial.get(value, value))
            if number is None:
                return None
            total += factor * number
        return signed(total, 32)

    def _step(self, param: int) -> int | None:
        """By how much a parameter changes."""
        graph, following = self.graph, i64(self.next[param])
        if following == param:
            return 0
        code = int(graph.operation[following])
        if code not in _STEPPING or graph.a[following] != param:
            return None
        constant = self.constant(int(graph.b[following]))
        return -constant if constant is not None and code in SUBTRACTIONS else constant

    def affine(self, value: int) -> Affine | None:
        """An i32 as a sum, if it is one."""
        if value not in self._affine:
            self._affine[value] = None  # ends a circle, which a graph in order does not have
            self._affine[value] = self._sum(value)
        return self._affine[value]

    def _sum(self, value: int) -> Affine | None:
        graph, number = self.graph, i64(value)
        constant = self.constant(value)
        if constant is not None:
            return Affine((), constant, 0)
        if not self.is_inside(value):
            return Affine(((value, 1),), 0, 0)
        if value in self.initial:
            step = self.steps.get(value)
            return None if step is None else Affine(((value, 1),), 0, step)
        code = int(graph.operation[number])
        if code not in (ADD, SUB, MUL, SHL):
            return None
        x, y = self.affine(int(graph.a[number])), self.affine(int(graph.b[number]))
        if x is None or y is None:
            return None
        if code in (ADD, SUB):
            return combined(x, y, 1 if code == ADD else -1)
        if y.terms:
            return None
        return combined(Affine((), 0, 0), x, y.offset if code == MUL else 1 << (y.offset & 31))

    def test(self) -> Test | None:
        """What decides about another turn, if it is known before the loop."""
        graph = self.graph
        condition = graph.end_value[i64(self.block)]
        code = int(graph.operation[condition])
        x, y = int(graph.a[condition]), int(graph.b[condition])
        if code == _EQZ or not (NOT_EQUAL - 1 <= code <= NOT_EQUAL + 8):
            code, x, y = (_EQZ, x, -1) if code == _EQZ else (NOT_EQUAL, int(condition), -1)
        if self.leaving == int(graph.first_edge[i64(self.block)]):
            code = NOT_EQUAL if code == _EQZ else INVERSE[code]
        if y >= 0 and self.is_inside(y):
            x, y, code = y, x, SWAPPED.get(code, code)
        number = self.affine(x)
        if number is None or not number.stride or (y >= 0 and self.is_inside(y)):
            return None
        if code != NOT_EQUAL:
            sides = LESS if number.stride > 0 else _GREATER
            if code not in sides:
                return None
            code = LESS[sides.index(code)]
        return Test(code, number, y)


def combined(x: Affine, y: Affine, factor: int) -> Affine:
    """x + factor * y."""
    terms = dict(x.terms)
    for value, times in y.terms:
        terms[value] = signed(terms.get(value, 0) + factor * times, 32)
    kept = tuple(sorted((value, times) for value, times in terms.items() if times))
    return Affine(kept, signed(x.offset + factor * y.offset, 32), signed(x.stride + factor * y.stride, 32))


def counted(graph: Graph, loop: int) -> CountedLoop | None:
    """A loop of one block that is entered at one place, as it comes out of the building of a graph."""
    block = int(graph.head[i64(loop)])
    if graph.last[i64(loop)] != block or graph.end[i64(block)] != BRANCH or graph.end[i64(block - 1)] != JUMP:
        return None
    edges = graph.edges_of(block)
    back = [edge for edge in edges if graph.target[i64(edge)] == block]
    entries = [edge for edge in graph.incoming_of(block) if edge not in edges]
    if len(back) != 1 or len(entries) != 1 or graph.source[i64(entries[0])] != block - 1:
        return None
    return CountedLoop(graph, loop, block, back[0], next(edge for edge in edges if edge != back[0]), entries[0])


def turns(test: Test, first: int, bound: int) -> int | None:
    """How many turns a loop has whose number begins with `first`; None if it may be that it wraps around."""
    step = abs(test.number.stride)
    distance = unsigned(bound - first if test.number.stride > 0 else first - bound, 32)
    if test.comparison == NOT_EQUAL:
        return None if distance % step else distance // step + 1
    sign = signed if test.comparison == LESS[0] else unsigned
    beyond = sign(bound, 32) + (step - 1 if test.number.stride > 0 else 1 - step)
    if sign(beyond, 32) != beyond:
        return None
    low, high = (first, bound) if test.number.stride > 0 else (bound, first)
    return (distance - 1) // step + 2 if sign(low, 32) < sign(high, 32) else 1

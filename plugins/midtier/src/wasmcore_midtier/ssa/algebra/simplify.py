"""What an operation on integers is equal to, where that is simpler: constants folded, the rules of `rules`."""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, vec
from wasmcore_midtier.ssa.algebra.arithmetic import OPERATIONS, UNARY, evaluated
from wasmcore_midtier.ssa.algebra.ranges import ANY, greatest
from wasmcore_midtier.ssa.algebra.rules import ASSOCIATIVE, BY_CODE, COMMUTATIVE, EQUALS_ZERO, INVERSE, SWAPPED
from wasmcore_midtier.ssa.graph import NONE, Graph, is_constant
from wasmcore_midtier.ssa.numbering import Numbering

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

INTEGERS: Final = bytes(code in OPERATIONS for code in range(0x110))
"""1 for each operation that is known here, by opcode."""
ONE_OPERAND: Final = bytes(code in UNARY for code in range(0x110))
EXCHANGED: Final = bytes(code if code in COMMUTATIVE else SWAPPED.get(code, 0) for code in range(0x110))
"""By opcode: what it is with its operands exchanged, 0 if nothing."""
OPPOSITE: Final = bytes(INVERSE.get(code, 0) for code in range(0x110))
"""By comparison: what is true where it is false."""
IS_ZERO_TEST: Final = bytes(code in EQUALS_ZERO for code in range(0x110))
IS_ASSOCIATIVE: Final = bytes(code in ASSOCIATIVE for code in range(0x110))
ANYTHING: Final = 1 << 62
"""In rules: not a constant, but what stands on the left."""


def _numbers(items: Iterable[int | None]) -> vec[i64]:
    found: vec[i64] = vec[i64]()
    for item in items:
        found = append(found, ANYTHING if item is None else i64(item))
    return found


_RULES: Final = [rule for code in range(0x110) for rule in BY_CODE.get(code, ())]
_FIRST_RULE: Final = _numbers(sum(len(BY_CODE.get(code, ())) for code in range(end)) for end in range(0x111))
"""By opcode; the rules of the next one begin behind."""
_RIGHT: Final = _numbers(rule.right for rule in _RULES)
_RESULT: Final = _numbers(rule.result for rule in _RULES)
_EXTENSIONS: Final = (0xAC, 0xAD)
_WRAP: Final = 0xA7


class Simplifier:
    """Makes pure values, as simple as they can be said."""

    def __init__(self) -> None:
        self.graph: Final = Graph()
        self.numbering: Final = Numbering(self.graph)
        self.current: i64 = 0
        """The block that is being built."""
        self.word: i64 = 0
        """The word of the stream that values are made from."""

    def constant(self, machine_class: i64, bits: i64) -> i64:
        """A constant."""
        if machine_class > 4:
            machine_class = 2
        found = self.numbering.find(0x40 + machine_class, NONE, NONE, NONE, bits)
        if found < 0:
            found = self.graph.add(0, 0x40 + machine_class, machine_class, NONE, NONE, NONE, bits, 0)
            self.graph.most[found] = bits & ANY
            self.numbering.insert(found)
        return found

    def put(self, operation: i64, machine_class: i64, a: i64, b: i64, c: i64, immediate: i64) -> i64:
        """A new value at the end of the current block."""
        return self.put_in(self.current, operation, machine_class, a, b, c, immediate)

    def put_in(self, block: i64, operation: i64, machine_class: i64, a: i64, b: i64, c: i64, immediate: i64) -> i64:
        """A new value at the end of a block."""
        value = self.graph.add(block, operation, machine_class, a, b, c, immediate, self.word)
        self.graph.place(value)
        if machine_class == 1:
            self.graph.most[value] = greatest(self.graph, operation, a, b)
        return value

    def pure(self, code: i64, machine_class: i64, a: i64, b: i64, c: i64, immediate: i64) -> i64:
        """A value that has no effect."""
        if code < 0x110 and INTEGERS[code]:
            operation = self.graph.operation
            if ONE_OPERAND[code]:
                found = self.unary(code, a)
                if found >= 0:
                    return found
            else:
                if is_constant(operation[a]) and not is_constant(operation[b]) and EXCHANGED[code]:
                    a, b = b, a
                    code = i64(EXCHANGED[code])
                if a == b or is_constant(operation[b]):
                    found = self.binary(code, machine_class, a, b)
                    if found >= 0:
                        return found
        found = self.numbering.find(code, a, b, c, immediate)
        if found >= 0:
            return found
        loop = self.loop_of(a, b, c)
        if loop < 0:
            found = self.put(code, machine_class, a, b, c, immediate)
            self.numbering.add(found)
            return found
        found = self.put_in(self.graph.head[loop] - 1, code, machine_class, a, b, c, immediate)
        self.numbering.add_hoisted(found, loop + 1)
        return found

    def loop_of(self, a: i64, b: i64, c: i64) -> i64:
        """The outermost loop that a value with these operands may stand before."""
        graph = self.graph
        loop = graph.block_loop[self.current]
        if loop < 0:
            return NONE
        depth = self.depth_of(a)
        other = self.depth_of(b)
        if other > depth:
            depth = other
        other = self.depth_of(c)
        if other > depth:
            depth = other
        found: i64 = NONE
        while loop >= 0 and graph.depth[loop] > depth:
            found = loop
            loop = graph.outer[loop]
        return found

    def depth_of(self, value: i64) -> i64:
        """How many loops a value is in."""
        graph = self.graph
        if value < 0 or is_constant(graph.operation[value]):
            return 0
        loop = graph.block_loop[graph.home[value]]
        return graph.depth[loop] if loop >= 0 else 0

    def unary(self, code: i64, a: i64) -> i64:
        """Something simpler than an operation with one operand."""
        graph = self.graph
        operation = graph.operation[a]
        if is_constant(operation):
            result = evaluated(int(code), int(graph.immediate[a]))
            assert result is not None
            return self.constant(1 if OPERATIONS[int(code)][1] == 32 else 2, i64(result))
        if IS_ZERO_TEST[code] and operation < 0x110 and OPPOSITE[operation]:
            return self.pure(i64(OPPOSITE[operation]), 1, graph.a[a], graph.b[a], NONE, 0)
        if code == _WRAP and (operation == _EXTENSIONS[0] or operation == _EXTENSIONS[1]):
            return graph.a[a]
        return NONE

    def binary(self, code: i64, machine_class: i64, a: i64, b: i64) -> i64:
        """Something simpler than an operation whose second operand is a constant or the first one again."""
        graph = self.graph
        right = is_constant(graph.operation[b])
        bits = graph.immediate[b]
        if right and is_constant(graph.operation[a]):
            result = evaluated(int(code), int(graph.immediate[a]), int(bits))
            return NONE if result is None else self.constant(machine_class, i64(result))
        at = _FIRST_RULE[code]
        while at < _FIRST_RULE[code + 1]:
            if a == b if _RIGHT[at] == ANYTHING else right and bits == _RIGHT[at]:
                return a if _RESULT[at] == ANYTHING else self.constant(machine_class, _RESULT[at])
            at += 1
        if right and graph.operation[a] == code and IS_ASSOCIATIVE[code] and is_constant(graph.operation[graph.b[a]]):
            together = evaluated(int(code), int(graph.immediate[graph.b[a]]), int(bits))
            assert together is not None
            return self.pure(code, machine_class, graph.a[a], self.constant(machine_class, i64(together)), NONE, 0)
        return NONE

"""From the stream to SSA, in one walk.

The stream is structured: what a loop writes is known at its head, and a block that ways meet in comes after all of them. So parameters are
made where they are needed, and nothing is looked up twice. While values are made they are simplified (`rules`); one that is there already
is not made again; and a pure one whose operands do not change in a loop is put before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.opcodes import OPCODES
from wasmcore.plugin.streams.bodies import TWO_WORDS, Body, FunctionTypes
from wasmcore.plugin.streams.loops import LoopFacts, loop_facts
from wasmcore.stream import (
    CLASS_F32,
    CLASS_F64,
    CLASS_I32,
    CLASS_I64,
    CLASS_V128,
    COUNT_MASK,
    END_BLOCK,
    END_IF,
    END_KIND_SHIFT,
    END_LOOP,
    EXTENDED,
    HAS_VECTORS,
    HEIGHT_MASK,
    LOOP_HAS_CALLS,
    REACHED,
    RETURN_LABEL,
    TARGETED,
)
from wasmcore_midtier.ssa.arithmetic import OPERATIONS, UNARY, evaluated
from wasmcore_midtier.ssa.graph import (
    ARGUMENT,
    BRANCH,
    CONSTANTS,
    JUMP,
    NO_VALUE,
    PARAMETER,
    RESULT,
    RETURN,
    TABLE,
    UNREACHABLE,
    Block,
    Edge,
    Graph,
    Loop,
)
from wasmcore_midtier.ssa.rules import ASSOCIATIVE, BY_CODE, COMMUTATIVE, EQUALS_ZERO, INVERSE, SWAPPED

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONSTANT_CODES: Final = {CLASS_I32: 0x41, CLASS_I64: 0x42, CLASS_F32: 0x43, CLASS_F64: 0x44}
_TRAPPING: Final = frozenset((*range(0x6D, 0x71), *range(0x7F, 0x83), *range(0xA8, 0xAC), *range(0xAE, 0xB2)))
"""Divisions and conversions that trap."""
PURE: Final = frozenset(code for code in (*range(0x45, 0xC5), *range(0x100, 0x108)) if code not in _TRAPPING)
NUMERIC: Final = PURE | _TRAPPING
LOADS: Final = range(0x28, 0x36)
STORES: Final = range(0x36, 0x3F)
SELECT: Final = 0x1B


class NotBuilt(Exception):
    """What stands in a function that this compiler leaves to another one."""


class _Label:
    """A block of the program that is open."""

    def __init__(self) -> None:
        self.ways: list[tuple[Edge, list[int]]] = []
        """To its end: edges, and the locals on each."""
        self.other: tuple[Edge, list[int], list[int]] | None = None
        """Of an `if`: the edge of its other branch, the locals there, and what is on the stack."""
        self.numbered = -1
        """How many values were known where the first way began, -1 if there is none."""


class Builder:
    """Builds one graph; raises `NotBuilt`."""

    def __init__(self, types: FunctionTypes, stream: bytes) -> None:
        body = Body(types, stream)
        if body.flags & HAS_VECTORS or CLASS_V128 in body.classes:
            raise NotBuilt("vectors")
        self.types: Final = types
        self.environment: Final = types.environment
        self.words: Final = body.words
        self.body: Final = body
        self.graph: Final = Graph()
        self.at = body.start
        self.stack: list[int] = []
        self.locals: list[int] = []
        self.labels: dict[int, _Label] = {}
        self.lows: list[int] = [0]
        """Of the function and each open block and loop: the least number of values that were known since it was opened."""
        self.heads: dict[int, tuple[int, list[int]]] = {}
        """By label of a loop: its head, and the locals that are parameters of it."""
        self.facts: Final[dict[int, LoopFacts]] = loop_facts(body.words, body.start, body.end)
        self.loop = -1
        self.word = 0
        self.known: dict[tuple[int, int, int, int], int] = {}
        """Values that were made on all ways to here, by what they are."""
        self.history: list[tuple[int, int, int, int]] = []
        """What was made known, in turn."""
        self.hoisted: dict[int, dict[tuple[int, int, int, int], int]] = {}
        """By loop: values that were put before it."""
        self.current: Block = self.begin_block()

    def build(self) -> Graph:
        """The graph."""
        for number, machine_class in enumerate(self.body.params):
            self.locals.append(self.put(ARGUMENT, machine_class, immediate=number))
        for machine_class in bytes(self.body.classes[len(self.body.params) :]):
            self.locals.append(self.constant(machine_class, 0))
        while self.at < self.body.end:
            self.word = self.at
            word = self.words[self.at]
            value = word >> 32
            self.at += 1
            if word & EXTENDED:
                value = self.words[self.at]
                self.at += 2 if word & 0xFFFF in TWO_WORDS else 1
            self.record(word & 0xFFFF, word >> 16 & 0x7FFF, word >> 32, value)
        return self.graph

    # Blocks

    def begin_block(self) -> Block:
        """A new block, in the current loop, which is the current one from now on."""
        block = Block(len(self.graph.blocks), self.loop)
        block.word = self.word
        self.graph.blocks.append(block)
        self.current = block
        return block

    def edge_to(self, target: Block | None, arguments: list[int]) -> Edge:
        """An edge from the current block; where its target is not there yet, it is given later."""
        edge = Edge(self.current.number, -1, arguments)
        self.current.edges.append(edge)
        if target is not None:
            self.connect(edge, target)
        return edge

    def connect(self, edge: Edge, target: Block) -> None:
        """Give an edge its target."""
        edge.target = target.number
        target.incoming.append(edge)

    def way_to(self, label: int, values: list[int]) -> None:
        """An edge from the current block to a label, with values."""
        if label in self.heads:
            head, written = self.heads[label]
            self.edge_to(self.graph.blocks[head], values + [self.locals[local] for local in written])
            return
        if label == RETURN_LABEL:
            raise NotBuilt("a way out that is no block")
        found = self.labels[label]
        if found.numbered < 0:
            found.numbered = len(self.history)
        found.ways.append((self.edge_to(None, values), list(self.locals)))

    def meet(self, label: int, low: int, classes: Sequence[int]) -> None:
        """Begin the block where the ways to a label meet."""
        found = self.labels[label]
        self.forget_to(min(found.numbered, low))
        block = self.begin_block()
        ways = found.ways
        self.stack += [self.parameter(block, machine_class) for machine_class in classes]
        self.locals = list(ways[0][1])
        for local, value in enumerate(self.locals):
            if any(locals_[local] != value for _, locals_ in ways):
                self.locals[local] = self.parameter(block, self.body.classes[local])
                for edge, locals_ in ways:
                    edge.arguments.append(locals_[local])
        for edge, _ in ways:
            self.connect(edge, block)

    def parameter(self, block: Block, machine_class: int) -> int:
        """A new parameter of a block."""
        value = self.graph.add(block.number, PARAMETER, machine_class, NO_VALUE, NO_VALUE, NO_VALUE, 0, self.word)
        block.params.append(value)
        return value

    def forget_to(self, count: int) -> None:
        """Only so many values are known here."""
        while len(self.history) > count:
            del self.known[self.history.pop()]
        self.lows[-1] = min(self.lows[-1], count)

    def close(self) -> int:
        """A block or loop ends: the least number of values that were known since it began."""
        low = self.lows.pop()
        self.lows[-1] = min(self.lows[-1], low)
        return low

    # Values

    def put(self, operation: int, machine_class: int, a: int = NO_VALUE, b: int = NO_VALUE, c: int = NO_VALUE, immediate: int = 0) -> int:
        """A new value at the end of the current block."""
        value = self.graph.add(self.current.number, operation, machine_class, a, b, c, immediate, self.word)
        self.current.values.append(value)
        return value

    def constant(self, machine_class: int, bits: int) -> int:
        """A constant. It has no place, for it is made where it is used."""
        if machine_class not in _CONSTANT_CODES:
            machine_class = CLASS_I64
        key = (_CONSTANT_CODES[machine_class], bits, 0, 0)
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self.graph.add(0, key[0], machine_class, NO_VALUE, NO_VALUE, NO_VALUE, bits, 0)
        return found

    def bits_of(self, value: int) -> int | None:
        """The bits of a constant."""
        return self.graph.immediate[value] if self.graph.operation[value] in CONSTANTS else None

    def pure(self, code: int, machine_class: int, a: int, b: int = NO_VALUE, c: int = NO_VALUE) -> int:
        """A value that has no effect, as simple as it can be said."""
        if code in OPERATIONS:
            simple = self.unary(code, a) if code in UNARY else self.binary(code, machine_class, a, b)
            if simple is not None:
                return simple
            if code in COMMUTATIVE or code in SWAPPED:
                constant = self.bits_of(a) is not None and self.bits_of(b) is None
                if constant:
                    a, b, code = b, a, SWAPPED.get(code, code)
        key = (code, a, b, c)
        found = self.known.get(key)
        if found is not None:
            return found
        loop = self.loop_of(a, b, c)
        if loop < 0:
            found = self.known[key] = self.put(code, machine_class, a, b, c)
            self.history.append(key)
            return found
        hoisted = self.hoisted.setdefault(loop, {})
        found = hoisted.get(key)
        if found is None:
            before = self.graph.blocks[self.graph.loops[loop].head - 1]
            found = hoisted[key] = self.graph.add(before.number, code, machine_class, a, b, c, 0, self.word)
            before.values.append(found)
        return found

    def loop_of(self, *operands: int) -> int:
        """The outermost loop that a value may stand before, -1 for none."""
        blocks, loops = self.graph.blocks, self.graph.loops
        depth = 0
        for value in operands:
            if value >= 0 and self.graph.operation[value] not in CONSTANTS:
                loop = blocks[self.graph.block[value]].loop
                if loop >= 0:
                    depth = max(depth, loops[loop].depth)
        found, loop = -1, self.loop
        while loop >= 0 and loops[loop].depth > depth:
            found, loop = loop, loops[loop].outer
        return found

    def unary(self, code: int, a: int) -> int | None:
        """Something simpler than an operation with one operand."""
        bits = self.bits_of(a)
        if bits is not None:
            result = evaluated(code, bits)
            assert result is not None
            return self.constant(CLASS_I32 if OPERATIONS[code][1] == 32 else CLASS_I64, result)
        operation = self.graph.operation[a]
        if code in EQUALS_ZERO and operation in INVERSE:
            return self.pure(INVERSE[operation], CLASS_I32, self.graph.a[a], self.graph.b[a])
        if code == 0xA7 and operation in (0xAC, 0xAD):
            return self.graph.a[a]
        return None

    def binary(self, code: int, machine_class: int, a: int, b: int) -> int | None:
        """Something simpler than an operation with two operands."""
        x, y = self.bits_of(a), self.bits_of(b)
        if x is not None and y is not None:
            result = evaluated(code, x, y)
            return None if result is None else self.constant(machine_class, result)
        for rule in BY_CODE.get(code, ()):
            if a == b if rule.right is None else y == rule.right:
                return a if rule.result is None else self.constant(machine_class, rule.result)
        if x is not None and code in COMMUTATIVE:
            return self.binary(code, machine_class, b, a)
        if y is not None and code in ASSOCIATIVE and self.graph.operation[a] == code:
            inner = self.bits_of(self.graph.b[a])
            if inner is not None:
                together = evaluated(code, inner, y)
                assert together is not None
                return self.pure(code, machine_class, self.graph.a[a], self.constant(machine_class, together))
        return None

    # Records

    def record(self, code: int, flags: int, immediate: int, value: int) -> None:
        """One record."""
        if code == 0x20:
            self.stack.append(self.locals[immediate])
        elif code == 0x21:
            self.locals[immediate] = self.stack.pop()
        elif code == 0x22:
            self.locals[immediate] = self.stack[-1]
        elif code in CONSTANTS:
            self.stack.append(self.constant(code - 0x40, value))
        elif code in NUMERIC:
            self.numeric(code)
        elif code in LOADS:
            opcode = OPCODES[code]
            assert opcode.results is not None
            self.memory(flags)
            self.stack.append(self.put(code, opcode.results[0], self.stack.pop(), immediate=value & 0xFFFFFFFF))
        elif code in STORES:
            self.memory(flags)
            x = self.stack.pop()
            self.put(code, 0, self.stack.pop(), x, immediate=value & 0xFFFFFFFF)
        elif code < 0x20:
            self.control(code, flags, immediate, value)
        elif code == 0x23:
            self.stack.append(self.put(code, self.environment.globals[immediate].machine_class, immediate=immediate))
        elif code == 0x24:
            self.put(code, 0, self.stack.pop(), immediate=immediate)
        elif code == 0x3F:
            self.memory(immediate)
            self.stack.append(self.put(code, CLASS_I32))
        else:
            raise NotBuilt(f"operation {code:#x}")

    def memory(self, flags: int) -> None:
        """Only memory 0, with a guard, is known here."""
        plan = self.environment.memories[0]
        if flags & 0x3FF or plan.index64 or not plan.guarded:
            raise NotBuilt("another memory")

    def numeric(self, code: int) -> None:
        """Arithmetic."""
        opcode = OPCODES[code]
        assert opcode.params is not None and opcode.results is not None
        b = self.stack.pop() if len(opcode.params) > 1 else NO_VALUE
        a = self.stack.pop()
        if code in PURE:
            self.stack.append(self.pure(code, opcode.results[0], a, b))
            return
        if code in OPERATIONS and b >= 0:
            simple = self.binary(code, opcode.results[0], a, b)
            if simple is not None:
                self.stack.append(simple)
                return
        self.stack.append(self.put(code, opcode.results[0], a, b))

    # Control

    def control(self, code: int, flags: int, immediate: int, value: int) -> None:
        """Blocks, branches, calls."""
        count = flags & COUNT_MASK
        if code == 0x02:
            self.open_label(immediate)
        elif code == 0x03:
            self.begin_loop(immediate, flags)
        elif code == 0x04:
            self.begin_if(immediate, count)
        elif code == 0x05:
            self.begin_else(immediate, flags, value & HEIGHT_MASK)
        elif code == 0x0B:
            self.end(immediate, flags, value & HEIGHT_MASK, value >> 32)
        elif code == 0x0C:
            self.jump(immediate, count)
        elif code == 0x0D:
            self.branch_if(immediate, count)
        elif code == 0x0E:
            self.branch_table(immediate)
        elif code == 0x0F:
            self.leave(count)
        elif code == 0x10:
            self.call(code, immediate, self.types.type_of(immediate), [])
        elif code == 0x11:
            self.call(code, flags << 32 | immediate, immediate, [self.stack.pop()])
        elif code == 0x1A:
            self.stack.pop()
        elif code == 0x1B or code == 0x1C:
            condition, b, a = self.stack.pop(), self.stack.pop(), self.stack.pop()
            self.stack.append(self.select(a, b, condition, flags))
        elif code == 0x00:
            self.put(code, 0, immediate=flags)
            self.current.end = UNREACHABLE
        else:
            raise NotBuilt(f"operation {code:#x}")

    def select(self, a: int, b: int, condition: int, machine_class: int) -> int:
        """One of two values."""
        bits = self.bits_of(condition)
        if bits is not None:
            return a if bits else b
        return a if a == b else self.pure(SELECT, machine_class, a, b, condition)

    def open_label(self, label: int) -> None:
        """A block begins whose end can be branched to."""
        self.labels[label] = _Label()
        self.lows.append(len(self.history))

    def begin_loop(self, label: int, flags: int) -> None:
        """The head of a loop."""
        count = flags & COUNT_MASK
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        written = sorted(self.facts[label].written)
        edge = self.edge_to(None, values + [self.locals[local] for local in written])
        self.current.end = JUMP
        loops = self.graph.loops
        loops.append(Loop(self.loop, 1 + (loops[self.loop].depth if self.loop >= 0 else 0), len(self.graph.blocks)))
        loops[-1].has_calls = bool(flags & LOOP_HAS_CALLS)
        self.loop = len(loops) - 1
        block = self.begin_block()
        self.connect(edge, block)
        self.stack += [self.parameter(block, self.graph.machine_class[value]) for value in values]
        for local in written:
            self.locals[local] = self.parameter(block, self.body.classes[local])
        self.heads[label] = (block.number, written)
        self.lows.append(len(self.history))

    def begin_if(self, label: int, count: int) -> None:
        """if."""
        self.current.end = BRANCH
        self.current.value = self.stack.pop()
        self.open_label(label)
        then, other = self.edge_to(None, []), self.edge_to(None, [])
        self.labels[label].other = (other, list(self.locals), list(self.stack))
        self.labels[label].numbered = len(self.history)
        self.connect(then, self.begin_block())

    def begin_other(self, label: int) -> None:
        """The block where an `if` goes otherwise."""
        found = self.labels[label]
        assert found.other is not None
        edge, self.locals, self.stack = found.other
        found.other = None
        self.forget_to(found.numbered)
        self.connect(edge, self.begin_block())

    def begin_else(self, label: int, flags: int, height: int) -> None:
        """else."""
        if flags & REACHED:
            self.jump(label, len(self.stack) - height)
        self.begin_other(label)

    def end(self, label: int, flags: int, height: int, run: int) -> None:
        """end: where the ways meet."""
        kind = flags >> END_KIND_SHIFT & 3
        count = flags & COUNT_MASK
        low = self.close()
        if kind == END_LOOP:
            loop = self.graph.loops[self.loop]
            loop.last = len(self.graph.blocks) - 1
            self.hoisted.pop(self.loop, None)
            self.loop = loop.outer
            if flags & REACHED:
                # What follows is no part of the loop.
                edge = self.edge_to(None, [])
                self.current.end = JUMP
                self.connect(edge, self.begin_block())
            return
        if kind == END_IF:
            if flags & REACHED:
                self.jump(label, count)
            self.begin_other(label)
            self.jump(label, count)
        elif kind == END_BLOCK and not flags & TARGETED:
            return
        elif flags & REACHED:
            self.jump(label, count)
        del self.stack[height:]
        if not self.labels[label].ways:
            return
        self.meet(label, low, self.environment.type_pool[run : run + count])

    def jump(self, label: int, count: int) -> None:
        """br."""
        self.way_to(label, self.stack[len(self.stack) - count :])
        self.current.end = JUMP

    def branch_if(self, label: int, count: int) -> None:
        """br_if."""
        block, condition = self.current, self.stack.pop()
        values = self.stack[len(self.stack) - count :]
        block.end, block.value = BRANCH, condition
        if label == RETURN_LABEL:
            edge = self.edge_to(None, [])
            otherwise = self.edge_to(None, [])
            self.connect(edge, self.begin_block())
            self.current.end, self.current.results = RETURN, list(values)
        else:
            self.way_to(label, values)
            otherwise = self.edge_to(None, [])
        self.connect(otherwise, self.begin_block())

    def branch_table(self, count: int) -> None:
        """br_table."""
        block, index = self.current, self.stack.pop()
        block.end, block.value = TABLE, index
        leaving = []
        for _ in range(count):
            word = self.words[self.at]
            self.at += 2 if word & EXTENDED else 1
            values = self.stack[len(self.stack) - (word >> 16 & COUNT_MASK) :] if word >> 16 & COUNT_MASK else []
            if word >> 32 == RETURN_LABEL:
                leaving.append(self.edge_to(None, []))
            else:
                self.way_to(word >> 32, values)
        if leaving:
            end = self.begin_block()
            for edge in leaving:
                self.connect(edge, end)
            end.end, end.results = RETURN, self.stack[len(self.stack) - len(self.body.results) :] if self.body.results else []
        self.current = block

    def leave(self, count: int) -> None:
        """return."""
        self.current.end = RETURN
        self.current.results = self.stack[len(self.stack) - count :]

    def call(self, code: int, immediate: int, type_index: int, more: list[int]) -> None:
        """A call; `more` are operands behind the arguments."""
        params, results = self.types.params(type_index), self.types.results(type_index)
        arguments = self.stack[len(self.stack) - len(params) :] if params else []
        del self.stack[len(self.stack) - len(params) :]
        if CLASS_V128 in params or CLASS_V128 in results:
            raise NotBuilt("vectors")
        call = self.put(code, results[0] if results else 0, immediate=immediate)
        self.graph.operands[call] = arguments + more
        if results:
            values = [call] + [self.put(RESULT, each, call, immediate=1 + number) for number, each in enumerate(results[1:])]
            self.graph.results[call] = values
            self.stack += values

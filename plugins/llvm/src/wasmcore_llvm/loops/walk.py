"""The symbolic walk through one iteration of an innermost loop (`loops.analysis` makes a plan of what it finds).

Nothing branches back but to the loop itself, so one pass meets every record after all ways to it. Where ways meet, a value is what it is
on all of them, and the *tests* known to have been passed are those that all of them have passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.stream import COUNT_MASK, EXTENDED, MEMORY_INDEX_MASK, REACHED, TARGET
from wasmcore_llvm.loops.symbols import (
    ARITHMETIC,
    COMPARISONS,
    COUNTS,
    EQUALS_ZERO,
    FIRST_EXTENDED,
    INVERSE,
    NARROW_LOADS,
    OTHER,
    Affine,
    Comparison,
    Extended,
    Symbol,
    as_integer,
    compared,
    converted,
    exact,
    is_data,
    joined,
    unknown,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

TWO_WORDS: Final = (0x20C, 0x20D)
_STORES: Final = frozenset((*range(0x36, 0x3F), 0x20B, *range(0x258, 0x25C)))
_ACCESSES: Final = frozenset(
    code
    for code, opcode in OPCODES.items()
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE) and code < 0x600
)
_EXTENSIONS: Final = {0xAC: "s", 0xAD: "u"}
_FROM_INTEGERS: Final = (0xB2, 0xB3, 0xB4, 0xB5, 0xB7, 0xB8, 0xB9, 0xBA, 0xBE, 0xBF)

Guards = frozenset[tuple[int, bool]]
"""Tests that have been passed, by stream word, and with which result."""


class NotPlanned(Exception):
    """The reason why a loop is not made fast."""


class Access(NamedTuple):
    """One access: where in the stream, in which memory, at which address."""

    word: int
    memory: int
    address: Affine
    offset: int
    size: int
    written: bool
    guards: Guards


class Flow(NamedTuple):
    """What is known at one place."""

    values: dict[int, Symbol]
    stack: list[Symbol]
    guards: Guards


class Block(NamedTuple):
    """A block inside the loop: the height of the stack below it, and how its other branch begins."""

    height: int
    other: Flow | None


class Walk:
    """The walk, and what it finds."""

    def __init__(self, words: Sequence[int], start: int, end: int, label: int, variables: dict[int, int]) -> None:
        self.words: Final = words
        self.at = start
        self.end: Final = end
        self.label: Final = label
        self.variables: Final = variables
        """Bits of the locals and globals that are integers."""
        self.values: dict[int, Symbol] = {}
        self.stack: list[Symbol] = []
        self.guards: Guards = frozenset()
        self.blocks: dict[int, Block] = {}
        self.meeting: dict[int, Flow] = {}
        self.assigned: set[int] = set()
        self.accesses: list[Access] = []
        self.tests: dict[int, Comparison] = {}
        """Conditions that are comparisons, by the stream word of the branch."""
        self.backs: list[tuple[int, Flow]] = []
        """Branches back: stream word, and what is known then."""
        self.exits: list[Guards] = []
        """Ways out of the loop."""
        self.decides = False
        """Whether anything depends on a condition that is no such test."""
        self.extended: dict[Extended, int] = {}
        """The variables that are these."""
        self.loaded: set[int] = set()
        """Conversions to floats of what comes from memory."""

    def run(self) -> None:
        """Walk; raises `NotPlanned`."""
        while self.at < self.end:
            word_at = self.at
            word = self.words[word_at]
            code, flags, immediate = word & 0xFFFF, word >> 16 & 0x7FFF, word >> 32
            value = immediate
            self.at += 1
            if word & EXTENDED:
                value = self.words[self.at]
                self.at += 2 if code in TWO_WORDS else 1
            self.record(word_at, code, flags, immediate, value)
        last = self.words[self.end]
        if last >> 16 & COUNT_MASK:
            raise NotPlanned("results")
        if last >> 16 & REACHED:
            self.exits.append(self.guards)

    def record(self, at: int, code: int, flags: int, immediate: int, value: int) -> None:
        """One record."""
        if code < 0x20:
            self.control(at, code, flags, immediate)
        elif code == 0x20:
            self.stack.append(self.value_of(immediate))
        elif code == 0x21 or code == 0x22:
            self.assign(immediate, self.stack[-1])
            if code == 0x21:
                self.stack.pop()
        elif code == 0x41 or code == 0x42:
            self.stack.append(exact(32 if code == 0x41 else 64, value))
        elif code in _ACCESSES:
            self.access(at, code, flags, value)
        elif code == 0x23:
            self.stack.append(self.value_of(-1 - immediate))
        elif code == 0x24:
            self.assign(-1 - immediate, self.stack.pop())
        else:
            self.operation(at, code)

    # Variables

    def start_of(self, variable: int) -> Symbol:
        """What a variable is at the start of the iteration."""
        bits = self.variables.get(variable)
        return Affine(bits, ((variable, 1),), 0) if bits else unknown(variable < 0)

    def value_of(self, variable: int) -> Symbol:
        """What a variable is now."""
        found = self.values.get(variable)
        return self.start_of(variable) if found is None else found

    def assign(self, variable: int, value: Symbol) -> None:
        """local.set, local.tee, global.set."""
        if variable >= 0 or variable in self.variables:
            self.values[variable] = value
            self.assigned.add(variable)

    # Control

    def flow(self, count: int, height: int, at: int, outcome: bool) -> Flow:
        """What is known on a branch with the top values to a block at a height."""
        kept = len(self.stack) - count
        stack = self.stack[:height] + self.stack[kept:]
        return Flow(dict(self.values), stack, self.guards | {(at, outcome)} if at in self.tests else self.guards)

    def meet(self, label: int, flow: Flow) -> None:
        """A way to the end of a block."""
        before = self.meeting.get(label)
        self.meeting[label] = flow if before is None else self.joined_flow(before, flow)

    def joined_flow(self, a: Flow, b: Flow) -> Flow:
        """What is known wherever one comes from."""
        values = {}
        for variable in a.values.keys() | b.values.keys():
            x, y = a.values.get(variable), b.values.get(variable)
            start = self.start_of(variable)
            values[variable] = joined(start if x is None else x, start if y is None else y)
        return Flow(values, [joined(x, y) for x, y in zip(a.stack, b.stack)], a.guards & b.guards)

    def branch(self, at: int, label: int, count: int, outcome: bool = True) -> None:
        """A way to a label."""
        if label > self.label:
            self.meet(label, self.flow(count, self.blocks[label].height, at, outcome))
        elif label == self.label:
            self.backs.append((at, self.flow(0, 0, at, outcome)))
        else:
            self.exits.append(self.flow(0, 0, at, outcome).guards)

    def test(self, at: int) -> None:
        """Pop a condition."""
        condition = self.stack.pop()
        if isinstance(condition, Affine) and not condition.spread:
            condition = Comparison("ne", condition, exact(condition.bits, 0))
        if isinstance(condition, Comparison):
            self.tests[at] = condition
        else:
            self.decides = True

    def passed(self, at: int, outcome: bool) -> None:
        """The current way is the one on which a condition has a result."""
        if at in self.tests:
            self.guards |= {(at, outcome)}

    def control(self, at: int, code: int, flags: int, immediate: int) -> None:
        """Blocks, branches, and what has types of its own."""
        count = flags & COUNT_MASK
        if code == 0x02:
            self.blocks[immediate] = Block(len(self.stack) - count, None)
        elif code == 0x04:
            self.test(at)
            self.blocks[immediate] = Block(len(self.stack) - count, self.flow(0, len(self.stack), at, False))
            self.passed(at, True)
        elif code == 0x05:
            self.begin_else(immediate, flags)
        elif code == 0x0B:
            self.end_block(immediate, flags, count)
        elif code == 0x0C:
            self.branch(at, immediate, count)
        elif code == 0x0D:
            self.test(at)
            self.branch(at, immediate, count)
            self.passed(at, False)
        elif code == 0x0E:
            self.branch_table(immediate)
        elif code == 0x0F:
            self.exits.append(self.guards)
        elif code == 0x1A:
            self.stack.pop()
        elif code == 0x1B or code == 0x1C:
            self.select()
        elif code != 0x00:
            raise NotPlanned("call")

    def begin_else(self, label: int, flags: int) -> None:
        """else."""
        block = self.blocks[label]
        assert block.other is not None
        if flags & REACHED:
            self.meet(label, self.flow(len(self.stack) - block.height, block.height, -1, True))
        self.blocks[label] = Block(block.height, None)
        self.resume(block.other)

    def end_block(self, label: int, flags: int, count: int) -> None:
        """end: where ways meet."""
        block = self.blocks.pop(label)
        if flags & REACHED:
            self.meet(label, self.flow(count, block.height, -1, True))
        if block.other is not None:
            self.meet(label, block.other)
        flow = self.meeting.pop(label, None)
        if flow is not None:
            self.resume(flow)
        else:
            del self.stack[block.height :]

    def resume(self, flow: Flow) -> None:
        """Go on with what is known on another way."""
        self.values = dict(flow.values)
        self.stack[:] = flow.stack
        self.guards = flow.guards

    def branch_table(self, count: int) -> None:
        """br_table."""
        self.stack.pop()
        self.decides = True
        for _ in range(count):
            word = self.words[self.at]
            assert word & 0xFFFF == TARGET
            self.at += 2 if word & EXTENDED else 1
            self.branch(-1, word >> 32, word >> 16 & COUNT_MASK)

    def select(self) -> None:
        """select."""
        condition = self.stack.pop()
        self.decides |= not isinstance(condition, Comparison)
        y, x = self.stack.pop(), self.stack.pop()
        self.stack.append(joined(as_integer(x), as_integer(y)))

    # Operations

    def access(self, at: int, code: int, flags: int, value: int) -> None:
        """A load or a store."""
        opcode = OPCODES[code]
        assert opcode.params is not None and opcode.results is not None
        count = len(opcode.params)
        address = as_integer(self.stack[-count])
        del self.stack[-count:]
        if not isinstance(address, Affine):
            raise NotPlanned("address")
        written = code in _STORES
        offset = value & (0xFFFFFFFF if address.bits == 32 else 0xFFFFFFFFFFFFFFFF)
        self.accesses.append(Access(at, flags & MEMORY_INDEX_MASK, address, offset, 1 << opcode.alignment, written, self.guards))
        if not written:
            narrow = NARROW_LOADS.get(code)
            self.stack.append(unknown(True) if narrow is None else Affine(narrow[0], (), narrow[1], narrow[2] - narrow[1], True))

    def operation(self, at: int, code: int) -> None:
        """Everything without side effects but traps."""
        opcode = OPCODES.get(code)
        if opcode is None or opcode.params is None or opcode.results is None or 0x600 <= code:
            raise NotPlanned(opcode.name if opcode else "record")
        count = len(opcode.params)
        operands = [as_integer(x) for x in self.stack[len(self.stack) - count :]]
        relation = self.negated(code, count)
        del self.stack[len(self.stack) - count :]
        data = any(is_data(x) for x in operands)
        if code in _FROM_INTEGERS and data:
            self.loaded.add(at)
        result = relation or computed(code, operands)
        if result is None and code in _EXTENSIONS:
            result = self.extension(_EXTENSIONS[code], operands[0])
        self.stack += [unknown(data) if result is None else result] * len(opcode.results)

    def extension(self, sign: str, x: Symbol) -> Symbol | None:
        """A sum of i32 as an i64."""
        if not isinstance(x, Affine) or x.spread:
            return None
        variable = self.extended.setdefault(Extended(x, sign), FIRST_EXTENDED - len(self.extended))
        return Affine(64, ((variable, 1),), 0)

    def negated(self, code: int, count: int) -> Symbol | None:
        """eqz of a comparison."""
        x = self.stack[-1] if count == 1 else OTHER
        return Comparison(INVERSE[x.relation], x.x, x.y) if code == 0x45 and isinstance(x, Comparison) else None


def computed(code: int, operands: list[Symbol]) -> Symbol | None:
    """The result of an operation on integers, if something is known of it."""
    if code in ARITHMETIC:
        bits, operation = ARITHMETIC[code]
        return operation(bits, operands[0], operands[1])
    if code in COMPARISONS:
        return compared(COMPARISONS[code], operands[0], operands[1])
    if code in EQUALS_ZERO:
        return compared("eq", operands[0], exact(EQUALS_ZERO[code], 0))
    if code in COUNTS:
        return Affine(COUNTS[code], (), 0, COUNTS[code], is_data(operands[0]))
    return converted(code, operands[0]) if code in (0xA7, 0xAC, 0xAD) else None

"""Which innermost loops can run without a check per access, and what has to be checked before.

One iteration is walked symbolically. An i32 is *affine* if it is a sum of locals at the start of the iteration, times constants, plus a
constant (modulo 2**32). A local that grows by the same constant in every iteration has that *stride*. If all addresses are affine in such
locals, then each access touches one range of memory, known before the loop from the number of iterations; and that number
is known if the loop ends by comparing affine values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.stream import COUNT_MASK, EXTENDED, MEMORY_INDEX_MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

MAXIMUM_WORDS: Final = 2000
"""Longer loops are compiled once only."""
MAXIMUM_GAP: Final = 4096
"""Accesses of one stride with constants further apart than that are ranges of their own."""

OTHER: Final = "other"
"""A value that is not affine, but that could turn out to be a constant."""
DATA: Final = "data"
"""A value that depends on what is in memory."""
_TWO_WORDS: Final = (0x20C, 0x20D)
_STORES: Final = frozenset((*range(0x36, 0x3F), 0x20B, *range(0x258, 0x25C)))
_ACCESSES: Final = frozenset(
    code
    for code, opcode in OPCODES.items()
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE) and code < 0x600
)
_FROM_INTEGERS: Final = (0xB2, 0xB3, 0xB4, 0xB5, 0xB7, 0xB8, 0xB9, 0xBA, 0xBE, 0xBF)
_INVERSE: Final = {
    "eq": "ne",
    "ne": "eq",
    "slt": "sge",
    "sge": "slt",
    "sgt": "sle",
    "sle": "sgt",
    "ult": "uge",
    "uge": "ult",
    "ugt": "ule",
    "ule": "ugt",
}
SWAPPED: Final = {
    "slt": "sgt",
    "sgt": "slt",
    "sle": "sge",
    "sge": "sle",
    "ult": "ugt",
    "ugt": "ult",
    "ule": "uge",
    "uge": "ule",
    "eq": "eq",
    "ne": "ne",
}
_COMPARISONS: Final = dict(zip(range(0x46, 0x50), "eq ne slt ult sgt ugt sle ule sge uge".split()))


class Affine(NamedTuple):
    """Locals at the start of an iteration with their factors, and a constant; all modulo 2**32, as signed numbers."""

    terms: tuple[tuple[int, int], ...]
    constant: int


class Comparison(NamedTuple):
    """A comparison of affine values."""

    relation: str
    x: Affine
    y: Affine


Symbol = Affine | Comparison | str


class Access(NamedTuple):
    """One access: where in the stream, in which memory, at which address."""

    word: int
    memory: int
    address: Affine
    offset: int
    size: int
    written: bool


class Range(NamedTuple):
    """Accesses that move together: at iteration k within the bytes `first` to `end` from `start + k * stride`."""

    memory: int
    start: Affine
    stride: int
    first: int
    end: int
    written: bool
    places: tuple[tuple[int, int], ...]
    """Stream word and distance from the start of each access."""


class Exit(NamedTuple):
    """A comparison that ends the loop: after how many iterations is known."""

    word: int
    stay: Comparison
    """The loop goes on while this holds; x has a stride, y has none (or the relation is `ne`)."""
    x_stride: int
    y_stride: int


class Plan(NamedTuple):
    """How a loop can be made fast."""

    ranges: tuple[Range, ...]
    exits: tuple[Exit, ...]
    last: int
    """The stream word of the branch back."""
    exact: bool
    """The only exit is the branch back: `br_if` of the loop, at its end."""
    loaded: frozenset[int]
    """Stream words of conversions to floats of what comes from memory."""


class NotPlanned(Exception):
    """The reason why a loop is not made fast."""


def signed(value: int) -> int:
    """Modulo 2**32, as a signed number."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def combined(x: Affine, y: Affine, factor: int) -> Affine:
    """x + factor * y."""
    terms = dict(x.terms)
    for local, coefficient in y.terms:
        terms[local] = signed(terms.get(local, 0) + factor * coefficient)
    return Affine(tuple(sorted((local, c) for local, c in terms.items() if c)), signed(x.constant + factor * y.constant))


class _Block(NamedTuple):
    """A block inside the loop."""

    height: int
    values: dict[int, Symbol]
    assigned: set[int]


class Walk:
    """The symbolic walk through one iteration."""

    def __init__(self, words: Sequence[int], start: int, end: int, label: int, integers: Sequence[bool]) -> None:
        self.words: Final = words
        self.at = start
        self.end: Final = end
        self.label: Final = label
        self.integers: Final = integers
        """Which locals are i32."""
        self.values: dict[int, Symbol] = {}
        self.stack: list[Symbol] = []
        self.blocks: list[_Block] = []
        self.assigned: set[int] = set()
        self.accesses: list[Access] = []
        self.tests: list[tuple[int, Symbol, bool]] = []
        """Conditional branches out of the loop at its top level, and the one back: word, condition, whether it stays."""
        self.loaded: set[int] = set()
        self.last = -1
        self.back = ""

    def run(self) -> Plan:
        """The plan; raises `NotPlanned`."""
        while self.last < 0:
            word_at = self.at
            word = self.words[word_at]
            code, flags, immediate = word & 0xFFFF, word >> 16 & 0x7FFF, word >> 32
            value = immediate
            self.at += 1
            if word & EXTENDED:
                value = self.words[self.at]
                self.at += 2 if code in _TWO_WORDS else 1
            self.record(word_at, code, flags, immediate, value)
        if self.stack:
            raise NotPlanned("results")
        return self.plan()

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
        elif code == 0x41:
            self.stack.append(Affine((), signed(value)))
        elif code in _ACCESSES:
            self.access(at, code, flags, value)
        elif code == 0x23:
            self.stack.append(DATA)
        else:
            self.operation(at, code)

    def value_of(self, local: int) -> Symbol:
        """What a local is now."""
        found = self.values.get(local)
        if found is None:
            found = Affine(((local, 1),), 0) if self.integers[local] else OTHER
        return found

    def assign(self, local: int, value: Symbol) -> None:
        """local.set and local.tee."""
        self.values[local] = value if not isinstance(value, Comparison) else OTHER
        self.assigned.add(local)
        for block in self.blocks:
            block.assigned.add(local)

    # Control

    def control(self, at: int, code: int, flags: int, immediate: int) -> None:
        """Blocks and branches."""
        count = flags & COUNT_MASK
        if code == 0x02 or code == 0x04:
            if code == 0x04:
                self.stack.pop()
            self.blocks.append(_Block(len(self.stack) - count, dict(self.values), set()))
        elif code == 0x05:
            block = self.blocks[-1]
            self.values = dict(block.values)
            self.stack[block.height :] = [OTHER] * count
        elif code == 0x0B:
            if not self.blocks:
                raise NotPlanned("no branch back")
            self.end_block(count)
        elif code == 0x0D:
            self.branch_if(at, immediate, count)
        elif code == 0x0C:
            if immediate == self.label:
                if self.blocks:
                    raise NotPlanned("continue")
                self.finish(at, "br")
            elif immediate < self.label:
                raise NotPlanned("exit")
        elif code == 0x1A:
            self.stack.pop()
        elif code == 0x1B or code == 0x1C:
            operands = self.pop(3)
            self.stack.append(DATA if DATA in operands[:2] else OTHER)
        elif code == 0x00:
            if not self.blocks:
                raise NotPlanned("trap")
        else:
            raise NotPlanned("call" if code >= 0x10 else "loop" if code == 0x03 else "branch table or return")

    def end_block(self, count: int) -> None:
        """The end of an inner block: what was assigned inside is not known any more."""
        block = self.blocks.pop()
        self.values = dict(block.values)
        for local in block.assigned:
            self.values[local] = OTHER
        self.stack[block.height :] = [OTHER] * count

    def branch_if(self, at: int, label: int, count: int) -> None:
        """br_if: inside the loop, back, or out of it."""
        condition = self.stack.pop()
        if label > self.label:
            return
        if self.blocks:
            raise NotPlanned("exit from a block")
        if label == self.label:
            self.tests.append((at, condition, True))
            self.finish(at, "br_if")
        elif count:
            raise NotPlanned("exit with values")
        else:
            self.tests.append((at, condition, False))

    def finish(self, at: int, back: str) -> None:
        """The branch back, which has to be the last record."""
        if self.at != self.end:
            raise NotPlanned("continue")
        self.last = at
        self.back = back

    # Operations

    def pop(self, count: int) -> list[Symbol]:
        """Pop some values."""
        if not count:
            return []
        operands = self.stack[-count:]
        del self.stack[-count:]
        return operands

    def access(self, at: int, code: int, flags: int, value: int) -> None:
        """A load or a store."""
        opcode = OPCODES[code]
        assert opcode.params is not None and opcode.results is not None
        address = self.pop(len(opcode.params))[0]
        if not isinstance(address, Affine):
            raise NotPlanned("address")
        written = code in _STORES
        self.accesses.append(Access(at, flags & MEMORY_INDEX_MASK, address, value & 0xFFFFFFFF, 1 << opcode.alignment, written))
        if not written:
            self.stack.append(DATA)

    def operation(self, at: int, code: int) -> None:
        """Everything without side effects."""
        opcode = OPCODES.get(code)
        if opcode is None or opcode.params is None or opcode.results is None or 0x600 <= code:
            raise NotPlanned(opcode.name if opcode else "record")
        operands = self.pop(len(opcode.params))
        result: Symbol = DATA if DATA in operands else OTHER
        if code in _FROM_INTEGERS and result == DATA:
            self.loaded.add(at)
        if code in _COMPARISONS or code == 0x45:
            result = self.comparison(code, operands, result)
        elif code in (0x6A, 0x6B, 0x6C, 0x74):
            result = self.arithmetic(code, operands, result)
        self.stack += [result] * len(opcode.results)

    def comparison(self, code: int, operands: list[Symbol], otherwise: Symbol) -> Symbol:
        """i32 comparisons and eqz."""
        x = operands[0]
        if code == 0x45:
            if isinstance(x, Comparison):
                return Comparison(_INVERSE[x.relation], x.x, x.y)
            return Comparison("eq", x, Affine((), 0)) if isinstance(x, Affine) else otherwise
        y = operands[1]
        if isinstance(x, Affine) and isinstance(y, Affine):
            return Comparison(_COMPARISONS[code], x, y)
        return otherwise

    def arithmetic(self, code: int, operands: list[Symbol], otherwise: Symbol) -> Symbol:
        """i32.add, sub, mul and shl."""
        x, y = operands
        if not isinstance(x, Affine) or not isinstance(y, Affine):
            return otherwise
        if code == 0x6A:
            return combined(x, y, 1)
        if code == 0x6B:
            return combined(x, y, -1)
        zero = Affine((), 0)
        if code == 0x74:
            return combined(zero, x, 1 << (y.constant & 31)) if not y.terms else otherwise
        if not y.terms:
            return combined(zero, x, y.constant)
        return combined(zero, y, x.constant) if not x.terms else otherwise

    # The plan

    def plan(self) -> Plan:
        """What was found, put together."""
        strides = self.strides()
        exits = []
        for word, condition, stays in self.tests:
            found = self.exit(word, condition, stays, strides)
            if found is None:
                raise NotPlanned("condition")
            exits.append(found)
        if not exits:
            raise NotPlanned("no condition")
        if not self.accesses:
            raise NotPlanned("no access")
        ranges = self.ranges(strides)
        exact = self.back == "br_if" and len(exits) == 1
        return Plan(tuple(ranges), tuple(exits), self.last, exact, frozenset(self.loaded))

    def strides(self) -> dict[int, int]:
        """What is added to each local that is assigned, where that is a constant."""
        found = {}
        for local in self.assigned:
            value = self.value_of(local)
            if isinstance(value, Affine) and value.terms == ((local, 1),):
                found[local] = value.constant
        return found

    def stride(self, x: Affine, strides: dict[int, int]) -> int | None:
        """How an affine value changes from iteration to iteration."""
        total = 0
        for local, coefficient in x.terms:
            if local in self.assigned:
                if local not in strides:
                    return None
                total += coefficient * strides[local]
        return signed(total)

    def exit(self, word: int, condition: Symbol, stays: bool, strides: dict[int, int]) -> Exit | None:
        """A condition as an exit after a known number of iterations."""
        if isinstance(condition, Affine):
            condition = Comparison("ne", condition, Affine((), 0))
        if not isinstance(condition, Comparison):
            return None
        relation, x, y = condition
        if not stays:
            relation = _INVERSE[relation]
        x_stride, y_stride = self.stride(x, strides), self.stride(y, strides)
        if x_stride is None or y_stride is None or relation == "eq":
            return None
        if relation == "ne":
            return Exit(word, Comparison("ne", x, y), x_stride, y_stride) if x_stride != y_stride else None
        if y_stride:
            if x_stride:
                return None
            relation, x, y, x_stride, y_stride = SWAPPED[relation], y, x, y_stride, x_stride
        grows = relation[1] == "l"
        if x_stride <= 0 if grows else x_stride >= 0:
            return None
        return Exit(word, Comparison(relation, x, y), x_stride, 0)

    def ranges(self, strides: dict[int, int]) -> list[Range]:
        """The accesses in groups that move together."""
        families: dict[tuple[int, tuple[tuple[int, int], ...], int], list[Access]] = {}
        for access in self.accesses:
            stride = self.stride(access.address, strides)
            if stride is None:
                raise NotPlanned("stride")
            families.setdefault((access.memory, access.address.terms, stride), []).append(access)
        found = []
        for (memory, terms, stride), family in families.items():
            family.sort(key=lambda access: access.address.constant + access.offset)
            group: list[Access] = []
            end = 0
            for access in family:
                at = access.address.constant + access.offset
                if group and at > end + MAXIMUM_GAP:
                    found.append(_range(memory, terms, stride, group))
                    group = []
                group.append(access)
                end = max(end, at + access.size) if len(group) > 1 else at + access.size
            found.append(_range(memory, terms, stride, group))
        return found


def _range(memory: int, terms: tuple[tuple[int, int], ...], stride: int, group: list[Access]) -> Range:
    """One group; its address without the offsets is the start, so that it wraps around as the program's does."""
    constant = min(access.address.constant for access in group)
    places = [(access.word, access.address.constant - constant + access.offset) for access in group]
    first = min(place for _, place in places)
    end = max(place + access.size for (_, place), access in zip(places, group))
    return Range(memory, Affine(terms, constant), stride, first, end, any(access.written for access in group), tuple(places))


def analyse(words: Sequence[int], start: int, end: int, label: int, integers: Sequence[bool]) -> Plan:
    """The plan for the loop whose first record is at `start` and whose `end` is at `end`; raises `NotPlanned`."""
    if end - start > MAXIMUM_WORDS:
        raise NotPlanned("size")
    return Walk(words, start, end, label, integers).run()


def loop_end(words: Sequence[int], start: int, limit: int, label: int) -> int:
    """Where the `end` of an innermost loop is that begins at `start`, or -1 if there is another loop or something else inside."""
    at = start
    while at < limit:
        word = words[at]
        code = word & 0xFFFF
        if code == 0x03:
            return -1
        if code == 0x0B and word >> 32 == label:
            return at
        at += 1
        if word & EXTENDED:
            at += 2 if code in _TWO_WORDS else 1
    return -1

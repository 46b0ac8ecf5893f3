"""What is known of the stream of a function before it is written: its locals, how it ends, how records change the operand stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.opcodes import OPCODES
from wasmcore.stream import (
    COUNT_MASK,
    END_KIND_SHIFT,
    END_LOOP,
    EXTENDED,
    HEADER_FLAGS,
    HEADER_FUNCTION,
    HEADER_HEIGHT,
    HEADER_RECORDS_END,
    HEADER_TYPE,
    HEADER_WORDS,
    HEIGHT_MASK,
    LOCALS,
    LOOP_HAS_CALLS,
    RETURN_LABEL,
    TABLE_FUNCTION,
    TARGET,
)

if TYPE_CHECKING:
    from wasmcore_llvm.text.state import Unit

TWO_WORDS: Final = (0x20C, 0x20D)
"""Operations with two extension words."""
TAIL_CALLS: Final = frozenset((0x12, 0x13, 0x15))
BRANCHES: Final = frozenset((0x0C, 0x0D, 0xD5, 0xD6, TARGET))
CALLS: Final = frozenset((0x10, 0x11))

PLAIN: Final = {
    **{code: len(row.results) - len(row.params) for code, row in OPCODES.items() if row.params is not None and row.results is not None},
    **dict.fromkeys((0x23, 0x3F, 0xD0, 0xD2, 0x110), 1),
    **dict.fromkeys((0x25, 0xD1, 0xD4, 0x603, 0x00), 0),
    **dict.fromkeys((0x1A, 0x24), -1),
    **dict.fromkeys((0x1B, 0x1C, 0x26), -2),
    **dict.fromkeys((0x10A, 0x10B), -3),
}
"""By how much records make the operand stack higher that have no label, no local and call nothing."""
for _code in (0x600, 0x601, 0x602):
    PLAIN.pop(_code, None)
CALLING: Final = {
    **dict.fromkeys((0x40, 0x109, 0x10D, TABLE_FUNCTION), 0),
    0x10F: -1,
    **dict.fromkeys((0x108, 0x10C, 0x10E, 0x111), -3),
    0x600: -1,
    0x601: -2,
    0x602: -2,
}
"""The same of those that call something of the runtime."""
LOCAL_ACCESSES: Final = {0x20: 1, 0x21: -1, 0x22: 0}


FEW: Final = 4
"""A loop of fewer iterations is not worth a check before it; so is what remains behind one that was unrolled, which LLVM then sees."""


class UnknownRecord(Exception):
    """A record that is not known here; who writes the function says so."""


def has_tail_calls(stream: bytes) -> bool:
    """Whether a function may make tail calls."""
    return not TAIL_CALLS.isdisjoint(memoryview(stream).cast("H")[::4])


def has_calls(stream: bytes) -> bool:
    """Whether a function may have calls that could be inlined."""
    return not CALLS.isdisjoint(memoryview(stream).cast("H")[::4])


class Body:
    """The records of a function, and its locals."""

    def __init__(self, unit: Unit, stream: bytes) -> None:
        self.unit: Final = unit
        self.words: Final = memoryview(stream).cast("q")
        self.function: Final = self.words[HEADER_FUNCTION]
        self.type: Final = self.words[HEADER_TYPE]
        self.flags: Final = self.words[HEADER_FLAGS]
        self.height: Final = self.words[HEADER_HEIGHT]
        self.signature: Final = unit.signature(self.type)
        self.end: Final = self.words[HEADER_RECORDS_END] >> 3
        self.classes: Final = bytearray(self.signature.params)
        """Machine classes of all locals."""
        self.start: Final = self._declarations()
        """The word of the first record that is no declaration."""
        self.weights: Final = self.words[self.end :].tolist()
        self.size: Final = self.end - self.start
        self.cost: Final = self.size + len(self.classes)
        """What inlining it adds to a function, in words."""
        self.returns = 0
        """How often it returns."""
        self.falls = False
        """Whether the last record is a return, with nothing but the results on the operand stack."""
        self.innermost = 0
        """How many loops without calls it has."""

    def _declarations(self) -> int:
        at = HEADER_WORDS
        while at < self.end and self.words[at] & 0xFFFF == LOCALS:
            word = self.words[at]
            count = self.words[at + 1] if word & EXTENDED else word >> 32
            self.classes.extend(bytes((word >> 16 & 0x7FFF,)) * count)
            at += 2 if word & EXTENDED else 1
        return at

    def look_through(self) -> None:
        """Walk through it to see how it returns, and which loops it has; raises `UnknownRecord`."""
        at, height, words = self.start, 0, self.words
        results = len(self.signature.results)
        while at < self.end:
            word = words[at]
            code = word & 0xFFFF
            following = at + 1
            if word & EXTENDED:
                following += 2 if code in TWO_WORDS else 1
            self.innermost += code == 0x03 and not word & LOOP_HAS_CALLS << 16
            if code == 0x0F or (code in BRANCHES and word >> 32 == RETURN_LABEL):
                self.returns += 1
                self.falls = code == 0x0F and following == self.end and height == results
            effect = PLAIN.get(code)
            height = height_after(self.unit, words, at, height) if effect is None else height + effect
            at = following


class LoopFacts(NamedTuple):
    """What is known of a loop before it is written."""

    written: frozenset[int]
    """Locals that are written in it."""
    small: frozenset[int]
    """Locals whose last assignment before it, as the records stand, gives a number below `FEW`; control may have come another way."""


def loop_facts(words: memoryview[int], start: int, end: int) -> dict[int, LoopFacts]:
    """The loops of a whole function, by label."""
    found: dict[int, LoopFacts] = {}
    writes: list[set[int]] = [set()]
    small: set[int] = set()
    few = False
    at = start
    while at < end:
        word = words[at]
        code = word & 0xFFFF
        if code == 0x21 or code == 0x22:
            local = word >> 32
            writes[-1].add(local)
            (small.add if few else small.discard)(local)
        elif code == 0x03:
            writes.append(set())
            found[word >> 32] = LoopFacts(frozenset(), frozenset(small))
        elif code == 0x0B and word >> 16 >> END_KIND_SHIFT & 3 == END_LOOP:
            inner = writes.pop()
            found[word >> 32] = found[word >> 32]._replace(written=frozenset(inner))
            writes[-1] |= inner
        few = code == 0x41 and 0 <= word >> 32 < FEW or few and (code == 0x71 or code == 0x22)  # i32.const, i32.and, local.tee
        at += 1
        if word & EXTENDED:
            at += 2 if code in TWO_WORDS else 1
    return found


def height_after(unit: Unit, words: memoryview[int], at: int, height: int) -> int:
    """The height of the operand stack behind the record at a word that is not in `PLAIN`, of any height where nothing follows."""
    word = words[at]
    code, flags, immediate = word & 0xFFFF, word >> 16 & 0x7FFF, word >> 32
    if code in LOCAL_ACCESSES:
        return height + LOCAL_ACCESSES[code]
    if code in (0x10, 0x11, 0x14):
        signature = unit.signature(unit.type_of(immediate) if code == 0x10 else immediate)
        return height + len(signature.results) - len(signature.params) - (code != 0x10)
    if code in (0x05, 0x0B):
        return (words[at + 1] & HEIGHT_MASK) + (flags & COUNT_MASK)
    if code in (0x04, 0x0D, 0xD6):
        return height - 1
    if code in CALLING:
        return height + CALLING[code]
    if code in (0x02, 0x03, 0x0C, 0x0E, 0x0F, TARGET, 0xD5) or code in TAIL_CALLS:
        return height
    raise UnknownRecord(code)

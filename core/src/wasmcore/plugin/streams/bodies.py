"""What is known of the stream of a function: its locals, how it ends, how its records change the operand stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.opcodes import OPCODES
from wasmcore.stream import (
    COUNT_MASK,
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
    from wasmcore.plugin.unit import Environment

TWO_WORDS: Final = (0x20C, 0x20D)
"""Operations with two extension words."""
TAIL_CALLS: Final = frozenset((0x12, 0x13, 0x15))
BRANCHES: Final = frozenset((0x0C, 0x0D, 0xD5, 0xD6, TARGET))

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



class UnknownRecord(Exception):
    """A record that is not known here; who writes the function says so."""


def has_tail_calls(stream: bytes) -> bool:
    """Whether a function may make tail calls."""
    return not TAIL_CALLS.isdisjoint(memoryview(stream).cast("H")[::4])


class FunctionTypes:
    """The types of the functions of a module, each looked up once."""

    def __init__(self, environment: Environment) -> None:
        self.environment: Final = environment
        self._params: Final[dict[int, bytes]] = {}
        self._results: Final[dict[int, bytes]] = {}
        self._function_types: Final = memoryview(environment.function_types).cast("I")

    def params(self, type_index: int) -> bytes:
        """Machine classes of the parameters of a type."""
        found = self._params.get(type_index)
        if found is None:
            found = self._params[type_index] = self.environment.params(type_index)
        return found

    def results(self, type_index: int) -> bytes:
        """Machine classes of the results of a type."""
        found = self._results.get(type_index)
        if found is None:
            found = self._results[type_index] = self.environment.results(type_index)
        return found

    def type_of(self, function: int) -> int:
        """The type index of a function."""
        return self._function_types[function]


class Body:
    """The records of a function, and its locals."""

    def __init__(self, types: FunctionTypes, stream: bytes) -> None:
        self.types: Final = types
        self.words: Final = memoryview(stream).cast("q")
        self.function: Final = self.words[HEADER_FUNCTION]
        self.type: Final = self.words[HEADER_TYPE]
        self.flags: Final = self.words[HEADER_FLAGS]
        self.height: Final = self.words[HEADER_HEIGHT]
        self.params: Final = types.params(self.type)
        self.results: Final = types.results(self.type)
        self.end: Final = self.words[HEADER_RECORDS_END] >> 3
        self.classes: Final = bytearray(self.params)
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
        results = len(self.results)
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
            height = height_after(self.types, words, at, height) if effect is None else height + effect
            at = following


def height_after(types: FunctionTypes, words: memoryview[int], at: int, height: int) -> int:
    """The height of the operand stack behind the record at a word that is not in `PLAIN`, of any height where nothing follows."""
    word = words[at]
    code, flags, immediate = word & 0xFFFF, word >> 16 & 0x7FFF, word >> 32
    if code in LOCAL_ACCESSES:
        return height + LOCAL_ACCESSES[code]
    if code in (0x10, 0x11, 0x14):
        called = types.type_of(immediate) if code == 0x10 else immediate
        return height + len(types.results(called)) - len(types.params(called)) - (code != 0x10)
    if code in (0x05, 0x0B):
        return (words[at + 1] & HEIGHT_MASK) + (flags & COUNT_MASK)
    if code in (0x04, 0x0D, 0xD6):
        return height - 1
    if code in CALLING:
        return height + CALLING[code]
    if code in (0x02, 0x03, 0x0C, 0x0E, 0x0F, TARGET, 0xD5) or code in TAIL_CALLS:
        return height
    raise UnknownRecord(code)

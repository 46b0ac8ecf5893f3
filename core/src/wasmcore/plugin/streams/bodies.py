"""What is known of the stream of a function: its locals, how it ends, how its records change the operand stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore._native import i64, read_i32_le, read_i64_le
from wasmcore.opcodes import OPCODES
from wasmcore.stream import (
    COUNT_MASK,
    EXTENDED,
    HEADER_FLAGS,
    HEADER_FUNCTION,
    HEADER_HEIGHT,
    HEADER_LABELS,
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

VECTOR_CONSTANT: Final = 0x20C
SHUFFLE: Final = 0x20D
"""Both have two extension words."""
TAIL_CALLS: Final = frozenset((0x12, 0x13, 0x15))

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
_NO_EFFECT: Final = 128
EFFECTS: Final = bytes(_NO_EFFECT + PLAIN[code] if code in PLAIN else 0 for code in range(0x620))
"""The same by code, `_NO_EFFECT` more; 0 for all others."""
CALLING: Final = {
    **dict.fromkeys((0x40, 0x109, 0x10D, TABLE_FUNCTION), 0),
    0x10F: -1,
    **dict.fromkeys((0x108, 0x10C, 0x10E, 0x111), -3),
    0x600: -1,
    0x601: -2,
    0x602: -2,
}
"""The same of those that call something of the runtime."""


class UnknownRecord(Exception):
    """A record that is not known here; who writes the function says so."""


def has_tail_calls(stream: bytes) -> bool:
    """Whether a function may make tail calls."""
    at: i64 = 0
    end = i64(len(stream))
    while at < end:
        code = read_i64_le(stream, at) & 0xFFFF
        if code == 0x12 or code == 0x13 or code == 0x15:
            return True
        at += 8
    return False


class FunctionTypes:
    """The types of the functions of a module, each looked up once."""

    def __init__(self, environment: Environment) -> None:
        self.environment: Final = environment
        self._params: Final[dict[int, bytes]] = {}
        self._results: Final[dict[int, bytes]] = {}
        self._function_types: Final = environment.function_types
        self._signatures: Final = environment.signatures

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
        return int(read_i32_le(self._function_types, i64(function) << 2))

    def effect_of_call(self, code: i64, immediate: i64) -> i64:
        """By how much a call makes the operand stack higher; all but a direct one (0x10) take one value more."""
        taken: i64 = 0 if code == 0x10 else 1
        type_index = i64(read_i32_le(self._function_types, immediate << 2)) if code == 0x10 else immediate
        signature = type_index << 4
        return i64(read_i32_le(self._signatures, signature + 12)) - i64(read_i32_le(self._signatures, signature + 4)) - taken


class Body:
    """The records of a function, and its locals."""

    def __init__(self, types: FunctionTypes, stream: bytes) -> None:
        self.types: Final = types
        self.stream: Final = stream
        self.words: Final = memoryview(stream).cast("q")
        self.function: Final = self.words[HEADER_FUNCTION]
        self.type: Final = self.words[HEADER_TYPE]
        self.flags: Final = self.words[HEADER_FLAGS]
        self.height: Final = self.words[HEADER_HEIGHT]
        self.labels: Final = self.words[HEADER_LABELS]
        self.params: Final = types.params(self.type)
        self.results: Final = types.results(self.type)
        self.end: Final = self.words[HEADER_RECORDS_END] >> 3
        self.classes: Final = bytearray(self.params)
        """Machine classes of all locals."""
        self.start: Final = self._declarations()
        """The word of the first record that is no declaration."""
        self.size: Final = self.end - self.start
        self.cost: Final = self.size + len(self.classes)
        """What inlining it adds to a function, in words."""
        self.returns = 0
        """How often it returns."""
        self.falls = False
        """Whether the last record is a return, with nothing but the results on the operand stack."""
        self.innermost = 0
        """How many loops without calls it has."""

    def weights(self) -> list[int]:
        """How much each local is used."""
        return self.words[self.end :].tolist()

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
        stream = self.stream
        at = i64(self.start)
        end = i64(self.end)
        height: i64 = 0
        results = i64(len(self.results))
        while at < end:
            word = read_i64_le(stream, at << 3)
            code = word & 0xFFFF
            following = at + words_of(word)
            if code == 0x03 and not word & (LOOP_HAS_CALLS << 16):
                self.innermost += 1
            elif code == 0x0F or (word >> 32 == RETURN_LABEL and is_branch(code)):
                self.returns += 1
                self.falls = code == 0x0F and following == end and height == results
            effect = effect_of(code)
            height = height_after(self.types, stream, at, height) if effect == UNKNOWN else height + effect
            at = following


UNKNOWN: Final = -_NO_EFFECT
"""The effect of what is not plain."""


def effect_of(code: i64) -> i64:
    """By how much a record makes the operand stack higher; UNKNOWN if it is not in `PLAIN`."""
    return i64(EFFECTS[code]) - _NO_EFFECT if code < len(EFFECTS) else UNKNOWN


def words_of(word: i64) -> i64:
    """How many words a record has."""
    if not word & EXTENDED:
        return 1
    code = word & 0xFFFF
    return 3 if code == VECTOR_CONSTANT or code == SHUFFLE else 2


def is_branch(code: i64) -> bool:
    """Whether a record may branch to what its immediate says."""
    return code == 0x0C or code == 0x0D or code == 0xD5 or code == 0xD6 or code == TARGET


def height_after(types: FunctionTypes, stream: bytes, at: i64, height: i64) -> i64:
    """The height of the operand stack behind the record at a word that is not in `PLAIN`, of any height where nothing follows."""
    word = read_i64_le(stream, at << 3)
    code = word & 0xFFFF
    if code == 0x20:
        return height + 1
    if code == 0x21:
        return height - 1
    if code == 0x10 or code == 0x11 or code == 0x14:
        return height + types.effect_of_call(code, word >> 32)
    if code == 0x05 or code == 0x0B:
        return (read_i64_le(stream, (at << 3) + 8) & HEIGHT_MASK) + ((word >> 16) & COUNT_MASK)
    if code == 0x04 or code == 0x0D or code == 0xD6:
        return height - 1
    if int(code) in CALLING:
        return height + CALLING[int(code)]
    if code == 0x22 or code == 0x02 or code == 0x03 or code == 0x0F or is_branch(code) or code == 0x0E or int(code) in TAIL_CALLS:
        return height
    raise UnknownRecord(int(code))

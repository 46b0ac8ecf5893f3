"""Where the objects of this Python have what stubs read and write: found by looking at some whose contents are known.

Nothing depends on a version but which are admitted: one that is newer than those that were tested may count references in another way,
which no look can show. Its objects, like those in which something is not found, are left to functions of the stable C API.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Sequence

from wasmcore._typing import Any, Final
from wasmcore.plugin.target import ObjectLayout

NEWEST: Final = (3, 15)
"""The newest version of CPython with which all tests pass."""
_LOOKED_AT: Final = 64
"""Bytes from the start of an object; all samples have as many, or what follows them is memory of the interpreter's, too."""
_REFERENCES: Final = 1000
_DIGIT: Final = (1 << 30) - 1
_INTS: Final = (0, 1, -1, 5, -7, _DIGIT, -_DIGIT, 1 << 30, -(1 << 61), 1 << 61)


class _NotFound(Exception):
    """An object does not have what it should have."""


def object_layout() -> ObjectLayout | None:
    """The layout of this interpreter's objects; None if stubs must not look into them, or are not to (`WASMCORE_STABLE_ABI=1`)."""
    if sys.version_info[:2] > NEWEST or os.environ.get("WASMCORE_STABLE_ABI") == "1":
        return None
    try:
        return _found()
    except _NotFound:
        return None


def _found() -> ObjectLayout:
    one, other, text, vector = object(), object(), b"0123456789abcdef", b"x" * 33
    samples: tuple[Any, ...] = (one, 1.5, text, (one, other), {1: 2}, 7)
    behind = _place([(each, _word(id(type(each)))) for each in samples], 0) + 8
    tagged = _are_tagged(behind)
    dicts = [dict.fromkeys(range(count)) for count in (3, 5, 77)]
    size = _place([(each, _word(len(each))) for each in (text, vector, (one,), (one, other, text))], behind)
    return ObjectLayout(
        type=behind - 8,
        int_size=behind,
        int_digits=behind + 8,
        tagged_ints=tagged,
        float_value=_place([(each, struct.pack("d", each)) for each in (1.5, -3e300)], behind),
        size=size,
        tuple_items=_place([((one, other), _word(id(one)) + _word(id(other))), ((other,), _word(id(other)))], size),
        bytes_value=_place([(text, text), (vector, vector[:16])], size),
        dict_used=_place([(each, _word(len(each))) for each in dicts], behind),
        immortal=_has_immortal_objects(one),
    )


def _word(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _bytes(of: object, at: int, count: int) -> bytes:
    return ctypes.string_at(id(of) + at, count)


def _place(samples: Sequence[tuple[object, bytes]], start: int) -> int:
    """The first displacement at which all of some objects have the bytes that they should have."""
    for at in range(start, _LOOKED_AT, 8):
        if all(_bytes(each, at, len(expected)) == expected for each, expected in samples):
            return at
    raise _NotFound


def _are_tagged(at: int) -> bool:
    """What ints have before their digits of 30 bits: digits << 3 | any 4 | sign (see `ObjectLayout`), or the signed number of digits."""
    tags, counts = [], []
    for number in _INTS:
        digits = (abs(number).bit_length() + 29) // 30
        found = int.from_bytes(_bytes(number, at, 8), "little", signed=True)
        tags.append(found & ~4 == digits << 3 | (2 if number < 0 else number == 0))
        counts.append(found == (-digits if number < 0 else digits))
        if number and _bytes(number, at + 8, 4) != (abs(number) & _DIGIT).to_bytes(4, "little"):
            raise _NotFound
    if not all(tags) and not all(counts):
        raise _NotFound
    return all(tags)


def _has_immortal_objects(counted: object) -> bool:
    """Whether objects whose count, 32 bits at 0, is negative are not counted; all others are."""
    counts = []
    for each in (counted, None):
        before = _count(each)
        references = [each] * _REFERENCES
        counts.append((before, _count(each) - before))
        del references
    if counts[0][0] < 0 or counts[0][1] != _REFERENCES or counts[1][1] != (0 if counts[1][0] < 0 else _REFERENCES):
        raise _NotFound
    return counts[1][0] < 0


def _count(of: object) -> int:
    return int.from_bytes(_bytes(of, 0, 4), "little", signed=True)

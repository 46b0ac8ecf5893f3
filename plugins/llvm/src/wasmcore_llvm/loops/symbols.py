"""Values in a loop as sums: what the walk through one iteration computes with (`loops.analysis`).

An integer is *affine* if it is a sum of variables at the start of the iteration, times constants, plus a constant, modulo 2**bits. It may
have a *spread*: something between 0 and that is added, which nothing else is known about (an index that was masked, a byte from memory).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

OTHER: Final = "other"
"""A value that is not affine, but that could turn out to be a constant."""
DATA: Final = "data"
"""A value that depends on what is in memory."""
FIRST_EXTENDED: Final = -(1 << 33)
"""The number of an `Extended` variable; that of the next one is less."""
MAXIMUM_SPREAD: Final = (1 << 32) - 1

INVERSE: Final = {
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


class Affine(NamedTuple):
    """Variables with their factors, and a constant; all signed numbers of `bits` bits. Variables are locals; -1 - n is global n, and from
    `FIRST_EXTENDED` down they are `Extended` ones."""

    bits: int
    terms: tuple[tuple[int, int], ...]
    constant: int
    spread: int = 0
    data: bool = False
    """Whether the spread comes from memory."""


class Extended(NamedTuple):
    """An i32 as an i64, which is a variable of its own: it grows as the i32 does as long as that does not wrap around."""

    narrow: Affine
    sign: str
    """s or u."""


class Comparison(NamedTuple):
    """A comparison of affine values without a spread."""

    relation: str
    x: Affine
    y: Affine


Symbol = Affine | Comparison | str


def signed(value: int, bits: int) -> int:
    """Modulo 2**bits, as a signed number."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def exact(bits: int, value: int) -> Affine:
    """A constant."""
    return Affine(bits, (), signed(value, bits))


def between(bits: int, least: int, most: int, data: bool) -> Affine | str:
    """A value within bounds."""
    return Affine(bits, (), least, most - least, data) if most - least <= MAXIMUM_SPREAD else unknown(data)


def unknown(data: bool) -> str:
    """A value that nothing is known of."""
    return DATA if data else OTHER


def is_data(x: Symbol) -> bool:
    """Whether a value comes from memory."""
    return x == DATA or isinstance(x, Affine) and x.data


def combined(x: Affine, y: Affine, factor: int) -> Affine | str:
    """x + factor * y."""
    bits = x.bits
    terms = dict(x.terms)
    for variable, coefficient in y.terms:
        terms[variable] = signed(terms.get(variable, 0) + factor * coefficient, bits)
    spread = x.spread + abs(factor) * y.spread
    if spread > MAXIMUM_SPREAD:
        return unknown(x.data or y.data)
    constant = x.constant + factor * y.constant + min(0, factor) * y.spread
    kept = tuple(sorted((variable, c) for variable, c in terms.items() if c))
    return Affine(bits, kept, signed(constant, bits), spread, x.data or y.data)


def joined(x: Symbol, y: Symbol) -> Symbol:
    """What is one or the other."""
    if x == y:
        return x
    data = is_data(x) or is_data(y)
    if isinstance(x, Affine) and isinstance(y, Affine) and x.bits == y.bits and x.terms == y.terms:
        least = min(x.constant, y.constant)
        most = max(x.constant + x.spread, y.constant + y.spread)
        if most - least <= MAXIMUM_SPREAD:
            return Affine(x.bits, x.terms, least, most - least, data)
    return unknown(data)


def bounds(x: Symbol) -> tuple[int, int] | None:
    """The least and the most that a value can be, as an unsigned number, if it is known to be no more than a positive signed one."""
    if isinstance(x, Affine) and not x.terms and x.constant >= 0 and x.constant + x.spread < 1 << (x.bits - 1):
        return x.constant, x.constant + x.spread
    return None


def known(x: Symbol) -> int | None:
    """A constant's value."""
    return x.constant if isinstance(x, Affine) and not x.terms and not x.spread else None


def compared(relation: str, x: Symbol, y: Symbol) -> Symbol:
    """The i32 that tells whether a relation holds."""
    if isinstance(x, Affine) and isinstance(y, Affine) and not x.spread and not y.spread:
        return Comparison(relation, x, y)
    return Affine(32, (), 0, 1, is_data(x) or is_data(y))


def as_integer(x: Symbol) -> Symbol:
    """An operand of arithmetic: a comparison is 0 or 1."""
    return Affine(32, (), 0, 1) if isinstance(x, Comparison) else x


# Operations


def _add(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    return combined(x, y, 1) if isinstance(x, Affine) and isinstance(y, Affine) else None


def _subtract(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    return combined(x, y, -1) if isinstance(x, Affine) and isinstance(y, Affine) else None


def _multiply(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    factor = known(y)
    if factor is None:
        x, factor = y, known(x)
    return combined(exact(bits, 0), x, factor) if isinstance(x, Affine) and factor is not None else None


def _shift_left(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    count = known(y)
    return combined(exact(bits, 0), x, 1 << (count & (bits - 1))) if isinstance(x, Affine) and count is not None else None


def _shift_right(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    count = known(y)
    if count is None:
        return None
    count &= bits - 1
    least, most = bounds(x) or (0, (1 << bits) - 1)
    return between(bits, least >> count, most >> count, is_data(x)) if count else x


def _and(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    mask = known(y)
    if mask is None:
        x, mask = y, known(x)
    if mask is None:
        return None
    if mask >= 0:
        inside = bounds(x)
        return between(bits, 0, min(mask, inside[1]) if inside else mask, is_data(x))
    # x & mask is x less what is in the bits that are cleared
    return combined(x, Affine(bits, (), 0, ~mask, is_data(x)), -1) if isinstance(x, Affine) and ~mask <= MAXIMUM_SPREAD else None


def _or(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    more = known(y)
    if more is None:
        x, more = y, known(x)
    if more is None or not 0 <= more <= MAXIMUM_SPREAD or not isinstance(x, Affine):
        return None
    return combined(x, Affine(bits, (), 0, more, is_data(x)), 1)


def _divide(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    divisor = known(y)
    if divisor is None or divisor <= 0:
        return None
    least, most = bounds(x) or (0, (1 << bits) - 1)
    return between(bits, least // divisor, most // divisor, is_data(x))


def _remainder(bits: int, x: Symbol, y: Symbol) -> Symbol | None:
    divisor = known(y)
    return between(bits, 0, divisor - 1, is_data(x)) if divisor is not None and divisor > 0 else None


ARITHMETIC: Final[dict[int, tuple[int, Callable[[int, Symbol, Symbol], Symbol | None]]]] = {
    first + at: (bits, operation)
    for first, bits in ((0x6A, 32), (0x7C, 64))
    for at, operation in {
        0: _add,
        1: _subtract,
        2: _multiply,
        4: _divide,
        6: _remainder,
        7: _and,
        8: _or,
        10: _shift_left,
        12: _shift_right,
    }.items()
}
"""By opcode: bits of the operands, and what makes of them the result, or None where nothing is known of it."""
_RELATIONS: Final = "eq ne slt ult sgt ugt sle ule sge uge".split()
COMPARISONS: Final = dict(zip((*range(0x46, 0x50), *range(0x51, 0x5B)), _RELATIONS * 2))
"""By opcode: the relation."""
EQUALS_ZERO: Final = {0x45: 32, 0x50: 64}
COUNTS: Final = {0x67: 32, 0x68: 32, 0x69: 32, 0x79: 64, 0x7A: 64, 0x7B: 64}
"""By opcode: the bits that are counted."""
NARROW_LOADS: Final = {
    0x2C: (32, -128, 127),
    0x2D: (32, 0, 255),
    0x2E: (32, -32768, 32767),
    0x2F: (32, 0, 65535),
    0x30: (64, -128, 127),
    0x31: (64, 0, 255),
    0x32: (64, -32768, 32767),
    0x33: (64, 0, 65535),
    0x34: (64, -(1 << 31), (1 << 31) - 1),
    0x35: (64, 0, (1 << 32) - 1),
}
"""By opcode: bits, and the least and the most that can come from memory."""


def converted(code: int, x: Symbol) -> Symbol | None:
    """Conversions between i32 and i64."""
    if code == 0xA7:
        if not isinstance(x, Affine):
            return None
        terms = tuple((variable, signed(c, 32)) for variable, c in x.terms if signed(c, 32))
        return Affine(32, terms, signed(x.constant, 32), x.spread, x.data)
    inside = bounds(x)
    return between(64, *inside, is_data(x)) if inside is not None and code in (0xAC, 0xAD) else None

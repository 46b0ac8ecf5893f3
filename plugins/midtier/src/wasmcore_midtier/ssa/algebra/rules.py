"""Algebra: what an operation on integers is equal to, where that is simpler. One line each; `tests/test_rules.py` computes both sides."""

from __future__ import annotations

from typing import Final, NamedTuple

RULES: Final = """
add x 0 = x
sub x 0 = x
sub x x = 0
mul x 0 = 0
mul x 1 = x
div_s x 1 = x
div_u x 1 = x
rem_u x 1 = 0
and x 0 = 0
and x -1 = x
and x x = x
or x 0 = x
or x -1 = -1
or x x = x
xor x 0 = x
xor x x = 0
shl x 0 = x
shr_s x 0 = x
shr_u x 0 = x
rotl x 0 = x
rotr x 0 = x
eq x x = 1
ne x x = 0
lt_s x x = 0
lt_u x x = 0
gt_s x x = 0
gt_u x x = 0
le_s x x = 1
le_u x x = 1
ge_s x x = 1
ge_u x x = 1
lt_u x 0 = 0
ge_u x 0 = 1
"""
"""Operations of both widths: x is anything, numbers are constants."""

_NAMES: Final = "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()
_NUMERIC: Final = "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr".split()
CODES: Final = {
    name: (first + at, second + at)
    for first, second, names in ((0x45, 0x50, _NAMES), (0x67, 0x79, _NUMERIC))
    for at, name in enumerate(names)
}
"""By name: the opcodes for 32 and for 64 bits."""

COMMUTATIVE: Final = frozenset(code for name in ("add", "mul", "and", "or", "xor", "eq", "ne") for code in CODES[name])
"""A constant stands on the right of these."""
ASSOCIATIVE: Final = frozenset(code for name in ("add", "mul", "and", "or", "xor") for code in CODES[name])
"""(x op C) op D is x op (C op D)."""
INVERSE: Final = {
    first: second
    for pair in (("eq", "ne"), ("lt_s", "ge_s"), ("lt_u", "ge_u"), ("gt_s", "le_s"), ("gt_u", "le_u"))
    for one, other in zip(CODES[pair[0]], CODES[pair[1]])
    for first, second in ((one, other), (other, one))
}
"""By comparison of integers: what is true where it is false."""
SWAPPED: Final = {
    first: second
    for pair in (("lt_s", "gt_s"), ("lt_u", "gt_u"), ("le_s", "ge_s"), ("le_u", "ge_u"))
    for one, other in zip(CODES[pair[0]], CODES[pair[1]])
    for first, second in ((one, other), (other, one))
}
"""By comparison: the same with its operands exchanged."""
EQUALS_ZERO: Final = frozenset(CODES["eqz"])


class Rule(NamedTuple):
    """One line."""

    right: int | None
    """The constant on the right, None if that is what stands on the left."""
    result: int | None
    """The constant that it is, None if it is the left side."""


def _parsed() -> dict[int, list[Rule]]:
    found: dict[int, list[Rule]] = {}
    for line in RULES.split("\n"):
        if line:
            name, _, right, _, result = line.split()
            rule = Rule(None if right == "x" else int(right), None if result == "x" else int(result))
            for code in CODES[name]:
                found.setdefault(code, []).append(rule)
    return found


BY_CODE: Final = _parsed()

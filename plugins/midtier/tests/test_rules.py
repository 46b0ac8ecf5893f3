"""Both sides of every rule are the same number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmcore_midtier.ssa.algebra.arithmetic import OPERATIONS, UNARY, evaluated, signed
from wasmcore_midtier.ssa.algebra.rules import ASSOCIATIVE, BY_CODE, COMMUTATIVE, INVERSE, SWAPPED

NUMBERS = st.one_of(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-3, 70), st.sampled_from([1 << 31, -(1 << 31), (1 << 31) - 1]))
BINARY = sorted(OPERATIONS.keys() - UNARY)


def number(code: int, x: int) -> int:
    """As an operand of an operation."""
    return signed(x, OPERATIONS[code][0])


@pytest.mark.parametrize("code", sorted(BY_CODE))
@given(x=NUMBERS)
def test_rules(code: int, x: int) -> None:
    x = number(code, x)
    for rule in BY_CODE[code]:
        assert evaluated(code, x, x if rule.right is None else rule.right) == (x if rule.result is None else rule.result), rule


@given(x=NUMBERS, y=NUMBERS, z=NUMBERS)
def test_properties(x: int, y: int, z: int) -> None:
    for code in BINARY:
        a, b, c = number(code, x), number(code, y), number(code, z)
        if code in COMMUTATIVE:
            assert evaluated(code, a, b) == evaluated(code, b, a)
        if code in ASSOCIATIVE:
            left, right = evaluated(code, a, b), evaluated(code, b, c)
            assert left is not None and right is not None
            assert evaluated(code, left, c) == evaluated(code, a, right)
        if code in INVERSE:
            assert evaluated(code, a, b) == 1 - (evaluated(INVERSE[code], a, b) or 0)
        if code in SWAPPED:
            assert evaluated(code, a, b) == evaluated(SWAPPED[code], b, a)

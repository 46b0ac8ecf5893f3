"""Values of type v128. Lanes that an operation may leave a NaN in are made canonical, since any use of a vector shows their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .module_builder import V128
from .operators import (
    EXTRACTIONS,
    F32X4_EQUAL,
    F32X4_OPERATORS,
    F64X2_EQUAL,
    F64X2_OPERATORS,
    FLOAT_SPLATS,
    REPLACEMENTS,
    SHUFFLE,
    VECTOR_OPERATORS,
    VECTOR_TESTS,
)
from .tree import Node
from .values import F32_NAN, F64_NAN, constant

if TYPE_CHECKING:
    from .generator import FunctionGenerator

BITSELECT = b"\xfd\x52"


def operator(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """An operator without floats."""
    chosen = g.random.choice(VECTOR_OPERATORS)
    return Node((V128,), [*(g.value(t, depth) for t in chosen.operands), chosen.code])


def float_operator(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """An operator on floats, and a selection that replaces what is not equal to itself."""
    single = g.chance(0.5)
    chosen = g.random.choice(F32X4_OPERATORS if single else F64X2_OPERATORS)
    kept = g.scratch(V128)
    value = Node((V128,), [*(g.value(t, depth) for t in chosen.operands), chosen.code])
    nan = constant(V128, F32_NAN if single else F64_NAN)
    get = b"\x20" + kept
    parts: list[bytes | Node] = [value, b"\x22", kept, nan, get, get, F32X4_EQUAL if single else F64X2_EQUAL, BITSELECT]
    parts += [b"\x22", kept]  # the local may be read elsewhere
    return Node((V128,), parts, fixed=True)


def shuffle(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """A shuffle; some choose whole lanes."""
    width = g.random.choice((1, 1, 2, 4, 8))
    chosen = [g.random.randrange(32 // width) for _ in range(16 // width)]
    lanes = bytes(lane * width + byte for lane in chosen for byte in range(width))
    return Node((V128,), [g.value(V128, depth), g.value(V128, depth), SHUFFLE, lanes])


def splat(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """All lanes from a float."""
    chosen = g.random.choice(FLOAT_SPLATS)
    return Node((V128,), [g.exact(chosen.operands[0], depth), chosen.code])


def replace(g: FunctionGenerator, _value_type: int, depth: int) -> Node:
    """One lane from a number."""
    chosen = g.random.choice(REPLACEMENTS)
    return Node((V128,), [g.value(V128, depth), g.exact(chosen.scalar, depth), chosen.code, bytes([g.random.randrange(chosen.lanes)])])


def extract(g: FunctionGenerator, value_type: int, depth: int) -> Node:
    """One lane as a number."""
    chosen = g.random.choice([each for each in EXTRACTIONS if each.scalar == value_type])
    return Node((value_type,), [g.value(V128, depth), chosen.code, bytes([g.random.randrange(chosen.lanes)])])


def test(g: FunctionGenerator, value_type: int, depth: int) -> Node:
    """any_true, all_true, bitmask."""
    chosen = g.random.choice(VECTOR_TESTS)
    return Node((value_type,), [g.value(V128, depth), chosen.code])

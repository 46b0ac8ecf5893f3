"""Operators the generator chooses from, as data: opcode bytes, operand types, result type."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from .module_builder import F32, F64, I32, I64, V128, unsigned


class Operator(NamedTuple):
    """A numeric operator."""

    code: bytes
    operands: tuple[int, ...]
    result: int


class Access(NamedTuple):
    """A load or a store of a type."""

    code: bytes
    value: int
    width: int
    """Bytes."""


def _run(first: int, count: int, operands: tuple[int, ...], result: int) -> list[Operator]:
    return [Operator(bytes([first + i]), operands, result) for i in range(count)]


def _saturating(number: int, operand: int, result: int) -> Operator:
    return Operator(bytes([0xFC, number]), (operand,), result)


_OF_INTEGERS = chain(
    _run(0x45, 1, (I32,), I32),  # eqz
    _run(0x46, 10, (I32, I32), I32),  # eq to ge_u
    _run(0x50, 1, (I64,), I32),
    _run(0x51, 10, (I64, I64), I32),
    _run(0x67, 3, (I32,), I32),  # clz, ctz, popcnt
    _run(0x6A, 3, (I32, I32), I32),  # add, sub, mul
    _run(0x71, 8, (I32, I32), I32),  # and to rotr
    _run(0x79, 3, (I64,), I64),
    _run(0x7C, 3, (I64, I64), I64),
    _run(0x83, 8, (I64, I64), I64),
    _run(0xA7, 1, (I64,), I32),  # wrap
    _run(0xAC, 2, (I32,), I64),  # extend
    _run(0xC0, 2, (I32,), I32),  # extend8_s, extend16_s
    _run(0xC2, 3, (I64,), I64),
)
_OF_FLOATS = chain(
    _run(0x5B, 6, (F32, F32), I32),  # eq to ge
    _run(0x61, 6, (F64, F64), I32),
    _run(0x8B, 7, (F32,), F32),  # abs to sqrt
    _run(0x92, 6, (F32, F32), F32),  # add to max
    _run(0x99, 7, (F64,), F64),
    _run(0xA0, 6, (F64, F64), F64),
    _run(0xB2, 2, (I32,), F32),  # convert
    _run(0xB4, 2, (I64,), F32),
    _run(0xB6, 1, (F64,), F32),  # demote
    _run(0xB7, 2, (I32,), F64),
    _run(0xB9, 2, (I64,), F64),
    _run(0xBB, 1, (F32,), F64),  # promote
    _run(0xBE, 1, (I32,), F32),  # reinterpret
    _run(0xBF, 1, (I64,), F64),
    (_saturating(number, (F32, F64)[number >> 1 & 1], (I32, I64)[number >> 2]) for number in range(8)),
)
OPERATORS = [*_OF_INTEGERS, *_OF_FLOATS]
"""Operators that neither trap nor show the bits of a NaN."""

DIVISIONS = [*_run(0x6D, 4, (I32, I32), I32), *_run(0x7F, 4, (I64, I64), I64)]
"""Operators that trap on a zero divisor (and on overflow)."""

TRUNCATIONS = [*_run(0xA8, 2, (F32,), I32), *_run(0xAA, 2, (F64,), I32), *_run(0xAE, 2, (F32,), I64), *_run(0xB0, 2, (F64,), I64)]
"""Operators that trap on what does not fit."""

# These show the sign or the payload of a NaN, which the specification leaves open.
REINTERPRETATIONS = [*_run(0xBC, 1, (F32,), I32), *_run(0xBD, 1, (F64,), I64)]
SIGN_COPIES = [*_run(0x98, 1, (F32, F32), F32), *_run(0xA6, 1, (F64, F64), F64)]

_WIDTHS = {
    I32: ((0x28, 4), (0x2C, 1), (0x2D, 1), (0x2E, 2), (0x2F, 2)),
    I64: ((0x29, 8), (0x30, 1), (0x31, 1), (0x32, 2), (0x33, 2), (0x34, 4), (0x35, 4)),
    F32: ((0x2A, 4),),
    F64: ((0x2B, 8),),
}
LOADS = {value: [Access(bytes([code]), value, width) for code, width in codes] for value, codes in _WIDTHS.items()}
STORES = [
    Access(bytes([code]), value, width)
    for code, value, width in (
        (0x36, I32, 4), (0x37, I64, 8), (0x38, F32, 4), (0x39, F64, 8), (0x3A, I32, 1),
        (0x3B, I32, 2), (0x3C, I64, 1), (0x3D, I64, 2), (0x3E, I64, 4),
    )
]  # fmt: skip

EQUAL = {I32: b"\x46", I64: b"\x51", F32: b"\x5b", F64: b"\x61"}
OR = {I32: b"\x72", I64: b"\x84"}


def _vectors(operands: tuple[int, ...], result: int, *runs: tuple[int, int]) -> list[Operator]:
    """Vector instructions: first number and count."""
    return [Operator(b"\xfd" + unsigned(first + i), operands, result) for first, count in runs for i in range(count)]


VECTOR_OPERATORS = [
    *_vectors((V128,), V128, (0x4D, 1), (0x60, 3), (0x7C, 6), (0x87, 4), (0xA0, 2), (0xA7, 4), (0xC0, 2), (0xC7, 4)),
    *_vectors((V128,), V128, (0xE0, 2), (0xEC, 2), (0xF8, 8)),
    *_vectors((V128, V128), V128, (0x0E, 1), (0x23, 42), (0x4E, 4), (0x65, 2), (0x6E, 6), (0x76, 4), (0x7B, 1), (0x82, 1), (0x85, 2)),
    *_vectors((V128, V128), V128, (0x8E, 6), (0x95, 5), (0x9B, 5), (0xAE, 1), (0xB1, 1), (0xB5, 6), (0xBC, 4), (0xCE, 1), (0xD1, 1)),
    *_vectors((V128, V128), V128, (0xD5, 11), (0xEA, 2), (0xF6, 2)),
    *_vectors((V128, V128, V128), V128, (0x52, 1)),
    *_vectors((V128, I32), V128, (0x6B, 3), (0x8B, 3), (0xAB, 3), (0xCB, 3)),
    *_vectors((I32,), V128, (0x0F, 3)),
    *_vectors((I64,), V128, (0x12, 1)),
]
"""Their results have no bits that the specification leaves open."""
VECTOR_TESTS = _vectors((V128,), I32, (0x53, 1), (0x63, 2), (0x83, 2), (0xA3, 2), (0xC3, 2))

# Lanes may become a NaN whose bits are open.
F32X4_OPERATORS = [*_vectors((V128,), V128, (0x5E, 1), (0x67, 4), (0xE3, 1)), *_vectors((V128, V128), V128, (0xE4, 6))]
F64X2_OPERATORS = [
    *_vectors((V128,), V128, (0x5F, 1), (0x74, 2), (0x7A, 1), (0x94, 1), (0xEF, 1)),
    *_vectors((V128, V128), V128, (0xF0, 6)),
]
F32X4_EQUAL, F64X2_EQUAL = b"\xfd\x41", b"\xfd\x47"
FLOAT_SPLATS = [*_vectors((F32,), V128, (0x13, 1)), *_vectors((F64,), V128, (0x14, 1))]


WIDE_OPERATORS = [(b"\xfc\x13", 4), (b"\xfc\x14", 4), (b"\xfc\x15", 2), (b"\xfc\x16", 2)]
"""Instructions with two results of type i64, and how many operands of that type they have."""


class LaneOperator(NamedTuple):
    """An instruction with a lane."""

    code: bytes
    scalar: int
    lanes: int


EXTRACTIONS = [
    LaneOperator(b"\xfd" + bytes([number]), scalar, lanes)
    for number, scalar, lanes in (
        (0x15, I32, 16), (0x16, I32, 16), (0x18, I32, 8), (0x19, I32, 8), (0x1B, I32, 4), (0x1D, I64, 2), (0x1F, F32, 4), (0x21, F64, 2),
    )
]  # fmt: skip
REPLACEMENTS = [
    LaneOperator(b"\xfd" + bytes([number]), scalar, lanes)
    for number, scalar, lanes in ((0x17, I32, 16), (0x1A, I32, 8), (0x1C, I32, 4), (0x1E, I64, 2), (0x20, F32, 4), (0x22, F64, 2))
]
SHUFFLE = b"\xfd\x0d"


class Atomic(NamedTuple):
    """An atomic access that has a result."""

    code: bytes
    value: int
    logarithm: int
    """Of its bytes."""
    operands: int
    """Values besides the address."""


_ATOMIC_WIDTHS = ((I32, 2), (I64, 3), (I32, 0), (I32, 1), (I64, 0), (I64, 1), (I64, 2))
ATOMICS = [
    Atomic(b"\xfe" + unsigned(first + i), value, logarithm, operands)
    for first, operands in ((0x10, 0), (0x1E, 1), (0x25, 1), (0x2C, 1), (0x33, 1), (0x3A, 1), (0x41, 1), (0x48, 2))
    for i, (value, logarithm) in enumerate(_ATOMIC_WIDTHS)
]
ATOMIC_STORES = [Atomic(b"\xfe" + unsigned(0x17 + i), value, logarithm, 1) for i, (value, logarithm) in enumerate(_ATOMIC_WIDTHS)]

VECTOR_WIDTHS = (16, 8, 8, 8, 8, 8, 8, 1, 2, 4, 8)
LOADS[V128] = [Access(b"\xfd" + bytes([number]), V128, width) for number, width in [*enumerate(VECTOR_WIDTHS), (0x5C, 4), (0x5D, 8)]]
STORES.append(Access(b"\xfd\x0b", V128, 16))
LANE_LOADS = [Access(b"\xfd" + bytes([0x54 + i]), V128, 1 << i) for i in range(4)]
LANE_STORES = [Access(b"\xfd" + bytes([0x58 + i]), V128, 1 << i) for i in range(4)]

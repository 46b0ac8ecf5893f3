"""Operators the generator chooses from, as data: opcode bytes, operand types, result type."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from .module_builder import F32, F64, I32, I64


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

"""What integer operations do to constants: the operations by opcode, on signed numbers of 32 or 64 bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Operation = Callable[[int, int, int], int | None]
"""Bits and two operands (the second is 0 where there is one) to the result, not yet of so many bits; None where it would trap."""


def signed(value: int, bits: int) -> int:
    """Modulo 2**bits, as a signed number."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def unsigned(value: int, bits: int) -> int:
    """Modulo 2**bits, as an unsigned number."""
    return value & ((1 << bits) - 1)


def _divided(x: int, y: int) -> int:
    """Towards zero."""
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def _rotated(bits: int, x: int, count: int) -> int:
    x, count = unsigned(x, bits), count % bits
    return x << count | x >> (bits - count)


_UNARY: Final[dict[str, Operation]] = {
    "clz": lambda bits, x, _: bits - unsigned(x, bits).bit_length(),
    "ctz": lambda bits, x, _: bits if x == 0 else (x & -x).bit_length() - 1,
    "popcnt": lambda bits, x, _: bin(unsigned(x, bits)).count("1"),
}
_BINARY: Final[dict[str, Operation]] = {
    "add": lambda bits, x, y: x + y,
    "sub": lambda bits, x, y: x - y,
    "mul": lambda bits, x, y: x * y,
    "div_s": lambda bits, x, y: None if y == 0 or (y == -1 and x == -1 << (bits - 1)) else _divided(x, y),
    "div_u": lambda bits, x, y: None if y == 0 else unsigned(x, bits) // unsigned(y, bits),
    "rem_s": lambda bits, x, y: None if y == 0 else x - y * _divided(x, y),
    "rem_u": lambda bits, x, y: None if y == 0 else unsigned(x, bits) % unsigned(y, bits),
    "and": lambda bits, x, y: x & y,
    "or": lambda bits, x, y: x | y,
    "xor": lambda bits, x, y: x ^ y,
    "shl": lambda bits, x, y: x << y % bits,
    "shr_s": lambda bits, x, y: x >> y % bits,
    "shr_u": lambda bits, x, y: unsigned(x, bits) >> y % bits,
    "rotl": lambda bits, x, y: _rotated(bits, x, y),
    "rotr": lambda bits, x, y: _rotated(bits, x, -y),
}
_COMPARISONS: Final[dict[str, Operation]] = {
    "eqz": lambda bits, x, _: x == 0,
    "eq": lambda bits, x, y: x == y,
    "ne": lambda bits, x, y: x != y,
    "lt_s": lambda bits, x, y: x < y,
    "lt_u": lambda bits, x, y: unsigned(x, bits) < unsigned(y, bits),
    "gt_s": lambda bits, x, y: x > y,
    "gt_u": lambda bits, x, y: unsigned(x, bits) > unsigned(y, bits),
    "le_s": lambda bits, x, y: x <= y,
    "le_u": lambda bits, x, y: unsigned(x, bits) <= unsigned(y, bits),
    "ge_s": lambda bits, x, y: x >= y,
    "ge_u": lambda bits, x, y: unsigned(x, bits) >= unsigned(y, bits),
}
_CONVERSIONS: Final[dict[int, tuple[int, int, Operation]]] = {
    0xA7: (64, 32, lambda bits, x, _: x),
    0xAC: (32, 64, lambda bits, x, _: x),
    0xAD: (32, 64, lambda bits, x, _: unsigned(x, 32)),
    0xC0: (32, 32, lambda bits, x, _: signed(x, 8)),
    0xC1: (32, 32, lambda bits, x, _: signed(x, 16)),
    0xC2: (64, 64, lambda bits, x, _: signed(x, 8)),
    0xC3: (64, 64, lambda bits, x, _: signed(x, 16)),
    0xC4: (64, 64, lambda bits, x, _: signed(x, 32)),
}

OPERATIONS: Final[dict[int, tuple[int, int, Operation]]] = {
    **{first + at: (bits, 32, each) for first, bits in ((0x45, 32), (0x50, 64)) for at, each in enumerate(_COMPARISONS.values())},
    **{
        first + at: (bits, bits, each)
        for first, bits in ((0x67, 32), (0x79, 64))
        for at, each in enumerate((_UNARY | _BINARY).values())
    },
    **_CONVERSIONS,
}
"""By opcode: bits of the operands, bits of the result, and the operation."""
UNARY: Final = frozenset((0x45, 0x50, 0x67, 0x68, 0x69, 0x79, 0x7A, 0x7B, *_CONVERSIONS))
"""Those with one operand."""


def evaluated(code: int, x: int, y: int = 0) -> int | None:
    """The result of an operation on constants, as a signed number; None where it traps."""
    bits, result_bits, operation = OPERATIONS[code]
    result = operation(bits, x, y)
    return None if result is None else signed(result, result_bits)

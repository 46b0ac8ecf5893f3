"""Values that are likely to be interesting, and the constants that push them."""

from __future__ import annotations

import math
import struct
from random import Random

from .module_builder import F32, F64, I32, I64, V128, signed

INTERESTING: tuple[int, ...] = (0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 65535)
INTERESTING += (2**31 - 1, -(2**31), 2**32 - 1, 2**32, 2**63 - 1, -(2**63))
FLOATS: tuple[float, ...] = (0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -3.75, 1e10, -1e10, 2147483647.0, 2147483648.0, -2147483649.0)
FLOATS += (4294967295.0, 4294967296.0, 9223372036854775808.0, 18446744073709551616.0)
FLOATS += (1e-40, 5e-324, 1e300, 3.4e38, math.inf, -math.inf, math.nan)


def wrap(value: int, bits: int) -> int:
    """The signed number of the low bits."""
    return (value & (1 << bits) - 1 ^ 1 << bits - 1) - (1 << bits - 1)


def to_f32(value: float) -> float:
    """The nearest single."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.inf if value > 0 else float("-inf")


def random_value(random: Random, value_type: int) -> int | float:
    """A number of a type, one that is likely to be interesting."""
    if value_type in (F32, F64):
        number = random.choice(FLOATS) if random.random() < 0.6 else random.uniform(-1e4, 1e4)
        return to_f32(number) if value_type == F32 else number
    if value_type == V128:
        return random_vector(random)
    bits = 32 if value_type == I32 else 64
    chance = random.random()
    if chance < 0.4:
        return wrap(random.choice(INTERESTING), bits)
    return random.randint(-100, 100) if chance < 0.7 else wrap(random.getrandbits(bits), bits)


def random_vector(random: Random) -> int:
    """The bits of a vector of lanes that are likely to be interesting."""
    chance = random.random()
    if chance < 0.2:
        return random.choice((0, (1 << 128) - 1))
    if chance < 0.4:
        return random.getrandbits(128)
    lane, code = random.choice(((1, "b"), (2, "h"), (4, "i"), (8, "q"), (4, "f"), (8, "d")))
    if code in "fd":
        kind = F32 if code == "f" else F64
        parts = [struct.pack("<" + code, random_value(random, kind)) for _ in range(16 // lane)]
    else:
        parts = [struct.pack("<" + code, wrap(random.choice(INTERESTING), 8 * lane)) for _ in range(16 // lane)]
    return int.from_bytes(b"".join(parts), "little")


def constant(value_type: int, value: int | float = 0) -> bytes:
    """The instruction that pushes a number, or null."""
    if value_type == I32 or value_type == I64:
        return (b"\x41" if value_type == I32 else b"\x42") + signed(int(value))
    if value_type == F32:
        return b"\x43" + struct.pack("<f", value)
    if value_type == F64:
        return b"\x44" + struct.pack("<d", value)
    if value_type == V128:
        return b"\xfd\x0c" + int(value).to_bytes(16, "little")
    return b"\xd0" + bytes([value_type])


F32_NAN = int.from_bytes(struct.pack("<f", math.nan) * 4, "little")
F64_NAN = int.from_bytes(struct.pack("<d", math.nan) * 2, "little")
"""Vectors of canonical NaNs."""

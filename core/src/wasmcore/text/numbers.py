"""Numbers of the text format: their form, and their exact values (specification, section 6.3.1 and 6.3.2)."""

from __future__ import annotations

from struct import pack, unpack
from typing import Final

from wasmcore._native import i64
from wasmcore.text.strings import hex_digit

_LEAST_NORMAL_SINGLE: Final = 2.0**-126
_MAX_EXPONENT: Final = 1 << 40
"""Exponents are limited to this, far beyond what a mantissa of any source could make up for."""


def _digits_end(data: bytes, at: i64, size: i64, hexadecimal: bool) -> i64:
    """Where digits with single underscores between them end; the same place when there are none."""
    start: i64 = at
    while at < size:
        byte: i64 = data[at]
        if 0x30 <= byte <= 0x39 or (hexadecimal and hex_digit(byte) >= 0):
            at += 1
        elif byte == 0x5F and at > start and i64(data[at - 1]) != 0x5F:
            at += 1
        else:
            break
    if at > start and i64(data[at - 1]) == 0x5F:
        at -= 1
    return at


def number_end(data: bytes, start: i64, size: i64) -> i64:
    """Twice the place where a number ends that starts here, plus 1 if it is a float; twice `start` when there is none."""
    at: i64 = start
    byte: i64 = data[at]
    if byte == 0x2B or byte == 0x2D:
        at += 1
        if at >= size:
            return start << 1
        byte = data[at]
    if byte == 0x69 or byte == 0x6E:
        return _word_end(data, start, at, size)
    hexadecimal = byte == 0x30 and at + 1 < size and i64(data[at + 1]) == 0x78
    if hexadecimal:
        at += 2
    end = _digits_end(data, at, size, hexadecimal)
    if end == at:
        return start << 1
    at = end
    is_float: i64 = 0
    if at < size and i64(data[at]) == 0x2E:
        is_float = 1
        at = _digits_end(data, at + 1, size, hexadecimal)
    if at < size:
        byte = i64(data[at]) | 0x20
        if byte == 0x65 and not hexadecimal or byte == 0x70 and hexadecimal:
            is_float = 1
            at += 1
            if at < size and (i64(data[at]) == 0x2B or i64(data[at]) == 0x2D):
                at += 1
            end = _digits_end(data, at, size, False)
            if end == at:
                return start << 1
            at = end
    return at << 1 | is_float


def _word_end(data: bytes, start: i64, at: i64, size: i64) -> i64:
    """`number_end` of infinities and NaNs."""
    if data.startswith(b"inf", at):
        return (at + 3) << 1 | 1
    if data.startswith(b"nan:0x", at):
        end = _digits_end(data, at + 6, size, True)
        return start << 1 if end == at + 6 else end << 1 | 1
    if data.startswith(b"nan", at):
        return (at + 3) << 1 | 1
    return start << 1


def big_integer(text: bytes) -> int | None:
    """Value of an integer without its sign, None from 2**64 on. The text may have any number of digits."""
    plain = text.replace(b"_", b"")
    if plain.startswith(b"0x"):
        digits = plain[2:].lstrip(b"0")
        return int(digits or b"0", 16) if len(digits) <= 16 else None
    digits = plain.lstrip(b"0")
    value = int(digits or b"0") if len(digits) <= 20 else 1 << 64
    return value if value < 1 << 64 else None


def float_bits(text: bytes, bits: int) -> int | None:
    """The bits of a float of 32 or 64 bits, rounded to the nearest, ties to even; None when it is out of range.

    The text has the form of a number, as the lexer accepts it: an integer or a float, with a sign or without.
    """
    sign = 1 << bits - 1 if text.startswith(b"-") else 0
    body = text.lstrip(b"+-")
    if body.startswith(b"0x"):
        magnitude = _hexadecimal_bits(body, bits)
    elif body.startswith(b"i"):
        magnitude = _infinity(bits)
    elif body.startswith(b"n"):
        magnitude = _nan_bits(body, bits)
    elif bits == 64:
        magnitude = _finite(int(unpack("<Q", pack("<d", float(body)))[0]), bits)
    else:
        magnitude = _decimal_single(body)
    return None if magnitude is None else sign | magnitude


def _infinity(bits: int) -> int:
    return 0x7F800000 if bits == 32 else 0x7FF0000000000000


def _finite(magnitude: int, bits: int) -> int | None:
    return magnitude if magnitude < _infinity(bits) else None


def _nan_bits(body: bytes, bits: int) -> int | None:
    fraction = 23 if bits == 32 else 52
    if body == b"nan":
        return _infinity(bits) | 1 << fraction - 1
    payload = big_integer(body[4:])
    return _infinity(bits) | payload if payload is not None and 0 < payload < 1 << fraction else None


def _decimal_single(body: bytes) -> int | None:
    """A decimal number to the nearest single.

    The nearest double tells it, unless that lies half way between two singles: then what was lost in rounding to the double decides.
    """
    double = float(body)
    pattern = int(unpack("<Q", pack("<d", double))[0])
    if pattern & 0x1FFFFFFF == 0x10000000 or (pattern & 0x0FFFFFFF == 0 and 0 < double < _LEAST_NORMAL_SINGLE):
        from decimal import Decimal

        exact, rounded = Decimal(body.replace(b"_", b"").decode()), Decimal(double)
        if exact != rounded:
            double = float(unpack("<d", pack("<Q", pattern + (1 if exact > rounded else -1)))[0])
    try:
        return _finite(int(unpack("<I", pack("<f", double))[0]), 32)
    except OverflowError:
        return None


def _hexadecimal_bits(body: bytes, bits: int) -> int | None:
    """A hexadecimal number, rounded once."""
    mantissa, _, exponent_text = body[2:].replace(b"_", b"").lower().partition(b"p")
    whole, _, fraction = mantissa.partition(b".")
    value = int(whole + fraction, 16)
    if value == 0:
        return 0
    exponent = -4 * len(fraction)
    if exponent_text:
        digits = exponent_text.lstrip(b"+-").lstrip(b"0") or b"0"
        written = int(digits) if len(digits) <= 12 else _MAX_EXPONENT
        exponent += -written if exponent_text.startswith(b"-") else written
    fraction_bits, lowest = (23, -149) if bits == 32 else (52, -1074)
    # The unit of the last place of the result, as a power of two.
    unit = max(value.bit_length() + exponent - fraction_bits - 1, lowest)
    if unit > 1024:
        return None
    shift = unit - exponent
    if shift <= 0:
        value <<= -shift
    elif shift > value.bit_length() + 1:
        return 0
    else:
        half = 1 << shift - 1
        rest = value & (1 << shift) - 1
        value >>= shift
        if rest > half or (rest == half and value & 1):
            value += 1
    # A carry out of the fraction moves into the exponent, which is what rounding wants.
    return _finite((unit - lowest << fraction_bits) + value, bits)

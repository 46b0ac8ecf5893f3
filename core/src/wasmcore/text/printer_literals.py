"""Strings and floating-point constants as the text format writes them (specification, sections 6.3.2 and 6.3.3)."""

from __future__ import annotations

import struct
from typing import Final

_F32: Final = struct.Struct("<f")
_I32: Final = struct.Struct("<I")
_F64: Final = struct.Struct("<d")
_I64: Final = struct.Struct("<Q")

_ESCAPES: Final = {ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_F32_END: Final = 3.4028235677973366e38
"""What is as large or larger is rounded to infinity."""
_BYTES: Final = [_ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:02x}") for byte in range(256)]
"""What stands for each byte in a string."""


def bytes_text(data: bytes) -> str:
    """A string literal that stands for bytes."""
    return '"' + "".join([_BYTES[byte] for byte in data]) + '"'


def name_text(name: str) -> str:
    """A string literal that stands for UTF-8 text; what can not be seen is written as bytes."""
    if name.isascii() and name.isprintable() and '"' not in name and "\\" not in name:
        return f'"{name}"'
    return '"' + "".join([_character(character) for character in name]) + '"'


def _character(character: str) -> str:
    if character.isprintable() and character not in '"\\':
        return character
    return "".join([_BYTES[byte] for byte in character.encode("utf-8")])


def f32_text(bits: int) -> str:
    """The shortest decimal, or NaN with payload, that stands for exactly these 32 bits."""
    if bits >> 23 & 0xFF == 0xFF:
        return _not_finite(bits >> 31, bits & 0x7FFFFF, 0x400000)
    value: float = _F32.unpack(_I32.pack(bits))[0]
    if value == 0:
        return repr(value)
    for digits in (6, 7, 8, 9):
        text = f"{value:.{digits}g}"
        double = float(text)
        # A double between two floats exactly may come from a decimal on either side, so it says nothing about that decimal.
        tie = _I64.unpack(_F64.pack(double))[0] & 0x1FFFFFFF == 0x10000000
        if not tie and abs(double) < _F32_END and _I32.unpack(_F32.pack(double))[0] == bits and abs(value) > 1e-37:
            return text if "." in text or "e" in text else text + ".0"
    return _hexadecimal(value)


def f64_text(bits: int) -> str:
    """The shortest decimal, or NaN with payload, that stands for exactly these 64 bits."""
    if bits >> 52 & 0x7FF == 0x7FF:
        return _not_finite(bits >> 63, bits & 0xFFFFFFFFFFFFF, 0x8000000000000)
    value: float = _F64.unpack(_I64.pack(bits))[0]
    return repr(value)


def _hexadecimal(value: float) -> str:
    """`float.hex` without the zeros that say nothing."""
    mantissa, exponent = value.hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}"


def _not_finite(negative: int, payload: int, canonical: int) -> str:
    sign = "-" if negative else ""
    if payload == 0:
        return sign + "inf"
    return sign + ("nan" if payload == canonical else f"nan:{payload:#x}")

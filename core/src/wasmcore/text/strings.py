"""String literals of the text format (specification, section 6.3.3)."""

from __future__ import annotations

from typing import Final

from wasmcore._native import BytesWriter, i64, u8

_ESCAPES: Final = {0x74: 9, 0x6E: 10, 0x72: 13, 0x22: 0x22, 0x27: 0x27, 0x5C: 0x5C}
"""The escapes of one letter."""


def hex_digit(byte: i64) -> i64:
    """Value of a hexadecimal digit, or -1."""
    if 0x30 <= byte <= 0x39:
        return byte - 0x30
    lower: i64 = byte | 0x20
    if 0x61 <= lower <= 0x66:
        return lower - 0x57
    return -1


def string_bytes(data: bytes, start: i64, end: i64) -> bytes:
    """What a string literal that the lexer accepted stands for; it starts and ends inside of the quotation marks."""
    escape = i64(data.find(b"\\", start, end))
    if escape < 0:
        return data[start:end]
    out = BytesWriter()
    while start < end:
        byte: i64 = data[start]
        start += 1
        if byte == 0x5C:
            byte = data[start]
            start += 1
            digit = hex_digit(byte)
            if digit >= 0:
                byte = digit * 16 + hex_digit(i64(data[start]))
                start += 1
            elif byte == 0x75:
                close = i64(data.find(b"}", start, end))
                out.write(chr(int(data[start + 1 : close].replace(b"_", b""), 16)).encode())
                start = close + 1
                continue
            else:
                byte = _ESCAPES[byte]
        out.append(u8(byte))
    return out.getvalue()


def escape_end(data: bytes, at: i64, end: i64) -> i64:
    """Where the escape ends that starts at a backslash, or -1 when it is none."""
    if at + 2 > end:
        return -1
    byte: i64 = data[at + 1]
    if byte in _ESCAPES:
        return at + 2
    if byte != 0x75:
        if at + 3 > end or hex_digit(byte) < 0 or hex_digit(i64(data[at + 2])) < 0:
            return -1
        return at + 3
    return _code_point_end(data, at + 2, end)


def _code_point_end(data: bytes, at: i64, end: i64) -> i64:
    """Where `{hexnum}` ends, or -1 when that is not there or no Unicode scalar value."""
    if at >= end or i64(data[at]) != 0x7B:
        return -1
    value: i64 = 0
    separated = True
    at += 1
    while at < end:
        byte: i64 = data[at]
        at += 1
        digit = hex_digit(byte)
        if digit >= 0:
            value = value * 16 + digit
            if value > 0x10FFFF:
                return -1
            separated = False
        elif byte == 0x5F and not separated:
            separated = True
        elif byte == 0x7D and not separated and not 0xD800 <= value < 0xE000:
            return at
        else:
            return -1
    return -1

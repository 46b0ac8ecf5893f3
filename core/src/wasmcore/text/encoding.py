"""Integers, types and names as the binary format writes them (specification, chapter 5)."""

from __future__ import annotations

from wasmcore._native import BytesWriter, i64, u8


def write_unsigned(out: BytesWriter, value: i64) -> None:
    """An unsigned LEB128 integer of up to 64 bits; a negative value stands for the unsigned one with the same bits."""
    while value >> 7 != 0:
        out.append(u8(value & 127 | 128))
        value = value >> 7 & 0x1FFFFFFFFFFFFFF
    out.append(u8(value))


def write_signed(out: BytesWriter, value: i64) -> None:
    """A signed LEB128 integer of up to 64 bits."""
    while value >= 64 or value < -64:
        out.append(u8(value & 127 | 128))
        value >>= 7
    out.append(u8(value & 127))


def write_fixed(out: BytesWriter, value: i64, size: i64) -> None:
    """The low bytes of an integer, the lowest first."""
    while size > 0:
        out.append(u8(value & 255))
        value >>= 8
        size -= 1


def write_type(out: BytesWriter, packed: i64) -> None:
    """A value type or heap type, packed as `wasmcore.text.types` does: its bytes from the lowest on, and their number in bits 56 on."""
    size = packed >> 56
    while size > 0:
        out.append(u8(packed & 255))
        packed >>= 8
        size -= 1


def write_bytes(out: BytesWriter, data: bytes) -> None:
    """A vector of bytes: their number, and they."""
    write_unsigned(out, len(data))
    out.write(data)


def write_name_entry(out: BytesWriter, index: i64, name: bytes) -> None:
    """An entry of a name map."""
    write_unsigned(out, index)
    write_bytes(out, name)


def write_section(out: BytesWriter, number: i64, data: bytes) -> None:
    """A section or subsection."""
    out.append(u8(number))
    write_bytes(out, data)


def write_vector_section(out: BytesWriter, number: i64, count: i64, items: bytes) -> None:
    """A section or subsection that is a vector, unless there are no items."""
    if count == 0:
        return
    head = BytesWriter()
    write_unsigned(head, count)
    out.append(u8(number))
    write_unsigned(out, len(head) + len(items))
    out.write(head.getvalue())
    out.write(items)

"""Resolved streams as text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.records import CLASS_NAMES, records
from wasmcore.stream import (
    COUNT_MASK,
    END_ELSE,
    END_IF,
    END_KIND_SHIFT,
    END_LOOP,
    HEIGHT_MASK,
    LANE_SHIFT,
    LOCALS,
    LOOP_HAS_CALLS,
    MEMORY_INDEX_MASK,
    REACHED,
    RETURN_LABEL,
    TABLE_FUNCTION,
    TARGET,
    TARGETED,
)

if TYPE_CHECKING:
    from wasmcore.records import Record

_BLOCKS: Final = (0x02, 0x03, 0x04)
_ELSE: Final = 0x05
_END: Final = 0x0B
_BRANCHES: Final = (0x0C, 0x0D, 0xD5, 0xD6, TARGET)
_RETURN: Final = 0x0F
_TYPED: Final = (0x1A, 0x1B)
_END_KINDS: Final = {END_LOOP: "loop", END_IF: "if", END_ELSE: "else"}
_WITHOUT: Final = frozenset((0x00, 0xD0, 0xD1, 0xD4, 0x603))


def stream_text(stream: bytes) -> list[tuple[int, str]]:
    """One line per record, indented by block, with the index of its first word."""
    lines = []
    depth = 0
    for record in records(stream):
        if record.operation in (_ELSE, _END):
            depth -= 1
        lines.append((record.word, "  " * depth + f"{record.name} {_fields(record)}".rstrip()))
        if record.operation in _BLOCKS or record.operation == _ELSE:
            depth += 1
    return lines


def _fields(record: Record) -> str:
    if record.operation in _BLOCKS or record.operation in (_ELSE, _END):
        return _block(record)
    if record.operation in _BRANCHES:
        return _branch(record)
    if record.operation == _RETURN:
        return _values(record.flags, record.value >> 32)
    if record.operation == LOCALS:
        return f"{record.value} {CLASS_NAMES[record.flags]}"
    if record.operation in _TYPED:
        return CLASS_NAMES[record.flags]
    if record.operation in _WITHOUT:
        return ""
    if record.operation == TABLE_FUNCTION:
        return f"{record.immediate} table={record.flags}"
    return _immediates(record, OPCODES[record.operation].immediates)


def _values(count: int, run: int) -> str:
    return f"values={count}@{run}" if count else ""


def _block(record: Record) -> str:
    words = [f"@{record.immediate}"]
    count = record.flags & COUNT_MASK
    if record.operation in _BLOCKS:
        if count:
            words.append(f"params={count}")
        if record.flags & LOOP_HAS_CALLS:
            words.append("calls")
        return " ".join(words)
    if record.operation == _END and record.flags >> END_KIND_SHIFT & 3:
        words.append(_END_KINDS[record.flags >> END_KIND_SHIFT & 3])
    words.append(f"height={record.value & HEIGHT_MASK}")
    if count:
        words.append(_values(count, record.value >> 32))
    words.extend(name for bit, name in ((REACHED, "reached"), (TARGETED, "targeted")) if record.flags & bit)
    return " ".join(words)


def _branch(record: Record) -> str:
    target = "return" if record.immediate == RETURN_LABEL else f"@{record.immediate}"
    if not record.flags:
        return target
    return f"{target} height={record.value & HEIGHT_MASK} {_values(record.flags, record.value >> 32)}"


def _immediates(record: Record, kind: int) -> str:
    if kind == Immediates.NONE:
        return ""
    if kind in (Immediates.LOCAL, Immediates.GLOBAL):
        return f"{record.immediate} {CLASS_NAMES[record.flags]}"
    if kind in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE):
        words = [f"offset={record.value & 0xFFFFFFFFFFFFFFFF}"]
        if record.flags & MEMORY_INDEX_MASK:
            words.append(f"memory={record.flags & MEMORY_INDEX_MASK}")
        if kind == Immediates.MEMORY_ACCESS_LANE:
            words.append(f"lane={record.flags >> LANE_SHIFT}")
        return " ".join(words)
    if kind == Immediates.F32:
        return f"{struct.unpack('<f', struct.pack('<I', record.value & 0xFFFFFFFF))[0]!r} ({record.value & 0xFFFFFFFF:#x})"
    if kind == Immediates.F64:
        return f"{struct.unpack('<d', struct.pack('<q', record.value))[0]!r} ({record.value & 0xFFFFFFFFFFFFFFFF:#x})"
    if kind in (Immediates.V128, Immediates.SHUFFLE):
        return struct.pack("<qq", *record.extension).hex(" ")
    return f"{record.value} {record.flags}" if record.flags else str(record.value)

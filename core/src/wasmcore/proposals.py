"""What an instruction needs that is not there, in words: a feature that is not enabled, a proposal that is not supported, a backend that
compiles it."""

from __future__ import annotations

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.opcodes import OPCODES, PREFIXES

if TYPE_CHECKING:
    from collections.abc import Set

_STRUCTS = "get get_s get_u set rmw.add rmw.sub rmw.and rmw.or rmw.xor rmw.xchg rmw.cmpxchg"
_GLOBALS = "get set rmw.add rmw.sub rmw.and rmw.or rmw.xor rmw.xchg rmw.cmpxchg"

UNSUPPORTED: Final = (
    (None, 0x06, 0x07, "legacy exceptions", "try catch"),
    (None, 0x09, 0x09, "legacy exceptions", "rethrow"),
    (None, 0x18, 0x19, "legacy exceptions", "delegate catch_all"),
    (None, 0xE0, 0xE6, "stack switching", "cont.new cont.bind suspend resume resume_throw resume_throw_ref switch"),
    (0xFB, 0x20, 0x22, "custom descriptors", "struct.new_desc struct.new_default_desc ref.get_desc"),
    (0xFB, 0x23, 0x26, "custom descriptors", "ref.cast_desc_eq ref.cast_desc_eq br_on_cast_desc_eq br_on_cast_desc_eq_fail"),
    (0xFB, 0x80, 0xB7, "reference-typed strings", ""),
    (0xFC, 0x12, 0x12, "memory control", "memory.discard"),
    (0xFC, 0x30, 0x31, "half precision", "f32.load_f16 f32.store_f16"),
    (0xFD, 0x120, 0x157, "half precision", ""),
    (0xFE, 0x04, 0x04, "shared-everything threads", "pause"),
    (0xFE, 0x4F, 0x57, "shared-everything threads", " ".join(f"global.atomic.{name}" for name in _GLOBALS.split())),
    (0xFE, 0x58, 0x5B, "shared-everything threads", "table.atomic.get table.atomic.set table.atomic.rmw.xchg table.atomic.rmw.cmpxchg"),
    (0xFE, 0x5C, 0x66, "shared-everything threads", " ".join(f"struct.atomic.{name}" for name in _STRUCTS.split())),
    (0xFE, 0x67, 0x71, "shared-everything threads", " ".join(f"array.atomic.{name}" for name in _STRUCTS.split())),
    (0xFE, 0x72, 0x72, "shared-everything threads", "ref.i31_shared"),
)
"""Instructions of known proposals that are not decoded: prefix, first and last number, proposal, names where they are settled."""

_IN_WORDS: Final = {"gc": "garbage-collected objects", "simd": "SIMD", "memory64": "64-bit memories"}
"""What a feature is, where its name does not say it."""


def not_enabled(feature: str) -> str:
    """That a feature is not enabled, and how it is."""
    return f'feature {feature} is not enabled (Engine(features="+{feature}"), --enable {feature})'


def illegal_opcode(byte: int, number: int, features: Set[str]) -> str:
    """Why an opcode is not accepted with these features: a byte, or a prefix and a number; the number is -1 where there is none."""
    text = f"illegal opcode {byte:02x}" if number < 0 else f"illegal opcode {byte:02x} {number:02x}"
    opcode = OPCODES.get(byte if number < 0 else PREFIXES[byte] + number)
    if opcode is not None and opcode.binary[0] == byte and opcode.feature not in features:
        return f"{text}: {opcode.name}: {not_enabled(opcode.feature)}"
    prefix, place = (None, byte) if number < 0 else (byte, number)
    for of, first, last, proposal, names in UNSUPPORTED:
        if of == prefix and first <= place <= last:
            name = names.split()[place - first] if names else "it"
            return f'{text}: {name} is of the proposal "{proposal}", which is not supported'
    return text


def unknown_operator(name: str) -> str:
    """That there is no instruction of this name in the text format, and which proposal has one."""
    for _, _, _, proposal, names in UNSUPPORTED:
        if name in names.split():
            return f'unknown operator {name}: it is of the proposal "{proposal}", which is not supported'
    return f"unknown operator {name}"


def needs(code: int) -> str:
    """What an instruction of the stream is part of."""
    opcode = OPCODES.get(code)
    if opcode is None:
        return f"record {code:#x}"
    words = _IN_WORDS.get(opcode.feature, opcode.feature.replace("_", " "))
    return f"{opcode.name} needs {words} (feature {opcode.feature})"

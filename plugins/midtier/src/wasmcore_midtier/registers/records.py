"""Macro records (`wasmcore_singlepass.records`) in a growing list, and those that every part of this compiler writes."""

from __future__ import annotations

from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_I32
from wasmcore_singlepass import records as m

_FLOAT = 32


class Records:
    """Words of records; registers of the float file are numbered from 32 on."""

    def __init__(self) -> None:
        self.words: list[int] = []

    def emit(self, operation: int, size: int, d: int, a: int, b: int, immediate: int) -> None:
        """One word."""
        self.words.append(operation | size << 8 | (d & 31) << 15 | (a & 31) << 20 | (b & 31) << 25 | immediate << 32)

    def emit_long(self, operation: int, size: int, d: int, a: int, b: int, immediate: int, extension: int) -> None:
        """A word with an extension."""
        self.emit(operation | m.EXTENDED, size, d, a, b, immediate)
        self.words.append(extension)

    def emit_constant(self, operation: int, size: int, d: int, a: int, b: int, constant: int) -> None:
        """A record whose constant is in the word, if it fits there."""
        if -(1 << 31) <= constant < 1 << 31:
            self.emit(operation, size, d, a, b, constant)
        else:
            self.emit_long(operation, size, d, a, b, 0, constant)

    def move(self, to: int, source: int) -> None:
        """Register to register, of one file."""
        self.emit(m.FLOAT_MOVE if to >= _FLOAT else m.MOVE, m.WIDE, to, source, 0, 0)

    def store_slot(self, slot: int, source: int, machine_class: int) -> None:
        """A register to a slot."""
        wide = machine_class not in (CLASS_I32, CLASS_F32)
        self.emit(m.FLOAT_STORE_SLOT if source >= _FLOAT else m.STORE_SLOT, wide, 0, source, 0, slot)

    def load_slot(self, to: int, slot: int, machine_class: int) -> None:
        """A slot to a register."""
        wide = machine_class not in (CLASS_I32, CLASS_F32)
        self.emit(m.FLOAT_LOAD_SLOT if to >= _FLOAT else m.LOAD_SLOT, wide, to, 0, 0, slot)

    def copy_slot(self, to: int, source: int) -> None:
        """A slot to a slot."""
        self.emit_long(m.COPY_SLOT, 0, 0, 0, 0, to, source)

    def load_constant(self, to: int, machine_class: int, bits: int) -> None:
        """A constant to a register."""
        if to >= _FLOAT:
            self.emit_constant(m.FLOAT_CONSTANT, machine_class == CLASS_F64, to, 0, 0, bits)
        else:
            self.emit_constant(m.CONSTANT, machine_class != CLASS_I32, to, 0, 0, bits)

    def store_constant(self, slot: int, machine_class: int, bits: int) -> None:
        """A constant to a slot."""
        wide = machine_class not in (CLASS_I32, CLASS_F32)
        if not wide or -(1 << 31) <= bits < 1 << 31:
            self.emit_long(m.STORE_SLOT_CONSTANT, wide, 0, 0, 0, slot, (bits + (1 << 31)) % (1 << 32) - (1 << 31))
            return
        low, high = bits & 0xFFFFFFFF, bits >> 32 & 0xFFFFFFFF
        for size, half in ((0, low), (m.HIGH_HALF, high)):
            self.emit_long(m.STORE_SLOT_CONSTANT, size, 0, 0, 0, slot, (half + (1 << 31)) % (1 << 32) - (1 << 31))

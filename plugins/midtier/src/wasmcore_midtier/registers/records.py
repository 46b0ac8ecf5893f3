"""Macro records (`wasmcore_singlepass.records`) in a growing buffer, and those that every part of this compiler writes.

A *place* is a register of the integer file by its number, one of the float file from `FLOAT` on, or a slot of the frame from `SLOT` on.
"""

from __future__ import annotations

from wasmcore_midtier import records as m
from wasmcore_midtier._native import BytesWriter, i64, write_i64_le
from wasmcore_midtier.ssa.operations import V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FLOAT: Final = 32
SLOT: Final = 64
CONSTANT: Final = -1
"""The place of a constant: it is made where it is wanted."""

# Operations of words that are no records, for whoever writes them out.
DEFINED: Final = 127
"""A value (immediate) is in a place (extension) from here on."""
JUMP_IF_EDGE: Final = 126
"""Jump by an edge (immediate) on a condition (size)."""
EDGE: Final = 125
"""What an edge (immediate) has to move."""
TARGET_EDGE: Final = 124
"""A target of a table: an edge (immediate)."""
# Those that are only there to be checked (`verify`).
USED: Final = 123
"""The next record reads a value (immediate) from a place (extension)."""
EXPECTED: Final = 122
"""At the beginning of a block: a value (immediate) is in a place (extension)."""
PARAMETER_PLACE: Final = 121
"""At the beginning of a block: a parameter (immediate) is in a place (extension)."""
FIRST_MARK: Final = 120
_LAST_TRANSFER: Final = 6
"""Records up to this one, and floats likewise, only bring values where they are read."""


class Records:
    """A buffer of records."""

    def __init__(self) -> None:
        self.out: BytesWriter = BytesWriter()
        self.checked = False
        """Whether words are to be written for `verify`."""
        self.reading: list[tuple[int, int]] = []
        """What the next record reads, if that is checked: values and places."""

    def mark(self, operation: i64, value: i64, place: i64) -> None:
        """A word that is no record, about a value in a place."""
        self.emit_long(operation, 0, 0, 0, 0, value, place)

    def reads(self, value: i64, place: i64) -> None:
        """The next record reads a value from a place."""
        if self.checked:
            self.reading.append((int(value), int(place)))

    def mark_reads(self) -> None:
        """The next record follows."""
        reading = self.reading
        self.reading = []
        for value, place in reading:
            self.mark(USED, i64(value), i64(place))

    def emit(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """One word."""
        if self.checked and self.reading and _LAST_TRANSFER < (operation & 0x7F) < FIRST_MARK and not is_float_transfer(operation & 0x7F):
            self.mark_reads()
        word = operation | (size << 8) | ((d & 31) << 15) | ((a & 31) << 20) | ((b & 31) << 25)
        write_i64_le(self.out, word | (signed32(immediate) << 32))

    def emit_long(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, extension: i64) -> None:
        """A word with an extension."""
        self.emit(operation | m.EXTENDED, size, d, a, b, immediate)
        write_i64_le(self.out, extension)

    def emit_constant(self, operation: i64, size: i64, d: i64, a: i64, b: i64, constant: i64) -> None:
        """A record whose constant is in the word, if it fits there."""
        if -0x80000000 <= constant <= 0x7FFFFFFF:
            self.emit(operation, size, d, a, b, constant)
        else:
            self.emit_long(operation, size, d, a, b, 0, constant)

    def emit_access(self, operation: i64, size: i64, d: i64, a: i64, b: i64, offset: i64, scale: i64) -> None:
        """A load or store, at so much more than a register, shifted first."""
        self.emit_constant(operation | (scale << m.SCALE_SHIFT), size, d, a, b, offset)

    def move(self, to: i64, source: i64) -> None:
        """Register to register, of one file."""
        self.emit(m.FLOAT_MOVE if to >= FLOAT else m.MOVE, 1, to, source, 0, 0)

    def store_slot(self, slot: i64, source: i64, machine_class: i64) -> None:
        """A register to a slot."""
        if machine_class == V128:
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, source, 0, slot)
            return
        self.emit(m.FLOAT_STORE_SLOT if source >= FLOAT else m.STORE_SLOT, is_wide(machine_class), 0, source, 0, slot)

    def load_slot(self, to: i64, slot: i64, machine_class: i64) -> None:
        """A slot to a register."""
        if machine_class == V128:
            self.emit(m.VECTOR_LOAD_SLOT, 0, to, 0, 0, slot)
            return
        self.emit(m.FLOAT_LOAD_SLOT if to >= FLOAT else m.LOAD_SLOT, is_wide(machine_class), to, 0, 0, slot)

    def copy_slot(self, to: i64, source: i64) -> None:
        """A slot to a slot."""
        self.emit_long(m.COPY_SLOT, 0, 0, 0, 0, to, source)

    def load_constant(self, to: i64, machine_class: i64, bits: i64) -> None:
        """A constant to a register."""
        self.emit_constant(m.FLOAT_CONSTANT if to >= FLOAT else m.CONSTANT, is_wide(machine_class), to, 0, 0, bits)

    def load_pattern(self, to: i64, low: i64, high: i64) -> None:
        """A constant of 128 bits to a register."""
        self.emit_long(m.VECTOR_CONSTANT, 0, to, 0, 0, 0, low)
        write_i64_le(self.out, high)

    def store_pattern(self, slot: i64, low: i64, high: i64) -> None:
        """The same to a slot, by quarters."""
        self.store_half(slot, 0, low)
        self.store_half(slot, m.SECOND_WORD, high)

    def store_half(self, slot: i64, word: i64, bits: i64) -> None:
        """64 bits to one of the words of a slot."""
        self.emit_long(m.STORE_SLOT_CONSTANT, word, 0, 0, 0, slot, signed32(bits))
        self.emit_long(m.STORE_SLOT_CONSTANT, m.HIGH_HALF | word, 0, 0, 0, slot, signed32(bits >> 32))

    def store_constant(self, slot: i64, machine_class: i64, bits: i64) -> None:
        """A constant to a slot."""
        if is_wide(machine_class) == 0 or -0x80000000 <= bits <= 0x7FFFFFFF:
            self.emit_long(m.STORE_SLOT_CONSTANT, is_wide(machine_class), 0, 0, 0, slot, signed32(bits))
            return
        self.store_half(slot, 0, bits)


def is_float_transfer(operation: i64) -> bool:
    """Whether a record only brings a float where it is read."""
    if m.VECTOR_CONSTANT <= operation <= m.VECTOR_STORE_SLOT:
        return True
    return m.FLOAT_MOVE <= operation <= m.FLOAT_STORE_SLOT or operation == m.MEMORY_BASE


def is_wide(machine_class: i64) -> i64:
    """1 for what has 64 bits."""
    return 0 if machine_class == 1 or machine_class == 3 else 1


def signed32(value: i64) -> i64:
    """The low 32 bits as a signed number."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000

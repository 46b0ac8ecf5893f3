"""Which locals are still read: where ways meet, and at the heads of loops. All others need no parameters there.

Walks over the stream from its end, with the set of locals that are read before they are written, as bits. A branch to the end of a block
takes the set that is there; one to the head of a loop takes what the walk before has found there, until no walk finds more.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, read_i64_le, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import SHUFFLE, VECTOR_CONSTANT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_END_KIND_SHIFT: Final = 11
_END_LOOP: Final = 1
_TARGET: Final = 0x7F1
_BITS: Final = 48
"""Of a word: a multiple of 16, and none the sign."""
MOST_WORK: Final = 1 << 21
"""Words of sets that one walk looks at; beyond, all locals are said to be read."""
_MOST_WALKS: Final = 6


class Liveness:
    """Of one function after the other."""

    def __init__(self) -> None:
        self.is_known = False
        self.width: i64 = 0
        """Words of a set."""
        self.rows: vec[i64] = vec[i64]()
        """By label: the set at the end of a block, or at the head of a loop."""
        self.others: vec[i64] = vec[i64]()
        """By label of an `if`: the set at the beginning of its other branch."""
        self.has_other: vec[i64] = vec[i64]()
        """By label of an `if`: whether it has one."""
        self.live: vec[i64] = vec[i64]()
        self.offsets: vec[i64] = vec[i64]()
        """Where records begin."""
        self.count: i64 = 0
        self.changed = False
        """Whether the last walk has found more at the head of a loop."""

    def is_live(self, label: i64, local: i64) -> bool:
        """Whether a local is read behind a label."""
        if not self.is_known:
            return True
        return (self.rows[label * self.width + local // _BITS] >> (local % _BITS)) & 1 != 0

    def chunk(self, label: i64, first: i64) -> i64:
        """The bits of the 16 locals from one on, whose number is a multiple of 16."""
        if not self.is_known:
            return 0xFFFF
        return (self.rows[label * self.width + first // _BITS] >> (first % _BITS)) & 0xFFFF

    def find(self, stream: bytes, at: i64, end: i64, labels: i64, local_count: i64) -> None:
        """Walk over the records of a stream."""
        self.width = (local_count + _BITS - 1) // _BITS
        self.is_known = (labels + ((end - at) >> 6)) * self.width <= MOST_WORK
        if not self.is_known or labels == 0:
            return
        self.rows = grown(self.rows, labels * self.width)
        self.others = grown(self.others, labels * self.width)
        self.has_other = grown(self.has_other, labels)
        self.live = grown(self.live, self.width)
        self.note_records(stream, at, end)
        walks: i64 = 0
        self.changed = True
        while self.changed and walks < _MOST_WALKS:
            self.changed = False
            self.read_backwards(stream)
            walks += 1
        self.is_known = not self.changed

    def note_records(self, stream: bytes, at: i64, end: i64) -> None:
        """Find where records begin; nothing is known of loops."""
        while i64(len(self.offsets)) << 3 < end - at:
            self.offsets = append(self.offsets, 0)
        offsets = self.offsets
        count: i64 = 0
        while at < end:
            word = read_i64_le(stream, at)
            offsets[count] = at
            count += 1
            at += 8
            if word & _EXTENDED:
                at += 8
                code = word & 0xFFFF
                if code == VECTOR_CONSTANT or code == SHUFFLE:
                    at += 8
            elif word & 0xFFFF == 0x03:
                self.clear(self.rows, (word >> 32) * self.width)
        self.count = count

    # Sets

    def clear(self, to: vec[i64], start: i64) -> None:
        """A set becomes empty."""
        at: i64 = 0
        while at < self.width:
            to[start + at] = 0
            at += 1

    def join(self, to: vec[i64], start: i64, source: vec[i64], first: i64) -> None:
        """A set becomes larger by another one."""
        at: i64 = 0
        while at < self.width:
            to[start + at] |= source[first + at]
            at += 1

    def copy(self, to: vec[i64], start: i64, source: vec[i64], first: i64) -> None:
        """A set becomes another one."""
        at: i64 = 0
        while at < self.width:
            to[start + at] = source[first + at]
            at += 1

    # Walks

    def read_backwards(self, stream: bytes) -> None:
        """One walk."""
        live = self.live
        offsets = self.offsets
        self.clear(live, 0)
        in_table = False
        bit: i64 = 1
        number = self.count - 1
        while number >= 0:
            word = read_i64_le(stream, offsets[number])
            number -= 1
            code = word & 0xFFFF
            if code == 0x20:
                bit = 1
                live[(word >> 32) // _BITS] |= bit << ((word >> 32) % _BITS)
            elif code == 0x21 or code == 0x22:
                bit = 1
                live[(word >> 32) // _BITS] &= ~(bit << ((word >> 32) % _BITS))
            elif code < 0x20:
                in_table = False
                self.control(code, word >> 32, ((word >> 16) >> _END_KIND_SHIFT) & 3)
            elif code == _TARGET:
                if not in_table:
                    self.clear(live, 0)
                in_table = True
                self.branch(word >> 32)
            elif code == 0xD5 or code == 0xD6:
                self.branch(word >> 32)

    def control(self, code: i64, label: i64, kind: i64) -> None:
        """Blocks and branches."""
        row = label * self.width
        if code == 0x0D:
            self.branch(label)
        elif code == 0x0B:
            if kind != _END_LOOP:
                self.copy(self.rows, row, self.live, 0)
            self.has_other[label] = 0
        elif code == 0x03:
            self.begin_loop(row)
        elif code == 0x04:
            self.join(self.live, 0, self.others if self.has_other[label] else self.rows, row)
        elif code == 0x05:
            self.has_other[label] = 1
            self.copy(self.others, row, self.live, 0)
            self.copy(self.live, 0, self.rows, row)
        elif code == 0x0C:
            self.clear(self.live, 0)
            self.branch(label)
        elif code == 0x0F or code == 0x00 or code == 0x12 or code == 0x13 or code == 0x15:
            self.clear(self.live, 0)

    def branch(self, label: i64) -> None:
        """A branch to a label, or out of the function."""
        if label >= 0:
            self.join(self.live, 0, self.rows, label * self.width)

    def begin_loop(self, row: i64) -> None:
        """The head of a loop: what is read there is read where it is branched to."""
        at: i64 = 0
        while at < self.width:
            if self.rows[row + at] != self.live[at]:
                self.rows[row + at] = self.live[at]
                self.changed = True
            at += 1

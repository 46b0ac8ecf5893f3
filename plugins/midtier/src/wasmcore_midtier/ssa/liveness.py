"""Which locals are still read: where ways meet, and at the heads of loops. All others need no parameters there.

A walk over the stream from its end, with the set of locals that are read before they are written, as bits. A branch to the end of a block
takes the set that is there; one to the head of a loop, which the walk has not reached, takes whatever the loop reads and whatever is read
behind it or behind what is around it.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, read_i64_le, vec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_END_KIND_SHIFT: Final = 11
_END_LOOP: Final = 1
_TARGET: Final = 0x7F1
_VECTOR_CONSTANT: Final = 0x20C
_SHUFFLE: Final = 0x20D
_BITS: Final = 48
"""Of a word: a multiple of 16, and none the sign."""
MOST_WORK: Final = 1 << 22
"""Words of sets that are looked at for one function; beyond, all locals are said to be read."""


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
        self.around: vec[i64] = vec[i64]()
        """By depth: all sets that what is open there may branch to."""
        self.live: vec[i64] = vec[i64]()
        self.offsets: vec[i64] = vec[i64]()
        """Where records begin."""
        self.count: i64 = 0
        self.opened: vec[i64] = vec[i64]()
        """Labels of open loops, in the walk forwards."""
        self.has_else: vec[i64] = vec[i64]()

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
        while i64(len(self.rows)) < labels * self.width:
            self.rows = append(self.rows, 0)
            self.others = append(self.others, 0)
        while i64(len(self.around)) < (labels + 1) * self.width:
            self.around = append(self.around, 0)
        while i64(len(self.has_else)) < labels:
            self.has_else = append(self.has_else, 0)
            self.opened = append(self.opened, 0)
        while i64(len(self.live)) < self.width:
            self.live = append(self.live, 0)
        self.read_forwards(stream, at, end)
        self.read_backwards(stream)

    # Forwards: what each loop reads

    def read_forwards(self, stream: bytes, at: i64, end: i64) -> None:
        """Find where records begin, and what loops read."""
        depth: i64 = 0
        self.count = 0
        while at < end:
            word = read_i64_le(stream, at)
            code = word & 0xFFFF
            if self.count == i64(len(self.offsets)):
                self.offsets = append(self.offsets, at)
            else:
                self.offsets[self.count] = at
            self.count += 1
            at += 16 if word & _EXTENDED else 8
            if code == 0x20:
                if depth:
                    self.add(self.opened[depth - 1], word >> 32)
            elif code == _VECTOR_CONSTANT or code == _SHUFFLE:
                at += 8
            elif code == 0x03:
                label = word >> 32
                self.clear_row(label)
                self.opened[depth] = label
                depth += 1
            elif code == 0x0B and ((word >> 16) >> _END_KIND_SHIFT) & 3 == _END_LOOP:
                depth -= 1
                if depth:
                    self.join(self.rows, self.opened[depth - 1] * self.width, self.rows, self.opened[depth] * self.width)

    def add(self, label: i64, local: i64) -> None:
        """A loop reads a local."""
        bit: i64 = 1
        self.rows[label * self.width + local // _BITS] |= bit << (local % _BITS)

    def clear_row(self, label: i64) -> None:
        """Nothing is read."""
        at: i64 = 0
        while at < self.width:
            self.rows[label * self.width + at] = 0
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

    # Backwards

    def read_backwards(self, stream: bytes) -> None:
        """Find the sets."""
        live = self.live
        self.read_nothing()
        at: i64 = 0
        while at < self.width:
            self.around[at] = 0
            at += 1
        depth: i64 = 0
        in_table = False
        number = self.count - 1
        while number >= 0:
            word = read_i64_le(stream, self.offsets[number])
            number -= 1
            code = word & 0xFFFF
            if code == 0x20 or code == 0x21 or code == 0x22:
                self.access(live, code, word >> 32)
            elif code == _TARGET:
                if not in_table:
                    self.read_nothing()
                in_table = True
                self.branch(word >> 32)
            elif code == 0x0E:
                in_table = False
            elif code == 0x0F or code == 0x00 or code == 0x12 or code == 0x13 or code == 0x15:
                self.read_nothing()
            elif code == 0x0C:
                self.read_nothing()
                self.branch(word >> 32)
            elif code == 0x0D or code == 0xD5 or code == 0xD6:
                self.branch(word >> 32)
            elif code == 0x0B:
                depth += 1
                self.end(word >> 32, ((word >> 16) >> _END_KIND_SHIFT) & 3, depth)
            elif code == 0x05:
                self.begin_other(word >> 32)
            elif code == 0x02 or code == 0x03 or code == 0x04:
                depth -= 1
                self.begin(code, word >> 32)

    def read_nothing(self) -> None:
        """Nothing that follows reads any local."""
        live = self.live
        at: i64 = 0
        while at < self.width:
            live[at] = 0
            at += 1

    def access(self, live: vec[i64], code: i64, local: i64) -> None:
        """A local is read or written."""
        bit: i64 = 1
        bit <<= local % _BITS
        at = local // _BITS
        if code == 0x20:
            live[at] |= bit
        else:
            live[at] &= ~bit

    def branch(self, label: i64) -> None:
        """A branch to a label, or out of the function."""
        if label >= 0:
            self.join(self.live, 0, self.rows, label * self.width)

    def end(self, label: i64, kind: i64, depth: i64) -> None:
        """The end of a block, with its depth."""
        row = label * self.width
        around = depth * self.width
        if kind == _END_LOOP:
            self.join(self.rows, row, self.live, 0)
            self.join(self.rows, row, self.around, around - self.width)
        else:
            self.copy(self.rows, row, self.live, 0)
        self.copy(self.around, around, self.around, around - self.width)
        self.join(self.around, around, self.rows, row)
        self.has_else[label] = 0

    def begin_other(self, label: i64) -> None:
        """`else`: what stands before it goes on at the end."""
        self.has_else[label] = 1
        self.copy(self.others, label * self.width, self.live, 0)
        self.copy(self.live, 0, self.rows, label * self.width)

    def begin(self, code: i64, label: i64) -> None:
        """The beginning of a block."""
        row = label * self.width
        if code == 0x03:
            self.copy(self.rows, row, self.live, 0)
        elif code == 0x04:
            if self.has_else[label]:
                self.join(self.live, 0, self.others, row)
            else:
                self.join(self.live, 0, self.rows, row)

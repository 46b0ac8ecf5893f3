"""The locals that each loop writes, which are parameters of its head."""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, read_i64_le, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import SHUFFLE, VECTOR_CONSTANT
from wasmcore_midtier.ssa.locals.liveness import Liveness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_END_KIND_SHIFT: Final = 11
_END_LOOP: Final = 1
_LOOP: Final = 0x03
_END: Final = 0x0B
_LOCAL_SET: Final = 0x21
_LOCAL_TEE: Final = 0x22


class LoopWrites:
    """Of one function after the other, by label: a run of `locals`."""

    def __init__(self) -> None:
        self.start: vec[i64] = vec[i64]()
        self.count: vec[i64] = vec[i64]()
        self.locals: vec[i64] = vec[i64]()
        self.total: i64 = 0
        self.opened: vec[i64] = vec[i64]()
        """Labels of the loops that are open."""
        self.depth: i64 = 0
        self.latest: vec[i64] = vec[i64]()
        """By label: the last of the pairs of a local and the pair before, of what the loop writes."""
        self.pair_local: vec[i64] = vec[i64]()
        self.pair_before: vec[i64] = vec[i64]()
        self.pairs: i64 = 0
        self.mark: vec[i64] = vec[i64]()
        """By local: the label, from 1 on, of a loop that it is known to be written in."""

    def find(self, stream: bytes, at: i64, end: i64, labels: i64, local_count: i64) -> None:
        """Walk over the records of a stream."""
        self.start = grown(self.start, labels)
        self.count = grown(self.count, labels)
        self.latest = grown(self.latest, labels)
        self.opened = grown(self.opened, labels)
        self.mark = grown(self.mark, local_count)
        local: i64 = 0
        while local < local_count:
            self.mark[local] = 0
            local += 1
        self.total = 0
        self.pairs = 0
        self.depth = 0
        while at < end:
            word = read_i64_le(stream, at)
            at += 16 if word & _EXTENDED else 8
            code = word & 0xFFFF
            if code == _LOCAL_SET or code == _LOCAL_TEE:
                if self.depth:
                    self.write(self.opened[self.depth - 1], word >> 32)
            elif code == VECTOR_CONSTANT or code == SHUFFLE:
                at += 8
            elif code == _LOOP:
                self.opened[self.depth] = word >> 32
                self.latest[word >> 32] = -1
                self.depth += 1
            elif code == _END and ((word >> 16) >> _END_KIND_SHIFT) & 3 == _END_LOOP:
                self.close(word >> 32)

    def write(self, label: i64, local: i64) -> None:
        """A loop writes a local."""
        if self.mark[local] == label + 1:
            return
        self.mark[local] = label + 1
        if self.pairs == i64(len(self.pair_local)):
            self.pair_local = append(self.pair_local, 0)
            self.pair_before = append(self.pair_before, 0)
        self.pair_local[self.pairs] = local
        self.pair_before[self.pairs] = self.latest[label]
        self.latest[label] = self.pairs
        self.pairs += 1

    def close(self, label: i64) -> None:
        """A loop ends; what it writes, the loop around it writes."""
        self.depth -= 1
        self.start[label] = self.total
        pair = self.latest[label]
        while pair >= 0:
            if self.total == i64(len(self.locals)):
                self.locals = append(self.locals, 0)
            self.locals[self.total] = self.pair_local[pair]
            self.total += 1
            pair = self.pair_before[pair]
        self.count[label] = self.total - self.start[label]
        if self.depth == 0:
            return
        outer = self.opened[self.depth - 1]
        pair = self.latest[outer]
        while pair >= 0:
            self.mark[self.pair_local[pair]] = outer + 1
            pair = self.pair_before[pair]
        at = self.start[label]
        while at < self.total:
            self.write(outer, self.locals[at])
            at += 1

    def keep_live(self, label: i64, liveness: Liveness) -> None:
        """Leave out what nobody reads at the head of a loop or behind it."""
        first = self.start[label]
        kept: i64 = 0
        at = first
        while at < first + self.count[label]:
            local = self.locals[at]
            if liveness.is_live(label, local):
                self.locals[first + kept] = local
                kept += 1
            at += 1
        self.count[label] = kept

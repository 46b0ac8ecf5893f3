"""What the locals are, here and where branches left from.

A branch keeps the values of all locals until the ways to its label meet. Between two branches few of them change, so they are kept in
chunks: a copy of the locals is a list of where each chunk stands, and a chunk that has not changed stands where it stood before.
"""

from __future__ import annotations

from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.locals.liveness import Liveness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SHIFT: Final = 4
_CHUNK: Final = 16
NOWHERE: Final = -1


class LocalValues:
    """Of one function after the other."""

    def __init__(self) -> None:
        self.values: vec[i64] = vec[i64]()
        """What they are now; to a multiple of the size of chunks."""
        self.count: i64 = 0
        self.chunks: i64 = 0
        self.stands: vec[i64] = vec[i64]()
        """By chunk: where it stands in `kept` as it is now, NOWHERE if it has changed."""
        self.kept: vec[i64] = vec[i64]()
        self.total: i64 = 0
        """How many numbers of `kept` there are."""
        self.merged: vec[i64] = vec[i64]()

    def begin(self, count: i64) -> None:
        """A function with so many locals, which are still to be set."""
        self.count = count
        self.chunks = (count + _CHUNK - 1) >> _SHIFT
        self.total = 0
        self.values = grown(self.values, self.chunks << _SHIFT)
        self.merged = grown(self.merged, self.chunks << _SHIFT)
        self.stands = grown(self.stands, self.chunks)
        chunk: i64 = 0
        while chunk < self.chunks:
            self.stands[chunk] = NOWHERE
            chunk += 1

    def set(self, local: i64, value: i64) -> None:
        """A local changes."""
        self.values[local] = value
        self.stands[local >> _SHIFT] = NOWHERE

    def room(self, count: i64) -> i64:
        """Where so many numbers can be kept."""
        start = self.total
        self.total = start + count
        if i64(len(self.kept)) < self.total:
            self.kept = grown(self.kept, self.total)
        return start

    def keep(self, stack: vec[i64], first: i64, count: i64) -> i64:
        """Keep values of the operand stack and all locals: where the values stand, and behind them where chunks do."""
        chunk: i64 = 0
        while chunk < self.chunks:
            if self.stands[chunk] == NOWHERE:
                self.keep_chunk(chunk)
            chunk += 1
        start = self.room(count + self.chunks)
        kept = self.kept
        stands = self.stands
        at: i64 = 0
        while at < count:
            kept[start + at] = stack[first + at]
            at += 1
        chunk = 0
        while chunk < self.chunks:
            kept[start + count + chunk] = stands[chunk]
            chunk += 1
        return start

    def keep_chunk(self, chunk: i64) -> None:
        """Keep one that has changed."""
        start = self.room(_CHUNK)
        copy_chunk(self.kept, start, self.values, chunk << _SHIFT)
        self.stands[chunk] = start

    def get_kept(self, start: i64, local: i64) -> i64:
        """A local as it was kept; `start` is where the list of chunks begins."""
        return self.kept[self.kept[start + (local >> _SHIFT)] + (local & (_CHUNK - 1))]

    def restore(self, start: i64) -> None:
        """All locals are what they were."""
        chunk: i64 = 0
        while chunk < self.chunks:
            self.restore_chunk(chunk, self.kept[start + chunk])
            chunk += 1

    def restore_chunk(self, chunk: i64, stood: i64) -> None:
        """One chunk is what is kept."""
        if self.stands[chunk] == stood:
            return
        copy_chunk(self.values, chunk << _SHIFT, self.kept, stood)
        self.stands[chunk] = stood

    def merge(self, starts: vec[i64], before: vec[i64], last: i64, skipped: i64, liveness: Liveness, label: i64) -> i64:
        """The locals as they are on all ways that meet at a label; those that differ and are live stand in `merged` then: how many there
        are. By way: where it is kept, with so many values before the list of chunks, and the way before."""
        self.restore(starts[last] + skipped)
        merged: i64 = 0
        chunk: i64 = 0
        while chunk < self.chunks:
            stood = self.stands[chunk]
            way = before[last]
            while way >= 0 and self.kept[starts[way] + skipped + chunk] == stood:
                way = before[way]
            if way >= 0:
                live = liveness.chunk(label, chunk << _SHIFT)
                if live:
                    merged = self.merge_chunk(chunk, starts, before, last, skipped, merged, live)
            chunk += 1
        return merged

    def merge_chunk(self, chunk: i64, starts: vec[i64], before: vec[i64], last: i64, skipped: i64, merged: i64, live: i64) -> i64:
        """The same of a chunk that is not the same on all ways, with the bits of those that are live."""
        kept = self.kept
        values = self.values
        local = chunk << _SHIFT
        end = local + _CHUNK
        if end > self.count:
            end = self.count
        while local < end:
            value = values[local]
            way = before[last] if live & 1 else NOWHERE
            live >>= 1
            while way >= 0 and kept[kept[starts[way] + skipped + chunk] + (local & (_CHUNK - 1))] == value:
                way = before[way]
            if way >= 0:
                self.merged[merged] = local
                merged += 1
            local += 1
        return merged


def copy_chunk(to: vec[i64], start: i64, source: vec[i64], first: i64) -> None:
    """The numbers of a chunk to another place."""
    at: i64 = 0
    while at < _CHUNK:
        to[start + at] = source[first + at]
        at += 1

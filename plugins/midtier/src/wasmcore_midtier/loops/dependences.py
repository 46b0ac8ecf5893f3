"""What has to be known of addresses before a loop may run in vectors: that nothing is read or written in another order that matters.

What is accessed has a *place* in a *range*: all addresses with the same terms. Two things in one range are as far apart as their places
say; things in different ranges are compared before the loop begins.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore_midtier.loops.packs import Packs

Terms = tuple[tuple[int, int], ...]
NEAR: Final = 256
"""Bytes; what is nearer than that in one range is in the way, or it is not, whatever the loop's length."""
MOST_CHECKS: Final = 12


class Extent(NamedTuple):
    """From the first byte of the lowest to that of the highest thing that is accessed in the first turn."""

    terms: Terms
    low: int
    high: int


Check = tuple[Extent, Extent]
"""What may not overlap, however far the loop goes."""


class Dependences:
    """Of the packs of a loop; `checks` is None if it can not run in vectors."""

    def __init__(self, packs: Packs) -> None:
        self.packs: Final = packs
        self._references: Final = packs.references
        self.ranges: Final[dict[Terms, Extent]] = {}
        self.origins: Final[dict[Terms, int]] = {}
        """By range: the least of the offsets of its addresses, without what instructions add, which does not wrap around."""
        for each in packs.references.values():
            terms, offset, _ = each.address
            self.origins[terms] = min(offset, self.origins.get(terms, offset))
        self._loads: Final = packs.of("load")
        for members in [each.members for each in self._loads] + [each.members for each in packs.stores]:
            here = self._extent(members)
            there = self.ranges.get(here.terms, here)
            self.ranges[here.terms] = Extent(here.terms, min(here.low, there.low), max(here.high, there.high))
        self.checks: Final = self._checks()

    def reach(self) -> int:
        """How far the offsets go that vectors are accessed with."""
        return max(each.high - self.origins[each.terms] for each in self.ranges.values())

    def _extent(self, members: tuple[int, ...]) -> Extent:
        first = self._references[members[0]]
        return Extent(first.address.terms, first.place, first.place)

    def _checks(self) -> list[Check] | None:
        loads = self._clusters()
        found: set[Check] = set()
        for number, store in enumerate(self.packs.stores):
            here = self._extent(store.members)
            for load in self._loads:
                if self._extent(load.members).terms == here.terms and not self._is_harmless(store.members, load.members, found):
                    return None
            found.update((here, each) for each in loads if each.terms != here.terms)
            for other in self.packs.stores[number + 1 :]:
                there = self._extent(other.members)
                if here.terms == there.terms and abs(here.low - there.low) < NEAR:
                    return None
                found.add((here, there))
        return sorted(found) if len(found) <= MOST_CHECKS else None

    def _is_harmless(self, stores: tuple[int, ...], loads: tuple[int, ...], found: set[Check]) -> bool:
        """Whether what is loaded in the range that is stored to is what it would be without vectors, or a check can tell."""
        here, there = self._extent(stores), self._extent(loads)
        distance = there.low - here.low
        if abs(distance) >= NEAR:
            found.add((here, there))
            return True
        if distance:
            return distance > 0 and self.packs.unroll == 1
        return all(self._references[load].order < self._references[store].order for load, store in zip(loads, stores))

    def _clusters(self) -> list[Extent]:
        """What is loaded; neighbours together."""
        found: list[Extent] = []
        for each in sorted({self._extent(load.members) for load in self._loads}):
            if found and found[-1].terms == each.terms and each.low - found[-1].high < 16 * NEAR:
                found[-1] = found[-1]._replace(high=each.high)
            else:
                found.append(each)
        return found

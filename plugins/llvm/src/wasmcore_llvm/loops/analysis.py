"""Which innermost loops can run without a check per access, and what has to be checked before.

A variable that grows by the same in every iteration has that *stride*. If all addresses are affine in such variables (`loops.symbols`),
each access touches one range of memory, known before the loop from the number of iterations; and that number is bounded if a comparison of
affine values has to hold whenever the loop goes round again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.stream import EXTENDED
from wasmcore_llvm.loops.symbols import INVERSE, SWAPPED, Affine, Comparison, Extended, combined, exact, joined
from wasmcore_llvm.loops.walk import TWO_WORDS, Access, NotPlanned, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAXIMUM_WORDS: Final = 2000
"""Longer loops are compiled once only."""
MAXIMUM_GAP: Final = 4096
"""Accesses of one stride with constants further apart than that are ranges of their own."""
MAXIMUM_DISTANCE: Final = 1 << 32
"""Offsets and strides are below, so that sums of a few of them have less than 64 bits."""


class Range(NamedTuple):
    """Accesses that move together: at iteration k within the bytes `first` to `end` from `start + k * stride`."""

    memory: int
    start: Affine
    stride: Affine
    """Does not change in the loop."""
    first: int
    end: int
    written: bool
    places: tuple[tuple[int, int], ...]
    """Stream word and distance from the start of each access without a spread."""


class Exit(NamedTuple):
    """A comparison that has to hold for another iteration: for how many is known."""

    stay: Comparison
    """x has a stride, y has none, or the relation is `ne` and it is the difference that changes."""
    stride: Affine
    """How x, or the difference, changes."""


class Plan(NamedTuple):
    """How a loop can be made fast."""

    ranges: tuple[Range, ...]
    exits: tuple[Exit, ...]
    """If there are none, the loop can not go on behind the end of what it reads."""
    outcomes: dict[int, bool]
    """How conditions turn out before the last iteration, by stream word."""
    exact: bool
    """The last iteration is like the others: its comparison is the branch back, at the end of the loop."""
    leaves: int
    """Other ways out of the loop."""
    scattered: bool
    """Whether there are addresses with a spread."""
    covered: frozenset[int]
    """Stream words of the accesses that lie in ranges; the others are never reached."""
    loaded: frozenset[int]
    """Stream words of conversions to floats of what comes from memory."""
    steps: dict[int, int]
    """Locals that change by the same constant in every iteration, and by how much."""
    extended: dict[int, tuple[Extended, int]]
    """What the variables are that are extended, and by how much the i32 changes, which must not wrap around."""


def constant(x: Affine) -> int | None:
    """The value, if that is known."""
    return None if x.terms or x.spread else x.constant


class Planner:
    """Puts together what a walk has found."""

    def __init__(self, walk: Walk) -> None:
        self.walk: Final = walk
        for each, variable in walk.extended.items():
            if not walk_disjoint(each.narrow, walk.assigned):
                walk.assigned.add(variable)
        self.strides: Final = self._strides()
        self.extended: Final = self._extended()

    def _strides(self) -> dict[int, Affine]:
        """What is added to each variable that is assigned, where that is the same in every iteration."""
        walk = self.walk
        found = {}
        for variable in walk.assigned:
            start = walk.start_of(variable)
            after = [flow.values.get(variable, start) for _, flow in walk.backs]
            value = after[0]
            for other in after[1:]:
                value = joined(value, other)
            if isinstance(value, Affine) and isinstance(start, Affine) and not value.spread and (variable, 1) in value.terms:
                step = combined(value, start, -1)
                if isinstance(step, Affine) and self._invariant(step):
                    found[variable] = step
        return found

    def _extended(self) -> dict[int, tuple[Extended, int]]:
        """Variables that are extended, of which the i32 changes by a constant; those that change have strides from now on."""
        found = {}
        for each, variable in self.walk.extended.items():
            stride = self.stride(each.narrow)
            step = None if stride is None else constant(stride)
            if step is not None:
                self.strides[variable] = exact(64, step)
                found[variable] = each, step
        return found

    def _invariant(self, x: Affine) -> bool:
        return walk_disjoint(x, self.walk.assigned)

    def stride(self, x: Affine) -> Affine | None:
        """How an affine value changes from iteration to iteration."""
        total = exact(x.bits, 0)
        for variable, coefficient in x.terms:
            if variable in self.walk.assigned:
                step = self.strides.get(variable)
                if step is None:
                    return None
                if step.bits != x.bits:
                    if step.terms:
                        return None
                    step = exact(x.bits, step.constant)
                added = combined(total, step, coefficient)
                if not isinstance(added, Affine):
                    return None
                total = added
        fixed = constant(total)
        return total if fixed is None or abs(fixed) < MAXIMUM_DISTANCE else None

    def plan(self) -> Plan:
        """The plan; raises `NotPlanned`."""
        walk = self.walk
        guards = frozenset.intersection(*[flow.guards for _, flow in walk.backs])
        exits = {}
        for word, outcome in sorted(guards):
            found = self.exit(walk.tests[word], outcome)
            if found is not None:
                exits[word] = (outcome, found)
        never = {(word, not outcome) for word, (outcome, _) in exits.items()}
        accesses = [access for access in walk.accesses if access.guards.isdisjoint(never)]
        if not accesses:
            raise NotPlanned("no access")
        if not exits and not all(map(self.ends_with_memory, accesses)):
            raise NotPlanned("no counted exit")
        ranges, counted = tuple(self.ranges(accesses)), tuple(found for _, found in exits.values())
        sums = [x for each in ranges for x in (each.start, each.stride)]
        sums += [x for each in counted for x in (each.stay.x, each.stay.y, each.stride)]
        return Plan(
            ranges,
            counted,
            {word: outcome for word, (outcome, _) in exits.items()},
            self.is_exact(exits.keys()),
            sum(each.isdisjoint(never) for each in walk.exits),
            any(access.address.spread for access in accesses),
            frozenset(access.word for access in accesses),
            frozenset(walk.loaded if not walk.decides else ()),
            {variable: step for variable, each in self.strides.items() if variable >= 0 and (step := constant(each)) is not None},
            self.extended_in(sums),
        )

    def extended_in(self, sums: list[Affine]) -> dict[int, tuple[Extended, int]]:
        """The extended variables of sums, and those in them."""
        found = {}
        for x in sums:
            for variable, _ in x.terms:
                if variable in self.extended and variable not in found:
                    found[variable] = self.extended[variable]
                    sums.append(found[variable][0].narrow)
        return found

    def ends_with_memory(self, access: Access) -> bool:
        """Whether reading on and on, as the search for the end of a string does, gets to the end of the memory."""
        stride = self.stride(access.address)
        step = None if stride is None else constant(stride)
        return not access.written and step is not None and step > 0

    def is_exact(self, exits: Iterable[int]) -> bool:
        """Whether the only counted exit is the branch back, a br_if before the end."""
        walk = self.walk
        back = walk.backs[0][0]
        return len(walk.backs) == 1 and set(exits) == {back} and back == walk.end - 1 and walk.words[back] & 0xFFFF == 0x0D

    def exit(self, condition: Comparison, outcome: bool) -> Exit | None:
        """A condition as an exit after a known number of iterations."""
        relation, x, y = condition
        if not outcome:
            relation = INVERSE[relation]
        x_stride, y_stride = self.stride(x), self.stride(y)
        if x_stride is None or y_stride is None or relation == "eq":
            return None
        if relation == "ne":
            step = combined(x_stride, y_stride, -1)
            return Exit(Comparison("ne", x, y), step) if isinstance(step, Affine) and constant(step) else None
        if constant(y_stride) != 0:
            if constant(x_stride) != 0:
                return None
            relation, x, y, x_stride = SWAPPED[relation], y, x, y_stride
        step_by = constant(x_stride)
        if step_by is None:
            return Exit(Comparison(relation, x, y), x_stride)
        grows = relation[1] == "l"
        return Exit(Comparison(relation, x, y), x_stride) if (step_by > 0 if grows else step_by < 0) else None

    def ranges(self, accesses: list[Access]) -> list[Range]:
        """The accesses in groups that move together."""
        families: dict[tuple[int, tuple[tuple[int, int], ...], Affine], list[Access]] = {}
        for access in accesses:
            stride = self.stride(access.address)
            if stride is None:
                raise NotPlanned("stride")
            if access.offset >= MAXIMUM_DISTANCE:
                raise NotPlanned("offset")
            families.setdefault((access.memory, access.address.terms, stride), []).append(access)
        found = []
        for (memory, _, stride), family in families.items():
            family.sort(key=_position)
            group: list[Access] = []
            end = 0
            for access in family:
                if group and _position(access) > end + MAXIMUM_GAP:
                    found.append(_range(memory, stride, group))
                    group = []
                after = _position(access) + access.address.spread + access.size
                end = max(end, after) if group else after
                group.append(access)
            found.append(_range(memory, stride, group))
        return found


def walk_disjoint(x: Affine, assigned: set[int]) -> bool:
    """Whether no variable of a sum is assigned."""
    return all(variable not in assigned for variable, _ in x.terms)


def _position(access: Access) -> int:
    return access.address.constant + access.offset


def _range(memory: int, stride: Affine, group: list[Access]) -> Range:
    """One group; its address without the offsets is the start, so that it wraps around as the program's does."""
    least = min(access.address.constant for access in group)
    starts = [_position(access) - least for access in group]
    end = max(start + access.address.spread + access.size for start, access in zip(starts, group))
    places = [(access.word, start) for start, access in zip(starts, group) if not access.address.spread]
    first = group[0].address
    start = Affine(first.bits, first.terms, least)
    return Range(memory, start, stride, min(starts), end, any(access.written for access in group), tuple(places))


def analyse(words: Sequence[int], start: int, end: int, label: int, variables: dict[int, int]) -> Plan:
    """The plan for the loop whose first record is at `start` and whose `end` is at `end`; raises `NotPlanned`.

    `variables` has the bits of locals (by index) and of globals (by -1 - index) that are integers.
    """
    if end - start > MAXIMUM_WORDS:
        raise NotPlanned("size")
    walk = Walk(words, start, end, label, variables)
    walk.run()
    if not walk.backs:
        raise NotPlanned("no branch back")
    if not walk.accesses:
        raise NotPlanned("no access")
    return Planner(walk).plan()


def loop_end(words: Sequence[int], start: int, limit: int, label: int) -> int:
    """Where the `end` of an innermost loop is that begins at `start`, or -1 if there is another loop or something else inside."""
    at = start
    while at < limit:
        word = words[at]
        code = word & 0xFFFF
        if code == 0x03:
            return -1
        if code == 0x0B and word >> 32 == label:
            return at
        at += 1
        if word & EXTENDED:
            at += 2 if code in TWO_WORDS else 1
    return -1

"""The checks before the fast copy of a loop: how many iterations there are, where they reach, whether ranges overlap.

All of it is in numbers of 64 bits, in which nothing wraps around, where the program computes with 32. Where the program computes with 64,
numbers of iterations end at 2**62, and a start behind the end of the memory is refused before anything is added to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.plugin.streams.loops import FEW
from wasmcore_llvm.loops.analysis import MAXIMUM_DISTANCE, Exit, Plan, Range, constant
from wasmcore_llvm.loops.symbols import FIRST_EXTENDED, Affine, Extended, combined, signed
from wasmcore_llvm.text.control import Control
from wasmcore_llvm.text.state import Unit

if TYPE_CHECKING:
    from wasmcore_llvm.convention import Signature

MAXIMUM_PAIRS: Final = 12
"""More pairs of ranges are not compared."""
_MANY: Final = 1 << 62
"""More iterations are not told apart: far above what is done between two checks."""


class Extent(NamedTuple):
    """Where a range begins, and the bytes it reaches, from and to: distances from the beginning of its memory. All i64."""

    start: str
    stride: str
    low: str
    high: str


class LoopChecks(Control):
    """Writes the checks."""

    def __init__(self, unit: Unit, function: int, signature: Signature) -> None:
        super().__init__(unit, function, signature)
        self.extended: dict[int, tuple[Extended, int]] = {}
        """`Plan.extended` of the loop that is being written."""

    # How often

    def iterations(self, plan: Plan, conditions: list[str]) -> tuple[str, str]:
        """How many iterations follow the first in which all comparisons hold (with the last one, if that is like the others), and whether
        they are worth a check; conditions for the number are added to the list."""
        if not plan.exits:
            total = self.until_end_of_memory(plan.ranges, conditions)
            return total, self.value(f"icmp uge i64 {total}, {FEW}")
        total = ""
        for each in plan.exits:
            count = self.until_equal(each, conditions) if each.stay.relation == "ne" else self.until_beyond(each, conditions)
            total = self.least(total, count) if total else count
        if plan.exact:
            return total, self.value(f"icmp uge i64 {total}, {FEW - 1}")
        enough = self.value(f"icmp uge i64 {total}, {FEW}")
        return self.value(f"sub i64 {total}, 1"), enough

    def until_end_of_memory(self, ranges: tuple[Range, ...], conditions: list[str]) -> str:
        """How many iterations follow the first in which nothing is read behind the end of a memory."""
        total = ""
        for each in ranges:
            start, length = self.as_i64(each.start, "u"), self.memory_length(each.memory)
            room = self.value(f"sub i64 {length}, {each.end}")
            conditions.append(self.value(f"icmp sge i64 {room}, 0"))
            conditions.append(self.value(f"icmp ule i64 {start}, {room}"))
            left = self.value(f"sub i64 {room}, {start}")
            step = constant(each.stride)
            count = left if step == 1 else self.value(f"udiv i64 {left}, {step}")
            total = self.least(total, count) if total else count
        return total

    def until_equal(self, each: Exit, conditions: list[str]) -> str:
        """How often the two sides differ first, if they ever meet: their difference, divided by how much it changes."""
        step = each.stride.constant
        x, y = (each.stay.x, each.stay.y) if step < 0 else (each.stay.y, each.stay.x)
        difference = combined(x, y, -1)
        assert isinstance(difference, Affine)
        distance = self.as_i64(difference, "u")
        if abs(step) != 1:
            rest = self.value(f"urem i64 {distance}, {abs(step)}")
            conditions.append(self.value(f"icmp eq i64 {rest}, 0"))
            distance = self.value(f"udiv i64 {distance}, {abs(step)}")
        return self.least(distance, str(_MANY)) if difference.bits == 64 else distance

    def until_beyond(self, each: Exit, conditions: list[str]) -> str:
        """How often a relation holds first; the side that moves must not wrap around before."""
        relation, bits = each.stay.relation, each.stay.x.bits
        sign, grows, strict = relation[0], relation[1] == "l", relation[2] == "t"
        x, y = self.as_i64(each.stay.x, sign), self.as_i64(each.stay.y, sign)
        step = self.step(each.stride, grows, conditions)
        self.check_wrapping(y, step, bits, relation, conditions)
        distance = self.value(f"sub i64 {y}, {x}") if grows else self.value(f"sub i64 {x}, {y}")
        if strict:
            distance = self.value(f"sub i64 {distance}, 1")
        if step != "1":
            distance = self.value(f"udiv i64 {distance}, {step}")
        if bits == 64:
            distance = self.least(distance, str(_MANY))
        holds = self.value(f"icmp {relation} i64 {x}, {y}")
        return self.value(f"select i1 {holds}, i64 {self.value(f'add i64 {distance}, 1')}, i64 0")

    def step(self, stride: Affine, grows: bool, conditions: list[str]) -> str:
        """How much a side comes nearer in an iteration: at least 1."""
        fixed = constant(stride)
        if fixed is not None:
            return str(abs(fixed))
        step = self.as_i64(stride, "s")
        if not grows:
            step = self.value(f"sub i64 0, {step}")
        conditions.append(self.value(f"icmp sgt i64 {step}, 0"))
        callee = self.intrinsic("i64", "llvm.smax.i64", "i64, i64")
        return self.value(f"call {callee}(i64 {step}, i64 1)")

    def check_wrapping(self, y: str, step: str, bits: int, relation: str, conditions: list[str]) -> None:
        """A condition that there is a number behind y that the other side gets to."""
        sign, grows, strict = relation[0], relation[1] == "l", relation[2] == "t"
        if strict and step == "1":
            return
        outermost = (1 << (bits - (sign == "s"))) - 1 if grows else -(1 << (bits - 1)) if sign == "s" else 0
        instruction, predicate = ("sub", f"{sign}le") if grows else ("add", f"{sign}ge")
        limit = self.value(f"{instruction} i64 {signed(outermost, 64)}, {step}")
        if strict:
            limit = self.value(f"add i64 {limit}, {1 if grows else -1}")
        conditions.append(self.value(f"icmp {predicate} i64 {y}, {limit}"))

    def check_extended(self, steps: str, conditions: list[str]) -> None:
        """Conditions that no i32 that is extended wraps around in so many iterations."""
        for (narrow, sign), step in self.extended.values():
            if step:
                way = self.value(f"mul i64 {steps}, {step}")
                last = self.value(f"add i64 {self.as_i64(narrow, sign)}, {way}")
                least = -(1 << 31) if sign == "s" else 0
                bound = f"sle i64 {last}, {least + (1 << 32) - 1}" if step > 0 else f"sge i64 {last}, {least}"
                conditions.append(self.value(f"icmp {bound}"))

    # Where

    def extents(self, ranges: tuple[Range, ...], steps: str, conditions: list[str]) -> list[Extent]:
        """Where each range is in the first iteration and those that follow; conditions that it is inside of its memory."""
        lengths: dict[int, str] = {}
        found = []
        for each in ranges:
            if each.memory not in lengths:
                lengths[each.memory] = self.memory_length(each.memory)
            length = lengths[each.memory]
            start = self.as_i64(each.start, "u")
            if each.start.bits == 64:
                conditions.append(self.value(f"icmp ule i64 {start}, {length}"))
            stride = self.as_i64(each.stride, "s")
            low, high = self.reach(each, start, stride, steps, conditions)
            end = self.value(f"add i64 {high}, {each.end}")
            conditions.append(self.value(f"icmp ule i64 {end}, {length}"))
            found.append(Extent(start, stride, self.value(f"add i64 {low}, {each.first}"), end))
        return found

    def reach(self, each: Range, start: str, stride: str, steps: str, conditions: list[str]) -> tuple[str, str]:
        """The least and the greatest start."""
        fixed = constant(each.stride)
        if fixed == 0:
            return start, start
        if fixed is None and each.stride.bits == 64:
            shifted = self.value(f"add i64 {stride}, {MAXIMUM_DISTANCE}")
            conditions.append(self.value(f"icmp ult i64 {shifted}, {2 * MAXIMUM_DISTANCE}"))
        way = self.value(f"mul i64 {steps}, {stride}")
        last = self.value(f"add i64 {start}, {way}")
        if fixed is not None and fixed > 0:
            return start, last
        low, high = (last, start) if fixed is not None else (self.extreme("smin", start, last), self.extreme("smax", start, last))
        conditions.append(self.value(f"icmp sge i64 {low}, 0"))
        return low, high

    def check_overlaps(self, ranges: tuple[Range, ...], extents: list[Extent], conditions: list[str]) -> bool:
        """Conditions that iterations do not touch what others write; whether there are such."""
        if not any(each.written for each in ranges) or any(each.written and _meets_itself(each) for each in ranges):
            return False
        pairs = [(a, b) for a in range(len(ranges)) for b in range(a) if ranges[a].written or ranges[b].written]
        if len(pairs) > MAXIMUM_PAIRS:
            return False
        for a, b in pairs:
            memories = {ranges[a].memory, ranges[b].memory}
            if len(memories) == 2:  # if both are imported, they may be the same
                one, other = (self.memory_base(memory) for memory in sorted(memories))
                conditions.append(self.value(f"icmp ne ptr {one}, {other}"))
                continue
            before = self.value(f"icmp ule i64 {extents[a].high}, {extents[b].low}")
            behind = self.value(f"icmp ule i64 {extents[b].high}, {extents[a].low}")
            conditions.append(self.value(f"or i1 {before}, {behind}"))
        return True

    # Helpers

    def affine(self, x: Affine) -> str:
        """The value of an affine expression now, of its own bits."""
        total = ""
        for variable, coefficient in x.terms:
            term = self.variable(variable, x.bits)
            if coefficient != 1:
                term = self.value(f"mul i{x.bits} {term}, {coefficient}")
            total = self.value(f"add i{x.bits} {total}, {term}") if total else term
        if not total:
            return str(x.constant)
        return self.value(f"add i{x.bits} {total}, {x.constant}") if x.constant else total

    def variable(self, variable: int, bits: int) -> str:
        """The value of a local or a global now."""
        if variable <= FIRST_EXTENDED:
            x, own = self.as_i64(*self.extended[variable][0]), "i64"
        elif variable >= 0:
            x, own = self.get_local(variable), self.local_types[variable]
        else:
            self.global_get(-1 - variable)
            x, own = self.pop(), "i64" if self.environment.globals[-1 - variable].machine_class == 2 else "i32"
        return self.value(f"trunc i64 {x} to i32") if bits == 32 and own == "i64" else x

    def as_i64(self, x: Affine, sign: str) -> str:
        """The value of an affine expression as an i64."""
        if x.bits == 64 or not x.terms:
            return self.affine(x) if x.terms or sign == "s" or x.bits == 64 else str(x.constant & 0xFFFFFFFF)
        return self.value(f"{'sext' if sign == 's' else 'zext'} i32 {self.affine(x)} to i64")

    def least(self, x: str, y: str) -> str:
        """The smaller of two numbers of iterations."""
        return self.extreme("umin", x, y)

    def extreme(self, name: str, x: str, y: str) -> str:
        """The smaller or the larger of two i64."""
        callee = self.intrinsic("i64", f"llvm.{name}.i64", "i64, i64")
        return self.value(f"call {callee}(i64 {x}, i64 {y})")

    def all_of(self, conditions: list[str]) -> str:
        """Whether all conditions hold."""
        every = conditions[0]
        for condition in conditions[1:]:
            every = self.value(f"and i1 {every}, {condition}")
        return every


def _meets_itself(each: Range) -> bool:
    """Whether an iteration may touch bytes of a range that another one touches."""
    fixed = constant(each.stride)
    return fixed is None or abs(fixed) < each.end - each.first

"""Innermost loops in two versions: a fast one behind checks of the ranges it touches, and the ordinary one.

    check:  poll; how often does the loop run, does every range lie inside its memory, are written ranges apart from the others?
            yes: fast   no: ordinary loop
    fast:   up to CHUNK iterations with plain accesses, which LLVM may reorder and vectorise; then back to check, or done

Where nothing can trap, nobody can see in which order memory was changed. The checks are in numbers of 64 bits, where nothing wraps around.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore_llvm.ir_control import Control
from wasmcore_llvm.ir_state import BARRIER, LIKELY, LOOP_METADATA, Fast, Unit
from wasmcore_llvm.loop_analysis import Affine, Exit, NotPlanned, Plan, Range, analyse, combined, loop_end

if TYPE_CHECKING:
    from wasmcore_llvm.convention import Signature

CHUNK: Final = 1 << 20
"""Iterations between two polls."""
FEWEST: Final = 4
"""A loop of fewer iterations is not worth the check; so is what remains behind one that was unrolled, which LLVM then sees."""
MAXIMUM_PAIRS: Final = 12
"""More pairs of ranges are not compared."""
_BOUNDS: Final = {"s": (-(1 << 31), (1 << 31) - 1), "u": (0, (1 << 32) - 1)}


class Loops(Control):
    """Writes loops twice where `loop_analysis` has a plan."""

    def __init__(self, unit: Unit, function: int, signature: Signature, words: memoryview[int]) -> None:
        super().__init__(unit, function, signature)
        self.words: Final = words
        """The stream."""
        self.end_word = 0
        """Where the records end."""
        self.at = 0
        """The word behind the current record."""

    def walk(self, end: int) -> None:
        """Write all records before a stream word."""
        raise NotImplementedError

    def versioned_loop(self, label: int) -> bool:
        """Write check, fast copy and the head of the ordinary loop, if that is possible."""
        if self.fast is not None:
            return False
        start = self.at
        end = loop_end(self.words, start, self.end_word, label)
        if end < 0:
            self.unit.count_loop("not innermost")
            return False
        try:
            plan = analyse(self.words, start, end, label, [each == "i32" for each in self.local_types])
            if any(self.environment.memories[each.memory].index64 for each in plan.ranges):
                raise NotPlanned("memory of 64 bits")
        except NotPlanned as reason:
            self.unit.count_loop(str(reason))
            return False
        self.unit.count_loop("")
        self.write_versions(label, plan)
        self.at = start
        self.begin_loop(label, [])
        return True

    def write_versions(self, label: int, plan: Plan) -> None:
        """Check and fast copy; the ordinary loop follows."""
        check, fast, done = self.label(), f"F{label}", self.label()
        self.versioned[label] = done
        self.write(f"br label %{check}")
        self.begin(check)
        self.known.clear()
        self.poll()
        counts, conditions = self.iterations(plan)
        total = counts[0]
        for count in counts[1:]:
            total = self.least(total, count)
        worthwhile = self.label()
        enough = self.value(f"icmp uge i64 {total}, {FEWEST}")
        self.write(f"br i1 {enough}, label %{worthwhile}, label %L{label}")
        self.begin(worthwhile)
        chunk = self.least(total, str(CHUNK))
        extents = self.check_ranges(plan.ranges, chunk, conditions)
        parallel = self.check_overlaps(plan.ranges, extents, conditions)
        counter = f"%k{label}"
        self.allocas.append(f"{counter} = alloca i64")
        self.write(f"store i64 0, ptr {counter}")
        bases = [self.value(f"getelementptr i8, ptr {self.memory_base(each.memory)}, i64 {x[0]}") for each, x in zip(plan.ranges, extents)]
        self.write(f"br i1 {self.all_of(conditions)}, label %{fast}, label %L{label}{LIKELY}")
        self.begin(fast)
        self.known.clear()
        self.write_fast(label, plan, bases, parallel, counter, chunk)
        self.leave_copy(label, plan, check, done, chunk, total)

    def write_fast(self, label: int, plan: Plan, bases: list[str], parallel: bool, counter: str, chunk: str) -> None:
        """One iteration, then the branch back."""
        k = self.value(f"load i64, ptr {counter}")
        places = {}
        for each, base in zip(plan.ranges, bases):
            pointer = base
            if each.stride:
                distance = self.value(f"mul nsw i64 {k}, {each.stride}")
                pointer = self.value(f"getelementptr inbounds i8, ptr {base}, i64 {distance}")
            for word, place in each.places:
                places[word] = self.value(f"getelementptr inbounds i8, ptr {pointer}, i64 {place}") if place else pointer
        node = LOOP_METADATA + len(self.unit.metadata) * 2
        group = f", !llvm.access.group !{node}" if parallel else ""
        untaken = frozenset(each.word for each in plan.exits)
        self.fast = Fast(label, places, group, untaken, plan.loaded)
        height = len(self.stack)
        self.walk(plan.last)
        del self.stack[height:]
        properties = [f"!{node + 1}"]
        if parallel:
            properties.append(f'!{{!"llvm.loop.parallel_accesses", !{node}}}')
        self.unit.metadata.append(f"!{node} = distinct !{{}}\n!{node + 1} = distinct !{{{', '.join(properties)}}}")
        self.fast = None
        following = self.value(f"add nuw nsw i64 {k}, 1")
        self.write(f"store i64 {following}, ptr {counter}")
        again = self.value(f"icmp ult i64 {following}, {chunk}")
        leave = self.label()
        self.write(f"br i1 {again}, label %F{label}, label %{leave}, !llvm.loop !{node + 1}")
        self.begin(leave)
        self.write(BARRIER)

    def leave_copy(self, label: int, plan: Plan, check: str, done: str, chunk: str, total: str) -> None:
        """Behind the fast copy: another chunk, or the end; if it ends by another exit than the last, the ordinary loop finds it."""
        finished = self.value(f"icmp eq i64 {chunk}, {total}")
        self.write(f"br i1 {finished}, label %{done if plan.exact else f'L{label}'}, label %{check}{LIKELY}")

    # How often

    def iterations(self, plan: Plan) -> tuple[list[str], list[str]]:
        """For each exit how many iterations there are before the one that takes it (with that one, if there is no other exit), and
        conditions for that."""
        counts: list[str] = []
        conditions: list[str] = []
        for each in plan.exits:
            count = self.iterations_until_equal(each, conditions) if each.stay.relation == "ne" else self.iterations_until(each, conditions)
            if plan.exact:
                count = self.value(f"add nuw nsw i64 {count}, 1")
            counts.append(count)
        if not plan.exact:
            conditions += [self.value(f"icmp ne i64 {count}, 0") for count in counts]
        return counts, conditions

    def iterations_until_equal(self, each: Exit, conditions: list[str]) -> str:
        """How often the two sides differ first, if they ever meet: their difference, divided by how much it changes."""
        step = each.x_stride - each.y_stride
        x, y = (each.stay.x, each.stay.y) if step < 0 else (each.stay.y, each.stay.x)
        distance = self.value(f"zext i32 {self.affine(combined(x, y, -1))} to i64")
        if abs(step) == 1:
            return distance
        rest = self.value(f"urem i64 {distance}, {abs(step)}")
        conditions.append(self.value(f"icmp eq i64 {rest}, 0"))
        return self.value(f"udiv i64 {distance}, {abs(step)}")

    def iterations_until(self, each: Exit, conditions: list[str]) -> str:
        """How often a relation holds first; the side that moves must not wrap around before."""
        sign, step = each.stay.relation[0], each.x_stride
        extension = "sext" if sign == "s" else "zext"
        x = self.value(f"{extension} i32 {self.affine(each.stay.x)} to i64")
        y = self.value(f"{extension} i32 {self.affine(each.stay.y)} to i64")
        grows = each.stay.relation[1] == "l"
        distance = self.value(f"sub i64 {y}, {x}") if grows else self.value(f"sub i64 {x}, {y}")
        if each.stay.relation[2] == "e":
            distance = self.value(f"add i64 {distance}, 1")
        callee = self.intrinsic("i64", "llvm.smax.i64", "i64, i64")
        distance = self.value(f"call {callee}(i64 {distance}, i64 0)")
        if abs(step) != 1:
            distance = self.value(f"udiv i64 {self.value(f'add i64 {distance}, {abs(step) - 1}')}, {abs(step)}")
        last = self.value(f"add i64 {x}, {self.value(f'mul i64 {distance}, {step}')}")
        least, most = _BOUNDS[sign]
        conditions.append(self.value(f"icmp sle i64 {last}, {most}" if grows else f"icmp sge i64 {last}, {least}"))
        return distance

    # Where

    def check_ranges(self, ranges: tuple[Range, ...], chunk: str, conditions: list[str]) -> list[tuple[str, str, str]]:
        """For each range its start and the bytes that are touched, from and to, in its memory; conditions that they are inside."""
        steps = self.value(f"sub i64 {chunk}, 1")
        lengths: dict[int, str] = {}
        extents = []
        for each in ranges:
            if each.memory not in lengths:
                lengths[each.memory] = self.memory_length(each.memory)
            start = self.value(f"zext i32 {self.affine(each.start)} to i64")
            low = high = start
            if each.stride:
                way = self.value(f"mul nuw nsw i64 {steps}, {abs(each.stride)}")
                if each.stride > 0:
                    high = self.value(f"add nuw nsw i64 {start}, {way}")
                else:
                    low = self.value(f"sub i64 {start}, {way}")
                    conditions.append(self.value(f"icmp sge i64 {low}, 0"))
            end = self.value(f"add nuw nsw i64 {high}, {each.end}")
            conditions.append(self.value(f"icmp ule i64 {end}, {lengths[each.memory]}"))
            extents.append((start, self.value(f"add i64 {low}, {each.first}"), end))
        return extents

    def check_overlaps(self, ranges: tuple[Range, ...], extents: list[tuple[str, str, str]], conditions: list[str]) -> bool:
        """Conditions that iterations do not touch what others write; whether there are such."""
        if not any(each.written for each in ranges) or any(each.written and abs(each.stride) < each.end - each.first for each in ranges):
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
            before = self.value(f"icmp ule i64 {extents[a][2]}, {extents[b][1]}")
            behind = self.value(f"icmp ule i64 {extents[b][2]}, {extents[a][1]}")
            conditions.append(self.value(f"or i1 {before}, {behind}"))
        return True

    # Helpers

    def affine(self, x: Affine) -> str:
        """The value of an affine expression now, an i32."""
        total = ""
        for local, coefficient in x.terms:
            term = self.get_local(local)
            if coefficient != 1:
                term = self.value(f"mul i32 {term}, {coefficient}")
            total = self.value(f"add i32 {total}, {term}") if total else term
        if not total:
            return str(x.constant)
        return self.value(f"add i32 {total}, {x.constant}") if x.constant else total

    def least(self, x: str, y: str) -> str:
        """The smaller of two numbers of iterations."""
        callee = self.intrinsic("i64", "llvm.umin.i64", "i64, i64")
        return self.value(f"call {callee}(i64 {x}, i64 {y})")

    def all_of(self, conditions: list[str]) -> str:
        """Whether all conditions hold."""
        every = conditions[0]
        for condition in conditions[1:]:
            every = self.value(f"and i1 {every}, {condition}")
        return every

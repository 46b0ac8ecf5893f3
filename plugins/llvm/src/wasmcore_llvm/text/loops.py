"""Innermost loops in two versions: a fast one behind checks of the ranges it touches, and the ordinary one.

    check:  poll; how often does the loop run, does every range lie inside its memory, are written ranges apart from the others?
            yes: fast   no: ordinary loop
    fast:   up to CHUNK iterations with plain accesses, which LLVM may reorder and vectorise; then back to check, or done

Where nothing can trap, nobody can see in which order memory was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.plugin.streams.loops import FEW, LoopFacts, loop_facts
from wasmcore.stream import CLASS_I32, CLASS_I64, HEADER_WORDS, REACHED
from wasmcore_llvm.loops.analysis import Exit, Plan, analyse, loop_end
from wasmcore_llvm.loops.walk import NotPlanned
from wasmcore_llvm.text.loop_checks import Extent, LoopChecks
from wasmcore_llvm.text.memory import Place
from wasmcore_llvm.text.state import BARRIER, LIKELY, LOOP_METADATA, UNLIKELY, Fast, Unit

if TYPE_CHECKING:
    from wasmcore_llvm.convention import Signature

CHUNK: Final = 1 << 20
"""Iterations between two checks, each of which polls."""
PATIENCE: Final = 24
"""Iterations of a loop that may be left at any time, before its fast copy is tried: most such loops are left soon."""
_BITS: Final = {"i32": 32, "i64": 64}


class Loops(LoopChecks):
    """Writes loops twice where `loops.analysis` has a plan."""

    def __init__(self, unit: Unit, function: int, signature: Signature, words: memoryview[int]) -> None:
        super().__init__(unit, function, signature)
        self.words: Final = words
        """The stream."""
        self.end_word = 0
        """Where the records end."""
        self.at = 0
        """The word behind the current record."""
        self.found_facts: dict[int, LoopFacts] | None = None
        self.reads_ahead = False
        """Whether LLVM was told of ranges that it may read all of."""

    def walk(self, end: int) -> None:
        """Write all records before a stream word."""
        raise NotImplementedError

    def facts(self, label: int) -> LoopFacts:
        """What is known of the loop with a label."""
        if self.found_facts is None:
            self.found_facts = loop_facts(self.words, HEADER_WORDS, self.end_word)
        return self.found_facts[label]

    def attributes(self) -> str:
        """Attributes of the function beside the usual ones: LLVM believes what it may read only in a function without synchronization."""
        atomic = any(0x600 <= word & 0xFFFF < 0x700 for word in self.words[: self.end_word]) if self.reads_ahead else True
        return "" if atomic else "nosync "

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
            plan = analyse(self.words, start, end, label, self.integers())
            self.check_worth(plan, self.facts(label).small)
        except NotPlanned as reason:
            self.unit.count_loop(str(reason))
            return False
        self.unit.count_loop("")
        check, patience = self.label(), f"%w{label}"
        if plan.leaves:
            self.allocas.append(f"{patience} = alloca i64")
            self.write(f"store i64 {PATIENCE}, ptr {patience}")
        self.write(f"br label %{f'L{label}' if plan.leaves else check}")
        self.write_versions(label, plan, end, check)
        self.at = start
        self.begin_loop(label, [])
        if plan.leaves:
            self.lose_patience(patience, check)
        return True

    def lose_patience(self, patience: str, check: str) -> None:
        """In each iteration of the ordinary loop: after some, try the fast copy."""
        left = self.value(f"sub i64 {self.value(f'load i64, ptr {patience}')}, 1")
        self.write(f"store i64 {left}, ptr {patience}")
        go_on = self.label()
        self.write(f"br i1 {self.value(f'icmp eq i64 {left}, 0')}, label %{check}, label %{go_on}{UNLIKELY}")
        self.begin(go_on)

    def integers(self) -> dict[int, int]:
        """Bits of the locals and globals that are integers; no imported globals that change, of which two may be one."""
        found = {local: _BITS[each] for local, each in enumerate(self.local_types) if each in _BITS}
        for index, plan in enumerate(self.environment.globals):
            if plan.machine_class in (CLASS_I32, CLASS_I64) and not (plan.mutable and plan.indirect):
                found[-1 - index] = 32 if plan.machine_class == CLASS_I32 else 64
        return found

    def check_worth(self, plan: Plan, small: frozenset[int]) -> None:
        """What a loop that was unrolled leaves to another one is soon done. Where accesses need no check, a fast copy has to be one that
        LLVM can vectorise: with one exit that depends on data it may only read; and it would load from scattered addresses one by one."""
        if any(between_small(each, small) for each in plan.exits):
            raise NotPlanned("few iterations")
        if not all(self.environment.memories[each.memory].guarded for each in plan.ranges):
            return
        if plan.leaves > 1 or plan.leaves and any(each.written for each in plan.ranges):
            raise NotPlanned("exits that depend on data")
        if plan.scattered:
            raise NotPlanned("scattered addresses")

    def write_versions(self, label: int, plan: Plan, end: int, check: str) -> None:
        """Check and fast copy; the ordinary loop follows."""
        enter, leave, done = self.label(), self.label(), self.label()
        self.versioned[label] = done
        self.begin(check)
        self.forget(label)
        self.poll()
        self.extended = plan.extended
        conditions: list[str] = []
        total, enough = self.iterations(plan, conditions)
        worthwhile = self.label()
        self.write(f"br i1 {enough}, label %{worthwhile}, label %L{label}")
        self.begin(worthwhile)
        steps = self.least(total, str(CHUNK - 1))
        self.check_extended(steps, conditions)
        extents = self.extents(plan.ranges, steps, conditions)
        ahead = plan.leaves > 0 and not plan.scattered
        parallel = not plan.leaves and not plan.scattered and self.check_overlaps(plan.ranges, extents, conditions)
        counter = f"%k{label}"
        self.allocas.append(f"{counter} = alloca i64")
        self.write(f"store i64 0, ptr {counter}")
        self.write(f"br i1 {self.all_of(conditions)}, label %{enter}, label %L{label}{LIKELY}")
        self.begin(enter)
        bases = [self.base(each.memory, extent, ahead) for each, extent in zip(plan.ranges, extents)]
        begins = [(local, step, self.get_local(local)) for local, step in plan.steps.items()] if plan.leaves else []
        self.write(f"br label %F{label}")
        self.begin(f"F{label}")
        self.forget(label)
        k = self.value(f"load i64, ptr {counter}")
        self.count_locals(begins, k)
        places = self.places(plan, extents, bases, k)
        group, loop = self.loop_metadata(parallel, plan.scattered)
        self.write_iteration(Fast(label, places, group, plan.outcomes, plan.covered, plan.loaded), end, done)
        self.begin(f"N{label}")
        following = self.value(f"add nuw nsw i64 {k}, 1")
        self.write(f"store i64 {following}, ptr {counter}")
        again = self.value(f"icmp ne i64 {k}, {steps}")
        self.write(f"br i1 {again}, label %F{label}, label %{leave}{loop}")
        self.begin(leave)
        self.write(BARRIER)
        finished = self.value(f"icmp eq i64 {steps}, {total}")
        self.write(f"br i1 {finished}, label %{done if plan.exact else f'L{label}'}, label %{check}{LIKELY}")

    def count_locals(self, begins: list[tuple[int, int, str]], k: str) -> None:
        """Give locals that count their value in the k-th iteration: one that counts by itself, and is used where the loop is left, is a
        reduction to LLVM, and a loop with one that may be left at any time no vector loop."""
        for local, step, begin in begins:
            bits = _BITS[self.local_types[local]]
            times = k if bits == 64 else self.value(f"trunc i64 {k} to i32")
            if step != 1:
                times = self.value(f"mul i{bits} {times}, {step}")
            self.set_local(local, self.value(f"add i{bits} {begin}, {times}"))

    def base(self, memory: int, extent: Extent, ahead: bool) -> str:
        """The machine address of a range's start; `ahead` tells LLVM that it may read all of the range, even if the loop is left before."""
        base = self.memory_base(memory)
        if not ahead:
            return self.value(f"getelementptr i8, ptr {base}, i64 {extent.start}")
        self.reads_ahead = True
        low = self.value(f"getelementptr i8, ptr {base}, i64 {extent.low}")
        low = self.value(f'call ptr asm "", "=r,0"(ptr {low}) nofree #2')  # LLVM compares the range with one that begins at a single value
        size = self.value(f"sub i64 {extent.high}, {extent.low}")
        callee = self.intrinsic("void", "llvm.assume", "i1")
        # One bundle: of an assumption with several, LLVM 22 drops one by appending to a list that it is walking through.
        self.write(f'call {callee}(i1 true) ["dereferenceable"(ptr {low}, i64 {size})]')
        return self.value(f"getelementptr i8, ptr {low}, i64 {self.value(f'sub i64 {extent.start}, {extent.low}')}")

    def places(self, plan: Plan, extents: list[Extent], bases: list[str], k: str) -> dict[int, str]:
        """The machine addresses of accesses in the k-th iteration, by stream word."""
        found = {}
        for each, extent, pointer in zip(plan.ranges, extents, bases):
            if each.places and extent.stride != "0":
                distance = self.value(f"mul nsw i64 {k}, {extent.stride}")
                pointer = self.value(f"getelementptr inbounds i8, ptr {pointer}, i64 {distance}")
            for word, place in each.places:
                found[word] = self.value(f"getelementptr inbounds i8, ptr {pointer}, i64 {place}") if place else pointer
        return found

    def loop_metadata(self, parallel: bool, scattered: bool) -> tuple[str, str]:
        """What the accesses of a fast copy and its branch back are marked with."""
        node = LOOP_METADATA + len(self.unit.metadata) * 2
        properties = [f"!{node + 1}"]
        if parallel:
            properties.append(f'!{{!"llvm.loop.parallel_accesses", !{node}}}')
        if scattered:
            properties.append('!{!"llvm.loop.vectorize.enable", i1 false}')
        self.unit.metadata.append(f"!{node} = distinct !{{}}\n!{node + 1} = distinct !{{{', '.join(properties)}}}")
        return f", !llvm.access.group !{node}" if parallel else "", f", !llvm.loop !{node + 1}"

    def write_iteration(self, fast: Fast, end: int, done: str) -> None:
        """One iteration of the fast copy."""
        self.fast = fast
        height = len(self.stack)
        self.walk(end)
        del self.stack[height:]
        if self.words[end] >> 16 & REACHED:
            self.write(BARRIER)
            self.write(f"br label %{done}")
        self.fast = None

    # What is different inside of a fast copy

    def address(self, memory: int, offset: int, size: int, loads: bool) -> Place:
        """The place of an access whose range was checked needs no check of its own."""
        fast = self.fast
        if fast is None or self.word not in fast.covered:
            return super().address(memory, offset, size, loads)
        pointer = fast.places.get(self.word)
        if pointer is not None:
            self.stack.pop()
            return Place(pointer, "", "", fast.group)
        index64 = self.environment.memories[memory].index64
        at = self.wide(self.pop(), index64)
        offset &= (1 << 64) - 1 if index64 else 0xFFFFFFFF
        return Place(self.offset_pointer(self.memory_base(memory), at, offset), "", "", fast.group)

    def pop_condition(self) -> str:
        """A condition that the number of iterations was computed from is known."""
        condition = super().pop_condition()
        outcome = self.fast.outcomes.get(self.word) if self.fast is not None else None
        return condition if outcome is None else "true" if outcome else "false"

    def edge(self, label: int, count: int) -> str:
        """A branch back goes to the next iteration; before a branch out of the loop, everything is in memory."""
        fast = self.fast
        if fast is None or label > fast.label:
            return super().edge(label, count)
        if label == fast.label:
            return f"N{label}"
        values = self.settle(count)
        out, self.out, before = self.out, [], self.block
        leave = self.label()
        self.begin(leave)
        self.write(BARRIER)
        self.stack += values
        target = super().edge(label, count)
        del self.stack[len(self.stack) - count :]
        self.write(f"br label %{target}")
        self.cold += self.out
        self.out, self.block = out, before
        return leave


def between_small(each: Exit, small: frozenset[int]) -> bool:
    """Whether an exit compares sums of small numbers."""
    x, y = each.stay.x, each.stay.y
    return small.issuperset([variable for variable, _ in x.terms + y.terms]) and abs(x.constant - y.constant) < FEW

"""Blocks and branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from wasmcore.stream import COUNT_MASK, END_IF, END_KIND_SHIFT, END_LOOP, HEIGHT_MASK, REACHED, RETURN_LABEL, TARGETED
from wasmcore_llvm.convention import TYPES, Signature
from wasmcore_llvm.text.calls import Calls
from wasmcore_llvm.text.state import Unit


class Control(Calls):
    """Values at the end of a block are phis; parameters of a loop, like locals, live in allocas."""

    def __init__(self, unit: Unit, function: int, signature: Signature) -> None:
        super().__init__(unit, function)
        self.signature: Final = signature
        self.pool: Final = unit.environment.type_pool
        self.edges: dict[int, list[tuple[str, list[str]]]] = {}
        """By label: the blocks that go there, with their values."""
        self.waiting: dict[int, tuple[str, list[str]]] = {}
        """By label of an `if` whose other branch has not begun: its block and the parameters."""
        self.loops: dict[int, list[str]] = {}
        """By label: types of the parameters of a loop."""
        self.allocas: list[str] = []
        self.versioned: dict[int, str] = {}
        """By label of a loop that has a fast copy: the block behind it."""

    # Edges

    def block_name(self, label: int) -> str:
        """The block of a label; those inside of the fast copy of a loop have names of their own."""
        return f"F{label}" if self.fast is not None and label >= self.fast.label else f"L{label}"

    def edge(self, label: int, count: int) -> str:
        """There is a branch with `count` values to a label from here; the name of the block."""
        values = self.settle(count)
        types = self.loops.get(label)
        if types is None:
            self.reach_label(label)
            self.edges.setdefault(label, []).append((self.block, values))
            return self.block_name(label)
        for number, (value_type, x) in enumerate(zip(types, values)):
            self.write(f"store {value_type} {x}, ptr %p{label}_{number}")
        return f"L{label}"

    def branch(self, label: int, count: int) -> None:
        """br."""
        self.write(f"br label %{self.edge(label, count)}")

    def returning(self, count: int) -> str:
        """The name of a block that returns the top values."""
        values = self.settle(count)
        block = self.label()
        out, self.out = self.out, []
        self.write(f"{block}:")
        self.return_values(self.signature, values)
        self.cold += self.out
        self.out = out
        return block

    def target(self, label: int, count: int) -> str:
        """The block of a branch, which may leave the function."""
        return self.returning(count) if label == RETURN_LABEL else self.edge(label, count)

    def branch_on(self, condition: str, label: int, count: int) -> None:
        """Branch if an i1 is true."""
        after = self.label()
        target = self.target(label, count)
        self.write(f"br i1 {condition}, label %{target}, label %{after}")
        self.begin(after)

    def branch_if(self, label: int, count: int) -> None:
        """br_if."""
        condition = self.pop_condition()
        if condition != "false":
            self.branch_on(condition, label, count)

    def branch_on_null(self, label: int, count: int) -> None:
        """br_on_null: the reference goes where there is no branch."""
        x = self.pop()
        self.branch_on(self.value(f"icmp eq i64 {x}, 0"), label, count)
        self.stack.append(x)

    def branch_on_non_null(self, label: int, count: int) -> None:
        """br_on_non_null: the reference is the last value of the branch."""
        x = self.settle(1)[0]
        self.branch_on(self.value(f"icmp ne i64 {x}, 0"), label, count)
        self.stack.pop()

    def branch_table(self, targets: Sequence[tuple[int, int]]) -> None:
        """br_table: label and number of values of each target, the default last."""
        index = self.pop()
        returning = ""
        blocks = []
        for label, count in targets:
            if label != RETURN_LABEL:
                blocks.append(self.edge(label, count))
            else:
                returning = returning or self.returning(count)
                blocks.append(returning)
        cases = " ".join(f"i32 {number}, label %{block}" for number, block in enumerate(blocks[:-1]))
        self.write(f"switch i32 {index}, label %{blocks[-1]} [{cases}]")

    # Blocks

    def begin_loop(self, label: int, types: list[str]) -> None:
        """loop: the head, with a poll; types are those of the parameters, if there is a branch with any to the head."""
        values = self.pop_many(len(types))
        self.loops[label] = types
        for number, (value_type, x) in enumerate(zip(types, values)):
            self.allocas.append(f"%p{label}_{number} = alloca {value_type}")
            self.write(f"store {value_type} {x}, ptr %p{label}_{number}")
        self.write(f"br label %L{label}")
        self.begin(f"L{label}")
        self.forget(label)
        for number, value_type in enumerate(types):
            self.stack.append(self.value(f"load {value_type}, ptr %p{label}_{number}"))
        self.poll()

    def end_loop(self, label: int, flags: int) -> None:
        """The end of a loop: where its fast copy goes on, too."""
        done = self.versioned.pop(label, None)
        if done is not None:
            if flags & REACHED:
                self.write(f"br label %{done}")
                self.begin(done)
            self.forget(label)

    def begin_if(self, label: int, count: int) -> None:
        """if."""
        condition = self.pop_condition()
        other, then = self.label(), self.label()
        self.waiting[label] = (other, list(self.settle(count)))
        self.reached_otherwise[label] = dict(self.reached)
        self.write(f"br i1 {condition}, label %{then}, label %{other}")
        self.begin(then)

    def begin_other(self, label: int) -> None:
        """The block where an `if` goes otherwise."""
        block, values = self.waiting.pop(label)
        self.begin(block)
        self.known.clear()
        self.reached = self.reached_otherwise.pop(label)
        self.stack += values

    def begin_else(self, label: int, flags: int, value: int) -> None:
        """else."""
        height = value & HEIGHT_MASK
        if flags & REACHED:
            self.branch(label, len(self.stack) - height)
        del self.stack[height:]
        self.begin_other(label)

    def end(self, label: int, flags: int, value: int) -> None:
        """end: where the ways meet."""
        kind = flags >> END_KIND_SHIFT & 3
        if kind == END_LOOP:
            self.end_loop(label, flags)
            return
        count = flags & COUNT_MASK
        height = value & HEIGHT_MASK
        if kind == END_IF:
            if flags & REACHED:
                self.branch(label, count)
            del self.stack[height:]
            self.begin_other(label)
            self.branch(label, count)
        elif flags & REACHED:
            if not flags & TARGETED:
                return
            self.branch(label, count)
        del self.stack[height:]
        edges = self.edges.pop(label, None)
        if edges is None:
            return
        self.begin(self.block_name(label))
        self.meet(label)
        run = value >> 32
        for number in range(count):
            incoming = ", ".join(f"[{values[number]}, %{block}]" for block, values in edges)
            self.stack.append(self.value(f"phi {TYPES[self.pool[run + number]]} {incoming}"))

"""Loads that can not trap, since what they read has been accessed before, or is part of every memory of that type.

Memories never shrink. So behind an access of the bytes up to `end` from the value of a local on, a load that begins at the same value and
ends there or before is inside of the memory. It may be a plain one, which LLVM can merge, fold or drop. But it must not be moved above
that access: something that is visible after a trap may stand before it. LLVM moves no load that might fault above what might not return,
and code generation moves nothing in memory above assembly with side effects; so an empty one stands in between, the *fence*.
"""

from __future__ import annotations

from typing import Final

from wasmcore.plugin.unit import Environment
from wasmcore_llvm.text.numeric import Numeric
from wasmcore_llvm.text.state import BARRIER, FENCE, Unit

Reached = dict[int, tuple[int, int]]
"""By local: bytes from its value on that are inside of memory 0, and how many of them were before the last fence."""

ABSOLUTE: Final = -1
"""In place of a local: bytes from address 0 on."""
STEADY: Final = -2
"""In place of a local, present if there was a barrier since the head of the innermost loop."""
MAXIMUM_REACHED: Final = 32
"""Locals that are followed."""


class Reach(Numeric):
    """What is known of locals as addresses, along all ways through the function."""

    def __init__(self, unit: Unit, function: int) -> None:
        super().__init__(unit, function)
        self.holders: Final[dict[str, int]] = {}
        """A local that had a value when it was last read or written."""
        self.memory_minimum: Final = least_size(unit.environment)
        self.follows: Final = self.memory_minimum >= 0 and unit.optimized
        self.reached: Reached = self.reached_everywhere()
        self.reached[STEADY] = (0, 0)
        self.reached_at: Final[dict[int, Reached]] = {}
        """By label: what is reached on all ways that go there so far."""
        self.reached_otherwise: Final[dict[int, Reached]] = {}
        """By label of an `if`: what is reached where its other branch begins."""
        self.lasting: Final[dict[int, Reached]] = {}
        """By label of a loop: what is reached in all its iterations."""

    def reached_everywhere(self) -> Reached:
        """What needs no access before."""
        return {ABSOLUTE: (self.memory_minimum, self.memory_minimum)}

    # Locals

    def get_local(self, local: int) -> str:
        """The value of a local."""
        x = super().get_local(local)
        self.holders[x] = local
        return x

    def set_local(self, local: int, x: str) -> None:
        """Give a local a value."""
        holder = self.holder(x)
        reached = None if holder is None else self.reached.get(holder)
        super().set_local(local, x)
        if reached is None:
            self.reached.pop(local, None)
        else:
            self.reached[local] = reached
        self.holders[x] = local

    def holder(self, x: str) -> int | None:
        """A local with this value."""
        local = self.holders.get(x)
        return local if local is not None and self.known.get(local) == x else None

    # Ways

    def enter_loop(self, label: int, written: frozenset[int]) -> None:
        """A loop is about to begin that writes these locals."""
        self.lasting[label] = {local: x for local, x in self.reached.items() if local != STEADY and local not in written}

    def forget(self, loop: int) -> None:
        """Begin a block that other ways lead to, all of them from inside or before a loop."""
        self.known.clear()
        self.reached = dict(self.lasting[loop])

    def reach_label(self, label: int) -> None:
        """There is a way from here to a label further on."""
        before = self.reached_at.get(label)
        if before is None:
            self.reached_at[label] = dict(self.reached)
        else:
            now = self.reached
            self.reached_at[label] = {
                local: (min(x[0], now[local][0]), min(x[1], now[local][1])) for local, x in before.items() if local in now
            }

    def meet(self, label: int) -> None:
        """Begin the block of a label, where all ways there meet."""
        self.known.clear()
        self.reached = self.reached_at.pop(label)

    # Accesses

    def certain(self, memory: int, address: str, offset: int, size: int) -> bool:
        """Whether a load is surely inside of a guarded memory, and may be plain; if not, it is accessed now."""
        if memory or not self.follows:
            return False
        local, end = self.followed(address, offset + size)
        before, fenced = self.reached.get(local, (0, 0)) if local is not None else (0, 0)
        if end > before:
            self.access(memory, address, offset, size)
            return False
        if end > fenced or STEADY not in self.reached:
            self.hold_loads()
        return True

    def access(self, memory: int, address: str, offset: int, size: int) -> None:
        """Bytes of a guarded memory are accessed."""
        if memory or not self.follows:
            return
        local, end = self.followed(address, offset + size)
        if local is not None:
            before, fenced = self.reached.get(local, (0, 0))
            if end > before and (before or len(self.reached) < MAXIMUM_REACHED):
                self.reached[local] = (end, fenced)

    def followed(self, address: str, end: int) -> tuple[int | None, int]:
        """The local that holds an address, and the end of an access relative to it."""
        if address[0] != "%":
            return ABSOLUTE, (int(address) & 0xFFFFFFFF) + end
        return self.holder(address), end

    def hold_loads(self) -> None:
        """No load moves up from here; and in each iteration of a loop the first one reads anew what others may have changed meanwhile."""
        if STEADY in self.reached:
            self.write(FENCE)
        else:
            self.write(BARRIER)
        for local, (end, _) in self.reached.items():
            self.reached[local] = (end, end)
        self.reached[STEADY] = (0, 0)


def least_size(environment: Environment) -> int:
    """Bytes that memory 0 has at least, -1 if its accesses are not followed: it is not guarded, or others change it at any time."""
    if not environment.memories:
        return -1
    plan = environment.memories[0]
    return plan.minimum if plan.guarded and not plan.index64 and not plan.shared else -1

"""Where values are used, as positions in the order of the program.

Each value and each end of a block has a position. A value is *live* from its own to the last that needs it; around a loop that it comes
into from outside and is used in, that is the end of the loop. A comparison that only the end of its block or a `select` there looks at is
*fused*: it has no register, and its operands are used where it is.
"""

from __future__ import annotations

from typing import Final

from wasmcore_midtier.ssa.build import SELECT
from wasmcore_midtier.ssa.graph import BRANCH, CONSTANTS, Graph

COMPARISONS: Final = range(0x45, 0x67)


class Positions:
    """Of one graph."""

    def __init__(self, graph: Graph) -> None:
        count = len(graph.operation)
        self.graph: Final = graph
        self.position: Final = [0] * count
        self.last: Final = [-1] * count
        """The last position that a value is live at."""
        self.uses: Final[list[list[int]]] = [[] for _ in range(count)]
        """Ascending."""
        self.start: Final = [0] * len(graph.blocks)
        self.end: Final = [0] * len(graph.blocks)
        self.used_in: Final[list[dict[int, None]]] = [{} for _ in graph.loops]
        """Of each loop: what comes from outside and is used in it."""
        self.first_call: Final = [1 << 60] * len(graph.loops)
        """Of each loop: the position of its first call."""
        self.fused: Final = self._fused()
        self._number()
        self._collect()

    def _fused(self) -> bytearray:
        graph = self.graph
        times = [0] * len(graph.operation)
        for block in graph.blocks:
            for value in block.values:
                for operand in graph.operands_of(value):
                    times[operand] += 1
            for operand in graph.uses_of(block):
                times[operand] += 1
        fused = bytearray(len(graph.operation))
        for block in graph.blocks:
            conditions = [graph.c[value] for value in block.values if graph.operation[value] == SELECT]
            if block.end == BRANCH:
                conditions.append(block.value)
            for value in conditions:
                if times[value] == 1 and graph.operation[value] in COMPARISONS and graph.block[value] == block.number:
                    fused[value] = 1
        return fused

    def _number(self) -> None:
        at = 0
        for block in self.graph.blocks:
            self.start[block.number] = at
            for param in block.params:
                self.position[param] = at
            for value in block.values:
                at += 1
                self.position[value] = at
            at += 1
            self.end[block.number] = at
            at += 1

    def _collect(self) -> None:
        graph = self.graph
        for block in graph.blocks:
            for value in block.values:
                if not self.fused[value]:
                    self._use_all(graph.operands_of(value), self.position[value], block.loop)
                    if value in graph.operands:
                        loop = block.loop
                        while loop >= 0:
                            self.first_call[loop] = min(self.first_call[loop], self.position[value])
                            loop = graph.loops[loop].outer
            self._use_all(graph.uses_of(block), self.end[block.number], block.loop)

    def _use_all(self, operands: list[int], at: int, loop: int) -> None:
        for operand in operands:
            if self.fused[operand]:
                self._use_all(self.graph.operands_of(operand), at, loop)
            else:
                self._use(operand, at, loop)

    def _use(self, value: int, at: int, loop: int) -> None:
        """One use; around each loop that the value comes into, it is live to the end."""
        uses = self.uses[value]
        if not uses or uses[-1] != at:
            uses.append(at)
        last = at
        loops = self.graph.loops
        if self.graph.operation[value] not in CONSTANTS:
            while loop >= 0 and self.position[value] < self.start[loops[loop].head]:
                last = max(last, self.end[loops[loop].last])
                self.used_in[loop][value] = None
                loop = loops[loop].outer
        self.last[value] = max(self.last[value], last)

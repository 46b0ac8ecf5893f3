"""Where values are used, as positions in the order of the program.

Each value and each end of a block has a position. A value is *live* from its own to the last that needs it; around a loop that it comes
into from outside and is used in, that is the end of the loop. A comparison that only the end of its block or a `select` there looks at is
*fused*: it has no register, and its operands are used where it is. So is a short shift that is added to something, or that is an address.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.algebra.ranges import ANY
from wasmcore_midtier.ssa.graph import BRANCH, CALL, CALL_INDIRECT, MEMORY_COPY, MEMORY_FILL, MEMORY_GROW, NONE, Graph, is_constant
from wasmcore_midtier.ssa.operations import SELECT, is_access
from wasmcore_midtier.ssa.values import MOST_OFFSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NEVER: Final = 1 << 60
EQZ: Final = 0x45
_COMPARISON_LAST: Final = 0x66
_ADD: Final = 0x6A
_ADD_WIDE: Final = 0x7C
_FROM_ADD_TO_SHIFT: Final = 10
_SHL: Final = _ADD + _FROM_ADD_TO_SHIFT


class Positions:
    """Of one graph after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self.position: vec[i64] = vec[i64]()
        self.live_until: vec[i64] = vec[i64]()
        """By value: the last position that it is live at."""
        self.fused: vec[i64] = vec[i64]()
        self.times: vec[i64] = vec[i64]()
        """By value: how often it is used; then how many of its uses are known."""
        self.first_use: vec[i64] = vec[i64]()
        """By value: where its uses begin in `uses`; the next value's begin behind them."""
        self.uses: vec[i64] = vec[i64]()
        self.start_of: vec[i64] = vec[i64]()
        """By block."""
        self.end_of: vec[i64] = vec[i64]()
        self.first_call: vec[i64] = vec[i64]()
        """By loop: the position of its first call."""
        self.made: vec[i64] = vec[i64]()
        """By loop: how many values are made in it that need a register."""
        self.recorded: vec[i64] = vec[i64]()
        """By value: the innermost loop of its last use that it comes into."""
        # What comes into loops, in lists: by loop the last element; of each element the value, and the one before.
        self.last_coming: vec[i64] = vec[i64]()
        self.coming: vec[i64] = vec[i64]()
        self.coming_before: vec[i64] = vec[i64]()
        self.coming_count: i64 = 0
        self.counting = True

    def find(self) -> None:
        """Find out about the graph as it is now."""
        self.make_room()
        self.fuse()
        self.number()
        self.counting = True
        self.visit()
        first_use = self.first_use
        times = self.times
        value: i64 = 0
        total: i64 = 0
        while value < self.graph.values:
            first_use[value] = total
            total += times[value]
            times[value] = 0
            value += 1
        first_use[value] = total
        self.uses = grown(self.uses, total)
        self.counting = False
        self.visit()

    def make_room(self) -> None:
        """Arrays for the graph, and what they begin with."""
        graph = self.graph
        self.position = grown(self.position, graph.values + 1)
        self.live_until = grown(self.live_until, graph.values + 1)
        self.fused = grown(self.fused, graph.values + 1)
        self.times = grown(self.times, graph.values + 1)
        self.first_use = grown(self.first_use, graph.values + 1)
        self.recorded = grown(self.recorded, graph.values + 1)
        self.start_of = grown(self.start_of, graph.blocks)
        self.end_of = grown(self.end_of, graph.blocks)
        self.first_call = grown(self.first_call, graph.loops)
        self.made = grown(self.made, graph.loops)
        self.last_coming = grown(self.last_coming, graph.loops)
        live_until = self.live_until
        fused = self.fused
        times = self.times
        recorded = self.recorded
        value: i64 = 0
        while value < graph.values:
            live_until[value] = NONE
            fused[value] = 0
            times[value] = 0
            recorded[value] = NONE
            value += 1
        loop: i64 = 0
        while loop < graph.loops:
            self.first_call[loop] = NEVER
            self.made[loop] = 0
            self.last_coming[loop] = NONE
            loop += 1
        self.coming_count = 0

    # Fusing

    def fuse(self) -> None:
        """Find the comparisons that need no register."""
        graph = self.graph
        block: i64 = 0
        while block < graph.blocks:
            value = graph.first[block]
            while value >= 0:
                self.count_operands(value)
                value = graph.following[value]
            self.count(graph.end_value[block])
            self.count_run(graph.results[block], graph.result_count[block])
            edge = graph.first_edge[block]
            while edge < graph.first_edge[block] + graph.edge_count[block]:
                self.count_run(graph.arguments[edge], graph.param_count[graph.target[edge]])
                edge += 1
            block += 1
        block = 0
        while block < graph.blocks:
            value = graph.first[block]
            while value >= 0:
                operation = graph.operation[value]
                if operation == SELECT:
                    self.fuse_if(graph.c[value], block)
                elif operation == _ADD or operation == _ADD_WIDE:
                    self.fuse_shift(value, operation + _FROM_ADD_TO_SHIFT)
                elif is_access(operation):
                    self.fuse_scale(value, graph.a[value])
                value = graph.following[value]
            if graph.end[block] == BRANCH:
                self.fuse_if(graph.end_value[block], block)
            block += 1
        times = self.times
        value = 0
        while value < graph.values:
            times[value] = 0
            value += 1

    def count(self, value: i64) -> None:
        """One use more."""
        if value >= 0:
            self.times[value] += 1

    def count_run(self, start: i64, count: i64) -> None:
        """One use more of values in the pool."""
        times = self.times
        pool = self.graph.pool
        at = start
        while at < start + count:
            times[pool[at]] += 1
            at += 1

    def count_operands(self, value: i64) -> None:
        """One use more of each operand."""
        graph = self.graph
        operation = graph.operation[value]
        if operation == CALL or operation == CALL_INDIRECT:
            self.count_run(graph.b[value], graph.c[value])
        else:
            self.count(graph.a[value])
            self.count(graph.b[value])
            self.count(graph.c[value])

    def fuse_if(self, value: i64, block: i64) -> None:
        """A condition is fused if it is a comparison that stands in this block and is used once; so is what it compares with 0."""
        graph = self.graph
        while self.times[value] == 1 and is_comparison(graph.operation[value]) and graph.home[value] == block:
            self.fused[value] = 1
            if graph.operation[value] != EQZ:
                return
            value = graph.a[value]

    def fuse_shift(self, value: i64, shift: i64) -> None:
        """What is added, shifted left by 1, 2 or 3, is fused: targets can add it shifted."""
        graph = self.graph
        a = graph.a[value]
        b = graph.b[value]
        if is_constant(graph.operation[b]):
            return
        if self.is_short_shift(b, shift, graph.home[value]):
            self.fused[b] = 1
        elif self.is_short_shift(a, shift, graph.home[value]):
            self.fused[a] = 1

    def fuse_scale(self, access: i64, address: i64) -> None:
        """The address of an access, a short shift that can not lose bits, is fused: targets can shift it there."""
        graph = self.graph
        if graph.immediate[access] & ANY <= MOST_OFFSET and self.is_short_shift(address, _SHL, graph.home[access]):
            if graph.most[graph.a[address]] << graph.immediate[graph.b[address]] <= ANY:
                self.fused[address] = 1

    def is_short_shift(self, value: i64, shift: i64, block: i64) -> bool:
        """Whether a value is such a shift, in a block, and used once."""
        graph = self.graph
        if graph.operation[value] != shift or self.times[value] != 1 or graph.home[value] != block:
            return False
        return is_constant(graph.operation[graph.b[value]]) and 1 <= graph.immediate[graph.b[value]] <= 3

    # Positions and uses

    def number(self) -> None:
        """Give positions."""
        graph = self.graph
        at: i64 = 0
        block: i64 = 0
        while block < graph.blocks:
            self.start_of[block] = at
            made: i64 = graph.param_count[block]
            param = graph.params[block]
            while param < graph.params[block] + graph.param_count[block]:
                self.position[graph.pool[param]] = at
                param += 1
            value = graph.first[block]
            while value >= 0:
                at += 1
                self.position[value] = at
                if graph.machine_class[value] and not self.fused[value]:
                    made += 1
                value = graph.following[value]
            loop = graph.block_loop[block]
            while loop >= 0:
                self.made[loop] += made
                loop = graph.outer[loop]
            at += 1
            self.end_of[block] = at
            at += 1
            block += 1

    def visit(self) -> None:
        """All uses, in order; twice, to count them first."""
        graph = self.graph
        block: i64 = 0
        while block < graph.blocks:
            loop = graph.block_loop[block]
            value = graph.first[block]
            while value >= 0:
                if not self.fused[value]:
                    self.use_operands(value, self.position[value], loop)
                value = graph.following[value]
            at = self.end_of[block]
            if graph.end_value[block] >= 0:
                self.use(graph.end_value[block], at, loop)
            self.use_run(graph.results[block], graph.result_count[block], at, loop)
            edge = graph.first_edge[block]
            while edge < graph.first_edge[block] + graph.edge_count[block]:
                self.use_run(graph.arguments[edge], graph.param_count[graph.target[edge]], at, loop)
                edge += 1
            block += 1

    def use_run(self, start: i64, count: i64, at: i64, loop: i64) -> None:
        """Values in the pool are used."""
        place = start
        while place < start + count:
            self.use(self.graph.pool[place], at, loop)
            place += 1

    def use_operands(self, value: i64, at: i64, loop: i64) -> None:
        """The operands of a value are used."""
        graph = self.graph
        operation = graph.operation[value]
        if operation == CALL or operation == CALL_INDIRECT:
            self.use_run(graph.b[value], graph.c[value], at, loop)
            if self.counting:
                self.note_call(at, loop)
            return
        if self.counting and (operation == MEMORY_GROW or operation == MEMORY_COPY or operation == MEMORY_FILL):
            self.note_call(at, loop)
        if graph.a[value] >= 0:
            self.use(graph.a[value], at, loop)
        if graph.b[value] >= 0:
            self.use(graph.b[value], at, loop)
        if graph.c[value] >= 0:
            self.use(graph.c[value], at, loop)

    def note_call(self, at: i64, loop: i64) -> None:
        """A call in loops."""
        while loop >= 0:
            if at < self.first_call[loop]:
                self.first_call[loop] = at
            loop = self.graph.outer[loop]

    def use(self, value: i64, at: i64, loop: i64) -> None:
        """One use; around each loop that the value comes into, it is live to the end."""
        if self.fused[value]:
            self.use_operands(value, at, loop)
            return
        if self.counting:
            self.times[value] += 1
            self.live(value, at, loop)
        else:
            self.uses[self.first_use[value] + self.times[value]] = at
            self.times[value] += 1

    def live(self, value: i64, at: i64, loop: i64) -> None:
        """A value is needed at a position."""
        graph = self.graph
        if at > self.live_until[value]:
            self.live_until[value] = at
        if loop < 0 or is_constant(graph.operation[value]) or self.recorded[value] == loop:
            return
        begin = self.position[value]
        innermost = loop
        while loop >= 0 and begin < self.start_of[graph.head[loop]]:
            end = self.end_of[graph.last[loop]]
            if end > self.live_until[value]:
                self.live_until[value] = end
            self.come(value, loop)
            self.recorded[value] = innermost
            loop = graph.outer[loop]

    def come(self, value: i64, loop: i64) -> None:
        """A value comes into a loop; it may be noted more than once."""
        if self.coming_count == i64(len(self.coming)):
            self.coming = append(self.coming, 0)
            self.coming_before = append(self.coming_before, 0)
        self.coming[self.coming_count] = value
        self.coming_before[self.coming_count] = self.last_coming[loop]
        self.last_coming[loop] = self.coming_count
        self.coming_count += 1


def is_comparison(operation: i64) -> bool:
    """Whether an operation compares."""
    return EQZ <= operation <= _COMPARISON_LAST

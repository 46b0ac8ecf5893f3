"""Registers, given out in one walk over the program, by next use.

A value is made once. So its slot in the frame, if it ever needs one, is written once, right behind its definition, and a register is taken
from it by forgetting that it is there: what is used soonest stays, what is used last goes (Belady), and is loaded again where it is used.
Calls destroy all registers: they forget everything, and pay nothing for what is not used behind them.
"""

from __future__ import annotations

from wasmcore_midtier._native import BytesWriter, append, i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.registers.moves import Moves
from wasmcore_midtier.registers.positions import NEVER, Positions
from wasmcore_midtier.registers.records import CONSTANT, DEFINED, SLOT
from wasmcore_midtier.ssa.graph import NONE, Graph, is_constant
from wasmcore_midtier.ssa.operations import V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SOON: Final = 24
"""Positions within which a value is used again that is worth a register."""
BASED: Final = SLOT
"""Behind the registers in a state: whether the base register of memory 0 is loaded."""
STATE: Final = SLOT + 1


class Allocator(Moves):
    """The state of the registers, and what changes it."""

    def __init__(self, graph: Graph, integers: bytes, floats: bytes) -> None:
        super().__init__(graph)
        self.positions: Final = Positions(graph)
        self.integers: Final = integers
        self.floats: Final = floats
        """From `FLOAT` on."""
        self.registers: Final = integers + floats
        self.holder: Final = vec[i64]([NONE] * SLOT)
        """By register: the value in it."""
        self.locked: Final = vec[i64]([0] * SLOT)
        """By register: whether an operand of the current value is in it."""
        self.locks: Final = vec[i64]([0] * SLOT)
        """The registers that were locked since the last `unlock`."""
        self.lock_count: i64 = 0
        self.place: vec[i64] = vec[i64]()
        """By value: its register."""
        self.slot: vec[i64] = vec[i64]()
        self.used: vec[i64] = vec[i64]()
        """By value: how many of its uses are behind."""
        self.hint: vec[i64] = vec[i64]()
        """By value: a register that would save a move."""
        self.joins: vec[i64] = vec[i64]()
        """By value that is an argument of an edge: the parameter."""
        self.param_place: vec[i64] = vec[i64]()
        """By parameter: where its block expects it."""
        self.where: vec[i64] = vec[i64]()
        """By value: its register on the edge that is looked at, if `where_edge` is that one."""
        self.where_edge: vec[i64] = vec[i64]()
        self.fixed: i64 = NONE
        """The edge whose moves are written."""
        self.at: i64 = 0
        self.based = False
        self.loop: i64 = NONE
        self.states: vec[i64] = vec[i64]()
        self.state_total: i64 = 0
        self.edge_state: vec[i64] = vec[i64]()
        """By edge: what is where on it, in `states`."""
        self.entry: vec[i64] = vec[i64]()
        """By block: what it expects, likewise."""
        self.fix_start: vec[i64] = vec[i64]()
        """By edge: its records in `fixes`."""
        self.fix_end: vec[i64] = vec[i64]()
        self.fixes: Final = BytesWriter()
        self.chosen: vec[i64] = vec[i64]()
        self.taken: Final = vec[i64]([0] * SLOT)
        """By register: whether the block that begins expects something in it."""
        self.heap: vec[i64] = vec[i64]()
        """Slots of values, and up to which position each is in use."""
        self.busy: vec[i64] = vec[i64]()
        self.heap_count: i64 = 0

    def begin_graph(self) -> None:
        """Forget the function before."""
        graph = self.graph
        self.positions.find()
        self.place = grown(self.place, graph.values)
        self.slot = grown(self.slot, graph.values)
        self.used = grown(self.used, graph.values)
        self.hint = grown(self.hint, graph.values)
        self.joins = grown(self.joins, graph.values)
        self.param_place = grown(self.param_place, graph.values)
        self.where = grown(self.where, graph.values)
        self.where_edge = grown(self.where_edge, graph.values)
        self.edge_state = grown(self.edge_state, graph.edges)
        self.fix_start = grown(self.fix_start, graph.edges)
        self.fix_end = grown(self.fix_end, graph.edges)
        self.entry = grown(self.entry, graph.blocks)
        self.reset_values()
        edge_state = self.edge_state
        fix_start = self.fix_start
        fix_end = self.fix_end
        edge: i64 = 0
        while edge < graph.edges:
            edge_state[edge] = NONE
            fix_start[edge] = 0
            fix_end[edge] = 0
            edge += 1
        block: i64 = 0
        while block < graph.blocks:
            self.entry[block] = NONE
            block += 1
        register: i64 = 0
        while register < SLOT:
            self.holder[register] = NONE
            self.locked[register] = 0
            register += 1
        self.lock_count = 0
        self.at = 0
        self.slots = 0
        self.spare_count = 0
        self.heap_count = 0
        self.state_total = 0
        self.based = False
        self.loop = NONE
        self.out.truncate(0)
        self.fixes.truncate(0)
        self.join_arguments()

    def reset_values(self) -> None:
        """Nothing is anywhere."""
        place = self.place
        slot = self.slot
        used = self.used
        hint = self.hint
        joins = self.joins
        where_edge = self.where_edge
        value: i64 = 0
        while value < self.graph.values:
            place[value] = NONE
            slot[value] = NONE
            used[value] = 0
            hint[value] = NONE
            joins[value] = NONE
            where_edge[value] = NONE
            value += 1

    def join_arguments(self) -> None:
        """Which parameter each argument becomes."""
        graph = self.graph
        joins = self.joins
        pool = graph.pool
        edge: i64 = 0
        while edge < graph.edges:
            target = graph.target[edge]
            count = graph.param_count[target]
            first = graph.arguments[edge]
            params = graph.params[target]
            number: i64 = 0
            while number < count:
                argument = pool[first + number]
                if joins[argument] < 0:
                    joins[argument] = pool[params + number]
                number += 1
            edge += 1

    def file_of(self, value: i64) -> bytes:
        """The registers that a value can be in."""
        return self.floats if self.is_float(value) else self.integers

    def is_float(self, value: i64) -> bool:
        """Whether a value belongs into the float file."""
        return 3 <= self.graph.machine_class[value] <= V128

    def is_constant(self, value: i64) -> bool:
        """Whether a value can be made again at any time."""
        return is_constant(self.graph.operation[value])

    # Uses

    def next_use(self, value: i64) -> i64:
        """The position of the next use."""
        positions = self.positions
        first = positions.first_use[value]
        count = positions.first_use[value + 1] - first
        at = self.used[value]
        while at < count and positions.uses[first + at] < self.at:
            at += 1
        self.used[value] = at
        found: i64 = NEVER
        if at < count:
            found = positions.uses[first + at]
        if self.loop >= 0:
            end = positions.end_of[self.graph.last[self.loop]]
            if found > end and self.is_expected(self.graph.head[self.loop], value):
                return end
        return found

    def is_expected(self, block: i64, value: i64) -> bool:
        """Whether a block expects a value in a register."""
        entry = self.entry[block]
        if entry < 0:
            return False
        if self.place[value] >= 0 and self.states[entry + self.place[value]] == value:
            return True
        file = self.file_of(value)
        at: i64 = 0
        while at < len(file):
            if self.states[entry + i64(file[at])] == value:
                return True
            at += 1
        return False

    def is_live(self, value: i64) -> bool:
        """Whether a value is used behind the current position."""
        return self.positions.live_until[value] > self.at

    def lock(self, register: i64) -> None:
        """A register may not change before `unlock`."""
        if not self.locked[register]:
            self.locked[register] = 1
            self.locks[self.lock_count] = register
            self.lock_count += 1

    def unlock(self) -> None:
        """All registers may change again."""
        while self.lock_count:
            self.lock_count -= 1
            self.locked[self.locks[self.lock_count]] = 0

    def free_dead(self, value: i64) -> None:
        """An operand has been used at the current position."""
        if value >= 0 and not self.is_live(value):
            self.forget(value)

    def forget(self, value: i64) -> None:
        """A value is in no register any more."""
        register = self.place[value]
        if register >= 0:
            self.holder[register] = NONE
            self.place[value] = NONE

    # Registers

    def is_free(self, register: i64) -> bool:
        """Whether nobody is in a register."""
        return self.holder[register] < 0 and not self.locked[register]

    def is_in(self, register: i64, file: bytes) -> bool:
        """Whether a register is of a file."""
        at: i64 = 0
        while at < len(file):
            if i64(file[at]) == register:
                return True
            at += 1
        return False

    def any_free(self, file: bytes) -> i64:
        """A register that nobody is in, if there is one."""
        at: i64 = 0
        while at < len(file):
            register = i64(file[at])
            if self.holder[register] < 0 and not self.locked[register]:
                return register
            at += 1
        return NONE

    def free_register(self, file: bytes, wanted: i64) -> i64:
        """A register that nobody has, perhaps the one that is wanted; what is used last loses its own."""
        if wanted >= 0 and self.is_free(wanted) and self.is_in(wanted, file):
            return wanted
        register = self.any_free(file)
        if register >= 0:
            return register
        best: i64 = -1
        at: i64 = 0
        while at < len(file):
            other = i64(file[at])
            if not self.locked[other]:
                value = self.holder[other]
                use = 2 * self.next_use(value) + (1 if self.is_constant(value) else 0)
                if use > best:
                    best = use
                    register = other
            at += 1
        self.evict(register)
        return register

    def evict(self, register: i64) -> None:
        """Take a register from its value, which is in its slot."""
        value = self.holder[register]
        if value >= 0:
            self.need_slot(value)
            self.forget(value)

    def clear_register(self, register: i64) -> None:
        """Nobody may be in a register: who is moves, if there is room."""
        value = self.holder[register]
        if value < 0:
            return
        other = self.any_free(self.file_of(value))
        if other < 0:
            self.evict(register)
            return
        self.move(other, register)
        self.forget(value)
        self.assign(value, other)
        if self.locked[register]:
            self.lock(other)

    def need_slot(self, value: i64) -> i64:
        """The slot of a value."""
        if self.slot[value] >= 0 or self.is_constant(value):
            return self.slot[value]
        until = self.positions.live_until[value]
        if self.heap_count and self.busy[0] < self.positions.position[value]:
            number = self.heap[0]
            self.sink(number, until)
        else:
            number = self.new_slot()
            self.rise(number, until)
        self.slot[value] = number
        return number

    # Slots stand in a heap, the one that is free first at its top.

    def sink(self, slot: i64, until: i64) -> None:
        """The slot at the top is in use up to a position."""
        at: i64 = 0
        child: i64 = 1
        while child < self.heap_count:
            if child + 1 < self.heap_count and self.busy[child + 1] < self.busy[child]:
                child += 1
            if self.busy[child] >= until:
                break
            self.heap[at] = self.heap[child]
            self.busy[at] = self.busy[child]
            at = child
            child = 2 * at + 1
        self.heap[at] = slot
        self.busy[at] = until

    def rise(self, slot: i64, until: i64) -> None:
        """A new slot is in use up to a position."""
        at = self.heap_count
        self.heap_count += 1
        if at == i64(len(self.heap)):
            self.heap = append(self.heap, 0)
            self.busy = append(self.busy, 0)
        while at > 0 and self.busy[(at - 1) >> 1] > until:
            self.heap[at] = self.heap[(at - 1) >> 1]
            self.busy[at] = self.busy[(at - 1) >> 1]
            at = (at - 1) >> 1
        self.heap[at] = slot
        self.busy[at] = until

    def assign(self, value: i64, register: i64) -> None:
        """A value is in a register."""
        self.holder[register] = value
        self.place[value] = register

    def load(self, value: i64) -> i64:
        """The register of a value, which is brought there if it is not in one; it stays until `unlock`."""
        register = self.place[value]
        if register < 0:
            register = self.free_register(self.file_of(value), self.hint[value])
            self.bring(value, register)
            self.assign(value, register)
        self.lock(register)
        self.reads(value, register)
        return register

    def bring(self, value: i64, register: i64) -> None:
        """The records that bring a value, which is in no register, into a free one."""
        if self.is_constant(value):
            self.make(register, value)
        else:
            self.load_slot(register, self.need_slot(value), self.graph.machine_class[value])

    def is_better_in_slot(self, value: i64) -> bool:
        """Whether a value that is in no register is better used where it is in the frame: for it is not used again soon."""
        if self.place[value] >= 0 or self.is_constant(value):
            return False
        positions = self.positions
        at = positions.first_use[value] + self.used[value]
        end = positions.first_use[value + 1]
        while at < end and positions.uses[at] <= self.at:
            at += 1
        return at == end or positions.uses[at] > self.at + _SOON

    def load_to(self, value: i64, register: i64) -> None:
        """A value into one register, to be destroyed there; nobody has it from then on."""
        if self.place[value] == register:
            if self.is_live(value):
                self.clear_register(register)
            else:
                self.forget(value)
        else:
            self.clear_register(register)
            here = self.place[value]
            if here >= 0:
                self.move(register, here)
            else:
                self.bring(value, register)
        self.lock(register)
        self.reads(value, register)

    def define(self, value: i64, first: i64, second: i64) -> i64:
        """A register for a new value: one that would save a move, if it is free."""
        file = self.file_of(value)
        wanted = self.hint[value]
        if wanted < 0 or not self.is_free(wanted):
            wanted = self.hint_of_join(value)
        if wanted < 0 or not self.is_free(wanted):
            wanted = first
        if wanted < 0 or not self.is_free(wanted) or not self.is_in(wanted, file):
            wanted = second
        register = self.free_register(file, wanted)
        self.assign(value, register)
        return register

    def hint_of_join(self, value: i64) -> i64:
        """The register of the parameter that a value becomes."""
        param = self.joins[value]
        if param < 0:
            return NONE
        if self.place[param] >= 0:
            return self.place[param]
        return self.hint[param]

    def defined(self, value: i64) -> None:
        """Behind the record of a value: its slot is written here, if it gets one."""
        register = self.place[value]
        param = self.joins[value]
        if param >= 0 and self.hint[param] < 0:
            self.hint[param] = register
        self.mark(DEFINED, value, register)
        if not self.is_live(value):
            self.forget(value)

    def lose_file(self, file: bytes) -> None:
        """Nothing is in any of these registers any more."""
        holder = self.holder
        place = self.place
        at: i64 = 0
        while at < len(file):
            register = i64(file[at])
            value = holder[register]
            if value >= 0:
                holder[register] = NONE
                place[value] = NONE
            at += 1

    def lose_all(self) -> None:
        """A call."""
        self.lose_file(self.integers)
        self.lose_file(self.floats)
        self.based = False

    def idle_register(self, value: i64) -> i64:
        """A register of the file of a value that nobody has, neither before the moves nor behind them."""
        file = self.file_of(value)
        at: i64 = 0
        while at < len(file):
            register = i64(file[at])
            if not self.is_destination(register) and not self.is_engaged(register):
                return register
            at += 1
        return NONE

    def is_engaged(self, register: i64) -> bool:
        """Whether a value is in a register: on the edge that is written, or behind it; at the current position if that is none."""
        if self.fixed < 0:
            return self.holder[register] >= 0
        state = self.edge_state[self.fixed]
        entry = self.entry[self.graph.target[self.fixed]]
        return self.states[state + register] >= 0 or self.states[entry + register] >= 0 or self.is_param_place(register)

    def is_param_place(self, register: i64) -> bool:
        """Whether a parameter of the target of the edge that is written is expected in a register."""
        graph = self.graph
        block = graph.target[self.fixed]
        param = graph.params[block]
        while param < graph.params[block] + graph.param_count[block]:
            if self.param_place[graph.pool[param]] == register:
                return True
            param += 1
        return False

    def source(self, value: i64) -> i64:
        """The place of a value now."""
        if self.place[value] >= 0:
            return self.place[value]
        return CONSTANT if self.is_constant(value) else SLOT + self.need_slot(value)

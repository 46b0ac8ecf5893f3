"""Registers, given out in one walk over the program, by next use.

A value is made once. So its slot in the frame, if it ever needs one, is written once, right behind its definition, and a register is taken
from it by forgetting that it is there: what is used soonest stays, what is used last goes (Belady), and is loaded again where it is used.
Calls destroy all registers: they forget everything, and pay nothing for what is not used behind them.

Where ways meet, a value stays in a register that is in one on all of them. At the head of a loop without calls, whatever the loop uses is
brought into registers as far as they go, and every way back brings it there again. What an edge has to move is known when its target
begins, and written there.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore.stream import CLASS_F32, CLASS_F64
from wasmcore_midtier.registers.moves import CONSTANT, SLOT, Move, write_moves
from wasmcore_midtier.registers.positions import Positions
from wasmcore_midtier.registers.records import Records
from wasmcore_midtier.ssa.graph import CONSTANTS, Block, Edge, Graph

NOBODY: Final = -1
NEVER: Final = 1 << 60
DEFINED: Final = 127
"""Operation of a word that is no record: a value (immediate) is in a register (size) from here on."""


class State(NamedTuple):
    """What is where on an edge."""

    holders: tuple[int, ...]
    """The value in each register."""
    based: bool
    """Whether the base register of memory 0 is loaded."""


class Entry(NamedTuple):
    """What a block expects."""

    values: dict[int, int]
    """By register: values from before."""
    params: list[int]
    """The place of each parameter."""
    based: bool


class RegisterFiles(NamedTuple):
    """What a target has."""

    integers: tuple[int, ...]
    floats: tuple[int, ...]
    """From `FLOAT` on."""


class Allocator(Records):
    """The state of the registers, and what changes it."""

    def __init__(self, graph: Graph, files: RegisterFiles) -> None:
        super().__init__()
        self.graph: Final = graph
        self.positions: Final = Positions(graph)
        self.files: Final = files
        count = len(graph.operation)
        self.holders: Final = [NOBODY] * SLOT
        self.place: Final = [NOBODY] * count
        """The register of each value."""
        self.slot: Final = [NOBODY] * count
        self.next: Final = [0] * count
        """Of each value, how many uses are behind."""
        self.hint: Final = [NOBODY] * count
        self.busy: Final[list[int]] = []
        """Of each slot, up to which position it is."""
        self.locked: Final[set[int]] = set()
        self.at = 0
        self.based = False
        self.loop = -1
        self.states: Final[dict[Edge, State]] = {}
        self.entries: Final[list[Entry | None]] = [None] * len(graph.blocks)
        self.fixes: Final[dict[Edge, list[int]]] = {}
        """Records of edges that have any."""
        self.joins: Final[dict[int, int]] = {}
        """By value that is an argument of an edge: the parameter."""
        for block in graph.blocks:
            for edge in block.incoming:
                for argument, param in zip(edge.arguments, block.params):
                    self.joins.setdefault(argument, param)

    def file_of(self, value: int) -> tuple[int, ...]:
        """The registers that a value can be in."""
        return self.files.floats if self.graph.machine_class[value] in (CLASS_F32, CLASS_F64) else self.files.integers

    def is_constant(self, value: int) -> bool:
        """Whether a value can be made again at any time."""
        return self.graph.operation[value] in CONSTANTS

    # Uses

    def next_use(self, value: int) -> int:
        """The position of the next use."""
        uses, at = self.positions.uses[value], self.next[value]
        while at < len(uses) and uses[at] < self.at:
            at += 1
        self.next[value] = at
        found = uses[at] if at < len(uses) else NEVER
        if self.loop >= 0:
            loop = self.graph.loops[self.loop]
            end = self.positions.end[loop.last]
            entry = self.entries[loop.head]
            if found > end and entry is not None and value in entry.values.values():
                return end
        return found

    def is_live(self, value: int) -> bool:
        """Whether a value is used behind the current position."""
        return self.positions.last[value] > self.at

    def release(self, *values: int) -> None:
        """Operands have been used at the current position."""
        self.locked.clear()
        for value in values:
            if value >= 0 and not self.is_live(value):
                self.forget(value)

    def forget(self, value: int) -> None:
        """A value is in no register any more."""
        register = self.place[value]
        if register >= 0:
            self.holders[register] = NOBODY
            self.place[value] = NOBODY

    # Registers

    def free_register(self, file: tuple[int, ...], wanted: int = NOBODY) -> int:
        """A register that nobody has, perhaps the one that is wanted; what is used last loses its own."""
        if wanted in file and self.holders[wanted] == NOBODY and wanted not in self.locked:
            return wanted
        holders = self.holders
        for register in file:
            if holders[register] == NOBODY and register not in self.locked:
                return register
        register = max((each for each in file if each not in self.locked), key=self._use_of)
        self.evict(register)
        return register

    def _use_of(self, register: int) -> int:
        """When a register is next used; constants go before others."""
        value = self.holders[register]
        return 2 * self.next_use(value) + self.is_constant(value)

    def evict(self, register: int) -> None:
        """Take a register from its value, which is in its slot."""
        value = self.holders[register]
        if value >= 0:
            self.need_slot(value)
            self.forget(value)

    def clear_register(self, register: int) -> None:
        """Nobody may be in a register: who is moves, if there is room."""
        value = self.holders[register]
        if value < 0:
            return
        for other in self.file_of(value):
            if self.holders[other] == NOBODY and other not in self.locked and other != register:
                self.move(other, register)
                self.forget(value)
                self.assign(value, other)
                return
        self.evict(register)

    def need_slot(self, value: int) -> int:
        """The slot of a value."""
        if self.slot[value] < 0 and not self.is_constant(value):
            first, last = self.positions.position[value], self.positions.last[value]
            for number, busy in enumerate(self.busy):
                if busy < first:
                    self.busy[number] = last
                    self.slot[value] = number
                    break
            else:
                self.slot[value] = self.new_slot(last)
        return self.slot[value]

    def new_slot(self, busy: int = NEVER) -> int:
        """A slot of its own."""
        self.busy.append(busy)
        return len(self.busy) - 1

    def assign(self, value: int, register: int) -> None:
        """A value is in a register."""
        self.holders[register] = value
        self.place[value] = register

    def load(self, value: int, wanted: int = NOBODY) -> int:
        """The register of a value, which is brought there if it is not in one; it stays until `release`."""
        register = self.place[value]
        if register < 0:
            register = self.free_register(self.file_of(value), self.hint[value] if wanted < 0 else wanted)
            self.bring(value, register)
        self.locked.add(register)
        return register

    def bring(self, value: int, register: int) -> None:
        """A value into a free register."""
        machine_class = self.graph.machine_class[value]
        if self.is_constant(value):
            self.load_constant(register, machine_class, self.graph.immediate[value])
        else:
            self.load_slot(register, self.need_slot(value), machine_class)
        self.assign(value, register)

    def load_to(self, value: int, register: int) -> None:
        """A value into one register, to be destroyed there; nobody has it from then on."""
        here = self.place[value]
        if here != register:
            self.clear_register(register)
            here = self.place[value]
            if here >= 0:
                self.move(register, here)
            elif self.is_constant(value):
                self.load_constant(register, self.graph.machine_class[value], self.graph.immediate[value])
            else:
                self.load_slot(register, self.need_slot(value), self.graph.machine_class[value])
        elif self.is_live(value):
            self.keep_elsewhere(value)
        else:
            self.forget(value)
        self.locked.add(register)

    def keep_elsewhere(self, value: int) -> None:
        """A value whose register is about to be destroyed: a copy, if there is room."""
        here = self.place[value]
        self.forget(value)
        for other in self.file_of(value):
            if self.holders[other] == NOBODY and other not in self.locked and other != here:
                self.move(other, here)
                self.assign(value, other)
                return
        self.need_slot(value)

    def define(self, value: int, *wanted: int) -> int:
        """A register for a new value."""
        file = self.file_of(value)
        for each in (self.hint[value], self.hint_of_join(value), *wanted):
            if each in file and self.holders[each] == NOBODY and each not in self.locked:
                register = each
                break
        else:
            register = self.free_register(file)
        return self.define_in(value, register)

    def define_in(self, value: int, register: int) -> int:
        """A new value is in a free register."""
        self.assign(value, register)
        return register

    def hint_of_join(self, value: int) -> int:
        """The register of the parameter that a value becomes."""
        param = self.joins.get(value)
        if param is None:
            return NOBODY
        return self.place[param] if self.place[param] >= 0 else self.hint[param]

    def defined(self, value: int) -> None:
        """Behind the record of a value: its slot is written here, if it gets one."""
        register = self.place[value]
        param = self.joins.get(value)
        if param is not None and self.hint[param] < 0:
            self.hint[param] = register
        self.words.append(DEFINED | register << 8 | value << 32)
        if not self.is_live(value):
            self.forget(value)

    def lose_all(self) -> None:
        """A call."""
        for register in (*self.files.integers, *self.files.floats):
            value = self.holders[register]
            if value >= 0:
                self.forget(value)
        self.based = False

    # Blocks

    def leave_by(self, edge: Edge) -> None:
        """The way from the current block to another one, as things are now."""
        self.states[edge] = State(tuple(self.holders), self.based)
        entry = self.entries[edge.target]
        if entry is not None:
            self._fix(edge, self.graph.blocks[edge.target], entry)

    def enter(self, block: Block) -> None:
        """Begin a block: what is where there, and what that takes on the edges that lead to it so far."""
        self.at = self.positions.start[block.number]
        self.loop = block.loop
        edges = [edge for edge in block.incoming if edge in self.states]
        states = [self.states[edge] for edge in edges]
        head = self.loop >= 0 and self.graph.loops[self.loop].head == block.number
        for register in (*self.files.integers, *self.files.floats):
            value = self.holders[register]
            if value >= 0:
                self.forget(value)
        if head:
            entry = self._loop_entry(block, states[0])
        else:
            entry = self._entry(block, edges, states)
        self.entries[block.number] = entry if len(block.incoming) > 1 or block.params else None
        self.based = entry.based
        for register, value in entry.values.items():
            self.assign(value, register)
        for param, place in zip(block.params, entry.params):
            if place < SLOT:
                self.assign(param, place)
                self.words.append(DEFINED | place << 8 | param << 32)
        if self.entries[block.number] is not None:
            for edge in edges:
                self._fix(edge, block, entry)
        for param in block.params:
            if not self.is_live(param) and not self.positions.uses[param]:
                self.forget(param)

    def _live_at_start(self, value: int, block: Block) -> bool:
        return value >= 0 and self.positions.last[value] >= self.positions.start[block.number]

    def _entry(self, block: Block, edges: list[Edge], states: list[State]) -> Entry:
        values = {}
        for register, value in enumerate(states[0].holders):
            if self._live_at_start(value, block) and all(value in state.holders for state in states[1:]):
                values[register] = value
        params = self._place_params(block, values, edges)
        return Entry(values, params, all(state.based for state in states))

    def _loop_entry(self, block: Block, state: State) -> Entry:
        """Of the head of a loop: what it uses is in registers, if nothing in it destroys them."""
        loop = self.graph.loops[self.loop]
        values: dict[int, int] = {}
        before = {value: register for register, value in enumerate(state.holders) if value >= 0}
        call = self.positions.first_call[self.loop]
        wanted = [value for value in self.positions.used_in[self.loop] if not call < self.next_use(value)]
        if call == NEVER:
            wanted += [
                value
                for value in before
                if value not in self.positions.used_in[self.loop]
                and not self.is_constant(value)
                and self.positions.last[value] > self.positions.end[loop.last]
            ]
        room = {False: len(self.files.integers) - 2, True: len(self.files.floats) - 2}
        for param in block.params:
            room[self.file_of(param) is self.files.floats] -= 1
        chosen = []
        for value in sorted(wanted, key=self.next_use):
            floats = self.file_of(value) is self.files.floats
            if room[floats] > 0:
                room[floats] -= 1
                chosen.append(value)
        for value in chosen:
            if value in before:
                values[before[value]] = value
        params = self._place_params(block, values, [block.incoming[0]])
        taken = {*values, *params}
        for value in chosen:
            if value not in before:
                free = [register for register in self.file_of(value) if register not in taken]
                if free:
                    values[free[0]] = value
                    taken.add(free[0])
        return Entry(values, params, call == NEVER and self.uses_memory(self.loop))

    def uses_memory(self, loop: int) -> bool:
        """Whether the base register is worth loading before a loop."""
        raise NotImplementedError

    def _place_params(self, block: Block, values: dict[int, int], edges: list[Edge]) -> list[int]:
        """Registers for the parameters, where the first argument is, if that is free; slots for those there is no room for."""
        taken = set(values)
        places = []
        for number, param in enumerate(block.params):
            file = self.file_of(param)
            for edge in edges:
                holders = self.states[edge].holders
                argument = edge.arguments[number]
                register = holders.index(argument) if argument in holders else NOBODY
                if register >= 0 and register not in taken:
                    break
            else:
                free = [each for each in file if each not in taken]
                register = self.hint[param] if self.hint[param] in free else free[0] if free else SLOT + self.need_slot(param)
            taken.add(register)
            places.append(register)
            if register < SLOT:
                for edge in block.incoming:
                    if edge not in self.states and self.hint[edge.arguments[number]] < 0:
                        self.hint[edge.arguments[number]] = register
        return places

    def _fix(self, edge: Edge, block: Block, entry: Entry) -> None:
        """The records of an edge."""
        state = self.states[edge]
        where = {value: register for register, value in enumerate(state.holders) if value >= 0}
        moves: list[Move] = [
            (self._source(where, value), register, value) for register, value in entry.values.items() if where.get(value) != register
        ]
        for argument, place in zip(edge.arguments, entry.params):
            moves.append((self._source(where, argument), place, argument))
        words, self.words = self.words, []
        write_moves(self, moves, self.graph, self.new_slot)
        if entry.based and not state.based:
            self.load_base()
        if self.words:
            self.fixes[edge] = self.words
        self.words = words

    def load_base(self) -> None:
        """The base register."""
        raise NotImplementedError

    def _source(self, where: dict[int, int], value: int) -> int:
        """The place of a value on an edge."""
        if value in where:
            return where[value]
        return CONSTANT if self.is_constant(value) else SLOT + self.need_slot(value)

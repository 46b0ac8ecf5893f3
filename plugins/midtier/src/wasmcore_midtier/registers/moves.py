"""Values from where they are to where they have to be, all at once: registers, slots of the frame, constants."""

from __future__ import annotations

from wasmcore_midtier._native import append, i64, vec
from wasmcore_midtier.registers.records import CONSTANT, SLOT, Records
from wasmcore_midtier.ssa.graph import NONE, VECTOR_CONSTANT, Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Moves(Records):
    """Collects moves whose destinations differ, then writes them."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph: Final = graph
        self.source_of: vec[i64] = vec[i64]()
        self.to_of: vec[i64] = vec[i64]()
        self.moved: vec[i64] = vec[i64]()
        """The value of each."""
        self.move_count: i64 = 0
        self.into: Final = vec[i64]([NONE] * SLOT)
        """By register: the move into it that is still to be made."""
        self.readers: Final = vec[i64]([0] * SLOT)
        """By register: how many such moves read it."""
        self.slots: i64 = 0
        """Of the frame."""
        self.written: vec[i64] = vec[i64]()
        """By slot: whether something moves there."""
        self.spare: vec[i64] = vec[i64]()
        """Slots for a moment."""
        self.spare_count: i64 = 0
        self.spare_used: i64 = 0

    def new_slot(self) -> i64:
        """A slot that nobody has."""
        if self.slots == i64(len(self.written)):
            self.written = append(self.written, 0)
        self.written[self.slots] = 0
        self.slots += 1
        return self.slots - 1

    def spare_slot(self) -> i64:
        """A slot until all moves are written."""
        if self.spare_used == self.spare_count:
            if self.spare_count == i64(len(self.spare)):
                self.spare = append(self.spare, 0)
            self.spare[self.spare_count] = self.new_slot()
            self.spare_count += 1
        self.spare_used += 1
        return self.spare[self.spare_used - 1]

    def want(self, source: i64, to: i64, value: i64) -> None:
        """A value has to get from a place to another one."""
        if source == to:
            return
        if self.move_count == i64(len(self.moved)):
            self.source_of = append(self.source_of, 0)
            self.to_of = append(self.to_of, 0)
            self.moved = append(self.moved, 0)
        self.source_of[self.move_count] = source
        self.to_of[self.move_count] = to
        self.moved[self.move_count] = value
        self.move_count += 1

    def make(self, to: i64, constant: i64) -> None:
        """A constant in a register."""
        graph = self.graph
        bits = graph.immediate[constant]
        if graph.operation[constant] == VECTOR_CONSTANT:
            self.load_pattern(to, graph.low[bits], graph.high[bits])
        else:
            self.load_constant(to, graph.machine_class[constant], bits)

    def make_in_slot(self, slot: i64, constant: i64) -> None:
        """A constant in a slot."""
        graph = self.graph
        bits = graph.immediate[constant]
        if graph.operation[constant] == VECTOR_CONSTANT:
            self.store_pattern(slot, graph.low[bits], graph.high[bits])
        else:
            self.store_constant(slot, graph.machine_class[constant], bits)

    def write_moves(self) -> None:
        """Write what `want` was told; nothing is wanted any more."""
        if self.move_count == 0:
            return
        self.spare_used = 0
        self.save_slots()
        self.move_to_slots()
        self.move_registers()
        at: i64 = 0
        while at < self.move_count:
            to = self.to_of[at]
            source = self.source_of[at]
            value = self.moved[at]
            if to < SLOT:
                if source == CONSTANT:
                    self.make(to, value)
                elif source >= SLOT:
                    self.load_slot(to, source - SLOT, self.graph.machine_class[value])
            at += 1
        self.move_count = 0

    def save_slots(self) -> None:
        """Slots that are read and written: what is read is copied away first."""
        at: i64 = 0
        while at < self.move_count:
            if self.to_of[at] >= SLOT:
                self.written[self.to_of[at] - SLOT] = 1
            at += 1
        at = 0
        while at < self.move_count:
            slot = self.source_of[at] - SLOT
            if slot >= 0 and self.written[slot]:
                other = self.spare_slot()
                self.copy_slot(other, slot)
                self.source_of[at] = SLOT + other
            at += 1
        at = 0
        while at < self.move_count:
            if self.to_of[at] >= SLOT:
                self.written[self.to_of[at] - SLOT] = 0
            at += 1

    def move_to_slots(self) -> None:
        """What goes to slots."""
        at: i64 = 0
        while at < self.move_count:
            slot = self.to_of[at] - SLOT
            source = self.source_of[at]
            value = self.moved[at]
            if slot >= 0:
                if source == CONSTANT:
                    self.make_in_slot(slot, value)
                elif source >= SLOT:
                    self.copy_slot(slot, source - SLOT)
                else:
                    self.store_slot(slot, source, self.graph.machine_class[value])
            at += 1

    def move_registers(self) -> None:
        """What goes from register to register."""
        at: i64 = 0
        while at < self.move_count:
            if self.is_between_registers(at):
                self.into[self.to_of[at]] = at
                self.readers[self.source_of[at]] += 1
            at += 1
        at = 0
        while at < self.move_count:
            if self.is_between_registers(at):
                self.follow(self.to_of[at])
            at += 1
        at = 0
        while at < self.move_count:
            if self.is_between_registers(at) and self.into[self.to_of[at]] >= 0:
                self.turn(self.to_of[at])
            at += 1

    def is_between_registers(self, at: i64) -> bool:
        """Whether a move is from register to register."""
        return 0 <= self.source_of[at] < SLOT and self.to_of[at] < SLOT

    def follow(self, to: i64) -> None:
        """Move into a register that nobody reads any more, then into the one that this was read from, and so on."""
        while self.into[to] >= 0 and self.readers[to] == 0:
            source = self.source_of[self.into[to]]
            self.into[to] = NONE
            self.readers[source] -= 1
            self.move(to, source)
            to = source

    def turn(self, to: i64) -> None:
        """Moves in a circle: one of them through a register that is idle, or a slot."""
        at = self.into[to]
        source = self.source_of[at]
        machine_class = self.graph.machine_class[self.moved[at]]
        self.into[to] = NONE
        self.readers[source] -= 1
        aside = self.idle_register(self.moved[at])
        if aside >= 0:
            self.move(aside, source)
            self.follow(source)
            self.move(to, aside)
            return
        slot = self.spare_slot()
        self.store_slot(slot, source, machine_class)
        self.follow(source)
        self.load_slot(to, slot, machine_class)

    def is_destination(self, register: i64) -> bool:
        """Whether something moves into a register."""
        at: i64 = 0
        while at < self.move_count:
            if self.to_of[at] == register:
                return True
            at += 1
        return False

    def idle_register(self, value: i64) -> i64:
        """A register of the file of a value that nobody has, neither before the moves nor behind them."""
        raise NotImplementedError

"""Registers from block to block.

Where ways meet, a value stays in a register that is in one on all of them. At the head of a loop without calls, whatever the loop uses is
brought into registers as far as they go, and every way back brings it there again. What an edge has to move is known when its target
begins, and written there.
"""

from __future__ import annotations

from wasmcore_midtier._native import append, i64
from wasmcore_midtier.growth import grown
from wasmcore_midtier.registers.allocator import BASED, STATE, Allocator
from wasmcore_midtier.registers.positions import NEVER
from wasmcore_midtier.registers.records import CONSTANT, DEFINED, EXPECTED, PARAMETER_PLACE, SLOT
from wasmcore_midtier.ssa.graph import NONE


class Blocks(Allocator):
    """What blocks expect, and what edges move."""

    def new_state(self) -> i64:
        """Room for a state."""
        start = self.state_total
        self.state_total += STATE
        if i64(len(self.states)) < self.state_total:
            self.states = grown(self.states, self.state_total)
        return start

    def leave_by(self, edge: i64) -> None:
        """The way from the current block to another one, as things are now."""
        state = self.new_state()
        states = self.states
        holder = self.holder
        registers = self.registers
        at: i64 = 0
        while at < len(registers):
            register = i64(registers[at])
            states[state + register] = holder[register]
            at += 1
        states[state + BASED] = 1 if self.based else 0
        self.edge_state[edge] = state
        if self.entry[self.graph.target[edge]] >= 0:
            self.fix(edge)

    def enter(self, block: i64) -> None:
        """Begin a block: what is where there, and what that takes on the edges that lead to it so far."""
        graph = self.graph
        self.at = self.positions.start_of[block]
        self.loop = graph.block_loop[block]
        self.lose_file(self.integers)
        self.lose_file(self.floats)
        entry = self.new_state()
        states = self.states
        registers = self.registers
        at: i64 = 0
        while at < len(registers):
            states[entry + i64(registers[at])] = NONE
            at += 1
        if self.loop >= 0 and graph.head[self.loop] == block:
            self.expect_in_loop(block, entry)
        else:
            self.expect(block, entry)
        self.entry[block] = entry
        self.based = self.states[entry + BASED] != 0
        at = 0
        while at < len(registers):
            register = i64(registers[at])
            value = states[entry + register]
            if value >= 0:
                self.assign(value, register)
                if self.checked:
                    self.mark(EXPECTED, value, register)
            at += 1
        self.enter_params(block)
        edge = graph.incoming[block]
        while edge >= 0:
            if self.edge_state[edge] >= 0:
                self.fix(edge)
            edge = graph.another[edge]

    def enter_params(self, block: i64) -> None:
        """The parameters are where they are expected."""
        graph = self.graph
        number: i64 = 0
        while number < graph.param_count[block]:
            param = graph.pool[graph.params[block] + number]
            place = self.param_place[param]
            if self.checked:
                self.mark(PARAMETER_PLACE, param, place)
            if place < SLOT:
                self.assign(param, place)
                self.mark(DEFINED, param, place)
                if self.positions.live_until[param] < 0:
                    self.forget(param)
            number += 1

    def expect(self, block: i64, entry: i64) -> None:
        """Where ways meet: what is in registers on all of them."""
        graph = self.graph
        first = graph.incoming[block]
        state = self.edge_state[first]
        based = self.states[state + BASED]
        edge = graph.another[first]
        while edge >= 0:
            self.note_places(edge)
            based &= self.states[self.edge_state[edge] + BASED]
            edge = graph.another[edge]
        states = self.states
        registers = self.registers
        live_until = self.positions.live_until
        other = graph.another[first]
        at: i64 = 0
        while at < len(registers):
            register = i64(registers[at])
            value = states[state + register]
            if value >= 0 and live_until[value] >= self.at and (other < 0 or self.is_on_all(value, other)):
                states[entry + register] = value
            at += 1
        self.states[entry + BASED] = based
        self.place_params(block, entry)

    def is_on_all(self, value: i64, edge: i64) -> bool:
        """Whether a value is in a register on an edge and those before it."""
        while edge >= 0:
            state = self.edge_state[edge]
            register = self.where[value]
            if register < 0 or self.states[state + register] != value:
                register = self.find_in(state, value)
                if register < 0:
                    return False
            edge = self.graph.another[edge]
        return True

    def find_in(self, state: i64, value: i64) -> i64:
        """The register of a value in a state."""
        file = self.file_of(value)
        states = self.states
        at: i64 = 0
        while at < len(file):
            if states[state + i64(file[at])] == value:
                return i64(file[at])
            at += 1
        return NONE

    def note_places(self, edge: i64) -> None:
        """Let `where` say where values are on an edge."""
        state = self.edge_state[edge]
        states = self.states
        registers = self.registers
        where = self.where
        where_edge = self.where_edge
        at: i64 = 0
        while at < len(registers):
            register = i64(registers[at])
            value = states[state + register]
            if value >= 0:
                where[value] = register
                where_edge[value] = edge
            at += 1

    def expect_in_loop(self, block: i64, entry: i64) -> None:
        """At the head of a loop: what it uses is in registers, if nothing in it destroys them."""
        graph = self.graph
        edge = graph.incoming[block]
        while self.edge_state[edge] < 0:
            edge = graph.another[edge]
        self.note_places(edge)
        call = self.positions.first_call[self.loop]
        count = self.choose(edge, call)
        at: i64 = 0
        while at < count:
            value = self.chosen[at]
            if self.where_edge[value] == edge:
                self.states[entry + self.where[value]] = value
            at += 1
        self.place_params(block, entry)
        at = 0
        while at < count:
            value = self.chosen[at]
            if self.where_edge[value] != edge:
                register = self.untaken(self.file_of(value))
                if register >= 0:
                    self.taken[register] = 1
                    self.states[entry + register] = value
            at += 1
        self.states[entry + BASED] = 1 if call == NEVER and self.uses_memory(self.loop) else 0

    def choose(self, edge: i64, call: i64) -> i64:
        """What is to be in registers in the current loop, whose first call is at a position: how many values of `chosen`."""
        positions = self.positions
        count: i64 = 0
        at = positions.last_coming[self.loop]
        while at >= 0:
            value = positions.coming[at]
            if self.next_use(value) <= call:
                count = self.choose_one(value, count)
            at = positions.coming_before[at]
        if call == NEVER and positions.made[self.loop] + count < len(self.integers):
            # What the loop does not use stays only where it surely does not want the register.
            end = positions.end_of[self.graph.last[self.loop]]
            at = 0
            while at < len(self.registers):
                value = self.states[self.edge_state[edge] + i64(self.registers[at])]
                if value >= 0 and not self.is_constant(value) and positions.live_until[value] > end:
                    count = self.choose_one(value, count)
                at += 1
        return self.limit(count)

    def choose_one(self, value: i64, count: i64) -> i64:
        """Choose a value, in order of the next use, unless it is chosen; how many are."""
        use = self.next_use(value)
        at: i64 = 0
        while at < count:
            if self.chosen[at] == value:
                return count
            at += 1
        if count == i64(len(self.chosen)):
            self.chosen = append(self.chosen, 0)
        at = count
        while at > 0 and self.next_use(self.chosen[at - 1]) > use:
            self.chosen[at] = self.chosen[at - 1]
            at -= 1
        self.chosen[at] = value
        return count + 1 if count < SLOT else count

    def limit(self, count: i64) -> i64:
        """Leave out of what is chosen what there is no room for beside the parameters; how many are left."""
        graph = self.graph
        block = graph.head[self.loop]
        integers = i64(len(self.integers)) - 2
        floats = i64(len(self.floats)) - 2
        number: i64 = 0
        while number < graph.param_count[block]:
            if self.is_float(graph.pool[graph.params[block] + number]):
                floats -= 1
            else:
                integers -= 1
            number += 1
        kept: i64 = 0
        at: i64 = 0
        while at < count:
            value = self.chosen[at]
            if self.is_float(value):
                floats -= 1
                if floats >= 0:
                    self.chosen[kept] = value
                    kept += 1
            else:
                integers -= 1
                if integers >= 0:
                    self.chosen[kept] = value
                    kept += 1
            at += 1
        return kept

    def uses_memory(self, loop: i64) -> bool:
        """Whether the base register is worth loading before a loop."""
        raise NotImplementedError

    def place_params(self, block: i64, entry: i64) -> None:
        """Registers for the parameters, where an argument is, if that is free; slots for those there is no room for."""
        graph = self.graph
        states = self.states
        registers = self.registers
        taken = self.taken
        at: i64 = 0
        while at < len(registers):
            register = i64(registers[at])
            taken[register] = 1 if states[entry + register] >= 0 else 0
            at += 1
        number: i64 = 0
        while number < graph.param_count[block]:
            param = graph.pool[graph.params[block] + number]
            register = self.argument_register(block, number)
            if register < 0:
                register = self.hint[param]
                if register < 0 or self.taken[register]:
                    register = self.untaken(self.file_of(param))
            if register >= 0:
                self.taken[register] = 1
                self.param_place[param] = register
                self.hint_arguments(block, number, register)
            else:
                self.param_place[param] = SLOT + self.need_slot(param)
            number += 1

    def argument_register(self, block: i64, number: i64) -> i64:
        """The register of an argument for a parameter, if it is free then."""
        graph = self.graph
        edge = graph.incoming[block]
        found: i64 = NONE
        while edge >= 0:
            if self.edge_state[edge] >= 0:
                argument = graph.pool[graph.arguments[edge] + number]
                register = self.find_in(self.edge_state[edge], argument)
                if register >= 0 and not self.taken[register]:
                    found = register
            edge = graph.another[edge]
        return found

    def untaken(self, file: bytes) -> i64:
        """A register that the block that begins expects nothing in."""
        at: i64 = 0
        while at < len(file):
            if not self.taken[i64(file[at])]:
                return i64(file[at])
            at += 1
        return NONE

    def hint_arguments(self, block: i64, number: i64, register: i64) -> None:
        """Arguments that are still to be made had better be made in the register of their parameter."""
        graph = self.graph
        edge = graph.incoming[block]
        while edge >= 0:
            if self.edge_state[edge] < 0:
                argument = graph.pool[graph.arguments[edge] + number]
                if self.hint[argument] < 0:
                    self.hint[argument] = register
            edge = graph.another[edge]

    def fix(self, edge: i64) -> None:
        """The records of an edge."""
        graph = self.graph
        block = graph.target[edge]
        entry = self.entry[block]
        self.note_places(edge)
        states = self.states
        registers = self.registers
        at: i64 = 0
        while at < len(registers):
            register = i64(registers[at])
            value = states[entry + register]
            if value >= 0:
                self.want(self.source_on(edge, value), register, value)
            at += 1
        number: i64 = 0
        while number < graph.param_count[block]:
            argument = graph.pool[graph.arguments[edge] + number]
            place = self.param_place[graph.pool[graph.params[block] + number]]
            self.want(self.source_on(edge, argument), place, argument)
            number += 1
        needs_base = self.states[entry + BASED] != 0 and self.states[self.edge_state[edge] + BASED] == 0
        if self.move_count == 0 and not needs_base:
            return
        out = self.out
        self.out = self.fixes
        self.fix_start[edge] = i64(len(self.fixes))
        self.fixed = edge
        self.write_moves()
        self.fixed = NONE
        if needs_base:
            self.load_base()
        self.fix_end[edge] = i64(len(self.fixes))
        self.out = out

    def load_base(self) -> None:
        """The base register."""
        raise NotImplementedError

    def source_on(self, edge: i64, value: i64) -> i64:
        """The place of a value on an edge."""
        if self.where_edge[value] == edge:
            return self.where[value]
        return CONSTANT if self.is_constant(value) else SLOT + self.need_slot(value)

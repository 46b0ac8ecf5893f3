"""Calls: values where the convention wants them, and results where it leaves them."""

from __future__ import annotations

from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64
from wasmcore_midtier.lowering.vectors import Vectors
from wasmcore_midtier.registers.records import FLOAT, SLOT, is_wide
from wasmcore_midtier.ssa.graph import CALL_INDIRECT, NONE, RESULT
from wasmcore_midtier.ssa.operations import V128


class Calls(Vectors):
    """Writes them."""

    def begin_places(self) -> None:
        """Begin with a list of arguments or results."""
        self.next_integer = 0
        self.next_float = 0
        self.next_overflow = 0

    def next_place(self, machine_class: i64, integers: bytes, floats: bytes) -> i64:
        """Where the next one of a list is: its register, or its slot of the overflow area from `SLOT` on."""
        if 3 <= machine_class <= V128:
            if self.next_float < len(floats):
                self.next_float += 1
                return FLOAT + i64(floats[self.next_float - 1])
        elif self.next_integer < len(integers):
            self.next_integer += 1
            return i64(integers[self.next_integer - 1])
        self.next_overflow += 1
        return SLOT + self.next_overflow - 1

    def place_values(self, start: i64, count: i64, integers: bytes, floats: bytes, index: i64) -> None:
        """Values in the pool where the convention wants them: first those in the overflow area, then all others at once, with the index
        of a call."""
        graph = self.graph
        self.begin_places()
        at = start
        while at < start + count:
            value = graph.pool[at]
            place = self.next_place(graph.machine_class[value], integers, floats)
            if place >= SLOT:
                x = self.load(value)
                if graph.machine_class[value] == V128:
                    self.emit(m.VECTOR_STORE_OVERFLOW, 0, 0, x, 0, place - SLOT)
                else:
                    self.emit(m.FLOAT_STORE_OVERFLOW if x >= FLOAT else m.STORE_OVERFLOW, m.WIDE, 0, x, 0, place - SLOT)
                self.unlock()
            at += 1
        self.begin_places()
        at = start
        while at < start + count:
            value = graph.pool[at]
            place = self.next_place(graph.machine_class[value], integers, floats)
            if place < SLOT:
                self.want(self.source(value), place, value)
                self.reads(value, place)
            at += 1
        if index >= 0:
            self.want(self.source(index), self.call_index, index)
            self.reads(index, self.call_index)
        self.write_moves()

    def call(self, value: i64, operation: i64) -> None:
        """A direct call, or one through a table."""
        graph = self.graph
        immediate = graph.immediate[value]
        start = graph.b[value]
        count = graph.c[value]
        if operation == CALL_INDIRECT:
            self.place_values(start, count - 1, self.argument_integers, self.argument_floats, graph.pool[start + count - 1])
            table = self.environment.tables[int(immediate >> 32)].offset
            self.emit_long(m.CALL_INDIRECT, 0, 0, self.call_index, 0, table, immediate & 0xFFFFFFFF)
        else:
            self.place_values(start, count, self.argument_integers, self.argument_floats, NONE)
            if immediate < self.imported:
                self.emit(m.CALL_IMPORT, 0, 0, 0, 0, self.imports_offset + 8 * immediate)
            else:
                self.emit(m.CALL, 0, 0, 0, 0, self.functions_offset + FUNCREF_SIZE * (immediate - self.imported))
        self.lose_all()
        if graph.machine_class[value]:
            self.arrive_results(value, operation, immediate)

    def arrive_results(self, call: i64, operation: i64, immediate: i64) -> None:
        """The results of a call, of which the others follow it as values, if they are used."""
        graph = self.graph
        type_index = int(immediate & 0xFFFFFFFF) if operation == CALL_INDIRECT else self.types.type_of(int(immediate))
        classes = self.types.results(type_index)
        step: i64 = 0
        while step < 3:
            self.begin_places()
            self.arrive(call, self.next_place(graph.machine_class[call], self.result_integers, self.result_floats), step)
            number: i64 = 1
            value = graph.following[call]
            while value >= 0 and graph.operation[value] == RESULT and graph.a[value] == call:
                while number < graph.immediate[value]:
                    self.next_place(i64(classes[number]), self.result_integers, self.result_floats)
                    number += 1
                self.arrive(value, self.next_place(graph.machine_class[value], self.result_integers, self.result_floats), step)
                number += 1
                value = graph.following[value]
            step += 1

    def arrive(self, value: i64, place: i64, step: i64) -> None:
        """An argument of the function, or a result of a call. First all that are in registers are there (the upper half of an i32 is
        undefined), then come those in memory."""
        if step == 0:
            if place < SLOT:
                self.assign(value, place)
        elif step == 1:
            if place < SLOT:
                if self.graph.machine_class[value] == 1:
                    self.emit(m.MOVE, 0, place, place, 0, 0)
                self.defined(value)
        elif place >= SLOT:
            d = self.define(value, NONE, NONE)
            machine_class = self.graph.machine_class[value]
            if machine_class == V128:
                self.emit(m.VECTOR_LOAD_OVERFLOW, 0, d, 0, 0, place - SLOT)
            else:
                self.emit(m.FLOAT_LOAD_OVERFLOW if d >= FLOAT else m.LOAD_OVERFLOW, is_wide(machine_class), d, 0, 0, place - SLOT)
            self.defined(value)

"""Proves that each record reads the values that it should, whatever way leads to it; for tests.

A symbolic walk over the records of a function that were written with marks (`Lowering.checked`): it knows which value is in which register
and slot, follows what moves them, forgets what is destroyed, and compares whenever a mark says that a value is read, or expected by a
block. What is in registers at the beginning of a block is what the block expects, which every edge has to fulfil; what is in slots is what
is there on all edges, found by walking until that does not change any more.
"""

from __future__ import annotations

from typing import Final

from wasmcore_midtier._native import i64
from wasmcore_midtier.lowering.lowering import Lowering
from wasmcore_midtier.registers.records import DEFINED, EDGE, EXPECTED, FIRST_MARK, FLOAT, PARAMETER_PLACE, SLOT, USED
from wasmcore_midtier.ssa.graph import VECTOR_CONSTANT, is_constant
from wasmcore_singlepass import records as m
from wasmcore_singlepass.text import Record, destination, records

Content = dict[int, object]
"""By place: a value, or the bits of a constant as `("constant", bits)`; of 128 where it is a vector."""
_64_BITS: Final = (1 << 64) - 1
_LOADS: Final = {m.LOAD_SLOT: 0, m.FLOAT_LOAD_SLOT: FLOAT, m.VECTOR_LOAD_SLOT: FLOAT}
_STORES: Final = {m.STORE_SLOT: 0, m.FLOAT_STORE_SLOT: FLOAT, m.VECTOR_STORE_SLOT: FLOAT}
_CALLS: Final = (m.CALL, m.CALL_IMPORT, m.CALL_INDIRECT, m.CALL_BUILTIN)
_NATIVE: Final = (m.MEMORY_COPY, m.MEMORY_FILL)


class Wrong(Exception):
    """What is read that should not be, and where."""


class Verifier:
    """Of one function."""

    def __init__(self, lowering: Lowering, data: bytes) -> None:
        self.graph: Final = lowering.graph
        self.lowering: Final = lowering
        self.records: Final = list(records(data))
        self.content: Content = {}
        self.expected: dict[int, list[tuple[int, int, bool]]] = {}
        """By block: value or parameter, place, and whether it is a parameter."""
        self.wanted: dict[int, list[tuple[int, int, bool]]] = {}
        """The same, from the walk before."""
        self.slots: dict[int, Content] = {}
        """By edge: what is in slots at its end."""
        self.aside: dict[int, Content] = {}
        """By label that is no block: what is where on the jump there."""
        self.edge: int | None = None
        self.block = 0
        self.wrong: list[str] = []

    def verify(self) -> None:
        """Raises `Wrong` if something does not hold."""
        before: object = None
        while before != (self.slots, self.expected):
            before = dict(self.slots), dict(self.expected)
            self.walk()
        if self.wrong:
            raise Wrong(self.wrong[0])

    def walk(self) -> None:
        """All records once."""
        self.content, self.aside, self.wrong, self.edge, self.block = {}, {}, [], None, 0
        self.wanted, self.expected = self.expected, {}
        for record in self.records:
            if record.operation >= FIRST_MARK:
                self.see_mark(record)
            else:
                self.see_record(record)

    # Marks

    def see_mark(self, mark: Record) -> None:
        """Something that is said about values."""
        value, place = mark.immediate, mark.constant
        if mark.operation == EDGE:
            self.edge = value
        elif mark.operation == USED:
            self.check(value, place, "is read")
        elif mark.operation == DEFINED:
            self.define(value, place)
        else:
            assert mark.operation in (EXPECTED, PARAMETER_PLACE)
            self.expected.setdefault(self.block, []).append((value, place, mark.operation == PARAMETER_PLACE))
            if mark.operation == PARAMETER_PLACE:
                self.define(value, place)
            else:
                self.content[place] = self.meaning(value)

    def define(self, value: int, place: int) -> None:
        """A value is new: what was it before, in another turn of a loop, is it no more."""
        for other in [each for each, found in self.content.items() if found == value]:
            del self.content[other]
        self.content[place] = value

    def meaning(self, value: int) -> object:
        """What a place with a value contains."""
        number = i64(value)
        if not is_constant(self.graph.operation[number]):
            return value
        if self.graph.operation[number] == VECTOR_CONSTANT:
            pattern = self.graph.immediate[number]
            return ("constant", (int(self.graph.high[pattern]) & _64_BITS) << 64 | int(self.graph.low[pattern]) & _64_BITS)
        narrow = self.graph.machine_class[number] in (1, 3)
        return ("constant", int(self.graph.immediate[number]) & (0xFFFFFFFF if narrow else _64_BITS))

    def check(self, value: int, place: int, what: str) -> None:
        """A value has to be in a place."""
        found = self.content.get(place)
        if found != self.meaning(value):
            self.wrong.append(f"b{self.block}: v{value} {what} in {place}, where {found} is")

    def end_edge(self, label: int) -> None:
        """The current edge goes to its block, which is the one with the label, and finds what it expects."""
        if self.edge is None:
            return
        edge, self.edge = self.edge, None
        target = int(self.graph.target[i64(edge)])
        if target != label:
            self.wrong.append(f"b{self.block}: what should go to b{target} goes to b{label}")
        arguments = dict(zip(self.graph.params_of(target), self.graph.arguments_of(edge)))
        for value, place, is_param in self.wanted.get(target, []):
            self.check(arguments[value] if is_param else value, place, f"is expected by b{target}")
        self.slots[edge] = {place: found for place, found in self.content.items() if place >= SLOT}

    # Records

    def see_record(self, record: Record) -> None:
        """What a record does to places."""
        operation, content = record.operation, self.content
        if operation == m.LABEL:
            self.see_label(record.immediate)
        elif operation in (m.JUMP, m.JUMP_IF, m.BRANCH_TARGET):
            if record.immediate < self.graph.blocks:
                self.end_edge(record.immediate)
            else:
                self.aside[record.immediate] = dict(content)
        elif operation in (m.MOVE, m.FLOAT_MOVE):
            file = FLOAT if operation == m.FLOAT_MOVE else 0
            self.put(file + record.d, content.get(file + record.a))
        elif operation in _LOADS:
            self.put(_LOADS[operation] + record.d, content.get(SLOT + record.immediate))
        elif operation in _STORES:
            self.put(SLOT + record.immediate, content.get(_STORES[operation] + record.a))
        elif operation == m.COPY_SLOT:
            self.put(SLOT + record.immediate, content.get(SLOT + record.constant))
        elif operation in (m.CONSTANT, m.FLOAT_CONSTANT):
            mask = _64_BITS if record.size & m.WIDE else 0xFFFFFFFF
            self.put(record.d + (FLOAT if operation == m.FLOAT_CONSTANT else 0), ("constant", record.constant & mask))
        elif operation == m.VECTOR_CONSTANT:
            self.put(FLOAT + record.d, ("constant", (record.upper & _64_BITS) << 64 | record.constant & _64_BITS))
        elif operation == m.STORE_SLOT_CONSTANT:
            self.see_slot_constant(record)
        else:
            self.destroy(record)

    def put(self, place: int, found: object) -> None:
        """A place has something, or nobody knows what."""
        if found is None:
            self.content.pop(place, None)
        else:
            self.content[place] = found

    def see_label(self, label: int) -> None:
        """A block begins, or a place behind a jump around what an edge moves."""
        if label >= self.graph.blocks:
            self.content = self.aside[label]
            return
        self.end_edge(label)
        self.block = label
        known = [self.slots[edge] for edge in self.graph.incoming_of(label) if edge in self.slots]
        self.content = {place: found for place, found in known[0].items() if all(each.get(place) == found for each in known[1:])}

    def see_slot_constant(self, record: Record) -> None:
        """A constant in a slot, or a half of one."""
        place = SLOT + record.immediate
        bits = record.constant & (_64_BITS if record.size & m.WIDE else 0xFFFFFFFF)
        shift = (32 if record.size & m.HIGH_HALF else 0) + (64 if record.size & m.SECOND_WORD else 0)
        if shift:
            before = self.content.get(place)
            bits = bits << shift | (before[1] & (1 << shift) - 1 if isinstance(before, tuple) else 0)
        self.content[place] = ("constant", bits)

    def destroy(self, record: Record) -> None:
        """What a record writes, or needs for itself, is not what it was."""
        lost = set()
        if record.operation in _CALLS:
            lost = {place for place in self.content if place < SLOT}
        elif record.operation in _NATIVE:
            lost = set(self.lowering.native_destroyed)
        elif record.operation == m.DIVIDE and self.lowering.dividend >= 0:
            lost = {int(self.lowering.dividend), int(self.lowering.remainder)}
        elif record.operation == m.BRANCH_TABLE:
            lost = {record.a}
        else:
            place = destination(record)
            if place is not None:
                lost = {place[1] + (FLOAT if place[0] else 0)}
            if m.VECTOR_UNARY <= record.operation <= m.VECTOR_SHUFFLE:
                lost.add(FLOAT + (record.immediate >> m.VECTOR_T_SHIFT & 31))
        for each in lost:
            self.content.pop(each, None)

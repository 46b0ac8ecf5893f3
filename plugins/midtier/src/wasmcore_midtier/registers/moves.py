"""Values from where they are to where they have to be, all at once: registers, slots of the frame, constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasmcore_midtier.registers.records import Records
from wasmcore_midtier.ssa.graph import Graph

FLOAT: Final = 32
"""Registers of the float file are numbered from here on."""
SLOT: Final = 64
"""Places from here on are slots of the frame."""
CONSTANT: Final = -1
"""The place of a constant."""

Move = tuple[int, int, int]
"""From a place to a place, a value."""


def write_moves(records: Records, moves: list[Move], graph: Graph, spare: Callable[[], int]) -> None:
    """Write records for moves whose destinations differ; `spare` gives a slot that nobody uses."""
    class_of, bits_of = graph.machine_class.__getitem__, graph.immediate.__getitem__
    written = {to for _, to, _ in moves if to >= SLOT}
    saved: dict[int, int] = {}
    for source, to, _ in moves:
        if source >= SLOT and source in written and source != to and source not in saved:
            saved[source] = SLOT + spare()
            records.copy_slot(saved[source] - SLOT, source - SLOT)
    moves = [(saved.get(source, source), to, value) for source, to, value in moves if source != to]
    for source, to, value in moves:
        if to >= SLOT:
            if source == CONSTANT:
                records.store_constant(to - SLOT, class_of(value), bits_of(value))
            elif source >= SLOT:
                records.copy_slot(to - SLOT, source - SLOT)
            else:
                records.store_slot(to - SLOT, source, class_of(value))
    _between_registers(records, {to: (source, value) for source, to, value in moves if 0 <= source < SLOT and to < SLOT}, class_of, spare)
    for source, to, value in moves:
        if to < SLOT:
            if source == CONSTANT:
                records.load_constant(to, class_of(value), bits_of(value))
            elif source >= SLOT:
                records.load_slot(to, source - SLOT, class_of(value))


def _between_registers(
    records: Records, pending: dict[int, tuple[int, int]], class_of: Callable[[int], int], spare: Callable[[], int]
) -> None:
    """Moves from register to register, cycles through a slot."""
    readers: dict[int, int] = {}
    for source, _ in pending.values():
        readers[source] = readers.get(source, 0) + 1
    ready = [to for to in pending if not readers.get(to)]
    loads: list[tuple[int, int, int]] = []
    while pending:
        if not ready:
            to, (source, value) = next(iter(pending.items()))
            slot = spare()
            records.store_slot(slot, source, class_of(value))
            loads.append((to, slot, class_of(value)))
            del pending[to]
            readers[source] -= 1
            if not readers[source] and source in pending:
                ready.append(source)
            continue
        to = ready.pop()
        source, value = pending.pop(to)
        records.move(to, source)
        readers[source] -= 1
        if not readers[source] and source in pending:
            ready.append(source)
    for to, slot, machine_class in loads:
        records.load_slot(to, slot, machine_class)

"""Leaves out what nobody uses: pure values, loads of globals, parameters of blocks, with the arguments for them."""

from __future__ import annotations

from wasmcore_midtier.ssa.build import PURE, SELECT
from wasmcore_midtier.ssa.graph import ARGUMENT, PARAMETER, RESULT, Graph

_UNNEEDED = PURE | {SELECT, 0x23, 0x3F, ARGUMENT, RESULT}
"""Operations that nobody misses whose result is not used."""


def remove_dead_code(graph: Graph) -> None:
    """Mark what is used, from effects on; then sweep."""
    used = bytearray(len(graph.operation))
    waiting: list[int] = []
    incoming: dict[int, tuple[int, int]] = {}
    for block in graph.blocks:
        for number, param in enumerate(block.params):
            incoming[param] = block.number, number
        waiting += [value for value in block.values if graph.operation[value] not in _UNNEEDED]
        waiting += block.results
        if block.value >= 0:
            waiting.append(block.value)
    while waiting:
        value = waiting.pop()
        if used[value]:
            continue
        used[value] = 1
        if graph.operation[value] == PARAMETER:
            number, at = incoming[value]
            waiting += [edge.arguments[at] for edge in graph.blocks[number].incoming]
        else:
            waiting += graph.operands_of(value)
    for block in graph.blocks:
        block.values = [value for value in block.values if used[value]]
        kept = [number for number, param in enumerate(block.params) if used[param]]
        if len(kept) < len(block.params):
            block.params = [block.params[number] for number in kept]
            for edge in block.incoming:
                edge.arguments = [edge.arguments[number] for number in kept]

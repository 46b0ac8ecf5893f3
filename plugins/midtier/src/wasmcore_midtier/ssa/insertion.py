"""New blocks before others, in a graph that is there already."""

from __future__ import annotations

from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.ssa.graph import NONE, Graph


def insert_blocks(graph: Graph, before: list[int], count: int) -> None:
    """So many empty blocks before each of some blocks, which come in order; all later blocks get other numbers."""
    old = graph.blocks
    moved: vec[i64] = vec[i64]([0] * int(old))
    shift: i64 = 0
    block: i64 = 0
    at = 0
    while block < old:
        if at < len(before) and before[at] == block:
            shift += count
            at += 1
        moved[block] = block + shift
        block += 1
    while graph.blocks < old + shift:
        graph.add_block(NONE, 0)
    block = old - 1
    while block >= 0 and moved[block] != block:
        move_block(graph, block, moved[block])
        block -= 1
    value: i64 = 0
    while value < graph.values:
        graph.home[value] = moved[graph.home[value]]
        value += 1
    edge: i64 = 0
    while edge < graph.edges:
        graph.source[edge] = moved[graph.source[edge]]
        if graph.target[edge] >= 0:
            graph.target[edge] = moved[graph.target[edge]]
        edge += 1
    loop: i64 = 0
    while loop < graph.loops:
        graph.head[loop] = moved[graph.head[loop]]
        graph.last[loop] = moved[graph.last[loop]]
        loop += 1


def move_block(graph: Graph, block: i64, to: i64) -> None:
    """A block gets another number; an empty one is there instead."""
    for field in graph.block_fields():
        field[to] = field[block]
    graph.clear_block(block, NONE, 0)

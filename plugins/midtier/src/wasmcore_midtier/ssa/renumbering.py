"""Blocks that come into a graph that is there already, and blocks that leave it: all others get new numbers."""

from __future__ import annotations

from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.ssa.graph import JUMP, NONE, Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_GONE: Final = -1
"""The end of a block that is left out."""


def insert_blocks(graph: Graph, before: list[int], count: int) -> None:
    """So many empty blocks before each of some blocks, which come in order."""
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
        graph.clear_block(block, NONE, 0)
        block -= 1
    renumber(graph, moved)


def remove_empty_blocks(graph: Graph) -> None:
    """Blocks that do nothing but jump on, unless into a loop, which is entered at one place: what leads to them leads on."""
    moved: vec[i64] = vec[i64]([0] * int(graph.blocks))
    kept: i64 = 0
    block: i64 = 0
    while block < graph.blocks:
        moved[block] = kept
        if is_empty(graph, block):
            lead_on(graph, block)
            graph.end[block] = _GONE
        else:
            kept += 1
        block += 1
    if kept == graph.blocks:
        return
    loop: i64 = 0
    while loop < graph.loops:
        while graph.end[graph.last[loop]] == _GONE:
            graph.last[loop] -= 1
        loop += 1
    block = 0
    while block < graph.blocks:
        if graph.end[block] != _GONE and moved[block] != block:
            move_block(graph, block, moved[block])
        block += 1
    graph.blocks = kept
    renumber(graph, moved)


def is_empty(graph: Graph, block: i64) -> bool:
    """Whether a block can be left out."""
    if block == 0 or graph.end[block] != JUMP or graph.first[block] >= 0 or graph.param_count[block]:
        return False
    return not is_head(graph, block) and not is_head(graph, graph.target[graph.first_edge[block]])


def is_head(graph: Graph, block: i64) -> bool:
    """Whether a loop begins with a block."""
    return graph.block_loop[block] >= 0 and graph.head[graph.block_loop[block]] == block


def lead_on(graph: Graph, block: i64) -> None:
    """The edges that lead to an empty block lead to its target."""
    own = graph.first_edge[block]
    target = graph.target[own]
    graph.disconnect(own)
    edge = graph.incoming[block]
    while edge >= 0:
        following = graph.another[edge]
        graph.arguments[edge] = graph.arguments[own]
        graph.connect(edge, target)
        edge = following
    graph.incoming[block] = NONE


def renumber(graph: Graph, moved: vec[i64]) -> None:
    """Whatever names a block names it by its new number."""
    value: i64 = 0
    while value < graph.values:
        graph.home[value] = moved[graph.home[value]]
        value += 1
    edge: i64 = 0
    while edge < graph.edges:
        graph.source[edge] = moved[graph.source[edge]]
        graph.target[edge] = moved[graph.target[edge]]
        edge += 1
    loop: i64 = 0
    while loop < graph.loops:
        graph.head[loop] = moved[graph.head[loop]]
        graph.last[loop] = moved[graph.last[loop]]
        loop += 1


def move_block(graph: Graph, block: i64, to: i64) -> None:
    """What is known of a block stands at another number."""
    for field in graph.block_fields():
        field[to] = field[block]

"""Blocks that come into a graph that is there already, and blocks that leave it: all others get new numbers."""

from __future__ import annotations

from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import JUMP, NONE, Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_GONE: Final = -1
"""The end of a block that is left out."""


class Renumbering:
    """Changes one graph after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self.moved: vec[i64] = vec[i64]()
        """By block: its new number."""

    def make_room(self) -> None:
        """Room for the blocks that are there."""
        self.moved = grown(self.moved, self.graph.blocks)

    def insert_blocks(self, before: list[int], count: int) -> None:
        """So many empty blocks before each of some blocks, which come in order."""
        graph = self.graph
        self.make_room()
        old = graph.blocks
        shift: i64 = 0
        block: i64 = 0
        at = 0
        while block < old:
            if at < len(before) and before[at] == block:
                shift += count
                at += 1
            self.moved[block] = block + shift
            block += 1
        while graph.blocks < old + shift:
            graph.add_block(NONE, 0)
        for field in graph.block_fields():
            move_up(field, self.moved, old)
        at = 0
        while at < len(before):
            block = self.moved[i64(before[at])]
            at += 1
            for number in range(1, count + 1):
                graph.clear_block(block - number, NONE, 0)
        self.renumber()

    def remove_empty_blocks(self) -> None:
        """Blocks that do nothing but jump on, unless into a loop, which is entered at one place: what leads to them leads on."""
        graph = self.graph
        self.make_room()
        moved = self.moved
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
        for field in graph.block_fields():
            move_down(field, moved, graph.blocks)
        graph.blocks = kept
        self.renumber()

    def renumber(self) -> None:
        """Whatever names a block names it by its new number."""
        graph = self.graph
        moved = self.moved
        home = graph.home
        value: i64 = 0
        while value < graph.values:
            home[value] = moved[home[value]]
            value += 1
        source = graph.source
        target = graph.target
        edge: i64 = 0
        while edge < graph.edges:
            source[edge] = moved[source[edge]]
            target[edge] = moved[target[edge]]
            edge += 1
        loop: i64 = 0
        while loop < graph.loops:
            graph.head[loop] = moved[graph.head[loop]]
            graph.last[loop] = moved[graph.last[loop]]
            loop += 1


def move_up(field: vec[i64], moved: vec[i64], count: i64) -> None:
    """What is known of blocks stands at greater numbers."""
    block = count - 1
    while block >= 0:
        field[moved[block]] = field[block]
        block -= 1


def move_down(field: vec[i64], moved: vec[i64], count: i64) -> None:
    """What is known of blocks stands at smaller numbers; what is gone is overwritten by what follows."""
    block: i64 = 0
    while block < count:
        field[moved[block]] = field[block]
        block += 1


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

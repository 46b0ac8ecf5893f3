"""What has to hold of a graph; for tests."""

from __future__ import annotations

from wasmcore_midtier.ssa.graph import BRANCH, CONSTANTS, JUMP, RETURN, TABLE, UNREACHABLE, Graph

_EDGES = {JUMP: (1, 1), BRANCH: (2, 2), TABLE: (1, 1 << 32), RETURN: (0, 0), UNREACHABLE: (0, 0)}


class Wrong(Exception):
    """What does not hold, and where."""


def verify(graph: Graph) -> None:
    """Raises `Wrong` unless each use is dominated by its definition and every edge has the arguments that its target wants."""
    defined = _dominators(graph)
    for block in graph.blocks:
        here = set(block.params)
        for value in block.values:
            for operand in graph.operands_of(value):
                _check_use(graph, defined, block.number, here, operand, f"v{value}")
            here.add(value)
        for operand in graph.uses_of(block):
            _check_use(graph, defined, block.number, here, operand, f"the end of b{block.number}")
        least, most = _EDGES[block.end]
        if not least <= len(block.edges) <= most:
            raise Wrong(f"b{block.number} has {len(block.edges)} edges")
        for edge in block.edges:
            target = graph.blocks[edge.target]
            found = [graph.machine_class[argument] for argument in edge.arguments]
            wanted = [graph.machine_class[param] for param in target.params]
            if edge.source != block.number or edge not in target.incoming or not _fit(found, wanted):
                raise Wrong(f"the edge from b{block.number} to b{edge.target}")


def _fit(found: list[int], wanted: list[int]) -> bool:
    """References are numbers of 64 bits."""
    return [2 if each == 6 else each for each in found] == [2 if each == 6 else each for each in wanted]


def _check_use(graph: Graph, dominators: list[int], block: int, here: set[int], operand: int, user: str) -> None:
    if graph.operation[operand] in CONSTANTS or operand in here:
        return
    home = graph.block[operand]
    if home == block:
        raise Wrong(f"{user} uses v{operand} before it is there")
    while block > home:
        block = dominators[block]
    if block != home or operand not in (*graph.blocks[home].params, *graph.blocks[home].values):
        raise Wrong(f"{user} uses v{operand}, which is not always there")


def _dominators(graph: Graph) -> list[int]:
    """The immediate dominator of each block, which stands before it; -1 of the first."""
    found = [-1] * len(graph.blocks)
    for block in graph.blocks[1:]:
        sources = [edge.source for edge in block.incoming if edge.source < block.number]
        if not sources:
            raise Wrong(f"nothing leads to b{block.number}")
        common = sources[0]
        for source in sources[1:]:
            while common != source:
                if common > source:
                    common = found[common]
                else:
                    source = found[source]
        found[block.number] = common
    return found

"""What has to hold of a graph; for tests."""

from __future__ import annotations

from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.graph import BRANCH, JUMP, RETURN, TABLE, UNREACHABLE, Graph, is_constant

_EDGES = {JUMP: (1, 1), BRANCH: (2, 2), TABLE: (1, 1 << 32), RETURN: (0, 0), UNREACHABLE: (0, 0)}


class Wrong(Exception):
    """What does not hold, and where."""


def verify(graph: Graph) -> None:
    """Raises `Wrong` unless each use is dominated by its definition and every edge has the arguments that its target wants."""
    dominators = _dominators(graph)
    placed = {value for block in range(int(graph.blocks)) for value in (*graph.params_of(block), *graph.values_of(block))}
    for block in range(int(graph.blocks)):
        here = set(graph.params_of(block))
        for value in graph.values_of(block):
            for operand in graph.operands_of(value):
                _check_use(graph, dominators, placed, block, here, operand, f"v{value}")
            here.add(value)
        for operand in graph.end_operands(block):
            _check_use(graph, dominators, placed, block, here, operand, f"the end of b{block}")
        least, most = _EDGES[int(graph.end[i64(block)])]
        if not least <= len(graph.edges_of(block)) <= most:
            raise Wrong(f"b{block} has {len(graph.edges_of(block))} edges")
        for edge in graph.edges_of(block):
            target = int(graph.target[i64(edge)])
            found = [graph.machine_class[i64(argument)] for argument in graph.arguments_of(edge)]
            wanted = [graph.machine_class[i64(param)] for param in graph.params_of(target)]
            if graph.source[i64(edge)] != block or edge not in graph.incoming_of(target) or not _fit(found, wanted):
                raise Wrong(f"the edge from b{block} to b{target}")


def _fit(found: list[i64], wanted: list[i64]) -> bool:
    """References are numbers of 64 bits."""
    return [2 if each == 6 else each for each in found] == [2 if each == 6 else each for each in wanted]


def _check_use(graph: Graph, dominators: list[int], placed: set[int], block: int, here: set[int], operand: int, user: str) -> None:
    if is_constant(graph.operation[i64(operand)]) or operand in here:
        return
    home = int(graph.home[i64(operand)])
    if home == block:
        raise Wrong(f"{user} uses v{operand} before it is there")
    while block > home:
        block = dominators[block]
    if block != home or operand not in placed:
        raise Wrong(f"{user} uses v{operand}, which is not always there")


def _dominators(graph: Graph) -> list[int]:
    """The immediate dominator of each block, which stands before it; -1 of the first."""
    found = [-1] * int(graph.blocks)
    for block in range(1, int(graph.blocks)):
        sources = [int(graph.source[i64(edge)]) for edge in graph.incoming_of(block) if graph.source[i64(edge)] < block]
        if not sources:
            raise Wrong(f"nothing leads to b{block}")
        common = sources[0]
        for source in sources[1:]:
            while common != source:
                if common > source:
                    common = found[common]
                else:
                    source = found[source]
        found[block] = common
    return found

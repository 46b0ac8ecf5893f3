"""A graph as text, one line for each value."""

from __future__ import annotations

from typing import Final

from wasmcore.opcodes import OPCODES
from wasmcore_midtier.ssa.graph import ARGUMENT, BRANCH, CONSTANTS, JUMP, PARAMETER, RESULT, RETURN, TABLE, Block, Edge, Graph

_NAMES: Final = {PARAMETER: "parameter", ARGUMENT: "argument", RESULT: "result"}
_CLASSES: Final = ("", "i32", "i64", "f32", "f64", "v128", "ref")


def name(graph: Graph, value: int) -> str:
    """A value as an operand: constants as they are."""
    return f"{graph.immediate[value]}" if graph.operation[value] in CONSTANTS else f"v{value}"


def names(graph: Graph, values: list[int]) -> str:
    """Some of them."""
    return ", ".join(name(graph, value) for value in values)


def graph_text(graph: Graph) -> list[tuple[int, str]]:
    """For each line the word of the stream that it was made from, and the line."""
    lines: list[tuple[int, str]] = []
    for block in graph.blocks:
        params = ", ".join(f"v{param}: {_CLASSES[graph.machine_class[param]]}" for param in block.params)
        first = block.values[0] if block.values else -1
        word = graph.word[first] if first >= 0 else lines[-1][0] if lines else 0
        loop = next((f"  ; loop {number}" for number, loop in enumerate(graph.loops) if loop.head == block.number), "")
        lines.append((word, f"b{block.number}({params}):{loop}"))
        lines += [(graph.word[value], f"  {value_text(graph, value)}") for value in block.values]
        lines.append((lines[-1][0], f"  {end_text(graph, block)}"))
    return lines


def value_text(graph: Graph, value: int) -> str:
    """What a value is."""
    code = graph.operation[value]
    operation = _NAMES.get(code) or OPCODES[code].name
    immediate = f" {graph.immediate[value]}" if graph.immediate[value] else ""
    operands = names(graph, graph.operands_of(value))
    result = f"v{value} = " if graph.machine_class[value] else ""
    return f"{result}{operation}{immediate}{' ' if operands else ''}{operands}"


def edge_text(graph: Graph, edge: Edge) -> str:
    """Where an edge goes."""
    return f"b{edge.target}({names(graph, edge.arguments)})"


def end_text(graph: Graph, block: Block) -> str:
    """How a block ends."""
    edges = ", ".join(edge_text(graph, edge) for edge in block.edges)
    if block.end == JUMP:
        return f"jump {edges}"
    if block.end in (BRANCH, TABLE):
        return f"{'branch' if block.end == BRANCH else 'table'} {name(graph, block.value)}: {edges}"
    return f"return {names(graph, block.results)}".rstrip() if block.end == RETURN else "unreachable"

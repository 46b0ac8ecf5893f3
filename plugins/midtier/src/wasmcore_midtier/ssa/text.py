"""A graph as text, one line for each value."""

from __future__ import annotations

from typing import Final

from wasmcore.opcodes import OPCODES
from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.graph import (
    ARGUMENT,
    BRANCH,
    JUMP,
    PARAMETER,
    RESULT,
    RETURN,
    SHUFFLE,
    TABLE,
    VECTOR_CONSTANT,
    Graph,
    is_constant,
)

_NAMES: Final = {PARAMETER: "parameter", ARGUMENT: "argument", RESULT: "result"}
_64_BITS: Final = (1 << 64) - 1
_CLASSES: Final = ("", "i32", "i64", "f32", "f64", "v128", "ref")


def name(graph: Graph, value: int) -> str:
    """A value as an operand: constants as they are."""
    number = i64(value)
    if graph.operation[number] == VECTOR_CONSTANT:
        return pattern(graph, int(graph.immediate[number]))
    return f"{graph.immediate[number]}" if is_constant(graph.operation[number]) else f"v{value}"


def pattern(graph: Graph, number: int) -> str:
    """128 bits."""
    return "0x" + "".join(f"{half[i64(number)] & _64_BITS:016x}" for half in (graph.high, graph.low))


def names(graph: Graph, values: list[int]) -> str:
    """Some of them."""
    return ", ".join(name(graph, value) for value in values)


def graph_text(graph: Graph) -> list[tuple[int, str]]:
    """For each line the word of the stream that it was made from, and the line."""
    lines: list[tuple[int, str]] = []
    heads = {int(graph.head[i64(loop)]): loop for loop in range(int(graph.loops))}
    for block in range(int(graph.blocks)):
        params = ", ".join(f"v{param}: {_CLASSES[graph.machine_class[i64(param)]]}" for param in graph.params_of(block))
        loop = f"  ; loop {heads[block]}" if block in heads else ""
        lines.append((int(graph.block_word[i64(block)]), f"b{block}({params}):{loop}"))
        lines += [(int(graph.word[i64(value)]), f"  {value_text(graph, value)}") for value in graph.values_of(block)]
        lines.append((lines[-1][0], f"  {end_text(graph, block)}"))
    return lines


def value_text(graph: Graph, value: int) -> str:
    """What a value is."""
    number = i64(value)
    code = int(graph.operation[number])
    operation = _NAMES.get(code) or OPCODES[code].name
    immediate = f" {graph.immediate[number]}" if graph.immediate[number] else ""
    if code == SHUFFLE:
        immediate = f" {pattern(graph, int(graph.immediate[number]))}"
    operands = names(graph, graph.operands_of(value))
    result = f"v{value} = " if graph.machine_class[number] else ""
    return f"{result}{operation}{immediate}{' ' if operands else ''}{operands}"


def end_text(graph: Graph, block: int) -> str:
    """How a block ends."""
    end, value = int(graph.end[i64(block)]), int(graph.end_value[i64(block)])
    edges = ", ".join(f"b{graph.target[i64(edge)]}({names(graph, graph.arguments_of(edge))})" for edge in graph.edges_of(block))
    if end == JUMP:
        return f"jump {edges}"
    if end in (BRANCH, TABLE):
        return f"{'branch' if end == BRANCH else 'table'} {name(graph, value)}: {edges}"
    return f"return {names(graph, graph.results_of(block))}".rstrip() if end == RETURN else "unreachable"

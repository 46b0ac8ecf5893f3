"""Leaves out what nobody uses: pure values, reads of globals, parameters of blocks, with the arguments for them."""

from __future__ import annotations

from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import ARGUMENT, CALL, CALL_INDIRECT, NONE, PARAMETER, RESULT, Graph
from wasmcore_midtier.ssa.operations import OPERATIONS_END, PURE, SELECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_GLOBAL_GET: Final = 0x23
_MEMORY_SIZE: Final = 0x3F


class DeadCode:
    """Marks what is used, from effects on; then sweeps. Used for one graph after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Final = graph
        self.used: vec[i64] = vec[i64]()
        self.waiting: vec[i64] = vec[i64]()
        self.count: i64 = 0

    def remove(self) -> None:
        """Remove what is dead."""
        graph = self.graph
        self.used = grown(self.used, graph.values)
        self.waiting = grown(self.waiting, graph.values)
        used = self.used
        value: i64 = 0
        while value < graph.values:
            used[value] = 0
            value += 1
        self.count = 0
        self.mark_effects()
        while self.count:
            self.count -= 1
            self.mark_operands(self.waiting[self.count])
        block: i64 = 0
        while block < graph.blocks:
            self.sweep_values(block)
            block += 1
        block = 0
        while block < graph.blocks:
            self.sweep_params(block)
            block += 1

    def mark(self, value: i64) -> None:
        """A value is used."""
        if value >= 0 and not self.used[value]:
            self.used[value] = 1
            self.waiting[self.count] = value
            self.count += 1

    def mark_effects(self) -> None:
        """What is used whatever happens."""
        graph = self.graph
        block: i64 = 0
        while block < graph.blocks:
            value = graph.first[block]
            while value >= 0:
                if not is_unneeded(graph.operation[value]):
                    self.mark(value)
                value = graph.following[value]
            self.mark(graph.end_value[block])
            self.mark_run(graph.results[block], graph.result_count[block])
            block += 1

    def mark_run(self, start: i64, count: i64) -> None:
        """Values in the pool are used."""
        at = start
        while at < start + count:
            self.mark(self.graph.pool[at])
            at += 1

    def mark_operands(self, value: i64) -> None:
        """What a value that is used uses itself."""
        graph = self.graph
        operation = graph.operation[value]
        if operation == PARAMETER:
            edge = graph.incoming[graph.home[value]]
            while edge >= 0:
                self.mark(graph.pool[graph.arguments[edge] + graph.immediate[value]])
                edge = graph.another[edge]
        elif operation == CALL or operation == CALL_INDIRECT:
            self.mark_run(graph.b[value], graph.c[value])
        else:
            self.mark(graph.a[value])
            self.mark(graph.b[value])
            self.mark(graph.c[value])

    def sweep_values(self, block: i64) -> None:
        """Leave values out."""
        graph = self.graph
        value = graph.first[block]
        graph.first[block] = NONE
        graph.final[block] = NONE
        while value >= 0:
            following = graph.following[value]
            if self.used[value]:
                graph.following[value] = NONE
                graph.place(value)
            value = following

    def sweep_params(self, block: i64) -> None:
        """Leave parameters out, and the arguments for them."""
        graph = self.graph
        start = graph.params[block]
        count = graph.param_count[block]
        kept: i64 = 0
        number: i64 = 0
        while number < count:
            param = graph.pool[start + number]
            if self.used[param]:
                edge = graph.incoming[block]
                while edge >= 0:
                    graph.pool[graph.arguments[edge] + kept] = graph.pool[graph.arguments[edge] + number]
                    edge = graph.another[edge]
                graph.pool[start + kept] = param
                graph.immediate[param] = kept
                kept += 1
            number += 1
        graph.param_count[block] = kept


def is_unneeded(operation: i64) -> bool:
    """Whether nobody misses a value of that operation whose result is not used."""
    if operation < OPERATIONS_END and PURE[operation]:
        return True
    if operation == SELECT or operation == _GLOBAL_GET or operation == _MEMORY_SIZE:
        return True
    return operation == ARGUMENT or operation == RESULT

"""What is known of the size of an i32: the greatest number that it can be, as an unsigned one."""

from __future__ import annotations

from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.graph import Graph, is_constant
from wasmcore_midtier.ssa.operations import SELECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ANY: Final = 0xFFFFFFFF
_LOAD8_U: Final = 0x2D
_LOAD16_U: Final = 0x2F
_LAST_COMPARISON: Final = 0x66
ADD: Final = 0x6A
_MUL: Final = 0x6C
_DIV_U: Final = 0x6E
_REM_U: Final = 0x70
_AND: Final = 0x71
_OR: Final = 0x72
_XOR: Final = 0x73
_SHL: Final = 0x74
_SHR_S: Final = 0x75
_SHR_U: Final = 0x76


def greatest(graph: Graph, operation: i64, a: i64, b: i64) -> i64:
    """The greatest number that an operation can make."""
    if operation < 0x45:
        if operation == _LOAD8_U:
            return 0xFF
        if operation == _LOAD16_U:
            return 0xFFFF
        if operation == SELECT:
            return graph.most[a] if graph.most[a] > graph.most[b] else graph.most[b]
        return ANY
    if operation <= _LAST_COMPARISON:
        return 1
    if operation < ADD:  # clz, ctz, popcnt
        return 32
    if operation > _SHR_U:
        return ANY
    x = graph.most[a]
    y = graph.most[b]
    if operation == _AND:
        return x if x < y else y
    if operation == ADD:
        return x + y if x + y <= ANY else ANY
    if operation == _OR or operation == _XOR:
        return all_ones(x if x > y else y)
    if operation == _MUL:
        return x * y if x < 0x10000 and y < 0x10000 else ANY
    if not is_constant(graph.operation[b]):
        return x if operation == _DIV_U or operation == _SHR_U else ANY
    return of_constant(operation, x, graph.immediate[b] & ANY)


def of_constant(operation: i64, x: i64, constant: i64) -> i64:
    """The same of one whose second operand is a constant."""
    if operation == _DIV_U:
        return x // constant if constant else ANY
    if operation == _REM_U:
        return constant - 1 if constant else ANY
    count = constant & 31
    if operation == _SHR_U or (operation == _SHR_S and x <= ANY >> 1):
        return x >> count
    if operation == _SHL and x <= ANY >> count:
        return x << count
    return ANY


def all_ones(x: i64) -> i64:
    """The greatest number with as many bits."""
    if x > ANY >> 1:
        return ANY
    found: i64 = 0
    while found < x:
        found = found * 2 + 1
    return found

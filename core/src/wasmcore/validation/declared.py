"""Functions that `ref.func` may name (the set C.refs of the specification, section 3.4.16)."""

from __future__ import annotations

from wasmcore._native import i64, read_i32_le
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import KIND_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wasmcore.binary.module_info import ConstantExpression, ModuleInfo

_REF_FUNC: Final = 0xD2


def _expressions(module: ModuleInfo) -> Iterator[ConstantExpression]:
    for item in module.globals:
        if item.init is not None:
            yield item.init
    for table in module.tables:
        if table.init is not None:
            yield table.init
    for segment in module.elements:
        if segment.offset is not None:
            yield segment.offset
        yield from segment.expressions


def declared_functions(module: ModuleInfo) -> frozenset[int]:
    """Indices of the functions that occur outside of bodies and the start section."""
    declared: set[int] = {item.index for item in module.exports if item.kind == KIND_FUNCTION}
    for expression in _expressions(module):
        for code, immediate in expression.operations:
            if code == _REF_FUNC and isinstance(immediate, int):
                declared.add(immediate)
    for segment in module.elements:
        functions = segment.functions
        at: i64 = 0
        size: i64 = len(functions)
        while at < size:
            declared.add(int(read_i32_le(functions, at)))
            at += 4
    return frozenset(declared)

"""Tables that never change, whose elements a compiler may know."""

from __future__ import annotations

from array import array

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import ACTIVE, KIND_TABLE
from wasmcore.plugin.unit import NO_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from wasmcore.binary.module_info import ElementSegment, ModuleInfo
    from wasmcore.plugin.unit import Environment

_MOST_ELEMENTS: Final = 1 << 16
_CONSTANT_MASKS: Final = {0x41: 0xFFFFFFFF, 0x42: 0xFFFFFFFFFFFFFFFF}
"""Opcodes of constants, and the bits that they have."""
_REF_FUNC: Final = 0xD2
_REF_NULL: Final = 0xD0


def with_fixed_tables(environment: Environment, info: ModuleInfo, written: Set[int]) -> Environment:
    """The environment with the elements of those tables that nobody but active segments writes; `written` are those that code writes."""
    shared = {item.index for item in info.exports if item.kind == KIND_TABLE} | set(range(info.imported(KIND_TABLE)))
    plans = []
    for index, table in enumerate(environment.tables):
        fixed = None if index in shared or index in written else _elements(info, index)
        plans.append(table._replace(functions=fixed))
    return environment._replace(tables=tuple(plans))


def _elements(info: ModuleInfo, index: int) -> bytes | None:
    """The function index of each element of a table after instantiation, None where it is not known."""
    table = info.tables[index]
    size = table.type.limits.minimum
    if table.init is not None or size > _MOST_ELEMENTS:
        return None
    elements = array("I", [NO_FUNCTION]) * size
    for segment in info.elements:
        if segment.mode == ACTIVE and segment.table == index:
            start = _constant(segment)
            functions = list(_functions(segment))
            if start is None or None in functions or start + len(functions) > size:
                return None
            elements[start : start + len(functions)] = array("I", [function for function in functions if function is not None])
    return elements.tobytes()


def _constant(segment: ElementSegment) -> int | None:
    """Where a segment is copied to, if that is one constant."""
    assert segment.offset is not None
    code, value = segment.offset.operations[0]
    if len(segment.offset.operations) > 1 or code not in _CONSTANT_MASKS or not isinstance(value, int):
        return None
    return value & _CONSTANT_MASKS[code]


def _functions(segment: ElementSegment) -> Iterator[int | None]:
    """The function index of each element of a segment, None where it is not known."""
    yield from memoryview(segment.functions).cast("I")
    for expression in segment.expressions:
        code, value = expression.operations[0]
        known = len(expression.operations) == 1
        if known and code == _REF_FUNC and isinstance(value, int):
            yield value
        else:
            yield NO_FUNCTION if known and code == _REF_NULL else None

"""Which reference type matches which (specification, section 3.3 "Matching")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.binary.module_info import ArrayType, StructType
from wasmcore.types import (
    HEAP_ANY,
    HEAP_ARRAY,
    HEAP_CONCRETE,
    HEAP_EQ,
    HEAP_EXN,
    HEAP_EXTERN,
    HEAP_FUNC,
    HEAP_I31,
    HEAP_NOEXN,
    HEAP_NOEXTERN,
    HEAP_NOFUNC,
    HEAP_NONE,
    HEAP_STRUCT,
    NULLABLE_REFERENCE,
    REFERENCE,
)

if TYPE_CHECKING:
    from wasmcore.binary.module_info import SubType
    from wasmcore.types import ValueType

_ABOVE: Final = {
    HEAP_EQ: HEAP_ANY,
    HEAP_I31: HEAP_EQ,
    HEAP_STRUCT: HEAP_EQ,
    HEAP_ARRAY: HEAP_EQ,
}
"""The next greater abstract heap type."""

_BOTTOMS: Final = {HEAP_NONE: HEAP_ANY, HEAP_NOFUNC: HEAP_FUNC, HEAP_NOEXTERN: HEAP_EXTERN, HEAP_NOEXN: HEAP_EXN}
"""The least heap type of each hierarchy and the greatest."""


def value_type_matches(types: tuple[SubType, ...], found: ValueType, wanted: ValueType) -> bool:
    """Whether a value of type `found` may stand where `wanted` is asked for; types are indices into `types`."""
    if found == wanted:
        return True
    if found & 7 < NULLABLE_REFERENCE or wanted & 7 < NULLABLE_REFERENCE:
        return False
    if found & 7 == NULLABLE_REFERENCE and wanted & 7 == REFERENCE:
        return False
    return heap_type_matches(types, found >> 3, wanted >> 3)


def heap_type_matches(types: tuple[SubType, ...], found: int, wanted: int) -> bool:
    """The same for heap types."""
    if found in _BOTTOMS:
        return found == wanted or _top(types, wanted) == _BOTTOMS[found]
    while found >= HEAP_CONCRETE:
        if found == wanted or (wanted >= HEAP_CONCRETE and _same(types[found - HEAP_CONCRETE], types[wanted - HEAP_CONCRETE])):
            return True
        supertypes = types[found - HEAP_CONCRETE].supertypes
        found = HEAP_CONCRETE + supertypes[0] if supertypes else _abstract(types[found - HEAP_CONCRETE])
    while found != wanted:
        if found not in _ABOVE:
            return False
        found = _ABOVE[found]
    return True


def _same(first: SubType, second: SubType) -> bool:
    """Whether two function types in groups of their own are one type."""
    return first.composite == second.composite and first.group_size == second.group_size == 1 and first.supertypes == second.supertypes


def _abstract(sub_type: SubType) -> int:
    composite = sub_type.composite
    return HEAP_STRUCT if isinstance(composite, StructType) else HEAP_ARRAY if isinstance(composite, ArrayType) else HEAP_FUNC


def _top(types: tuple[SubType, ...], heap_type: int) -> int:
    if heap_type >= HEAP_CONCRETE:
        heap_type = _abstract(types[heap_type - HEAP_CONCRETE])
    if heap_type in _BOTTOMS:
        return _BOTTOMS[heap_type]
    return HEAP_ANY if heap_type in _ABOVE else heap_type

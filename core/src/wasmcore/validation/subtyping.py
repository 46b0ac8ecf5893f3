"""Which type matches which (specification, section 3.3 "Matching")."""

from __future__ import annotations

from wasmcore._native import i64
from wasmcore._typing import TYPE_CHECKING, Final, final
from wasmcore.binary.module_info import ArrayType, StructType
from wasmcore.types import (
    HEAP_ANY,
    HEAP_ARRAY,
    HEAP_BOTTOM,
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
    REFERENCE,
    FuncType,
)

if TYPE_CHECKING:
    from wasmcore.binary.module_info import CompositeType, FieldType, ModuleInfo

_CONCRETE: Final = 16
_NULLABLE: Final = 6

_ABOVE: Final = {
    HEAP_EQ: {HEAP_ANY},
    HEAP_I31: {HEAP_EQ, HEAP_ANY},
    HEAP_STRUCT: {HEAP_EQ, HEAP_ANY},
    HEAP_ARRAY: {HEAP_EQ, HEAP_ANY},
    HEAP_NONE: {HEAP_I31, HEAP_STRUCT, HEAP_ARRAY, HEAP_EQ, HEAP_ANY},
    HEAP_NOFUNC: {HEAP_FUNC},
    HEAP_NOEXTERN: {HEAP_EXTERN},
    HEAP_NOEXN: {HEAP_EXN},
    HEAP_BOTTOM: set(range(_CONCRETE)),
}
"""All greater abstract heap types."""
_BOTTOMS: Final = (HEAP_NONE, HEAP_NOFUNC, HEAP_NOEXTERN, HEAP_NOEXN)

ABSTRACT_MATCHES: Final = bytes([low == high or high in _ABOVE.get(low, ()) for low in range(_CONCRETE) for high in range(_CONCRETE)])
"""Whether an abstract heap type matches another, at 16 times the first plus the second."""
TOP_OF: Final = bytes(
    next((top for top in (HEAP_ANY, HEAP_FUNC, HEAP_EXTERN, HEAP_EXN) if ABSTRACT_MATCHES[_CONCRETE * heap_type + top]), 0)
    for heap_type in range(_CONCRETE)
)
"""The greatest heap type above each abstract one."""


def _has_default(field: FieldType) -> bool:
    """Whether a field may be left to its default value: zero, or null."""
    return field.storage < 0 or field.storage & 7 != REFERENCE


@final
class TypeRelations:
    """Matching of the types of one module. Not to be shared between threads."""

    def __init__(self, module: ModuleInfo) -> None:
        self.module: Final = module
        self.types: Final = module.types
        self.supertypes_known: Final[dict[int, bool]] = {}
        self.defaultable: Final[dict[int, bool]] = {}

    def value_type_matches(self, found: i64, wanted: i64) -> bool:
        """Whether a value of type `found` may stand where `wanted` is asked for."""
        if found == wanted or found == 0:
            return True
        kind = found & 7
        if kind < _NULLABLE or wanted & 7 < _NULLABLE:
            return False
        if kind == _NULLABLE and wanted & 7 == REFERENCE:
            return False
        return self.heap_type_matches(found >> 3, wanted >> 3)

    def heap_type_matches(self, found: i64, wanted: i64) -> bool:
        """The same for heap types."""
        if found == wanted or found == HEAP_BOTTOM:
            return True
        if found >= _CONCRETE and wanted >= _CONCRETE:
            return self.concrete_type_matches(found - _CONCRETE, wanted - _CONCRETE)
        if wanted >= _CONCRETE and found not in _BOTTOMS:
            return False
        return ABSTRACT_MATCHES[_CONCRETE * self.abstract(found) + self.abstract(wanted)] != 0

    def concrete_type_matches(self, found: i64, wanted: i64) -> bool:
        """The same for type indices: whether a type is another one or declared below it."""
        pair = found << 32 | wanted
        known = self.supertypes_known.get(pair)
        if known is None:
            known = self.is_below(int(found), int(wanted))
            self.supertypes_known[pair] = known
        return known

    def is_below(self, found: int, wanted: int) -> bool:
        """The same, without a look at what is known."""
        numbers = self.module.canonical_types
        number = numbers[wanted]
        while numbers[found] != number:
            supertypes = self.types[found].supertypes
            if not supertypes:
                return False
            found = supertypes[0]
        return True

    def abstract(self, heap_type: i64) -> i64:
        """The least abstract heap type above a heap type, which may be that itself."""
        if heap_type < _CONCRETE:
            return heap_type
        composite = self.types[heap_type - _CONCRETE].composite
        if isinstance(composite, FuncType):
            return HEAP_FUNC
        if isinstance(composite, StructType):
            return HEAP_STRUCT
        return HEAP_ARRAY

    def top(self, heap_type: i64) -> i64:
        """The greatest heap type above a heap type."""
        return TOP_OF[self.abstract(heap_type)]

    def is_defaultable(self, type_index: i64) -> bool:
        """Whether all fields of a structure or array type have a default value."""
        known = self.defaultable.get(type_index)
        if known is None:
            composite = self.types[type_index].composite
            known = True
            if isinstance(composite, StructType):
                for field in composite.fields:
                    known = known and _has_default(field)
            elif isinstance(composite, ArrayType):
                known = _has_default(composite.element)
            self.defaultable[type_index] = known
        return known

    def composite_type_matches(self, found: CompositeType, wanted: CompositeType) -> bool:
        """Whether a type with this content can be declared a subtype of one with that content."""
        if isinstance(found, FuncType):
            if not isinstance(wanted, FuncType):
                return False
            return self.all_match(wanted.params, found.params) and self.all_match(found.results, wanted.results)
        if isinstance(found, ArrayType):
            return isinstance(wanted, ArrayType) and self.field_type_matches(found.element, wanted.element)
        if not isinstance(wanted, StructType) or len(found.fields) < len(wanted.fields):
            return False
        at = 0
        for field in wanted.fields:
            if not self.field_type_matches(found.fields[at], field):
                return False
            at += 1
        return True

    def all_match(self, found: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
        """Whether values of these types may stand for values of those."""
        if len(found) != len(wanted):
            return False
        at = 0
        for value_type in wanted:
            if not self.value_type_matches(found[at], value_type):
                return False
            at += 1
        return True

    def field_type_matches(self, found: FieldType, wanted: FieldType) -> bool:
        """The same for fields: those that can change have the same type."""
        if found.mutable != wanted.mutable:
            return False
        return self.storage_matches(found.storage, wanted.storage) and (
            not found.mutable or self.storage_matches(wanted.storage, found.storage)
        )

    def storage_matches(self, found: int, wanted: int) -> bool:
        """The same for storage types, packed ones included."""
        if found < 0 or wanted < 0:
            return found == wanted
        return self.value_type_matches(found, wanted)

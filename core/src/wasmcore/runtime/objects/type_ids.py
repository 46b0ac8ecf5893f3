"""Process-wide numbers of defined types, so that an indirect call compares one integer and modules can be linked.

What outlives a module (functions, globals, tables, tags) has *process types*: where a type of a module refers to another by index, a
process type refers to it by type id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from operator import ne, setitem

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.canonical import canonical_types
from wasmcore.binary.module_info import ArrayType, StructType, SubType
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock
from wasmcore.types import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    HEAP_ARRAY,
    HEAP_BOTTOM,
    HEAP_CONCRETE,
    HEAP_FUNC,
    HEAP_STRUCT,
    I32,
    I64,
    NULLABLE_REFERENCE,
    REFERENCE,
    V128,
    FuncType,
    GlobalType,
    TableType,
    value_type_name,
)
from wasmcore.validation.subtyping import ABSTRACT_MATCHES

if TYPE_CHECKING:
    from wasmcore.binary.canonical import GroupKey
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.types import ValueType

_CONCRETE_END: Final = HEAP_CONCRETE << 3
_ABSTRACT_TYPES: Final = 16
_numbers: Final[dict[GroupKey, int]] = {}
_supertypes: Final[dict[int, int]] = {}
"""Of a type id, where the type is declared with a supertype."""
_abstract: Final[dict[int, int]] = {}
"""Heap type above a type id, where that is not `func`."""
_of_plain: Final[dict[FuncType, int]] = {}
_ids: Final[set[int]] = set()
"""All there are."""
_BY_NAME: Final = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "funcref": FUNCREF, "externref": EXTERNREF}
_lock: Final = Lock()


def value_type(given: ValueType | str) -> ValueType:
    """The process type that a name, or a number that is one, stands for; ValueError for any other."""
    found = _BY_NAME.get(given) if isinstance(given, str) else given
    if type(found) is not int or not _is_value_type(found):
        raise ValueError(f"{given!r} is no value type; there are {', '.join(_BY_NAME)}")
    return found


def value_types(given: Sequence[ValueType | str]) -> tuple[ValueType, ...]:
    """`value_type` of each; TypeError if they are no sequence."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"value types are given as a sequence, such as ['i32', 'f64'], not as {given!r}")
    return tuple(map(value_type, given))


def reference_type(given: ValueType | str) -> ValueType:
    """`value_type` for what has to be a reference."""
    found = value_type(given)
    if found < NULLABLE_REFERENCE:
        raise ValueError(f"{value_type_name(found)} is no type of references; there are funcref and externref")
    return found


def _is_value_type(number: int) -> bool:
    heap_type = number >> 3
    if number & 7 < NULLABLE_REFERENCE:
        return I32 <= number <= V128
    return 0 <= heap_type < HEAP_BOTTOM or heap_type - HEAP_CONCRETE in _ids


def type_id(func_type: FuncType) -> int:
    """The id of a function type that is declared on its own: final and without supertypes."""
    found = _of_plain.get(func_type)
    if found is None:
        found = _of_plain[func_type] = _enter((SubType(func_type, True, (), 0, 1),))[0]
    return found


def module_type_ids(info: ModuleInfo) -> tuple[int, ...]:
    """The ids of the types of a module; equal types have equal ids, whatever module they come from. An id is never 0."""
    return _enter(info.types)


def _enter(types: tuple[SubType, ...]) -> tuple[int, ...]:
    with _lock:
        ids = tuple([number + 1 for number in _canonical(types)])
        _ids.update(ids)
        for number, item in zip(ids, types):
            if item.supertypes:
                _supertypes[number] = ids[item.supertypes[0]]
            if isinstance(item.composite, (StructType, ArrayType)):
                _abstract[number] = HEAP_STRUCT if isinstance(item.composite, StructType) else HEAP_ARRAY
    return ids


def _canonical(types: tuple[SubType, ...]) -> tuple[int, ...]:
    """The numbers of types. What a signal handler instantiates in between may be faster: a number is given out once."""
    while True:
        before = len(_numbers)
        new: dict[GroupKey, int] = {}
        numbers = canonical_types(types, new, _numbers)
        if not new or platform.at_once(map(ne, map(len, (_numbers,)), (before,)), map(setitem, repeat(_numbers), new, new.values())):
            return numbers


def id_matches(found: int, wanted: int) -> bool:
    """Whether the type of an id is that of another id, or declared below it."""
    while found != wanted and found in _supertypes:
        found = _supertypes[found]
    return found == wanted


def value_type_matches(found: ValueType, wanted: ValueType) -> bool:
    """Whether a value of one process type may stand where another is asked for."""
    if found == wanted:
        return True
    if found & 7 < NULLABLE_REFERENCE or wanted & 7 < NULLABLE_REFERENCE or found & 7 < wanted & 7 == REFERENCE:
        return False
    low, high = found >> 3, wanted >> 3
    if low >= HEAP_CONCRETE and high >= HEAP_CONCRETE:
        return id_matches(low - HEAP_CONCRETE, high - HEAP_CONCRETE)
    if high >= HEAP_CONCRETE and low in (HEAP_FUNC, HEAP_STRUCT, HEAP_ARRAY):
        return False
    return bool(ABSTRACT_MATCHES[_ABSTRACT_TYPES * abstract_heap_type(low) + abstract_heap_type(high)])


def abstract_heap_type(heap_type: int) -> int:
    """The abstract heap type above a process heap type, or itself."""
    return heap_type if heap_type < HEAP_CONCRETE else _abstract.get(heap_type - HEAP_CONCRETE, HEAP_FUNC)


class ProcessTypes:
    """Process types of the types of one module."""

    def __init__(self, info: ModuleInfo) -> None:
        self.ids: Final = module_type_ids(info)

    def value(self, value_type: ValueType) -> ValueType:
        """Of a value type."""
        if value_type < _CONCRETE_END:
            return value_type
        return HEAP_CONCRETE + self.ids[(value_type >> 3) - HEAP_CONCRETE] << 3 | value_type & 7

    def function(self, func_type: FuncType) -> FuncType:
        """Of a function type."""
        if all(value_type < _CONCRETE_END for value_type in func_type.params + func_type.results):
            return func_type
        return FuncType(self._values(func_type.params), self._values(func_type.results))

    def _values(self, value_types: Sequence[ValueType]) -> tuple[ValueType, ...]:
        return tuple(map(self.value, value_types))

    def table(self, table_type: TableType) -> TableType:
        """Of a table type."""
        return table_type._replace(element=self.value(table_type.element))

    def variable(self, global_type: GlobalType) -> GlobalType:
        """Of the type of a global."""
        return global_type._replace(value=self.value(global_type.value))

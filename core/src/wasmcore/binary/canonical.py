"""Numbers for defined types, equal exactly where the types are (specification, section 3.1.6 "Rolling and Unrolling").

Types are equal when their recursion groups are, once references inside of a group are written relative to it. A group's key says just
that, with references to earlier groups by the numbers those got, so that no comparison ever goes deeper than one group.
"""

from __future__ import annotations

from wasmcore._typing import TYPE_CHECKING, Final, TypeAlias
from wasmcore.binary.module_info import ArrayType
from wasmcore.types import HEAP_CONCRETE, FuncType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import SubType

GroupKey: TypeAlias = tuple[object, ...]
"""A recursion group without the indices of its module."""

_NEXT: Final[GroupKey] = (None,)
"""Key under which a table holds the next free number."""
_INSIDE: Final = 1 << 48
"""Added to references inside of the group; greater than every other value type."""
_CONCRETE_END: Final = HEAP_CONCRETE << 3


def canonical_types(types: tuple[SubType, ...], table: dict[GroupKey, int], known: dict[GroupKey, int] | None = None) -> tuple[int, ...]:
    """A number for each type of a module: types have equal numbers exactly when they are the same type.

    That holds among all modules for which the same `table` is used, to which the groups not seen before are added; it is empty at first,
    and what is in `known` counts as if it was in it. Numbers count from 0, without gaps. Time and memory are linear in the size of the
    types. Not safe to call for one table in several threads at once.
    """
    if known is None:
        known = {}
    numbers: list[int] = []
    count = len(types)
    while len(numbers) < count:
        first = len(numbers)
        size = types[first].group_size
        key = tuple([_key(item, first, numbers) for item in types[first : first + size]])
        number = known.get(key, -1)
        if number < 0:
            number = table.get(key, -1)
        if number < 0:
            number = table.get(_NEXT, known.get(_NEXT, 0))
            table[key] = number
            table[_NEXT] = number + size
        numbers.extend(range(number, number + size))
    return tuple(numbers)


def _key(item: SubType, first: int, numbers: list[int]) -> GroupKey:
    """One type of the group that begins at `first`."""
    composite = item.composite
    supertypes: tuple[int, ...] = ()
    if item.supertypes:
        supertypes = tuple([_renumbered((HEAP_CONCRETE + index) << 3, first, numbers) for index in item.supertypes])
    if isinstance(composite, FuncType):
        params = _all_renumbered(composite.params, first, numbers)
        return (item.final, supertypes, params, _all_renumbered(composite.results, first, numbers))
    is_array = isinstance(composite, ArrayType)
    fields = (composite.element,) if isinstance(composite, ArrayType) else composite.fields
    storage = _all_renumbered(tuple([each.storage for each in fields]), first, numbers)
    return (item.final, supertypes, storage, bytes([each.mutable for each in fields]), is_array)


def _all_renumbered(types: tuple[int, ...], first: int, numbers: list[int]) -> tuple[int, ...]:
    if not types or max(types) < _CONCRETE_END:
        return types
    return tuple([_renumbered(each, first, numbers) for each in types])


def _renumbered(value_type: int, first: int, numbers: list[int]) -> int:
    """A value type (or packed storage type), with the number of the type it refers to."""
    if value_type < _CONCRETE_END:
        return value_type
    index = (value_type >> 3) - HEAP_CONCRETE
    if index < first:
        return (HEAP_CONCRETE + numbers[index]) << 3 | value_type & 7
    return _INSIDE + (index - first << 3 | value_type & 7)

"""What a `call_indirect` may call through a table that never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.errors import TrapKind
from wasmcore.plugin.unit import NO_FUNCTION

if TYPE_CHECKING:
    from wasmcore.plugin.streams.bodies import FunctionTypes

MOST_FUNCTIONS: Final = 16
"""More functions of the right type are not told apart."""
WHOLE_TABLE: Final = 64
"""Tables of so many elements are written down with the elements that trap."""
MOST_ELEMENTS: Final = 256

GENERIC: Final = -1000
"""The call as it was, which looks at the element: it may trap in one way or another, or its type may be the same by another number."""


class Choice(NamedTuple):
    """The function of each element. Negative numbers: `GENERIC`, or the complement of the kind of a trap."""

    first: int
    """The first element in `elements`."""
    elements: tuple[int, ...]
    default: int
    """For all other indices."""
    targets: tuple[int, ...]
    """What `elements` has, each once, without the default."""
    functions: tuple[int, ...]
    """Those of them that are functions."""


def choice(types: FunctionTypes, table: int, type_index: int) -> Choice | None:
    """What a call of a type through a table may call; None where that is not known or too much."""
    plan = types.environment.tables[table]
    if plan.functions is None or plan.index64:
        return None
    elements = memoryview(plan.functions).cast("I")
    right = [number for number, function in enumerate(elements) if function != NO_FUNCTION and types.type_of(function) == type_index]
    functions = {elements[number]: None for number in right}
    if not 0 < len(functions) <= MOST_FUNCTIONS:
        return None
    if len(elements) <= WHOLE_TABLE:
        found = [_what(types, function, type_index) for function in elements]
        first, default = 0, ~TrapKind.UNDEFINED_ELEMENT
    elif right[-1] - right[0] < MOST_ELEMENTS:
        first, default = right[0], GENERIC
        found = [elements[number] if elements[number] in functions else GENERIC for number in range(first, right[-1] + 1)]
    else:
        return None
    targets = dict.fromkeys(each for each in found if each != default)
    return Choice(first, tuple(found), default, tuple(targets), tuple(functions))


def _what(types: FunctionTypes, function: int, type_index: int) -> int:
    """The function of an element, if it surely has a type; else what happens."""
    if function == NO_FUNCTION:
        return ~TrapKind.UNINITIALIZED_ELEMENT
    own = types.type_of(function)
    if own == type_index:
        return function
    environment = types.environment
    same = environment.params(own) == environment.params(type_index) and environment.results(own) == environment.results(type_index)
    return GENERIC if same else ~TrapKind.INDIRECT_CALL_TYPE_MISMATCH

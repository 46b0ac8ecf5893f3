"""Types of WebAssembly values and of what a module imports, defines and exports.

A value type is an `int`, so that the hot code can keep it unboxed: bits 0-2 are the kind, the rest is the heap type of a
reference (specification, section 2.3 "Types").
"""

from __future__ import annotations

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final, TypeAlias

ValueType: TypeAlias = int

BOTTOM: Final = 0
"""The type of an operand in unreachable code; matches every other."""
I32: Final = 1
I64: Final = 2
F32: Final = 3
F64: Final = 4
V128: Final = 5
NULLABLE_REFERENCE: Final = 6
"""Kind of `(ref null ht)`; the heap type is `value_type >> 3`."""
REFERENCE: Final = 7
"""Kind of `(ref ht)`."""

HEAP_FUNC: Final = 0
HEAP_EXTERN: Final = 1
HEAP_ANY: Final = 2
HEAP_EQ: Final = 3
HEAP_I31: Final = 4
HEAP_STRUCT: Final = 5
HEAP_ARRAY: Final = 6
HEAP_NONE: Final = 7
HEAP_NOFUNC: Final = 8
HEAP_NOEXTERN: Final = 9
HEAP_EXN: Final = 10
HEAP_NOEXN: Final = 11
HEAP_BOTTOM: Final = 12
"""Below all heap types: the heap type of references in unreachable code, of which nothing else is known; never declared."""
HEAP_CONCRETE: Final = 16
"""Heap type of type index `i` is `HEAP_CONCRETE + i`."""

FUNCREF: Final = 6
EXTERNREF: Final = 14

_HEAP_NAMES: Final = ("func", "extern", "any", "eq", "i31", "struct", "array", "none", "nofunc", "noextern", "exn", "noexn", "bot")
_SHORT_NAMES: Final = {"none": "nullref", "nofunc": "nullfuncref", "noextern": "nullexternref", "noexn": "nullexnref"}
_NUMERIC_NAMES: Final = ("bottom", "i32", "i64", "f32", "f64", "v128")


def heap_type_name(heap_type: int) -> str:
    """The text format's name of a heap type, or its type index."""
    return _HEAP_NAMES[heap_type] if heap_type < HEAP_CONCRETE else str(heap_type - HEAP_CONCRETE)


def value_type_name(value_type: ValueType) -> str:
    """The text format's name of a value type."""
    kind = value_type & 7
    if kind < NULLABLE_REFERENCE:
        return _NUMERIC_NAMES[kind]
    name = heap_type_name(value_type >> 3)
    if kind == REFERENCE:
        return f"(ref {name})"
    if value_type >> 3 >= HEAP_CONCRETE:
        return f"(ref null {name})"
    return _SHORT_NAMES.get(name, name + "ref")


def value_types_text(types: tuple[ValueType, ...]) -> str:
    """`[i32 i64]`, as error messages write a sequence of types."""
    return "[" + " ".join(map(value_type_name, types)) + "]"


class FuncType(NamedTuple):
    """Parameters and results of a function."""

    params: tuple[ValueType, ...]
    results: tuple[ValueType, ...]

    def __str__(self) -> str:
        return f"{value_types_text(self.params)} -> {value_types_text(self.results)}"


class Limits(NamedTuple):
    """Smallest and largest size: pages of a memory, elements of a table."""

    minimum: int
    maximum: int | None = None
    shared: bool = False
    index64: bool = False

    def matches(self, wanted: Limits) -> bool:
        """Whether an import that asks for `wanted` may be given this (specification 3.2.14 and 3.2.15)."""
        if self.shared != wanted.shared or self.index64 != wanted.index64 or self.minimum < wanted.minimum:
            return False
        return wanted.maximum is None or (self.maximum is not None and self.maximum <= wanted.maximum)

    def __str__(self) -> str:
        parts = ["i64"] if self.index64 else []
        parts.append(str(self.minimum))
        if self.maximum is not None:
            parts.append(str(self.maximum))
        if self.shared:
            parts.append("shared")
        return " ".join(parts)


class MemoryType(NamedTuple):
    """A linear memory; limits are in pages of `1 << page_size_log2` bytes."""

    limits: Limits
    page_size_log2: int = 16

    def __str__(self) -> str:
        return f"memory {self.limits}"


class TableType(NamedTuple):
    """A table of references."""

    element: ValueType
    limits: Limits

    def __str__(self) -> str:
        return f"table {self.limits} {value_type_name(self.element)}"


class GlobalType(NamedTuple):
    """A global variable or constant."""

    value: ValueType
    mutable: bool = False

    def __str__(self) -> str:
        name = value_type_name(self.value)
        return f"global (mut {name})" if self.mutable else f"global {name}"


class TagType(NamedTuple):
    """An exception tag; its function type has no results."""

    function: FuncType

    def __str__(self) -> str:
        return f"tag {value_types_text(self.function.params)}"


ExternType: TypeAlias = FuncType | TableType | MemoryType | GlobalType | TagType
"""What can be imported or exported."""

"""What a module says, as data: no copies of its code or data, only where they are in the bytes."""

from __future__ import annotations

from collections.abc import Mapping

from wasmcore._typing import TYPE_CHECKING, Final, TypeAlias, final
from wasmcore.binary.segments import ACTIVE as ACTIVE
from wasmcore.binary.segments import DECLARATIVE as DECLARATIVE
from wasmcore.binary.segments import PASSIVE as PASSIVE
from wasmcore.binary.segments import ConstantExpression as ConstantExpression
from wasmcore.binary.segments import DataSegment as DataSegment
from wasmcore.binary.segments import DataSegments as DataSegments
from wasmcore.binary.segments import Immediate as Immediate
from wasmcore.types import HEAP_CONCRETE, FuncType, GlobalType, MemoryType, TableType, TagType

if TYPE_CHECKING:
    from wasmcore.types import ExternType, ValueType

KIND_FUNCTION: Final = 0
KIND_TABLE: Final = 1
KIND_MEMORY: Final = 2
KIND_GLOBAL: Final = 3
KIND_TAG: Final = 4
KIND_NAMES: Final = ("func", "table", "memory", "global", "tag")
"""Names of the kinds of imports and exports, by number."""

IDENTITY_RUNS: Final = 96
"""The type pool begins with a run of one for every single value type: `IDENTITY_RUNS` packed types as they are, then two per type of the
module, `(ref null i)` and `(ref i)`."""


@final
class FieldType:
    """A field of a structure or the element of an array; storage is a value type, or -8 and -16 for packed integers."""

    __slots__ = ("mutable", "storage")

    def __init__(self, storage: int, mutable: bool) -> None:
        self.storage: Final = storage
        self.mutable: Final = mutable


@final
class StructType:
    """A structure of the garbage-collected heap."""

    __slots__ = ("fields",)

    def __init__(self, fields: tuple[FieldType, ...]) -> None:
        self.fields: Final = fields


@final
class ArrayType:
    """An array of the garbage-collected heap."""

    __slots__ = ("element",)

    def __init__(self, element: FieldType) -> None:
        self.element: Final = element


CompositeType: TypeAlias = FuncType | StructType | ArrayType


@final
class SubType:
    """One defined type. Types of one recursion group are `group` to `group + group_size - 1`."""

    __slots__ = ("composite", "final", "group", "group_size", "supertypes")

    def __init__(self, composite: CompositeType, final: bool, supertypes: tuple[int, ...], group: int, group_size: int) -> None:
        self.composite: Final = composite
        self.final: Final = final
        self.supertypes: Final = supertypes
        self.group: Final = group
        self.group_size: Final = group_size


@final
class Import:
    """One import. `index` is its index among things of its kind, `type_index` that of a function's or tag's type, else -1."""

    __slots__ = ("index", "kind", "module", "name", "type", "type_index")

    def __init__(self, module: str, name: str, kind: int, type: ExternType, index: int, type_index: int) -> None:
        self.module: Final = module
        self.name: Final = name
        self.kind: Final = kind
        self.type: Final = type
        self.index: Final = index
        self.type_index: Final = type_index


@final
class Export:
    """One export; `offset` is where in the binary it stands."""

    __slots__ = ("index", "kind", "name", "offset")

    def __init__(self, name: str, kind: int, index: int, offset: int) -> None:
        self.name: Final = name
        self.kind: Final = kind
        self.index: Final = index
        self.offset: Final = offset


@final
class Table:
    """A table; `init` is the initial value of a defined table that has one, else None. `offset` is where it stands."""

    __slots__ = ("init", "offset", "type")

    def __init__(self, type: TableType, init: ConstantExpression | None, offset: int) -> None:
        self.type: Final = type
        self.init: Final = init
        self.offset: Final = offset


@final
class Global:
    """A global; `init` is None for imported ones."""

    __slots__ = ("init", "offset", "type")

    def __init__(self, type: GlobalType, init: ConstantExpression | None, offset: int) -> None:
        self.type: Final = type
        self.init: Final = init
        self.offset: Final = offset


@final
class Memory:
    """A memory, and where it stands."""

    __slots__ = ("offset", "type")

    def __init__(self, type: MemoryType, offset: int) -> None:
        self.type: Final = type
        self.offset: Final = offset


@final
class ElementSegment:
    """An element segment: either `functions`, indices as little-endian u32, or one expression per element."""

    __slots__ = ("expressions", "functions", "mode", "offset", "start", "table", "type")

    def __init__(
        self,
        mode: int,
        table: int,
        offset: ConstantExpression | None,
        type: ValueType,
        functions: bytes,
        expressions: tuple[ConstantExpression, ...],
        start: int,
    ) -> None:
        self.mode: Final = mode
        self.table: Final = table
        self.offset: Final = offset
        self.type: Final = type
        self.functions: Final = functions
        self.expressions: Final = expressions
        self.start: Final = start

    def __len__(self) -> int:
        return len(self.expressions) or len(self.functions) // 4


@final
class CustomSection:
    """A custom section; its payload is `ModuleInfo.data[start:end]`."""

    __slots__ = ("end", "name", "start")

    def __init__(self, name: str, start: int, end: int) -> None:
        self.name: Final = name
        self.start: Final = start
        self.end: Final = end


@final
class ModuleInfo:
    """A decoded module. Index spaces begin with the imports. Numbers in `bytes` are little-endian u32."""

    def __init__(
        self,
        *,
        data: bytes,
        types: tuple[SubType, ...],
        imports: tuple[Import, ...],
        function_types: bytes,
        tables: tuple[Table, ...],
        memories: tuple[Memory, ...],
        globals: tuple[Global, ...],
        tags: tuple[int, ...],
        exports: tuple[Export, ...],
        start: int | None,
        start_offset: int,
        elements: tuple[ElementSegment, ...],
        data_count: int | None,
        data_segments: DataSegments,
        bodies: bytes,
        custom_sections: tuple[CustomSection, ...],
        type_pool: bytes,
        value_types: tuple[ValueType, ...],
        signatures: bytes,
        type_offsets: tuple[int, ...],
        function_offsets: bytes,
    ) -> None:
        self.data: Final = data
        self.types: Final = types
        self.imports: Final = imports
        self.function_types: Final = function_types
        """Type index of every function."""
        self.tables: Final = tables
        self.memories: Final = memories
        self.globals: Final = globals
        self.tags: Final = tags
        """Type index of every tag."""
        self.exports: Final = exports
        self.start: Final = start
        self.start_offset: Final = start_offset
        self.elements: Final = elements
        self.data_count: Final = data_count
        self.data_segments: Final = data_segments
        self.bodies: Final = bodies
        """Two numbers per defined function: where its body (declarations of locals and code) starts and ends."""
        self.custom_sections: Final = custom_sections
        self.type_pool: Final = type_pool
        """Machine classes; runs of types point into it."""
        self.value_types: Final = value_types
        """The value types behind `type_pool`, at the same places."""
        self.signatures: Final = signatures
        """Four numbers per type: offset and count of the run of parameters, offset and count of the run of results; zeros unless it
        is a function type."""
        self.type_offsets: Final = type_offsets
        """Where each type stands."""
        self.function_offsets: Final = function_offsets
        """Where each defined function is declared in the function section."""
        self._names: Names | None = None
        self._canonical_types: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        return f"<module of {len(self.data)} bytes, {self.function_count} functions>"

    @property
    def imported_functions(self) -> int:
        """Number of imported functions."""
        return self.function_count - len(self.bodies) // 8

    @property
    def function_count(self) -> int:
        """Number of functions, imported ones included."""
        return len(self.function_types) // 4

    def imported(self, kind: int) -> int:
        """Number of imports of a kind."""
        return sum(item.kind == kind for item in self.imports)

    def function_type_index(self, index: int) -> int:
        """Type index of a function."""
        return int.from_bytes(self.function_types[4 * index : 4 * index + 4], "little")

    def function_type(self, type_index: int) -> FuncType:
        """A function type by type index; TypeError when it is another kind of type."""
        composite = self.types[type_index].composite
        if not isinstance(composite, FuncType):
            raise TypeError(f"type {type_index} is no function type")
        return composite

    def body(self, index: int) -> tuple[int, int]:
        """Start and end of the body of a defined function, by function index."""
        at = 8 * (index - self.imported_functions)
        if at < 0:
            raise IndexError(f"function {index} is imported")
        return int.from_bytes(self.bodies[at : at + 4], "little"), int.from_bytes(self.bodies[at + 4 : at + 8], "little")

    def extern_type(self, kind: int, index: int) -> ExternType:
        """Type of a function, table, memory, global or tag."""
        if kind == KIND_FUNCTION:
            return self.function_type(self.function_type_index(index))
        if kind == KIND_TABLE:
            return self.tables[index].type
        if kind == KIND_MEMORY:
            return self.memories[index].type
        if kind == KIND_GLOBAL:
            return self.globals[index].type
        return TagType(self.function_type(self.tags[index]))

    def custom_section(self, name: str) -> memoryview | None:
        """Payload of the first custom section of that name."""
        for section in self.custom_sections:
            if section.name == name:
                return memoryview(self.data)[section.start : section.end]
        return None

    @property
    def canonical_types(self) -> tuple[int, ...]:
        """A number for each type, equal for types of this module that are the same (`wasmcore.binary.canonical`); made at first use."""
        if self._canonical_types is None:
            from wasmcore.binary.canonical import canonical_types

            self._canonical_types = canonical_types(self.types, {})
        return self._canonical_types

    @property
    def names(self) -> Names:
        """The `name` section, read at first use; empty where it is missing, and as far as it is well-formed."""
        from wasmcore.binary.names import read_names

        if self._names is None:
            self._names = read_names(self)
        return self._names

    def function_name(self, index: int) -> str | None:
        """A function's name for people: from the `name` section, else from its import or export."""
        name = self.names.functions.get(index)
        if name is not None:
            return name
        if index < self.imported_functions:
            return next(f"{item.module}.{item.name}" for item in self.imports if item.kind == KIND_FUNCTION and item.index == index)
        return next((item.name for item in self.exports if item.kind == KIND_FUNCTION and item.index == index), None)


@final
class Names:
    """What the `name` section says."""

    __slots__ = ("functions", "module")

    def __init__(self, module: str | None, functions: Mapping[int, str]) -> None:
        self.module: Final = module
        self.functions: Final = functions


def single_type_run(value_type: ValueType) -> int:
    """Offset of the run of one that holds a value type."""
    if value_type < IDENTITY_RUNS:
        return value_type
    return IDENTITY_RUNS + 2 * ((value_type >> 3) - HEAP_CONCRETE) + (value_type & 1)

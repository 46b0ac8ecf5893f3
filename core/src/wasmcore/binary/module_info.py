"""What a module says, as data: no copies of its code or data, only where they are in the bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from wasmcore.binary.segments import ACTIVE as ACTIVE
from wasmcore.binary.segments import DECLARATIVE as DECLARATIVE
from wasmcore.binary.segments import PASSIVE as PASSIVE
from wasmcore.binary.segments import ConstantExpression as ConstantExpression
from wasmcore.binary.segments import DataSegment as DataSegment
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


class FieldType(NamedTuple):
    """A field of a structure or the element of an array; storage is a value type, or -8 and -16 for packed integers."""

    storage: int
    mutable: bool


class StructType(NamedTuple):
    """A structure of the garbage-collected heap."""

    fields: tuple[FieldType, ...]


class ArrayType(NamedTuple):
    """An array of the garbage-collected heap."""

    element: FieldType


CompositeType: TypeAlias = FuncType | StructType | ArrayType


class SubType(NamedTuple):
    """One defined type. Types of one recursion group are `group` to `group + group_size - 1`."""

    composite: CompositeType
    final: bool
    supertypes: tuple[int, ...]
    group: int
    group_size: int


class Import(NamedTuple):
    """One import. `index` is its index among things of its kind, `type_index` that of a function's or tag's type, else -1."""

    module: str
    name: str
    kind: int
    type: ExternType
    index: int  # type: ignore[assignment]
    type_index: int


class Export(NamedTuple):
    """One export; `offset` is where in the binary it stands."""

    name: str
    kind: int
    index: int  # type: ignore[assignment]
    offset: int


class Table(NamedTuple):
    """A table; `init` fills a defined table that is not nullable, and is None for all others. `offset` is where it stands."""

    type: TableType
    init: ConstantExpression | None
    offset: int


class Global(NamedTuple):
    """A global; `init` is None for imported ones."""

    type: GlobalType
    init: ConstantExpression | None
    offset: int


class Memory(NamedTuple):
    """A memory, and where it stands."""

    type: MemoryType
    offset: int


class ElementSegment(NamedTuple):
    """An element segment: either `functions`, indices as little-endian u32, or one expression per element."""

    mode: int
    table: int
    offset: ConstantExpression | None
    type: ValueType
    functions: bytes
    expressions: tuple[ConstantExpression, ...]
    start: int

    def __len__(self) -> int:
        return len(self.expressions) or len(self.functions) // 4


class CustomSection(NamedTuple):
    """A custom section; its payload is `ModuleInfo.data[start:end]`."""

    name: str
    start: int
    end: int


class _Contents(NamedTuple):
    data: bytes
    types: tuple[SubType, ...]
    imports: tuple[Import, ...]
    function_types: bytes
    """Type index of every function."""
    tables: tuple[Table, ...]
    memories: tuple[Memory, ...]
    globals: tuple[Global, ...]
    tags: tuple[int, ...]
    """Type index of every tag."""
    exports: tuple[Export, ...]
    start: int | None
    start_offset: int
    elements: tuple[ElementSegment, ...]
    data_count: int | None
    data_segments: tuple[DataSegment, ...]
    bodies: bytes
    """Two numbers per defined function: where its body (declarations of locals and code) starts and ends."""
    custom_sections: tuple[CustomSection, ...]
    type_pool: bytes
    """Machine classes; runs of types point into it."""
    value_types: tuple[ValueType, ...]
    """The value types behind `type_pool`, at the same places."""
    signatures: bytes
    """Four numbers per type: offset and count of the run of parameters, offset and count of the run of results; zeros unless it
    is a function type."""
    type_offsets: tuple[int, ...]
    """Where each type stands."""
    function_offsets: bytes
    """Where each defined function is declared in the function section."""


class ModuleInfo(_Contents):
    """A decoded module. Index spaces begin with the imports. Numbers in `bytes` are little-endian u32."""

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
    def names(self) -> Names:
        """The `name` section, read at first use; empty where it is missing, and as far as it is well-formed."""
        from wasmcore.binary.names import read_names

        known = self.__dict__.get("_names")
        if known is None:
            known = read_names(self)
            self.__dict__["_names"] = known
        return known

    def function_name(self, index: int) -> str | None:
        """A function's name for people: from the `name` section, else from its import or export."""
        name = self.names.functions.get(index)
        if name is not None:
            return name
        if index < self.imported_functions:
            return next(f"{item.module}.{item.name}" for item in self.imports if item.kind == KIND_FUNCTION and item.index == index)
        return next((item.name for item in self.exports if item.kind == KIND_FUNCTION and item.index == index), None)


class Names(NamedTuple):
    """What the `name` section says."""

    module: str | None
    functions: Mapping[int, str]


def single_type_run(value_type: ValueType) -> int:
    """Offset of the run of one that holds a value type."""
    if value_type < IDENTITY_RUNS:
        return value_type
    return IDENTITY_RUNS + 2 * ((value_type >> 3) - HEAP_CONCRETE) + (value_type & 1)

"""Bytes of a module -> `ModuleInfo` (specification, section 5.5 "Modules")."""

from __future__ import annotations

from wasmcore._formats import COMPONENT
from wasmcore._native import BytesWriter, i32, i64, write_i32_le
from wasmcore._typing import Final, final
from wasmcore.binary.constants import read_constant_expression
from wasmcore.binary.module_info import (
    IDENTITY_RUNS,
    ArrayType,
    CompositeType,
    CustomSection,
    ElementSegment,
    Export,
    FieldType,
    Global,
    Import,
    Memory,
    ModuleInfo,
    StructType,
    SubType,
    Table,
    single_type_run,
)
from wasmcore.binary.reader import NO_I32_CONST, Reader
from wasmcore.binary.segments import ACTIVE, COMPUTED, DECLARATIVE, PASSIVE, ROW, ConstantExpression, DataSegments
from wasmcore.errors import DecodeError, ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.types import FuncType, GlobalType, Limits, MemoryType, TableType, TagType

_ORDER: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 13: 6, 6: 7, 7: 8, 8: 9, 9: 10, 12: 11, 10: 12, 11: 13}
"""Place of a section in a module, by its number."""

# Implementation limits, those of the JavaScript API where it has one.
_MAX_ITEMS: Final = 1_000_000
_MAX_PARAMS: Final = 1_000
_MAX_FIELDS: Final = 10_000
_MAX_TABLES: Final = 100
_MAX_MEMORIES: Final = 100
_MAX_SEGMENTS: Final = 100_000
_MAX_ELEMENTS: Final = 10_000_000
_MAX_BODY_SIZE: Final = 7_654_321
_MAX_MODULE_SIZE: Final = 1 << 30

_FUNCREF: Final = 6
_REF_FUNC: Final = 7
_COMPONENT_LAYER: Final = b"\1\0"
"""Bytes 6 and 7 of a component; those of a module are 0."""


def decode(data: bytes | bytearray | memoryview, features: frozenset[str] = DEFAULT_FEATURES) -> ModuleInfo:
    """Read a module. Raises `DecodeError` where it is malformed, `ValidationError` where its types or indices of types are invalid.

    The result refers to `data` (a copy, unless it is `bytes`); code and data are not copied, and code is left to `wasmcore.validation`.
    """
    return _Decoder(data if type(data) is bytes else bytes(memoryview(data)), features).module()


@final
class _Decoder:
    def __init__(self, data: bytes, features: frozenset[str]) -> None:
        self.data: Final = data
        self.reader: Final = Reader(data, 0, len(data), features)
        self.types: list[SubType] = []
        self.type_offsets: list[int] = []
        self.imports: list[Import] = []
        self.imported_functions: i64 = 0
        self.function_types: Final = BytesWriter()
        self.function_offsets: Final = BytesWriter()
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.tags: list[int] = []
        self.exports: list[Export] = []
        self.start: int | None = None
        self.start_offset: int = 0
        self.elements: list[ElementSegment] = []
        self.data_count: int | None = None
        self.data_segments: Final = BytesWriter()
        self.data_offsets: list[ConstantExpression] = []
        self.bodies: Final = BytesWriter()
        self.custom_sections: list[CustomSection] = []

    def module(self) -> ModuleInfo:
        """Read all sections."""
        data = self.data
        if len(data) > _MAX_MODULE_SIZE:
            raise ValidationError(f"module of {len(data)} bytes is too long, the limit is {_MAX_MODULE_SIZE}", 0)
        if data[:4] != b"\0asm":
            raise DecodeError("magic header not detected" if len(data) >= 4 else "unexpected end", 0)
        if data[4:8] != b"\1\0\0\0":
            if data[6:8] == _COMPONENT_LAYER:
                raise DecodeError(f"unknown binary version: {COMPONENT}", 4)
            raise DecodeError("unknown binary version" if len(data) >= 8 else "unexpected end", 4)
        reader = self.reader
        reader.position = 8
        last = 0
        total: i64 = len(data)
        while reader.position < total:
            reader.end = total
            start = reader.position
            section = int(reader.byte())
            if section != 0 and section not in _ORDER:
                raise DecodeError(f"malformed section id {section}", start)
            size = reader.u32()
            if size > total - reader.position:
                raise DecodeError("unexpected end" if section == 0 else "length out of bounds", start + 1)
            reader.end = reader.position + size
            if section:
                if _ORDER[section] <= last:
                    raise DecodeError("unexpected content after last section", start)
                last = _ORDER[section]
            self.section(section, start)
            if reader.position != reader.end:
                raise DecodeError("section size mismatch", reader.position)
        self.check_lengths()
        return self.result()

    def check_lengths(self) -> None:
        """Whether the sections fit together."""
        if len(self.bodies) != 2 * len(self.function_offsets):
            raise DecodeError("function and code section have inconsistent lengths", len(self.data))
        if self.data_count is not None and self.data_count * ROW != len(self.data_segments):
            raise DecodeError("data count and data section have inconsistent lengths", len(self.data))

    def result(self) -> ModuleInfo:
        """The module from its parts."""
        value_types, signatures = self.runs()
        return ModuleInfo(
            data=self.data,
            types=tuple(self.types),
            imports=tuple(self.imports),
            function_types=self.function_types.getvalue(),
            tables=tuple(self.tables),
            memories=tuple(self.memories),
            globals=tuple(self.globals),
            tags=tuple(self.tags),
            exports=tuple(self.exports),
            start=self.start,
            start_offset=self.start_offset,
            elements=tuple(self.elements),
            data_count=self.data_count,
            data_segments=DataSegments(self.data_segments.getvalue(), tuple(self.data_offsets)),
            bodies=self.bodies.getvalue(),
            custom_sections=tuple(self.custom_sections),
            type_pool=bytes([min(value_type & 7, _FUNCREF) for value_type in value_types]),
            value_types=tuple(value_types),
            signatures=signatures,
            type_offsets=tuple(self.type_offsets),
            function_offsets=self.function_offsets.getvalue(),
        )

    def runs(self) -> tuple[list[int], bytes]:
        """The pool of types and the signatures that point into it; equal runs are one."""
        pool = list(range(IDENTITY_RUNS))
        for index in range(len(self.types)):
            pool.append((16 + index) << 3 | _FUNCREF)
            pool.append((16 + index) << 3 | _REF_FUNC)
        places: dict[tuple[int, ...], int] = {(): 0}
        signatures = BytesWriter()
        for item in self.types:
            composite = item.composite
            for types in (composite.params, composite.results) if isinstance(composite, FuncType) else ((), ()):
                if len(types) == 1:
                    write_i32_le(signatures, single_type_run(types[0]))
                else:
                    if types not in places:
                        places[types] = len(pool)
                        pool.extend(types)
                    write_i32_le(signatures, places[types])
                write_i32_le(signatures, len(types))
        return pool, signatures.getvalue()

    def section(self, section: int, start: i64) -> None:
        """Read one section."""
        if section == 0:
            name = self.reader.name()
            at = self.reader.skip(self.reader.end - self.reader.position)
            self.custom_sections.append(CustomSection(name, at, self.reader.end))
        elif section == 1:
            self.type_section()
        elif section == 2:
            self.import_section()
        elif section == 3:
            self.function_section()
        elif section == 4:
            self.table_section()
        elif section == 5:
            for _ in range(self.count("memories", _MAX_MEMORIES, len(self.memories))):
                at = self.reader.position
                self.memories.append(Memory(self.memory_type(), at))
        elif section == 13:
            self.reader.require("exceptions", "tag section", start)
            for _ in range(self.count("tags", _MAX_ITEMS, len(self.tags))):
                self.tags.append(self.tag_type())
        elif section == 6:
            self.global_section()
        elif section == 7:
            self.export_section()
        elif section == 8:
            self.start_offset = self.reader.position
            self.start = self.reader.u32()
        elif section == 9:
            for _ in range(self.count("element segments", _MAX_SEGMENTS)):
                self.elements.append(self.element_segment())
        elif section == 12:
            self.reader.require("bulk_memory", "data count section", start)
            self.data_count = self.reader.u32()
        elif section == 10:
            self.code_section()
        else:
            self.data_section()

    def count(self, what: str, limit: i64, before: i64 = 0) -> i64:
        """Number of items of a section, which with those `before` are no more than `limit`."""
        start = self.reader.position
        count = self.reader.count()
        if before + count > limit:
            raise ValidationError(f"too many {what}: {before + count}, the limit is {limit}", start)
        return count

    def check_limit(self, what: str, limit: int, count: int, offset: i64) -> None:
        """Refuse an import that would be one too many."""
        if count >= limit:
            raise ValidationError(f"too many {what}: the limit is {limit}", offset)

    # Types

    def type_section(self) -> None:
        """All recursion groups."""
        groups = self.count("types", _MAX_ITEMS)
        reader = self.reader
        while groups:
            groups -= 1
            start = reader.position
            first = len(self.types)
            size = 1
            if reader.byte() == 0x4E:
                reader.require("gc", "recursion group", start)
                size = self.count("types", _MAX_ITEMS, first)
            else:
                reader.position = start
                self.check_limit("types", _MAX_ITEMS, first, start)
            if "gc" in reader.features:
                reader.types_limit = first + size
            for _ in range(size):
                self.type_offsets.append(reader.position)
                self.types.append(self.sub_type(first, size))
            reader.types_limit = len(self.types)

    def sub_type(self, group: int, group_size: int) -> SubType:
        """One type with its supertypes."""
        reader = self.reader
        start = reader.position
        form = reader.byte()
        final_type = True
        supertypes: list[int] = []
        if form == 0x50 or form == 0x4F:
            reader.require("gc", "subtype", start)
            final_type = form == 0x4F
            for _ in range(reader.count()):
                supertypes.append(self.supertype())
            form = reader.byte()
        return SubType(self.composite_type(form), final_type, tuple(supertypes), group, group_size)

    def supertype(self) -> int:
        """Index of a supertype, which stands before its subtypes."""
        start = self.reader.position
        index = int(self.reader.u32())
        if index >= len(self.types):
            raise ValidationError(f"unknown type {index}", start)
        return index

    def composite_type(self, form: i64) -> CompositeType:
        """A function, structure or array type."""
        reader = self.reader
        start = reader.position - 1
        if form == 0x60:
            return FuncType(self.result_types("parameters"), self.result_types("results"))
        if form == 0x5F or form == 0x5E:
            reader.require("gc", "structure or array type", start)
            if form == 0x5E:
                return ArrayType(self.field_type())
            fields: list[FieldType] = []
            for _ in range(self.count("fields", _MAX_FIELDS)):
                fields.append(self.field_type())
            return StructType(tuple(fields))
        raise DecodeError("malformed function type" if form < 0x40 else "integer representation too long", start)

    def field_type(self) -> FieldType:
        """Storage type and mutability of a field."""
        reader = self.reader
        start = reader.position
        byte = reader.byte()
        storage: i64
        if byte == 0x78:
            storage = -8
        elif byte == 0x77:
            storage = -16
        else:
            reader.position = start
            storage = reader.value_type()
        return FieldType(storage, self.mutability())

    def result_types(self, what: str) -> tuple[int, ...]:
        """A vector of value types."""
        types: list[int] = []
        count = self.count(what, _MAX_PARAMS)
        while count:
            count -= 1
            types.append(self.reader.value_type())
        return tuple(types)

    def mutability(self) -> bool:
        """Whether a global or field can change."""
        reader = self.reader
        byte = reader.byte()
        if byte > 1:
            raise DecodeError("malformed mutability", reader.position - 1)
        return byte == 1

    def limits(self) -> tuple[Limits, int]:
        """Limits, and log2 of the page size where it is given (else 16)."""
        reader = self.reader
        start = reader.position
        flags = reader.byte()
        if flags > 15:
            raise DecodeError("malformed limits flags", start)
        if flags & 2:
            reader.require("threads", "shared memory", start)
        if flags & 4:
            reader.require("memory64", "64-bit limits", start)
        if flags & 8:
            reader.require("custom_page_sizes", "page size", start)
        index64 = flags & 4 != 0
        minimum = self.limit()
        maximum: int | None = None
        if flags & 1:
            maximum = self.limit()
        page_size = 16
        if flags & 8:
            start = reader.position
            page_size = reader.u32()
            if page_size >= 64:
                raise DecodeError("invalid custom page size", start)
        return Limits(minimum, maximum, flags & 2 != 0, index64), page_size

    def limit(self) -> int:
        """A size; in 32 bits before there were 64-bit memories."""
        return self.reader.u64() if "memory64" in self.reader.features else int(self.reader.u32())

    def memory_type(self) -> MemoryType:
        """A memory type."""
        limits, page_size = self.limits()
        return MemoryType(limits, page_size)

    def table_type(self) -> TableType:
        """A table type."""
        element: int = _FUNCREF
        start = self.reader.position
        if self.reader.byte() != 0x70:
            self.reader.position = start
            element = self.reader.reference_type()
        start = self.reader.position
        limits, page_size = self.limits()
        if limits.shared or page_size != 16:
            raise DecodeError("malformed limits flags", start)
        return TableType(element, limits)

    def global_type(self) -> GlobalType:
        """A global type."""
        value_type = self.reader.value_type()
        return GlobalType(value_type, self.mutability())

    def type_index(self) -> int:
        """Index of a function type."""
        start = self.reader.position
        index = int(self.reader.u32())
        if index >= len(self.types):
            raise ValidationError(f"unknown type {index}", start)
        if not isinstance(self.types[index].composite, FuncType):
            raise ValidationError(f"type {index} is not a function type", start)
        return index

    def function_type(self, index: int) -> FuncType:
        """The function type of an index that was checked."""
        composite = self.types[index].composite
        assert isinstance(composite, FuncType)
        return composite

    def tag_type(self) -> int:
        """Type index of a tag."""
        reader = self.reader
        start = reader.position
        if reader.byte() != 0:
            raise DecodeError("malformed tag attribute", start)
        index = self.type_index()
        if self.function_type(index).results:
            raise ValidationError("non-empty tag result type", start)
        return index

    # Index spaces

    def import_section(self) -> None:
        """All imports."""
        count = self.count("imports", _MAX_ITEMS)
        while count:
            count -= 1
            module = self.reader.name()
            name = self.reader.name()
            self.imports.append(self.import_item(module, name))

    def import_item(self, module: str, name: str) -> Import:
        """The description of an import."""
        reader = self.reader
        start = reader.position
        kind = int(reader.byte())
        if kind == 0:
            type_index = self.type_index()
            index = int(self.imported_functions)
            self.imported_functions += 1
            write_i32_le(self.function_types, type_index)
            return Import(module, name, kind, self.function_type(type_index), index, type_index)
        if kind == 1:
            table = Table(self.table_type(), None, start)
            self.check_limit("tables", _MAX_TABLES, len(self.tables), start)
            self.tables.append(table)
            return Import(module, name, kind, table.type, len(self.tables) - 1, -1)
        if kind == 2:
            memory = Memory(self.memory_type(), start)
            self.check_limit("memories", _MAX_MEMORIES, len(self.memories), start)
            self.memories.append(memory)
            return Import(module, name, kind, memory.type, len(self.memories) - 1, -1)
        if kind == 3:
            item = Global(self.global_type(), None, start)
            self.globals.append(item)
            return Import(module, name, kind, item.type, len(self.globals) - 1, -1)
        if kind == 4 and "exceptions" in reader.features:
            tag = self.tag_type()
            self.tags.append(tag)
            return Import(module, name, kind, TagType(self.function_type(tag)), len(self.tags) - 1, tag)
        raise DecodeError(f"malformed import kind {kind}", start)

    def function_section(self) -> None:
        """Type indices of the defined functions."""
        count = self.count("functions", _MAX_ITEMS, self.imported_functions)
        while count:
            count -= 1
            write_i32_le(self.function_offsets, i32(self.reader.position))
            write_i32_le(self.function_types, self.type_index())

    def table_section(self) -> None:
        """Defined tables."""
        reader = self.reader
        for _ in range(self.count("tables", _MAX_TABLES, len(self.tables))):
            start = reader.position
            init: ConstantExpression | None = None
            if reader.byte() == 0x40:
                reader.require("function_references", "table with initial value", start)
                if reader.byte() != 0:
                    raise DecodeError("zero byte expected", reader.position - 1)
                table_type = self.table_type()
                init = read_constant_expression(reader)
            else:
                reader.position = start
                table_type = self.table_type()
            self.tables.append(Table(table_type, init, start))

    def global_section(self) -> None:
        """Defined globals."""
        count = self.count("globals", _MAX_ITEMS, len(self.globals))
        while count:
            count -= 1
            start = self.reader.position
            global_type = self.global_type()
            self.globals.append(Global(global_type, read_constant_expression(self.reader), start))

    def export_section(self) -> None:
        """All exports."""
        reader = self.reader
        count = self.count("exports", _MAX_ITEMS)
        while count:
            count -= 1
            start = reader.position
            name = reader.name()
            kind = int(reader.byte())
            if kind > 4 or (kind == 4 and "exceptions" not in reader.features):
                raise DecodeError(f"malformed export kind {kind}", reader.position - 1)
            self.exports.append(Export(name, kind, reader.u32(), start))

    # Segments and code

    def element_segment(self) -> ElementSegment:
        """One element segment."""
        reader = self.reader
        start = reader.position
        flags = reader.u32()
        if flags > 7:
            raise DecodeError("malformed elements segment kind", start)
        mode: int = ACTIVE if not flags & 1 else DECLARATIVE if flags & 2 else PASSIVE
        table: int = 0
        offset: ConstantExpression | None = None
        if mode == ACTIVE:
            if flags & 2:
                table = reader.u32()
            offset = read_constant_expression(reader)
        element: int = _REF_FUNC if "function_references" in reader.features and not flags & 4 else _FUNCREF
        if flags & 3:
            if flags & 4:
                element = reader.reference_type()
            elif reader.byte() != 0:
                raise DecodeError("malformed element kind", reader.position - 1)
        count = self.count("elements in a segment", _MAX_ELEMENTS)
        if flags & 4:
            expressions: list[ConstantExpression] = []
            while count:
                count -= 1
                expressions.append(read_constant_expression(reader))
            return ElementSegment(mode, table, offset, element, b"", tuple(expressions), start)
        functions = BytesWriter()
        while count:
            count -= 1
            write_i32_le(functions, i32(reader.u32() & 0x7FFFFFFF))
        return ElementSegment(mode, table, offset, element, functions.getvalue(), (), start)

    def code_section(self) -> None:
        """Spans of the bodies."""
        reader = self.reader
        start = reader.position
        count = self.count("functions", _MAX_ITEMS)
        if 4 * count != len(self.function_offsets):
            raise DecodeError("function and code section have inconsistent lengths", start)
        while count:
            count -= 1
            at = reader.position
            size = reader.u32()
            if size > _MAX_BODY_SIZE:
                raise ValidationError(f"function body of {size} bytes is too long, the limit is {_MAX_BODY_SIZE}", at)
            body = reader.skip(size)
            write_i32_le(self.bodies, i32(body))
            write_i32_le(self.bodies, i32(body + size))

    def data_section(self) -> None:
        """Data segments."""
        reader = self.reader
        start = reader.position
        count = self.count("data segments", _MAX_SEGMENTS)
        if self.data_count is not None and self.data_count != count:
            raise DecodeError("data count and data section have inconsistent lengths", start)
        while count:
            count -= 1
            at = reader.position
            flags = reader.u32()
            if flags > 2:
                raise DecodeError("malformed data segment kind", at)
            if flags:
                reader.require("bulk_memory", "passive data segment", at)
            memory: i64 = 0
            if flags == 2:
                memory = reader.u32()
            mode: i64 = PASSIVE
            value: i64 = 0
            offset = reader.position
            if flags != 1:
                mode = ACTIVE
                value = reader.i32_const_end()
                if value == NO_I32_CONST:
                    mode = ACTIVE + COMPUTED
                    value = len(self.data_offsets)
                    self.data_offsets.append(read_constant_expression(reader))
            offset_end = reader.position
            size = reader.u32()
            begin = reader.skip(size)
            rows = self.data_segments
            write_i32_le(rows, i32(mode))
            write_i32_le(rows, i32(memory & 0x7FFFFFFF))
            write_i32_le(rows, i32(offset))
            write_i32_le(rows, i32(offset_end))
            write_i32_le(rows, i32(value))
            write_i32_le(rows, i32(begin))
            write_i32_le(rows, i32(begin + size))

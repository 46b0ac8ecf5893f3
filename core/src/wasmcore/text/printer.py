"""Modules as text: decoded bytes -> the text format, which `wat2wasm` turns into the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, final

from wasmcore.binary import decode
from wasmcore.binary.module_info import KIND_GLOBAL, KIND_MEMORY, KIND_NAMES, KIND_TABLE
from wasmcore.binary.names import AllNames, read_all_names
from wasmcore.binary.reader import Reader
from wasmcore.binary.sections import sections
from wasmcore.binary.segments import ACTIVE, DECLARATIVE
from wasmcore.errors import CompileError, DecodeError
from wasmcore.opcodes import FEATURES
from wasmcore.text.printer_instructions import LONGEST_SIGNATURE, InstructionReader
from wasmcore.text.printer_layout import flat, folded, folded_line
from wasmcore.text.printer_literals import bytes_text, name_text
from wasmcore.text.printer_names import Identifiers, IndexSpace, annotation, identifier
from wasmcore.text.printer_types import global_type, memory_type, table_type, type_lines
from wasmcore.types import FuncType, TagType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import DataSegment, ElementSegment, Export, Import, ModuleInfo
    from wasmcore.binary.segments import ConstantExpression

_ALL_FEATURES: Final = frozenset(FEATURES)
_MAX_LOCALS: Final = 50_000
_MAX_ALL_LOCALS: Final = 10_000_000
"""A few bytes declare many locals, and each is written out."""
_BYTES_A_LINE: Final = 4096

_ANCHORS: Final = {
    1: "type", 2: "import", 3: "func", 4: "table", 5: "memory", 13: "tag", 6: "global", 7: "export", 8: "start", 9: "elem", 10: "code",
    11: "data",
}  # fmt: skip
"""What a section is called in the place of a custom section."""
_DATA_COUNT: Final = 12
_CODE: Final = 10

_PAGE_SIZE_FLAG: Final = 8
_BY_TABLE: Final = 2
_BY_EXPRESSIONS: Final = 4
"""Bits of the first byte of an element segment."""


def wasm2wat(data: bytes | bytearray | memoryview, *, folded: bool = False) -> str:
    """A binary module as text, with instructions one after the other or folded.

    `wat2wasm` turns the text into the same bytes if it made the module, and else into a canonical form of it, which then stays. Knows all
    features; the module need not be valid. Raises DecodeError where it is malformed, ValidationError where its types or their indices are.
    """
    return "".join(_Printer(decode(data, _ALL_FEATURES), folded).module())


def _read_names(module: ModuleInfo) -> AllNames | None:
    """The names, or None where the sections called `name` are to be kept as they are."""
    try:
        return read_all_names(module)
    except CompileError:
        return None


@final
class _Printer:
    def __init__(self, module: ModuleInfo, is_folded: bool) -> None:
        names = _read_names(module)
        self.info: Final = module
        self.has_names: Final = names is not None
        self.known: Final = Identifiers(names or AllNames())
        self.is_folded: Final = is_folded
        self.instructions: Final = InstructionReader(module, self.known)
        self.local_count = 0

    def module(self) -> Iterator[str]:
        """The text, in pieces."""
        name = self.known.module
        yield "(module"
        if name is not None:
            yield " " + (identifier(name) or annotation(name))
        empty = True
        for line in self.fields():
            yield "\n  " + line
            empty = False
        yield ")\n" if empty else "\n)\n"

    def fields(self) -> Iterator[str]:
        """All fields, in the order of the index spaces; each is a line but for functions."""
        module = self.info
        known = self.known
        yield from type_lines(module, known)
        for item in module.imports:
            yield self.import_(item)
        for index in range(module.imported(KIND_TABLE), len(module.tables)):
            yield self.table(index)
        for index in range(module.imported(KIND_MEMORY), len(module.memories)):
            yield f"(memory{known.memories.definition(index)} {self.memory_type(index, 0)})"
        for index in range(len([item for item in module.imports if isinstance(item.type, TagType)]), len(module.tags)):
            yield f"(tag{known.tags.definition(index)}{self.tag_type(module.tags[index])})"
        for index in range(module.imported(KIND_GLOBAL), len(module.globals)):
            yield self.global_(index)
        for export in module.exports:
            yield self.export(export)
        if module.start is not None:
            yield f"(start {known.functions.use(module.start)})"
        for index, segment in enumerate(module.elements):
            yield self.element_segment(index, segment)
        for index in range(module.imported_functions, module.function_count):
            yield self.function(index)
        for index, data in enumerate(module.data_segments):
            yield self.data_segment(index, data)
        yield from self.custom_sections()

    # Imports, exports, tables, globals

    def import_(self, item: Import) -> str:
        """An import."""
        known = self.known
        index = item.index
        if isinstance(item.type, FuncType):
            description = f"func{known.functions.definition(index)}{self.type_use(item.type_index, known.locals(index))}"
        elif isinstance(item.type, TagType):
            description = f"tag{known.tags.definition(index)}{self.tag_type(item.type_index)}"
        elif item.kind == KIND_TABLE:
            description = f"table{known.tables.definition(index)} {table_type(self.info.tables[index].type, known)}"
        elif item.kind == KIND_MEMORY:
            description = f"memory{known.memories.definition(index)} {self.memory_type(index, 1)}"
        else:
            description = f"global{known.globals.definition(index)} {global_type(self.info.globals[index].type, known)}"
        return f"(import {name_text(item.module)} {name_text(item.name)} ({description}))"

    def tag_type(self, type_index: int) -> str:
        """The type of a tag."""
        return self.type_use(type_index, IndexSpace({}))

    def type_use(self, type_index: int, locals_: IndexSpace) -> str:
        """A function type with the identifiers of the parameters."""
        text = f" (type {self.known.types.use(type_index)})"
        function = self.info.function_type(type_index)
        if locals_.names:
            self.count_locals(len(function.params) + len(function.results))
        elif len(function.params) + len(function.results) > LONGEST_SIGNATURE:
            return text
        return text + self.known.signature(function, locals_)

    def count_locals(self, count: int) -> None:
        """Refuse modules that say little in very many words."""
        self.local_count += count
        if self.local_count > _MAX_ALL_LOCALS:
            raise DecodeError(f"too many locals to be written out, the limit is {_MAX_ALL_LOCALS}")

    def memory_type(self, index: int, before: int) -> str:
        """Type of a memory, whose limits stand `before` bytes behind its offset."""
        memory = self.info.memories[index]
        return memory_type(memory.type, self.info.data[memory.offset + before] & _PAGE_SIZE_FLAG != 0)

    def table(self, index: int) -> str:
        """A table that is defined here."""
        table = self.info.tables[index]
        init = "" if table.init is None else self.expression(table.init)[0]
        return f"(table{self.known.tables.definition(index)} {table_type(table.type, self.known)}{init})"

    def global_(self, index: int) -> str:
        """A global that is defined here."""
        item = self.info.globals[index]
        init = "" if item.init is None else self.expression(item.init)[0]
        return f"(global{self.known.globals.definition(index)} {global_type(item.type, self.known)}{init})"

    def export(self, export: Export) -> str:
        """An export."""
        known = self.known
        spaces = (known.functions, known.tables, known.memories, known.globals, known.tags)
        return f"(export {name_text(export.name)} ({KIND_NAMES[export.kind]} {spaces[export.kind].use(export.index)}))"

    # Segments

    def expression(self, expression: ConstantExpression) -> tuple[str, bool]:
        """A constant expression, with a blank before, and whether it is one folded instruction."""
        reader = self.instructions
        reader.begin({}, {}, 0)
        reader.read(expression.start, expression.end)
        return folded_line(reader.codes, reader.texts, reader.pops, reader.pushes)

    def wrapped(self, keyword: str, expression: ConstantExpression) -> str:
        """An expression that may stand without its keyword if it is one instruction."""
        text, single = self.expression(expression)
        return text if single else f" ({keyword}{text})"

    def element_segment(self, index: int, segment: ElementSegment) -> str:
        """An element segment, in the one of the eight forms that the binary has."""
        known = self.known
        text = f"(elem{known.elements.definition(index)}"
        form = int(Reader(self.info.data, segment.start, len(self.info.data), _ALL_FEATURES).u32())
        if segment.mode == DECLARATIVE:
            text += " declare"
        elif segment.mode == ACTIVE and segment.offset is not None:
            if form & _BY_TABLE:
                text += f" (table {known.tables.use(segment.table)})"
            text += self.wrapped("offset", segment.offset)
        if form & _BY_EXPRESSIONS:
            items = [self.wrapped("item", expression) for expression in segment.expressions]
            return f"{text} {known.value_type(segment.type)}{''.join(items)})"
        functions = segment.functions
        uses = [" " + known.functions.use(int.from_bytes(functions[at : at + 4], "little")) for at in range(0, len(functions), 4)]
        return f"{text} func{''.join(uses)})"

    def data_segment(self, index: int, segment: DataSegment) -> str:
        """A data segment; long ones as several strings."""
        known = self.known
        text = f"(data{known.data.definition(index)}"
        if segment.offset is not None:
            if segment.memory:
                text += f" (memory {known.memories.use(segment.memory)})"
            text += self.wrapped("offset", segment.offset)
        if segment.end - segment.start <= _BYTES_A_LINE:
            return f"{text} {bytes_text(self.info.data[segment.start : segment.end])})"
        return f"{text}{self.strings(segment.start, segment.end)}\n  )"

    def strings(self, start: int, end: int) -> str:
        """Bytes as a string per line."""
        data = self.info.data
        return "".join(["\n    " + bytes_text(data[at : min(at + _BYTES_A_LINE, end)]) for at in range(start, end, _BYTES_A_LINE)])

    def custom_sections(self) -> Iterator[str]:
        """Custom sections that are kept as they are, with their places."""
        customs = iter(self.info.custom_sections)
        numbers = [number for number, _, _ in sections(self.info.data)]
        last = max([place for place, number in enumerate(numbers) if number], default=-1)
        before = 0
        for place, number in enumerate(numbers):
            if number:
                before = number
                continue
            custom = next(customs)
            if custom.name == "name" and self.has_names:
                continue
            anchor = "" if place > last else " (before first)"
            if before == _DATA_COUNT:
                anchor = f" (before {'code' if _CODE in numbers else 'data'})"
            elif before and place < last:
                anchor = f" (after {_ANCHORS[before]})"
            content = self.info.data[custom.start : custom.end]
            text = f" {bytes_text(content)}" if len(content) <= _BYTES_A_LINE else self.strings(custom.start, custom.end)
            yield f"(@custom {name_text(custom.name)}{anchor}{text})"

    # Functions

    def function(self, index: int) -> str:
        """A function that is defined here."""
        module = self.info
        known = self.known
        locals_ = known.locals(index)
        type_index = module.function_type_index(index)
        function = module.function_type(type_index)
        head = f"(func{known.functions.definition(index)}{self.type_use(type_index, locals_)}"
        start, end = module.body(index)
        types, code = self.locals(start, end)
        if types:
            head += f"\n   {known.declarations('local', types, len(function.params), locals_)}"
        reader = self.instructions
        blocks = {place: identifier(name) or annotation(name) for place, name in known.labels(index).items()}
        reader.begin(locals_.identifiers, blocks, len(function.results))
        reader.read(code, end)
        if self.is_folded:
            text = folded(reader.codes, reader.texts, reader.pops, reader.pushes, 2)
        else:
            text = flat(reader.codes, reader.texts, 2)
        return f"{head}{text}\n  )" if text or types else head + ")"

    def locals(self, start: int, end: int) -> tuple[list[int], int]:
        """Types of the locals of a body, without parameters, and where its code begins."""
        reader = Reader(self.info.data, start, end, _ALL_FEATURES)
        reader.types_limit = len(self.info.types)
        types: list[int] = []
        for _ in range(reader.count()):
            at = reader.position
            count = int(reader.u32())
            if len(types) + count > _MAX_LOCALS:
                raise DecodeError(f"too many locals, the limit is {_MAX_LOCALS}", int(at))
            types.extend([int(reader.value_type())] * count)
        self.count_locals(len(types))
        return types, int(reader.position)

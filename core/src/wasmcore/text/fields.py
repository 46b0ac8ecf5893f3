"""Fields of a module (specification, sections 6.6.4 to 6.6.13): written to one buffer for each section."""

from __future__ import annotations

from typing import Final

from wasmcore._native import BytesWriter, i64, u8
from wasmcore.text.encoding import write_bytes, write_name_entry, write_type, write_unsigned
from wasmcore.text.expressions import ExpressionReader

# Kinds of tokens, as in `wasmcore.text.lexer`.
_LEFT: Final = 1
_RIGHT: Final = 2
_IDENTIFIER: Final = 4
_INTEGER: Final = 5

# Index spaces, as in `wasmcore.text.types`.
_TYPES: Final = 0
_FUNCTIONS: Final = 1
_TABLES: Final = 2
_MEMORIES: Final = 3
_GLOBALS: Final = 4
_TAGS: Final = 5
_ELEMENTS: Final = 6
_DATA: Final = 7
_LOCALS: Final = 8

# Keywords, as in `wasmcore.text.keywords`.
_FUNC: Final = 0x805
_MUT: Final = 0x809
_LOCAL: Final = 0x80C
_IMPORT: Final = 0x80D
_EXPORT: Final = 0x80E
_TABLE: Final = 0x80F
_MEMORY: Final = 0x810
_GLOBAL: Final = 0x811
_TAG: Final = 0x812
_ELEM: Final = 0x814
_DATA_WORD: Final = 0x815
_OFFSET: Final = 0x816
_ITEM: Final = 0x817
_DECLARE: Final = 0x818
_SHARED: Final = 0x81D
_PAGE_SIZE: Final = 0x81E
_REF: Final = 0x824
_I32: Final = 0x826
_I64: Final = 0x827

_KINDS: Final = {_FUNC: 0, _TABLE: 1, _MEMORY: 2, _GLOBAL: 3, _TAG: 4}
"""Kinds of imports and exports in the binary format; their index spaces are one more."""
_FUNCTION_REFERENCE: Final = 0x70 | 1 << 56
"""`funcref`, packed."""
_REFERENCE_TO_FUNCTION: Final = 0x64 | 0x70 << 8 | 2 << 56
"""`(ref func)`, packed."""


class Items:
    """A vector of the binary format that is being written."""

    def __init__(self) -> None:
        self.out: Final[BytesWriter] = BytesWriter()
        self.count: i64 = 0


class FieldReader(ExpressionReader):
    """Reads the fields of a module, whose identifiers are bound already, in their order."""

    def __init__(self, source: str | bytes) -> None:
        super().__init__(source)
        self.new_fields()

    def new_fields(self) -> None:
        """Begin a module."""
        self.imports = Items()
        self.functions = Items()
        self.tables = Items()
        self.memories = Items()
        self.tags = Items()
        self.globals = Items()
        self.exports = Items()
        self.elements = Items()
        self.bodies = Items()
        self.data_segments = Items()
        self.start: i64 = -1
        self.hinted_functions = Items()
        self.hints = Items()
        self.counts = [0] * 8
        self.names = [Items() for _ in range(8)]
        self.local_names = Items()
        self.label_map = Items()
        self.locals_named = Items()
        self.in_function = False
        self.single = False

    # Names

    def next_index(self, space: i64) -> i64:
        """Read an identifier; the index of what is defined or imported here, whose name is noted."""
        index = self.counts[space]
        self.counts[space] = index + 1
        name = self.symbol_and_name()
        if name is not None:
            items: Items = self.names[space]
            write_name_entry(items.out, index, name)
            items.count += 1
        return index

    # Imports and exports

    def inline_exports(self, kind: i64, index: i64) -> None:
        """Read `(export "name")` as often as it comes."""
        while self.form_at(self.position) == _EXPORT:
            self.position += 2
            self.export(self.utf8(), kind, index)
            self.right()

    def utf8(self) -> bytes:
        """Read a string that is UTF-8."""
        return self.name().encode()

    def export(self, name: bytes, kind: i64, index: i64) -> None:
        """Write an export."""
        out = self.exports.out
        write_bytes(out, name)
        out.append(u8(kind))
        write_unsigned(out, index)
        self.exports.count += 1

    def inline_import(self, kind: i64) -> bool:
        """Read `(import "module" "name")` if it comes, and write the start of the import."""
        if self.form_at(self.position) != _IMPORT:
            return False
        self.position += 2
        self.import_names(kind)
        self.right()
        return True

    def import_names(self, kind: i64) -> None:
        """Read the two names of an import and write them."""
        out = self.imports.out
        write_bytes(out, self.utf8())
        write_bytes(out, self.utf8())
        self.imports.count += 1

    def import_field(self) -> None:
        """`(import "module" "name" (kind ...))`."""
        self.import_names(0)
        kind = _KINDS.get(int(self.form_at(self.position)))
        if kind is None:
            self.position += 1
            raise self.unexpected("a kind of import")
        self.position += 2
        self.next_index(kind + 1)
        self.import_type(kind)
        self.right()

    def import_type(self, kind: i64) -> None:
        """Read the type of an import and write it."""
        out = self.imports.out
        out.append(u8(kind))
        if kind == 0:
            self.new_function()
            write_unsigned(out, self.type_use(True))
            self.name_function_locals(self.counts[_FUNCTIONS] - 1)
        elif kind == 1:
            self.table_type(out)
        elif kind == 2:
            self.memory_type(out)
        elif kind == 3:
            self.global_type(out)
        else:
            self.new_function()
            out.append(0)
            write_unsigned(out, self.type_use(True))

    def export_field(self) -> None:
        """`(export "name" (kind index))`."""
        name = self.utf8()
        kind = _KINDS.get(int(self.form_at(self.position)))
        if kind is None:
            self.position += 1
            raise self.unexpected("a kind of export")
        self.position += 2
        self.export(name, kind, self.index(kind + 1))
        self.right()

    # Functions

    def new_function(self) -> None:
        """Begin a function, or a type use with names."""
        self.stamp += 1
        self.function_stamp = self.stamp
        self.locals_named = Items()

    def named_local(self, index: i64) -> None:
        """Read and bind the identifier or name of a parameter or local."""
        start = self.position
        self.bind(_LOCALS, index)
        self.position = start
        name = self.symbol_and_name()
        if name is not None:
            write_name_entry(self.locals_named.out, index, name)
            self.locals_named.count += 1

    def function_field(self) -> None:
        """`(func ...)`."""
        index = self.next_index(_FUNCTIONS)
        self.inline_exports(0, index)
        if self.inline_import(0):
            self.import_type(0)
            return
        self.new_function()
        write_unsigned(self.functions.out, self.type_use(True))
        self.functions.count += 1
        out = self.code
        out.truncate(0)
        self.locals(out, self.parameter_count)
        self.label_depth = 0
        self.label_number = 0
        self.label_names_count = 0
        self.label_names.truncate(0)
        self.hints = Items()
        self.in_function = True
        self.expression()
        self.in_function = False
        body = out.getvalue()
        write_bytes(self.bodies.out, body)
        self.bodies.count += 1
        self.name_function_locals(index)
        if self.label_names_count:
            self.name_locals(self.label_map, index, self.label_names_count, self.label_names.getvalue())
        if self.hints.count:
            self.name_locals(self.hinted_functions, index, self.hints.count, self.hints.out.getvalue())

    def name_function_locals(self, index: i64) -> None:
        """Write the names of parameters and locals of the function that was read last."""
        if self.locals_named.count:
            self.name_locals(self.local_names, index, self.locals_named.count, self.locals_named.out.getvalue())

    def name_locals(self, target: Items, index: i64, count: i64, entries: bytes) -> None:
        """Write an entry of an indirect name map."""
        out = target.out
        write_unsigned(out, index)
        write_unsigned(out, count)
        out.write(entries)
        target.count += 1

    def locals(self, out: BytesWriter, index: i64) -> None:
        """Read declarations of locals and write them, neighbours of one type together."""
        if self.form_at(self.position) != _LOCAL:
            out.append(0)
            return
        declared = BytesWriter()
        runs: i64 = 0
        run: i64 = 0
        previous: i64 = 0
        while self.form_at(self.position) == _LOCAL:
            self.position += 2
            named = self.words[self.position] & 15 == _IDENTIFIER or self.note_position == self.position
            if named:
                self.named_local(index)
            while named or self.words[self.position] & 15 != _RIGHT:
                packed = self.value_type()
                if run and packed != previous:
                    write_unsigned(declared, run)
                    write_type(declared, previous)
                    run = 0
                    runs += 1
                previous = packed
                run += 1
                index += 1
                if named:
                    break
            self.right()
        if run:
            write_unsigned(declared, run)
            write_type(declared, previous)
            runs += 1
        write_unsigned(out, runs)
        out.write(declared.getvalue())

    # Tables

    def limits(self, out: BytesWriter, flags: i64, minimum: i64, maximum: i64, has_maximum: bool) -> None:
        """Write limits."""
        if has_maximum:
            flags |= 1
        out.append(u8(flags))
        write_unsigned(out, minimum)
        if has_maximum:
            write_unsigned(out, maximum)

    def address_type(self) -> i64:
        """Read an address type, if there is one: the flag of the limits."""
        word = self.word_at(self.position)
        if word != _I32 and word != _I64:
            return 0
        self.position += 1
        return 4 if word == _I64 else 0

    def table_type(self, out: BytesWriter) -> None:
        """Read a table type and write it."""
        flags = self.address_type()
        minimum = self.unsigned(64)
        maximum: i64 = 0
        has_maximum = self.words[self.position] & 15 == _INTEGER
        if has_maximum:
            maximum = self.unsigned(64)
        write_type(out, self.reference_type())
        self.limits(out, flags, minimum, maximum, has_maximum)

    def table_field(self) -> None:
        """`(table ...)`."""
        index = self.next_index(_TABLES)
        self.inline_exports(1, index)
        if self.inline_import(1):
            self.import_type(1)
            return
        out = self.tables.out
        self.tables.count += 1
        start = self.position
        flags = self.address_type()
        if self.words[self.position] & 15 != _INTEGER:
            self.inline_elements(flags, index)
            return
        self.position = start
        table_type = BytesWriter()
        self.table_type(table_type)
        if self.words[self.position] & 15 == _RIGHT:
            out.write(table_type.getvalue())
            return
        out.append(0x40)
        out.append(0)
        out.write(table_type.getvalue())
        out.write(self.constant())

    def constant(self) -> bytes:
        """Read an expression up to a closing parenthesis; its bytes."""
        self.code.truncate(0)
        self.new_function()
        self.label_depth = 0
        self.expression()
        return self.code.getvalue()

    def one_constant(self) -> bytes:
        """Read an expression of one folded instruction; its bytes."""
        if not self.at_left():
            raise self.unexpected("(")
        self.single = True
        constant = self.constant()
        self.single = False
        return constant

    # Elements

    def inline_elements(self, flags: i64, index: i64) -> None:
        """The type and the elements of a table that is defined with them."""
        element = self.reference_type()
        if self.form_at(self.position) != _ELEM:
            raise self.unexpected("(elem")
        self.position += 2
        items = Items()
        expressions = element != _FUNCTION_REFERENCE or self.words[self.position] & 15 == _LEFT
        if self.words[self.position] & 15 == _LEFT:
            self.expressions(items)
        elif expressions:
            self.function_expressions(items)
        else:
            self.function_indices(items)
        self.right()
        write_type(self.tables.out, element)
        self.limits(self.tables.out, flags, items.count, items.count, True)
        offset = b"\x42\x00\x0b" if flags else b"\x41\x00\x0b"
        self.element_segment(2, index, offset, element, expressions, items)
        self.counts[_ELEMENTS] += 1

    def old_index(self) -> bool:
        """Whether an index comes next and then an offset: how tables and memories of segments were named before WebAssembly 2.0."""
        return self.at_index() and self.words[self.position + 1] & 15 == _LEFT

    def function_indices(self, items: Items) -> None:
        """Read function indices up to a closing parenthesis."""
        while self.words[self.position] & 15 != _RIGHT:
            write_unsigned(items.out, self.index(_FUNCTIONS))
            items.count += 1

    def function_expressions(self, items: Items) -> None:
        """`function_indices`, written as expressions."""
        while self.words[self.position] & 15 != _RIGHT:
            items.out.append(0xD2)
            write_unsigned(items.out, self.index(_FUNCTIONS))
            items.out.append(0x0B)
            items.count += 1

    def expressions(self, items: Items) -> None:
        """Read element expressions up to a closing parenthesis: `(item ...)` or one folded instruction each."""
        while self.words[self.position] & 15 != _RIGHT:
            if self.form_at(self.position) == _ITEM:
                self.position += 2
                items.out.write(self.constant())
                self.right()
            else:
                items.out.write(self.one_constant())
            items.count += 1

    def element_segment(self, mode: i64, table: i64, offset: bytes, element: i64, expressions: bool, items: Items) -> None:
        """Write an element segment. Mode is 0 for active ones, 2 where the table is named, 1 for passive, 3 for declarative ones."""
        out = self.elements.out
        self.elements.count += 1
        if mode == 0 and expressions and element != _FUNCTION_REFERENCE:
            mode = 2
        out.append(u8(mode | 4 if expressions else mode))
        if mode == 2:
            write_unsigned(out, table)
        out.write(offset)
        if mode:
            if expressions:
                write_type(out, element)
            else:
                out.append(0)
        write_unsigned(out, items.count)
        out.write(items.out.getvalue())

    def offset_expression(self) -> bytes:
        """Read `(offset ...)` or one folded instruction."""
        if self.form_at(self.position) == _OFFSET:
            self.position += 2
            offset = self.constant()
            self.right()
            return offset
        return self.one_constant()

    def element_field(self) -> None:
        """`(elem ...)`."""
        self.next_index(_ELEMENTS)
        mode: i64 = 1
        table: i64 = 0
        named_table = False
        old_table = False
        offset = b""
        if self.word_at(self.position) == _DECLARE:
            self.position += 1
            mode = 3
        else:
            named_table = self.form_at(self.position) == _TABLE
            if named_table:
                self.position += 2
                table = self.index(_TABLES)
                self.right()
            elif self.old_index():
                old_table = True
                table = self.index(_TABLES)
            if named_table or old_table or (self.at_left() and self.form_at(self.position) != _REF):
                mode = 0
                offset = self.offset_expression()
        items = Items()
        expressions = False
        element: i64 = _REFERENCE_TO_FUNCTION
        if self.word_at(self.position) == _FUNC:
            self.position += 1
            self.function_indices(items)
        elif mode == 0 and not named_table and (self.at_index() or self.at_right()):
            self.function_indices(items)
        else:
            element = self.reference_type()
            expressions = True
            self.expressions(items)
        self.element_segment(2 if named_table or old_table else mode, table, offset, element, expressions, items)

    # Memories

    def memory_type(self, out: BytesWriter) -> None:
        """Read a memory type and write it."""
        flags = self.address_type()
        minimum = self.unsigned(64)
        maximum: i64 = 0
        has_maximum = self.words[self.position] & 15 == _INTEGER
        if has_maximum:
            maximum = self.unsigned(64)
        if self.word_at(self.position) == _SHARED:
            self.position += 1
            flags |= 2
        page_size = self.page_size()
        self.write_memory_type(out, flags, minimum, maximum, has_maximum, page_size)

    def write_memory_type(self, out: BytesWriter, flags: i64, minimum: i64, maximum: i64, has_maximum: bool, page_size: i64) -> None:
        """Write a memory type; the page size as a power of two, or -1."""
        if page_size >= 0:
            flags |= 8
        self.limits(out, flags, minimum, maximum, has_maximum)
        if page_size >= 0:
            write_unsigned(out, page_size)

    def page_size(self) -> i64:
        """Read `(pagesize n)` if it comes: the power of two, or -1."""
        if self.form_at(self.position) != _PAGE_SIZE:
            return -1
        self.position += 2
        size = self.unsigned(32)
        if size == 0 or size & (size - 1):
            raise self.error("invalid custom page size", self.position - 1)
        self.right()
        log: i64 = 0
        while size > 1:
            size >>= 1
            log += 1
        return log

    def memory_field(self) -> None:
        """`(memory ...)`."""
        index = self.next_index(_MEMORIES)
        self.inline_exports(2, index)
        if self.inline_import(2):
            self.import_type(2)
            return
        self.memories.count += 1
        start = self.position
        flags = self.address_type()
        page_size = self.page_size()
        if self.form_at(self.position) != _DATA_WORD:
            self.position = start
            self.memory_type(self.memories.out)
            return
        self.position += 2
        contents = self.strings()
        self.right()
        log: i64 = 16
        if page_size >= 0:
            log = page_size
        pages: i64 = 0
        if contents:
            pages = ((len(contents) - 1) >> log) + 1
        self.write_memory_type(self.memories.out, flags, pages, pages, True, page_size)
        self.data_segment(0, index, b"\x42\x00\x0b" if flags else b"\x41\x00\x0b", contents)
        self.counts[_DATA] += 1

    # Data

    def strings(self) -> bytes:
        """Read strings up to a closing parenthesis; all their bytes."""
        first = b""
        if self.at_string():
            first = self.string()
        if not self.at_string():
            if not self.at_right():
                raise self.unexpected("a string")
            return first
        out = BytesWriter()
        out.write(first)
        while not self.at_right():
            out.write(self.string())
        return out.getvalue()

    def data_segment(self, mode: i64, memory: i64, offset: bytes, contents: bytes) -> None:
        """Write a data segment. Mode is 0 for active, 1 for passive ones."""
        out = self.data_segments.out
        if mode == 0 and memory:
            out.append(2)
            write_unsigned(out, memory)
        else:
            out.append(u8(mode))
        out.write(offset)
        write_bytes(out, contents)
        self.data_segments.count += 1

    def data_field(self) -> None:
        """`(data ...)`."""
        self.next_index(_DATA)
        mode: i64 = 1
        memory: i64 = 0
        offset = b""
        named_memory = self.form_at(self.position) == _MEMORY
        if named_memory:
            self.position += 2
            memory = self.index(_MEMORIES)
            self.right()
        elif self.old_index():
            named_memory = True
            memory = self.index(_MEMORIES)
        if named_memory or self.at_left():
            mode = 0
            offset = self.offset_expression()
        self.data_segment(mode, memory, offset, self.strings())

    # Globals, tags, start

    def global_type(self, out: BytesWriter) -> None:
        """Read the type of a global and write it."""
        mutable = self.form_at(self.position) == _MUT
        if mutable:
            self.position += 2
        write_type(out, self.value_type())
        out.append(1 if mutable else 0)
        if mutable:
            self.right()

    def global_field(self) -> None:
        """`(global ...)`."""
        index = self.next_index(_GLOBALS)
        self.inline_exports(3, index)
        if self.inline_import(3):
            self.import_type(3)
            return
        self.global_type(self.globals.out)
        self.globals.out.write(self.constant())
        self.globals.count += 1

    def tag_field(self) -> None:
        """`(tag ...)`."""
        index = self.next_index(_TAGS)
        self.inline_exports(4, index)
        if self.inline_import(4):
            self.import_type(4)
            return
        self.new_function()
        self.tags.out.append(0)
        write_unsigned(self.tags.out, self.type_use(True))
        self.tags.count += 1

    def start_field(self) -> None:
        """`(start function)`."""
        if self.start >= 0:
            raise self.error("multiple start sections")
        self.start = self.index(_FUNCTIONS)

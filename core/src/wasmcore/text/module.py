"""Modules of the text format (specification, section 6.6.14), and the reader for scripts."""

from __future__ import annotations

from typing import Final, final

from wasmcore._formats import COMPONENT
from wasmcore._native import BytesWriter, i64
from wasmcore.errors import TextError
from wasmcore.text.encoding import write_bytes, write_name_entry, write_section, write_unsigned, write_vector_section
from wasmcore.text.fields import FieldReader, Items

# Kinds of tokens, as in `wasmcore.text.lexer`.
_EOF: Final = 0
_LEFT: Final = 1
_RIGHT: Final = 2
_STRING: Final = 7
_NOTE_NAME: Final = 1
_NOTE_CUSTOM: Final = 2
_NOTE_BRANCH_HINT: Final = 3
_NOTE_NAMES: Final = ("", "@name", "@custom", "@metadata.code.branch_hint")
_NO_NOTE: Final = 0x7FFFFFFF

# Index spaces, as in `wasmcore.text.types`.
_TYPES: Final = 0
_FUNCTIONS: Final = 1
_TABLES: Final = 2
_MEMORIES: Final = 3
_GLOBALS: Final = 4
_TAGS: Final = 5
_ELEMENTS: Final = 6
_DATA: Final = 7

# Keywords, as in `wasmcore.text.keywords`.
_MODULE: Final = 0x800
_TYPE: Final = 0x801
_REC: Final = 0x802
_FUNC: Final = 0x805
_IMPORT: Final = 0x80D
_EXPORT: Final = 0x80E
_TABLE: Final = 0x80F
_MEMORY: Final = 0x810
_GLOBAL: Final = 0x811
_TAG: Final = 0x812
_START: Final = 0x813
_ELEM: Final = 0x814
_DATA_WORD: Final = 0x815
_DEFINITION: Final = 0x819
_BINARY: Final = 0x81B
_QUOTE: Final = 0x81C

_DEFINED: Final = {
    _FUNC: _FUNCTIONS,
    _TABLE: _TABLES,
    _MEMORY: _MEMORIES,
    _GLOBAL: _GLOBALS,
    _TAG: _TAGS,
    _ELEM: _ELEMENTS,
    _DATA_WORD: _DATA,
}
"""Index space of what a field defines."""
_IMPORTABLE_END: Final = _TAGS
_INLINE_SEGMENTS: Final = {_TABLE: (_ELEM, _ELEMENTS), _MEMORY: (_DATA_WORD, _DATA)}
"""Fields that can define a segment besides."""
_DEFINITION_NAMES: Final = ("type", "function", "table", "memory", "global", "tag")

_SECTIONS: Final = {
    "type": 1,
    "import": 2,
    "func": 3,
    "table": 4,
    "memory": 5,
    "tag": 13,
    "global": 6,
    "export": 7,
    "start": 8,
    "elem": 9,
    "datacount": 12,
    "code": 10,
    "data": 11,
}
"""Sections by their names in `@custom`, in their order."""
_FIRST: Final = -1
_LAST: Final = -2


@final
class TextModule:
    """What `(module ...)` says. `data` is the module in the binary format, or, where `kind` is `"quote"`, the quoted text."""

    def __init__(self, identifier: str | None, definition: bool, kind: str, data: bytes) -> None:
        self.identifier: Final = identifier
        self.definition: Final = definition
        self.kind: Final = kind
        """`"text"`, `"binary"` or `"quote"`."""
        self.data: Final = data


@final
class TextReader(FieldReader):
    """Reads the modules of a source, and everything around them that scripts are made of (see `wasmcore.text`)."""

    def __init__(self, source: str | bytes) -> None:
        super().__init__(source)
        self.used = False
        self.custom_sections: dict[tuple[int, bool], BytesWriter] = {}
        self.module_name = b""
        self.module_named = False
        self.hint_payload = b""

    # Annotations

    def seek_note(self) -> None:
        """Find the first annotation from the next token on."""
        notes = self.tokens.notes
        low: i64 = 0
        high: i64 = len(notes)
        while low < high:
            middle = (low + high) >> 1
            if notes[middle] >> 32 < self.position:
                low = middle + 1
            else:
                high = middle
        self.note_number = low
        self.set_note()

    def set_note(self) -> None:
        """Where the annotation stands whose turn it is."""
        notes = self.tokens.notes
        self.note_position = _NO_NOTE
        if self.note_number < len(notes):
            self.note_position = notes[self.note_number] >> 32

    def note_start(self) -> i64:
        """Index of the first token of the annotation whose turn it is."""
        return self.tokens.notes[self.note_number] & 0xFFFFFFFF

    def note_kind(self) -> i64:
        """Which annotation it is."""
        return self.words[self.note_start()] >> 4 & 0xFFFFFFF

    def enter_note(self) -> i64:
        """Go to what follows the name of the annotation whose turn it is; the position to go back to."""
        position = self.position
        self.position = self.note_start() + 1
        return position

    def leave_note(self, position: i64, name: str) -> None:
        """Go back from the end of an annotation."""
        if self.words[self.position] & 15 != _RIGHT:
            raise self.error(f"{name} annotation: unexpected token")
        self.position = position
        self.note_number += 1
        self.set_note()

    def misplaced(self) -> TextError:
        """The error of an annotation that stands where it means nothing."""
        start = self.note_start()
        if self.note_kind() == _NOTE_BRANCH_HINT:
            return self.error("@metadata.code.branch_hint annotation: not in a function", start)
        return self.error(f"misplaced {_NOTE_NAMES[self.note_kind()]} annotation", start)

    def note_text(self, name: str, missing: str) -> bytes:
        """Read a string of an annotation that is UTF-8."""
        if self.words[self.position] & 15 != _STRING:
            raise self.error(f"{name} annotation: {missing}")
        text = self.string()
        try:
            text.decode()
        except UnicodeDecodeError:
            raise self.error(f"{name} annotation: malformed UTF-8 encoding", self.position - 1) from None
        return text

    def name_note(self) -> bytes | None:
        """Read an annotation `@name` before the next token."""
        found: bytes | None = None
        while self.note_position == self.position and self.note_kind() == _NOTE_NAME:
            if found is not None:
                raise self.error("@name annotation: duplicate annotation", self.note_start())
            position = self.enter_note()
            found = self.note_text("@name", "string expected")
            self.leave_note(position, "@name")
        return found

    def read_hint(self) -> bytes:
        """Read an annotation, which must be a branch hint: its payload."""
        if self.note_kind() != _NOTE_BRANCH_HINT or not self.in_function:
            raise self.misplaced()
        position = self.enter_note()
        hint = b""
        while self.at_string():
            hint += self.string()
        if hint not in (b"\0", b"\1"):
            raise self.error("@metadata.code.branch_hint annotation: invalid value")
        self.leave_note(position, "@metadata.code.branch_hint")
        if self.note_position == self.position and self.note_kind() == _NOTE_BRANCH_HINT:
            raise self.error("@metadata.code.branch_hint annotation: duplicate annotation", self.note_start())
        return hint

    def add_hint(self, hint: bytes) -> None:
        """Note a branch hint for the instruction that is written next."""
        write_unsigned(self.hints.out, len(self.code))
        write_bytes(self.hints.out, hint)
        self.hints.count += 1

    def custom_note(self) -> None:
        """Read an annotation `@custom`."""
        position = self.enter_note()
        name = self.note_text("@custom", "missing section name")
        place = (_LAST, False)
        if self.words[self.position] & 15 == _LEFT:
            place = self.placement()
        payload = BytesWriter()
        write_bytes(payload, name)
        while self.at_string():
            payload.write(self.string())
        self.leave_note(position, "@custom")
        out = self.custom_sections.get(place)
        if out is None:
            out = BytesWriter()
            self.custom_sections[place] = out
        write_section(out, 0, payload.getvalue())

    def placement(self) -> tuple[int, bool]:
        """Read `(before section)` or `(after section)`: the section, and whether it is before that."""
        before = self.token_text(self.position + 1) == b"before"
        if not before and self.token_text(self.position + 1) != b"after":
            raise self.error("@custom annotation: malformed placement", self.position + 1)
        self.position += 2
        section = self.token_text(self.position).decode()
        if section == "first":
            place = (_FIRST, False)
        elif section == "last":
            place = (_LAST, before)
        elif section in _SECTIONS:
            place = (_SECTIONS[section], before)
        else:
            raise self.error("@custom annotation: malformed section kind")
        self.position += 1
        self.right()
        return place

    def module_notes(self, fields: bool) -> None:
        """Read the annotations of the module itself before the next token; `fields` is whether fields were before them."""
        while self.note_position <= self.position:
            kind = self.note_kind()
            if self.note_position == self.position and kind == _NOTE_CUSTOM:
                self.custom_note()
            elif self.note_position == self.position and kind == _NOTE_NAME and not fields:
                if self.module_named:
                    raise self.error("@name annotation: multiple module", self.note_start())
                position = self.enter_note()
                self.module_name = self.note_text("@name", "string expected")
                self.module_named = True
                self.leave_note(position, "@name")
            else:
                raise self.misplaced()

    # Modules

    def module(self) -> TextModule:
        """Read `(module ...)`."""
        start = self.position
        self.left()
        if self.word_at(self.position) != _MODULE:
            raise self.unexpected("module")
        self.position += 1
        definition = self.word_at(self.position) == _DEFINITION
        if definition:
            self.position += 1
        identifier = self.identifier()
        word = self.word_at(self.position)
        if word == _BINARY or word == _QUOTE:
            self.position += 1
            data = self.strings()
            self.right()
            return TextModule(identifier, definition, "binary" if word == _BINARY else "quote", data)
        self.begin(b"" if identifier is None else identifier.encode())
        data = self.fields_of_module()
        if self.words[self.position] & 15 != _RIGHT:
            self.position = start
            self.form_end()
        self.right()
        return TextModule(identifier, definition, "text", data)

    def module_fields(self) -> bytes:
        """Read fields of a module up to the end of the source: the module in the binary format."""
        self.begin(b"")
        data = self.fields_of_module()
        if not self.at_end():
            raise self.unexpected("a field of a module")
        return data

    def begin(self, name: bytes) -> None:
        """Begin a module whose identifier was read."""
        self.seek_note()
        if self.used:  # the constructor has made everything for the first module
            self.new_types()
            self.new_fields()
        self.used = True
        self.delayed_hints = {}
        self.delayed_names = {}
        self.label_note = None
        self.uses_data = False
        self.custom_sections = {}
        self.module_name = name
        self.module_named = False

    def fields_of_module(self) -> bytes:
        """Read fields: the module in the binary format."""
        start = self.position
        self.bind_fields()
        self.position = start
        self.define_types()
        self.position = start
        self.seek_note()
        fields = False
        self.module_notes(False)
        while self.words[self.position] & 15 == _LEFT:
            self.field()
            fields = True
            self.module_notes(True)
        self.module_notes(fields)
        return self.assembled()

    def bind_fields(self) -> None:
        """Step over the fields and bind their identifiers."""
        counts = [0] * 8
        defined: i64 = -1
        while self.words[self.position] & 15 == _LEFT:
            end: i64 = self.form_end()
            word = self.word_at(self.position + 1)
            start = self.position
            self.position += 2
            if word == _TYPE:
                self.bind(_TYPES, counts[_TYPES])
                counts[_TYPES] += 1
            elif word == _REC:
                self.bind_group(counts)
            elif word == _IMPORT:
                self.check_order(defined, start)
                self.bind_import(counts)
            elif word in _DEFINED:
                space: i64 = _DEFINED[word]
                self.bind(space, counts[space])
                counts[space] += 1
                if space <= _TAGS:
                    if self.has_inline_import():
                        self.check_order(defined, start)
                    elif defined < 0:
                        defined = space
                if word in _INLINE_SEGMENTS:
                    inner, segments = _INLINE_SEGMENTS[word]
                    if self.has_form(inner):
                        counts[segments] += 1
            self.position = end

    def check_order(self, defined: i64, start: i64) -> None:
        """Refuse an import behind a definition."""
        if defined >= 0:
            raise self.error(f"import after {_DEFINITION_NAMES[defined]}", start)

    def bind_group(self, counts: list[int]) -> None:
        """Bind the types of a recursion group."""
        while self.words[self.position] & 15 == _LEFT:
            end: i64 = self.form_end()
            self.position += 2
            self.bind(_TYPES, counts[_TYPES])
            counts[_TYPES] += 1
            self.position = end

    def bind_import(self, counts: list[int]) -> None:
        """Bind what `(import "module" "name" (kind $x ...))` imports."""
        self.position += 2
        space = _DEFINED.get(int(self.form_at(self.position)))
        if space is not None and space <= _IMPORTABLE_END:
            self.position += 2
            self.bind(space, counts[space])
            counts[space] += 1

    def has_inline_import(self) -> bool:
        """Whether exports, if any, are followed by an import."""
        position = self.position
        while self.form_at(position) == _EXPORT:
            position = (self.words[position] >> 4 & 0xFFFFFFF) + 1
        return self.form_at(position) == _IMPORT

    def has_form(self, word: i64) -> bool:
        """Whether a form with this keyword comes in the rest of the field."""
        position = self.position
        while True:
            kind = self.words[position] & 15
            if kind == _LEFT:
                if self.form_at(position) == word:
                    return True
                position = self.words[position] >> 4 & 0xFFFFFFF
            elif kind == _RIGHT or kind == _EOF:
                return False
            position += 1

    def define_types(self) -> None:
        """Read the types and groups among the fields."""
        while self.words[self.position] & 15 == _LEFT:
            word = self.words[self.position]
            field = self.word_at(self.position + 1)
            if field == _TYPE:
                self.define_type(True)
            elif field == _REC:
                self.define_group()
            self.position = (word >> 4 & 0xFFFFFFF) + 1

    def define_type(self, alone: bool) -> None:
        """`(type $x? ...)`."""
        if self.form_at(self.position) != _TYPE:
            raise self.unexpected("(type")
        self.position += 2
        self.seek_note()
        name = self.symbol_and_name()
        if name is not None:
            names: Items = self.names[_TYPES]
            write_name_entry(names.out, self.type_count, name)
            names.count += 1
        if alone:
            self.type_entries += 1
        self.type_definition(alone)
        if self.note_position <= self.position:
            raise self.misplaced()
        self.right()

    def define_group(self) -> None:
        """`(rec (type ...)*)`."""
        self.position += 2
        position = self.position
        count: i64 = 0
        while self.words[position] & 15 == _LEFT:
            count += 1
            position = (self.words[position] >> 4 & 0xFFFFFFF) + 1
        self.type_section.append(0x4E)
        write_unsigned(self.type_section, count)
        self.type_entries += 1
        alone = count == 1
        while count > 0:
            if alone:
                self.type_entries -= 1
            self.define_type(alone)
            count -= 1
        self.right()

    def field(self) -> None:
        """Read one field; types are stepped over, since they were read before."""
        word = self.word_at(self.position + 1)
        if word == _TYPE or word == _REC:
            self.position = self.form_end()
            while self.note_position < self.position and self.note_kind() == _NOTE_NAME:
                self.note_number += 1
                self.set_note()
            return
        self.position += 2
        if word == _FUNC:
            self.function_field()
        elif word == _IMPORT:
            self.import_field()
        elif word == _EXPORT:
            self.export_field()
        elif word == _TABLE:
            self.table_field()
        elif word == _MEMORY:
            self.memory_field()
        elif word == _GLOBAL:
            self.global_field()
        elif word == _TAG:
            self.tag_field()
        elif word == _START:
            self.start_field()
        elif word == _ELEM:
            self.element_field()
        elif word == _DATA_WORD:
            self.data_field()
        else:
            self.position -= 1
            raise self.unexpected("a field of a module")
        self.right()

    # The binary format

    def assembled(self) -> bytes:
        """The module in the binary format."""
        out = BytesWriter()
        out.write(b"\0asm\1\0\0\0")
        self.write_custom(out, _FIRST, False)
        self.section(out, 1, self.type_entries, self.type_section)
        self.items(out, 2, self.imports)
        self.items(out, 3, self.functions)
        self.items(out, 4, self.tables)
        self.items(out, 5, self.memories)
        self.items(out, 13, self.tags)
        self.items(out, 6, self.globals)
        self.items(out, 7, self.exports)
        self.write_custom(out, 8, True)
        if self.start >= 0:
            start = BytesWriter()
            write_unsigned(start, self.start)
            write_section(out, 8, start.getvalue())
        self.write_custom(out, 8, False)
        self.items(out, 9, self.elements)
        self.write_custom(out, 12, True)
        if self.uses_data:
            count = BytesWriter()
            write_unsigned(count, self.data_segments.count)
            write_section(out, 12, count.getvalue())
        self.write_custom(out, 12, False)
        self.write_hints(out)
        self.items(out, 10, self.bodies)
        self.items(out, 11, self.data_segments)
        self.write_custom(out, _LAST, True)
        self.write_custom(out, _LAST, False)
        self.write_names(out)
        return out.getvalue()

    def write_custom(self, out: BytesWriter, section: int, before: bool) -> None:
        """Write the custom sections of a place."""
        if self.custom_sections:
            custom = self.custom_sections.get((section, before))
            if custom is not None:
                out.write(custom.getvalue())

    def section(self, out: BytesWriter, number: i64, count: i64, items: BytesWriter) -> None:
        """Write a section that is a vector, and the custom sections around it."""
        self.write_custom(out, number, True)
        if count:
            write_vector_section(out, number, count, items.getvalue())
        self.write_custom(out, number, False)

    def items(self, out: BytesWriter, number: i64, items: Items) -> None:
        """`section` for `Items`."""
        self.section(out, number, items.count, items.out)

    def write_hints(self, out: BytesWriter) -> None:
        """Write the custom section of branch hints."""
        functions = self.hinted_functions
        if functions.count:
            payload = BytesWriter()
            write_bytes(payload, b"metadata.code.branch_hint")
            write_unsigned(payload, functions.count)
            payload.write(functions.out.getvalue())
            write_section(out, 0, payload.getvalue())

    def write_names(self, out: BytesWriter) -> None:
        """Write the `name` section."""
        names = BytesWriter()
        if self.module_name or self.module_named:
            name = BytesWriter()
            write_bytes(name, self.module_name)
            write_section(names, 0, name.getvalue())
        maps: list[Items] = self.names
        self.write_map(names, 1, maps[_FUNCTIONS])
        self.write_map(names, 2, self.local_names)
        self.write_map(names, 3, self.label_map)
        self.write_map(names, 4, maps[_TYPES])
        self.write_map(names, 5, maps[_TABLES])
        self.write_map(names, 6, maps[_MEMORIES])
        self.write_map(names, 7, maps[_GLOBALS])
        self.write_map(names, 8, maps[_ELEMENTS])
        self.write_map(names, 9, maps[_DATA])
        if self.field_names_count:
            write_vector_section(names, 10, self.field_names_count, self.field_names.getvalue())
        self.write_map(names, 11, maps[_TAGS])
        if self.type_names_count:  # not in the specification, but written by others, too
            write_vector_section(names, 12, self.type_names_count, self.type_names.getvalue())
        if len(names):
            payload = BytesWriter()
            write_bytes(payload, b"name")
            payload.write(names.getvalue())
            write_section(out, 0, payload.getvalue())

    def write_map(self, out: BytesWriter, number: i64, items: Items) -> None:
        """Write a name map, unless it is empty."""
        if items.count:
            write_vector_section(out, number, items.count, items.out.getvalue())


def wat2wasm(source: str | bytes) -> bytes:
    """The binary module of a text module: `(module ...)`, also quoted or binary, or a bare sequence of module fields.

    Text is understood with all features; what a module may use is the decoder's and validator's business.
    Raises `TextError` for text that is malformed; a module that is well-formed but invalid is not refused.
    """
    reader = TextReader(source)
    form = reader.peek_form()
    if form == "component":
        raise reader.error(COMPONENT)
    if form != "module":
        return reader.module_fields()
    module = reader.module()
    if not reader.at_end():
        raise reader.unexpected()
    return wat2wasm(module.data) if module.kind == "quote" else module.data

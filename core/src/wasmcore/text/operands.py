"""Immediate operands of instructions (specification, sections 6.5.2 to 6.5.12)."""

from __future__ import annotations

from struct import pack
from typing import Final

from wasmcore._native import BytesWriter, append, i64, u8, vec
from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.text.encoding import write_fixed, write_name_entry, write_signed, write_type, write_unsigned
from wasmcore.text.keywords import instruction_table
from wasmcore.text.numbers import number_end
from wasmcore.text.types import TypeReader

# Kinds of tokens, as in `wasmcore.text.lexer`.
_LEFT: Final = 1
_RIGHT: Final = 2
_KEYWORD: Final = 3
_IDENTIFIER: Final = 4
_INTEGER: Final = 5
_FLOAT: Final = 6
_WORD: Final = 8
_RESERVED: Final = 9
_OFFSET: Final = 10
_ALIGN: Final = 11

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
_LABELS: Final = 9

# Keywords, as in `wasmcore.text.keywords`.
_RESULT: Final = 0x80B
_CATCH: Final = 0x820
_CATCH_ALL_REF: Final = 0x823
_CATCH_ALL: Final = 0x822
_SHAPE_I8X16: Final = 0x82D
_SHAPE_I64X2: Final = 0x830
_SHAPE_F64X2: Final = 0x832

# Forms of operands, as in `wasmcore.opcodes.Immediates`.
_FORM_MEMORY_ACCESS: Final = 1
_FORM_I32: Final = 2
_FORM_I64: Final = 3
_FORM_F32: Final = 4
_FORM_F64: Final = 5
_FORM_LANE: Final = 6
_FORM_MEMORY_ACCESS_LANE: Final = 7
_FORM_V128: Final = 8
_FORM_SHUFFLE: Final = 9
_FORM_LABEL: Final = 11
_FORM_LABELS: Final = 12
_FORM_TYPE_TABLE: Final = 15
_FORM_LOCAL: Final = 16
_FORM_DATA: Final = 20
_FORM_DATA_MEMORY: Final = 22
_FORM_ELEM_TABLE: Final = 23
_FORM_HEAP_TYPE: Final = 26
_FORM_TYPE_FIELD: Final = 30
_FORM_TYPE_DATA: Final = 33
_FORM_CAST: Final = 35
_FORM_ZERO_BYTE: Final = 36

NO_OPERANDS: Final = 0
BLOCK: Final = 10
TRY_TABLE: Final = 29
SELECT: Final = 41
REFERENCE_TEST: Final = 42
END: Final = 43
ELSE: Final = 44

_NO_SPACE: Final = 255
_SINGLE_SPACES: Final = {
    Immediates.FUNCTION: _FUNCTIONS,
    Immediates.TYPE: _TYPES,
    Immediates.LOCAL: _LOCALS,
    Immediates.GLOBAL: _GLOBALS,
    Immediates.ELEM: _ELEMENTS,
    Immediates.DATA: _DATA,
    Immediates.TAG: _TAGS,
}
"""Operands that are one index."""
_INDEX_SPACES: Final = bytes([_SINGLE_SPACES.get(form, _NO_SPACE) for form in range(64)])
"""Index space of each form of operands that is one index."""

_OPTIONAL_SPACES: Final = {
    Immediates.TABLE: (_TABLES, -1),
    Immediates.MEMORY: (_MEMORIES, -1),
    Immediates.MEMORY_MEMORY: (_MEMORIES, _MEMORIES),
    Immediates.TABLE_TABLE: (_TABLES, _TABLES),
}
"""Operands that are indices which may be left out, all or none."""

_PAIRS: Final = {
    Immediates.TYPE_TYPE: (_TYPES, _TYPES),
    Immediates.TYPE_DATA: (_TYPES, _DATA),
    Immediates.TYPE_ELEM: (_TYPES, _ELEMENTS),
}
"""Operands that are two indices."""


def _forms() -> bytes:
    """What an instruction's operands look like in the text: `Immediates`, where text and binary format agree on what there is."""
    table = bytearray(instruction_table("immediates"))
    for code, opcode in OPCODES.items():
        if opcode.name == "select":
            table[code] = SELECT
        elif opcode.name in ("ref.test", "ref.cast"):
            table[code] = REFERENCE_TEST
        elif opcode.name == "end":
            table[code] = END
        elif opcode.name == "else":
            table[code] = ELSE
    return bytes(table)


FORMS: Final = _forms()
"""Form of the operands by code of the instruction: one of `Immediates`, or of the constants above."""
_ALIGNMENTS: Final = instruction_table("alignment")


class OperandReader(TypeReader):
    """Reads the operands of instructions and writes instructions into `code`."""

    def __init__(self, source: str | bytes) -> None:
        super().__init__(source)
        self.code: Final[BytesWriter] = BytesWriter()
        self.uses_data = False
        self.in_function = False
        self.label_depth: i64 = 0
        self.label_symbols = vec[i64]()
        self.label_shadowed = vec[i64]()
        self.label_number: i64 = 0
        self.label_names: Final[BytesWriter] = BytesWriter()
        self.label_names_count: i64 = 0
        self.label_note: bytes | None = None

    # Labels

    def push_label(self) -> None:
        """Read the identifier or name of a block, if there is one, and enter its label."""
        word = self.words[self.position]
        symbol: i64 = -1
        shadowed: i64 = 0
        depth = self.label_depth
        if word & 15 == _IDENTIFIER:
            symbol = word >> 4 & 0xFFFFFFF
            slot: i64 = _LABELS * self.symbol_count + symbol
            shadowed = self.bindings[slot]
            self.bindings[slot] = self.function_stamp << 32 | depth
        if symbol >= 0 or self.note_position == self.position or self.label_note is not None:
            self.name_label()
        if depth < len(self.label_symbols):
            self.label_symbols[depth] = symbol
            self.label_shadowed[depth] = shadowed
        else:
            self.label_symbols = append(self.label_symbols, symbol)
            self.label_shadowed = append(self.label_shadowed, shadowed)
        self.label_depth = depth + 1
        self.label_number += 1

    def name_label(self) -> None:
        """Read the identifier and name of a label; the name may have been read before, into `label_note`."""
        name = self.symbol_and_name()
        if self.label_note is not None:
            name = self.label_note
            self.label_note = None
        if name is not None:
            write_name_entry(self.label_names, self.label_number, name)
            self.label_names_count += 1

    def pop_label(self) -> None:
        """Leave the innermost label."""
        depth: i64 = self.label_depth - 1
        self.label_depth = depth
        symbol = self.label_symbols[depth]
        if symbol >= 0:
            self.bindings[_LABELS * self.symbol_count + symbol] = self.label_shadowed[depth]

    def repeated_label(self) -> None:
        """Read the identifier behind `else` or `end`, if there is one; it must be that of the block."""
        word = self.words[self.position]
        if word & 15 == _IDENTIFIER:
            if self.label_symbols[self.label_depth - 1] != word >> 4 & 0xFFFFFFF:
                raise self.error("mismatching label")
            self.position += 1

    def label(self) -> None:
        """Read a label and write it."""
        identifier = self.words[self.position] & 15 == _IDENTIFIER
        index = self.index(_LABELS)
        if identifier:
            index = self.label_depth - 1 - index
        write_unsigned(self.code, index)

    # Instructions

    def opcode(self, code: i64) -> None:
        """Write an instruction without its operands."""
        out = self.code
        if code < 0x100:
            out.append(u8(code))
        elif code < 0x200:
            out.append(0xFC)
            out.append(u8(code - 0x100))
        elif code < 0x400:
            out.append(0xFD)
            write_unsigned(out, code - 0x200)
        elif code < 0x600:
            out.append(0xFB)
            out.append(u8(code - 0x400))
        else:
            out.append(0xFE)
            out.append(u8(code - 0x600))

    def block(self, code: i64) -> None:
        """Read label, type and handlers of a block and write its beginning."""
        self.push_label()
        self.code.append(u8(code))
        self.block_type(self.code)
        if code == 0x1F:
            self.handlers()

    def handlers(self) -> None:
        """Read the handlers of `try_table`, which are outside of its label."""
        out = self.code
        self.label_depth -= 1
        symbol = self.label_symbols[self.label_depth]
        slot: i64 = _LABELS * self.symbol_count + symbol
        own: i64 = 0
        if symbol >= 0:
            own = self.bindings[slot]
            self.bindings[slot] = self.label_shadowed[self.label_depth]
        count: i64 = 0
        position = self.position
        while _CATCH <= self.form_at(position) <= _CATCH_ALL_REF:
            count += 1
            position = (self.words[position] >> 4 & 0xFFFFFFF) + 1
        write_unsigned(out, count)
        while count > 0:
            word = self.word_at(self.position + 1)
            self.position += 2
            out.append(u8(word - _CATCH))
            if word < _CATCH_ALL:
                write_unsigned(out, self.index(_TAGS))
            self.label()
            self.right()
            count -= 1
        if symbol >= 0:
            self.bindings[slot] = own
        self.label_depth += 1

    def instruction(self, code: i64, form: i64) -> None:
        """Read the operands of an instruction that is no block, and write it."""
        out = self.code
        if form == _FORM_LOCAL:
            out.append(u8(code))
            write_unsigned(out, self.index(_LOCALS))
        elif form == _FORM_I32:
            out.append(u8(code))
            value = self.signed(32)
            if value >= 0x80000000:
                value -= 0x100000000
            write_signed(out, value)
        elif form == _FORM_MEMORY_ACCESS:
            self.memory_access(code)
        elif form == _FORM_LABEL:
            out.append(u8(code))
            self.label()
        elif form == _FORM_I64:
            out.append(u8(code))
            write_signed(out, self.signed(64))
        elif form == _FORM_F32:
            out.append(u8(code))
            write_fixed(out, self.float_bits(32), 4)
        elif form == _FORM_F64:
            out.append(u8(code))
            out.write(pack("<Q", self.float_bits(64)))
        elif form == _FORM_LANE:
            self.opcode(code)
            out.append(u8(self.unsigned(8)))
        elif _INDEX_SPACES[form] != _NO_SPACE:
            if form == _FORM_DATA:
                self.uses_data = self.uses_data or self.in_function
            self.opcode(code)
            write_unsigned(out, self.index(_INDEX_SPACES[form]))
        else:
            self.rare_instruction(code, form)

    def rare_instruction(self, code: i64, form: i64) -> None:
        """`instruction` for the forms that are no hot path."""
        if form == SELECT:
            self.select()
        elif form == _FORM_LABELS:
            self.branch_table(code)
        elif form == _FORM_TYPE_TABLE:
            self.call_indirect(code)
        elif form in _OPTIONAL_SPACES:
            self.optional_indices(code, form)
        elif form == _FORM_DATA_MEMORY or form == _FORM_ELEM_TABLE:
            self.initialisation(code, form)
        elif form == _FORM_MEMORY_ACCESS_LANE:
            self.memory_access(code)
            self.code.append(u8(self.unsigned(8)))
        elif form == _FORM_V128:
            self.vector()
        elif form == _FORM_SHUFFLE:
            self.shuffle()
        else:
            self.object_instruction(code, form)

    def object_instruction(self, code: i64, form: i64) -> None:
        """`instruction` for references, structures and arrays."""
        out = self.code
        if form == REFERENCE_TEST:
            nullable, heap = self.split_reference_type()
            self.opcode(code + 1 if nullable else code)
            write_type(out, heap)
        elif form == _FORM_CAST:
            self.cast(code)
        elif form == _FORM_HEAP_TYPE:
            self.opcode(code)
            write_type(out, self.heap_type())
        elif form == _FORM_ZERO_BYTE:
            self.opcode(code)
            out.append(0)
        else:
            self.opcode(code)
            if form in _PAIRS:
                first, second = _PAIRS[form]
                if form == _FORM_TYPE_DATA:
                    self.uses_data = self.uses_data or self.in_function
                write_unsigned(out, self.index(first))
                write_unsigned(out, self.index(second))
                return
            type_index = self.index(_TYPES)
            write_unsigned(out, type_index)
            write_unsigned(out, self.field_index(type_index) if form == _FORM_TYPE_FIELD else self.unsigned(32))

    def select(self) -> None:
        """`select`, with or without types."""
        out = self.code
        if self.form_at(self.position) != _RESULT:
            out.append(0x1B)
            return
        types = BytesWriter()
        count: i64 = 0
        while self.form_at(self.position) == _RESULT:
            self.position += 2
            count += self.value_types(types)
        out.append(0x1C)
        write_unsigned(out, count)
        out.write(types.getvalue())

    def branch_table(self, code: i64) -> None:
        """`br_table`: one label at least."""
        out = self.code
        out.append(u8(code))
        end = self.position
        while self.words[end] & 15 == _IDENTIFIER or self.words[end] & 15 == _INTEGER:
            end += 1
        if end == self.position:
            raise self.unexpected("a label")
        write_unsigned(out, end - self.position - 1)
        while self.position < end:
            self.label()

    def call_indirect(self, code: i64) -> None:
        """A table, which may be left out, and a type use."""
        out = self.code
        table: i64 = 0
        if self.at_index():
            table = self.index(_TABLES)
        out.append(u8(code))
        write_unsigned(out, self.type_use(False))
        write_unsigned(out, table)

    def optional_indices(self, code: i64, form: i64) -> None:
        """One or two indices, or none, which means zeros."""
        out = self.code
        first, second = _OPTIONAL_SPACES[form]
        present = self.at_index()
        self.opcode(code)
        write_unsigned(out, self.index(first) if present else 0)
        if second >= 0:
            write_unsigned(out, self.index(second) if present else 0)

    def initialisation(self, code: i64, form: i64) -> None:
        """A memory or table, which may be left out, and a segment; the binary format has them the other way round."""
        out = self.code
        spaces = (_MEMORIES, _DATA) if form == _FORM_DATA_MEMORY else (_TABLES, _ELEMENTS)
        self.uses_data = self.uses_data or (form == _FORM_DATA_MEMORY and self.in_function)
        target: i64 = 0
        kind = self.words[self.position + 1] & 15
        if kind == _IDENTIFIER or kind == _INTEGER:
            target = self.index(spaces[0])
        self.opcode(code)
        write_unsigned(out, self.index(spaces[1]))
        write_unsigned(out, target)

    def memory_access(self, code: i64) -> None:
        """A memory, an offset and an alignment, each of which may be left out."""
        out = self.code
        memory: i64 = 0
        kind = self.words[self.position] & 15
        if kind == _IDENTIFIER or (kind == _INTEGER and (FORMS[code] == _FORM_MEMORY_ACCESS or self.lane_follows())):
            memory = self.index(_MEMORIES)
            kind = self.words[self.position] & 15
        offset: i64 = 0
        if kind == _OFFSET:
            offset = self.attribute(7)
            kind = self.words[self.position] & 15
        alignment: i64 = _ALIGNMENTS[code]
        if kind == _ALIGN:
            value = self.attribute(6)
            if value == 0 or (value & 0x7FFFFFFFFFFFFFFF if value < 0 else value & (value - 1)):
                self.position -= 1
                raise self.error("alignment must be a power of two")
            alignment = 0
            while value & 1 == 0:
                value = value >> 1 & 0x7FFFFFFFFFFFFFFF
                alignment += 1
        self.opcode(code)
        if memory:
            write_unsigned(out, alignment | 64)
            write_unsigned(out, memory)
        else:
            write_unsigned(out, alignment)
        write_unsigned(out, offset)

    def lane_follows(self) -> bool:
        """Whether the integer that comes next is a memory, since another one or the rest of a memory operand is behind it."""
        kind = self.words[self.position + 1] & 15
        return kind == _INTEGER or kind == _OFFSET or kind == _ALIGN

    def attribute(self, prefix: i64) -> i64:
        """Read the number behind `offset=` or `align=`."""
        word = self.words[self.position]
        start: i64 = (word >> 32) + prefix
        end: i64 = (word >> 32) + (word >> 4 & 0xFFFFFFF)
        if start >= end or i64(self.data[start]) < 0x30 or number_end(self.data, start, end) != end << 1:
            raise self.error(f"unknown operator {self.token_text(self.position).decode()}")
        value = self.magnitude(start, end, "i64 constant out of range")
        self.position += 1
        return value

    def cast(self, code: i64) -> None:
        """`br_on_cast` and `br_on_cast_fail`."""
        out = self.code
        self.opcode(code)
        place: i64 = len(out)
        out.append(0)
        self.label()
        nullable, heap = self.split_reference_type()
        flags: i64 = 0
        if nullable:
            flags = 1
        write_type(out, heap)
        nullable, heap = self.split_reference_type()
        if nullable:
            flags |= 2
        write_type(out, heap)
        out[place] = u8(flags)

    # Vectors

    def vector(self) -> None:
        """`v128.const`."""
        out = self.code
        shape = self.word_at(self.position)
        if not _SHAPE_I8X16 <= shape <= _SHAPE_F64X2:
            raise self.unexpected("a shape of vectors")
        self.position += 1
        self.opcode(0x20C)
        floats = shape > _SHAPE_I64X2
        size: i64 = 1
        lanes: i64 = 16
        shift: i64 = shape - _SHAPE_I8X16
        if floats:
            shift = shape - _SHAPE_I64X2 + 1
        size <<= shift
        lanes >>= shift
        self.check_lanes(lanes, "wrong number of lane literals")
        while lanes > 0:
            if floats:
                out.write(pack("<I" if size == 4 else "<Q", self.float_bits(size * 8)))
            else:
                write_fixed(out, self.signed(size * 8), size)
            lanes -= 1

    def check_lanes(self, wanted: i64, message: str) -> None:
        """Check that so many numbers come next."""
        position = self.position
        kind = self.words[position] & 15
        while kind == _INTEGER or kind == _FLOAT:
            position += 1
            kind = self.words[position] & 15
        if position - self.position != wanted and kind != _WORD and kind != _RESERVED:
            raise self.error(message, position)

    def lane(self) -> i64:
        """Read the index of a lane."""
        word = self.words[self.position]
        if self.at_number() and (word & 15 != _INTEGER or i64(self.data[word >> 32]) < 0x30):
            raise self.error("i8 constant out of range")
        return self.unsigned(8)

    def shuffle(self) -> None:
        """`i8x16.shuffle`."""
        self.check_lanes(16, "invalid lane length")
        self.opcode(0x20D)
        lanes: i64 = 16
        while lanes > 0:
            self.code.append(u8(self.lane()))
            lanes -= 1

"""Index spaces and types of the text format (specification, sections 6.4 and 6.6.1 to 6.6.3)."""

from __future__ import annotations

from typing import Final

from wasmcore._native import BytesWriter, append, i64, u8, vec
from wasmcore.text.encoding import write_name_entry, write_type, write_unsigned
from wasmcore.text.keywords import WORD_HEAP_TYPES, WORD_VALUE_TYPES
from wasmcore.text.reader import TokenReader

# Kinds of tokens, as in `wasmcore.text.lexer`.
_LEFT: Final = 1
_RIGHT: Final = 2
_KEYWORD: Final = 3
_IDENTIFIER: Final = 4
_INTEGER: Final = 5

# Keywords, as in `wasmcore.text.keywords`.
_WORD_COUNT: Final = 74
_TYPE: Final = 0x801
_SUB: Final = 0x803
_FINAL: Final = 0x804
_FUNC: Final = 0x805
_STRUCT: Final = 0x806
_ARRAY: Final = 0x807
_FIELD: Final = 0x808
_MUT: Final = 0x809
_PARAM: Final = 0x80A
_RESULT: Final = 0x80B
_REF: Final = 0x824
_NULL: Final = 0x825

TYPES: Final = 0
FUNCTIONS: Final = 1
TABLES: Final = 2
MEMORIES: Final = 3
GLOBALS: Final = 4
TAGS: Final = 5
ELEMENTS: Final = 6
DATA: Final = 7
LOCALS: Final = 8
LABELS: Final = 9
SPACES: Final = 10
"""How many index spaces there are."""
_SPACE_NAMES: Final = ("type", "func", "table", "memory", "global", "tag", "elem segment", "data segment", "local", "label")

_NO_NOTE: Final = 0x7FFFFFFF  # no annotation comes any more
_ONE_BYTE: Final = 1 << 56
"""The length of a packed type of one byte; packed types have their bytes from the lowest on, and their number in bits 56 on."""


def _zeros(count: i64) -> vec[i64]:
    """So many zeros, without a list of as many objects."""
    numbers = vec[i64]()
    while count > 0:
        numbers = append(numbers, 0)
        count -= 1
    return numbers


class TypeReader(TokenReader):
    """Reads indices, types and type uses.

    Identifiers are bound in one array for all index spaces: a slot per space and symbol holds the index and, in the bits from 32 on, the
    number of the module (of the function, for locals and labels) in which it was bound. So nothing has to be cleared between them.
    """

    def __init__(self, source: str | bytes) -> None:
        super().__init__(source)
        self.symbol_count: i64 = len(self.tokens.symbols)
        self.bindings: Final[vec[i64]] = _zeros(SPACES * self.symbol_count)
        self.stamp: i64 = 1
        self.module_stamp: i64 = 1
        self.function_stamp: i64 = 0
        self.type_count: i64 = 0
        self.type_parameters = vec[i64]()
        self.signatures: list[bytes] = []
        self.plain_types: dict[bytes, int] = {}
        self.field_numbers: dict[int, int] = {}
        self.type_section: BytesWriter = BytesWriter()
        self.type_entries: i64 = 0
        self.field_names: BytesWriter = BytesWriter()
        self.field_names_count: i64 = 0
        self.type_names: BytesWriter = BytesWriter()
        self.type_names_count: i64 = 0
        self.parameter_names: Final[BytesWriter] = BytesWriter()
        self.parameter_names_count: i64 = 0
        self.signature: Final[BytesWriter] = BytesWriter()
        self.parameter_count: i64 = 0
        self.single_result: i64 = 0
        self.result_count: i64 = 0
        self.note_position: i64 = _NO_NOTE

    def new_types(self) -> None:
        """Begin a module."""
        self.stamp += 1
        self.module_stamp = self.stamp
        self.type_count = 0
        self.type_parameters = vec[i64]()
        self.signatures = []
        self.plain_types = {}
        self.field_numbers = {}
        self.type_section = BytesWriter()
        self.type_entries = 0
        self.field_names = BytesWriter()
        self.field_names_count = 0
        self.type_names = BytesWriter()
        self.type_names_count = 0

    # Identifiers and indices

    def bind(self, space: i64, index: i64) -> i64:
        """Read an identifier, if there is one, and bind it to an index; its symbol, or -1."""
        word = self.words[self.position]
        if word & 15 != _IDENTIFIER:
            return -1
        symbol: i64 = word >> 4 & 0xFFFFFFF
        slot: i64 = space * self.symbol_count + symbol
        stamp = self.function_stamp if space >= LOCALS else self.module_stamp
        if self.bindings[slot] >> 32 == stamp:
            raise self.error(f"duplicate {_SPACE_NAMES[space].removesuffix(' segment')} {self.symbol_name(symbol)}")
        self.bindings[slot] = stamp << 32 | index
        self.position += 1
        return symbol

    def symbol_name(self, symbol: i64) -> str:
        """An identifier for messages."""
        return "$" + self.tokens.symbol_text(symbol).decode()

    def at_index(self) -> bool:
        """Whether an index or identifier comes next."""
        kind = self.words[self.position] & 15
        return kind == _IDENTIFIER or kind == _INTEGER

    def index(self, space: i64) -> i64:
        """Read an index or an identifier."""
        word = self.words[self.position]
        kind = word & 15
        if kind == _IDENTIFIER:
            symbol: i64 = word >> 4 & 0xFFFFFFF
            bound = self.bindings[space * self.symbol_count + symbol]
            if bound >> 32 != (self.function_stamp if space >= LOCALS else self.module_stamp):
                raise self.error(f"unknown {_SPACE_NAMES[space]} {self.symbol_name(symbol)}")
            self.position += 1
            return bound & 0xFFFFFFFF
        if kind != _INTEGER:
            raise self.unexpected("an index or identifier")
        return self.unsigned(32)

    def word_at(self, position: i64) -> i64:
        """Number of the keyword at a position, or -1."""
        word = self.words[position]
        if word & 15 != _KEYWORD:
            return -1
        return word >> 4 & 0xFFFFFFF

    def form_at(self, position: i64) -> i64:
        """Number of the keyword behind a parenthesis at a position, or -1."""
        if self.words[position] & 15 != _LEFT:
            return -1
        word = self.words[position + 1]
        if word & 15 != _KEYWORD:
            return -1
        return word >> 4 & 0xFFFFFFF

    # Value types

    def packed_index(self, prefix: i64, index: i64) -> i64:
        """A packed type of a byte (or none, -1) and a type index."""
        packed: i64 = 0
        shift: i64 = 0
        if prefix >= 0:
            packed = prefix
            shift = 8
        while index >= 64:
            packed |= (index & 127 | 128) << shift
            shift += 8
            index >>= 7
        packed |= index << shift
        size: i64 = (shift >> 3) + 1
        return size << 56 | packed

    def heap_type(self) -> i64:
        """Read a heap type, packed."""
        number = self.word_at(self.position)
        if 0x800 <= number < 0x800 + _WORD_COUNT:
            byte: i64 = WORD_HEAP_TYPES[number - 0x800]
            if byte:
                self.position += 1
                return byte | _ONE_BYTE
        if not self.at_index():
            raise self.unexpected("a heap type")
        return self.packed_index(-1, self.index(TYPES))

    def reference_type(self) -> i64:
        """Read a reference type, packed."""
        packed = self.value_type()
        byte: i64 = packed & 255
        if byte >= 0x7B or byte == 0x78 or byte == 0x77:
            self.position -= 1
            raise self.unexpected("a reference type")
        return packed

    def split_reference_type(self) -> tuple[bool, i64]:
        """Read a reference type: whether it is nullable, and its packed heap type."""
        packed = self.reference_type()
        byte: i64 = packed & 255
        if byte != 0x63 and byte != 0x64:
            return True, packed
        size: i64 = (packed >> 56) - 1
        return byte == 0x63, (packed & 0xFFFFFFFFFFFFFF) >> 8 | size << 56

    def value_type(self) -> i64:
        """Read a value type, packed."""
        word = self.words[self.position]
        if word & 15 == _KEYWORD:
            number: i64 = word >> 4 & 0xFFFFFFF
            if 0x800 <= number < 0x800 + _WORD_COUNT:
                byte: i64 = WORD_VALUE_TYPES[number - 0x800]
                if byte and byte != 0x78 and byte != 0x77:
                    self.position += 1
                    return byte | _ONE_BYTE
            raise self.unexpected("a value type")
        if self.form_at(self.position) != _REF:
            raise self.unexpected("a value type")
        self.position += 2
        nullable = self.word_at(self.position) == _NULL
        if nullable:
            self.position += 1
        heap = self.heap_type()
        self.right()
        size: i64 = (heap >> 56) + 1
        abstract = size == 2 and heap & 255 >= 0x40
        if nullable and abstract:
            return heap
        prefix: i64 = 0x64
        if nullable:
            prefix = 0x63
        return prefix | (heap & 0xFFFFFFFFFFFF) << 8 | size << 56

    def storage_type(self) -> i64:
        """Read a value type or a packed type."""
        number = self.word_at(self.position)
        if 0x800 <= number < 0x800 + _WORD_COUNT:
            byte: i64 = WORD_VALUE_TYPES[number - 0x800]
            if byte == 0x78 or byte == 0x77:
                self.position += 1
                return byte | _ONE_BYTE
        return self.value_type()

    # Function types and type uses

    def value_types(self, out: BytesWriter) -> i64:
        """Read value types up to the parenthesis that closes them, write them, and say how many."""
        count: i64 = 0
        while self.words[self.position] & 15 != _RIGHT:
            packed = self.value_type()
            write_type(out, packed)
            self.single_result = packed
            count += 1
        self.position += 1
        return count

    def function_type(self, names: bool, bound: bool) -> None:
        """Read parameters and results into `signature`, as the binary format has them.

        `names` says whether parameters may have identifiers, `bound` whether these become locals.
        """
        out = self.signature
        out.truncate(0)
        out.append(0x60)
        out.append(0)
        count: i64 = 0
        while self.form_at(self.position) == _PARAM:
            self.position += 2
            if names and (self.words[self.position] & 15 == _IDENTIFIER or self.note_position == self.position):
                if bound:
                    self.named_local(count)
                else:
                    self.named_parameter(count)
                write_type(out, self.value_type())
                self.right()
                count += 1
            else:
                count += self.value_types(out)
        if count < 128:
            out[1] = u8(count)
        else:
            self.long_count(1, count)
        self.parameter_count = count
        place: i64 = len(out)
        out.append(0)
        count = 0
        while self.form_at(self.position) == _RESULT:
            self.position += 2
            count += self.value_types(out)
        if count < 128:
            out[place] = u8(count)
        else:
            self.long_count(place, count)
        self.result_count = count

    def long_count(self, place: i64, count: i64) -> None:
        """Write a count of more than one byte into the signature, where a byte was left for it."""
        out = self.signature
        rest = out.getvalue()[place + 1 :]
        out.truncate(place)
        write_unsigned(out, count)
        out.write(rest)

    def named_parameter(self, index: i64) -> None:
        """Read the identifier or name of a parameter of a type definition."""
        name = self.symbol_and_name()
        if name is not None:
            write_name_entry(self.parameter_names, index, name)
            self.parameter_names_count += 1

    def named_local(self, index: i64) -> None:
        """Read and bind the identifier or name of a parameter or local."""
        raise NotImplementedError

    def symbol_and_name(self) -> bytes | None:
        """Step over an identifier and read `@name` annotations behind it: what the name section says, or None."""
        name: bytes | None = None
        word = self.words[self.position]
        if word & 15 == _IDENTIFIER:
            name = self.tokens.symbol_text(word >> 4 & 0xFFFFFFF)
            self.position += 1
        if self.note_position == self.position:
            noted = self.name_note()
            if noted is not None:
                name = noted
        return name

    def name_note(self) -> bytes | None:
        """Read an annotation `@name` before the next token."""
        raise NotImplementedError

    def type_use(self, names: bool) -> i64:
        """Read a type use (specification 6.6.3): the type index. Its inline parameters are left in `signature` and `parameter_count`."""
        start = self.position
        explicit: i64 = -1
        if self.form_at(start) == _TYPE:
            self.position = start + 2
            explicit = self.index(TYPES)
            self.right()
            if self.form_at(self.position) != _PARAM and self.form_at(self.position) != _RESULT:
                self.parameter_count = 0
                if explicit < self.type_count and self.type_parameters[explicit] > 0:
                    self.parameter_count = self.type_parameters[explicit]
                return explicit
        self.function_type(names, names)
        if explicit < 0:
            return self.implicit_type()
        if explicit >= self.type_count:
            raise self.error(f"unknown type {explicit}", start + 2)
        if self.form_at(self.position) == _PARAM or self.form_at(self.position) == _TYPE:
            self.position += 1
            raise self.unexpected()
        if self.signature.getvalue() != self.signatures[explicit]:
            raise self.error("inline function type does not match the type that is named", start)
        return explicit

    def implicit_type(self) -> i64:
        """Index of the first plain function type with this signature, which is appended when there is none."""
        key = self.signature.getvalue()
        found = self.plain_types.get(key)
        if found is not None:
            return found
        index = self.type_count
        self.plain_types[key] = index
        self.type_section.write(key)
        self.type_entries += 1
        self.add_type(key, self.parameter_count)
        return index

    def add_type(self, signature: bytes, parameters: i64) -> None:
        """Note a type: of functions the signature and the number of parameters, of others nothing and -1."""
        self.signatures.append(signature)
        self.type_parameters = append(self.type_parameters, parameters)
        self.type_count += 1

    def block_type(self, out: BytesWriter) -> None:
        """Read the type of a block and write it in its shortest form."""
        word = self.form_at(self.position)
        if word != _TYPE and word != _PARAM and word != _RESULT:
            out.append(0x40)
            return
        if word == _TYPE:
            start = self.position
            index = self.type_use(False)
            if self.form_at(start) == _TYPE:
                self.write_block_index(out, index)
            return
        self.function_type(False, False)
        if self.parameter_count == 0 and self.result_count == 0:
            out.append(0x40)
        elif self.parameter_count == 0 and self.result_count == 1:
            write_type(out, self.single_result)
        else:
            self.write_block_index(out, self.implicit_type())

    def write_block_index(self, out: BytesWriter, index: i64) -> None:
        """A type index as a signed integer of 33 bits."""
        write_type(out, self.packed_index(-1, index))

    # Type definitions

    def type_definition(self, alone: bool) -> None:
        """Read what follows the identifier in `(type $x? subtype)`; `alone` is whether it is a recursion group of its own."""
        out = self.type_section
        closed = True
        nested = self.form_at(self.position) == _SUB
        supertypes: i64 = 0
        if nested:
            self.position += 2
            closed = self.word_at(self.position) == _FINAL
            if closed:
                self.position += 1
            supers = BytesWriter()
            while self.at_index():
                write_unsigned(supers, self.index(TYPES))
                supertypes += 1
            if supertypes or not closed:
                out.append(0x4F if closed else 0x50)
                write_unsigned(out, supertypes)
                out.write(supers.getvalue())
        plain = alone and closed and supertypes == 0
        self.composite_type(out, plain)
        if nested:
            self.right()

    def composite_type(self, out: BytesWriter, plain: bool) -> None:
        """Read a function, structure or array type."""
        word = self.form_at(self.position)
        if word == _FUNC:
            self.position += 2
            self.parameter_names.truncate(0)
            self.parameter_names_count = 0
            self.function_type(True, False)
            if self.parameter_names_count:
                write_unsigned(self.type_names, self.type_count)
                write_unsigned(self.type_names, self.parameter_names_count)
                self.type_names.write(self.parameter_names.getvalue())
                self.type_names_count += 1
            key = self.signature.getvalue()
            if plain and key not in self.plain_types:
                self.plain_types[key] = self.type_count
            out.write(key)
            self.add_type(key, self.parameter_count)
        elif word == _STRUCT:
            self.position += 2
            self.structure_type(out)
            self.add_type(b"", -1)
        elif word == _ARRAY:
            self.position += 2
            out.append(0x5E)
            self.field_type(out)
            self.add_type(b"", -1)
        else:
            raise self.unexpected("a function, structure or array type")
        self.right()

    def structure_type(self, out: BytesWriter) -> None:
        """Read the fields of a structure."""
        fields = BytesWriter()
        names = BytesWriter()
        count: i64 = 0
        named: i64 = 0
        while self.form_at(self.position) == _FIELD:
            self.position += 2
            word = self.words[self.position]
            if word & 15 == _IDENTIFIER or self.note_position == self.position:
                if word & 15 == _IDENTIFIER:
                    symbol: i64 = word >> 4 & 0xFFFFFFF
                    key: i64 = self.type_count << 28 | symbol
                    if key in self.field_numbers:
                        raise self.error(f"duplicate field {self.symbol_name(symbol)}")
                    self.field_numbers[key] = count
                name = self.symbol_and_name()
                if name is not None:
                    write_name_entry(names, count, name)
                    named += 1
                self.field_type(fields)
                count += 1
            else:
                while self.words[self.position] & 15 != _RIGHT:
                    self.field_type(fields)
                    count += 1
            self.right()
        out.append(0x5F)
        write_unsigned(out, count)
        out.write(fields.getvalue())
        if named:
            write_unsigned(self.field_names, self.type_count)
            write_unsigned(self.field_names, named)
            self.field_names.write(names.getvalue())
            self.field_names_count += 1

    def field_type(self, out: BytesWriter) -> None:
        """Read the type of a field or of an array's elements."""
        mutable = self.form_at(self.position) == _MUT
        if mutable:
            self.position += 2
        write_type(out, self.storage_type())
        out.append(1 if mutable else 0)
        if mutable:
            self.right()

    def field_index(self, type_index: i64) -> i64:
        """Read the index or identifier of a field of a structure."""
        word = self.words[self.position]
        if word & 15 != _IDENTIFIER:
            return self.unsigned(32)
        symbol: i64 = word >> 4 & 0xFFFFFFF
        found = self.field_numbers.get(type_index << 28 | symbol)
        if found is None:
            raise self.error(f"unknown field {self.symbol_name(symbol)}")
        self.position += 1
        return found

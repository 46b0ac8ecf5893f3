"""Types of a module as text: definitions with their recursion groups, and types of what is imported or defined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from wasmcore.binary.module_info import ArrayType, StructType
from wasmcore.binary.reader import Reader
from wasmcore.binary.sections import sections
from wasmcore.errors import DecodeError
from wasmcore.opcodes import FEATURES
from wasmcore.types import FuncType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import FieldType, ModuleInfo, SubType
    from wasmcore.text.printer_names import Identifiers
    from wasmcore.types import GlobalType, MemoryType, TableType

_TYPE_SECTION: Final = 1
_GROUP: Final = 0x4E
_SUB: Final = (0x50, 0x4F)
_FUNCTION: Final = 0x60
_STRUCT: Final = 0x5F
_PACKED: Final = {-8: "i8", -16: "i16"}
_LARGEST_PAGE: Final = 63


def type_lines(module: ModuleInfo, known: Identifiers) -> Iterator[str]:
    """The type definitions, one a line; recursion groups are indented."""
    index = 0
    for size, written in _groups(module):
        if written:
            yield "(rec" if size else "(rec)"
        for _ in range(size):
            line = f"(type{known.types.definition(index)} {_definition(module.types[index], known, index)})"
            yield "  " + line if written else line
            index += 1
        if written and size:
            yield ")"


def _groups(module: ModuleInfo) -> Iterator[tuple[int, bool]]:
    """Number of types of each recursion group, and whether it is written as one."""
    for section, start, end in sections(module.data):
        if section == _TYPE_SECTION:
            reader = Reader(module.data, start, end, frozenset(FEATURES))
            reader.types_limit = len(module.types)
            for _ in range(reader.count()):
                if module.data[reader.position] != _GROUP:
                    _skip(reader)
                    yield 1, False
                    continue
                reader.byte()
                size = int(reader.count())
                for _ in range(size):
                    _skip(reader)
                yield size, True


def _skip(reader: Reader) -> None:
    """Pass over one type, which the decoder has read already."""
    form = reader.byte()
    if form in _SUB:
        for _ in range(reader.count()):
            reader.u32()
        form = reader.byte()
    if form == _FUNCTION:
        for _ in range(reader.count()):
            reader.value_type()
        for _ in range(reader.count()):
            reader.value_type()
        return
    for _ in range(reader.count() if form == _STRUCT else 1):
        if reader.data[reader.position] in (0x77, 0x78):
            reader.byte()
        else:
            reader.value_type()
        reader.byte()


def _definition(item: SubType, known: Identifiers, index: int) -> str:
    composite = item.composite
    if isinstance(composite, FuncType):
        text = f"(func{known.signature(composite, known.parameters(index))})"
    elif isinstance(composite, ArrayType):
        text = f"(array {_field(composite.element, known)})"
    else:
        assert isinstance(composite, StructType)
        text = f"(struct{''.join([_struct_field(field, known, index, n) for n, field in enumerate(composite.fields)])})"
    if item.final and not item.supertypes:
        return text
    above = "".join([f" {known.types.use(supertype)}" for supertype in item.supertypes])
    return f"(sub{' final' if item.final else ''}{above} {text})"


def _struct_field(field: FieldType, known: Identifiers, type_index: int, index: int) -> str:
    space = known.fields.get(type_index)
    name = space.named(index) if space is not None else ""
    return f" (field{' ' + name if name else ''} {_field(field, known)})"


def _field(field: FieldType, known: Identifiers) -> str:
    text = _PACKED.get(field.storage) or known.value_type(field.storage)
    return f"(mut {text})" if field.mutable else text


def memory_type(memory: MemoryType, paged: bool) -> str:
    """Limits of a memory, and its page size if that is to be written."""
    if not paged:
        return str(memory.limits)
    size = memory.page_size_log2
    if size > _LARGEST_PAGE:
        raise DecodeError(f"invalid custom page size: 2 to the power of {size}")
    return f"{memory.limits} (pagesize {1 << size})"


def table_type(table: TableType, known: Identifiers) -> str:
    """Limits and type of the elements of a table."""
    return f"{table.limits} {known.value_type(table.element)}"


def global_type(item: GlobalType, known: Identifiers) -> str:
    """Type of a global."""
    text = known.value_type(item.value)
    return f"(mut {text})" if item.mutable else text

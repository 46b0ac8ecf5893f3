"""What the instances of a module have in common: the content of their blocks, copied at once, but for a few words.

Behind the VMContext follow the contexts and funcref records of imported Python functions, and the cells of small tables. The last table
that may become large ends the block, in address space of its own.
"""

from __future__ import annotations

import ctypes
from array import array
from itertools import repeat
from operator import setitem

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.binary.module_info import ACTIVE, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE
from wasmcore.plugin.layout import FUNCREF_SIZE, VMCONTEXT
from wasmcore.runtime.execution.blocks import CONTENT_OFFSET
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, funcref_records
from wasmcore.runtime.instances.builtins import builtins_table
from wasmcore.runtime.instances.constant import constant_bits
from wasmcore.runtime.instances.plan import shares_references
from wasmcore.runtime.objects.table import CELL, SMALL, most_elements
from wasmcore.runtime.system import platform
from wasmcore.types import NULLABLE_REFERENCE

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ElementSegment, ModuleInfo
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.runtime.instances.instance import Code

_put: Final[Any] = setitem
_CODE, _CONTEXT = 0, 1
"""Words of a funcref record; the owner, word 3, is the context here."""
_RECORD: Final = FUNCREF_SIZE // 8


class Template:
    """What is known before an instance is made; offsets are from its VMContext, with which the content of a block begins."""

    def __init__(self, info: ModuleInfo, code: Code, machine: Machine) -> None:
        self.environment: Final = code.environment
        self.exports: Final = {item.name: item for item in info.exports}
        self.hosts: Final = code.environment.context_size
        """Offset of the contexts of imported Python functions, each with its funcref record behind it."""
        self.imported_tables: Final = info.imported(KIND_TABLE)
        self.imported_memories: Final = info.imported(KIND_MEMORY)
        self.imported_globals: Final = info.imported(KIND_GLOBAL)
        self.table_types: Final = [code.types.table(table.type) for table in info.tables]
        self.memory_types: Final = [memory.type for memory in info.memories]
        self.shares_references: Final = shares_references(info)
        self.size = self.hosts + info.imported_functions * (HOST_CONTEXT_SIZE + FUNCREF_SIZE)
        """Bytes of content."""
        self.room = 0
        """Bytes that a table at its end may take beyond that."""
        self.cells: Final[list[int | None]] = self._place_tables()
        """Offset of the cells of each table that the module defines; None: they are elsewhere."""
        whole = platform.round_up(CONTENT_OFFSET + self.size) - CONTENT_OFFSET
        self._image: Any = (ctypes.c_uint64 * (whole // 8))()
        self._source: Final = ctypes.addressof(self._image)
        self._bytes: Final = whole
        self._words: Final = memoryview(self._image).cast("B").cast("Q")
        first = code.environment.functions_offset // 8
        end = first + _RECORD * len(code.function_type_ids)
        self._first_record: Final = first
        self._defined: Final = len(code.function_type_ids)
        self._words[first:end] = funcref_records(self._defined, code.function_type_ids, info.imported_functions)
        self._words[VMCONTEXT["builtins"] // 8] = builtins_table(machine)
        self._words[VMCONTEXT["type_ids"] // 8] = code.type_ids_address
        self.computed: Final = self._constant_globals(info)
        """Of the globals that the module defines: numbers of those whose values are to be computed in each instance."""
        # Of the records, every second word from the context on: context and owner, which are one number.
        self._places: list[int | slice] = [VMCONTEXT["store"] // 8, slice(first + _CONTEXT, end, 2)]
        self.memory_places: Final = [memory.offset for memory in self.environment.memories[self.imported_memories :]]
        """Offset of {base, length} of each memory that the module defines."""
        own = slice(self.imported_tables, None)
        tables = [table.offset for table in self.environment.tables[own]]
        self.table_places: Final = list(zip(self.table_types[own], self.cells, tables))
        """Of each table that the module defines: its type, where its cells are if they are in the block, and offset of {base, length}."""
        for offset in (*self.memory_places, *tables):
            self._places += [offset // 8, offset // 8 + 1]
        elements = self._constant_elements(info)
        self.writes_elements: Final = elements is not None
        """Whether all active element segments are written with the rest."""
        self._references: Final = [references for _, references in elements or ()]
        self._places += [place for place, _ in elements or ()]

    def _place_tables(self) -> list[int | None]:
        """Small tables first, then one that may become large."""
        places: list[int | None] = []
        last = None
        for number, table_type in enumerate(self.table_types[self.imported_tables :]):
            limits = table_type.limits
            small = most_elements(limits) * CELL <= SMALL
            if not small and limits.minimum * CELL <= SMALL:
                last = number
            places.append(self.size if small else None)
            self.size += most_elements(limits) * CELL if small else 0
        if last is not None:
            limits = self.table_types[self.imported_tables + last].limits
            places[last] = self.size
            self.size += limits.minimum * CELL
            self.room = (most_elements(limits) - limits.minimum) * CELL
        return places

    def _constant_globals(self, info: ModuleInfo) -> list[int]:
        """Put the constants there; the numbers of all others."""
        computed = []
        for number in range(self.imported_globals, len(info.globals)):
            item, offset = info.globals[number], self.environment.globals[number].offset
            assert item.init is not None
            bits = constant_bits(item.init)
            if bits is None or item.type.value & 7 >= NULLABLE_REFERENCE:
                computed.append(number)
            else:
                self._words[offset // 8] = bits & 0xFFFFFFFFFFFFFFFF
                self._words[offset // 8 + 1] = bits >> 64
        return computed

    def _constant_elements(self, info: ModuleInfo) -> list[tuple[slice, list[int]]] | None:
        """Words of cells, and offsets of the funcref records in them, by active segment, in order; None unless all segments have them."""
        found = []
        for segment in info.elements:
            if segment.mode == ACTIVE:
                first = self._first_cell(info, segment)
                functions = memoryview(segment.functions).cast("I")
                if first is None or any(function < info.imported_functions for function in functions):
                    return None
                base = self.environment.functions_offset - FUNCREF_SIZE * info.imported_functions
                records = [base + FUNCREF_SIZE * function for function in functions]
                found.append((slice(first, first + len(records)), records))
        return found

    def _first_cell(self, info: ModuleInfo, segment: ElementSegment) -> int | None:
        """The word where an active segment of functions begins; None where that is not known, or not in the block."""
        assert segment.offset is not None
        table, at = info.tables[segment.table], constant_bits(segment.offset)
        number = segment.table - self.imported_tables
        cells = self.cells[number] if number >= 0 and table.init is None else None
        if at is None or cells is None or segment.expressions or at + len(segment) > table.type.limits.minimum:
            return None
        return cells // 8 + at

    def set_entry(self, function: int, address: int) -> None:
        """Where the n-th defined function begins, in instances that are made from now on."""
        self._words[self._first_record + _RECORD * function + _CODE] = address

    def write(self, context: int, store: int, spaces: list[int]) -> None:
        """Write a VMContext and all behind it, at once: base and length of memories and tables that the module defines are given."""
        column = memoryview(array("Q", (context,)) * (2 * self._defined))
        cells = [memoryview(array("Q", [context + offset for offset in offsets])) for offsets in self._references]
        words = map(_put, repeat(self._words), self._places, (store, column, *spaces, *cells))
        platform.at_once(words, platform.copying(context, self._source, self._bytes))


def template_of(info: ModuleInfo, code: Code, machine: Machine) -> Template:
    """The template of a module's code, made once."""
    found = code.template
    if found is None:
        found = code.template = Template(info, code, machine)
        # Only now: what is compiled meanwhile is put there by who compiles.
        for function, address in enumerate(code.entries):
            found.set_entry(function, address)
    return found

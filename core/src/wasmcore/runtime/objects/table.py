"""Tables of references."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager, nullcontext
from operator import index
from weakref import ref

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.space import Space, checked_limits
from wasmcore.runtime.objects.type_ids import reference_type
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.areas import Area, Areas, Mapping
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import FUNCREF, REFERENCE, Limits, TableType, ValueType, value_type_name

if TYPE_CHECKING:
    from wasmcore.runtime.execution.blocks import Block

MAXIMUM_ELEMENTS: Final = 10_000_000
"""Of all tables that an instance defines, and of one that Python makes."""
CELL: Final = 8
"""Bytes of an element."""
SMALL: Final = 1 << 12
"""Bytes that a table may have at most to be allocated whole and without pages of its own."""


def most_elements(limits: Limits) -> int:
    """How many elements a table with these limits may have."""
    return MAXIMUM_ELEMENTS if limits.maximum is None else min(limits.maximum, MAXIMUM_ELEMENTS)


_large: Final = Areas(Area.emptying)


class TableSpace(Space):
    """What the runtime uses of a table: its cells, as the bits of references."""

    __slots__ = ("_group", "_together", "cells", "element", "largest")
    cells: memoryview[int]
    """All it may become, as `bytes`."""

    def __init__(self, table_type: TableType, together: list[ref[TableSpace]], within: Block | None = None, address: int = 0) -> None:
        """A space of its own, or one of those that an instance has `together`; in a block, from an address on, or wherever."""
        limits = table_type.limits
        self.element = table_type.element
        self._together = together
        self._check_total(limits.minimum)
        self.largest = most_elements(limits)
        """Elements it may have."""
        self._group: Group | None = None
        size = self.largest * CELL
        if within is not None:
            super().__init__(within, address, CELL, limits.minimum, min(size, within.end - address) // CELL)
        elif size <= SMALL:
            array = (ctypes.c_uint64 * max(self.largest, 1))()
            super().__init__(array, ctypes.addressof(array), CELL, limits.minimum, self.largest)
        else:
            writable = platform.round_up(limits.minimum * CELL)
            mapping = Mapping(_large, platform.round_up(size), max(writable, platform.PAGE_SIZE))
            mapping.area.open(writable)
            super().__init__(mapping, mapping.address, CELL, limits.minimum, min(size, mapping.area.size) // CELL)
        together.append(ref(self))

    def __getattr__(self, name: str) -> Any:
        if name == "cells":
            self.cells = self.bytes.cast("Q") if self.capacity else memoryview(b"").cast("Q")
            return self.cells
        return super().__getattr__(name)

    def _check_total(self, elements: int) -> None:
        total = sum([space.length for found in self._together if (space := found())]) + elements
        if total > MAXIMUM_ELEMENTS:
            raise MemoryError(f"{total} elements in the tables of one instance: the limit is {MAXIMUM_ELEMENTS}")

    def grow(self, elements: int, word: int = 0) -> int:
        """`Space.grow`, if the instance may have so many more."""
        self._check_total(elements)
        return super().grow(elements, word)

    def _refusal(self, before: int, elements: int) -> str:
        text = f"a table of {before} elements can not grow by {elements}"
        if before + elements > self.largest:
            return f"{text}: its maximum is {self.largest}"
        if before + elements > self.capacity:
            return f"{text}: the system gave it address space for {self.capacity}"
        return text

    def bits_at(self, place: int) -> int | None:
        """The bits of the reference at an index, None beyond the end."""
        return self.cells[place] if place < self.length else None

    def fill(self, start: int, bits: int, elements: int) -> None:
        """Set elements to the bits of a reference; the caller has checked the bounds."""
        platform.at_once(platform.filling(self.address + start * CELL, bits, elements))

    def write(self, to: int, address: int, elements: int) -> None:
        """Copy the bits of references from an address; the caller has checked the bounds."""
        platform.copy(self.address + to * CELL, address, elements * CELL)

    def copy_from(self, source: TableSpace, to: int, start: int, elements: int) -> None:
        """Copy elements of a table, which may be this one; the caller has checked the bounds."""
        self.write(to, source.address + start * CELL, elements)

    def extern_cells(self) -> tuple[int, int]:
        """Address and number of its cells."""
        return self.address, self.length

    def extern_at(self, place: int) -> Any:
        """The object whose externref is at an index, None for null."""
        return self._group.extern_at(self.address + place * CELL) if self._group else None

    def holding(self, value: Any) -> AbstractContextManager[int]:
        """The bits of an element, to be written within."""
        if value is not None and references.is_extern(self.element):
            return (self._group or self.join(Group())).holding(value)
        function = references.function_object(value)
        if function is not None:
            self.join(function._group)
        return nullcontext(references.to_bits(self.element, value))

    def join(self, group: Group) -> Group:
        """Become part of a group, which merges with the one it is in; the group of both."""
        if self._group is not None:
            self._group = self._group.join(group)
        else:
            self._group = group
            if references.is_extern(self.element):
                group.add_root(self)
        return self._group


class Table(Unique):
    """A table: `Table(minimum=1, maximum=10, element="funcref")`, a sequence of functions, other objects ("externref"), or None.

    ValueError for impossible limits, MemoryError for more elements than there may be (ten million) or than there is memory for.
    """

    __slots__ = ("__weakref__", "_space", "_type")
    _instead = ": make another Table and set its elements"

    def __init__(
        self, minimum: int, maximum: int | None = None, *, element: ValueType | str = FUNCREF, initial: Any = None
    ) -> None:
        limits = checked_limits(minimum, maximum, (1 << 32) - 1, "elements")
        table_type = TableType(reference_type(element), limits)
        self._setup(table_type, TableSpace(table_type, []))
        if initial is not None or (limits.minimum and self._type.element & 7 == REFERENCE):
            with self._space.holding(initial) as bits:
                self._space.fill(0, bits, limits.minimum)

    def _setup(self, table_type: TableType, space: TableSpace) -> None:
        self._made_once("_space")
        self._type = table_type
        self._space = space

    @property
    def type(self) -> TableType:
        """Its type, the minimum being the present size."""
        return self._present_type()

    def _present_type(self) -> TableType:
        return self._type._replace(limits=self._type.limits._replace(minimum=self._space.length))

    @property
    def element(self) -> ValueType:
        """The type of its elements."""
        return self._type.element

    def __len__(self) -> int:
        return self._space.length

    def __getitem__(self, place: int) -> Any:
        space, number = self._space, self._checked(place)
        if references.is_extern(space.element):
            return space.extern_at(number)
        return references.from_bits(space.element, space.cells[number])

    def __setitem__(self, place: int, value: Any) -> None:
        number = self._checked(place)
        with self._space.holding(value) as bits:
            self._space.cells[number] = bits

    def _checked(self, place: int) -> int:
        number = index(place)
        if not 0 <= number < self._space.length:
            raise IndexError(f"index {number} is outside of a table of {self._space.length} elements")
        return number

    def grow(self, elements: int, value: Any = None) -> int:
        """Make it larger by so many elements and return the size before; MemoryError where its maximum or the system forbids."""
        if index(elements) < 0:
            raise ValueError(f"a table can not shrink: grow({elements})")
        with self._space.holding(value) as bits:
            return self._space.grow(index(elements), bits)

    def __repr__(self) -> str:
        return f"<wasmcore.Table of {len(self)} {value_type_name(self.element)}>"


def table_of(table_type: TableType, space: TableSpace) -> Table:
    """The table, of a process type, that has this space."""
    table = Table.__new__(Table)
    table._setup(table_type, space)
    return table

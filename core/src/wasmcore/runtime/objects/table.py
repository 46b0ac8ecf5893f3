"""Tables of references."""

from __future__ import annotations

import ctypes
from contextlib import AbstractContextManager, nullcontext
from weakref import WeakKeyDictionary

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.types import FUNCREF, Limits, TableType, ValueType, value_type_name

if TYPE_CHECKING:
    from wasmcore.runtime.instances.instance import InstanceState

MAXIMUM_ELEMENTS: Final = 10_000_000


class Table:
    """A table: `Table(minimum=1, maximum=10, element=FUNCREF)`, a sequence of functions, other objects (externref), or None."""

    def __init__(self, minimum: int, maximum: int | None = None, *, element: ValueType = FUNCREF, initial: Any = None) -> None:
        self._setup(TableType(element, Limits(minimum, maximum)))
        if initial is not None:
            with self._bits(initial) as bits:
                self.fill_bits(0, bits, minimum)

    @classmethod
    def of_type(cls, table_type: TableType) -> Table:
        """A table of this type, full of null."""
        table = cls.__new__(cls)
        table._setup(table_type)
        return table

    def _setup(self, table_type: TableType) -> None:
        limits = table_type.limits
        if not 0 <= limits.minimum <= MAXIMUM_ELEMENTS or (limits.maximum is not None and limits.minimum > limits.maximum):
            raise ValueError(f"table limits {limits} are not within 0..{MAXIMUM_ELEMENTS} elements")
        self.element = table_type.element
        self._declared_maximum = limits.maximum
        self._index64 = limits.index64
        self._cells: Any = (ctypes.c_uint64 * limits.minimum)()
        self._left: list[Any] = []
        """Where it was before it moved, as long as code of another thread may still look there."""
        self._mirrors: WeakKeyDictionary[InstanceState, list[int]] = WeakKeyDictionary()
        self._group: Group | None = None

    @property
    def type(self) -> TableType:
        """Its type, the minimum being the present size."""
        return TableType(self.element, Limits(len(self._cells), self._declared_maximum, index64=self._index64))

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: int) -> Any:
        place = self._checked(index)
        if references.is_extern(self.element):
            return self._group.extern_at(ctypes.addressof(self._cells) + 8 * place) if self._group else None
        return references.from_bits(self.element, self._cells[place])

    def __setitem__(self, index: int, value: Any) -> None:
        place = self._checked(index)
        with self._bits(value) as bits:
            self._cells[place] = bits

    def _bits(self, value: Any) -> AbstractContextManager[int]:
        """The bits of an element, to be written within."""
        if value is not None and references.is_extern(self.element):
            return (self._group or self.join(Group())).holding(value)
        function = references.function_object(value)
        if function is not None:
            self.join(function.owner.group)
        return nullcontext(references.to_bits(self.element, value))

    def extern_cells(self) -> tuple[int, int]:
        """Address and number of its cells."""
        return ctypes.addressof(self._cells), len(self._cells)

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._cells):
            raise IndexError(f"index {index} is outside of a table of {len(self._cells)} elements")
        return index

    def grow(self, elements: int, value: Any = None) -> int:
        """Make it larger by so many elements and return the size before; MemoryError where its maximum forbids."""
        with self._bits(value) as bits:
            return self.grow_bits(elements, bits)

    def grow_bits(self, elements: int, bits: int) -> int:
        """`grow` with the bits of a reference."""
        before = len(self._cells)
        largest = MAXIMUM_ELEMENTS if self._declared_maximum is None else min(self._declared_maximum, MAXIMUM_ELEMENTS)
        if elements < 0 or before + elements > largest:
            raise MemoryError(f"a table of {before} elements can not grow by {elements}: its maximum is {largest}")
        cells = (ctypes.c_uint64 * (before + elements))()
        ctypes.memmove(cells, self._cells, before * 8)
        if any(state.group.store.busy_elsewhere for state in self._mirrors):
            self._left.append(self._cells)
        else:
            self._left.clear()
        self._cells = cells
        self.fill_bits(before, bits, elements)
        for addresses in self._mirrors.values():
            for address in addresses:
                self._publish(address)
        return before

    def bits_at(self, index: int) -> int | None:
        """The bits of the reference at an index, None beyond the end."""
        return int(self._cells[index]) if index < len(self._cells) else None

    def fill_bits(self, index: int, bits: int, elements: int) -> None:
        """Set elements to the bits of a reference; the caller has checked the bounds."""
        if bits:
            self._cells[index : index + elements] = [bits] * elements
        else:
            ctypes.memset(ctypes.addressof(self._cells) + index * 8, 0, elements * 8)

    def write_bits(self, index: int, bits: ctypes.Array[ctypes.c_uint64], start: int, elements: int) -> None:
        """Copy bits of references in; the caller has checked the bounds."""
        ctypes.memmove(ctypes.addressof(self._cells) + index * 8, ctypes.addressof(bits) + start * 8, elements * 8)

    def copy_from(self, source: Table, to: int, start: int, elements: int) -> None:
        """Copy elements of a table, which may be this one; the caller has checked the bounds."""
        self.write_bits(to, source._cells, start, elements)

    def join(self, group: Group) -> Group:
        """Become part of a group, which merges with the one it is in; the group of both."""
        if self._group is not None:
            self._group = self._group.join(group)
        else:
            self._group = group
            if references.is_extern(self.element):
                group.add_root(self)
        return self._group

    def attach(self, state: InstanceState, address: int) -> None:
        """Keep {base, length} at this address of an instance's context true."""
        self._mirrors.setdefault(state, []).append(address)
        self._publish(address)

    def _publish(self, address: int) -> None:
        pair = (ctypes.c_uint64 * 2).from_address(address)
        pair[0] = ctypes.addressof(self._cells)
        pair[1] = len(self._cells)

    def __repr__(self) -> str:
        return f"<wasmcore.Table of {len(self)} {value_type_name(self.element)}>"

"""Memories, globals and tables."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import append, i64, vec
from wasmcore_singlepass.allocation import BASE_BIT, CONSTANT, KIND_MASK, TYPE_SHIFT
from wasmcore_singlepass.operators import Operators
from wasmcore_singlepass.registers import RegisterFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# Bits of the description of a memory.
MEMORY_INDEX64: Final = 1
MEMORY_GUARDED: Final = 2
# Bits of the description of a global.
GLOBAL_INDIRECT: Final = 1

_BUILTIN_MEMORY_GROW: Final = 2
_BUILTIN_MEMORY_INIT: Final = 3
_BUILTIN_DATA_DROP: Final = 4
_BUILTIN_TABLE_GROW: Final = 5
_BUILTIN_TABLE_FILL: Final = 6
_BUILTIN_TABLE_COPY: Final = 7
_BUILTIN_TABLE_INIT: Final = 8
_BUILTIN_ELEM_DROP: Final = 9

_LOAD_BYTES: Final = b"\x04\x08\x04\x08\x01\x01\x02\x02\x01\x01\x02\x02\x04\x04"
_STORE_BYTES: Final = b"\x04\x08\x04\x08\x01\x02\x01\x02\x04\x01\x02\x04\x08\x10"
PLAIN_ACCESS: Final = 9
"""Added to the logarithm of the bytes: the kind of an access of that size."""


def numbers(items: list[int]) -> vec[i64]:
    """A vector of native integers."""
    result: vec[i64] = vec[i64]()
    for item in items:
        result = append(result, i64(item))
    return result


class Accesses(Operators):
    """Instructions that reach something through the context; the tables of its layout."""

    def __init__(self, registers: RegisterFile) -> None:
        super().__init__(registers)
        self.memory_offset: vec[i64] = vec[i64]()
        self.memory_bits: vec[i64] = vec[i64]()
        self.memory_page: vec[i64] = vec[i64]()
        self.table_offset: vec[i64] = vec[i64]()
        self.table_index64: vec[i64] = vec[i64]()
        self.global_offset: vec[i64] = vec[i64]()
        self.global_bits: vec[i64] = vec[i64]()
        self.based = False  # memory 0 is reached through the base register
        self.folded: i64 = 0
        self.load_types: Final = vec[i64]([1, 2, 3, 4, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2])

    def set_layout(self, memories: list[list[int]], tables: list[list[int]], globals_: list[list[int]]) -> None:
        """Memories: offsets, bits, logarithms of the page size; tables: offsets, index64; globals: offsets, bits."""
        self.memory_offset = numbers(memories[0])
        self.memory_bits = numbers(memories[1])
        self.memory_page = numbers(memories[2])
        self.table_offset = numbers(tables[0])
        self.table_index64 = numbers(tables[1])
        self.global_offset = numbers(globals_[0])
        self.global_bits = numbers(globals_[1])
        self.based = False
        if len(self.memory_offset) > 0:
            self.based = self.memory_bits[0] == MEMORY_GUARDED
            self.base_offset = self.memory_offset[0]

    # Memories

    def pop_address(self, memory: i64, offset: i64, size: i64) -> i64:
        """Pop an address of a memory that is not reached through the base register: a temporary with the machine address."""
        a = self.pop()
        d = a if self.is_temporary(a) else self.take_any()
        bits = self.memory_bits[memory]
        if bits & MEMORY_GUARDED == 0:
            size |= m.CHECKED
        if bits & MEMORY_INDEX64:
            size |= m.INDEX64
        self.emit_long(m.MEMORY_ADDRESS, size, d, a, 0, self.memory_offset[memory], offset)
        return d

    def load(self, kind: i64, memory: i64, offset: i64) -> None:
        """Load; kind is the opcode less 0x28."""
        loaded_type = self.load_types[kind]
        size = kind
        reuse: i64 = -1
        a: i64 = m.NO_REGISTER
        if memory == 0 and self.based:
            if self.valid & BASE_BIT == 0:
                self.load_base()
            top = self.top - 1
            if self.shape[top] & KIND_MASK == CONSTANT and (self.value[top] & 0xFFFFFFFF) + offset <= 0x7FFFFFFF:
                offset += self.value[top] & 0xFFFFFFFF
                self.forget_top()
            else:
                a = self.pop()
                reuse = a
        else:
            a = self.pop_address(memory, offset, i64(_LOAD_BYTES[kind]))
            offset = 0
            reuse = a
            size |= m.ABSOLUTE
        if loaded_type == 3 or loaded_type == 4:
            d = self.destination_float(-1)
            self.emit_constant(m.FLOAT_LOAD, size, d, a, 0, offset)
            if reuse >= 0:
                self.give(reuse)
            self.push_float(d, loaded_type)
            return
        d = self.destination(reuse)
        self.emit_constant(m.LOAD, size, d, a, 0, offset)
        self.push_register(d, loaded_type)

    def store(self, kind: i64, memory: i64, offset: i64) -> None:
        """Store; kind is the opcode less 0x36."""
        top = self.top - 1
        size = kind
        based = memory == 0 and self.based
        if kind == 2 or kind == 3:
            x = self.pop_float()
            a = self.pop_access_address(memory, offset, kind)
            if not based:
                size |= m.ABSOLUTE
            self.emit_constant(m.FLOAT_STORE, size, 0, a, x, self.access_offset(offset, based))
            self.give_float(x)
        elif self.shape[top] & KIND_MASK == CONSTANT and -0x80000000 <= self.value[top] <= 0x7FFFFFFF and 0 <= offset <= 0x7FFFFFFF:
            value = self.value[top]
            self.forget_top()
            a = self.pop_access_address(memory, offset, kind)
            if not based:
                size |= m.ABSOLUTE
            self.emit_long(m.STORE_CONSTANT, size, 0, a, 0, self.access_offset(offset, based), value)
        else:
            b = self.pop()
            a = self.pop_access_address(memory, offset, kind)
            if not based:
                size |= m.ABSOLUTE
            self.emit_constant(m.STORE, size, 0, a, b, self.access_offset(offset, based))
            self.give(b)
        if a != m.NO_REGISTER:
            self.give(a)

    def pop_access_address(self, memory: i64, offset: i64, kind: i64) -> i64:
        """Pop the address of an access (kind: as of `store`, or PLAIN_ACCESS plus the logarithm of the bytes); afterwards `folded` is
        what a constant address adds to the offset."""
        self.folded = 0
        if memory != 0 or not self.based:
            return self.pop_address(memory, offset, i64(_STORE_BYTES[kind]))
        if self.valid & BASE_BIT == 0:
            self.load_base()
        top = self.top - 1
        if self.shape[top] & KIND_MASK == CONSTANT and (self.value[top] & 0xFFFFFFFF) + offset <= 0x7FFFFFFF:
            self.folded = self.value[top] & 0xFFFFFFFF
            self.forget_top()
            return m.NO_REGISTER
        return self.pop()

    def access_offset(self, offset: i64, based: bool) -> i64:
        """What is still to be added to the address register."""
        if based:
            return offset + self.folded
        return 0

    def memory_size(self, memory: i64) -> None:
        """Push the size in pages."""
        index64 = self.memory_bits[memory] & MEMORY_INDEX64
        d = self.destination(-1)
        self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, self.memory_offset[memory] + 8)
        page = self.memory_page[memory]
        if page:
            self.emit(m.SHIFT_CONSTANT, m.WIDE | (m.SHR_U << 1), d, d, 0, page)
        self.push_register(d, 1 + index64)

    # Globals

    def global_get(self, index: i64, value_type: i64) -> None:
        """Push a global."""
        if value_type == 5:
            self.global_get_vector(index)
            return
        offset = self.global_offset[index]
        is_float = value_type == 3 or value_type == 4
        wide: i64 = 0 if value_type == 1 or value_type == 3 else 1
        if self.global_bits[index] & GLOBAL_INDIRECT == 0:
            if is_float:
                d = self.destination_float(-1)
                self.emit(m.FLOAT_LOAD_CONTEXT, wide, d, 0, 0, offset)
                self.push_float(d, value_type)
            else:
                d = self.destination(-1)
                self.emit(m.LOAD_CONTEXT, wide, d, 0, 0, offset)
                self.push_register(d, value_type)
            return
        cell = self.take_any()
        self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, offset)
        if is_float:
            d = self.destination_float(-1)
            self.emit(m.FLOAT_LOAD, m.ABSOLUTE | (2 + wide), d, cell, 0, 0)
            self.give(cell)
            self.push_float(d, value_type)
        else:
            d = self.destination(cell)
            self.emit(m.LOAD, m.ABSOLUTE | wide, d, cell, 0, 0)
            self.push_register(d, value_type)

    def global_set(self, index: i64, value_type: i64) -> None:
        """Pop a global's new value."""
        if value_type == 5:
            self.global_set_vector(index)
            return
        offset = self.global_offset[index]
        is_float = value_type == 3 or value_type == 4
        wide: i64 = 0 if value_type == 1 or value_type == 3 else 1
        source = self.pop_float() if is_float else self.pop()
        if self.global_bits[index] & GLOBAL_INDIRECT == 0:
            self.emit(m.FLOAT_STORE_CONTEXT if is_float else m.STORE_CONTEXT, wide, 0, source, 0, offset)
        else:
            cell = self.take_any()
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, offset)
            if is_float:
                self.emit(m.FLOAT_STORE, m.ABSOLUTE | (2 + wide), 0, cell, source, 0)
            else:
                self.emit(m.STORE, m.ABSOLUTE | wide, 0, cell, source, 0)
            self.give(cell)
        if is_float:
            self.give_float(source)
        else:
            self.give(source)

    def global_get_vector(self, index: i64) -> None:
        """Push a global of type v128."""
        offset = self.global_offset[index]
        if self.global_bits[index] & GLOBAL_INDIRECT == 0:
            d = self.destination_float(-1)
            self.emit(m.VECTOR_LOAD_CONTEXT, 0, d, 0, 0, offset)
        else:
            cell = self.take_any()
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, offset)
            d = self.destination_float(-1)
            self.emit(m.VECTOR_LOAD, m.ABSOLUTE, d, cell, 0, 0)
            self.give(cell)
        self.push_float(d, 5)

    def global_set_vector(self, index: i64) -> None:
        """Pop the new value of a global of type v128."""
        offset = self.global_offset[index]
        source = self.pop_float()
        if self.global_bits[index] & GLOBAL_INDIRECT == 0:
            self.emit(m.VECTOR_STORE_CONTEXT, 0, 0, source, 0, offset)
        else:
            cell = self.take_any()
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, offset)
            self.emit(m.VECTOR_STORE, m.ABSOLUTE, 0, cell, source, 0)
            self.give(cell)
        self.give_float(source)

    # Tables

    def table_get(self, table: i64) -> None:
        """Pop an index, push the element."""
        a = self.pop()
        d = self.destination(a)
        self.emit(m.TABLE_ADDRESS, 0, d, a, 0, self.table_offset[table])
        self.emit(m.LOAD, m.ABSOLUTE | 1, d, d, 0, 0)
        self.push_register(d, 6)

    def table_set(self, table: i64) -> None:
        """Pop an element and its index."""
        b = self.pop()
        a = self.pop()
        d = a if self.is_temporary(a) else self.take_any()
        self.emit(m.TABLE_ADDRESS, 0, d, a, 0, self.table_offset[table])
        self.emit(m.STORE, m.ABSOLUTE | 1, 0, d, b, 0)
        self.give(d)
        self.give(b)

    def table_size(self, table: i64) -> None:
        """Push the number of elements."""
        index64 = self.table_index64[table]
        d = self.destination(-1)
        self.emit(m.LOAD_CONTEXT, index64, d, 0, 0, self.table_offset[table] + 8)
        self.push_register(d, 1 + index64)

    # Bulk operations

    def grow(self, builtin: i64, index: i64, params: i64, index64: i64) -> None:
        """memory.grow and table.grow: the old size or -1, in the index type."""
        self.call_builtin(builtin, 1, index, 0, params)
        self.push_integer_result(i64(self.integer_results[0]), 1 + index64)

    def bulk(self, code: i64, immediate: i64, flags: i64) -> None:
        """Codes 0x108 to 0x111 and memory.grow."""
        if code == 0x40:
            self.grow(_BUILTIN_MEMORY_GROW, immediate, 1, self.memory_bits[immediate] & MEMORY_INDEX64)
        elif code == 0x108:
            self.call_builtin(_BUILTIN_MEMORY_INIT, 2, flags, immediate, 3)
        elif code == 0x109:
            self.call_builtin(_BUILTIN_DATA_DROP, 1, immediate, 0, 0)
        elif code == 0x10A:
            size = (self.memory_bits[immediate] & MEMORY_INDEX64) | ((self.memory_bits[flags] & MEMORY_INDEX64) << 1)
            self.call_native(m.MEMORY_COPY, self.memory_offset[immediate], self.memory_offset[flags], size)
        elif code == 0x10B:
            self.call_native(m.MEMORY_FILL, self.memory_offset[immediate], 0, self.memory_bits[immediate] & MEMORY_INDEX64)
        elif code == 0x10C:
            self.call_builtin(_BUILTIN_TABLE_INIT, 2, flags, immediate, 3)
        elif code == 0x10D:
            self.call_builtin(_BUILTIN_ELEM_DROP, 1, immediate, 0, 0)
        elif code == 0x10E:
            self.call_builtin(_BUILTIN_TABLE_COPY, 2, immediate, flags, 3)
        elif code == 0x10F:
            self.swap_top()
            self.grow(_BUILTIN_TABLE_GROW, immediate, 2, self.table_index64[immediate])
        elif code == 0x110:
            self.table_size(immediate)
        else:
            self.call_builtin(_BUILTIN_TABLE_FILL, 1, immediate, 0, 3)

    def swap_top(self) -> None:
        """Exchange the two entries at the top: table.grow has the value below the count, its built-in the other way round."""
        count = self.pop_temporary()
        count_type = i64(self.shape[self.top]) >> TYPE_SHIFT
        value = self.pop_temporary()
        self.push_register(count, count_type)
        self.push_register(value, 6)

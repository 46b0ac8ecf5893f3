"""Memories, globals and tables."""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore.errors import TrapKind
from wasmcore.plugin.builtins import BUILTIN_NUMBERS
from wasmcore.plugin.layout import VMCONTEXT
from wasmcore.stream import MEMORY_INDEX_MASK
from wasmcore_llvm.convention import TYPES
from wasmcore_llvm.text.reach import Reach
from wasmcore_llvm.text.state import CONTEXT_ACCESS, INVARIANT, MEMORY_ACCESS, TABLE_ACCESS

LOADS: Final = {
    0x28: ("i32", "i32", ""),
    0x29: ("i64", "i64", ""),
    0x2A: ("float", "float", ""),
    0x2B: ("double", "double", ""),
    0x2C: ("i8", "i32", "sext"),
    0x2D: ("i8", "i32", "zext"),
    0x2E: ("i16", "i32", "sext"),
    0x2F: ("i16", "i32", "zext"),
    0x30: ("i8", "i64", "sext"),
    0x31: ("i8", "i64", "zext"),
    0x32: ("i16", "i64", "sext"),
    0x33: ("i16", "i64", "zext"),
    0x34: ("i32", "i64", "sext"),
    0x35: ("i32", "i64", "zext"),
    0x200: ("<2 x i64>", "<2 x i64>", ""),
}
"""Type in memory, type of the value, how it is extended."""
STORES: Final = {
    0x36: ("i32", "i32"),
    0x37: ("i64", "i64"),
    0x38: ("float", "float"),
    0x39: ("double", "double"),
    0x3A: ("i8", "i32"),
    0x3B: ("i16", "i32"),
    0x3C: ("i8", "i64"),
    0x3D: ("i16", "i64"),
    0x3E: ("i32", "i64"),
    0x20B: ("<2 x i64>", "<2 x i64>"),
}
"""Type in memory, type of the value."""
SIZES: Final = {"i8": 1, "i16": 2, "i32": 4, "i64": 8, "float": 4, "double": 8, "<2 x i64>": 16}
"""Bytes of each type."""
_ALL: Final = (1 << 64) - 1


class Place(NamedTuple):
    """A machine address, and how to load and store there: volatile or not, in which group."""

    pointer: str
    load: str
    store: str
    group: str


class Memory(Reach):
    """What is reached through the VMContext."""

    # Addresses

    def address(self, memory: int, offset: int, size: int, loads: bool) -> Place:
        """Pop an address: the machine address of `size` bytes, and how they are to be accessed; `loads` says that they are only loaded."""
        plan = self.environment.memories[memory]
        a = self.pop()
        if plan.index64:
            return Place(self.checked64(memory, a, offset & _ALL, size), "", " volatile", "")
        offset &= 0xFFFFFFFF
        load = " volatile"
        if plan.guarded:
            if not loads:
                self.access(memory, a, offset, size)
            elif self.certain(memory, a, offset, size):
                load = ""
        if a[0] != "%":
            at = str((int(a) & 0xFFFFFFFF) + offset)
            offset = 0
        else:
            at = self.value(f"zext i32 {a} to i64")
        if plan.guarded:
            base = self.value(f"load ptr, ptr {self.field(plan.offset)}, align 8{INVARIANT}")
            return Place(self.offset_pointer(base, at, offset), load, " volatile", "")
        end = self.value(f"add nuw nsw i64 {at}, {offset + size}")
        self.trap_if(self.value(f"icmp ugt i64 {end}, {self.memory_length(memory)}"), TrapKind.MEMORY_OUT_OF_BOUNDS)
        return Place(self.offset_pointer(self.memory_base(memory), at, offset), "", " volatile", "")

    def offset_pointer(self, base: str, at: str, offset: int) -> str:
        """A base, an index and a constant."""
        pointer = self.value(f"getelementptr i8, ptr {base}, i64 {at}")
        return self.value(f"getelementptr i8, ptr {pointer}, i64 {offset}") if offset else pointer

    def checked64(self, memory: int, a: str, offset: int, size: int) -> str:
        """An address of 64 bits; the end of the access may be beyond 64 bits."""
        end = self.checked_sum(a, min(offset + size, _ALL), TrapKind.MEMORY_OUT_OF_BOUNDS)
        self.trap_if(self.value(f"icmp ugt i64 {end}, {self.memory_length(memory)}"), TrapKind.MEMORY_OUT_OF_BOUNDS)
        return self.offset_pointer(self.memory_base(memory), a, offset)

    def checked_sum(self, x: str, y: int | str, kind: TrapKind) -> str:
        """The sum of two i64, which traps if it has more than 64 bits."""
        callee = self.intrinsic("{i64, i1}", "llvm.uadd.with.overflow.i64", "i64, i64")
        pair = self.value(f"call {callee}(i64 {x}, i64 {y})")
        self.trap_if(self.value(f"extractvalue {{i64, i1}} {pair}, 1"), kind)
        return self.value(f"extractvalue {{i64, i1}} {pair}, 0")

    def memory_base(self, memory: int) -> str:
        """The address of byte 0 as it is now."""
        plan = self.environment.memories[memory]
        return self.value(f"load ptr, ptr {self.field(plan.offset)}, align 8{INVARIANT if plan.guarded else CONTEXT_ACCESS}")

    def memory_length(self, memory: int) -> str:
        """The length in bytes as it is now."""
        return self.value(f"load i64, ptr {self.field(self.environment.memories[memory].offset + 8)}, align 8{CONTEXT_ACCESS}")

    def load_from(self, value_type: str, flags: int, offset: int) -> str:
        """Pop an address, load from there."""
        to = self.address(flags & MEMORY_INDEX_MASK, offset, SIZES[value_type], True)
        x = self.value(f"load{to.load} {value_type}, ptr {to.pointer}, align 1{MEMORY_ACCESS}{to.group}{self.fault_place()}")
        self.loads[x] = self.word
        return x

    def store_to(self, value_type: str, x: str, flags: int, offset: int) -> None:
        """Pop an address, store there."""
        to = self.address(flags & MEMORY_INDEX_MASK, offset, SIZES[value_type], False)
        self.write(f"store{to.store} {value_type} {x}, ptr {to.pointer}, align 1{MEMORY_ACCESS}{to.group}{self.fault_place()}")

    def load(self, code: int, flags: int, offset: int) -> None:
        """All plain loads."""
        memory_type, value_type, extension = LOADS[code]
        x = self.load_from(memory_type, flags, offset)
        self.stack.append(self.value(f"{extension} {memory_type} {x} to {value_type}") if extension else x)

    def store(self, code: int, flags: int, offset: int) -> None:
        """All plain stores."""
        memory_type, value_type = STORES[code]
        x = self.stack.pop() if value_type in ("float", "double") else self.pop()
        if memory_type != value_type:
            x = self.value(f"trunc {value_type} {x} to {memory_type}")
        self.store_to(memory_type, x, flags, offset)

    def memory_size(self, memory: int) -> None:
        """Push the size in pages."""
        plan = self.environment.memories[memory]
        pages = self.value(f"lshr i64 {self.memory_length(memory)}, {plan.page_size_log2}")
        self.stack.append(pages if plan.index64 else self.value(f"trunc i64 {pages} to i32"))

    # Globals

    def global_place(self, index: int) -> tuple[str, str]:
        """The address of a global's value, and its type."""
        plan = self.environment.globals[index]
        place = self.field(plan.offset)
        if plan.indirect:
            place = self.value(f"load ptr, ptr {place}, align 8{INVARIANT}")
        return place, TYPES[plan.machine_class]

    def global_get(self, index: int) -> None:
        """Push a global."""
        place, value_type = self.global_place(index)
        access = CONTEXT_ACCESS if self.environment.globals[index].mutable else INVARIANT
        self.stack.append(self.value(f"load {value_type}, ptr {place}, align 8{access}"))

    def global_set(self, index: int) -> None:
        """Pop a global's new value."""
        x = self.pop()
        place, value_type = self.global_place(index)
        self.write(f"store volatile {value_type} {x}, ptr {place}, align 8{CONTEXT_ACCESS}")

    # Tables

    def table_length(self, table: int) -> str:
        """The number of elements now."""
        return self.value(f"load i64, ptr {self.field(self.environment.tables[table].offset + 8)}, align 8{CONTEXT_ACCESS}")

    def table_element(self, table: int, kind: TrapKind) -> str:
        """Pop an index; the address of the element."""
        plan = self.environment.tables[table]
        index = self.pop()
        if not plan.index64:
            index = self.value(f"zext i32 {index} to i64")
        fixed = plan.functions is not None
        length = len(plan.functions) >> 2 if plan.functions is not None else self.table_length(table)
        self.trap_if(self.value(f"icmp uge i64 {index}, {length}"), kind)
        base = self.value(f"load ptr, ptr {self.field(plan.offset)}, align 8{INVARIANT if fixed else CONTEXT_ACCESS}")
        return self.value(f"getelementptr inbounds i64, ptr {base}, i64 {index}")

    def table_get(self, table: int) -> None:
        """Pop an index, push the element."""
        place = self.table_element(table, TrapKind.TABLE_OUT_OF_BOUNDS)
        self.stack.append(self.value(f"load i64, ptr {place}, align 8{TABLE_ACCESS}"))

    def table_set(self, table: int) -> None:
        """Pop an element and its index."""
        x = self.pop()
        place = self.table_element(table, TrapKind.TABLE_OUT_OF_BOUNDS)
        self.write(f"store volatile i64 {x}, ptr {place}, align 8{TABLE_ACCESS}")

    def table_size(self, table: int) -> None:
        """Push the number of elements."""
        length = self.table_length(table)
        self.stack.append(length if self.environment.tables[table].index64 else self.value(f"trunc i64 {length} to i32"))

    # Bulk operations

    def wide(self, x: str, index64: bool) -> str:
        """An index as an i64."""
        return x if index64 else self.value(f"zext i32 {x} to i64")

    def memory_grow(self, memory: int) -> None:
        """Pop pages, push the old size or -1."""
        index64 = self.environment.memories[memory].index64
        pages = self.wide(self.pop(), index64)
        old = self.call_builtin("memory_grow", [f"i32 {memory}", f"i64 {pages}"], "i64")
        self.stack.append(old if index64 else self.value(f"trunc i64 {old} to i32"))

    def check_range(self, memory: int, start: str, size: str) -> None:
        """Trap unless a range is inside a memory."""
        if self.environment.memories[memory].index64:
            end = self.checked_sum(start, size, TrapKind.MEMORY_OUT_OF_BOUNDS)
        else:
            end = self.value(f"add nuw nsw i64 {start}, {size}")
        self.trap_if(self.value(f"icmp ugt i64 {end}, {self.memory_length(memory)}"), TrapKind.MEMORY_OUT_OF_BOUNDS)

    def native(self, name: str) -> str:
        """The address of a function of the C library."""
        table = self.value(f"load ptr, ptr {self.field(VMCONTEXT['builtins'])}, align 8{INVARIANT}")
        slot = self.value(f"getelementptr inbounds i8, ptr {table}, i64 {8 * BUILTIN_NUMBERS[name]}")
        return self.value(f"load ptr, ptr {slot}, align 8{INVARIANT}")

    def memory_copy(self, to_memory: int, from_memory: int) -> None:
        """memory.copy: the size has the narrower index type of the two memories."""
        to64, from64 = self.environment.memories[to_memory].index64, self.environment.memories[from_memory].index64
        size, source, to = self.pop(), self.pop(), self.pop()
        size, source, to = self.wide(size, to64 and from64), self.wide(source, from64), self.wide(to, to64)
        self.check_range(to_memory, to, size)
        self.check_range(from_memory, source, size)
        to = self.value(f"getelementptr i8, ptr {self.memory_base(to_memory)}, i64 {to}")
        source = self.value(f"getelementptr i8, ptr {self.memory_base(from_memory)}, i64 {source}")
        code = self.native("memmove")
        self.write(f"notail call ptr {code}(ptr {to}, ptr {source}, i64 {size}){self.place()}")

    def memory_fill(self, memory: int) -> None:
        """memory.fill."""
        index64 = self.environment.memories[memory].index64
        size, byte, to = self.pop(), self.pop(), self.pop()
        size, to = self.wide(size, index64), self.wide(to, index64)
        self.check_range(memory, to, size)
        to = self.value(f"getelementptr i8, ptr {self.memory_base(memory)}, i64 {to}")
        code = self.native("memset")
        self.write(f"notail call ptr {code}(ptr {to}, i32 {byte}, i64 {size}){self.place()}")

    def memory_init(self, segment: int, memory: int) -> None:
        """memory.init."""
        size, source, to = self.pop(), self.pop(), self.pop()
        to = self.wide(to, self.environment.memories[memory].index64)
        source, size = self.wide(source, False), self.wide(size, False)
        self.call_builtin("memory_init", [f"i32 {memory}", f"i32 {segment}", f"i64 {to}", f"i64 {source}", f"i64 {size}"], "void")

    def table_init(self, segment: int, table: int) -> None:
        """table.init."""
        size, source, to = self.pop(), self.pop(), self.pop()
        to = self.wide(to, self.environment.tables[table].index64)
        source, size = self.wide(source, False), self.wide(size, False)
        self.call_builtin("table_init", [f"i32 {table}", f"i32 {segment}", f"i64 {to}", f"i64 {source}", f"i64 {size}"], "void")

    def table_copy(self, to_table: int, from_table: int) -> None:
        """table.copy."""
        to64, from64 = self.environment.tables[to_table].index64, self.environment.tables[from_table].index64
        size, source, to = self.pop(), self.pop(), self.pop()
        size, source, to = self.wide(size, to64 and from64), self.wide(source, from64), self.wide(to, to64)
        arguments = [f"i32 {to_table}", f"i32 {from_table}", f"i64 {to}", f"i64 {source}", f"i64 {size}"]
        self.call_builtin("table_copy", arguments, "void")

    def table_fill(self, table: int) -> None:
        """table.fill."""
        index64 = self.environment.tables[table].index64
        size, x, to = self.pop(), self.pop(), self.pop()
        size, to = self.wide(size, index64), self.wide(to, index64)
        self.call_builtin("table_fill", [f"i32 {table}", f"i64 {to}", f"i64 {x}", f"i64 {size}"], "void")

    def table_grow(self, table: int) -> None:
        """table.grow: the value is below the count."""
        index64 = self.environment.tables[table].index64
        count, x = self.pop(), self.pop()
        old = self.call_builtin("table_grow", [f"i32 {table}", f"i64 {self.wide(count, index64)}", f"i64 {x}"], "i64")
        self.stack.append(old if index64 else self.value(f"trunc i64 {old} to i32"))

    def drop_segment(self, builtin: str, segment: int) -> None:
        """data.drop and elem.drop."""
        self.call_builtin(builtin, [f"i32 {segment}"], "void")

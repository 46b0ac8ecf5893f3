"""Atomic accesses."""

from __future__ import annotations

from typing import Final

from wasmcore.errors import TrapKind
from wasmcore.stream import MEMORY_INDEX_MASK
from wasmcore_llvm.text.memory import SIZES, Memory

_LOAD: Final = 0x610
_STORE: Final = 0x617
_UPDATE: Final = 0x61E
_COMPARE_EXCHANGE: Final = 0x648
_END: Final = 0x64F
_WIDTHS: Final = (("i32", "i32"), ("i64", "i64"), ("i8", "i32"), ("i16", "i32"), ("i8", "i64"), ("i16", "i64"), ("i32", "i64"))
"""Type in memory and type of the value, in the order that each operation has them."""
_OPERATIONS: Final = ("add", "sub", "and", "or", "xor", "xchg")


class Atomics(Memory):
    """All are sequentially consistent, and trap where the address is not aligned."""

    def atomic_address(self, memory_type: str, flags: int, offset: int) -> str:
        """Pop an address."""
        size = SIZES[memory_type]
        pointer = self.address(flags & MEMORY_INDEX_MASK, offset, size, False).pointer
        if size > 1:
            low = self.value(f"and i64 {self.value(f'ptrtoint ptr {pointer} to i64')}, {size - 1}")
            self.trap_if(self.value(f"icmp ne i64 {low}, 0"), TrapKind.UNALIGNED_ATOMIC)
        return pointer

    def pop_narrow(self, memory_type: str, value_type: str) -> str:
        """Pop a value as it stands in memory."""
        x = self.pop()
        return x if memory_type == value_type else self.value(f"trunc {value_type} {x} to {memory_type}")

    def push_extended(self, memory_type: str, value_type: str, x: str) -> None:
        """Push a value from memory."""
        self.stack.append(x if memory_type == value_type else self.value(f"zext {memory_type} {x} to {value_type}"))

    def atomic_load(self, width: int, flags: int, offset: int) -> None:
        """Loads."""
        memory_type, value_type = _WIDTHS[width]
        size = SIZES[memory_type]
        pointer = self.atomic_address(memory_type, flags, offset)
        x = self.value(f"load atomic volatile {memory_type}, ptr {pointer} seq_cst, align {size}{self.fault_place()}")
        self.push_extended(memory_type, value_type, x)

    def atomic_store(self, width: int, flags: int, offset: int) -> None:
        """Stores."""
        memory_type, value_type = _WIDTHS[width]
        size = SIZES[memory_type]
        x = self.pop_narrow(memory_type, value_type)
        pointer = self.atomic_address(memory_type, flags, offset)
        self.write(f"store atomic volatile {memory_type} {x}, ptr {pointer} seq_cst, align {size}{self.fault_place()}")

    def atomic_update(self, operation: str, width: int, flags: int, offset: int) -> None:
        """Read, change, write."""
        memory_type, value_type = _WIDTHS[width]
        x = self.pop_narrow(memory_type, value_type)
        pointer = self.atomic_address(memory_type, flags, offset)
        old = self.value(f"atomicrmw volatile {operation} ptr {pointer}, {memory_type} {x} seq_cst{self.fault_place()}")
        self.push_extended(memory_type, value_type, old)

    def atomic_compare_exchange(self, width: int, flags: int, offset: int) -> None:
        """Write if what is there is what is expected, of which the width of the access counts."""
        memory_type, value_type = _WIDTHS[width]
        x = self.pop_narrow(memory_type, value_type)
        expected = self.pop_narrow(memory_type, value_type)
        pointer = self.atomic_address(memory_type, flags, offset)
        operands = f"ptr {pointer}, {memory_type} {expected}, {memory_type} {x} seq_cst seq_cst"
        pair = self.value(f"cmpxchg volatile {operands}{self.fault_place()}")
        self.push_extended(memory_type, value_type, self.value(f"extractvalue {{{memory_type}, i1}} {pair}, 0"))

    def atomic(self, code: int, flags: int, offset: int) -> None:
        """All of them, by code."""
        if code < _STORE:
            self.atomic_load(code - _LOAD, flags, offset)
        elif code < _UPDATE:
            self.atomic_store(code - _STORE, flags, offset)
        elif code < _COMPARE_EXCHANGE:
            operation, width = divmod(code - _UPDATE, len(_WIDTHS))
            self.atomic_update(_OPERATIONS[operation], width, flags, offset)
        else:
            self.atomic_compare_exchange(code - _COMPARE_EXCHANGE, flags, offset)

    def fence(self) -> None:
        """atomic.fence."""
        self.write("fence seq_cst")


ATOMICS: Final = range(_LOAD, _END)
"""Codes of the accesses."""

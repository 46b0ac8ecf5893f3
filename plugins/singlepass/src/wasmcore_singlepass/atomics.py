"""Atomic accesses."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64
from wasmcore_singlepass.entry import Unsupported
from wasmcore_singlepass.wide import Wide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_MEMORY_INDEX_MASK: Final = 0x3FF

_FENCE: Final = 0x603
_FIRST_LOAD: Final = 0x610
_FIRST_STORE: Final = 0x617
_FIRST_UPDATE: Final = 0x61E
_FIRST_COMPARE_EXCHANGE: Final = 0x648
_LAST: Final = 0x64E
_PER_OPERATION: Final = 7
"""Widths that each operation exists in: i32, i64, i32 of 8 and 16 bits, i64 of 8, 16 and 32 bits."""
_LOGARITHMS: Final = b"\x02\x03\x00\x01\x00\x01\x02"
"""Of the bytes."""
_TYPES: Final = b"\x01\x02\x01\x01\x02\x02\x02"
_UNALIGNED_ATOMIC: Final = 14
"""Kind of trap."""


class Atomics(Wide):
    """Instructions behind the prefix 0xFE, but for those that wait and wake."""

    def atomic(self, code: i64, flags: i64, offset: i64) -> None:
        """Compile one record."""
        memory = flags & _MEMORY_INDEX_MASK
        if code == _FENCE:
            self.emit(m.FENCE, 0, 0, 0, 0, 0)
        elif code < _FIRST_LOAD or code > _LAST:
            raise Unsupported(code, (self.position >> 3) - 1)
        elif code < _FIRST_STORE:
            self.atomic_load(code - _FIRST_LOAD, memory, offset)
        elif code < _FIRST_UPDATE:
            self.atomic_store(code - _FIRST_STORE, memory, offset)
        elif code < _FIRST_COMPARE_EXCHANGE:
            number = code - _FIRST_UPDATE
            self.atomic_update(number % _PER_OPERATION, number // _PER_OPERATION, memory, offset)
        else:
            self.atomic_compare_exchange(code - _FIRST_COMPARE_EXCHANGE, memory, offset)

    def pop_atomic_address(self, memory: i64, offset: i64, logarithm: i64) -> i64:
        """Pop an address into a temporary with the machine address; trap where it is not aligned."""
        one: i64 = 1
        a = self.pop_address(memory, offset, one << logarithm)
        if logarithm:
            mask = self.take_any()
            self.emit(m.CONSTANT, m.WIDE, mask, 0, 0, (one << logarithm) - 1)
            self.emit(m.TEST, m.WIDE, 0, a, mask, 0)
            self.emit(m.TRAP_IF, m.NOT_EQUAL, 0, 0, 0, _UNALIGNED_ATOMIC)
            self.give(mask)
        return a

    def atomic_load(self, width: i64, memory: i64, offset: i64) -> None:
        """Pop an address, push what is there."""
        a = self.pop_atomic_address(memory, offset, i64(_LOGARITHMS[width]))
        d = self.destination(a)
        self.emit(m.ATOMIC_LOAD, i64(_LOGARITHMS[width]), d, a, 0, 0)
        self.push_register(d, i64(_TYPES[width]))

    def atomic_store(self, width: i64, memory: i64, offset: i64) -> None:
        """Pop b, pop an address."""
        logarithm = i64(_LOGARITHMS[width])
        b = self.pop()
        a = self.pop_atomic_address(memory, offset, logarithm)
        self.emit(m.ATOMIC_STORE, logarithm, 0, a, b, 0)
        self.give(a)
        self.give(b)

    def atomic_update(self, width: i64, variant: i64, memory: i64, offset: i64) -> None:
        """Pop b, pop an address, push the value there before."""
        logarithm = i64(_LOGARITHMS[width])
        b = self.pop()
        a = self.pop_atomic_address(memory, offset, logarithm)
        d = self.dividend
        if d < 0:
            d = self.take_any()
        elif b == d:
            b = self.leave_dividend()
        elif a == d:
            a = self.leave_dividend()
        else:
            self.take(d)
        self.emit(m.ATOMIC_UPDATE, logarithm | (variant << 2), d, a, b, 0)
        self.give(a)
        self.give(b)
        self.push_register(d, i64(_TYPES[width]))

    def atomic_compare_exchange(self, width: i64, memory: i64, offset: i64) -> None:
        """Pop b, pop what is expected, pop an address, push the value there before."""
        logarithm = i64(_LOGARITHMS[width])
        b = self.pop()
        expected = self.pop()
        a = self.pop_atomic_address(memory, offset, logarithm)
        d = self.dividend
        if d < 0:
            d = self.take_any()
        elif b == d:
            b = self.leave_dividend()
        elif a == d:
            a = self.leave_dividend()
        elif expected != d:
            self.take(d)
        if expected != d:
            self.emit(m.MOVE, m.WIDE, d, expected, 0, 0)
            self.give(expected)
        self.emit(m.ATOMIC_COMPARE_EXCHANGE, logarithm, d, a, b, 0)
        self.give(a)
        self.give(b)
        self.push_register(d, i64(_TYPES[width]))

    def leave_dividend(self) -> i64:
        """Move a popped operand out of the dividend register, which stays taken, to the register that is returned."""
        other = self.take_any()
        self.emit(m.MOVE, m.WIDE, other, self.dividend, 0, 0)
        return other

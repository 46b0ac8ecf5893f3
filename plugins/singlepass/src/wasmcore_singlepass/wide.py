"""Arithmetic of 128 bits."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64
from wasmcore_singlepass.vectors import Vectors


class Wide(Vectors):
    """i64.add128, i64.sub128, i64.mul_wide_s, i64.mul_wide_u: numbers are two entries, the low half below the high one."""

    def wide(self, number: i64) -> None:
        """The instruction with this number: add128 sub128 mul_wide_s mul_wide_u."""
        if number < 2:
            self.with_carry(number)
        else:
            self.multiply_wide(m.UNSIGNED if number == 3 else 0)

    def with_carry(self, variant: i64) -> None:
        """Pop b, pop a, push a + b or a - b. No record may stand between the two, so all registers are found before."""
        b_high = self.pop()
        b_low = self.pop()
        a_high = self.pop()
        a_low = self.pop()
        size = m.WIDE | (variant << 1)
        if self.is_temporary(a_low):
            low = a_low
        elif self.is_temporary(b_low):
            low = b_low
        else:
            low = self.take_any()
        high = self.destination(a_high)
        self.emit(m.ALU_CARRY_OUT, size, low, a_low, b_low, 0)
        self.emit(m.ALU_CARRY_IN, size, high, a_high, b_high, 0)
        if b_low != low:
            self.give(b_low)
        self.give(b_high)
        self.push_register(low, 2)
        self.push_register(high, 2)

    def multiply_wide(self, size: i64) -> None:
        """Pop b, pop a, push the halves of their product."""
        low = self.dividend
        high = self.remainder
        if low < 0:
            b = self.pop()
            a = self.pop()
            low = self.take_any()
            high = self.take_any()
            self.give(a)
        else:
            b = self.pop_division(1)
            a = low
        self.emit(m.MULTIPLY_WIDE, size, low, a, b, high)
        self.give(b)
        self.push_register(low, 2)
        self.push_register(high, 2)

"""Arithmetic: operands from wherever they are, constants and slots folded into the instruction."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64
from wasmcore_singlepass.allocation import COMPARISON, CONSTANT, FLOATS, KIND_MASK, TYPE_SHIFT
from wasmcore_singlepass.placing import Placing
from wasmcore_singlepass.registers import RegisterFile


class Operators(Placing):
    """Numeric instructions, comparisons and `select`."""

    def __init__(self, registers: RegisterFile) -> None:
        super().__init__(registers)
        self.shift_count: i64 = registers.shift_count
        self.dividend: i64 = registers.dividend
        self.remainder: i64 = registers.remainder
        # The comparison that waits for its user: its operation (0: none), and the fields of its record.
        self.comparison: i64 = 0
        self.comparison_size: i64 = 0
        self.comparison_a: i64 = 0
        self.comparison_b: i64 = 0
        self.comparison_immediate: i64 = 0
        self.condition: i64 = 0

    # Integers

    def binary(self, wide: i64, variant: i64) -> None:
        """Pop b, pop a, push `a op b` (variants of ALU)."""
        result_type = 1 + wide
        size = wide | (variant << 1)
        top = self.top - 1
        value = self.value[top]
        if self.shape[top] & KIND_MASK == CONSTANT:
            if self.shape[top - 1] & KIND_MASK == CONSTANT:
                self.forget_top()
                left = self.value[top - 1]
                self.value[top - 1] = fold(wide, variant, left, value)
                return
            if -0x80000000 <= value <= 0x7FFFFFFF:
                self.forget_top()
                a = self.pop()
                d = self.destination(a)
                self.emit(m.ALU_CONSTANT, size, d, a, 0, value)
                self.push_register(d, result_type)
                return
        elif self.shape[top - 1] & KIND_MASK == CONSTANT and variant != m.SUB:
            left = self.value[top - 1]
            if -0x80000000 <= left <= 0x7FFFFFFF:
                a = self.pop()
                self.forget_top()
                d = self.destination(a)
                self.emit(m.ALU_CONSTANT, size, d, a, 0, left)
                self.push_register(d, result_type)
                return
        slot = self.slot_of_top()
        if slot >= 0:
            self.forget_top()
            a = self.pop()
            d = self.destination(a)
            self.emit(m.ALU_SLOT, size, d, a, 0, slot)
            self.push_register(d, result_type)
            return
        b = self.pop()
        slot = self.slot_of_top()
        if slot >= 0 and variant != m.SUB and self.is_temporary(b):
            self.forget_top()
            d = self.destination(b)
            self.emit(m.ALU_SLOT, size, d, b, 0, slot)
            self.push_register(d, result_type)
            return
        a = self.pop()
        if self.is_temporary(b) and not self.is_temporary(a) and variant != m.SUB:
            d = self.destination(b)
            self.emit(m.ALU, size, d, a, b, 0)
        else:
            d = self.destination(a)
            self.emit(m.ALU, size, d, a, b, 0)
            self.give(b)
        self.push_register(d, result_type)

    def shift(self, wide: i64, variant: i64) -> None:
        """Pop the count, pop a, push the shifted or rotated (variants of SHIFT)."""
        size = wide | (variant << 1)
        top = self.top - 1
        if self.shape[top] & KIND_MASK == CONSTANT:
            count = self.value[top] & (63 if wide else 31)
            self.forget_top()
            a = self.pop()
            d = self.destination(a)
            self.emit(m.SHIFT_CONSTANT, size, d, a, 0, count)
            self.push_register(d, 1 + wide)
            return
        count_register = self.shift_count
        b = self.pop()
        if count_register < 0:
            a = self.pop()
            d = self.destination(a)
            self.emit(m.SHIFT, size, d, a, b, 0)
            self.give(b)
            self.push_register(d, 1 + wide)
            return
        if b != count_register:
            self.take(count_register)
            self.emit(m.MOVE, wide, count_register, b, 0, 0)
            self.give(b)
        a = self.pop()
        d = self.destination(a)
        self.emit(m.SHIFT, size, d, a, count_register, 0)
        self.give(count_register)
        self.push_register(d, 1 + wide)

    def divide(self, wide: i64, variant: i64) -> None:
        """Pop b, pop a, push quotient or remainder (variants of DIVIDE)."""
        top = self.top - 1
        safe: i64 = 0
        if self.shape[top] & KIND_MASK == CONSTANT:
            value = self.value[top]
            if value > 0:
                safe = m.DIVISOR_SAFE
                if value & (value - 1) == 0 and variant & 1:
                    self.divide_by_power(wide, variant, value)
                    return
        size = wide | ((variant + safe) << 1)
        if self.dividend < 0:
            b = self.pop()
            a = self.pop()
            d = self.destination(a)
            self.emit(m.DIVIDE, size, d, a, b, 0)
            self.give(b)
            self.push_register(d, 1 + wide)
            return
        self.divide_in_place(wide, variant, size)

    def divide_by_power(self, wide: i64, variant: i64, value: i64) -> None:
        """Unsigned division by a constant power of two."""
        self.forget_top()
        a = self.pop()
        d = self.destination(a)
        if variant == m.DIV_U:
            count: i64 = 0
            while value > 1:
                value >>= 1
                count += 1
            self.emit(m.SHIFT_CONSTANT, wide | (m.SHR_U << 1), d, a, 0, count)
        elif value - 1 <= 0x7FFFFFFF:
            self.emit(m.ALU_CONSTANT, wide | (m.AND << 1), d, a, 0, value - 1)
        else:
            mask = self.take_any()
            self.emit_constant(m.CONSTANT, wide, mask, 0, 0, value - 1)
            self.emit(m.ALU, wide | (m.AND << 1), d, a, mask, 0)
            self.give(mask)
        self.push_register(d, 1 + wide)

    def divide_in_place(self, wide: i64, variant: i64, size: i64) -> None:
        """Division with fixed registers for the dividend (also the quotient) and the remainder."""
        dividend = self.dividend
        remainder = self.remainder
        b = self.pop_division(wide)
        result = dividend if variant < m.REM_S else remainder
        self.emit(m.DIVIDE, size, result, dividend, b, 0)
        self.give(b)
        self.give(remainder if variant < m.REM_S else dividend)
        pin = self.next_pin()
        if pin < FLOATS:
            self.emit(m.MOVE, wide, pin, result, 0, 0)
            self.give(result)
            result = pin
        self.push_register(result, 1 + wide)

    def pop_division(self, wide: i64) -> i64:
        """Pop b into the register that is returned, pop a into the dividend register, take the remainder register."""
        dividend = self.dividend
        remainder = self.remainder
        b = self.pop()
        a = self.pop()
        if b == dividend or b == remainder:
            old = b
            one: i64 = 1
            taken: i64 = 0
            b = self.take_any()
            while b == dividend or b == remainder:
                taken |= one << b
                b = self.take_any()
            self.free |= taken
            self.emit(m.MOVE, wide, b, old, 0, 0)
            if a != old:
                self.give(old)
        if a != dividend:
            self.take(dividend)
            self.emit(m.MOVE, wide, dividend, a, 0, 0)
            if a != b:
                self.give(a)
        self.take(remainder)
        return b

    def unary(self, wide: i64, variant: i64, result_type: i64) -> None:
        """Pop a, push `op a` (variants of UNARY)."""
        a = self.pop()
        d = self.destination(a)
        self.emit(m.UNARY, wide | (variant << 1), d, a, 0, 0)
        self.push_register(d, result_type)

    def wrap(self) -> None:
        """i64 to i32."""
        top = self.top - 1
        if self.shape[top] & KIND_MASK == CONSTANT:
            self.value[top] = signed32(self.value[top])
            self.shape[top] = CONSTANT | (1 << TYPE_SHIFT)
            return
        a = self.pop()
        d = self.destination(a)
        self.emit(m.MOVE, 0, d, a, 0, 0)
        self.push_register(d, 1)

    def extend_unsigned(self) -> None:
        """i32 to i64, zero-extended as it is in every register."""
        top = self.top - 1
        if self.shape[top] & KIND_MASK == CONSTANT:
            self.value[top] &= 0xFFFFFFFF
            self.shape[top] = CONSTANT | (2 << TYPE_SHIFT)
            return
        a = self.pop()
        d = self.destination(a)
        if d != a:
            self.emit(m.MOVE, 0, d, a, 0, 0)
        self.push_register(d, 2)

    # Comparisons

    def compare(self, wide: i64, condition: i64) -> None:
        """Pop b, pop a; the comparison waits for its user."""
        top = self.top - 1
        self.condition = condition
        self.comparison_size = wide
        self.comparison_b = 0
        value = self.value[top]
        if self.shape[top] & KIND_MASK == CONSTANT and -0x80000000 <= value <= 0x7FFFFFFF:
            self.forget_top()
            a = self.pop()
            if value == 0 and condition <= m.NOT_EQUAL:
                self.comparison = m.TEST
                self.comparison_b = a
                self.comparison_immediate = 0
            else:
                self.comparison = m.COMPARE_CONSTANT
                self.comparison_immediate = value
        else:
            slot = self.slot_of_top()
            if slot >= 0:
                self.forget_top()
                self.comparison = m.COMPARE_SLOT
                self.comparison_immediate = slot
            else:
                self.comparison = m.COMPARE
                self.comparison_immediate = 0
                self.comparison_b = self.pop()
            a = self.pop()
        self.comparison_a = a
        self.push(COMPARISON, 0, 1)
        self.settle_comparison()

    def compare_zero(self, wide: i64) -> None:
        """eqz: of a comparison its opposite."""
        if self.comparison:
            self.condition ^= 1
            self.settle_comparison()
            return
        a = self.pop()
        self.wait_for_zero(wide, a, m.EQUAL)
        self.push(COMPARISON, 0, 1)
        self.settle_comparison()

    def wait_for_zero(self, wide: i64, register: i64, condition: i64) -> None:
        """Let the comparison of a popped register with zero wait."""
        self.comparison = m.TEST
        self.comparison_size = wide
        self.comparison_a = register
        self.comparison_b = register
        self.comparison_immediate = 0
        self.condition = condition

    def compare_floats(self, wide: i64, number: i64) -> None:
        """Pop b, pop a; number: eq ne lt gt le ge."""
        b = self.pop_float()
        a = self.pop_float()
        if number == 2 or number == 4:  # a < b is b > a, also for NaN
            self.comparison_a = b
            self.comparison_b = a
        else:
            self.comparison_a = a
            self.comparison_b = b
        if number < 2:
            self.condition = m.FLOAT_EQUAL + number
        else:
            self.condition = m.FLOAT_GREATER if number < 4 else m.FLOAT_GREATER_EQUAL
        self.comparison = m.FLOAT_COMPARE
        self.comparison_size = wide
        self.comparison_immediate = 0
        self.push(COMPARISON, 0, 1)
        self.settle_comparison()

    def settle_comparison(self) -> None:
        """Unless the next instruction uses the comparison as such, make it a value."""
        ahead = self.ahead & 0xFFFF
        if ahead == 0x0D or ahead == 0x04 or ahead == 0x1B or ahead == 0x45:
            return
        self.top -= 1
        if self.comparison == m.FLOAT_COMPARE:
            d = self.destination(-1)
            self.emit_comparison()
        else:
            pin = self.next_pin()
            if pin < FLOATS:
                d = pin
                self.emit_comparison()
            elif self.is_temporary(self.comparison_a):
                d = self.comparison_a
                one: i64 = 1
                self.emit_comparison()
                self.free &= ~(one << d)
            else:
                d = self.take_any()
                self.emit_comparison()
        self.emit(m.SET_IF, self.condition, d, 0, 0, 0)
        self.push_register(d, 1)

    def emit_comparison(self) -> None:
        """Write the waiting comparison and give its registers back."""
        operation = self.comparison
        self.emit(operation, self.comparison_size, 0, self.comparison_a, self.comparison_b, self.comparison_immediate)
        if operation == m.FLOAT_COMPARE:
            self.give_float(self.comparison_a)
            self.give_float(self.comparison_b)
        else:
            self.give(self.comparison_a)
            if operation == m.COMPARE or operation == m.TEST:
                self.give(self.comparison_b)
        self.comparison = 0

    def pop_condition(self) -> None:
        """Pop an i32 used as a condition: afterwards a comparison waits."""
        if self.comparison:
            self.top -= 1
            return
        self.wait_for_zero(0, self.pop(), m.NOT_EQUAL)

    def select(self, value_type: i64) -> None:
        """Pop the condition, pop b, pop a, push one of them."""
        self.pop_condition()
        if 3 <= value_type <= 5:
            b = self.pop_float()
            a = self.pop_float()
            d = self.destination_float(a)
            self.emit_comparison()
            self.emit(m.FLOAT_SELECT_IF, m.WIDE | (self.condition << 1), d, a, b, 0)
            if b != d:
                self.give_float(b)
            self.push_float(d, value_type)
            return
        b = self.pop()
        a = self.pop()
        d = self.destination(a)
        self.emit_comparison()
        self.emit(m.SELECT_IF, (0 if value_type == 1 else 1) | (self.condition << 1), d, a, b, 0)
        if b != d:
            self.give(b)
        self.push_register(d, value_type)

    # Floats

    def binary_float(self, wide: i64, variant: i64) -> None:
        """Pop b, pop a, push `a op b` (variants of FLOAT_ALU)."""
        size = wide | (variant << 1)
        if variant <= m.FLOAT_DIV:
            top = self.top - 1
            slot = self.slot_of_top()
            if slot >= 0:
                self.forget_top()
                a = self.pop_float()
                d = self.destination_float(a)
                self.emit(m.FLOAT_ALU_SLOT, size, d, a, 0, slot)
                self.push_float(d, 3 + wide)
                return
            if self.shape[top] & KIND_MASK == CONSTANT:
                value = self.value[top]
                self.forget_top()
                a = self.pop_float()
                d = self.destination_float(a)
                self.emit_constant(m.FLOAT_ALU_CONSTANT, size, d, a, 0, value)
                self.push_float(d, 3 + wide)
                return
        b = self.pop_float()
        a = self.pop_float()
        if (variant == m.FLOAT_ADD or variant == m.FLOAT_MUL) and self.is_float_temporary(b) and not self.is_float_temporary(a):
            d = self.destination_float(b)
            self.emit(m.FLOAT_ALU, size, d, b, a, 0)
        else:
            d = self.destination_float(a)
            self.emit(m.FLOAT_ALU, size, d, a, b, 0)
            self.give_float(b)
        self.push_float(d, 3 + wide)

    def unary_float(self, operation: i64, size: i64, result_type: i64) -> None:
        """Pop a float, push a float made from it."""
        a = self.pop_float()
        d = self.destination_float(a)
        self.emit(operation, size, d, a, 0, 0)
        self.push_float(d, result_type)

    def to_float(self, operation: i64, size: i64, result_type: i64) -> None:
        """Pop an integer, push a float made from it."""
        a = self.pop()
        d = self.destination_float(-1)
        self.emit(operation, size, d, a, 0, 0)
        self.give(a)
        self.push_float(d, result_type)

    def to_integer(self, operation: i64, size: i64, result_type: i64) -> None:
        """Pop a float, push an integer made from it."""
        a = self.pop_float()
        d = self.destination(-1)
        self.emit(operation, size, d, a, 0, 0)
        self.give_float(a)
        self.push_register(d, result_type)

    def numeric(self, code: i64) -> None:
        """An instruction of the codes 0x45 to 0xC4."""
        if code <= 0x66:
            if code <= 0x4F:
                if code == 0x45:
                    self.compare_zero(0)
                else:
                    self.compare(0, condition_of(code - 0x46))
            elif code <= 0x5A:
                if code == 0x50:
                    self.compare_zero(1)
                else:
                    self.compare(1, condition_of(code - 0x51))
            elif code <= 0x60:
                self.compare_floats(0, code - 0x5B)
            else:
                self.compare_floats(1, code - 0x61)
        elif code <= 0x8A:
            if code <= 0x78:
                self.integer(0, code - 0x67)
            else:
                self.integer(1, code - 0x79)
        elif code <= 0x98:
            self.float(0, code - 0x8B)
        elif code <= 0xA6:
            self.float(1, code - 0x99)
        else:
            self.convert(code)

    def integer(self, wide: i64, number: i64) -> None:
        """clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr."""
        if number < 3:
            self.unary(wide, number, 1 + wide)
        elif number < 5:
            self.binary(wide, number - 3)
        elif number == 5:
            self.binary(wide, m.MUL)
        elif number < 10:
            self.divide(wide, number - 6)
        elif number < 13:
            self.binary(wide, number - 8)
        else:
            self.shift(wide, number - 13)

    def float(self, wide: i64, number: i64) -> None:
        """abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign."""
        if number < 7:
            self.unary_float(m.FLOAT_UNARY, wide | (number << 1), 3 + wide)
        else:
            self.binary_float(wide, number - 7)

    def convert(self, code: i64) -> None:
        """Conversions, 0xA7 to 0xC4."""
        if code == 0xA7:
            self.wrap()
        elif code == 0xAC:
            self.unary(1, m.EXTEND32, 2)
        elif code == 0xAD:
            self.extend_unsigned()
        elif code <= 0xAB:
            self.truncate(code - 0xA8, 0)
        elif code <= 0xB1:
            self.truncate(code - 0xAE + 4, 0)
        elif code == 0xB6 or code == 0xBB:
            self.unary_float(m.FLOAT_CONVERT, 0 if code == 0xB6 else 1, 3 if code == 0xB6 else 4)
        elif code <= 0xBA:
            wide: i64 = 0
            number = code - 0xB2
            if code >= 0xB7:
                wide = m.FLOAT_WIDE
                number = code - 0xB7
            size = wide | (m.UNSIGNED if number & 1 else 0) | (m.INTEGER_WIDE if number & 2 else 0)
            self.to_float(m.FLOAT_FROM_INTEGER, size, 3 + wide)
        elif code == 0xBC:
            self.to_integer(m.FLOAT_TO_BITS, 0, 1)
        elif code == 0xBD:
            self.to_integer(m.FLOAT_TO_BITS, 1, 2)
        elif code == 0xBE:
            self.to_float(m.BITS_TO_FLOAT, 0, 3)
        elif code == 0xBF:
            self.to_float(m.BITS_TO_FLOAT, 1, 4)
        elif code <= 0xC1:
            self.unary(0, m.EXTEND8 + code - 0xC0, 1)
        else:
            self.unary(1, m.EXTEND8 + code - 0xC2, 2)

    def truncate(self, number: i64, saturating: i64) -> None:
        """Float to integer; number: i32 f32 s, i32 f32 u, i32 f64 s, i32 f64 u, then the same to i64."""
        size = saturating
        if number & 1:
            size |= m.UNSIGNED
        if number & 2:
            size |= m.FLOAT_WIDE
        if number & 4:
            size |= m.INTEGER_WIDE
        self.to_integer(m.FLOAT_TO_INTEGER, size, 2 if number & 4 else 1)


def condition_of(number: i64) -> i64:
    """The condition of a comparison: eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u."""
    if number < 2:
        return number
    if number < 4:
        return m.LESS_S if number == 2 else m.LESS_U
    if number < 6:
        return m.GREATER_S if number == 4 else m.GREATER_U
    if number < 8:
        return m.LESS_EQUAL_S if number == 6 else m.LESS_EQUAL_U
    return m.GREATER_EQUAL_S if number == 8 else m.GREATER_EQUAL_U


def signed32(value: i64) -> i64:
    """The low 32 bits as a signed number."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def fold(wide: i64, variant: i64, left: i64, right: i64) -> i64:
    """`left op right` of two constants, wrapped to the width."""
    if variant == m.AND:
        return left & right
    if variant == m.OR:
        return left | right
    if variant == m.XOR:
        return left ^ right
    if wide == 0:
        if variant == m.ADD:
            return signed32(left + right)
        if variant == m.SUB:
            return signed32(left - right)
        return signed32(left * right)
    return fold64(variant, left, right)


def fold64(variant: i64, left: i64, right: i64) -> i64:
    """add, sub, mul of 64 bits by halves, for a plain integer does not wrap."""
    left_low = left & 0xFFFFFFFF
    right_low = right & 0xFFFFFFFF
    left_high = (left >> 32) & 0xFFFFFFFF
    right_high = (right >> 32) & 0xFFFFFFFF
    if variant == m.ADD:
        low = left_low + right_low
        high = left_high + right_high + (low >> 32)
    elif variant == m.SUB:
        low = left_low - right_low
        high = left_high - right_high + (low >> 32)
    else:
        low = left_low * (right_low & 0xFFFF)
        middle = left_low * (right_low >> 16) + (low >> 16)
        low = (low & 0xFFFF) | ((middle & 0xFFFF) << 16)
        high = (middle >> 16) + low_product(left_low, right_high) + low_product(left_high, right_low)
    return (signed32(high) << 32) | (low & 0xFFFFFFFF)


def low_product(left: i64, right: i64) -> i64:
    """The low 32 bits of the product of two numbers of 32 bits, without overflow of 64."""
    return (left * (right & 0xFFFF) + (((left * (right >> 16)) & 0xFFFF) << 16)) & 0xFFFFFFFF

"""Arithmetic: comparisons as numbers, integers, floats, conversions, `select`."""

from __future__ import annotations

from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64
from wasmcore_midtier.lowering.conditions import Conditions
from wasmcore_midtier.registers.records import FLOAT, SLOT, is_wide
from wasmcore_midtier.ssa.graph import NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ALU: Final = bytes((m.ADD, m.SUB, m.MUL, 0, 0, 0, 0, m.AND, m.OR, m.XOR))
"""From i32.add on."""


class Arithmetic(Conditions):
    """Writes them."""

    def write_comparison(self, value: i64) -> None:
        """A comparison whose result is a number."""
        graph = self.graph
        condition = self.prepare_comparison(value, graph.operation[value], graph.a[value], graph.b[value])
        self.unlock()
        self.free_dead(graph.a[value])
        self.free_dead(graph.b[value])
        d = self.define(value, NONE, NONE)
        self.compare()
        self.emit(m.SET_IF, condition, d, 0, 0, 0)
        self.defined(value)

    def integer(self, value: i64, operation: i64) -> None:
        """clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr."""
        wide: i64 = 0
        number = operation - 0x67
        if operation >= 0x79:
            wide = 1
            number = operation - 0x79
        if number < 3:
            self.one_operand(value, m.UNARY, wide | (number << 1))
        elif 6 <= number <= 9:
            self.divide(value, wide, number - 6)
        elif number >= 13:
            self.shift(value, wide, number - 13)
        else:
            self.alu(value, wide, i64(_ALU[number - 3]))

    def one_operand(self, value: i64, operation: i64, size: i64) -> None:
        """d = op a."""
        a = self.graph.a[value]
        register = self.load(a)
        self.unlock()
        self.free_dead(a)
        d = self.define(value, register, NONE)
        if self.checked:
            self.mark_reads()
        self.emit(operation, size, d, register, 0, 0)
        self.defined(value)

    def alu(self, value: i64, wide: i64, variant: i64) -> None:
        """d = a op b."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        bits = self.graph.immediate[b]
        if self.positions.fused[b]:
            self.add_shifted(value, wide, a, b)
            return
        if self.positions.fused[a]:
            self.add_shifted(value, wide, b, a)
            return
        if variant != m.SUB and self.place[b] >= 0 and self.is_better_in_slot(a):
            a, b = b, a
        x = self.load(a)
        if self.is_constant(b) and -0x80000000 <= bits <= 0x7FFFFFFF:
            self.unlock()
            self.free_dead(a)
            d = self.define(value, x, NONE)
            self.emit(m.ALU_CONSTANT, wide | (variant << 1), d, x, 0, bits)
        elif self.is_better_in_slot(b):
            self.unlock()
            self.free_dead(a)
            slot = self.need_slot(b)
            self.reads(b, SLOT + slot)
            d = self.define(value, x, NONE)
            self.emit(m.ALU_SLOT, wide | (variant << 1), d, x, 0, slot)
        else:
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            d = self.define(value, x, y)
            self.emit(m.ALU, wide | (variant << 1), d, x, y, 0)
        self.defined(value)

    def add_shifted(self, value: i64, wide: i64, a: i64, shift: i64) -> None:
        """d = a + a short shift."""
        b = self.graph.a[shift]
        count = self.graph.immediate[self.graph.b[shift]]
        x = self.load(a)
        y = self.load(b)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)
        d = self.define(value, x, y)
        self.emit(m.ALU, wide | ((m.ADD_SHIFTED + count) << 1), d, x, y, 0)
        self.defined(value)

    def shift(self, value: i64, wide: i64, variant: i64) -> None:
        """d = a shifted or rotated by b."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        size = wide | (variant << 1)
        if self.is_constant(b):
            register = self.load(a)
            self.unlock()
            self.free_dead(a)
            d = self.define(value, register, NONE)
            self.emit(m.SHIFT_CONSTANT, size, d, register, 0, self.graph.immediate[b] & (63 if wide else 31))
            self.defined(value)
            return
        count: i64 = self.shift_count
        if self.shifts_by_any and variant < m.ROTL:
            count = NONE
        if count >= 0:
            self.load_to(b, count)
            register = self.load(a)
        else:
            register = self.load(a)
            count = self.load(b)
        if not self.is_live(a) and register != count:
            self.locked[register] = 0
            self.free_dead(a)
        d = self.define(value, register, NONE)
        self.emit(m.SHIFT, size, d, register, count, 0)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)
        self.defined(value)

    def divide(self, value: i64, wide: i64, variant: i64) -> None:
        """Division, in registers of its own where the target wants that."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        if self.is_constant(b) and self.graph.immediate[b] > 0:
            size = wide | ((variant + m.DIVISOR_SAFE) << 1)
        else:
            size = wide | (variant << 1)
        if self.dividend < 0:
            x = self.load(a)
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            self.emit(m.DIVIDE, size, self.define(value, x, NONE), x, y, 0)
            self.defined(value)
            return
        if a == b:  # what is destroyed is a copy
            self.clear_register(self.dividend)
        self.load_to(a, self.dividend)
        self.clear_register(self.remainder)
        self.lock(self.remainder)
        y = self.load(b)
        result = self.dividend if variant < m.REM_S else self.remainder
        self.emit(m.DIVIDE, size, result, self.dividend, y, 0)
        self.unlock()
        self.free_dead(a)
        self.free_dead(b)
        self.assign(value, result)
        self.defined(value)

    def float(self, value: i64, operation: i64) -> None:
        """abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign."""
        wide: i64 = 0
        number = operation - 0x8B
        if operation >= 0x99:
            wide = 1
            number = operation - 0x99
        if number < 7:
            self.one_operand(value, m.FLOAT_UNARY, wide | (number << 1))
            return
        variant = number - 7
        a = self.graph.a[value]
        b = self.graph.b[value]
        x = self.load(a)
        if self.is_constant(b) and variant <= m.FLOAT_DIV:
            self.unlock()
            self.free_dead(a)
            d = self.define(value, x, NONE)
            self.emit_constant(m.FLOAT_ALU_CONSTANT, wide | (variant << 1), d, x, 0, self.graph.immediate[b])
        elif variant <= m.FLOAT_DIV and self.is_better_in_slot(b):
            self.unlock()
            self.free_dead(a)
            slot = self.need_slot(b)
            self.reads(b, SLOT + slot)
            d = self.define(value, x, NONE)
            self.emit(m.FLOAT_ALU_SLOT, wide | (variant << 1), d, x, 0, slot)
        else:
            y = self.load(b)
            self.unlock()
            self.free_dead(a)
            self.free_dead(b)
            d = self.define(value, x, NONE)
            self.emit(m.FLOAT_ALU, wide | (variant << 1), d, x, y, 0)
        self.defined(value)

    def conversion(self, value: i64, code: i64) -> None:
        """Between types."""
        if code == 0xA7 or code == 0xAD:
            self.one_operand(value, m.MOVE, 0)
        elif code == 0xAC:
            self.one_operand(value, m.UNARY, 1 | (m.EXTEND32 << 1))
        elif code <= 0xAB:
            self.truncate(value, code - 0xA8, 0)
        elif code <= 0xB1:
            self.truncate(value, code - 0xAE + 4, 0)
        elif code >= 0x100:
            self.truncate(value, code - 0x100, m.SATURATING)
        elif code >= 0xC0:
            number = code - 0xC0
            if code < 0xC2:
                self.one_operand(value, m.UNARY, (m.EXTEND8 + number) << 1)
            else:
                self.one_operand(value, m.UNARY, 1 | ((m.EXTEND8 + number - 2) << 1))
        elif code == 0xB6 or code == 0xBB:
            self.one_operand(value, m.FLOAT_CONVERT, 1 if code == 0xBB else 0)
        elif code <= 0xBA:
            number = code - 0xB2
            size: i64 = 0
            if code >= 0xB7:
                size = m.FLOAT_WIDE
                number = code - 0xB7
            if number & 1:
                size |= m.UNSIGNED
            if number & 2:
                size |= m.INTEGER_WIDE
            self.one_operand(value, m.FLOAT_FROM_INTEGER, size)
        elif code <= 0xBD:
            self.one_operand(value, m.FLOAT_TO_BITS, code - 0xBC)
        else:
            self.one_operand(value, m.BITS_TO_FLOAT, code - 0xBE)

    def truncate(self, value: i64, number: i64, size: i64) -> None:
        """Float to integer; number: i32 f32 s, i32 f32 u, i32 f64 s, i32 f64 u, then the same to i64."""
        if number & 1:
            size |= m.UNSIGNED
        if number & 2:
            size |= m.FLOAT_WIDE
        if number & 4:
            size |= m.INTEGER_WIDE
        self.one_operand(value, m.FLOAT_TO_INTEGER, size)

    def select(self, value: i64) -> None:
        """One of two values, on a condition. Nothing may stand between the comparison and its use."""
        graph = self.graph
        x = self.load(graph.a[value])
        y = self.load(graph.b[value])
        condition = self.prepare(graph.c[value])
        self.unlock()
        self.free_dead(graph.a[value])
        self.free_dead(graph.b[value])
        self.free_condition(graph.c[value])
        d = self.define(value, x, NONE)
        self.compare()
        if d >= FLOAT:
            self.emit(m.FLOAT_SELECT_IF, m.WIDE | (condition << 1), d, x, y, 0)
        else:
            self.emit(m.SELECT_IF, is_wide(graph.machine_class[value]) | (condition << 1), d, x, y, 0)
        self.defined(value)

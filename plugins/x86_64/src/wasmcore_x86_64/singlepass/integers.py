"""Encodings of integer records, comparisons and what uses them."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.singlepass.floats import FloatEncoder
from wasmcore_x86_64.singlepass.frame import SCRATCH, TRAP_INTEGER_DIVIDE_BY_ZERO, TRAP_INTEGER_OVERFLOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ADD: Final = 0
_SUB: Final = 1
_AND: Final = 2
_MUL: Final = 5
_ADD_SHIFTED: Final = 5

_ROTL: Final = 3
_FLOAT_EQUAL: Final = 10
_FLOAT_NOT_EQUAL: Final = 11

_ALU: Final = b"\x03\x2b\x23\x0b\x33"
_ALU_DIGIT: Final = b"\x00\x05\x04\x01\x06"
_SHIFT_DIGIT: Final = b"\x04\x07\x05\x00\x01"
_CONDITION: Final = b"\x04\x05\x0c\x0d\x02\x03\x0f\x0e\x07\x06\x04\x05\x07\x06\x03\x02"
"""Of the conditions of records."""


class IntegerEncoder(FloatEncoder):
    """Integer arithmetic: three-address records to two-address instructions."""

    def __init__(self) -> None:
        super().__init__()
        self.has_popcnt = False
        self.has_lzcnt = False
        self.has_tzcnt = False
        self.has_bmi2 = False
        # The flags say whether this register is zero, if no code was written since.
        self.flags_register: i64 = -1
        self.flags_wide: i64 = 0
        self.flags_position: i64 = -1

    def set_features(self, popcnt: bool, lzcnt: bool, tzcnt: bool, bmi2: bool) -> None:
        """Instructions beyond the base line that may be used."""
        self.has_popcnt = popcnt
        self.has_lzcnt = lzcnt
        self.has_tzcnt = tzcnt
        self.has_bmi2 = bmi2

    def note_flags(self, wide: i64, register: i64) -> None:
        """The flags of the instruction just written tell whether its result is zero."""
        self.flags_register = register
        self.flags_wide = wide
        self.flags_position = i64(len(self.buffer))

    def alu(self, wide: i64, variant: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b."""
        if variant > _ADD_SHIFTED:
            self.reg_index(x.LEA, wide, d, a, b, variant - _ADD_SHIFTED, 0)
            return
        if variant == _ADD and d != a and d != b:
            self.reg_index(x.LEA, wide, d, a, b, 0, 0)
            return
        instruction: i64 = x.IMUL if variant == _MUL else i64(_ALU[variant])
        if d == b and d != a:
            if variant == _SUB:
                self.unary(x.DIGIT_NEG, wide, d)
                self.reg_reg(x.ADD, wide, d, a)
                self.note_flags(wide, d)
                return
            b = a
        elif d != a:
            self.reg_reg(x.MOV, wide, d, a)
        self.reg_reg(instruction, wide, d, b)
        if variant != _MUL:
            self.note_flags(wide, d)

    def alu_constant(self, wide: i64, variant: i64, d: i64, a: i64, value: i64) -> None:
        """d = a op value."""
        if variant == _MUL:
            if value > 0 and value & (value - 1) == 0:
                self.copy(wide, d, a)
                count: i64 = 0
                while value > 1:
                    value >>= 1
                    count += 1
                if count:
                    self.shift_imm(x.DIGIT_SHL, wide, d, count)
                elif wide == 0 and d == a:
                    return
            else:
                self.imul_imm(wide, d, a, value)
            return
        if d != a and variant <= _SUB and value != -0x80000000:
            self.reg_mem(x.LEA, wide, d, a, value if variant == _ADD else -value)
            return
        if variant == _AND and (value == 0xFF or value == 0xFFFF):
            self.reg_reg(x.MOVZX8 if value == 0xFF else x.MOVZX16, 0, d, a)
            return
        self.copy(wide, d, a)
        self.alu_imm(i64(_ALU_DIGIT[variant]), wide, d, value)
        self.note_flags(wide, d)

    def alu_slot(self, wide: i64, variant: i64, d: i64, a: i64, slot: i64) -> None:
        """d = a op slot."""
        self.copy(wide, d, a)
        instruction: i64 = x.IMUL if variant == _MUL else i64(_ALU[variant])
        self.reg_mem(instruction, wide, d, x.RBP, self.slot(slot))
        if variant != _MUL:
            self.note_flags(wide, d)

    def shift_by(self, wide: i64, variant: i64, d: i64, a: i64, b: i64) -> None:
        """d = a shifted by b, which is cl if it has to be."""
        if self.has_bmi2 and variant < _ROTL:
            self.shift_flagless(i64(_SHIFT_DIGIT[variant]), wide, d, a, b)
            return
        self.copy(wide, d, a)
        self.shift_cl(i64(_SHIFT_DIGIT[variant]), wide, d)

    def shift_constant(self, wide: i64, variant: i64, d: i64, a: i64, count: i64) -> None:
        """d = a shifted by a constant."""
        if variant >= _ROTL and count and d != a and self.has_bmi2:
            self.rotate_right(wide, d, a, count if variant != _ROTL else (64 if wide else 32) - count)
            return
        self.copy(wide, d, a)
        if count:
            self.shift_imm(i64(_SHIFT_DIGIT[variant]), wide, d, count)

    def divide(self, wide: i64, variant: i64, b: i64) -> None:
        """rax = rax / b or rdx = rax % b."""
        safe = variant & 4
        variant &= 3
        if safe == 0:
            self.reg_reg(x.TEST, wide, b, b)
            self.trap_if(x.EQUAL, TRAP_INTEGER_DIVIDE_BY_ZERO)
        if variant & 1:
            self.zero(x.RDX)
            self.unary(x.DIGIT_DIV, wide, b)
            return
        if variant == 0:
            self.sign_to_dx(wide)
            if safe == 0:
                self.quotient_overflow(wide, b)
            self.unary(x.DIGIT_IDIV, wide, b)
            return
        if safe:
            self.sign_to_dx(wide)
            self.unary(x.DIGIT_IDIV, wide, b)
            return
        self.alu_imm(x.DIGIT_CMP, wide, b, -1)
        other = self.short_jump_if(x.NOT_EQUAL)
        self.zero(x.RDX)
        done = self.short_jump()
        self.bind_short(other)
        self.sign_to_dx(wide)
        self.unary(x.DIGIT_IDIV, wide, b)
        self.bind_short(done)

    def quotient_overflow(self, wide: i64, b: i64) -> None:
        """The division that follows traps where the least number is divided by -1."""
        if self.signals:
            self.trap_site(TRAP_INTEGER_OVERFLOW)
            return
        self.alu_imm(x.DIGIT_CMP, wide, b, -1)
        other = self.short_jump_if(x.NOT_EQUAL)
        self.reg_reg(x.MOV, wide, SCRATCH, x.RAX)
        self.unary(x.DIGIT_NEG, wide, SCRATCH)
        self.trap_if(x.OVERFLOW, TRAP_INTEGER_OVERFLOW)
        self.bind_short(other)

    def integer_unary(self, wide: i64, variant: i64, d: i64, a: i64) -> None:
        """clz ctz popcnt, sign extensions."""
        if variant == 3:
            self.reg_reg(x.MOVSX8, wide, d, a)
        elif variant == 4:
            self.reg_reg(x.MOVSX16, wide, d, a)
        elif variant == 5:
            self.reg_reg(x.MOVSXD, 1, d, a)
        elif variant == 0:
            self.count_leading(wide, d, a)
        elif variant == 1:
            if self.has_tzcnt:
                self.reg_reg(x.TZCNT, wide, d, a)
            else:
                self.mov_imm(SCRATCH, 64 if wide else 32)
                self.reg_reg(x.BSF, wide, d, a)
                self.cmov(x.EQUAL, wide, d, SCRATCH)
        elif self.has_popcnt:
            self.reg_reg(x.POPCNT, wide, d, a)
        else:
            self.count_ones(wide, d, a)

    def count_leading(self, wide: i64, d: i64, a: i64) -> None:
        """clz."""
        if self.has_lzcnt:
            self.reg_reg(x.LZCNT, wide, d, a)
            return
        self.mov_imm(SCRATCH, 127 if wide else 63)
        self.reg_reg(x.BSR, wide, d, a)
        self.cmov(x.EQUAL, wide, d, SCRATCH)
        self.alu_imm(x.DIGIT_XOR, wide, d, 63 if wide else 31)

    def count_ones(self, wide: i64, d: i64, a: i64) -> None:
        """popcnt by sums of neighbouring bits."""
        self.copy(wide, d, a)
        self.reg_reg(x.MOV, wide, SCRATCH, d)
        self.shift_imm(x.DIGIT_SHR, wide, SCRATCH, 1)
        self.reg_constant(x.AND, wide, SCRATCH, 0x5555555555555555)
        self.reg_reg(x.SUB, wide, d, SCRATCH)
        self.reg_reg(x.MOV, wide, SCRATCH, d)
        self.shift_imm(x.DIGIT_SHR, wide, SCRATCH, 2)
        self.reg_constant(x.AND, wide, SCRATCH, 0x3333333333333333)
        self.reg_constant(x.AND, wide, d, 0x3333333333333333)
        self.reg_reg(x.ADD, wide, d, SCRATCH)
        self.reg_reg(x.MOV, wide, SCRATCH, d)
        self.shift_imm(x.DIGIT_SHR, wide, SCRATCH, 4)
        self.reg_reg(x.ADD, wide, d, SCRATCH)
        self.reg_constant(x.AND, wide, d, 0x0F0F0F0F0F0F0F0F)
        self.reg_constant(x.IMUL, wide, d, 0x0101010101010101)
        self.shift_imm(x.DIGIT_SHR, wide, d, 56 if wide else 24)

    # Comparisons

    def compare_with_zero(self, wide: i64, a: i64, b: i64) -> None:
        """Flags of a & b, if they are not there already."""
        if a == b == self.flags_register and self.flags_position == i64(len(self.buffer)) and wide >= self.flags_wide:
            return
        self.reg_reg(x.TEST, wide, a, b)

    def jump_on(self, condition: i64, label: i64) -> None:
        """Jump to a label on a condition of records."""
        if condition == _FLOAT_EQUAL:
            unordered = self.short_jump_if(x.PARITY)
            self.jump_near_if(x.EQUAL, label)
            self.bind_short(unordered)
            return
        if condition == _FLOAT_NOT_EQUAL:
            self.jump_near_if(x.PARITY, label)
        self.jump_near_if(i64(_CONDITION[condition]), label)

    def trap_on(self, condition: i64, kind: i64) -> None:
        """Trap on a condition of records."""
        self.trap_if(i64(_CONDITION[condition]), kind)

    def set_on(self, condition: i64, d: i64) -> None:
        """d = 1 on a condition of records, else 0."""
        self.setcc(i64(_CONDITION[condition]), d)
        if condition == _FLOAT_EQUAL:
            self.setcc(x.NO_PARITY, SCRATCH)
            self.reg_reg(x.AND, 0, d, SCRATCH)
        elif condition == _FLOAT_NOT_EQUAL:
            self.setcc(x.PARITY, SCRATCH)
            self.reg_reg(x.OR, 0, d, SCRATCH)
        self.reg_reg(x.MOVZX8, 0, d, d)

    def select_on(self, wide: i64, condition: i64, d: i64, a: i64, b: i64) -> None:
        """d = a on a condition of records, else b."""
        if condition == _FLOAT_EQUAL or condition == _FLOAT_NOT_EQUAL:
            if condition == _FLOAT_NOT_EQUAL:
                a, b = b, a
            self.mov(SCRATCH, a)
            self.cmov(x.NOT_EQUAL, 1, SCRATCH, b)
            self.cmov(x.PARITY, 1, SCRATCH, b)
            self.mov(d, SCRATCH)
            return
        code = i64(_CONDITION[condition])
        if d == a:
            self.cmov(code ^ 1, wide, d, b)
            return
        if d != b:
            self.reg_reg(x.MOV, wide, d, b)
        self.cmov(code, wide, d, a)

    def select_float_on(self, condition: i64, d: i64, a: i64, b: i64) -> None:
        """The same for float registers."""
        if condition == _FLOAT_NOT_EQUAL:
            condition = _FLOAT_EQUAL
            a, b = b, a
        code = i64(_CONDITION[condition])
        if d == b and d != a:
            over = self.short_jump_if(code ^ 1)
            if condition == _FLOAT_EQUAL:
                unordered = self.short_jump_if(x.PARITY)
                self.reg_reg(x.MOVAPS, 0, d, a)
                self.bind_short(unordered)
            else:
                self.reg_reg(x.MOVAPS, 0, d, a)
            self.bind_short(over)
            return
        self.copy_float(d, a)
        if condition == _FLOAT_EQUAL:
            different = self.short_jump_if(x.NOT_EQUAL)
            over = self.short_jump_if(x.NO_PARITY)
            self.bind_short(different)
        else:
            over = self.short_jump_if(code)
        self.reg_reg(x.MOVAPS, 0, d, b)
        self.bind_short(over)

"""The assembler: x86-64 instructions into a growing buffer.

An *instruction* is a packed number: bits 0-7 the opcode, 8-9 its map (0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A), 16-23 the
mandatory prefix, bit 24: the register is a byte register, bit 25: so is the register in the place of memory. Forms that carry an
opcode extension (`/digit` in the manuals) take the digit in place of the register. `wide` is 1 for 64-bit operands, 0 for 32-bit
(and for all others). Registers are their hardware numbers.

`instruction | VEX | (first << 28)` is the form of AVX in all operand forms: its first source is the vector register `first` (0 where
it has none), the register its destination, the other operand its second source; where a digit is in the place of the register, `first`
is the destination. `wide` is then the bit W. `EVEX` beside `VEX` gives the form of AVX-512 on three registers, and `MASKED` beside both
leaves the lanes of the destination alone where k1 has zeros. All are for 128 bits.
"""

from __future__ import annotations

from wasmcore_x86_64._native import BytesWriter, i16, i32, i64, u8, write_i16_le, write_i32_le, write_i64_le

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RAX: Final = 0
RCX: Final = 1
RDX: Final = 2
RBX: Final = 3
RSP: Final = 4
RBP: Final = 5
RSI: Final = 6
RDI: Final = 7
R8: Final = 8
R9: Final = 9
R10: Final = 10
R11: Final = 11
R12: Final = 12
R13: Final = 13
R14: Final = 14
R15: Final = 15

# Conditions of jcc, setcc and cmovcc; `condition ^ 1` is the opposite.
OVERFLOW: Final = 0
BELOW: Final = 2
ABOVE_EQUAL: Final = 3
EQUAL: Final = 4
NOT_EQUAL: Final = 5
BELOW_EQUAL: Final = 6
ABOVE: Final = 7
SIGN: Final = 8
PARITY: Final = 10
NO_PARITY: Final = 11
LESS: Final = 12
GREATER_EQUAL: Final = 13
LESS_EQUAL: Final = 14
GREATER: Final = 15

# Digits of the arithmetic group: the immediate forms. `(digit << 3) | 3` is the opcode of "register op= register or memory",
# `(digit << 3) | 1` that of "memory op= register".
DIGIT_ADD: Final = 0
DIGIT_OR: Final = 1
DIGIT_ADC: Final = 2
DIGIT_SBB: Final = 3
DIGIT_AND: Final = 4
DIGIT_SUB: Final = 5
DIGIT_XOR: Final = 6
DIGIT_CMP: Final = 7
# Digits of the shift group.
DIGIT_ROL: Final = 0
DIGIT_ROR: Final = 1
DIGIT_SHL: Final = 4
DIGIT_SHR: Final = 5
DIGIT_SAR: Final = 7
# Digits of `UNARY`.
DIGIT_NOT: Final = 2
DIGIT_NEG: Final = 3
DIGIT_MUL: Final = 4
DIGIT_IMUL: Final = 5
DIGIT_DIV: Final = 6
DIGIT_IDIV: Final = 7
# Digits of `STATE`.
DIGIT_FXSAVE: Final = 0
DIGIT_FXRSTOR: Final = 1
DIGIT_LDMXCSR: Final = 2
DIGIT_STMXCSR: Final = 3
DIGIT_XSAVE: Final = 4
DIGIT_XRSTOR: Final = 5

ADD: Final = 0x03
OR: Final = 0x0B
ADC: Final = 0x13
SBB: Final = 0x1B
AND: Final = 0x23
SUB: Final = 0x2B
XOR: Final = 0x33
CMP: Final = 0x3B
CMP_STORED: Final = 0x39
"""Memory compared with a register."""
CMP8: Final = 0x300003A
ADD_STORE: Final = 0x01
OR_STORE: Final = 0x09
AND_STORE: Final = 0x21
SUB_STORE: Final = 0x29
XOR_STORE: Final = 0x31
TEST: Final = 0x85
TEST8: Final = 0x3000084
MOV: Final = 0x8B
MOV8: Final = 0x300008A
MOV_STORE: Final = 0x89
MOV_STORE8: Final = 0x1000088
MOV_STORE16: Final = 0x660089
MOV_IMMEDIATE: Final = 0xC7
"""Digit 0; `imm32` follows."""
MOV_IMMEDIATE8: Final = 0x20000C6
"""Digit 0; `imm8` follows."""
MOV_IMMEDIATE16: Final = 0x6600C7
"""Digit 0; `imm16` follows."""
ALU_IMMEDIATE8: Final = 0x83
"""Digit of the arithmetic group; a sign-extended `imm8` follows."""
ALU_IMMEDIATE32: Final = 0x81
"""Digit of the arithmetic group; a sign-extended `imm32` follows."""
ALU_BYTE_IMMEDIATE: Final = 0x2000080
"""Digit of the arithmetic group on bytes; `imm8` follows."""
TEST_IMMEDIATE: Final = 0xF7
"""Digit 0; `imm32` follows."""
TEST_IMMEDIATE8: Final = 0x20000F6
"""Digit 0, on bytes; `imm8` follows."""
XCHG: Final = 0x87
XCHG8: Final = 0x1000086
XCHG16: Final = 0x660087
LEA: Final = 0x8D
RORX: Final = 0xF203F0
SHLX: Final = 0x6602F7
SHRX: Final = 0xF202F7
SARX: Final = 0xF302F7
UNARY: Final = 0xF7
SHIFT_CL: Final = 0xD3
SHIFT_IMMEDIATE: Final = 0xC1
INDIRECT: Final = 0xFF
"""Digits: 0 increment, 1 decrement, 2 call, 4 jump, 6 push."""
MOVSXD: Final = 0x63
MOVZX8: Final = 0x20001B6
MOVZX16: Final = 0x1B7
MOVSX8: Final = 0x20001BE
MOVSX16: Final = 0x1BF
IMUL: Final = 0x1AF
IMUL_IMMEDIATE8: Final = 0x6B
IMUL_IMMEDIATE32: Final = 0x69
BSF: Final = 0x1BC
BSR: Final = 0x1BD
POPCNT: Final = 0xF301B8
TZCNT: Final = 0xF301BC
LZCNT: Final = 0xF301BD
CMPXCHG: Final = 0x1B1
CMPXCHG8: Final = 0x10001B0
CMPXCHG16: Final = 0x6601B1
XADD: Final = 0x1C1
XADD8: Final = 0x10001C0
XADD16: Final = 0x6601C1
CMOV: Final = 0x140
"""Plus the condition."""
SETCC: Final = 0x2000190
"""Plus the condition; digit 0."""
STATE: Final = 0x1AE
FLDCW: Final = 0xD9
"""Digit 5 loads, 7 stores the control word of the x87 unit."""

MOVSS: Final = 0xF30110
MOVSS_STORE: Final = 0xF30111
MOVSD: Final = 0xF20110
MOVSD_STORE: Final = 0xF20111
MOVUPS: Final = 0x110
MOVUPS_STORE: Final = 0x111
MOVAPS: Final = 0x128
MOVAPS_STORE: Final = 0x129
MOVD: Final = 0x66016E
"""To a vector register from a general one or memory; 64 bits when wide (`movq`)."""
MOVD_STORE: Final = 0x66017E
"""From a vector register to a general one or memory; 64 bits when wide."""
UCOMISS: Final = 0x12E
UCOMISD: Final = 0x66012E
ANDPS: Final = 0x154
ANDNPS: Final = 0x155
ORPS: Final = 0x156
XORPS: Final = 0x157
SQRTSS: Final = 0xF30151
ADDSS: Final = 0xF30158
MULSS: Final = 0xF30159
SUBSS: Final = 0xF3015C
MINSS: Final = 0xF3015D
DIVSS: Final = 0xF3015E
MAXSS: Final = 0xF3015F
SQRTSD: Final = 0xF20151
ADDSD: Final = 0xF20158
MULSD: Final = 0xF20159
SUBSD: Final = 0xF2015C
MINSD: Final = 0xF2015D
DIVSD: Final = 0xF2015E
MAXSD: Final = 0xF2015F
CVTSS2SD: Final = 0xF3015A
CVTSD2SS: Final = 0xF2015A
CVTSI2SS: Final = 0xF3012A
CVTSI2SD: Final = 0xF2012A
CVTTSS2SI: Final = 0xF3012C
CVTTSD2SI: Final = 0xF2012C
ROUNDSS: Final = 0x66030A
"""`imm8` follows: 8 nearest, 9 floor, 10 ceil, 11 trunc."""
ROUNDSD: Final = 0x66030B
PSHIFTD: Final = 0x660172
"""Digits 2 right, 6 left, of 32-bit elements; `imm8` follows."""
PSHIFTQ: Final = 0x660173
"""The same of 64-bit elements."""
PCMPEQD: Final = 0x660176

VEX: Final = 1 << 26
EVEX: Final = 1 << 27
MASKED: Final = 1 << 32

_UNBOUND: Final = -1


def _read32(buffer: BytesWriter, position: i64) -> i64:
    value = i64(buffer[position]) | (i64(buffer[position + 1]) << 8) | (i64(buffer[position + 2]) << 16)
    high = i64(buffer[position + 3])
    return value | (((high ^ 0x80) - 0x80) << 24)


def _patch32(buffer: BytesWriter, position: i64, value: i64) -> None:
    buffer[position] = u8(value & 255)
    buffer[position + 1] = u8((value >> 8) & 255)
    buffer[position + 2] = u8((value >> 16) & 255)
    buffer[position + 3] = u8((value >> 24) & 255)


_NOPS: Final = [
    b"\x90",
    b"\x66\x90",
    b"\x0f\x1f\x00",
    b"\x0f\x1f\x40\x00",
    b"\x0f\x1f\x44\x00\x00",
    b"\x66\x0f\x1f\x44\x00\x00",
    b"\x0f\x1f\x80\x00\x00\x00\x00",
    b"\x0f\x1f\x84\x00\x00\x00\x00\x00",
    b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",
]
"""By length."""


class Assembler:
    """Machine code in the making; `code()` is the result when all labels are bound."""

    def __init__(self) -> None:
        self.buffer: Final = BytesWriter()
        # Two numbers of 32 bits for each label: its position once bound, and before that the last place that wants it, the others
        # chained through their fields. No vectors, whose import takes longer than all stubs of a process.
        self._labels: Final = BytesWriter()
        self.labels: i64 = 0

    def reset(self) -> None:
        """Forget everything."""
        self.buffer.truncate(0)
        self._labels.truncate(0)
        self.labels = 0

    def position(self) -> i64:
        """Bytes written so far."""
        return i64(len(self.buffer))

    def code(self) -> bytes:
        """The machine code."""
        return self.buffer.getvalue()

    # Labels

    def label(self) -> i64:
        """Make a label; `bind` says where it is."""
        return self.new_labels(1)

    def new_labels(self, count: i64) -> i64:
        """Make `count` labels with consecutive numbers; the first is returned."""
        first = self.labels
        self.labels = first + count
        while count > 0:
            write_i64_le(self._labels, -1)  # both are _UNBOUND
            count -= 1
        return first

    def bind(self, label: i64) -> None:
        """The label is here; everything that wanted it is completed."""
        position = i64(len(self.buffer))
        _patch32(self._labels, 8 * label, position)
        wanted = _read32(self._labels, 8 * label + 4)
        while wanted != _UNBOUND:
            following = self.read32(wanted)
            self.patch32(wanted, position - (wanted + 4))
            wanted = following

    def label_position(self, label: i64) -> i64:
        """Where a label is; -1 when it is not bound yet."""
        return _read32(self._labels, 8 * label)

    def distance(self, label: i64) -> None:
        """Write the 32-bit distance of a label from the end of this field."""
        position = i64(len(self.buffer))
        bound = _read32(self._labels, 8 * label)
        if bound >= 0:
            write_i32_le(self.buffer, i32(bound - (position + 4)))
        else:
            write_i32_le(self.buffer, i32(_read32(self._labels, 8 * label + 4)))
            _patch32(self._labels, 8 * label + 4, position)

    def read32(self, position: i64) -> i64:
        """The signed 32-bit number at a position."""
        return _read32(self.buffer, position)

    def patch32(self, position: i64, value: i64) -> None:
        """Overwrite the 32-bit number at a position."""
        _patch32(self.buffer, position, value)

    # Raw data

    def imm8(self, value: i64) -> None:
        """Append a byte."""
        self.buffer.append(u8(value & 255))

    def imm16(self, value: i64) -> None:
        """Append two bytes."""
        write_i16_le(self.buffer, i16(((value & 0xFFFF) ^ 0x8000) - 0x8000))

    def imm32(self, value: i64) -> None:
        """Append four bytes."""
        write_i32_le(self.buffer, i32(((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000))

    def imm64(self, value: i64) -> None:
        """Append eight bytes (a signed number)."""
        write_i64_le(self.buffer, value)

    def data(self, value: bytes) -> None:
        """Append bytes."""
        self.buffer.write(value)

    def align(self, boundary: i64) -> None:
        """Fill with `nop`, in as few instructions as there can be, up to a multiple of `boundary`, a power of two."""
        self.skip(-i64(len(self.buffer)) & (boundary - 1))

    def skip(self, count: i64) -> None:
        """So many bytes of `nop` (Intel's manual, volume 2, NOP: the recommended sequences)."""
        while count:
            length = count if count < len(_NOPS) else i64(len(_NOPS))
            self.buffer.write(_NOPS[length - 1])
            count -= length

    # Operand forms

    def reg_reg(self, instruction: i64, wide: i64, reg: i64, rm: i64) -> None:
        """An instruction on two registers."""
        buffer = self.buffer
        if instruction > 0xFF:
            rex = (wide << 3) | ((reg >> 3) << 2) | (rm >> 3)
            if (instruction & 0x1000000 and reg >= 4) or (instruction & 0x2000000 and rm >= 4):
                rex |= 0x40
            self._opcode(instruction, rex)
            buffer.append(u8(0xC0 | ((reg & 7) << 3) | (rm & 7)))
            return
        rex = (wide << 3) | ((reg >> 3) << 2) | (rm >> 3)
        if rex:
            buffer.append(u8(0x40 | rex))
        write_i16_le(buffer, i16(_signed16(instruction | ((0xC0 | ((reg & 7) << 3) | (rm & 7)) << 8))))

    def reg_mem(self, instruction: i64, wide: i64, reg: i64, base: i64, displacement: i64) -> None:
        """An instruction on a register and `[base + displacement]`."""
        rex = (wide << 3) | ((reg >> 3) << 2) | (base >> 3)
        buffer = self.buffer
        low = base & 7
        modrm = ((reg & 7) << 3) | low
        if instruction <= 0xFF and rex and displacement and low != 4 and -128 <= displacement <= 127:  # most slots: one write
            write_i32_le(buffer, i32(_signed32(0x400040 | rex | (instruction << 8) | (modrm << 16) | (displacement << 24))))
            return
        if instruction & 0x1000000 and reg >= 4:
            rex |= 0x40
        self._opcode(instruction, rex)
        if -128 <= displacement <= 127:
            if displacement == 0 and low != 5:
                buffer.append(u8(modrm))
                if low == 4:
                    buffer.append(0x24)
                return
            buffer.append(u8(0x40 | modrm))
            if low == 4:
                buffer.append(0x24)
            buffer.append(u8(displacement & 255))
            return
        buffer.append(u8(0x80 | modrm))
        if low == 4:
            buffer.append(0x24)
        write_i32_le(buffer, i32(displacement))

    def reg_index(self, instruction: i64, wide: i64, reg: i64, base: i64, index: i64, scale: i64, displacement: i64) -> None:
        """An instruction on a register and `[base + (index << scale) + displacement]`; the index may not be rsp."""
        rex = (wide << 3) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3)
        buffer = self.buffer
        modrm = ((reg & 7) << 3) | 4
        sib = (scale << 6) | ((index & 7) << 3) | (base & 7)
        if instruction <= 0xFF and rex and displacement and -128 <= displacement <= 127:
            write_i32_le(buffer, i32(_signed32(0x400040 | rex | (instruction << 8) | (modrm << 16) | (sib << 24))))
            buffer.append(u8(displacement & 255))
            return
        if instruction & 0x1000000 and reg >= 4:
            rex |= 0x40
        self._opcode(instruction, rex)
        if displacement == 0 and base & 7 != 5:
            write_i16_le(buffer, i16(_signed16(modrm | (sib << 8))))
        elif -128 <= displacement <= 127:
            write_i16_le(buffer, i16(_signed16(0x40 | modrm | (sib << 8))))
            buffer.append(u8(displacement & 255))
        else:
            write_i16_le(buffer, i16(_signed16(0x80 | modrm | (sib << 8))))
            write_i32_le(buffer, i32(displacement))

    def reg_label(self, instruction: i64, wide: i64, reg: i64, label: i64) -> None:
        """An instruction on a register and `[rip + label]`; nothing may follow it."""
        rex = (wide << 3) | ((reg >> 3) << 2)
        if instruction & 0x1000000 and reg >= 4:
            rex |= 0x40
        self._opcode(instruction, rex)
        self.buffer.append(u8(((reg & 7) << 3) | 5))
        self.distance(label)

    def _opcode(self, instruction: i64, rex: i64) -> None:
        """Prefix, REX (0: none; bit 6 forces it) and opcode."""
        buffer = self.buffer
        if instruction <= 0xFF:
            if rex:
                buffer.append(u8(0x40 | rex))
            buffer.append(u8(instruction))
            return
        if instruction & VEX:
            self._vex_opcode(instruction, rex)
            return
        prefix = (instruction >> 16) & 255
        if prefix:
            buffer.append(u8(prefix))
        if rex:
            buffer.append(u8(0x40 | rex))
        opcode_map = (instruction >> 8) & 3
        if opcode_map:
            buffer.append(0x0F)
            if opcode_map == 2:
                buffer.append(0x38)
            elif opcode_map == 3:
                buffer.append(0x3A)
        buffer.append(u8(instruction & 255))

    def _vex_opcode(self, instruction: i64, rex: i64) -> None:
        """The prefix that stands for prefix, REX and map in one and names the first source, and the opcode."""
        buffer = self.buffer
        prefix = (instruction >> 16) & 255
        last = (((instruction >> 28) & 15) ^ 15) << 3  # with W above and the mandatory prefix below
        if prefix == 0x66:
            last |= 1
        elif prefix == 0xF3:
            last |= 2
        elif prefix == 0xF2:
            last |= 3
        extensions = ((rex & 7) ^ 7) << 5
        opcode_map = (instruction >> 8) & 3
        if instruction & EVEX:
            buffer.append(0x62)
            buffer.append(u8(extensions | 0x10 | opcode_map))
            buffer.append(u8(((rex & 8) << 4) | last | 4))
            buffer.append(0x09 if instruction & MASKED else 0x08)
        elif opcode_map == 1 and rex & 11 == 0:
            buffer.append(0xC5)
            buffer.append(u8((extensions & 0x80) | last))
        else:
            buffer.append(0xC4)
            buffer.append(u8(extensions | opcode_map))
            buffer.append(u8(((rex & 8) << 4) | last))
        buffer.append(u8(instruction & 255))

    # Moves

    def mov(self, reg: i64, source: i64) -> None:
        """64-bit move between registers."""
        self.reg_reg(MOV, 1, reg, source)

    def mov32(self, reg: i64, source: i64) -> None:
        """32-bit move between registers; clears the upper half."""
        self.reg_reg(MOV, 0, reg, source)

    def load(self, reg: i64, base: i64, displacement: i64) -> None:
        """64-bit load."""
        self.reg_mem(MOV, 1, reg, base, displacement)

    def load32(self, reg: i64, base: i64, displacement: i64) -> None:
        """32-bit load, zero-extended."""
        self.reg_mem(MOV, 0, reg, base, displacement)

    def store(self, base: i64, displacement: i64, reg: i64) -> None:
        """64-bit store."""
        self.reg_mem(MOV_STORE, 1, reg, base, displacement)

    def store32(self, base: i64, displacement: i64, reg: i64) -> None:
        """32-bit store."""
        self.reg_mem(MOV_STORE, 0, reg, base, displacement)

    def store_imm(self, base: i64, displacement: i64, value: i64) -> None:
        """64-bit store of a sign-extended 32-bit constant."""
        self.reg_mem(MOV_IMMEDIATE, 1, 0, base, displacement)
        self.imm32(value)

    def store32_imm(self, base: i64, displacement: i64, value: i64) -> None:
        """32-bit store of a constant."""
        self.reg_mem(MOV_IMMEDIATE, 0, 0, base, displacement)
        self.imm32(value)

    def mov_imm(self, reg: i64, value: i64) -> None:
        """A 64-bit constant (signed) in the shortest form that leaves the flags alone."""
        buffer = self.buffer
        if 0 <= value <= 0xFFFFFFFF:
            if reg >= 8:
                buffer.append(0x41)
            buffer.append(u8(0xB8 | (reg & 7)))
            self.imm32(value)
        elif -0x80000000 <= value < 0:
            self.reg_reg(MOV_IMMEDIATE, 1, 0, reg)
            self.imm32(value)
        else:
            self.mov_imm64(reg, value)

    def mov_imm64(self, reg: i64, value: i64) -> None:
        """A 64-bit constant (signed) in the ten-byte form."""
        buffer = self.buffer
        buffer.append(u8(0x48 | (reg >> 3)))
        buffer.append(u8(0xB8 | (reg & 7)))
        write_i64_le(buffer, value)

    def zero(self, reg: i64) -> None:
        """Clear a register; changes the flags."""
        self.reg_reg(XOR, 0, reg, reg)

    def lea(self, reg: i64, base: i64, displacement: i64) -> None:
        """Address of `[base + displacement]`."""
        self.reg_mem(LEA, 1, reg, base, displacement)

    def lea_label(self, reg: i64, label: i64) -> None:
        """Address of a label."""
        self.reg_label(LEA, 1, reg, label)

    def push(self, reg: i64) -> None:
        """Push a 64-bit register."""
        if reg >= 8:
            self.buffer.append(0x41)
        self.buffer.append(u8(0x50 | (reg & 7)))

    def pop(self, reg: i64) -> None:
        """Pop a 64-bit register."""
        if reg >= 8:
            self.buffer.append(0x41)
        self.buffer.append(u8(0x58 | (reg & 7)))

    def push_imm(self, value: i64) -> None:
        """Push a sign-extended 32-bit constant."""
        self.buffer.append(0x68)
        self.imm32(value)

    def load_thread_pointer(self, reg: i64) -> None:
        """The 64-bit word at `fs:0`."""
        self.buffer.append(0x64)
        self._opcode(MOV, 8 | ((reg >> 3) << 2))
        self.buffer.append(u8(((reg & 7) << 3) | 4))
        self.buffer.append(0x25)
        self.imm32(0)

    # Arithmetic

    def alu_imm(self, digit: i64, wide: i64, reg: i64, value: i64) -> None:
        """Register op= sign-extended 32-bit constant."""
        if -128 <= value <= 127:
            self.reg_reg(ALU_IMMEDIATE8, wide, digit, reg)
            self.buffer.append(u8(value & 255))
        else:
            self.reg_reg(ALU_IMMEDIATE32, wide, digit, reg)
            self.imm32(value)

    def alu_mem_imm(self, digit: i64, wide: i64, base: i64, displacement: i64, value: i64) -> None:
        """`[base + displacement]` op= sign-extended 32-bit constant."""
        if -128 <= value <= 127:
            self.reg_mem(ALU_IMMEDIATE8, wide, digit, base, displacement)
            self.buffer.append(u8(value & 255))
        else:
            self.reg_mem(ALU_IMMEDIATE32, wide, digit, base, displacement)
            self.imm32(value)

    def alu_byte_imm(self, digit: i64, base: i64, displacement: i64, value: i64) -> None:
        """The byte at `[base + displacement]` op= a constant."""
        self.reg_mem(ALU_BYTE_IMMEDIATE, 0, digit, base, displacement)
        self.imm8(value)

    def add_imm(self, reg: i64, value: i64) -> None:
        """64-bit addition of a constant."""
        self.alu_imm(DIGIT_ADD, 1, reg, value)

    def sub_imm(self, reg: i64, value: i64) -> None:
        """64-bit subtraction of a constant."""
        self.alu_imm(DIGIT_SUB, 1, reg, value)

    def cmp_imm(self, reg: i64, value: i64) -> None:
        """64-bit comparison with a constant."""
        self.alu_imm(DIGIT_CMP, 1, reg, value)

    def test(self, reg: i64, other: i64) -> None:
        """Flags of the 64-bit `reg & other`."""
        self.reg_reg(TEST, 1, reg, other)

    def test_imm(self, wide: i64, reg: i64, value: i64) -> None:
        """Flags of `reg & value`."""
        self.reg_reg(TEST_IMMEDIATE, wide, 0, reg)
        self.imm32(value)

    def imul_imm(self, wide: i64, reg: i64, source: i64, value: i64) -> None:
        """reg = source * sign-extended 32-bit constant."""
        if -128 <= value <= 127:
            self.reg_reg(IMUL_IMMEDIATE8, wide, reg, source)
            self.buffer.append(u8(value & 255))
        else:
            self.reg_reg(IMUL_IMMEDIATE32, wide, reg, source)
            self.imm32(value)

    def shift_cl(self, digit: i64, wide: i64, reg: i64) -> None:
        """Shift or rotate by cl."""
        self.reg_reg(SHIFT_CL, wide, digit, reg)

    def shift_imm(self, digit: i64, wide: i64, reg: i64, count: i64) -> None:
        """Shift or rotate by a constant."""
        self.reg_reg(SHIFT_IMMEDIATE, wide, digit, reg)
        self.buffer.append(u8(count))

    def shift_flagless(self, digit: i64, wide: i64, reg: i64, source: i64, count: i64) -> None:
        """reg = source shifted by a register (BMI2: shlx, shrx, sarx); leaves the flags alone."""
        instruction = SHLX if digit == DIGIT_SHL else SHRX if digit == DIGIT_SHR else SARX
        self.reg_reg(instruction | VEX | (count << 28), wide, reg, source)

    def rotate_right(self, wide: i64, reg: i64, source: i64, count: i64) -> None:
        """reg = source rotated right by a constant (BMI2); leaves the flags alone."""
        self.reg_reg(RORX | VEX, wide, reg, source)
        self.buffer.append(u8(count))

    def unary(self, digit: i64, wide: i64, reg: i64) -> None:
        """not, neg; mul, imul, div, idiv of rdx:rax."""
        self.reg_reg(UNARY, wide, digit, reg)

    def sign_to_dx(self, wide: i64) -> None:
        """cdq (32 bits) or cqo (64 bits): fill edx or rdx with the sign of eax or rax."""
        if wide:
            self.buffer.append(0x48)
        self.buffer.append(0x99)

    def setcc(self, condition: i64, reg: i64) -> None:
        """The low byte of a register becomes 1 if the condition holds, else 0."""
        self.reg_reg(SETCC + condition, 0, 0, reg)

    def cmov(self, condition: i64, wide: i64, reg: i64, source: i64) -> None:
        """Move if the condition holds."""
        self.reg_reg(CMOV + condition, wide, reg, source)

    # Control

    def jump(self, label: i64) -> None:
        """jmp rel32."""
        self.buffer.append(0xE9)
        self.distance(label)

    def jump_if(self, condition: i64, label: i64) -> None:
        """jcc rel32."""
        write_i16_le(self.buffer, i16(_signed16(0x800F | (condition << 8))))
        self.distance(label)

    def call(self, label: i64) -> None:
        """call rel32."""
        self.buffer.append(0xE8)
        self.distance(label)

    def jump_reg(self, reg: i64) -> None:
        """Jump to the address in a register."""
        self.reg_reg(INDIRECT, 0, 4, reg)

    def call_reg(self, reg: i64) -> None:
        """Call the address in a register."""
        self.reg_reg(INDIRECT, 0, 2, reg)

    def jump_mem(self, base: i64, displacement: i64) -> None:
        """Jump to the address at `[base + displacement]`."""
        self.reg_mem(INDIRECT, 0, 4, base, displacement)

    def call_mem(self, base: i64, displacement: i64) -> None:
        """Call the address at `[base + displacement]`."""
        self.reg_mem(INDIRECT, 0, 2, base, displacement)

    def short_jump_if(self, condition: i64) -> i64:
        """jcc rel8 to a place that `bind_short` says; for a few instructions ahead."""
        write_i16_le(self.buffer, i16(0x70 | condition))
        return i64(len(self.buffer))

    def short_jump(self) -> i64:
        """jmp rel8 to a place that `bind_short` says."""
        write_i16_le(self.buffer, i16(0xEB))
        return i64(len(self.buffer))

    def bind_short(self, jump: i64) -> None:
        """The short jump goes here; ValueError when that is too far."""
        distance = i64(len(self.buffer)) - jump
        if distance > 127:
            raise ValueError("short jump over more than 127 bytes")
        self.buffer[jump - 1] = u8(distance)

    def ret(self) -> None:
        """Return."""
        self.buffer.append(0xC3)

    def leave(self) -> None:
        """rsp = rbp; pop rbp."""
        self.buffer.append(0xC9)

    def ud2(self) -> None:
        """Raise the undefined-instruction fault."""
        write_i16_le(self.buffer, i16(0x0B0F))

    def int3(self) -> None:
        """Break point."""
        self.buffer.append(0xCC)

    def syscall(self) -> None:
        """System call; destroys rcx and r11."""
        write_i16_le(self.buffer, i16(0x050F))

    def pushfq(self) -> None:
        """Push the flags."""
        self.buffer.append(0x9C)

    def popfq(self) -> None:
        """Pop the flags."""
        self.buffer.append(0x9D)

    def cld(self) -> None:
        """String instructions count upwards."""
        self.buffer.append(0xFC)

    def pause(self) -> None:
        """Hint that this is a spin loop."""
        write_i16_le(self.buffer, i16(_signed16(0x90F3)))

    def lock(self) -> None:
        """Prefix: the next instruction is atomic."""
        self.buffer.append(0xF0)

    def mfence(self) -> None:
        """All accesses before come before all behind."""
        self.data(b"\x0f\xae\xf0")

    def rep_movsb(self) -> None:
        """Copy rcx bytes from [rsi] to [rdi]."""
        write_i16_le(self.buffer, i16(_signed16(0xA4F3)))

    def rep_stosq(self) -> None:
        """Store rax rcx times at [rdi]."""
        self.data(b"\xf3\x48\xab")


def _signed16(value: i64) -> i64:
    """The same 16 bits as a signed number (plain Python does not wrap)."""
    return (value ^ 0x8000) - 0x8000


def _signed32(value: i64) -> i64:
    """The low 32 bits as a signed number."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000

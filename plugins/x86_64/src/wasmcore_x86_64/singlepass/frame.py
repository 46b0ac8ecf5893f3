"""What all records' encodings need: slots of the frame, trap sites, constants behind the code, memory operands."""

from __future__ import annotations

from wasmcore_x86_64._native import BytesWriter, append, i32, i64, u8, vec, write_i32_le
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler.instructions import Assembler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CONTEXT_REGISTER: Final = 12
BASE_REGISTER: Final = 3
FIRST_ARGUMENT: Final = 13
SCRATCH: Final = 11
FLOAT_SCRATCH: Final = 15
"""Registers of the encoder: no record names the scratch registers."""
NO_REGISTER: Final = 31

# Kinds of traps (`wasmcore.TrapKind`).
TRAP_MEMORY_OUT_OF_BOUNDS: Final = 1
TRAP_TABLE_OUT_OF_BOUNDS: Final = 2
TRAP_UNDEFINED_ELEMENT: Final = 3
TRAP_UNINITIALIZED_ELEMENT: Final = 4
TRAP_INDIRECT_CALL_TYPE_MISMATCH: Final = 5
TRAP_INTEGER_DIVIDE_BY_ZERO: Final = 6
TRAP_INTEGER_OVERFLOW: Final = 7
TRAP_INVALID_CONVERSION_TO_INTEGER: Final = 8
TRAP_STACK_OVERFLOW: Final = 9
TRAP_NULL_REFERENCE: Final = 10

# The machine interface (`wasmcore.plugin.layout`).
VMCONTEXT_BUILTINS: Final = 8
VMCONTEXT_TYPE_IDS: Final = 16
FUNCREF_CODE: Final = 0
FUNCREF_CONTEXT: Final = 8
FUNCREF_TYPE_ID: Final = 16
STORE_STACK_LIMIT: Final = 8
STORE_POLLS: Final = 24
POLL_OFFSET: Final = -8
OVERFLOW_OFFSET: Final = -81920
OVERFLOW_SLOT: Final = 16
BUILTIN_MEMMOVE: Final = 0
BUILTIN_MEMSET: Final = 1
BUILTIN_TRAP: Final = 10
BUILTIN_POLL: Final = 11

_COLD_POLL: Final = -1
"""Among the kinds of places behind the code: a poll that calls back."""


class FrameEncoder(Assembler):
    """The assembler with the state of one function."""

    def __init__(self) -> None:
        super().__init__()
        self.saved_bytes: i64 = 0  # of the saved context, above the slots
        self.slot_bytes: i64 = 8
        self.extents: Final = BytesWriter()
        self.traps: Final = BytesWriter()
        self.positions: Final = BytesWriter()
        self.code_base: i64 = 0
        self.scale: i64 = 0
        """By how much the address register of the current record is shifted."""
        self.word: i64 = -1  # the stream word of the current record, where wanted
        self.signals = True  # faults become traps and interrupts; else built-ins are called
        # Jumps to trap sites that stand behind the code: where their distance is, the kind, the stream word.
        self.cold_at: vec[i64] = vec[i64]()
        self.cold_kind: vec[i64] = vec[i64]()
        self.cold_word: vec[i64] = vec[i64]()
        self.cold_count: i64 = 0
        # Uses of constants behind the code: where the distance is; the constant's number, or the complement of a wide one's.
        self.pool: dict[int, int] = {}
        self.pool_values: list[int] = []
        self.wide_pool: dict[int, int] = {}  # by both halves combined: others with the same key are not in it
        self.wide_low: vec[i64] = vec[i64]()
        self.wide_high: vec[i64] = vec[i64]()
        self.wide_count: i64 = 0
        self.use_at: vec[i64] = vec[i64]()
        self.use_constant: vec[i64] = vec[i64]()
        self.use_count: i64 = 0

    def begin_function(self, code_base: i64) -> None:
        """Forget the function before; this one's code will stand at `code_base` in its unit."""
        self.reset()
        self.code_base = code_base
        self.slot_bytes = 8
        self.word = -1
        self.cold_count = 0
        self.use_count = 0
        if self.pool_values:
            self.pool = {}
            self.pool_values = []
        if self.wide_count:
            self.wide_pool = {}
            self.wide_count = 0

    def set_signals(self, signals: bool) -> None:
        """Whether instructions may fault."""
        self.signals = signals

    # Traps and polls

    def trap_site(self, kind: i64) -> None:
        """The next instruction may fault, and that is a trap of this kind."""
        self.note_trap(i64(len(self.buffer)), kind)

    def note_trap(self, position: i64, kind: i64) -> None:
        """Add an entry to the trap table."""
        write_i32_le(self.traps, i32(signed32(self.code_base + position)))
        write_i32_le(self.traps, i32(kind))

    def note_position(self, position: i64, word: i64) -> None:
        """Add an entry to the address map."""
        write_i32_le(self.positions, i32(signed32(self.code_base + position)))
        write_i32_le(self.positions, i32(word))

    def trap(self, kind: i64) -> None:
        """Trap here."""
        if self.signals:
            self.trap_site(kind)
            self.ud2()
        else:
            self.mov_imm(FIRST_ARGUMENT, kind)
            self.call_table(BUILTIN_TRAP)

    def call_table(self, builtin: i64) -> None:
        """Call a built-in; the stack is aligned in every frame."""
        self.load(SCRATCH, CONTEXT_REGISTER, VMCONTEXT_BUILTINS)
        self.call_mem(SCRATCH, 8 * builtin)

    def poll(self) -> None:
        """Notice an interrupt; the scratch register holds the store."""
        if self.signals:
            self.reg_mem(x.TEST8, 0, 0, SCRATCH, POLL_OFFSET)
        else:
            self.alu_mem_imm(x.DIGIT_SUB, 0, SCRATCH, STORE_POLLS, 1)
            self.trap_if(x.SIGN, _COLD_POLL)

    def trap_if(self, condition: i64, kind: i64) -> None:
        """Trap on a condition, at a place of its own behind the code."""
        self.imm16(0x800F | (condition << 8))
        count = self.cold_count
        if count == i64(len(self.cold_at)):
            self.cold_at = append(self.cold_at, 0)
            self.cold_kind = append(self.cold_kind, 0)
            self.cold_word = append(self.cold_word, 0)
        self.cold_at[count] = i64(len(self.buffer))
        self.cold_kind[count] = kind
        self.cold_word[count] = self.word
        self.cold_count = count + 1
        self.imm32(0)

    def write_cold_traps(self) -> None:
        """The trap sites behind the code, and the polls that call back."""
        i: i64 = 0
        while i < self.cold_count:
            at = self.cold_at[i]
            position = i64(len(self.buffer))
            self.patch32(at, position - at - 4)
            if self.cold_word[i] >= 0:
                self.note_position(position, self.cold_word[i])
            if self.cold_kind[i] == _COLD_POLL:
                self.call_table(BUILTIN_POLL)
                self.imm8(0xE9)
                self.imm32(at - i64(len(self.buffer)))
            else:
                self.trap(self.cold_kind[i])
            i += 1

    # Constants

    def reg_constant(self, instruction: i64, wide: i64, reg: i64, bits: i64) -> None:
        """An instruction on a register and an 8-byte constant in memory; nothing may follow it."""
        number = self.pool.get(bits)
        if number is None:
            number = len(self.pool_values)
            self.pool[bits] = number
            self.pool_values.append(bits)
        self._constant_operand(instruction, wide, reg, i64(number))

    def reg_wide_constant(self, instruction: i64, wide: i64, reg: i64, low: i64, high: i64) -> None:
        """An instruction on a register and an aligned 16-byte constant in memory; nothing may follow it."""
        self._constant_operand(instruction, wide, reg, ~self._wide_constant(low, high))

    def _wide_constant(self, low: i64, high: i64) -> i64:
        """The number of a 16-byte constant."""
        key = low ^ (high >> 1)
        known = self.wide_pool.get(key)
        count = self.wide_count
        if known is None:
            self.wide_pool[key] = count
        else:
            number = i64(known)
            while number < count:
                if self.wide_low[number] == low and self.wide_high[number] == high:
                    return number
                number += 1
        if count == i64(len(self.wide_low)):
            self.wide_low = append(self.wide_low, 0)
            self.wide_high = append(self.wide_high, 0)
        self.wide_low[count] = low
        self.wide_high[count] = high
        self.wide_count = count + 1
        return count

    def _constant_operand(self, instruction: i64, wide: i64, reg: i64, number: i64) -> None:
        """The instruction with an address for `write_constants` to complete."""
        self._opcode(instruction, (wide << 3) | ((reg >> 3) << 2))
        self.buffer.append(u8(((reg & 7) << 3) | 5))
        count = self.use_count
        if count == i64(len(self.use_at)):
            self.use_at = append(self.use_at, 0)
            self.use_constant = append(self.use_constant, 0)
        self.use_at[count] = i64(len(self.buffer))
        self.use_constant[count] = number
        self.use_count = count + 1
        self.imm32(0)

    def write_constants(self) -> None:
        """The constants behind the code: the wide ones, aligned as the code is, and then the others."""
        if self.use_count == 0:
            return
        boundary: i64 = 16 if self.wide_count else 8
        while i64(len(self.buffer)) & (boundary - 1):
            self.int3()
        wide_start = i64(len(self.buffer))
        i: i64 = 0
        while i < self.wide_count:
            self.imm64(self.wide_low[i])
            self.imm64(self.wide_high[i])
            i += 1
        start = i64(len(self.buffer))
        for bits in self.pool_values:
            self.imm64(bits)
        i = 0
        while i < self.use_count:
            at = self.use_at[i]
            number = self.use_constant[i]
            if number >= 0:
                self.patch32(at, start + 8 * number - at - 4)
            else:
                self.patch32(at, wide_start + 16 * ~number - at - 4)
            i += 1

    # Jumps

    def jump_near(self, label: i64) -> None:
        """Jump, by the short form where the label is near behind."""
        back = self.label_position(label)
        distance = back - i64(len(self.buffer)) - 2
        if back >= 0 and distance >= -128:
            self.imm16(0xEB | ((distance & 255) << 8))
        else:
            self.jump(label)

    def jump_near_if(self, condition: i64, label: i64) -> None:
        """Jump on a condition, likewise."""
        back = self.label_position(label)
        distance = back - i64(len(self.buffer)) - 2
        if back >= 0 and distance >= -128:
            self.imm16(0x70 | condition | ((distance & 255) << 8))
        else:
            self.jump_if(condition, label)

    # Operands

    def slot(self, number: i64) -> i64:
        """Distance of a slot from the frame pointer."""
        return -self.slot_bytes * (number + 1) - self.saved_bytes

    def copy(self, wide: i64, d: i64, a: i64) -> None:
        """d = a, if they differ."""
        if d != a:
            self.reg_reg(x.MOV, wide, d, a)

    def copy_float(self, d: i64, a: i64) -> None:
        """d = a, if they differ."""
        if d != a:
            self.reg_reg(x.MOVAPS, 0, d, a)

    def access(self, instruction: i64, wide: i64, reg: i64, absolute: i64, a: i64, offset: i64) -> None:
        """An instruction on a register and a WebAssembly memory operand."""
        if absolute:
            self.reg_mem(instruction, wide, reg, a, offset)
        elif 0 <= offset <= 0x7FFFFFFF:
            if a == NO_REGISTER:
                self.reg_mem(instruction, wide, reg, BASE_REGISTER, offset)
            else:
                self.reg_index(instruction, wide, reg, BASE_REGISTER, a, self.scale, offset)
        else:
            self.mov_imm(SCRATCH, offset)
            if a != NO_REGISTER:
                self.reg_reg(x.ADD, 1, SCRATCH, a)
            self.reg_index(instruction, wide, reg, BASE_REGISTER, SCRATCH, 0, 0)


def signed32(value: i64) -> i64:
    """The low 32 bits as a signed number."""
    return ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000

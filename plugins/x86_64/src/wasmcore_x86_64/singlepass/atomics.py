"""Encodings of records of wide arithmetic and of atomic accesses."""

from __future__ import annotations

from wasmcore_x86_64._native import i64
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.singlepass.frame import SCRATCH
from wasmcore_x86_64.singlepass.vectors import VectorEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CALL_REFERENCE: Final = 90
TRAP_IF: Final = 91
ALU_CARRY_OUT: Final = 92
ALU_CARRY_IN: Final = 93
MULTIPLY_WIDE: Final = 94
ATOMIC_UPDATE: Final = 95
ATOMIC_COMPARE_EXCHANGE: Final = 96
FENCE: Final = 97
ATOMIC_LOAD: Final = 98
ATOMIC_STORE: Final = 99

_UNSIGNED: Final = 4

_ADD: Final = 0
_SUB: Final = 1
_EXCHANGE: Final = 5
_OPERATIONS: Final = b"\x03\x2b\x23\x0b\x33"
"""By the variants of ATOMIC_UPDATE: opcode of "register op= register"."""

# By the logarithm of the bytes.
_LOAD: Final = [x.MOVZX8, x.MOVZX16, x.MOV, x.MOV]
_XADD: Final = [x.XADD8, x.XADD16, x.XADD, x.XADD]
_XCHG: Final = [x.XCHG8, x.XCHG16, x.XCHG, x.XCHG]
_CMPXCHG: Final = [x.CMPXCHG8, x.CMPXCHG16, x.CMPXCHG, x.CMPXCHG]


class AtomicEncoder(VectorEncoder):
    """Wide arithmetic, atomic accesses."""

    def with_carry(self, instruction: i64, d: i64, a: i64, b: i64) -> None:
        """d = a op b, of 64 bits; only the instruction itself reads or writes the carry."""
        if d == b and d != a:
            if instruction == x.ADD or instruction == x.ADC:
                b = a
            else:
                self.mov(SCRATCH, b)
                self.mov(d, a)
                b = SCRATCH
        elif d != a:
            self.mov(d, a)
        self.reg_reg(instruction, 1, d, b)

    def multiply_wide(self, unsigned: i64, b: i64) -> None:
        """rdx:rax = rax * b."""
        self.unary(x.DIGIT_MUL if unsigned else x.DIGIT_IMUL, 1, b)

    def atomic_update(self, variant: i64, logarithm: i64, a: i64, b: i64) -> None:
        """rax = value at the address a, which becomes value op b; neither a nor b is rax."""
        wide: i64 = 1 if logarithm == 3 else 0
        if variant == _ADD or variant == _SUB or variant == _EXCHANGE:
            self.reg_reg(x.MOV, wide, x.RAX, b)
            if variant == _EXCHANGE:
                self.reg_mem(i64(_XCHG[logarithm]), wide, x.RAX, a, 0)
            else:
                if variant == _SUB:
                    self.unary(x.DIGIT_NEG, wide, x.RAX)
                self.lock()
                self.reg_mem(i64(_XADD[logarithm]), wide, x.RAX, a, 0)
        else:
            self.reg_mem(i64(_LOAD[logarithm]), wide, x.RAX, a, 0)
            again = i64(len(self.buffer))
            self.reg_reg(x.MOV, wide, SCRATCH, x.RAX)
            self.reg_reg(i64(_OPERATIONS[variant]), wide, SCRATCH, b)
            self.lock()
            self.reg_mem(i64(_CMPXCHG[logarithm]), wide, SCRATCH, a, 0)
            self.imm16(0x75 | (((again - i64(len(self.buffer)) - 2) & 255) << 8))
        self.extend_narrow(logarithm)

    def atomic_compare_exchange(self, logarithm: i64, a: i64, b: i64) -> None:
        """rax = value at the address a, which becomes b if it is equal to as many bytes of rax."""
        self.lock()
        self.reg_mem(i64(_CMPXCHG[logarithm]), 1 if logarithm == 3 else 0, b, a, 0)
        self.extend_narrow(logarithm)

    def extend_narrow(self, logarithm: i64) -> None:
        """Clear what is above 2**logarithm bytes in rax."""
        if logarithm < 3:
            self.reg_reg(i64(_LOAD[logarithm]), 0, x.RAX, x.RAX)

    def late_record(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """Operations from TRAP_IF on."""
        if operation == TRAP_IF:
            self.trap_on(size, immediate)
        elif operation == ALU_CARRY_OUT:
            self.with_carry(x.SUB if size >> 1 else x.ADD, d, a, b)
        elif operation == ALU_CARRY_IN:
            self.with_carry(x.SBB if size >> 1 else x.ADC, d, a, b)
        elif operation == MULTIPLY_WIDE:
            self.multiply_wide(size & _UNSIGNED, b)
        elif operation == ATOMIC_UPDATE:
            self.atomic_update(size >> 2, size & 3, a, b)
        elif operation == ATOMIC_COMPARE_EXCHANGE:
            self.atomic_compare_exchange(size & 3, a, b)
        elif operation == ATOMIC_LOAD:
            self.reg_mem(i64(_LOAD[size]), 1 if size == 3 else 0, d, a, 0)
        elif operation == ATOMIC_STORE:
            self.mov(SCRATCH, b)
            self.reg_mem(i64(_XCHG[size]), 1 if size == 3 else 0, SCRATCH, a, 0)
        else:
            self.mfence()

"""As much of x86-64 as a stack machine needs."""

from __future__ import annotations

import struct

RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI = range(8)
R10 = 10
OVERFLOW, CARRY, NO_CARRY, EQUAL, NOT_EQUAL, BELOW_EQUAL, ABOVE, NOT_SIGN, LESS, GREATER_EQUAL, LESS_EQUAL, GREATER = (
    *(0x0, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x9, 0xC, 0xD, 0xE, 0xF),
)
"""Conditions by their numbers in instructions; those of a pair are exchanged by the lowest bit."""
LOAD, STORE, ADD, COMPARE, ADDRESS = b"\x8b", b"\x89", b"\x03", b"\x3b", b"\x8d"
CALL, JUMP = 2, 4
"""The register field of an FF instruction."""


class Assembler:
    """Code, and jumps in it."""

    def __init__(self) -> None:
        self.code = bytearray()

    def emit(self, *instruction: int) -> None:
        """Bytes as they are."""
        self.code += bytes(instruction)

    def memory(self, opcode: bytes, register: int, base: int, displacement: int, wide: bool = True, prefix: bytes = b"") -> None:
        """An instruction on a register and `[base + displacement]`, of 64 bits or of 32."""
        rex = 0x40 | wide << 3 | (register >> 3) << 2 | base >> 3
        self.code += prefix + bytes([rex]) + opcode + bytes([0x80 | (register & 7) << 3 | base & 7])
        if base & 7 == RSP:
            self.emit(0x24)
        self.code += struct.pack("<i", displacement)

    def load(self, register: int, base: int, displacement: int, wide: bool = True) -> None:
        """A register from memory."""
        self.memory(LOAD, register, base, displacement, wide)

    def store(self, register: int, base: int, displacement: int, wide: bool = True) -> None:
        """Memory from a register."""
        self.memory(STORE, register, base, displacement, wide)

    def load_float(self, register: int, base: int, displacement: int) -> None:
        """64 bits to a float register."""
        self.memory(b"\x0f\x7e", register, base, displacement, False, b"\xf3")

    def store_float(self, register: int, base: int, displacement: int) -> None:
        """64 bits from a float register."""
        self.memory(b"\x0f\xd6", register, base, displacement, False, b"\x66")

    def constant(self, register: int, value: int) -> None:
        """Any 64 bits."""
        self.emit(0x48 | register >> 3, 0xB8 | register & 7)
        self.code += struct.pack("<Q", value & (1 << 64) - 1)

    def jump(self, condition: int | None = None) -> int:
        """A jump to a place that is not known yet: what `land` is given."""
        self.code += b"\xe9" if condition is None else bytes([0x0F, 0x80 | condition])
        self.code += bytes(4)
        return len(self.code)

    def land(self, jump: int, at: int | None = None) -> None:
        """Let a jump go to an offset, or here."""
        target = len(self.code) if at is None else at
        self.code[jump - 4 : jump] = struct.pack("<i", target - jump)

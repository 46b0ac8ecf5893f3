"""The line number program of DWARF 5, as far as LLVM uses it for one file."""

from __future__ import annotations

from typing import Final

from wasmcore.errors import PluginError

_VERSION: Final = 5
_ARGUMENT_COUNTS: Final = bytes((0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1))
"""Of the standard operations 1 to 12."""


def rows(content: bytes) -> list[tuple[int, int]]:
    """Address and line of every row of the table, sorted by address."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "little")
        version = int.from_bytes(content[at + 4 : at + 6], "little")
        if version != _VERSION or length >= 0xFFFFFFF0 or content[at + 6 : at + 8] != b"\x08\x00":
            raise PluginError("LLVM's object has a line table of another version")
        found += _Program(content[at : at + 4 + length]).run()
        at += 4 + length
    return sorted(found)


class _Program:
    """One program and the state of its machine."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        header = int.from_bytes(content[8:12], "little")
        self.step, _, self.is_statement, base, self.line_range, self.special = content[12:18]
        self.line_base = base - 256 if base > 127 else base
        if self.step != 1 or content[18 : 17 + self.special] != _ARGUMENT_COUNTS[: self.special - 1]:
            raise PluginError("LLVM's object has a line table of another kind")
        self.at = 12 + header
        self.address = 0
        self.line = 1
        self.found: list[tuple[int, int]] = []

    def run(self) -> list[tuple[int, int]]:
        """Its rows; line 0 is that of instructions which have lost theirs."""
        while self.at < len(self.content):
            operation = self.content[self.at]
            self.at += 1
            if operation >= self.special:
                self.advance(operation - self.special)
            elif operation == 0:
                self.extended()
            else:
                self.standard(operation)
        return self.found

    def advance(self, number: int) -> None:
        """A special operation: a new row further on."""
        self.address += number // self.line_range
        self.line += self.line_base + number % self.line_range
        self.found.append((self.address, self.line))

    def extended(self) -> None:
        """Operations with a length."""
        length = self.unsigned()
        operation = self.content[self.at]
        if operation == 1:
            self.address, self.line = 0, 1
        elif operation == 2:
            self.address = int.from_bytes(self.content[self.at + 1 : self.at + length], "little")
        self.at += length

    def standard(self, operation: int) -> None:
        """Operations without one."""
        if operation == 1:
            self.found.append((self.address, self.line))
        elif operation == 2:
            self.address += self.unsigned()
        elif operation == 3:
            self.line += self.signed()
        elif operation == 8:
            self.address += (255 - self.special) // self.line_range
        elif operation == 9:
            self.address += int.from_bytes(self.content[self.at : self.at + 2], "little")
            self.at += 2
        else:
            for _ in range(_ARGUMENT_COUNTS[operation - 1]):
                self.unsigned()

    def unsigned(self) -> int:
        """A number of seven bits a byte."""
        result = shift = 0
        while True:
            byte = self.content[self.at]
            self.at += 1
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def signed(self) -> int:
        """The same, signed."""
        start = self.at
        result = self.unsigned()
        bits = 7 * (self.at - start)
        return result - (1 << bits) if result >> (bits - 1) else result

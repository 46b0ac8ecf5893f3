"""Writes WebAssembly binaries: just what the generator of programs needs, independent of the decoder under test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

I32, I64, F32, F64, V128, FUNCREF, EXTERNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F

FUNCTION, TABLE, MEMORY, GLOBAL = range(4)
END = b"\x0b"

FunctionType = tuple[tuple[int, ...], tuple[int, ...]]
"""Parameters and results."""


def unsigned(value: int) -> bytes:
    """LEB128 of a number that is not negative."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def signed(value: int) -> bytes:
    """Signed LEB128."""
    encoded = bytearray()
    while not -64 <= value < 64:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value & 0x7F)
    return bytes(encoded)


def vector(items: Iterable[bytes]) -> bytes:
    """A count and the items."""
    parts = list(items)
    return unsigned(len(parts)) + b"".join(parts)


def name(text: str) -> bytes:
    """A length and UTF-8."""
    encoded = text.encode()
    return unsigned(len(encoded)) + encoded


def function_type(signature: FunctionType) -> bytes:
    """A function type of the type section."""
    return b"\x60" + vector(bytes([t]) for t in signature[0]) + vector(bytes([t]) for t in signature[1])


def limits(minimum: int, maximum: int | None) -> bytes:
    """Limits of a memory or table."""
    return b"\x00" + unsigned(minimum) if maximum is None else b"\x01" + unsigned(minimum) + unsigned(maximum)


def section(number: int, content: bytes) -> bytes:
    """A section; nothing where its vector is empty."""
    return b"" if content == b"\x00" else bytes([number]) + unsigned(len(content)) + content


@dataclass
class ModuleBuilder:
    """Collects the parts of a module. Functions are numbered imports first, so add imports before functions."""

    types: list[FunctionType] = field(default_factory=list)
    imports: list[bytes] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    tables: list[bytes] = field(default_factory=list)
    memories: list[bytes] = field(default_factory=list)
    globals: list[bytes] = field(default_factory=list)
    exports: list[bytes] = field(default_factory=list)
    elements: list[bytes] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    start: int | None = None

    def type_index(self, signature: FunctionType) -> int:
        """The index of a function type, which is added where it is new."""
        if signature not in self.types:
            self.types.append(signature)
        return self.types.index(signature)

    def import_function(self, module: str, field_name: str, signature: FunctionType) -> None:
        """Add an imported function."""
        self.imports.append(name(module) + name(field_name) + b"\x00" + unsigned(self.type_index(signature)))

    def function(self, signature: FunctionType, local_types: Sequence[int], code: bytes) -> int:
        """Add a function and return its index; the code is without its last `end`."""
        self.functions.append(self.type_index(signature))
        body = vector(b"\x01" + bytes([local]) for local in local_types) + code + END
        self.bodies.append(unsigned(len(body)) + body)
        return len(self.imports) + len(self.functions) - 1

    def table(self, element: int, minimum: int, maximum: int | None) -> None:
        """Add a table."""
        self.tables.append(bytes([element]) + limits(minimum, maximum))

    def memory(self, minimum: int, maximum: int, *, index64: bool = False, page_size_log2: int = 16) -> None:
        """Add a memory; sizes in pages."""
        flags = 1 | (4 if index64 else 0) | (8 if page_size_log2 != 16 else 0)
        page_size = unsigned(page_size_log2) if page_size_log2 != 16 else b""
        self.memories.append(bytes([flags]) + unsigned(minimum) + unsigned(maximum) + page_size)

    def global_(self, value: int, mutable: bool, initial: bytes) -> None:
        """Add a global; its initial value is a constant instruction."""
        self.globals.append(bytes([value, mutable]) + initial + END)

    def export(self, text: str, kind: int, index: int) -> None:
        """Export something."""
        self.exports.append(name(text) + bytes([kind]) + unsigned(index))

    def active_elements(self, offset: int, functions: Sequence[int]) -> None:
        """Add an element segment that goes into table 0."""
        self.elements.append(b"\x00\x41" + signed(offset) + END + vector(map(unsigned, functions)))

    def passive_elements(self, functions: Sequence[int]) -> None:
        """Add an element segment for `table.init`."""
        self.elements.append(b"\x01\x00" + vector(map(unsigned, functions)))

    def active_data(self, offset: int, content: bytes, memory: int = 0, *, index64: bool = False) -> None:
        """Add a data segment that goes into a memory."""
        place = b"\x02" + unsigned(memory) if memory else b"\x00"
        self.data.append(place + (b"\x42" if index64 else b"\x41") + signed(offset) + END + unsigned(len(content)) + content)

    def passive_data(self, content: bytes) -> None:
        """Add a data segment for `memory.init`."""
        self.data.append(b"\x01" + unsigned(len(content)) + content)

    def to_bytes(self) -> bytes:
        """The module."""
        parts = [
            section(1, vector(map(function_type, self.types))),
            section(2, vector(self.imports)),
            section(3, vector(map(unsigned, self.functions))),
            section(4, vector(self.tables)),
            section(5, vector(self.memories)),
            section(6, vector(self.globals)),
            section(7, vector(self.exports)),
            bytes([8, len(unsigned(self.start))]) + unsigned(self.start) if self.start is not None else b"",
            section(9, vector(self.elements)),
            section(12, unsigned(len(self.data))),
            section(10, vector(self.bodies)),
            section(11, vector(self.data)),
        ]
        return b"\x00asm\x01\x00\x00\x00" + b"".join(parts)

"""From LLVM's ELF objects to code that can be copied anywhere: a reader of just those, which refuses whatever it does not know."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.errors import PluginError
from wasmcore.plugin.code import LARGEST_ALIGNMENT
from wasmcore_llvm.text.state import TRAP_SECTION

if TYPE_CHECKING:
    from wasmcore_llvm.target import LlvmTarget

_PROGBITS: Final = 1
_SYMTAB: Final = 2
_RELA: Final = 4
_NOBITS: Final = 8
_WRITE: Final = 1
_ALLOC: Final = 2
_EXECUTE: Final = 4


class Section(NamedTuple):
    """One section of the object."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class Symbol(NamedTuple):
    """One symbol: section 0 is undefined."""

    name: str
    section: int
    value: int
    size: int


class Relocation(NamedTuple):
    """One relocation of a section."""

    offset: int
    kind: int
    symbol: int
    addend: int


class Linked(NamedTuple):
    """The code of an object, with everything inside resolved."""

    code: bytes
    symbols: dict[str, tuple[int, int]]
    """Offset and size of each function."""
    traps: list[tuple[int, int]]
    """Offset and number of each trap site."""
    places: list[tuple[int, int]]
    """Offset and line of each row of the line table; line 0 where there is none."""


class Object:
    """An ELF64 relocatable object for a processor."""

    def __init__(self, data: bytes, target: LlvmTarget) -> None:
        self.data: Final = data
        self.target: Final = target
        try:
            self._read_header()
            self.sections: Final = self._read_sections()
            self.symbols: Final = self._read_symbols()
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise PluginError(f"LLVM's object is no ELF object: {error}") from None

    def _read_header(self) -> None:
        magic, kind, machine = struct.unpack_from("<4sxxxxxxxxxxxxHH", self.data)
        if magic != b"\x7fELF" or self.data[4:6] != b"\x02\x01" or kind != 1 or machine != self.target.MACHINE:
            raise PluginError("LLVM's object is not a relocatable ELF object for the target")

    def _read_sections(self) -> list[Section]:
        (table,) = struct.unpack_from("<Q", self.data, 40)
        size, count, names = struct.unpack_from("<HHH", self.data, 58)
        first = struct.unpack_from("<IIQQQQIIQQ", self.data, table)
        if count == 0:
            count = first[5]
        if names == 0xFFFF:
            names = first[6]
        rows = [struct.unpack_from("<IIQQQQIIQQ", self.data, table + size * number) for number in range(count)]
        name_table = rows[names][4]
        sections = []
        for name, kind, flags, _address, offset, length, link, info, alignment, _entry in rows:
            if kind != _NOBITS and offset + length > len(self.data):
                raise PluginError("LLVM's object is cut off")
            sections.append(Section(self._string(name_table + name), kind, flags, offset, length, link, info, max(alignment, 1)))
        return sections

    def _string(self, at: int) -> str:
        return self.data[at : self.data.index(0, at)].decode("ascii")

    def _read_symbols(self) -> list[Symbol]:
        symbols = []
        for section in self.sections:
            if section.kind == _SYMTAB:
                names = self.sections[section.link].offset
                for at in range(section.offset, section.offset + section.size, 24):
                    name, _info, _other, index, value, size = struct.unpack_from("<IBBHQQ", self.data, at)
                    symbols.append(Symbol(self._string(names + name), index, value, size))
        return symbols

    def content(self, number: int) -> bytes:
        """The bytes of a section."""
        section = self.sections[number]
        return self.data[section.offset : section.offset + section.size]

    def relocations(self, number: int) -> list[Relocation]:
        """The relocations of a section."""
        found = []
        for section in self.sections:
            if section.kind == _RELA and section.info == number:
                for offset, info, addend in struct.iter_unpack("<QQq", self.data[section.offset : section.offset + section.size]):
                    found.append(Relocation(offset, info & 0xFFFFFFFF, info >> 32, addend))
        return found

    def numbered(self, name: str) -> int | None:
        """The number of the section with a name; there is at most one."""
        found = [number for number, section in enumerate(self.sections) if section.name == name and section.size]
        if len(found) > 1:
            raise PluginError(f"LLVM's object has several sections {name}")
        return found[0] if found else None


def link(data: bytes, target: LlvmTarget, elsewhere: frozenset[str] = frozenset()) -> Linked:
    """Lay out code and read-only data and resolve everything but calls of functions that are elsewhere, which stay open."""
    elf = Object(data, target)
    starts, code = _layout(elf)
    for number in starts:
        _relocate(elf, number, starts, code, elsewhere)
    symbols = {
        symbol.name: (starts[symbol.section] + symbol.value, symbol.size)
        for symbol in elf.symbols
        if symbol.name and symbol.section in starts and elf.sections[symbol.section].flags & _EXECUTE and symbol.size
    }
    traps = elf.numbered(TRAP_SECTION)
    lines = elf.numbered(".debug_line")
    return Linked(
        bytes(code),
        symbols,
        sorted(_site_table(elf, traps, starts)) if traps is not None else [],
        _line_table(elf, lines, starts) if lines is not None else [],
    )


def _layout(elf: Object) -> tuple[dict[int, int], bytearray]:
    """Where each section with code or constants starts, and their bytes one behind the other, code first."""
    loaded = [number for number, section in enumerate(elf.sections) if section.flags & _ALLOC and section.size]
    loaded.sort(key=lambda number: not elf.sections[number].flags & _EXECUTE)
    starts = {}
    code = bytearray()
    for number in loaded:
        section = elf.sections[number]
        if section.name == ".eh_frame":
            continue
        if section.kind != _PROGBITS or section.flags & _WRITE:
            raise PluginError(f"LLVM's object has data that is written to: section {section.name}")
        if section.alignment > LARGEST_ALIGNMENT:
            raise PluginError(f"LLVM's object wants section {section.name} aligned to {section.alignment} bytes")
        code += elf.target.FILLER * (-len(code) % section.alignment // len(elf.target.FILLER))
        starts[number] = len(code)
        code += elf.content(number)
    return starts, code


def _address(elf: Object, relocation: Relocation, starts: dict[int, int]) -> int:
    """Where the symbol of a relocation is in the code, plus the addend."""
    symbol = elf.symbols[relocation.symbol]
    start = starts.get(symbol.section)
    if start is None:
        name = symbol.name or (elf.sections[symbol.section].name if symbol.section < len(elf.sections) else "")
        raise PluginError(f"LLVM's object refers to {name!r}, which is not in it")
    return start + symbol.value + relocation.addend


def _relocate(elf: Object, number: int, starts: dict[int, int], code: bytearray, elsewhere: frozenset[str]) -> None:
    for relocation in elf.relocations(number):
        at = starts[number] + relocation.offset
        symbol = elf.symbols[relocation.symbol]
        if symbol.section == 0 and symbol.name in elsewhere and relocation.kind in elf.target.CALLS:
            continue
        distance = _address(elf, relocation, starts) - at
        if not elf.target.relocate(code, at, relocation.kind, distance):
            raise PluginError(f"LLVM's object has a relocation of type {relocation.kind}")


def _site_table(elf: Object, number: int, starts: dict[int, int]) -> list[tuple[int, int]]:
    """Offset and number of the trap sites: pairs of 32 bits, the first a relocation."""
    content = elf.content(number)
    offsets = {}
    for relocation in elf.relocations(number):
        if relocation.kind != elf.target.ABSOLUTE[0] or relocation.offset % 8:
            raise PluginError("LLVM's object has an unexpected table of traps")
        offsets[relocation.offset] = _address(elf, relocation, starts)
    if len(offsets) != len(content) // 8 or len(content) % 8:
        raise PluginError("LLVM's object has an incomplete table of traps")
    return [(offsets[at], struct.unpack_from("<I", content, at + 4)[0]) for at in offsets]


def _line_table(elf: Object, number: int, starts: dict[int, int]) -> list[tuple[int, int]]:
    from wasmcore_llvm.objects.line_table import rows

    content = bytearray(elf.content(number))
    for relocation in elf.relocations(number):
        if relocation.kind == elf.target.ABSOLUTE[1]:
            struct.pack_into("<Q", content, relocation.offset, _address(elf, relocation, starts))
    return rows(bytes(content))

"""Standing in for functions of the C library: their callers in all loaded objects call ours, which calls the one it stands in for.

An object calls a function of another through a slot of its global offset table, which the dynamic linker fills in, and which is named by a
relocation (System V ABI, "Dynamic Linking"; GNU C library). Writing another address there is one store of eight bytes. What calls
the function by a pointer that it got otherwise (`dlsym`) is not seen.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping

from wasmcore._typing import Any, Final
from wasmcore.runtime.system import platform

_DT_PLTRELSZ: Final = 2
_DT_HASH: Final = 4
_DT_STRTAB: Final = 5
_DT_SYMTAB: Final = 6
_DT_RELA: Final = 7
_DT_RELASZ: Final = 8
_DT_STRSZ: Final = 10
_DT_JMPREL: Final = 23
_DT_GNU_HASH: Final = 0x6FFFFEF5
_DT_RELACOUNT: Final = 0x6FFFFFF9
"""How many relocations at the beginning of `DT_RELA` name no symbol."""
_PT_DYNAMIC: Final = 2
_PT_GNU_RELRO: Final = 0x6474E552
_SYMBOL_SIZE: Final = 24
_RELOCATION_SIZE: Final = 24
_ROOM: Final = 8
"""For objects that are loaded between two looks."""
_SLOT_RELOCATIONS: Final = {"x86_64": (6, 7), "aarch64": (1025, 1026), "riscv64": (2, 5)}.get(os.uname().machine, ())
"""R_…_GLOB_DAT (on RISC-V R_RISCV_64) and R_…_JUMP_SLOT: the slot holds the address of the symbol and nothing else."""


class _Segment(ctypes.Structure):
    """`Elf64_Phdr`."""

    _fields_ = [
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("offset", ctypes.c_uint64),
        ("address", ctypes.c_uint64),
        ("physical", ctypes.c_uint64),
        ("file_size", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("alignment", ctypes.c_uint64),
    ]


class _Loaded(ctypes.Structure):
    """One object, as the visitor leaves it."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("base", "segments", "count", "loaded", "unloaded")]


_iterate: Final = ctypes.PyDLL(None).dl_iterate_phdr


class Interposition:
    """Lets functions stand in for others of the same C type: in what is loaded, and from each `renew` on in what was loaded since."""

    def __init__(self, functions: Mapping[str, int], visitor: int) -> None:
        """`functions`: addresses by the name of the function to stand in for; `visitor`: `visit_object` of the target."""
        self._functions = {name.encode(): address for name, address in functions.items()}
        self._visitor = ctypes.c_void_p(visitor)
        self._generation: tuple[int, int] | None = None
        """How many objects had been loaded and unloaded at the last look."""
        self._first = (ctypes.c_uint64 * 7)()
        self._seen = b""
        """The number of objects, and what the visitor says of the first."""
        self._known: set[tuple[int, int]] = set()
        """Base and segments of those that were there then."""

    def renewed(self) -> bool:
        """Whether the loaded objects are what they were at the last `renew`."""
        self._first[:2] = [0, 1]
        _iterate(self._visitor, self._first)
        return bytes(self._first) == self._seen

    def renew(self) -> None:
        """Look at the loaded objects, if they are not what they were."""
        count, found = self._visit(1)
        generation = found[0].loaded, found[0].unloaded
        if generation != self._generation:
            if self._generation is None or generation[1] != self._generation[1]:
                self._known = set()  # another one may be where one was
            for loaded in self._visit(count + _ROOM)[1]:
                place = loaded.base, loaded.segments
                if place not in self._known:
                    for slot, name, read_only in _slots(loaded, tuple(self._functions)):
                        self._write(slot, self._functions[name], read_only)
                    self._known.add(place)
            self._generation = generation
        self.renewed()
        self._seen = bytes(self._first) if self._generation == (self._first[5], self._first[6]) else b""

    def _visit(self, room: int) -> tuple[int, list[_Loaded]]:
        """How many objects there are, and so many of them. No Python runs under the lock of the dynamic linker, for whoever waits for that
        lock may have the interpreter's."""
        data = (ctypes.c_uint64 * (2 + 5 * room))(0, room)
        _iterate(self._visitor, data)
        count = min(data[0], room)
        return data[0], list((_Loaded * count).from_buffer(data, 16))

    def _write(self, slot: int, function: int, read_only: bool) -> None:
        cell = ctypes.c_uint64.from_address(slot)
        if cell.value == function:
            return
        page = slot // platform.PAGE_SIZE * platform.PAGE_SIZE
        if read_only:
            platform.protect(page, platform.PAGE_SIZE, platform.READ_WRITE)
        cell.value = function
        if read_only:
            platform.protect(page, platform.PAGE_SIZE, platform.READ_ONLY)


def _slots(loaded: _Loaded, names: tuple[bytes, ...]) -> Iterator[tuple[int, bytes, bool]]:
    """Address, name of the function and whether it is in read-only memory, of an object's slots for these functions."""
    segments = (_Segment * loaded.count).from_address(loaded.segments)
    read_only = [range(loaded.base + s.address, loaded.base + s.address + s.size) for s in segments if s.type == _PT_GNU_RELRO]
    for segment in segments:
        if segment.type == _PT_DYNAMIC:
            for slot, name in _object_slots(loaded.base, segment, names):
                yield slot, name, any(slot in each for each in read_only)


def _object_slots(base: int, dynamic: Any, names: tuple[bytes, ...]) -> Iterator[tuple[int, bytes]]:
    """The slots of one object; `dynamic` is its dynamic segment. All tables are searched as bytes, since they are large."""
    words = memoryview(ctypes.string_at(base + dynamic.address, dynamic.size // 16 * 16)).cast("Q")
    entries = dict(zip(words[0::2], words[1::2]))
    if {_DT_STRTAB, _DT_STRSZ, _DT_SYMTAB} <= entries.keys():
        symbols = _imported_symbols(base, entries, names)
        unnamed = entries.get(_DT_RELACOUNT, 0) * _RELOCATION_SIZE
        for table, size, start in ((_DT_JMPREL, _DT_PLTRELSZ, 0), (_DT_RELA, _DT_RELASZ, unnamed)):
            if symbols and table in entries and size in entries:
                relocations = ctypes.string_at(_absolute(base, entries[table]) + start, entries[size] - start)
                yield from _relocated(base, relocations, symbols)


def _imported_symbols(base: int, entries: Mapping[int, int], names: tuple[bytes, ...]) -> list[tuple[int, bytes]]:
    """(index, name) of the symbols of these names. With a GNU hash table, those that are imported stand before those in it."""
    texts = ctypes.string_at(_absolute(base, entries[_DT_STRTAB]), entries[_DT_STRSZ])
    if _DT_GNU_HASH in entries:
        count = ctypes.c_uint32.from_address(_absolute(base, entries[_DT_GNU_HASH]) + 4).value
    elif _DT_HASH in entries:
        count = ctypes.c_uint32.from_address(_absolute(base, entries[_DT_HASH]) + 4).value
    else:
        return []
    table = ctypes.string_at(_absolute(base, entries[_DT_SYMTAB]), _SYMBOL_SIZE * count)
    return [
        (at // _SYMBOL_SIZE, name)
        for name in names
        for text in _positions(texts, name + b"\0", 1, 0)
        for at in _positions(table, text.to_bytes(4, "little"), _SYMBOL_SIZE, 0)
    ]


def _relocated(base: int, relocations: bytes, symbols: list[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The slots that one table of relocations fills in with these symbols."""
    words = memoryview(relocations).cast("Q")
    for symbol, name in symbols:
        for kind in _SLOT_RELOCATIONS:
            information = symbol << 32 | kind
            for at in _positions(relocations, information.to_bytes(8, "little"), _RELOCATION_SIZE, 8):
                yield base + words[at // 8], name


def _positions(data: bytes, wanted: bytes, step: int, offset: int) -> Iterator[int]:
    """Where the entries of `step` bytes begin that have these bytes at an offset."""
    at = data.find(wanted)
    while at >= 0:
        if (at - offset) % step == 0:
            yield at - offset
        at = data.find(wanted, at + 1)


def _absolute(base: int, address: int) -> int:
    """Of a pointer in a dynamic segment: the GNU C library has added the base already, but for objects of the kernel's."""
    return address if address >= base else base + address

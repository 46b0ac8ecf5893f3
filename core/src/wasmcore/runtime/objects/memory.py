"""Linear memories: reserved address space that generated code accesses without checks, or with them."""

from __future__ import annotations

import ctypes
from weakref import WeakKeyDictionary

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.execution import traps
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.resources import Resource
from wasmcore.types import Limits, MemoryType

if TYPE_CHECKING:
    from wasmcore.runtime.instances.instance import InstanceState

GUARDED_RESERVATION: Final = (8 << 30) + (1 << 16)
"""A 32-bit address plus a 32-bit offset plus the widest access ends inside (bytes)."""
MAXIMUM_PAGES: Final = 65536
"""Of a 32-bit memory with pages of 64 KiB."""


def can_be_guarded(memory_type: MemoryType, wanted: bool | None = None) -> bool:
    """Whether accesses to a memory of this type can be left to the hardware, and shall; `wanted` is `Engine(guard=…)`."""
    possible = not memory_type.limits.index64 and memory_type.page_size_log2 == 16 and platform.signals_enabled()
    return possible and wanted is not False


class _Mapping(Resource):
    """Address space that is given back when nothing refers to it any more."""

    __slots__ = ("address", "size")

    def __init__(self, size: int) -> None:
        self.address = platform.reserve(size)
        self.size = size
        super().__init__()
        traps.add_reservation(self.address, size)

    def _free(self) -> None:
        traps.remove_reservation(self.address)
        platform.release(self.address, self.size)


class Memory:
    """A linear memory: `Memory(minimum=1, maximum=10)`, in pages of 64 KiB.

    `view()`, `memoryview(memory)` (Python 3.12 and later) and `numpy.asarray(memory)` give its bytes without a copy. A view keeps
    the bytes alive, and covers the length the memory had when it was made.
    """

    def __init__(self, minimum: int, maximum: int | None = None, *, guarded: bool | None = None) -> None:
        self._setup(MemoryType(Limits(minimum, maximum)), guarded)

    @classmethod
    def of_type(cls, memory_type: MemoryType, *, guarded: bool | None = None) -> Memory:
        """A memory of this type."""
        memory = cls.__new__(cls)
        memory._setup(memory_type, guarded)
        return memory

    def _setup(self, memory_type: MemoryType, guarded: bool | None) -> None:
        limits = memory_type.limits
        largest = min((MAXIMUM_PAGES << 16) >> memory_type.page_size_log2, 0xFFFFFFFF)  # an i32 holds the size
        if not 0 <= limits.minimum <= largest or (limits.maximum is not None and not limits.minimum <= limits.maximum):
            raise ValueError(f"memory limits {limits} are not within 0..{largest} pages")
        self._declared_maximum = limits.maximum
        self._shift = memory_type.page_size_log2
        self._index64 = limits.index64
        self._shared = limits.shared
        self._mirrors: WeakKeyDictionary[InstanceState, list[int]] = WeakKeyDictionary()
        self._largest = largest if limits.maximum is None else min(limits.maximum, largest)
        self._length = limits.minimum << self._shift
        self._left: list[_Mapping] = []
        """Where it was before it moved, as long as code of another thread may still look there."""
        self.guarded: bool
        self._map(guarded)

    def _map(self, guarded: bool | None) -> None:
        self.guarded = can_be_guarded(self.type, guarded)
        if guarded and not self.guarded:
            raise ValueError("this memory can not be guarded: it has 64-bit addresses, small pages, or signals are switched off")
        if self.guarded:
            try:
                self._mapping = _Mapping(GUARDED_RESERVATION)
            except MemoryError:
                if guarded:
                    raise
                self.guarded = False
        if not self.guarded:
            self._mapping = _Mapping(_pages(self._length))
        platform.make_writable(self._mapping.address, _pages(self._length))

    @property
    def type(self) -> MemoryType:
        """Its type, the minimum being the present size."""
        return MemoryType(Limits(self.size, self._declared_maximum, self._shared, self._index64), self._shift)

    @property
    def size(self) -> int:
        """Its size in pages."""
        return self._length >> self._shift

    def __len__(self) -> int:
        return self._length

    def grow(self, pages: int) -> int:
        """Make it larger by so many pages and return the size before; MemoryError where its maximum or the system forbids."""
        before = self.size
        if pages < 0 or before + pages > self._largest:
            raise MemoryError(f"a memory of {before} pages can not grow by {pages}: its maximum is {self._largest}")
        length = self._length + (pages << self._shift)
        if self.guarded:
            start = _pages(self._length)
            platform.make_writable(self._mapping.address + start, _pages(length) - start)
        else:
            self._move(length)
        self._length = length
        for addresses in self._mirrors.values():
            for address in addresses:
                self._publish(address)
        return before

    def _move(self, length: int) -> None:
        mapping = _Mapping(_pages(length))
        platform.make_writable(mapping.address, mapping.size)
        ctypes.memmove(mapping.address, self._mapping.address, self._length)
        if any(state.group.store.busy_elsewhere for state in self._mirrors):
            self._left.append(self._mapping)
        else:
            self._left.clear()
        self._mapping = mapping

    def attach(self, state: InstanceState, address: int) -> None:
        """Keep {base, length} at this address of an instance's context true."""
        self._mirrors.setdefault(state, []).append(address)
        self._publish(address)

    def _publish(self, address: int) -> None:
        pair = (ctypes.c_uint64 * 2).from_address(address)
        pair[0] = self._mapping.address
        pair[1] = self._length

    def view(self) -> memoryview:
        """Its bytes as they are now: writable, one dimension, format `B`."""
        array: Any = (ctypes.c_ubyte * self._length).from_address(self._mapping.address)
        array.mapping = self._mapping
        return memoryview(array).cast("B")

    def __buffer__(self, flags: int) -> memoryview:
        return self.view()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "typestr": "|u1", "shape": (self._length,), "data": self.view()}

    def read(self, offset: int, size: int) -> bytes:
        """Copy bytes out; IndexError beyond the end."""
        self._check(offset, size)
        return ctypes.string_at(self._mapping.address + offset, size)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Copy bytes in; IndexError beyond the end."""
        size = len(data) if isinstance(data, bytes) else memoryview(data).nbytes
        self._check(offset, size)
        ctypes.memmove(self._mapping.address + offset, bytes(data), size)

    def _check(self, offset: int, size: int) -> None:
        if offset < 0 or size < 0 or offset + size > self._length:
            raise IndexError(f"bytes {offset}..{offset + size} are outside of a memory of {self._length} bytes")

    def __repr__(self) -> str:
        return f"<wasmcore.Memory of {self.size} pages>"


def _pages(size: int) -> int:
    return platform.round_up(max(size, 1))

"""Linear memories: reserved address space that generated code accesses without checks, or with them."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from math import inf
from operator import index
from time import monotonic

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.execution import traps
from wasmcore.runtime.objects.numbers import Numbers, NumbersByType
from wasmcore.runtime.objects.space import Space, checked_limits
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.areas import Area, Areas, Mapping
from wasmcore.runtime.system.images import Image
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import Limits, MemoryType

if TYPE_CHECKING:
    from typing_extensions import Buffer

_FIRST_LOOK: Final = 64
"""Bytes in which a NUL is looked for first; then in four times as many."""
GUARDED_RESERVATION: Final = (8 << 30) + (1 << 16)
"""A 32-bit address plus a 32-bit offset plus the widest access ends inside (bytes)."""
USUAL_RESERVATION: Final = 64 << 30
"""A 64-bit memory that may become larger than this has address space for so much, or for its minimum (bytes)."""
_NATIVE_FORMATS: Final = frozenset("cBb?hHiIlLqQnNfde")
"""What `memoryview.cast` takes."""


def can_be_guarded(memory_type: MemoryType, wanted: bool | None = None) -> bool:
    """Whether accesses to a memory of this type can be left to the hardware, and shall; `wanted` is `Engine(guard=…)`."""
    possible = not memory_type.limits.index64 and memory_type.page_size_log2 == 16 and platform.signals_enabled()
    return possible and wanted is not False


_guarded: Final = Areas(
    Area.emptying, lambda area: traps.add_reservation(area.address, area.size), lambda area: traps.remove_reservation(area.address)
)
"""Address space in which a fault is an access beyond the end of a memory."""
_checked: Final = Areas(Area.emptying)
_refused: Final = {"until": -inf}
"""When the system is asked again for so much, after it had no more: before it refuses, all garbage is collected, which may take long."""
_PATIENCE: Final = 10
"""Times as long as that took."""


@lru_cache
def _shape(memory_type: MemoryType, guarded: bool | None) -> tuple[int, int, int, bool]:
    """Of a memory: the logarithm of its page size, its length and the most it may have (bytes), whether it is guarded if that can be."""
    can_be = can_be_guarded(memory_type, guarded)
    if guarded and not can_be:
        raise ValueError("this memory can not be guarded: it has 64-bit addresses, small pages, or signals are switched off")
    shift = memory_type.page_size_log2
    return shift, memory_type.limits.minimum << shift, _largest_size(memory_type) << shift, can_be


class MemorySpace(Space):
    """What the runtime uses of a memory: its bytes."""

    __slots__ = ("guarded", "largest", "shift")
    largest: int
    """Bytes it may have."""
    guarded: bool
    """Whether code that uses it may leave the checks to the hardware."""

    def __init__(self, memory_type: MemoryType, guarded: bool | None, image: Image | None = None) -> None:
        """`image`: its content, which is not longer than it is; None: zeros."""
        self.shift, length, self.largest, self.guarded = _shape(memory_type, guarded)
        mapping = self._mapping(length, guarded is True, image)
        area = mapping.area
        if area.image is not image:
            area.show(image)
        area.open(platform.round_up(length))
        super().__init__(mapping, mapping.address, 1, length, min(self.largest, area.size))

    def _mapping(self, length: int, must_be_guarded: bool, image: Image | None) -> Mapping:
        if self.guarded:
            begin = monotonic()
            try:
                if must_be_guarded or begin >= _refused["until"]:
                    return Mapping(_guarded, GUARDED_RESERVATION, GUARDED_RESERVATION, image)
            except MemoryError:
                if must_be_guarded:
                    raise
                end = monotonic()
                _refused["until"] = end + _PATIENCE * (end - begin)
            self.guarded = False
        wanted = max(length, min(self.largest, USUAL_RESERVATION), 1)
        return Mapping(_checked, platform.round_up(wanted), platform.round_up(max(length, 1)), image)

    def grow_pages(self, pages: int) -> int:
        """`grow`, in pages."""
        return self.grow(pages << self.shift) >> self.shift

    def _refusal(self, before: int, elements: int) -> str:
        text = f"a memory of {before >> self.shift} pages can not grow by {elements >> self.shift}"
        if before + elements > self.largest:
            return f"{text}: its maximum is {self.largest >> self.shift}"
        if before + elements > self.capacity:
            return f"{text}: the system gave it address space for {self.capacity >> self.shift}"
        return text

    def write(self, to: int, source: bytes | memoryview) -> None:
        """Copy bytes in; the caller has checked the bounds."""
        self.bytes[to : to + len(source)] = source


def _numbers(name: str) -> Any:
    def numbers(memory: Memory) -> Numbers:
        return memory._by_type[name]

    return property(numbers)


class Memory(Unique):
    """A linear memory: `Memory(minimum=1, maximum=10)`, in pages of 64 KiB.

    `view()`, `memoryview(memory)` (Python 3.12 and later) and `numpy.asarray(memory)` give its bytes without a copy. A view keeps
    the bytes alive, and covers the length the memory had when it was made. Memories do not move when they grow, so a view stays true.

    `memory.u32[address]` reads and sets a number; likewise `u8`, `i8`, `u16`, `i16`, `i32`, `u64`, `i64`, `f32` and `f64`.

    ValueError for impossible limits, MemoryError where the system has no address space for the minimum.
    """

    __slots__ = ("__weakref__", "_by_type", "_space", "_type", "_view")
    u8: Numbers = _numbers("u8")
    i8: Numbers = _numbers("i8")
    u16: Numbers = _numbers("u16")
    i16: Numbers = _numbers("i16")
    u32: Numbers = _numbers("u32")
    i32: Numbers = _numbers("i32")
    u64: Numbers = _numbers("u64")
    i64: Numbers = _numbers("i64")
    f32: Numbers = _numbers("f32")
    f64: Numbers = _numbers("f64")
    _instead = ": read() its bytes and write() them into another one"

    def __init__(self, minimum: int, maximum: int | None = None, *, guarded: bool | None = None) -> None:
        limits = checked_limits(minimum, maximum, _largest_size(MemoryType(Limits(0))), "pages")
        memory_type = MemoryType(limits)
        self._setup(memory_type, MemorySpace(memory_type, guarded))

    def _setup(self, memory_type: MemoryType, space: MemorySpace) -> None:
        self._made_once("_space")
        self._type = memory_type
        self._view = memoryview(bytearray())
        self._by_type = NumbersByType(space)
        self._space = space

    @property
    def type(self) -> MemoryType:
        """Its type, the minimum being the present size."""
        return self._present_type()

    def _present_type(self) -> MemoryType:
        return self._type._replace(limits=self._type.limits._replace(minimum=self._space.length >> self._space.shift))

    @property
    def size(self) -> int:
        """Its size in pages."""
        return self._space.length >> self._space.shift

    @property
    def guarded(self) -> bool:
        """Whether the hardware checks accesses, where the code that makes them was compiled for that."""
        return self._space.guarded

    def __len__(self) -> int:
        return self._space.length

    def grow(self, pages: int) -> int:
        """Make it larger by so many pages and return the size before; MemoryError where its maximum or the system forbids."""
        if index(pages) < 0:
            raise ValueError(f"a memory can not shrink: grow({pages})")
        return self._space.grow_pages(index(pages))

    def view(self) -> memoryview:
        """Its bytes as they are now: writable, one dimension, format `B`."""
        length = self._space.length
        view = self._view
        if len(view) != length:
            array: Any = (ctypes.c_ubyte * length).from_address(self._space.address)
            array._owner = self._space.owner
            view = self._view = memoryview(array).cast("B")
        return view[:]

    def __buffer__(self, flags: int) -> memoryview:
        return self.view()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"version": 3, "typestr": "|u1", "shape": (self._space.length,), "data": self.view()}

    def read(self, offset: int, size: int) -> bytes:
        """Copy bytes out; IndexError beyond the end."""
        space = self._space
        try:
            if offset >= 0 <= size <= space.length - offset:
                return space.bytes[offset : offset + size].tobytes()
        except TypeError:
            pass
        start, end = index(offset), index(offset) + index(size)
        if not 0 <= start <= end <= space.length:
            raise self._outside(start, end)
        return space.bytes[start:end].tobytes()

    def write(self, offset: int, data: Buffer) -> None:
        """Copy the bytes of an object with the buffer protocol in; IndexError beyond the end."""
        source = data if type(data) is bytes else _bytes_of(data)
        space = self._space
        size = len(source)
        try:
            if 0 <= offset <= space.length - size:
                space.bytes[offset : offset + size] = source
                return
        except TypeError:
            pass
        start = index(offset)
        if not 0 <= start <= space.length - size:
            raise self._outside(start, start + size)
        space.bytes[start : start + size] = source

    def read_string(self, offset: int, size: int | None = None, encoding: str = "utf-8") -> str:
        """The text in so many bytes, or in those before the next NUL.

        IndexError beyond the end, and where no NUL follows; UnicodeDecodeError for what is no text; ValueError for an encoding in which NUL
        is not one byte, unless there is a size.
        """
        space = self._space
        if size is not None:
            try:
                if offset >= 0 <= size <= space.length - offset:
                    return str(space.bytes[offset : offset + size], encoding)
            except TypeError:
                pass
            return self.read(offset, size).decode(encoding)
        if encoding != "utf-8":
            _check_terminated(encoding)
        try:
            if 0 <= offset <= space.length - _FIRST_LOOK:
                text, nul, _ = space.bytes[offset : offset + _FIRST_LOOK].tobytes().partition(b"\0")
                if nul:
                    return text.decode(encoding)
        except TypeError:
            pass
        return self.read(offset, self._until_nul(index(offset))).decode(encoding)

    def write_string(self, offset: int, text: str, encoding: str = "utf-8", *, nul: bool = True) -> int:
        """Copy a text in, and a NUL behind it unless it is not wanted; how many bytes the text is. IndexError beyond the end."""
        if nul and encoding != "utf-8":
            _check_terminated(encoding)
        data = (text + "\0" if nul else text).encode(encoding)
        self.write(offset, data)
        return len(data) - nul

    def _until_nul(self, start: int) -> int:
        """How many bytes stand before the first NUL from there on."""
        space = self._space
        at, step = start, _FIRST_LOOK
        while 0 <= at < space.length:
            found = space.bytes[at : min(at + step, space.length)].tobytes().find(0)
            if found >= 0:
                return at + found - start
            at += step
            step *= 4
        raise IndexError(f"no NUL from {start} on in a memory of {space.length} bytes")

    def array(self, dtype: Any, offset: int = 0, count: int | None = None) -> Any:
        """A numpy array of its numbers from an address on, so many or all that are there, without a copy; IndexError beyond the end."""
        import numpy

        element = numpy.dtype(dtype)
        start = index(offset)
        most = (self._space.length - start) // element.itemsize if element.itemsize else 0
        wanted = most if count is None else index(count)
        if not 0 <= start <= self._space.length or not 0 <= wanted <= most or element.hasobject:
            raise self._outside(start, start + wanted * element.itemsize)
        return numpy.ndarray((wanted,), element, self.view(), start)

    def _outside(self, start: int, end: int) -> IndexError:
        return IndexError(f"bytes {start}..{end} are outside of a memory of {self._space.length} bytes")

    def __repr__(self) -> str:
        return f"<wasmcore.Memory of {self.size} pages>"


def memory_of(memory_type: MemoryType, space: MemorySpace) -> Memory:
    """The memory, of a type that a module declares, that has this space."""
    memory = Memory.__new__(Memory)
    memory._setup(memory_type, space)
    return memory


def _largest_size(memory_type: MemoryType) -> int:
    """Pages it may have: what it declares, what addresses can reach, and no more than a number of pages can say."""
    limits, bits = memory_type.limits, 64 if memory_type.limits.index64 else 32
    largest = min(1 << bits >> memory_type.page_size_log2, (1 << bits) - 1)
    return largest if limits.maximum is None else min(limits.maximum, largest)


def _check_terminated(encoding: str) -> None:
    if "\0".encode(encoding) != b"\0":
        raise ValueError(f"a text in {encoding} has no NUL of one byte at its end: read it by its size, write it with nul=False")


def _bytes_of(data: Buffer) -> memoryview:
    """What the buffer protocol says an object has, as one dimension of bytes in C order."""
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"bytes or another object with the buffer protocol expected, got {type(data).__name__}") from None
    if view.nbytes and view.c_contiguous and view.format in _NATIVE_FORMATS:
        return view.cast("B")
    return memoryview(view.tobytes())

"""Executable memory: big reserved regions, given out by the page, written first and then made executable, never both at once."""

from __future__ import annotations

import ctypes
from bisect import bisect_left
from collections.abc import Callable
from contextlib import suppress

from wasmcore._typing import Final
from wasmcore.runtime.execution.threads import process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock, is_mine
from wasmcore.runtime.system.resources import Resource

REGION_SIZES: Final = (1 << 30, 1 << 28, 1 << 26, 1 << 24)
"""Bytes to reserve at a time; a smaller size is tried where the system refuses a larger one."""
STUB_REGION_SIZES: Final = (1 << 28, 1 << 26, 1 << 24, 1 << 22)


class CodeBlock(Resource):
    """Some executable memory: `address` and `size` in bytes. Freed with the last reference, or by `free()`."""

    __slots__ = ("_memory", "address", "size")

    def __init__(self, memory: CodeMemory, address: int, size: int) -> None:
        super().__init__()
        self._memory = memory
        self.address = address
        self.size = size

    def _free(self) -> None:
        self._memory._give_back(self.address, platform.round_up(self.size))


class CodeMemory:
    """An allocator of executable pages. Safe to use from several threads."""

    def __init__(self, region_sizes: tuple[int, ...], publish: Callable[[int, int], None] | None) -> None:
        self._region_sizes = region_sizes
        self._publish = publish
        self._free: list[tuple[int, int]] = []
        """(start, end) of free extents, ascending; only for who takes one."""
        self._returned: list[tuple[int, int]] = []
        """Those that are not yet among them: a finalizer, which gives one back, may come in between the bytecodes of who takes one."""
        self._lock = Lock()

    def allocate(self, code: bytes) -> CodeBlock:
        """Executable memory with this code in it; MemoryError if there is none."""
        return self.allocate_at(len(code), lambda address: code)

    def allocate_at(self, size: int, make: Callable[[int], bytes]) -> CodeBlock:
        """The same for code of a known size that depends on its address."""
        pages = platform.round_up(max(size, 1))
        address = self._take(pages)
        try:
            code = make(address)
            assert len(code) <= pages
            platform.protect(address, pages, platform.READ_WRITE)
            ctypes.memmove(address, code, len(code))
            platform.protect(address, pages, platform.READ_EXECUTE)
        except BaseException:
            self._give_back(address, pages)
            raise
        return CodeBlock(self, address, size)

    def _take(self, size: int) -> int:
        if is_mine(self._lock):  # a finalizer or a signal handler, in between what follows
            return self._divide(self._returned_extent(size) or self._new_region(size), size)
        with self._lock:
            self._settle()
            for at, (start, end) in enumerate(self._free):
                if end - start >= size:
                    return self._divide(self._free.pop(at), size)
            return self._divide(self._new_region(size), size)

    def _divide(self, extent: tuple[int, int], size: int) -> int:
        """The start of an extent that is nobody's, the rest of which becomes free."""
        start, end = extent
        if end - start > size:
            self._returned.append((start + size, end))
        return start

    def _returned_extent(self, size: int) -> tuple[int, int] | None:
        """One that is large enough, which is nobody's from now on."""
        for _ in range(len(self._returned)):
            extent = self._next_returned()
            if extent is None or extent[1] - extent[0] >= size:
                return extent
            self._returned.append(extent)
        return None

    def _next_returned(self) -> tuple[int, int] | None:
        with suppress(IndexError):
            return self._returned.pop(0)
        return None

    def _new_region(self, wanted: int) -> tuple[int, int]:
        for size in self._region_sizes:
            if size < wanted:
                break
            if size > self._region_sizes[-1] and not platform.leaves_room(size):
                continue
            try:
                start = platform.reserve(size)
            except MemoryError:
                continue
            if self._publish is not None:
                self._publish(start, size)
            return start, start + size
        raise MemoryError(f"no address space for {wanted} bytes of machine code")

    def _give_back(self, address: int, size: int) -> None:
        platform.discard(address, size)
        self._returned.append((address, address + size))

    def _settle(self) -> None:
        while (extent := self._next_returned()) is not None:
            self._merge(*extent)

    def _merge(self, start: int, end: int) -> None:
        """Make an extent that is nobody's one of the free ones."""
        free = self._free
        at = bisect_left(free, (start, end))
        if at < len(free) and free[at][0] == end:
            end = free.pop(at)[1]
        if at and free[at - 1][1] == start:
            at -= 1
            start = free.pop(at)[0]
        free.insert(at, (start, end))

    def free_extents(self) -> list[tuple[int, int]]:
        """(start, end) of all that is free in its regions, ascending."""
        with self._lock:
            self._settle()
            return list(self._free)


wasm_code: Final = CodeMemory(REGION_SIZES, process.add_code_region)
"""For code of WebAssembly functions: a fault there is a trap."""
stub_code: Final = CodeMemory(STUB_REGION_SIZES, None)
"""For stubs: a fault there is a crash like everywhere else."""
allocate: Final = wasm_code.allocate

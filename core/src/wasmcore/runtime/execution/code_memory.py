"""Executable memory: big reserved regions, given out by the page, written first and then made executable, never both at once."""

from __future__ import annotations

import ctypes
from bisect import bisect_left, insort
from collections.abc import Callable

from wasmcore._typing import Final
from wasmcore.runtime.execution.threads import process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock
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
        """(start, end) of free extents, ascending."""
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
        with self._lock:
            for at, (start, end) in enumerate(self._free):
                if end - start >= size:
                    if end - start == size:
                        del self._free[at]
                    else:
                        self._free[at] = (start + size, end)
                    return start
            start, end = self._new_region(size)
            if end - start > size:
                insort(self._free, (start + size, end))
            return start

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
        with self._lock:
            free = self._free
            end = address + size
            at = bisect_left(free, (address, end))
            if at < len(free) and free[at][0] == end:
                end = free.pop(at)[1]
            if at and free[at - 1][1] == address:
                at -= 1
                address = free.pop(at)[0]
            free.insert(at, (address, end))


wasm_code: Final = CodeMemory(REGION_SIZES, process.add_code_region)
"""For code of WebAssembly functions: a fault there is a trap."""
stub_code: Final = CodeMemory(STUB_REGION_SIZES, None)
"""For stubs: a fault there is a crash like everywhere else."""
allocate: Final = wasm_code.allocate

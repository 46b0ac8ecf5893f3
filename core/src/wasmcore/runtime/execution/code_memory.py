"""Executable memory: big reserved regions, given out by the page, written first and then made executable, never both at once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from itertools import chain, starmap
from operator import attrgetter, is_not, setitem

from wasmcore._typing import Final
from wasmcore.runtime.execution.threads import process
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock, is_mine
from wasmcore.runtime.system.resources import Resource

REGION_SIZES: Final = (1 << 30, 1 << 28, 1 << 26, 1 << 24)
"""Bytes to reserve at a time; a smaller size is tried where the system refuses a larger one."""
STUB_REGION_SIZES: Final = (1 << 28, 1 << 26, 1 << 24, 1 << 22)


Publish = Callable[[int, int], None]
"""`Target.publish`: (address, size)."""


class CodeBlock(Resource):
    """Some executable memory: `address` and `size` in bytes. Freed with the last reference, or by `free()`."""

    __slots__ = ("address", "size")

    def __init__(self, size: int) -> None:
        """One that is nowhere yet."""
        self.address = 0
        self.size = size

    def beginning(self, memory: CodeMemory, address: int) -> Iterable[None]:
        """Be there, as a step for `platform.at_once`."""
        there = map(setattr, (self,), ("address",), (address,))
        return chain(self._becoming(memory._giving_back, address, platform.round_up(max(self.size, 1))), there)


class CodeMemory:
    """An allocator of executable pages. Safe to use from several threads."""

    def __init__(self, region_sizes: tuple[int, ...], tell: Callable[[int, int], None] | None) -> None:
        """`tell` is told of each region."""
        self._region_sizes = region_sizes
        self._tell = tell
        self._free: list[tuple[int, int]] = []
        """(start, end) of free extents, ascending; only for who takes one."""
        self._returned: list[tuple[int, int]] = []
        """Those that are not yet among them: a finalizer, which gives one back, may come in between the bytecodes of who takes one."""
        self._edition = object()
        """Another one whenever some were taken, or became free."""
        self._lock = Lock()

    def allocate(self, code: bytes, publish: Publish) -> CodeBlock:
        """Executable memory with this code in it, which the target lets all processors see; MemoryError if there is none."""
        return self.allocate_at(len(code), lambda address: code, publish)

    def allocate_at(self, size: int, make: Callable[[int], bytes], publish: Publish) -> CodeBlock:
        """The same for code of a known size that depends on its address."""
        block = CodeBlock(size)
        pages = platform.round_up(max(size, 1))
        self._take(block, pages)
        try:
            code = make(block.address)
            assert len(code) <= pages
            platform.protect(block.address, pages, platform.READ_WRITE)
            ctypes.memmove(block.address, code, len(code))
            platform.protect(block.address, pages, platform.READ_EXECUTE)
            publish(block.address, len(code))
        except BaseException:
            block.free()
            raise
        return block

    def _take(self, block: CodeBlock, size: int) -> None:
        if is_mine(self._lock):  # a finalizer or a signal handler, in between what follows
            self._take_from(self._returned, block, size)
            return
        with self._lock:
            self._settle()
            self._take_from(self._free, block, size)

    def _take_from(self, extents: list[tuple[int, int]], block: CodeBlock, size: int) -> None:
        """The first that is large enough becomes smaller, and the block has what it was, in one step: no exception loses it."""
        while True:
            edition = self._edition
            found = next(((at, extent) for at, extent in enumerate(extents) if extent[1] - extent[0] >= size), None)
            if found is None:
                extents.append(self._new_region(size))
                continue
            at, (start, end) = found
            rest = [(start + size, end)] if end - start > size else []
            if self._replace(edition, (extents, slice(at, at + 1), rest), then=block.beginning(self, start)):
                return

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
            if self._tell is not None:
                self._tell(start, size)
            return start, start + size
        raise MemoryError(f"no address space for {wanted} bytes of machine code")

    def _giving_back(self, address: int, size: int) -> Iterable[None]:
        platform.discard(address, size)
        return map(self._returned.append, ((address, address + size),))

    def _settle(self) -> None:
        """Those that were given back become free: meanwhile others may give back more, which is behind them."""
        while self._returned:
            edition, returned = self._edition, list(self._returned)
            free = _joined(self._free + returned)
            self._replace(edition, (self._free, slice(None), free), (self._returned, slice(len(returned)), []))

    def _replace(
        self, edition: object, *parts: tuple[list[tuple[int, int]], slice, list[tuple[int, int]]], then: Iterable[None] = ()
    ) -> bool:
        """Replace parts of lists of extents, at once, if nobody has done so since there was this edition, and then do something else."""
        changed = map(is_not, map(attrgetter("_edition"), (self,)), (edition,))
        return platform.at_once(changed, starmap(setitem, parts), map(setattr, (self,), ("_edition",), (object(),)), then)

    def free_extents(self) -> list[tuple[int, int]]:
        """(start, end) of all that is free in its regions, ascending."""
        with self._lock:
            self._settle()
            return sorted(self._free)


def _joined(extents: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ascending, neighbours as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(extents):
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


wasm_code: Final = CodeMemory(REGION_SIZES, process.add_code_region)
"""For code of WebAssembly functions: a fault there is a trap."""
stub_code: Final = CodeMemory(STUB_REGION_SIZES, None)
"""For stubs: a fault there is a crash like everywhere else."""

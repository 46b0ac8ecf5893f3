"""Puts compiled code where it can run, and answers what stands at an address of it."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Iterable
from struct import iter_unpack
from weakref import ref

from wasmcore._typing import Protocol
from wasmcore.errors import Frame, TrapKind
from wasmcore.plugin.code import LARGEST_ALIGNMENT, CompiledCode
from wasmcore.runtime.execution import code_memory, perf_map, traps
from wasmcore.runtime.system.resources import Resource


class CodeNames(Protocol):
    """What loaded code asks about its module when a backtrace is printed."""

    @property
    def module_name(self) -> str | None:
        """The name of the module, if it has one."""

    def function_name(self, index: int) -> str | None:
        """The name of a function, if the module has names."""

    def source_places(self, index: int, offset: int) -> list[tuple[int, int | None]]:
        """The function and the byte offset in the module of the instruction at a code offset of a function; behind it, where it is in
        an inlined body, those of the calls that led there."""


class CodeTables:
    """What traps and backtraces ask about compiled code. Does not keep the module alive that it asks for names of its functions."""

    __slots__ = ("_indices", "_names", "_starts", "_traps")

    def __init__(self, compiled: CompiledCode, names: CodeNames) -> None:
        self._names = ref(names)
        table = memoryview(compiled.functions).cast("I")
        self._indices, self._starts = table[0::3].tolist(), table[1::3].tolist()
        self._traps = compiled.traps

    def entries(self, address: int) -> zip[tuple[int, int]]:
        """(function index, address) of each function of code that is at an address."""
        return zip(self._indices, [address + start for start in self._starts])

    def trap_kind(self, offset: int) -> TrapKind | None:
        """Why an instruction at this offset faults, None if it is no trap site."""
        for site, kind in iter_unpack("<II", self._traps):
            if site == offset:
                return TrapKind(kind)
        return None

    def frames(self, offset: int, is_return_address: bool) -> list[Frame]:
        """The calls that have their pc at this offset, innermost first."""
        at = bisect_right(self._starts, offset - is_return_address) - 1
        index = self._indices[at]
        within = offset - self._starts[at] - is_return_address
        names = self._names()
        if names is None:
            return [Frame(None, index, None, None)]
        module = names.module_name
        return [Frame(module, function, names.function_name(function), at) for function, at in names.source_places(index, within)]

    def function(self, offset: int) -> Frame:
        """The function that has the code at an offset."""
        index = self._indices[bisect_right(self._starts, offset) - 1]
        names = self._names()
        return Frame(None, index, None, None) if names is None else Frame(names.module_name, index, names.function_name(index), None)

    def keep(self) -> object:
        """The module."""
        return self._names()


class LoadedCode(Resource):
    """Compiled code in executable memory."""

    __slots__ = ("_block", "_size", "_tables", "address")

    def __init__(self, compiled: CompiledCode, names: CodeNames, publish: code_memory.Publish) -> None:
        self._tables = CodeTables(compiled, names)
        self._size = len(compiled.code)
        self._block = code_memory.wasm_code.allocate(compiled.code, publish)
        self.address = self._block.address
        assert self.address % LARGEST_ALIGNMENT == 0
        super().__init__(_unregistering, self.address, self._block)
        traps.register(self.address, self.address + len(compiled.code), self._tables)
        if perf_map.ENABLED:
            for index, start, size in iter_unpack("<III", compiled.functions):
                perf_map.add(self.address + start, size, names.function_name(index), index)

    def entries(self) -> zip[tuple[int, int]]:
        """(function index, address) of each function."""
        return self._tables.entries(self.address)

    def code(self) -> bytes:
        """The machine code as it was loaded."""
        return ctypes.string_at(self.address, self._size)


def _unregistering(address: int, block: code_memory.CodeBlock) -> Iterable[None]:
    # The block goes with the last of what refers to it, and not before, as others may have code there then.
    traps.unregister(address)
    return ()

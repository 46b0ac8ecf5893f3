"""What memories, tables, globals and instances must contain. Nothing here refers to an object of the engine, so nothing keeps one alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from wasmcore import TrapKind

from .guests import FUNCTIONS, OBJECTS, SEED, SEED_AT, STARTED, TRAPS, Guest

PAGE = 65536
LARGEST = {False: 65536, True: 1 << 48}
"""Pages of a memory with 32-bit and with 64-bit addresses."""
MOST_ELEMENTS = 10_000_000
Element = TypeVar("Element")


class Trapped(Exception):
    """The guest traps for this reason."""

    def __init__(self, kind: TrapKind) -> None:
        super().__init__(kind)
        self.kind = kind


def host_function(value: int) -> int:
    """What the host function that all guests import returns."""
    return value + 1


class MemoryModel:
    """A linear memory."""

    def __init__(self, minimum: int, maximum: int | None, index64: bool = False) -> None:
        self.data = bytearray(minimum * PAGE)
        self.index64 = index64
        self._largest = LARGEST[index64] if maximum is None else maximum

    @property
    def pages(self) -> int:
        """Its size."""
        return len(self.data) // PAGE

    def grow(self, pages: int) -> int:
        """`Memory.grow`."""
        before = self.pages
        if before + pages > self._largest:
            raise MemoryError
        self.data.extend(bytes(pages * PAGE))
        return before

    def write(self, offset: int, data: bytes) -> None:
        """`Memory.write`."""
        if offset + len(data) > len(self.data):
            raise IndexError
        self.data[offset : offset + len(data)] = data


class TableModel(Generic[Element]):
    """A table; None is null."""

    def __init__(self, minimum: int, maximum: int | None) -> None:
        self.cells: list[Element | None] = [None] * minimum
        self._largest = MOST_ELEMENTS if maximum is None else maximum

    def grow(self, value: Element | None, elements: int) -> int:
        """`Table.grow`."""
        before = len(self.cells)
        if before + elements > self._largest:
            raise MemoryError
        self.cells += [value] * elements
        return before

    def put(self, index: int, value: Element | None) -> None:
        """`table[index] = value`."""
        if not 0 <= index < len(self.cells):
            raise IndexError
        self.cells[index] = value


class GlobalModel:
    """A variable: a number, or the number of a thing, which is None for null."""

    def __init__(self, value: int | None) -> None:
        self.value = value


class FunctionModel(NamedTuple):
    """A function that Python or a table holds."""

    is_step: bool
    """Whether it takes an i64 and returns one, as `call` expects; otherwise it takes nothing."""
    call: Callable[..., int]


class GuestModel:
    """An instance of a guest: a method for each export, by its name."""

    def __init__(self, guest: Guest, imports: dict[str, Any]) -> None:
        self.guest = guest
        own: dict[str, Callable[[], Any]] = {
            "memory": lambda: MemoryModel(*guest.limits, guest.index64),
            "functions": lambda: TableModel(*FUNCTIONS),
            "objects": lambda: TableModel(*OBJECTS),
            "counter": lambda: GlobalModel(0),
            "kept": lambda: GlobalModel(None),
        }
        parts = {name: imports[name] if name in imports else make() for name, make in own.items()}
        self.memory: MemoryModel = parts["memory"]
        self.functions: TableModel[FunctionModel] = parts["functions"]
        self.objects: TableModel[int] = parts["objects"]
        self.counter: GlobalModel = parts["counter"]
        self.kept: GlobalModel = parts["kept"]

    def initialize(self) -> None:
        """Active segments and the start function."""
        if self.guest.seeded:
            self._element(self.functions, 0)
            self.functions.cells[0] = FunctionModel(True, self.add)
            self._check(SEED_AT, len(SEED))
            self.memory.write(SEED_AT, SEED)
        if self.guest.start:
            self.add(STARTED)
        if self.guest.start == "trap":
            raise Trapped(TrapKind.UNREACHABLE)

    def add(self, value: int) -> int:
        total = (self.counter.value or 0) + value
        self.counter.value = total
        return total

    def _check(self, offset: int, size: int) -> None:
        if offset + size > len(self.memory.data):
            raise Trapped(TrapKind.MEMORY_OUT_OF_BOUNDS)

    def load(self, address: int) -> int:
        self._check(address, 1)
        return self.memory.data[address]

    def load_far(self, address: int) -> int:
        return self.load(address + PAGE)

    def store(self, address: int, value: int) -> None:
        self._check(address, 1)
        self.memory.data[address] = value

    def fill(self, address: int, value: int, size: int) -> None:
        self._check(address, size)
        self.memory.data[address : address + size] = bytes([value]) * size

    def copy(self, to: int, start: int, size: int) -> None:
        self._check(to, size)
        self._check(start, size)
        self.memory.data[to : to + size] = self.memory.data[start : start + size]

    def grow(self, pages: int) -> int:
        try:
            return self.memory.grow(pages)
        except MemoryError:
            return -1

    def size(self) -> int:
        return self.memory.pages

    def grow_and_store(self, pages: int, address: int, value: int) -> int:
        before = self.grow(pages)
        self.store(address, value)
        return before

    @staticmethod
    def _element(table: TableModel[Element], index: int, kind: TrapKind = TrapKind.TABLE_OUT_OF_BOUNDS) -> Element | None:
        if index >= len(table.cells):
            raise Trapped(kind)
        return table.cells[index]

    def call(self, index: int, value: int) -> int:
        function = self._element(self.functions, index, TrapKind.UNDEFINED_ELEMENT)
        if function is None:
            raise Trapped(TrapKind.UNINITIALIZED_ELEMENT)
        if not function.is_step:
            raise Trapped(TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
        return function.call(value)

    def get_function(self, index: int) -> FunctionModel | None:
        return self._element(self.functions, index)

    def set_function(self, index: int, value: FunctionModel | None) -> None:
        self._element(self.functions, index)
        self.functions.put(index, value)

    def grow_functions(self, value: FunctionModel | None, elements: int) -> int:
        return self._grow(self.functions, value, elements)

    def get_object(self, index: int) -> int | None:
        return self._element(self.objects, index)

    def set_object(self, index: int, value: int | None) -> None:
        self._element(self.objects, index)
        self.objects.put(index, value)

    def grow_objects(self, value: int | None, elements: int) -> int:
        return self._grow(self.objects, value, elements)

    @staticmethod
    def _grow(table: TableModel[Element], value: Element | None, elements: int) -> int:
        try:
            return table.grow(value, elements)
        except MemoryError:
            return -1

    def keep(self, value: int | None) -> None:
        self.kept.value = value

    def kept_now(self) -> int | None:
        return self.kept.value

    def same(self, value: int | None) -> int | None:
        return value

    def host_and_add(self, value: int) -> int:
        return host_function(value) + (self.counter.value or 0)

    def host_and_store(self, value: int, address: int, byte: int) -> int:
        self.store(address, byte)
        return host_function(value)

    def host_and_object(self, value: int | None) -> int | None:
        return value

    def spin(self, count: int) -> int:
        return count

    def trap(self, export: str) -> NoReturn:
        """One of the exports that always trap."""
        raise Trapped(TRAPS[export])

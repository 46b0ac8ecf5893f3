"""Data and element segments of an instance."""

from __future__ import annotations

import ctypes
from array import array

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.binary.module_info import ACTIVE, DECLARATIVE, KIND_MEMORY
from wasmcore.errors import Trap, TrapKind
from wasmcore.runtime.instances.active_data import copy_active

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.runtime.instances.instance import InstanceState


_NO_ELEMENTS: Final[Any] = (ctypes.c_uint64 * 0)()


class Segments:
    """Which segments an instance still has; a dropped one has length 0."""

    __slots__ = ("_copied", "_dropped", "_elements")

    def __init__(self, info: ModuleInfo) -> None:
        self._dropped: dict[int, None] = {}
        """Numbers of data segments."""
        self._copied = 0
        """Of so many data segments, those that are active have been copied and dropped."""
        self._elements: list[Any] = [None] * len(info.elements)

    def initialize(self, state: InstanceState, elements_written: bool, data_shown: bool) -> None:
        """Copy the active segments, elements first, unless that is done already, and drop them; Trap where one does not fit."""
        info = state.info
        for number, segment in enumerate(info.elements):
            if segment.mode == ACTIVE and not elements_written:
                assert segment.offset is not None
                self.table_init(state, segment.table, number, state.evaluate(segment.offset), 0, len(segment))
            if segment.mode in (ACTIVE, DECLARATIVE):
                self.drop_elements(number)
        if data_shown:
            self._copied = len(info.data_segments)
        elif len(info.data_segments):
            self._initialize_memories(state)

    def _initialize_memories(self, state: InstanceState) -> None:
        info = state.info
        views = [memory.bytes[: memory.length] for memory in state.memories]
        self._copied = copy_active(info.data_segments, info.data, views, info.imported(KIND_MEMORY), state.evaluate)
        if self._copied < len(info.data_segments):
            raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)

    def memory_init(self, state: InstanceState, memory: int, segment: int, to: int, start: int, size: int) -> None:
        """Copy bytes of a data segment into a memory."""
        target = state.memories[memory]
        content = state.info.data_segments[segment]
        dropped = segment in self._dropped or (segment < self._copied and content.mode == ACTIVE)
        length = 0 if dropped else content.end - content.start
        if start + size > length or to + size > target.length:
            raise Trap(TrapKind.MEMORY_OUT_OF_BOUNDS)
        if size:
            first = content.start + start
            target.write(to, memoryview(state.info.data)[first : first + size])

    def table_init(self, state: InstanceState, table: int, segment: int, to: int, start: int, size: int) -> None:
        """Copy references of an element segment into a table."""
        target = state.tables[table]
        elements = self._references(state, segment)
        if start + size > len(elements) or to + size > target.length:
            raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
        if size:
            target.write(to, ctypes.addressof(elements) + start * ctypes.sizeof(ctypes.c_uint64), size)

    def _references(self, state: InstanceState, segment: int) -> Any:
        found = self._elements[segment]
        if found is None:
            content = state.info.elements[segment]
            if content.expressions:
                bits = array("Q", [state.evaluate(expression) for expression in content.expressions])
            else:
                bits = state.funcrefs(memoryview(content.functions).cast("I"))
            found = self._elements[segment] = (ctypes.c_uint64 * len(bits)).from_buffer(bits)
        return found

    def drop_data(self, segment: int) -> None:
        """Forget a data segment."""
        self._dropped[segment] = None

    def drop_elements(self, segment: int) -> None:
        """Forget an element segment."""
        self._elements[segment] = _NO_ELEMENTS

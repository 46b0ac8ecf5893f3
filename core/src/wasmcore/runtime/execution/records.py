"""Writing the records of the machine interface."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterable
from struct import Struct

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.runtime.execution.store import contexts_lock, disown
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.resources import Resource, requested

if TYPE_CHECKING:
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.runtime.objects.group import Group
    from wasmcore.types import FuncType

HOST_CONTEXT: Final = Struct("<QQ")
"""Context of a host function: addresses of the store record and of the callable."""
HOST_CONTEXT_SIZE: Final = 16
FUNCREF_RECORD: Final = Struct("<QQIIQ")
"""code, context, type id, index, owner: `wasmcore.plugin.layout.FUNCREF_FIELDS`."""


class ContextBlock(Resource):
    """The memory of a VMContext and of the contexts of host functions behind it."""

    __slots__ = ("_contexts", "_group", "_size", "address")

    def __init__(self, size: int, group: Group) -> None:
        self._size = platform.round_up(size)
        self._group = group
        self._contexts: list[int] = []
        self.address = requested(platform.allocate, self._size)
        super().__init__(_releasing, self.address, self._size, self._contexts)

    def adopt(self, context: int) -> None:
        """Let a context in this memory know its store, whichever it is."""
        self._contexts.append(context)
        with contexts_lock:
            store = None
            while store is not self._group.store:  # what comes in between may give the group another one
                store = self._group.store
                store.adopt(context)


def _releasing(address: int, size: int, contexts: list[int]) -> Iterable[int]:
    with contexts_lock:
        for context in contexts:
            disown(context)
    return platform.releasing(address, size)


def write_host_function(
    address: int, machine: Machine, func_type: FuncType, type_id: int, function: Callable[..., Any], owner: int, index: int
) -> None:
    """Write a host context at `address` and its funcref record behind it. The caller keeps the function alive, and adopts the context."""
    context = HOST_CONTEXT.pack(0, id(function))
    record = FUNCREF_RECORD.pack(machine.host_code(func_type), address, type_id, index, owner)
    ctypes.memmove(address, context + record, len(context) + len(record))


def funcref_records(entries: array[int], context: int, type_ids: array[int], first: int, owner: int) -> bytearray:
    """The funcref records of all defined functions of an instance: their code, one context, one owner, indices from `first`.

    They are written field by field: a module can have tens of thousands of functions.
    """
    count = len(entries)
    records = bytearray(FUNCREF_SIZE * count)
    words = memoryview(records).cast("Q")
    halves = memoryview(records).cast("I")
    words[0::4] = memoryview(entries)
    words[1::4] = memoryview(array("Q", [context]) * count)
    halves[4::8] = memoryview(type_ids)
    halves[5::8] = memoryview(array("I", range(first, first + count)))
    words[3::4] = memoryview(array("Q", [owner]) * count)
    return records

"""Writing the records of the machine interface."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from struct import Struct

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.plugin.layout import FUNCREF_SIZE

if TYPE_CHECKING:
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.types import FuncType

HOST_CONTEXT: Final = Struct("<QQ")
"""Context of a host function: addresses of the store record and of the callable."""
HOST_CONTEXT_SIZE: Final = 16
FUNCREF_RECORD: Final = Struct("<QQIIQ")
"""code, context, type id, index, owner: `wasmcore.plugin.layout.FUNCREF_FIELDS`."""


def write_host_function(
    address: int, machine: Machine, func_type: FuncType, type_id: int, function: Callable[..., Any], owner: int, index: int
) -> None:
    """Write a host context at `address` and its funcref record behind it. The caller keeps the function alive, and adopts the context."""
    context = HOST_CONTEXT.pack(0, id(function))
    record = FUNCREF_RECORD.pack(machine.host_code(func_type), address, type_id, index, owner)
    ctypes.memmove(address, context + record, len(context) + len(record))


def funcref_records(count: int, type_ids: array[int], first: int) -> memoryview[int]:
    """The funcref records of defined functions, as words, but for their code, context and owner; indices from `first`.

    They are written field by field: a module can have tens of thousands of functions.
    """
    records = memoryview(bytearray(FUNCREF_SIZE * count))
    halves = records.cast("I")
    halves[4::8] = memoryview(type_ids)
    halves[5::8] = memoryview(array("I", range(first, first + count)))
    return records.cast("Q")

"""References as 64 bits: a function reference is the address of its funcref record, an extern reference a handle.

Handles are numbers of a table of Python objects. An object keeps its handle, and stays alive, until the last store is gone: what
generated code still holds can not be known.
"""

from __future__ import annotations

import ctypes
from itertools import count
from types import BuiltinFunctionType
from weakref import WeakValueDictionary

from wasmcore._typing import Any, Final, Protocol
from wasmcore.plugin.layout import FUNCREF
from wasmcore.runtime.objects.type_ids import abstract_heap_type, id_matches
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import HEAP_CONCRETE, HEAP_EXTERN, HEAP_FUNC, HEAP_NOEXTERN, HEAP_NOFUNC, REFERENCE, ValueType, value_type_name


class FunctionOwner(Protocol):
    """What the `owner` number of a funcref record stands for."""

    def function_at(self, index: int) -> Any:
        """The callable of a function index of this owner."""


class FunctionObject(Unique):
    """Base of what stands behind a callable of ours as its `__self__`, or is one."""

    __slots__ = ()
    _instead = ": functions can not change, so use the same"

    @property
    def _funcref(self) -> int:
        """Address of its funcref record."""
        raise NotImplementedError

    @property
    def _owner(self) -> Any:
        """What the record belongs to."""
        raise NotImplementedError

    @property
    def _group(self) -> Any:
        """The group of its owner."""
        raise NotImplementedError


owners: Final[WeakValueDictionary[int, Any]] = WeakValueDictionary()
"""By number; alive as long as somebody else keeps them."""
_numbers: Final = count(1)
_handles: Final[dict[int, object]] = {}
_handle_of: Final[dict[int, int]] = {}
_next_handle: Final = count(1)


def register_owner(owner: FunctionOwner) -> int:
    """A number for an owner of functions."""
    number = next(_numbers)
    owners[number] = owner
    return number


def function_object(value: Any) -> FunctionObject | None:
    """What knows the funcref record of a callable of ours, None for other objects."""
    candidate = value.__self__ if type(value) is BuiltinFunctionType else value
    return candidate if isinstance(candidate, FunctionObject) else None


def to_bits(value_type: ValueType, value: Any) -> int:
    """The bits of a Python object as a reference of this type; TypeError if it is none."""
    if value is None:
        if value_type & 7 == REFERENCE:
            raise TypeError(f"{value_type_name(value_type)} expected, got None")
        return 0
    heap = value_type >> 3
    if heap == HEAP_EXTERN:
        return _handle(value)
    if abstract_heap_type(heap) == HEAP_FUNC:
        function = function_object(value)
        if function is not None:
            address = function._funcref
            if heap >= HEAP_CONCRETE and not id_matches(funcref_type_id(address), heap - HEAP_CONCRETE):
                raise TypeError(f"{value!r} has another type than the function reference that is expected")
            function._group.keep(function._owner)
            return address
        raise TypeError(f"a function reference is expected: an exported function or wasmcore.Func, got {type(value).__name__}")
    raise TypeError(f"a Python {type(value).__name__} can not be a {value_type_name(value_type)}")


def funcref_type_id(address: int) -> int:
    """The type id in a funcref record."""
    return ctypes.c_uint32.from_address(address + FUNCREF["type_id"]).value


def from_bits(value_type: ValueType, bits: int) -> Any:
    """The Python object of a reference."""
    if bits == 0:
        return None
    heap = value_type >> 3
    if heap in (HEAP_EXTERN, HEAP_NOEXTERN):
        return _handles[bits]
    if heap == HEAP_NOFUNC or abstract_heap_type(heap) == HEAP_FUNC:
        owner = ctypes.c_uint64.from_address(bits + FUNCREF["owner"]).value
        index = ctypes.c_uint32.from_address(bits + FUNCREF["index"]).value
        return owners[owner].function_at(index)
    raise TypeError(f"a {value_type_name(value_type)} can not be given to Python")


def _handle(value: object) -> int:
    handle = _handle_of.get(id(value))
    if handle is None:
        handle = next(_next_handle)
        _handles[handle] = value
        _handle_of[id(value)] = handle
    return handle


def forget_handles() -> None:
    """Drop all handles; called when no store is left."""
    _handle_of.clear()
    _handles.clear()

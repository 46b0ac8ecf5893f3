"""References as 64 bits: a function reference is the address of its funcref record; for extern references see `extern_objects`."""

from __future__ import annotations

import ctypes
from types import BuiltinFunctionType

from wasmcore._typing import Any, Protocol
from wasmcore.plugin.layout import FUNCREF
from wasmcore.runtime.execution.blocks import owners
from wasmcore.runtime.objects.type_ids import abstract_heap_type, id_matches
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import (
    HEAP_CONCRETE,
    HEAP_EXTERN,
    HEAP_FUNC,
    HEAP_NOFUNC,
    NULLABLE_REFERENCE,
    REFERENCE,
    FuncType,
    ValueType,
    value_type_name,
)


class FunctionOwner(Protocol):
    """What the `owner` of a funcref record stands for."""

    def function_at(self, index: int) -> Any:
        """The callable of a function index of this owner."""

    def host_function(self, index: int) -> tuple[str, FuncType]:
        """Name for messages, and type, of a function that Python provides."""


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


def function_object(value: Any) -> FunctionObject | None:
    """What knows the funcref record of a callable of ours, None for other objects."""
    candidate = value.__self__ if type(value) is BuiltinFunctionType else value
    return candidate if isinstance(candidate, FunctionObject) else None


def is_extern(value_type: ValueType) -> bool:
    """Whether any Python object is a value of this type."""
    return value_type >> 3 == HEAP_EXTERN and value_type & 7 >= NULLABLE_REFERENCE


def refuse_null(value_type: ValueType) -> None:
    """TypeError if None is no value of a reference type."""
    if value_type & 7 == REFERENCE:
        raise TypeError(f"{value_type_name(value_type)} expected, got None")


def to_bits(value_type: ValueType, value: Any) -> int:
    """The bits of a function or None as a reference of this type; TypeError if it is none."""
    if value is None:
        refuse_null(value_type)
        return 0
    heap = value_type >> 3
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


def host_function(funcref: int) -> tuple[str, FuncType]:
    """Name for messages, and type, of the Python function with this funcref record."""
    owner = ctypes.c_uint64.from_address(funcref + FUNCREF["owner"]).value
    index = ctypes.c_uint32.from_address(funcref + FUNCREF["index"]).value
    found: tuple[str, FuncType] = _owner(owner).host_function(index)
    return found


def _owner(context: int) -> FunctionOwner:
    found: FunctionOwner | None = owners.find(context)
    if found is None:
        raise RuntimeError("the owner of this function was being collected")
    return found


def from_bits(value_type: ValueType, bits: int) -> Any:
    """The function of a reference, None for null."""
    if bits == 0:
        return None
    heap = value_type >> 3
    if heap == HEAP_NOFUNC or abstract_heap_type(heap) == HEAP_FUNC:
        owner = ctypes.c_uint64.from_address(bits + FUNCREF["owner"]).value
        index = ctypes.c_uint32.from_address(bits + FUNCREF["index"]).value
        return _owner(owner).function_at(index)
    raise TypeError(f"a {value_type_name(value_type)} can not be given to Python")

"""Global variables."""

from __future__ import annotations

import ctypes
import struct
from typing import Any, Final

from wasmcore.runtime import references
from wasmcore.runtime.group import Group
from wasmcore.types import F32, F64, I32, I64, NULLABLE_REFERENCE, V128, GlobalType, ValueType, value_type_name

_STRUCT: Final = {I32: "<i", I64: "<q", F32: "<f", F64: "<d"}
_UNSIGNED: Final = {I32: (32, "<I"), I64: (64, "<Q")}


def pack_value(value_type: ValueType, value: Any) -> bytes:
    """The 16 bytes of a Python value in a global or an overflow slot; TypeError or OverflowError if it does not fit the type."""
    kind = value_type & 7
    if kind in _UNSIGNED:
        bits, layout = _UNSIGNED[kind]
        number = value.__index__() if hasattr(value, "__index__") else None
        if number is None:
            raise TypeError(f"{value_type_name(value_type)} expected, got {type(value).__name__}")
        if not -(1 << bits - 1) <= number < 1 << bits:
            raise OverflowError(f"{number} does not fit {value_type_name(value_type)}")
        data = struct.pack(layout, number & ((1 << bits) - 1))
    elif kind in _STRUCT:
        if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"{value_type_name(value_type)} expected, got {type(value).__name__}")
        data = ctypes.string_at(ctypes.byref(ctypes.c_float(value)), 4) if kind == F32 else struct.pack("<d", value)
    elif kind == V128:
        data = value.to_bytes(16, "little") if isinstance(value, int) else bytes(value)
        if len(data) != 16:
            raise TypeError("v128 expected: 16 bytes or an int below 2**128")
    else:
        data = struct.pack("<Q", references.to_bits(value_type, value))
    return data.ljust(16, b"\0")


def unpack_value(value_type: ValueType, data: bytes) -> Any:
    """The Python value in the first bytes of a global or an overflow slot."""
    kind = value_type & 7
    if kind in _STRUCT:
        return struct.unpack_from(_STRUCT[kind], data)[0]
    if kind == V128:
        return data[:16]
    return references.from_bits(value_type, struct.unpack_from("<Q", data)[0])


class Global:
    """A global: `Global("i32", 5, mutable=True)`; its `value` can be read, and set when it is mutable."""

    __slots__ = ("__weakref__", "_group", "_owner", "address", "type")

    def __init__(self, value_type: ValueType | str, value: Any, *, mutable: bool = False) -> None:
        packed = _NAMES[value_type] if isinstance(value_type, str) else value_type
        data = pack_value(packed, value)
        cell = ctypes.create_string_buffer(32)
        self.address = (ctypes.addressof(cell) + 15) & ~15
        self._owner: object = cell
        self.type = GlobalType(packed, mutable)
        self._group: Group | None = None
        ctypes.memmove(self.address, data, 16)

    @classmethod
    def at(cls, address: int, global_type: GlobalType, owner: object) -> Global:
        """The global whose cell stands at this address, which `owner` keeps alive."""
        result = cls.__new__(cls)
        result.address = address
        result.type = global_type
        result._owner = owner
        result._group = None
        return result

    @property
    def value(self) -> Any:
        """Its value: int, float, 16 bytes, or an object for references."""
        return unpack_value(self.type.value, ctypes.string_at(self.address, 16))

    @value.setter
    def value(self, value: Any) -> None:
        if not self.type.mutable:
            raise AttributeError("this global is not mutable")
        function = references.function_object(value) if self.type.value & 7 >= NULLABLE_REFERENCE else None
        if function is not None:
            self.join(function.owner.group)
        ctypes.memmove(self.address, pack_value(self.type.value, value), 8 if self.type.value & 7 >= NULLABLE_REFERENCE else 16)

    def join(self, group: Group) -> Group:
        """Become part of a group, which merges with the one it is in; the group of both."""
        self._group = group if self._group is None else self._group.join(group)
        return self._group

    def __repr__(self) -> str:
        return f"<wasmcore.Global {self.type}: {self.value!r}>"


_NAMES: Final = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "funcref": 6, "externref": 14}

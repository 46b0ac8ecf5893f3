"""Global variables."""

from __future__ import annotations

import ctypes

from wasmcore._typing import Any, Final
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.values import pack_value, unpack_value
from wasmcore.types import F32, F64, I32, I64, NULLABLE_REFERENCE, V128, GlobalType, ValueType


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

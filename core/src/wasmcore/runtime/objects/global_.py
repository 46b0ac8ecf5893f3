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
        cell = ctypes.create_string_buffer(32)
        self.address = (ctypes.addressof(cell) + 15) & ~15
        self._owner: object = cell
        self.type = GlobalType(packed, mutable)
        self._group: Group | None = None
        self._write(value)

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
        if references.is_extern(self.type.value):
            return self._group.extern_at(self.address) if self._group else None
        return unpack_value(self.type.value, ctypes.string_at(self.address, 16))

    @value.setter
    def value(self, value: Any) -> None:
        if not self.type.mutable:
            raise AttributeError("this global is not mutable")
        self._write(value)

    def _write(self, value: Any) -> None:
        value_type = self.type.value
        if value is not None and references.is_extern(value_type):
            with (self._group or self.join(Group())).holding(value) as bits:
                ctypes.c_uint64.from_address(self.address).value = bits
            return
        function = references.function_object(value) if value_type & 7 >= NULLABLE_REFERENCE else None
        if function is not None:
            self.join(function.owner.group)
        ctypes.memmove(self.address, pack_value(value_type, value), 8 if value_type & 7 >= NULLABLE_REFERENCE else 16)

    def extern_cells(self) -> tuple[int, int]:
        """Address and number of its cells."""
        return self.address, 1

    def join(self, group: Group) -> Group:
        """Become part of a group, which merges with the one it is in; the group of both."""
        if self._group is not None:
            self._group = self._group.join(group)
        else:
            self._group = group
            if references.is_extern(self.type.value):
                group.add_root(self)
        return self._group

    def __repr__(self) -> str:
        return f"<wasmcore.Global {self.type}: {self.value!r}>"


_NAMES: Final = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "funcref": 6, "externref": 14}

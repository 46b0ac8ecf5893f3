"""Global variables."""

from __future__ import annotations

import ctypes

from wasmcore._typing import Any
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.type_ids import value_type as checked_type
from wasmcore.runtime.objects.values import pack_value, unpack_value
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import NULLABLE_REFERENCE, GlobalType, ValueType


class Global(Unique):
    """A global: `Global("i32", 5, mutable=True)`; its `value` can be read, and set when it is mutable."""

    __slots__ = ("__weakref__", "_address", "_group", "_owner", "_type")
    _instead = ": make another Global of its value"

    def __init__(self, value_type: ValueType | str, value: Any, *, mutable: bool = False) -> None:
        global_type = GlobalType(checked_type(value_type), bool(mutable))
        data = pack_value(global_type.value, value)
        cell = ctypes.create_string_buffer(32)
        address = (ctypes.addressof(cell) + 15) & ~15
        ctypes.memmove(address, data, 16)
        self._setup(address, global_type, cell)
        self._join_group_of(value)

    def _setup(self, address: int, global_type: GlobalType, owner: object) -> None:
        self._made_once("_address")
        self._owner = owner
        self._type = global_type
        self._group: Group | None = None
        self._address = address

    @property
    def type(self) -> GlobalType:
        """Its type."""
        return self._type

    @property
    def value(self) -> Any:
        """Its value: int, float, 16 bytes, or an object for references."""
        return unpack_value(self._type.value, self._bytes())

    @value.setter
    def value(self, value: Any) -> None:
        if not self._type.mutable:
            raise AttributeError("this global is not mutable")
        self._join_group_of(value)
        data = ctypes.create_string_buffer(pack_value(self._type.value, value), 16)
        platform.copy(self._address, ctypes.addressof(data), 8 if self._is_reference() else 16)

    def _bytes(self) -> bytes:
        """The 16 bytes of its cell."""
        return ctypes.string_at(self._address, 16)

    def _is_reference(self) -> bool:
        return self._type.value & 7 >= NULLABLE_REFERENCE

    def _join_group_of(self, value: Any) -> None:
        function = references.function_object(value) if self._is_reference() else None
        if function is not None:
            self._join(function._group)

    def _join(self, group: Group) -> Group:
        """Become part of a group, which merges with the one it is in; the group of both."""
        self._group = group if self._group is None else self._group.join(group)
        return self._group

    def __repr__(self) -> str:
        return f"<wasmcore.Global {self.type}: {self.value!r}>"


def new_global(address: int, global_type: GlobalType, owner: object) -> Global:
    """The global whose cell stands at this address, which `owner` keeps alive."""
    made = Global.__new__(Global)
    made._setup(address, global_type, owner)
    return made

"""Numbers in a memory, one at a time: what Python code that talks to a guest reads and writes most."""

from __future__ import annotations

from math import copysign, inf
from operator import index
from struct import Struct, error

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.execution.host_errors import shown

if TYPE_CHECKING:
    from wasmcore.runtime.objects.space import Space

_FORMATS: Final = {
    "u8": Struct("<B"),
    "i8": Struct("<b"),
    "u16": Struct("<H"),
    "i16": Struct("<h"),
    "u32": Struct("<I"),
    "i32": Struct("<i"),
    "u64": Struct("<Q"),
    "i64": Struct("<q"),
    "f32": Struct("<f"),
    "f64": Struct("<d"),
}


class Numbers:
    """Numbers of one type in a memory, little-endian, at any address: `memory.u32[address]`.

    IndexError beyond the end of the memory; OverflowError for an integer that the type does not have, TypeError for what is no number.
    """

    __slots__ = ("_pack", "_space", "_type", "_unpack", "_width")

    def __init__(self, space: Space, type_name: str) -> None:
        format_ = _FORMATS[type_name]
        self._space = space
        self._type = type_name
        self._width = format_.size
        self._unpack = format_.unpack_from
        self._pack = format_.pack_into

    def __getitem__(self, address: int) -> Any:
        space = self._space
        try:
            if 0 <= address <= space.length - self._width:
                return self._unpack(space.bytes, address)[0]
        except TypeError:
            pass
        return self._unpack(space.bytes, self._checked(address))[0]

    def __setitem__(self, address: int, value: Any) -> None:
        space = self._space
        try:
            if 0 <= address <= space.length - self._width:
                self._pack(space.bytes, address, value)
                return
        except (TypeError, OverflowError, error):
            pass
        self._set(self._checked(address), value)

    def _checked(self, address: int) -> int:
        """An address as a number; IndexError where it is none of the memory's."""
        start, length = index(address), self._space.length
        if not 0 <= start <= length - self._width:
            raise IndexError(f"{self._type} at {start} is outside of a memory of {length} bytes")
        return start

    def _set(self, address: int, value: Any) -> None:
        """What the quick way did not do: other kinds of numbers, and errors."""
        if self._type[0] == "f":
            number = float(value)
            try:
                self._pack(self._space.bytes, address, number)
            except OverflowError:
                self._pack(self._space.bytes, address, copysign(inf, number))
            return
        integer = index(value)
        try:
            self._pack(self._space.bytes, address, integer)
        except error:
            raise OverflowError(f"{shown(integer)} does not fit {self._type}") from None

    def __repr__(self) -> str:
        return f"<{self._type} numbers of a wasmcore.Memory>"


class NumbersByType(dict[str, Numbers]):
    """The numbers of a memory by the name of their type, each made when it is first asked for."""

    __slots__ = ("_space",)

    def __init__(self, space: Space) -> None:
        self._space = space

    def __missing__(self, name: str) -> Numbers:
        found = self[name] = Numbers(self._space, name)
        return found

"""Values between Python and the 16 bytes they take in memory."""

from __future__ import annotations

import ctypes
import struct
from operator import index

from wasmcore._typing import Any, Final
from wasmcore.runtime.objects import references
from wasmcore.types import F32, F64, I32, I64, V128, ValueType, value_type_name

_STRUCT: Final = {I32: "<i", I64: "<q", F32: "<f", F64: "<d"}
_ACCEPTED: Final = {
    I32: "an integer",
    I64: "an integer",
    F32: "a real number",
    F64: "a real number",
    V128: "16 bytes or an integer",
}
_UNSIGNED: Final = {I32: (32, "<I"), I64: (64, "<Q")}


def pack_value(value_type: ValueType, value: Any) -> bytes:
    """The 16 bytes of a Python value in a global or an overflow slot; TypeError or OverflowError if it does not fit the type."""
    kind = value_type & 7
    if kind in _UNSIGNED:
        bits, layout = _UNSIGNED[kind]
        number = _integer(value_type, value)
        if not -(1 << bits - 1) <= number < 1 << bits:
            raise OverflowError(f"{number} does not fit {value_type_name(value_type)}")
        data = struct.pack(layout, number & ((1 << bits) - 1))
    elif kind in _STRUCT:
        if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise _wrong_type(value_type, value)
        fraction = float(value)
        data = bytes(ctypes.c_float(fraction)) if kind == F32 else struct.pack("<d", fraction)
    elif kind == V128:
        data = _vector(value)
    else:
        data = struct.pack("<Q", references.to_bits(value_type, value))
    return data.ljust(16, b"\0")


def _integer(value_type: ValueType, value: Any) -> int:
    kind = type(value)
    if hasattr(value, "__index__"):
        return int(value.__index__())
    if kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"):  # the one scalar that stands for an integer and does not say so
        return int(value)
    raise _wrong_type(value_type, value)


def _vector(value: Any) -> bytes:
    try:
        number = index(value)
    except TypeError:
        return _vector_of_bytes(value)
    if not 0 <= number < 1 << 128:
        raise OverflowError(f"{number} does not fit v128")
    return number.to_bytes(16, "little")


def _vector_of_bytes(value: Any) -> bytes:
    try:
        data = bytes(memoryview(value))
    except TypeError:
        raise _wrong_type(V128, value) from None
    if len(data) != 16:
        raise TypeError(f"v128 expected: 16 bytes, got {len(data)}")
    return data


def _wrong_type(value_type: ValueType, value: Any) -> TypeError:
    kind = type(value)
    given = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return TypeError(f"{value_type_name(value_type)} expected: {_ACCEPTED[value_type & 7]}, got {given}")


def unpack_value(value_type: ValueType, data: bytes) -> Any:
    """The Python value in the first bytes of a global or an overflow slot."""
    kind = value_type & 7
    if kind in _STRUCT:
        return struct.unpack_from(_STRUCT[kind], data)[0]
    if kind == V128:
        return data[:16]
    return references.from_bits(value_type, struct.unpack_from("<Q", data)[0])

"""Values between Python and the 16 bytes they take in memory."""

from __future__ import annotations

import ctypes
import struct

from wasmcore._typing import Any, Final
from wasmcore.runtime.execution.host_errors import shown
from wasmcore.runtime.objects import references
from wasmcore.types import F32, F64, I32, I64, V128, ValueType, value_type_name

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
            raise OverflowError(f"{shown(number)} does not fit {value_type_name(value_type)}")
        data = struct.pack(layout, number & ((1 << bits) - 1))
    elif kind in _STRUCT:
        if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"{value_type_name(value_type)} expected, got {type(value).__name__}")
        fraction = float(value)
        data = bytes(ctypes.c_float(fraction)) if kind == F32 else struct.pack("<d", fraction)
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

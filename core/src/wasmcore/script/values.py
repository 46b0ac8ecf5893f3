"""Constants of scripts as Python values, and results against what a script expects.

A result is its value type and either its bits, unsigned, or the object that a reference stands for.
"""

from __future__ import annotations

import struct
from typing import Any, Final, TypeAlias

from wasmcore._named_tuple import NamedTuple
from wasmcore.runtime.objects.references import function_object
from wasmcore.script.commands import Constant, Either, LanesPattern, NanPattern, Number, Pattern, Reference
from wasmcore.types import F32, F64, I32, I64, V128, ValueType, value_type_name

Result: TypeAlias = tuple[ValueType, Any]

_WIDTHS: Final = {I32: 32, I64: 64, F32: 32, F64: 64, V128: 128}
_LAYOUTS: Final = {F32: "<f", F64: "<d"}
_INFINITY: Final = {F32: 0x7F800000, F64: 0x7FF0000000000000}
_CANONICAL_NAN: Final = {F32: 0x7FC00000, F64: 0x7FF8000000000000}


class HostReference(NamedTuple):
    """The object behind `(ref.extern N)` and `(ref.host N)`."""

    number: int


def width(value_type: ValueType) -> int:
    """Bits of a value of a number or vector type."""
    return _WIDTHS[value_type]


def signed(value_type: ValueType, bits: int) -> int:
    """The signed integer of the width of a type with these bits."""
    half = 1 << _WIDTHS[value_type] - 1
    return (bits ^ half) - half


def argument(constant: Constant) -> Any:
    """The Python value of a constant."""
    if isinstance(constant, Reference):
        return None if constant.kind == "null" else HostReference(constant.number)
    data = constant.bits.to_bytes(_WIDTHS[constant.type] // 8, "little")
    if constant.type in _LAYOUTS:
        return struct.unpack(_LAYOUTS[constant.type], data)[0]
    return data if constant.type == V128 else signed(constant.type, constant.bits)


def result(value_type: ValueType, value: Any) -> Result:
    """The result that a Python value is."""
    if value_type in _LAYOUTS:
        return value_type, int.from_bytes(struct.pack(_LAYOUTS[value_type], value), "little")
    if value_type == V128:
        return value_type, int.from_bytes(value, "little")
    return value_type, value & (1 << _WIDTHS[value_type]) - 1 if value_type in _WIDTHS else value


def has_nan(pattern: Pattern) -> bool:
    """Whether a scalar NaN is, or can be, what is expected."""
    if isinstance(pattern, Either):
        return any(map(has_nan, pattern.patterns))
    if isinstance(pattern, Number) and pattern.type in _INFINITY:
        return _magnitude(pattern.type, pattern.bits) > _INFINITY[pattern.type]
    return isinstance(pattern, NanPattern)


def matches(pattern: Pattern, found: Result) -> bool:
    """Whether a result is what is expected."""
    value_type, value = found
    if isinstance(pattern, Either):
        return any(matches(choice, found) for choice in pattern.patterns)
    if isinstance(pattern, Number):
        return found == (pattern.type, pattern.bits)
    if isinstance(pattern, NanPattern):
        return value_type == pattern.type and _is_expected_nan(pattern, value)
    if isinstance(pattern, LanesPattern):
        return value_type == V128 and all(map(matches, pattern.lanes, _lanes(pattern, value)))
    if value_type in _WIDTHS:
        return False
    if isinstance(pattern, Reference):
        return bool(value is None if pattern.kind == "null" else value == HostReference(pattern.number))
    if pattern.heap_type == "null" or value is None:
        return pattern.heap_type == "null" and value is None
    return pattern.heap_type in ("any", "extern") or (pattern.heap_type == "func" and function_object(value) is not None)


def _magnitude(value_type: ValueType, bits: int) -> int:
    return bits & (1 << _WIDTHS[value_type] - 1) - 1


def _is_expected_nan(pattern: NanPattern, bits: int) -> bool:
    canonical = _CANONICAL_NAN[pattern.type]
    magnitude = _magnitude(pattern.type, bits)
    return magnitude == canonical if pattern.canonical else magnitude & canonical == canonical


def _lanes(pattern: LanesPattern, bits: int) -> list[Result]:
    lane_type = pattern.lanes[0].type
    bits_per_lane = _WIDTHS[lane_type]
    return [(lane_type, bits >> number * bits_per_lane & (1 << bits_per_lane) - 1) for number in range(len(pattern.lanes))]


def describe(pattern: Pattern) -> str:
    """What is expected, for a message."""
    if isinstance(pattern, Either):
        return " or ".join(map(describe, pattern.patterns))
    if isinstance(pattern, Number):
        return describe_result((pattern.type, pattern.bits))
    if isinstance(pattern, NanPattern):
        return f"{value_type_name(pattern.type)} {'canonical' if pattern.canonical else 'arithmetic'} NaN"
    if isinstance(pattern, LanesPattern):
        return f"v128 of {', '.join(map(describe, pattern.lanes))}"
    if isinstance(pattern, Reference):
        return f"{pattern.kind} reference {pattern.number}" if pattern.kind != "null" else "null reference"
    return f"{pattern.heap_type} reference"


def describe_result(found: Result) -> str:
    """A result, for a message; bits of numbers in hexadecimal."""
    value_type, value = found
    if value_type not in _WIDTHS:
        return f"{value_type_name(value_type)} {value!r}"
    shown = f"{value_type_name(value_type)} {value:#0{_WIDTHS[value_type] // 4 + 2}x}"
    if value_type in _LAYOUTS:
        shown += f" ({argument(Number(value_type, value))!r})"
    return shown

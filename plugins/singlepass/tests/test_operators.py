"""Every numeric operator on values at the edges, against wasmtime: operands in locals, as constants, and mixed."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import wasmtime

import wasmcore
from wasmcore.opcodes import OPCODES
from wasmcore.types import F32, F64, I32, I64

NAMES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64"}
INTEGERS32 = (0, 1, -1, 2, 7, 31, 32, 255, -128, 0x7FFF, 0x12345678, 2**31 - 1, -(2**31))
INTEGERS64 = (*INTEGERS32, 63, 64, 2**31, 2**32 - 1, 2**32, 0x123456789ABCDEF, 2**63 - 1, -(2**63))
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -0.9999999, 3.7, -3.7, 1e10, math.inf, -math.inf, math.nan, 2.0**-149, 2147483647.0,
    2147483648.0, -2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 9223372036854775808.0, -9223372036854775808.0,
    18446744073709551616.0, 9223371487098961920.0, 1e300, 5e-324,
)  # fmt: skip
OPERATORS = {
    opcode.name: opcode
    for code, opcode in OPCODES.items()
    if (0x45 <= code <= 0xC4 or 0x100 <= code <= 0x107) and opcode.params is not None
}


def single(value: float) -> float:
    """The nearest f32, infinities included."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


VALUES: dict[int, tuple[Any, ...]] = {
    I32: INTEGERS32,
    I64: INTEGERS64,
    F32: tuple(dict.fromkeys(map(single, FLOATS))),
    F64: FLOATS,
}


def literal(value_type: int, value: Any) -> str:
    """A constant instruction."""
    if isinstance(value, float):
        text = "nan" if math.isnan(value) else ("-inf" if value < 0 else "inf") if math.isinf(value) else value.hex()
        return f"({NAMES[value_type]}.const {text})"
    return f"({NAMES[value_type]}.const {value})"


@cache
def modules() -> tuple[Any, Any]:
    """Exports of both engines: each operator on parameters, and with each value as its last operand; results as bits."""
    functions = []
    for name, opcode in OPERATORS.items():
        params = " ".join(NAMES[value] for value in opcode.params or ())
        result = (opcode.results or (I32,))[0]
        bits = {F32: ("i32", "i32.reinterpret_f32"), F64: ("i64", "i64.reinterpret_f64")}.get(result)
        result_name = bits[0] if bits else NAMES[result]
        operands = [f"(local.get {number})" for number in range(len(opcode.params or ()))]
        variants = [("", operands)]
        last = (opcode.params or ())[-1]
        for number, value in enumerate(VALUES[last]):
            variants.append((f"#{number}", [*operands[:-1], literal(last, value)]))
        for suffix, each in variants:
            body = f"({name} {' '.join(each)})"
            if bits:
                body = f"({bits[1]} {body})"
            functions.append(f'(func (export "{name}{suffix}") (param {params}) (result {result_name}) {body})')
    binary = bytes(wasmtime.wat2wasm(f"(module {' '.join(functions)})"))
    ours = wasmcore.Instance(wasmcore.Module(binary, backend="singlepass"), {}).exports
    store = wasmtime.Store()
    theirs = wasmtime.Instance(store, wasmtime.Module(store.engine, binary), []).exports(store)
    return ours, lambda name, *arguments: theirs[name](store, *arguments)


def outcome(call: Any, *arguments: Any) -> Any:
    """The result, or that it trapped and why."""
    try:
        return call(*arguments)
    except wasmcore.Trap as trap:
        return trap.kind.text
    except wasmtime.Trap as trap:
        return str(trap.message).partition("wasm trap: ")[2].splitlines()[0]


def is_nan(name: str, bits: Any) -> bool:
    result = (OPERATORS[name].results or (0,))[0]
    if result == F32 and isinstance(bits, int):
        return bits & 0x7FFFFFFF > 0x7F800000
    return result == F64 and isinstance(bits, int) and bits & (1 << 63) - 1 > 0x7FF << 52


def cases(name: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    params = OPERATORS[name].params or ()
    if len(params) == 1:
        for number, value in enumerate(VALUES[params[0]]):
            yield name, (value,)
            yield f"{name}#{number}", (value,)
        return
    for number, right in enumerate(VALUES[params[1]]):
        for left in VALUES[params[0]]:
            yield name, (left, right)
            yield f"{name}#{number}", (left, right)


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_operator(name: str) -> None:
    ours, theirs = modules()
    expected: dict[tuple[Any, ...], Any] = {}
    for export, arguments in cases(name):
        key = tuple(struct.pack("<d", value) if isinstance(value, float) else value for value in arguments)
        if key not in expected:
            expected[key] = outcome(lambda *values: theirs(name, *values), *arguments)
        got = outcome(ours[export], *arguments)
        assert got == expected[key] or (is_nan(name, got) and is_nan(name, expected[key])), (export, arguments, got, expected[key])

"""Calls that keep every bit.

A Python float can not hold a signalling f32 NaN, so where NaNs matter a function is called through a module of our own that takes and
gives the bits of f32 as i32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from wasmcore._instance import Instance
from wasmcore._module import Module
from wasmcore.script.commands import Constant, Number, Pattern
from wasmcore.script.values import Result, argument, has_nan, result, signed, width
from wasmcore.text import wat2wasm
from wasmcore.types import F32, I32, V128, FuncType, value_type_name

if TYPE_CHECKING:
    from wasmcore.compile.engine import Engine
    from wasmcore.runtime.objects.global_ import Global


def call(function: Any, arguments: Sequence[Constant], expected: Sequence[Pattern], engine: Engine) -> list[Result]:
    """Call an exported function."""
    func_type: FuncType = function.__self__.type
    exact = F32 in func_type.params + func_type.results and any(map(has_nan, (*arguments, *expected)))
    if exact:
        instance = Instance(_adapter(func_type, engine), {"": {"function": function}})
        values = instance.exports.call(*map(_bits_argument, arguments))
    else:
        values = function(*map(argument, arguments))
    if len(func_type.results) < 2:
        values = (values,)
    return [_bits_result(value_type, value) if exact else result(value_type, value) for value_type, value in zip(func_type.results, values)]


def read(variable: Global) -> Result:
    """The value of a global."""
    value_type = variable.type.value
    if value_type > V128:
        return value_type, variable.value
    return value_type, int.from_bytes(variable._bytes()[: width(value_type) // 8], "little")


def _bits_argument(constant: Constant) -> Any:
    if isinstance(constant, Number) and constant.type == F32:
        return signed(I32, constant.bits)
    return argument(constant)


def _bits_result(value_type: int, value: Any) -> Result:
    return (F32, value & 0xFFFFFFFF) if value_type == F32 else result(value_type, value)


@lru_cache(maxsize=256)
def _adapter(func_type: FuncType, engine: Engine) -> Module:
    """A module that imports a function of this type and exports `call`, the same with i32 for f32."""
    params, results = func_type
    lines = [
        "(module",
        f'  (import "" "function" (func $function {_signature("param", params)} {_signature("result", results)}))',
        f'  (func (export "call") {_signature("param", _without_f32(params))} {_signature("result", _without_f32(results))}',
        f"    {_signature('local', results)}",
    ]
    for number, value_type in enumerate(params):
        lines.append(f"    local.get {number}" + (" f32.reinterpret_i32" if value_type == F32 else ""))
    lines.append("    call $function")
    lines += [f"    local.set {len(params) + number}" for number in reversed(range(len(results)))]
    for number, value_type in enumerate(results):
        lines.append(f"    local.get {len(params) + number}" + (" i32.reinterpret_f32" if value_type == F32 else ""))
    return Module(wat2wasm("\n".join([*lines, "))"])), engine=engine)


def _without_f32(types: Sequence[int]) -> list[int]:
    return [I32 if value_type == F32 else value_type for value_type in types]


def _signature(keyword: str, types: Sequence[int]) -> str:
    return f"({keyword} {' '.join(map(value_type_name, types))})"

"""A module that shows all that another one exports, in numbers: engines whose embeddings have no vectors or references can run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wasmcore import ExportType, FuncType, GlobalType, MemoryType, TableType
from wasmcore.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, ExternType, ValueType, value_type_name

SHOWN = {
    I32: "(i64.extend_i32_u ({get}))",
    I64: "({get})",
    F32: "(i64.extend_i32_u (i32.reinterpret_f32 (select ({get}) (f32.const nan) (f32.eq ({get}) ({get})))))",
    F64: "(i64.reinterpret_f64 (select ({get}) (f64.const nan) (f64.eq ({get}) ({get}))))",
    V128: "(i64x2.extract_lane 0 ({get})) (i64x2.extract_lane 1 ({get}))",
}
"""A value as numbers of 64 bits, where something gets it; one NaN stands for all, since the specification leaves their bits open."""
REFERENCE_SHOWN = "(i64.extend_i32_u (ref.is_null ({get})))"
MADE = {
    I32: "(i32.wrap_i64 {0})",
    I64: "{0}",
    F32: "(f32.reinterpret_i32 (i32.wrap_i64 {0}))",
    F64: "(f64.reinterpret_i64 {0})",
    V128: "(i64x2.replace_lane 1 (i64x2.splat {0}) {1})",
    FUNCREF: "(ref.null func)",
    EXTERNREF: "(ref.null extern)",
}
"""A value of those numbers."""
NULLS = """(func (export "nulls {number}") (result i64) (local $i {index}) (local $hash i64)
  (block (loop (br_if 1 ({index}.ge_u (local.get $i) (table.size $e{number})))
    (local.set $hash (i64.xor (i64.mul (local.get $hash) (i64.const 0x100000001b3))
      (i64.extend_i32_u (ref.is_null (table.get $e{number} (local.get $i))))))
    (local.set $i ({index}.add (local.get $i) ({index}.const 1)))
    (br 0)))
  (local.get $hash))"""
"""A digest of which elements of a table are null."""


class View(NamedTuple):
    """A function of an observer that calls one of the observed module."""

    name: str
    function: str
    """The name of that."""
    parameters: tuple[ValueType, ...]
    """Of the same; a vector is given as two numbers, a reference as none."""


class Observer:
    """Imports all that a module exports, by the module's name, and exports what shows it."""

    def __init__(self, module: str, exports: Sequence[ExportType]) -> None:
        self.calls: list[View] = []
        """Of the functions that can be called from outside."""
        self.states: list[str] = []
        """Functions without parameters that show globals and tables."""
        self.memories: list[str] = []
        self._imports: list[str] = []
        self._fields: list[str] = []
        for number, (name, kind) in enumerate(exports):
            described = self._add(number, name, kind)
            if described:
                self._imports.append(f'(import "{module}" "{_escaped(name)}" ({described}))')

    def to_text(self) -> str:
        """The module."""
        return "\n".join(["(module", *self._imports, *self._fields, ")"])

    def _add(self, number: int, name: str, kind: ExternType) -> str:
        """Show one export; its type as it is imported, or nothing where nothing can show it."""
        if isinstance(kind, FuncType):
            return self._add_function(number, name, kind)
        if isinstance(kind, GlobalType):
            self._add_state(f"global {number}", kind.value, f"global.get $e{number}")
            value = value_type_name(kind.value)
            return f"global $e{number} {f'(mut {value})' if kind.mutable else value}"
        if isinstance(kind, TableType):
            index = "i64" if kind.limits.index64 else "i32"
            self._add_state(f"size {number}", I64 if kind.limits.index64 else I32, f"table.size $e{number}")
            self.states.append(f"nulls {number}")
            self._fields.append(NULLS.format(number=number, index=index))
            return f"table $e{number} {kind.limits} {value_type_name(kind.element)}"
        if isinstance(kind, MemoryType):
            self.memories.append(f"memory {number}")
            self._fields.append(f'(export "memory {number}" (memory $e{number}))')
            pages = "" if kind.page_size_log2 == 16 else f"(pagesize {1 << kind.page_size_log2})"
            return f"memory $e{number} {kind.limits} {pages}"
        return ""

    def _add_state(self, name: str, value: ValueType, get: str) -> None:
        self.states.append(name)
        self._fields.append(f'(func (export "{name}") {_results([value])} {_shown(value, get)})')

    def _add_function(self, number: int, name: str, kind: FuncType) -> str:
        if not set(kind.params) <= MADE.keys():
            return ""
        self.calls.append(View(f"call {number}", name, kind.params))
        taken = 0
        made = []
        for value in kind.params:
            made.append(MADE[value].format(f"(local.get {taken})", f"(local.get {taken + 1})"))
            taken += _numbers(value)
        results = list(enumerate(kind.results, taken))
        self._fields += [
            f'(func (export "call {number}") (param {"i64 " * taken}) {_results(kind.results)} (local {_names(kind.results)})',
            *made,
            f"call $e{number}",
            *(f"local.set {index}" for index, _ in reversed(results)),
            *(_shown(value, f"local.get {index}") for index, value in results),
            ")",
        ]
        return f"func $e{number} (param {_names(kind.params)}) (result {_names(kind.results)})"


def _names(types: Sequence[ValueType]) -> str:
    return " ".join(map(value_type_name, types))


def _numbers(value: ValueType) -> int:
    """How many numbers a parameter is made from."""
    return 2 if value == V128 else int(value < V128)


def _results(types: Sequence[ValueType]) -> str:
    """The type of what shows values."""
    return f"(result {'i64 ' * sum(2 if value == V128 else 1 for value in types)})"


def _shown(value: ValueType, get: str) -> str:
    return SHOWN.get(value, REFERENCE_SHOWN).format(get=get)


def _escaped(name: str) -> str:
    return "".join(f"\\{byte:02x}" for byte in name.encode())

"""The module whose exports the modules of the generators import; on every engine it is the same."""

from __future__ import annotations

from functools import lru_cache

import wasmtime

NAME = "host"
LOG = """(global.set 0 (i64.xor (i64.rotl (global.get 0) (i64.const 1)) (i64.add
      (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1))
      (i64.add (i64.trunc_sat_f32_s (local.get 2)) (i64.trunc_sat_f64_s (local.get 3))))))
    (i32.and (i32.wrap_i64 (global.get 0)) (i32.const 3))"""
"""Remembers its arguments, though not which NaN it was given, since the specification leaves that open."""
EXPORTS = (
    ("func", "nothing", "", ""),
    ("func", "count", "(result i32)", "(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)"),
    ("func", "add", "(param i32 i32) (result i32)", "(i32.add (local.get 0) (local.get 1))"),
    ("func", "swap", "(param i64 f32) (result f32 i64)", "(local.get 1) (local.get 0)"),
    ("func", "half", "(param f64) (result f64)", "(f64.mul (local.get 0) (f64.const 0.5))"),
    ("func", "lanes", "(param v128 i64) (result v128)", "(i64x2.add (local.get 0) (i64x2.splat (local.get 1)))"),
    ("func", "references", "(param funcref externref) (result externref funcref)", "(local.get 1) (local.get 0)"),
    ("func", "many", "(param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i64 i32)", "(local.get 9) (local.get 8)"),
    ("func", "divide", "(param i32 i32) (result i32)", "(i32.div_s (local.get 0) (local.get 1))"),
    ("func", "log", "(param i32 i64 f32 f64) (result i32)", LOG),
    ("memory", "memory", "1 4", ""),
    ("memory", "memory64", "i64 1 4", ""),
    ("memory", "empty", "0 2", ""),
    ("table", "functions", "8 16 funcref", ""),
    ("table", "objects", "i64 4 12 externref", ""),
    ("global", "logged", "(mut i64)", "(i64.const 0)"),
    ("global", "i32", "i32", "(i32.const 7)"),
    ("global", "i64", "(mut i64)", "(i64.const -5)"),
    ("global", "f32", "(mut f32)", "(f32.const 1.5)"),
    ("global", "f64", "f64", "(f64.const -0x1p-40)"),
    ("global", "v128", "(mut v128)", "(v128.const i32x4 1 -1 0 65536)"),
    ("global", "function", "(mut funcref)", "(ref.null func)"),
    ("global", "object", "(mut externref)", "(ref.null extern)"),
)
"""Kind, name, type and definition."""
_REST = """(global $calls (mut i32) (i32.const 0)) (data (memory 0) (i32.const 8) "wasmcore")
(elem (table 0) (i32.const 1) func 0 1 2 5 6)"""


@lru_cache
def host() -> bytes:
    """The module."""
    fields = [f'({kind} (export "{name}") {type_} {definition})' for kind, name, type_, definition in EXPORTS]
    return bytes(wasmtime.wat2wasm(f"(module {' '.join(fields)} {_REST})"))


def importing() -> bytes:
    """A module that imports all of its exports."""
    fields = [f'(import "{NAME}" "{name}" ({kind} {type_}))' for kind, name, type_, _ in EXPORTS]
    return bytes(wasmtime.wat2wasm(f"(module {' '.join(fields)})"))

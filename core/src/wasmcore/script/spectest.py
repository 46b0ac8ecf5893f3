"""The module `spectest`, which scripts import without defining it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from wasmcore._instance import Instance
from wasmcore._module import Module
from wasmcore.text import wat2wasm

if TYPE_CHECKING:
    from wasmcore.compile.engine import Engine

_CORE = """
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2)
  (func (export "print"))
  (func (export "print_i32") (param i32))
  (func (export "print_i64") (param i64))
  (func (export "print_f32") (param f32))
  (func (export "print_f64") (param f64))
  (func (export "print_i32_f32") (param i32 f32))
  (func (export "print_f64_f64") (param f64 f64))
"""
_OF_FEATURES = {
    "memory64": '(table (export "table64") i64 10 20 funcref)',
    "threads": '(memory (export "shared_memory") 1 2 shared)',
}


def spectest(engine: Engine) -> dict[str, Any]:
    """Its exports, all new; only what the engine's features allow."""
    parts = [_CORE, *(text for feature, text in _OF_FEATURES.items() if feature in engine.features)]
    exports: dict[str, Any] = {}
    for part in parts:
        exports.update(Instance(_module(part, engine)).exports)
    return exports


@lru_cache(maxsize=16)
def _module(fields: str, engine: Engine) -> Module:
    return Module(wat2wasm(f"(module {fields})"), engine=engine)

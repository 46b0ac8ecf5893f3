"""Modules written as text; wasmtime's assembler turns them into bytes."""

from __future__ import annotations

import wasmtime

import wasmcore


def instance(text: str, backend: str, imports: wasmcore._instance.Imports | None = None, *, signals: bool = True) -> wasmcore.Instance:
    """An instance of a module in the text format."""
    engine = wasmcore.Engine(backend, signals=signals)
    return wasmcore.Instance(wasmcore.Module(bytes(wasmtime.wat2wasm(text)), engine=engine), imports)


TRAPS = """(module
  (type $none (func)) (type $one (func (param i32)))
  (memory (export "memory") 1) (table 4 funcref) (elem (i32.const 0) $recurse)
  (table $references 2 externref)
  (global $depth (export "depth") (mut i32) (i32.const 0))
  (func (export "UNREACHABLE") unreachable)
  (func (export "MEMORY_OUT_OF_BOUNDS") (drop (i32.load (i32.const -1))))
  (func (export "store_over_the_end") (i64.store offset=65532 (i32.const 0) (i64.const -1)))
  (func (export "far_offset") (drop (i64.load offset=0xffffffff (i32.const -1))))
  (func (export "fill_over_the_end") (memory.fill (i32.const 65535) (i32.const 1) (i32.const 2)))
  (func (export "copy_over_the_end") (memory.copy (i32.const 0) (i32.const 65535) (i32.const 2)))
  (func (export "TABLE_OUT_OF_BOUNDS") (drop (table.get $references (i32.const 2))))
  (func (export "UNDEFINED_ELEMENT") (call_indirect (type $none) (i32.const 4)))
  (func (export "UNINITIALIZED_ELEMENT") (call_indirect (type $none) (i32.const 1)))
  (func (export "INDIRECT_CALL_TYPE_MISMATCH") (call_indirect (type $one) (i32.const 7) (i32.const 0)))
  (func (export "INTEGER_DIVIDE_BY_ZERO") (drop (i32.div_s (i32.const 1) (global.get $depth))))
  (func (export "remainder_by_zero") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
  (func (export "INTEGER_OVERFLOW") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
  (func (export "conversion_overflow") (drop (i32.trunc_f64_s (f64.const 2147483648))))
  (func (export "INVALID_CONVERSION_TO_INTEGER") (drop (i64.trunc_f32_u (f32.const nan))))
  (func $recurse (export "STACK_OVERFLOW") (call $recurse))
  (func (export "mutual") (call_indirect (type $none) (i32.const 0)))
  (func (export "answer") (result i32) (i32.const 42))
)"""
"""Functions that trap, named by the kind of the trap where there is one function for it."""

OTHER_TRAPS = {
    "store_over_the_end": "MEMORY_OUT_OF_BOUNDS",
    "far_offset": "MEMORY_OUT_OF_BOUNDS",
    "fill_over_the_end": "MEMORY_OUT_OF_BOUNDS",
    "copy_over_the_end": "MEMORY_OUT_OF_BOUNDS",
    "remainder_by_zero": "INTEGER_DIVIDE_BY_ZERO",
    "conversion_overflow": "INTEGER_OVERFLOW",
    "mutual": "STACK_OVERFLOW",
}
TRAP_KINDS = {
    name: name
    for name in (
        "UNREACHABLE",
        "MEMORY_OUT_OF_BOUNDS",
        "TABLE_OUT_OF_BOUNDS",
        "UNDEFINED_ELEMENT",
        "UNINITIALIZED_ELEMENT",
        "INDIRECT_CALL_TYPE_MISMATCH",
        "INTEGER_DIVIDE_BY_ZERO",
        "INTEGER_OVERFLOW",
        "INVALID_CONVERSION_TO_INTEGER",
        "STACK_OVERFLOW",
    )
} | OTHER_TRAPS
"""Exported function -> name of the kind of its trap."""

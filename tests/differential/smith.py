"""Modules of wasm-smith, by number: `python -m tests.differential.smith NUMBER` prints one as text.

They always end (a global holds fuel, and without fuel they trap), make NaNs canonical, and export all they define.
"""

from __future__ import annotations

import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random

import wasmtime

from .wasm_tools import ToolError, wasm_tools

SEED_BYTES = 4096
UNLUCKY = "not of the correct format"
"""What wasm-smith says of one seed in ten: no module can be made from it."""
HOST = (
    ("func", "nothing", "", ""),
    ("func", "count", "(result i32)", "(global.set $calls (i32.add (global.get $calls) (i32.const 1))) (global.get $calls)"),
    ("func", "add", "(param i32 i32) (result i32)", "(i32.add (local.get 0) (local.get 1))"),
    ("func", "swap", "(param i64 f32) (result f32 i64)", "(local.get 1) (local.get 0)"),
    ("func", "half", "(param f64) (result f64)", "(f64.mul (local.get 0) (f64.const 0.5))"),
    ("func", "lanes", "(param v128 i64) (result v128)", "(i64x2.add (local.get 0) (i64x2.splat (local.get 1)))"),
    ("func", "references", "(param funcref externref) (result externref funcref)", "(local.get 1) (local.get 0)"),
    ("func", "many", "(param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64) (result i64 i32)", "(local.get 9) (local.get 8)"),
    ("func", "divide", "(param i32 i32) (result i32)", "(i32.div_s (local.get 0) (local.get 1))"),
    ("memory", "memory", "1 4", ""),
    ("memory", "memory64", "i64 1 4", ""),
    ("memory", "empty", "0 2", ""),
    ("table", "functions", "8 16 funcref", ""),
    ("table", "objects", "i64 4 12 externref", ""),
    ("global", "i32", "i32", "(i32.const 7)"),
    ("global", "i64", "(mut i64)", "(i64.const -5)"),
    ("global", "f32", "(mut f32)", "(f32.const 1.5)"),
    ("global", "f64", "f64", "(f64.const -0x1p-40)"),
    ("global", "v128", "(mut v128)", "(v128.const i32x4 1 -1 0 65536)"),
    ("global", "function", "(mut funcref)", "(ref.null func)"),
    ("global", "object", "(mut externref)", "(ref.null extern)"),
)
"""What half of the modules may import: kind, name, type and definition of each."""
REST_OF_HOST = """(global $calls (mut i32) (i32.const 0)) (data (memory 0) (i32.const 8) "wasmcore")
(elem (table 0) (i32.const 1) func 0 1 2 5 6)"""

ALWAYS = {
    "canonicalize-nans": "true",
    "export-everything": "true",
    "memory-max-size-required": "true",
    "table-max-size-required": "true",
    "max-memory32-bytes": 1 << 20,
    "max-memory64-bytes": 1 << 20,
    "max-table-elements": 1000,
    "fuel": 500,
    "compact-imports-enabled": "false",
    "custom-descriptors-enabled": "false",
    "exceptions-enabled": "false",
    "gc-enabled": "false",
    "relaxed-simd-enabled": "false",
    "threads-enabled": "false",
}
"""What is the same for all modules: only what both engines have, and give the same results for, in sizes that both can reserve."""
SOMETIMES = (
    "custom-page-sizes-enabled",
    "extended-const-enabled",
    "memory64-enabled",
    "multi-value-enabled",
    "reference-types-enabled",
    "simd-enabled",
    "tail-call-enabled",
    "wide-arithmetic-enabled",
)
"""Features that a module without imports may do without."""
THINGS = (("funcs", 12), ("globals", 8), ("memories", 4), ("tables", 4), ("data-segments", 6), ("element-segments", 6))
"""What a module has several of, and how many at most."""


@lru_cache
def host() -> bytes:
    """The module whose exports are imported."""
    fields = [f'({kind} (export "{name}") {type_} {definition})' for kind, name, type_, definition in HOST]
    return bytes(wasmtime.wat2wasm(f"(module {' '.join(fields)} {REST_OF_HOST})"))


@lru_cache
def _importing() -> Path:
    """A module that imports all of them, in a file that is there until the process ends."""
    fields = [f'(import "host" "{name}" ({kind} {type_}))' for kind, name, type_, _ in HOST]
    path = Path(_folder().name, "importing.wasm")
    path.write_bytes(wasmtime.wat2wasm(f"(module {' '.join(fields)})"))
    return path


@lru_cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def options(random: Random) -> dict[str, object]:
    """What a module is made of: each kind of thing in another number, with imports or some of the features."""
    chosen: dict[str, object] = dict(ALWAYS)
    if random.random() < 0.5:
        chosen["available-imports"] = _importing()
    else:
        chosen["max-imports"] = 0
        for feature in SOMETIMES:
            chosen[feature] = "true" if random.random() < 0.8 else "false"
    for thing, most in THINGS:
        chosen[f"min-{thing}"] = random.randrange(2)
        chosen[f"max-{thing}"] = random.randint(2, most)
    chosen["max-instructions"] = random.choice((30, 100, 100, 400))
    return chosen


def module(number: int) -> bytes:
    """The module of a number, the same wherever the same wasm-smith is."""
    random = Random(number)
    while True:
        flags = [f"--{name}={value}" for name, value in options(random).items()]
        try:
            return wasm_tools("smith", "--ensure-termination", *flags, given=random.randbytes(SEED_BYTES))
        except ToolError as error:
            if UNLUCKY not in str(error):
                raise


if __name__ == "__main__":
    print(wasm_tools("print", given=module(int(sys.argv[1]))).decode())

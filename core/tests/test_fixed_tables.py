"""Which tables never change, and what is in them."""

from __future__ import annotations

import struct

import pytest

from wasmcore.binary import decode
from wasmcore.compile.fixed_tables import with_fixed_tables
from wasmcore.plugin.unit import NO_FUNCTION
from wasmcore.runtime.instances.plan import plan
from wasmcore.text import wat2wasm
from wasmcore.validation import StreamWriter, validate

IMPORTS = '(import "m" "f" (func $import)) (import "m" "g" (global $g i32))'
NO = NO_FUNCTION


def fixed(fields: str) -> list[list[int] | None]:
    """The elements of each table of a module, as far as they are known when all streams are written."""
    info = decode(wat2wasm(f"(module {IMPORTS} {fields} (func $a) (func $b))"))
    validate(info)
    writer = StreamWriter(info)
    writer.streams(info.imported_functions, 1 << 30)
    environment = with_fixed_tables(plan(info, ()), info, writer.written_tables)
    return [None if each.functions is None else [n for (n,) in struct.iter_unpack("<I", each.functions)] for each in environment.tables]


@pytest.mark.parametrize(
    "fields, elements",
    [
        ("(table 3 funcref)", [NO, NO, NO]),
        ("(table 4 funcref) (elem (i32.const 1) $b $import)", [NO, 2, 0, NO]),
        ("(table 3 funcref) (elem (i32.const 0) $a $a) (elem (i32.const 1) funcref (ref.null func) (ref.func $b))", [1, NO, 2]),
        ("(table i64 2 funcref) (elem (i64.const 1) $a)", [NO, 1]),
        ("(table 2 funcref) (elem (i32.const 0) $a) (func (drop (table.get 0 (i32.const 0))))", [2, NO]),
        ("(table 1 funcref) (func unreachable (table.set 0 (i32.const 0) (ref.null func)))", [NO]),
        ("(table 1 funcref) (table 1 funcref) (func (table.set 1 (i32.const 0) (ref.null func)))", [NO]),
    ],
)
def test_tables_that_never_change(fields: str, elements: list[int]) -> None:
    assert fixed(fields)[0] == elements


@pytest.mark.parametrize(
    "fields",
    [
        '(table (export "t") 1 funcref)',
        '(import "m" "t" (table 1 funcref))',
        "(table 1 funcref) (elem (global.get $g) $a)",
        "(table 1 funcref) (elem (i32.const 1) $a)",
        "(table i64 1 funcref) (elem (i64.const 0x1_0000_0000) $a)",
        "(table 1 funcref (ref.null func))",
        "(table 65537 funcref)",
        "(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))",
        "(table 1 funcref) (func (drop (table.grow 0 (ref.null func) (i32.const 1))))",
        "(table 1 funcref) (func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))",
        "(table 1 funcref) (func (table.copy 0 0 (i32.const 0) (i32.const 0) (i32.const 1)))",
        "(table 1 funcref) (elem $e func $a) (func (table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 1)))",
    ],
)
def test_tables_that_may_change(fields: str) -> None:
    assert fixed(fields)[0] is None

"""The right object comes back from tables and globals as long as they can be reached, and goes when nothing can reach it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

import wasmcore
from tests.robustness.externref.texts import HOLDER
from tests.robustness.externref.things import Thing, check_gone
from wasmcore.types import EXTERNREF


@pytest.mark.parametrize("getter", ["WebAssembly", "Python"])
@pytest.mark.parametrize("putter", ["WebAssembly", "Python"])
@pytest.mark.parametrize("place", ["own_table", "imported_table", "own_global", "imported_global"])
def test_tables_and_globals(run: Callable[..., Any], place: str, putter: str, getter: str) -> None:
    table, variable = wasmcore.Table(4, element=EXTERNREF), wasmcore.Global("externref", None, mutable=True)
    exports = run(HOLDER, table=table, **{"global": variable})
    cell: Any = {"own_table": exports.own, "imported_table": table, "own_global": exports.cell, "imported_global": variable}[place]

    def put(value: object) -> None:
        if putter == "WebAssembly":
            exports[f"put_{place}"](value)
        elif isinstance(cell, wasmcore.Table):
            cell[3] = value
        else:
            cell.value = value

    def get() -> object:
        if getter == "WebAssembly":
            return exports[f"get_{place}"]()
        return cell[3] if isinstance(cell, wasmcore.Table) else cell.value

    thing = Thing()
    seen = ref(thing)
    put(thing)
    del thing
    for _ in range(3):
        gc.collect()
        assert seen() is not None and get() is seen()
    put(None)
    assert get() is None
    check_gone(seen)


def test_host_made_places_without_an_instance() -> None:
    thing = Thing()
    seen = ref(thing)
    table = wasmcore.Table(3, element=EXTERNREF, initial=thing)
    constant = wasmcore.Global("externref", thing)
    table.grow(5, thing)
    del thing
    gc.collect()
    assert {id(table[place]) for place in range(8)} == {id(constant.value)} == {id(seen())}
    for place in range(8):
        table[place] = None
    gc.collect()
    assert constant.value is seen() is not None
    del constant
    check_gone(seen)


def test_imported_constant(run: Callable[..., Any]) -> None:
    """The instance has a copy, and an element segment that is made from it."""
    thing = Thing()
    seen = ref(thing)
    text = """(module (import "env" "constant" (global $constant externref)) (table $t 2 externref)
      (elem $e externref (item (global.get $constant)) (item (ref.null extern)))
      (global $second externref (global.get $constant))
      (func (export "read") (result externref externref) (global.get $constant) (global.get $second))
      (func (export "init") (result externref)
        (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 2)) (table.get $t (i32.const 0))))"""
    exports = run(text, constant=wasmcore.Global("externref", thing))
    del thing
    gc.collect()
    first, second = exports.read()
    assert first is second is exports.init() is seen() is not None
    del first, second, exports
    check_gone(seen)

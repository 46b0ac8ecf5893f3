"""Arguments, results and shared state across backends, by every way to call."""

from __future__ import annotations

from typing import Any

import pytest

import wasmcore
from wasmcore.runtime.execution import store

from . import wide
from .casts import Cast

LENGTH = 5


def store_of(function: Any) -> store.Store:
    """The store that an exported function runs in."""
    found = function.__self__._owner.group.store
    assert isinstance(found, store.Store)
    return found


def check_wide(links: list[Any], way: str, given: list[Any]) -> None:
    """Call the first link and compare what every link has seen, and what comes out."""
    result = list(links[0].f(*given))
    for exports in links:
        assert wide.noted(exports, wide.PARAMS) == given
        given = wide.rotated(wide.PARAMS, given)
    expected = wide.picked(wide.noted(links[-1], wide.PARAMS))
    for exports in reversed(links[:-1]):
        if not way.startswith("return_call"):
            assert wide.noted(exports, wide.RESULTS, wide.FIRST_RESULT) == expected
            expected = wide.rotated(wide.RESULTS, expected)
    assert result == expected


@pytest.mark.parametrize("way", wide.WAYS)
def test_more_arguments_and_results_than_registers(cast: Cast, way: str) -> None:
    links = cast.chain(LENGTH, lambda number: wide.link(way if number < LENGTH - 1 else None, number))
    check_wide(links, way, wide.values(0))
    check_wide(links, way, wide.values(1000))


@pytest.mark.parametrize("way", ["call", "return_call_indirect"])
def test_polls_on_the_way_keep_the_arguments(cast: Cast, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With signals the first poll finds the page protected; without, every poll asks Python."""
    monkeypatch.setattr(store, "FIRST_POLLS", 0)
    monkeypatch.setattr(store, "MOST_POLLS", 0)
    links = cast.chain(LENGTH, lambda number: wide.link(way if number < LENGTH - 1 else None, number))
    store_of(links[0].f).request_poll()
    check_wide(links, way, wide.values(0))


@pytest.mark.parametrize("way", ["call", "call_indirect", "return_call"])
def test_host_functions_in_the_middle_call_back(cast: Cast, way: str) -> None:
    """Between any two links is a Python function, which uses the store for something else before it goes on."""
    links: list[Any] = []

    def between(number: int) -> Any:
        def forward(*arguments: Any) -> Any:
            store_of(links[number].f).request_poll()
            links[-1].f(*wide.values(number))
            with pytest.raises(wasmcore.Trap):
                trapping.f()
            return links[number].f(*arguments)

        return forward

    trapping = cast.exports(1, '(module (func (export "f") unreachable))')
    for number in reversed(range(3)):
        forward = wasmcore.Func(["i32"], [], print)
        imports = {}
        if links:
            last: Any = links[0]
            function_type = last.f.__self__.type
            forward = wasmcore.Func(function_type.params, function_type.results, between(number - 2))
            table = wasmcore.Table(1)
            table[0] = forward
            imports = {"next": {"f": forward, "functions": table, "ref": last["ref"]}}
        links.insert(0, cast.exports(number, wide.link(way if imports else None, number), imports))
    given = wide.values(5)
    expected = wide.picked(wide.rotated(wide.PARAMS, wide.rotated(wide.PARAMS, given)))
    if way != "return_call":
        expected = wide.rotated(wide.RESULTS, wide.rotated(wide.RESULTS, expected))
    assert list(links[0].f(*given)) == expected


UPPER_BITS = """(module (memory 1) (data (i32.const 8) "\\2a") (table 4 funcref) (elem (i32.const 3) $three)
  (type $three (func (result i32)))
  (func $three (result i32) (i32.const 3))
  (func (export "wrap") (param i64) (result i32) (i32.wrap_i64 (local.get 0)))
  (func (export "pass") (param i64 i64 i64) (result i32 i32 i32)
    (i32.wrap_i64 (local.get 0)) (i32.wrap_i64 (local.get 1)) (i32.wrap_i64 (local.get 2)))
  (func (export "f") (param i32 i32 i32) (result i64 i64 i32 i32 i32 f64 i32 i64)
    (i64.extend_i32_u (local.get 0)) (i64.extend_i32_s (local.get 1)) (i32.load8_u (local.get 0))
    (i32.eqz (local.get 2)) (if (result i32) (local.get 2) (then (i32.const 1)) (else (i32.const 2)))
    (f64.convert_i32_u (local.get 0)) (call_indirect (type $three) (i32.shr_u (i32.sub (local.get 0) (i32.const 2)) (i32.const 1)))
    (block (result i64) (block (block (br_table 0 1 (local.get 2))) (br 1 (i64.const 10))) (i64.const 11))))"""
UPPER_BITS_CALLER = """(module (import "other" "wrap" (func $wrap (param i64) (result i32)))
  (import "other" "pass" (func $pass (param i64 i64 i64) (result i32 i32 i32)))
  (import "other" "f" (func $f (param i32 i32 i32) (result i64 i64 i32 i32 i32 f64 i32 i64)))
  (func (export "arguments") (param i64 i64 i64) (result i64 i64 i32 i32 i32 f64 i32 i64)
    (call $f (i32.wrap_i64 (local.get 0)) (i32.wrap_i64 (local.get 1)) (i32.wrap_i64 (local.get 2))))
  (func (export "results") (param i64 i64 i64) (result i64 i64 i32 i32 i32 f64 i32 i64)
    (call $f (call $pass (local.get 0) (local.get 1) (local.get 2))))
  (func (export "result") (param i64) (result i64 i32)
    (i64.extend_i32_u (call $wrap (local.get 0))) (i32.eqz (call $wrap (local.get 0)))))"""


def test_the_upper_bits_of_an_i32_mean_nothing(cast: Cast) -> None:
    exports = cast.exports(1, UPPER_BITS_CALLER, {"other": cast.exports(0, UPPER_BITS)})
    high = 0x7EDCBA98 << 32
    for function in (exports.arguments, exports.results):
        assert tuple(function(high | 8, high | 0xFFFFFFFE, high)) == (8, -2, 42, 1, 2, 8.0, 3, 10)
    assert tuple(exports.result(high | 0xFFFFFFFF)) == (0xFFFFFFFF, 0)
    assert tuple(exports.result(high)) == (0, 1)


NAN_BITS = """(module (func (export "f") (param f32 f64 f32 f64 f32 f64 f32 f64 f32 f64) (result f32 f64 f32 f64)
  (local.get 0) (local.get 1) (local.get 8) (local.get 9)))"""
NAN_BITS_CALLER = """(module (import "other" "f" (func $f (param f32 f64 f32 f64 f32 f64 f32 f64 f32 f64) (result f32 f64 f32 f64)))
  (func (export "f") (param i32 i64) (result i64 i32 i64 i32)
    (local f32 f64) (local.set 2 (f32.reinterpret_i32 (local.get 0))) (local.set 3 (f64.reinterpret_i64 (local.get 1)))
    (call $f (local.get 2) (local.get 3) (f32.const 0) (f64.const 0) (f32.const 0) (f64.const 0) (f32.const 0) (f64.const 0)
      (local.get 2) (local.get 3))
    (i64.reinterpret_f64) (local.set 1) (i32.reinterpret_f32) (local.set 0) (local.set 3) (local.set 2)
    (local.get 1) (local.get 0) (i64.reinterpret_f64 (local.get 3)) (i32.reinterpret_f32 (local.get 2))))"""


def test_a_call_keeps_the_bits_of_nan(cast: Cast) -> None:
    exports = cast.exports(1, NAN_BITS_CALLER, {"other": cast.exports(0, NAN_BITS)})
    for small, large in ((0x7F800001, 0x7FF0000000000001), (-1, -1), (0x7FC12345, 0x7FF8000000012345)):
        assert tuple(exports.f(small, large)) == (large, small, large, small)


SHARED_OWNER = """(module (memory (export "memory") 1 8) (table (export "table") 2 8 funcref)
  (global (export "number") (mut i64) (i64.const 1)) (global (export "vector") (mut v128) (v128.const i64x2 1 2))
  (type $none (func (result i32))) (func $old (result i32) (i32.const 10)) (elem (i32.const 0) $old)
  (export "old" (func $old)))"""
SHARED = """(module (import "shared" "memory" (memory 1 8)) (import "shared" "table" (table $table 2 8 funcref))
  (import "shared" "number" (global $number (mut i64))) (import "shared" "vector" (global $vector (mut v128)))
  (type $none (func (result i32)))"""
SHARED_INNER = f"""{SHARED} (elem declare func $new) (func $new (type $none) (i32.const 20))
  (func (export "change") (param i32)
    (drop (memory.grow (local.get 0))) (i32.store (i32.const 0x1fffc) (i32.const 77)) (i32.store (i32.const 4) (i32.const 5))
    (drop (table.grow $table (ref.func $new) (i32.const 1))) (table.set $table (i32.const 0) (ref.func $new))
    (global.set $number (i64.add (global.get $number) (i64.const 100)))
    (global.set $vector (i64x2.add (global.get $vector) (v128.const i64x2 5 6)))))"""
SHARED_OUTER = f"""{SHARED} (import "inner" "change" (func $change (param i32)))
  (func (export "f") (result i32 i32 i32 i32 i32 i32 i64 i64)
    (local $before i64)
    (i32.store (i32.const 4) (i32.const 3)) (local.set $before (global.get $number)) (global.set $number (i64.const 1000))
    (call_indirect $table (type $none) (i32.const 0))
    (call $change (i32.const 1))
    (i32.load (i32.const 4)) (i32.load (i32.const 0x1fffc)) (memory.size)
    (call_indirect $table (type $none) (i32.const 0)) (call_indirect $table (type $none) (i32.const 2))
    (i64.add (local.get $before) (global.get $number)) (i64x2.extract_lane 1 (global.get $vector))))"""


def test_what_is_shared_changes_during_a_call(cast: Cast) -> None:
    """A memory and a table that grow and move, elements, globals: the caller sees them as the callee left them."""
    shared = cast.exports(0, SHARED_OWNER)
    inner = cast.exports(1, SHARED_INNER, {"shared": shared})
    outer = cast.exports(2, SHARED_OUTER, {"shared": shared, "inner": inner})
    assert tuple(outer.f()) == (10, 5, 77, 2, 20, 20, 1101, 8)


def test_references_go_through_all_backends(cast: Cast) -> None:
    """References to functions of each link, passed down through globals and arguments, called by the last one."""

    def text(number: int) -> str:
        imports = '(import "next" "f" (func $next (param funcref i32) (result i32)))'
        go = f"""(call $next
            (select (result funcref) (local.get 0) (ref.func $own) (i32.ne (local.get 1) (i32.const {number}))) (local.get 1))"""
        if number == LENGTH - 1:
            imports = ""
            go = "(table.set $slot (i32.const 0) (local.get 0)) (call_indirect $slot (type $i) (i32.const 1) (i32.const 0))"
        return f"""(module $link{number} (type $i (func (param i32) (result i32))) {imports}
          (table $slot 1 funcref) (elem declare func $own)
          (func $own (type $i) (i32.add (i32.const {100 * number}) (local.get 0)))
          (func (export "f") (param funcref i32) (result i32) {go}))"""

    links = cast.chain(LENGTH, text)
    own = wasmcore.Func(["i32"], ["i32"], lambda number: number + 7)
    assert [links[0].f(own, number) for number in range(LENGTH)] == [1, 101, 201, 301, 8]
    with pytest.raises(wasmcore.Trap, match="uninitialized element"):
        links[0].f(None, LENGTH)
    with pytest.raises(wasmcore.Trap, match="indirect call type mismatch"):
        links[0].f(wasmcore.Func([], [], print), LENGTH)

"""Vectors as arguments and results of everything that Python and WebAssembly call: 16 bytes, in registers or in the overflow area."""

from __future__ import annotations

from typing import Any

import pytest

import wasmcore

VECTORS = 14
PARAMS = "(param " + "v128 " * VECTORS + "i32 f64 f32 i64)"
RESULTS = "(result v128 v128 v128 v128 v128 i32 f64)"
PICKED = (13, 1, 12, 3, 9, 14, 15)
ALL = " ".join(f"(local.get {number})" for number in range(VECTORS + 4))
MODULE = f"""(module
  (import "host" "pick" (func $host {PARAMS} {RESULTS}))
  (import "host" "echo" (func $echo (param v128) (result v128)))
  (type $pick (func {PARAMS} {RESULTS}))
  (func $pick {PARAMS} {RESULTS} {" ".join(f"(local.get {number})" for number in PICKED)})
  (table funcref (elem $pick))
  (func (export "through host") {PARAMS} {RESULTS} (call $host {ALL}))
  (func (export "through wasm") {PARAMS} {RESULTS} (call $pick {ALL}))
  (func (export "through a table") {PARAMS} {RESULTS} (call_indirect (type $pick) {ALL} (i32.const 0)))
  (func (export "by a tail call") {PARAMS} {RESULTS} (return_call $pick {ALL}))
  (func (export "twice") (param v128) (result v128) (i32x4.add (call $echo (local.get 0)) (call $echo (local.get 0))))
  (global $private (mut v128) (v128.const i32x4 1 2 3 4))
  (global (export "public") (mut v128) (v128.const i32x4 5 6 7 8))
  (func (export "exchange") (param v128) (result v128) (global.get $private) (global.set $private (local.get 0)))
  (func $deep (export "deep") (param i32 v128) (result v128)
    (if (result v128) (local.get 0)
      (then (i32x4.add (local.get 1) (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
      (else (local.get 1)))))"""


def vector(number: int) -> bytes:
    return bytes((number * 17 + byte * 29) % 256 for byte in range(16))


@pytest.fixture(params=[True, False], ids=["signals", "no signals"])
def exports(request: pytest.FixtureRequest) -> Any:
    host = {"pick": lambda *values: tuple(values[number] for number in PICKED), "echo": lambda value: value}
    engine = wasmcore.Engine("singlepass", signals=request.param)
    return wasmcore.Instance(wasmcore.Module(MODULE, engine=engine), {"host": host}).exports


@pytest.mark.parametrize("name", ["through host", "through wasm", "through a table", "by a tail call"])
def test_many_values(exports: Any, name: str) -> None:
    values = [*(vector(number) for number in range(VECTORS)), -7, 2.5, 1.5, 1 << 40]
    for _ in range(2):  # at first the function is compiled
        assert tuple(exports[name](*values)) == tuple(values[number] for number in PICKED)


def test_one_value(exports: Any) -> None:
    assert exports["twice"](bytes(range(16))) == bytes(2 * byte for byte in range(16))
    with pytest.raises(TypeError):
        exports["twice"](1.5)
    with pytest.raises(TypeError):
        exports["twice"](b"short")


def test_globals(exports: Any) -> None:
    assert exports["exchange"](b"\xff" * 16) == bytes.fromhex("01000000020000000300000004000000")
    assert exports["exchange"](bytes(16)) == b"\xff" * 16
    assert exports["public"].value == bytes.fromhex("05000000060000000700000008000000")
    exports["public"].value = vector(3)
    assert exports["public"].value == vector(3)


def test_values_in_frames(exports: Any) -> None:
    assert exports["deep"](99, b"\1\0\0\0" * 4) == b"\x64\0\0\0" * 4
    with pytest.raises(wasmcore.Trap, match="call stack exhausted"):
        exports["deep"](100_000_000, bytes(16))
    assert exports["deep"](9, b"\1\0\0\0" * 4) == b"\x0a\0\0\0" * 4

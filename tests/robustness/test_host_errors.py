"""Exceptions that leave a host function: they name the import, and show the WebAssembly calls they went through."""

from __future__ import annotations

import gc
import operator
import traceback
import unittest
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

import wasmcore

# Each function makes the next one unlikely to be inlined.
TEXT = """(module $app
  (import "env" "one" (func $one (param i32) (result i32)))
  (import "env" "float" (func $float (result f32)))
  (import "env" "pair" (func $pair (result i64 f64)))
  (import "env" "reference" (func $reference (result funcref)))
  (import "env" "vector" (func $vector (result v128)))
  (func $inner (param i32) (result i32)
    (if (local.get 0) (then (drop (call $inner (i32.sub (local.get 0) (i32.const 1)))))) (call $one (local.get 0)))
  (func $outer (export "outer") (param i32) (result i32) (i32.add (call $inner (local.get 0)) (i32.const 1)))
  (func (export "one") (result i32) (call $one (i32.const 0)))
  (func (export "float") (result f32) (call $float))
  (func (export "pair") (result i64 f64) (call $pair))
  (func (export "reference") (result funcref) (call $reference))
  (func (export "vector") (result v128) (call $vector)))"""
IMPORTS = ("one", "float", "pair", "reference", "vector")


def exports(backend: str, function: Callable[..., Any], **options: Any) -> Any:
    imports = {"env": dict.fromkeys(IMPORTS, function)}
    return wasmcore.Instance(wasmcore.Module(TEXT, backend=backend), imports, **options).exports


@pytest.mark.parametrize(
    ("name", "value", "kind", "message"),
    [
        ("one", None, TypeError, "env.one returned None where i32 is expected"),
        ("one", "x", TypeError, "env.one returned a Python str where i32 is expected"),
        ("one", 2.5, TypeError, "env.one returned 2.5 where i32 is expected"),
        ("one", 5000000000, OverflowError, "env.one returned 5000000000, which does not fit i32"),
        ("one", 1 << 19931, OverflowError, "env.one returned an int of 19932 bits, which does not fit i32"),
        ("float", None, TypeError, "env.float returned None where f32 is expected"),
        ("float", 10**400, OverflowError, "env.float returned an int of 1329 bits, which does not fit f32"),
        ("pair", None, TypeError, "env.pair returned None where 2 values are expected"),
        ("pair", (1,), TypeError, "env.pair returned 1 value, 2 expected"),
        ("pair", [1, 2, 3], TypeError, "env.pair returned 3 values, 2 expected"),
        ("pair", {1: 0, "x": 0}, TypeError, "env.pair returned a Python str as result 2 where f64 is expected"),
        ("pair", (1 << 64, 1.0), OverflowError, "env.pair returned 18446744073709551616 as result 1, which does not fit i64"),
        ("reference", 5, TypeError, "env.reference returned 5 where funcref is expected"),
        ("vector", b"too short", TypeError, "env.vector returned a Python bytes where v128 is expected"),
        ("vector", 1 << 128, OverflowError, "env.vector returned an int of 129 bits, which does not fit v128"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_wrong_results(backend: str, name: str, value: Any, kind: type[Exception], message: str) -> None:
    function = exports(backend, lambda *_: value)[name]
    with pytest.raises(kind) as raised:
        function()
    assert type(raised.value) is kind and str(raised.value) == message
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("name", ["one", "pair"])
def test_exceptions_of_conversions_stay_as_they_are(backend: str, name: str) -> None:
    class Strange:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def __index__(self) -> int:
            raise self.error

        def __iter__(self) -> Any:
            raise self.error

    for error in (TypeError("mine"), OverflowError("mine"), ZeroDivisionError("mine")):
        function = exports(backend, lambda *_, error=error: Strange(error))[name]
        with pytest.raises(type(error)) as raised:
            function()
        assert raised.value is error


def test_a_func_in_a_table_is_named(backend: str) -> None:
    text = """(module (import "env" "t" (table 1 funcref)) (type $t (func (result i32)))
      (func (export "f") (result i32) (call_indirect (type $t) (i32.const 0))))"""

    def answer() -> Any:
        return "x"

    table = wasmcore.Table(1)
    table[0] = wasmcore.Func([], ["i32"], answer)
    with pytest.raises(TypeError, match=r"answer returned a Python str where i32 is expected"):
        wasmcore.Instance(wasmcore.Module(text, backend=backend), {"env": {"t": table}}).exports.f()


def names(error: BaseException) -> list[str]:
    """The functions in the traceback, outermost first, without those of this test."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)][1:]


def test_an_argument_of_many_digits(backend: str) -> None:
    with pytest.raises(OverflowError, match=r"outer\(\) argument 1: an int of 19932 bits does not fit i32"):
        exports(backend, lambda *_: None).outer(1 << 19931)


@pytest.mark.parametrize("release_gil", [False, True])
def test_the_traceback_shows_the_calls(backend: str, release_gil: bool) -> None:
    def fail(number: int) -> int:
        raise KeyError(number)

    function = exports(backend, fail, release_gil=release_gil).outer
    for _ in range(3):
        with pytest.raises(KeyError) as raised:
            function(3)
        shown = names(raised.value)
        assert shown[0] == "outer" and shown[-1] == "fail" and set(shown[1:-1]) <= {"inner"}
        assert backend != "singlepass" or shown == ["outer", "inner", "inner", "inner", "inner", "fail"]
        text = "".join(traceback.format_exception(KeyError, raised.value, raised.value.__traceback__))
        assert 'File "<WebAssembly app>", line 1, in outer\n' in text


def test_of_wrong_results_and_of_functions_written_in_c(backend: str) -> None:
    with pytest.raises(TypeError) as raised:
        exports(backend, lambda *_: None).one()
    assert names(raised.value) == ["one"]
    with pytest.raises(ZeroDivisionError) as divided:
        exports(backend, lambda *_: operator.truediv(1, 0)).one()
    assert names(divided.value) == ["one", "<lambda>"]


def test_through_several_instances(backend: str) -> None:
    """Each crossing adds its own calls, so none is there twice."""

    def fail(number: int) -> int:
        raise KeyError(number)

    innermost = exports(backend, fail)
    middle = exports(backend, lambda number: innermost.one())
    with pytest.raises(KeyError) as raised:
        middle.one()
    assert names(raised.value) == ["one", "<lambda>", "one", "fail"]


def test_a_trap_on_its_way_through_a_host_function(backend: str) -> None:
    trap = wasmcore.Instance(wasmcore.Module('(module (func (export "trap") (result i32) unreachable))', backend=backend)).exports.trap
    with pytest.raises(wasmcore.Trap) as raised:
        exports(backend, lambda number: trap()).one()
    assert names(raised.value)[:2] == ["one", "<lambda>"]
    assert len(raised.value.frames) == 2


def test_only_so_many_calls_are_shown(backend: str) -> None:
    def fail(number: int) -> int:
        raise KeyError(number)

    with pytest.raises(KeyError) as raised:
        exports(backend, fail).outer(5000)
    assert len(names(raised.value)) < 200


def test_frames_can_be_cleared_and_keep_nothing(backend: str) -> None:
    class Local:
        pass

    def fail(number: int) -> int:
        raise KeyError(number)

    function = exports(backend, fail).one
    local = Local()
    seen = ref(local)

    def call(local: Local) -> None:
        case = unittest.TestCase()
        for _ in range(2):
            with case.assertRaises(KeyError):
                function()

    call(local)
    del local
    gc.collect()
    assert seen() is None


def test_an_exception_with_its_own_state_stays_itself(backend: str) -> None:
    error = wasmcore.errors.Exit(3)

    def leave(number: int) -> int:
        raise error

    with pytest.raises(wasmcore.errors.Exit) as raised:
        exports(backend, leave).one()
    assert raised.value is error and raised.value.code == 3

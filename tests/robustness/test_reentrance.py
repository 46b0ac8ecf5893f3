"""A signal handler or a finalizer may use the runtime between any two bytecodes of it, on the same thread: both do what they should."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import wasmcore
from tests.faults import between
from wasmcore.runtime.execution import code_memory, traps

TEXT = """(module (import "e" "h" (func $h (param externref) (result externref))) (memory (export "m") 1 3) (table (export "t") 3 9 funcref)
  (table (export "x") 2 4 externref) (global (export "g") (mut externref) (ref.null extern)) (elem declare func $one)
  (func $one (export "one") (result i32) (i32.const 1))
  (func (export "two") (result i32) (i32.const {two}))
  (func (export "same") (param externref) (result externref) (table.set 1 (i32.const 1) (local.get 0)) (call $h (local.get 0)))
  (func (export "beyond") (result i32) (i32.load (i32.const -8)))
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "grow_table") (result i32) (table.grow 0 (ref.func $one) (i32.const 2))))"""
USER = """(module (import "p" "one" (func $one (result i32))) (import "p" "m" (memory 1)) (import "p" "t" (table 3 funcref))
  (import "p" "g" (global (mut externref))) (func (export "one") (result i32) (call $one)))"""
BOTH = """(module (import "p" "one" (func $one (result i32))) (import "q" "one" (func $other (result i32)))
  (func (export "two") (result i32) (i32.add (call $one) (call $other))))"""
RUNTIME = ("wasmcore/runtime/", "wasmcore/compile/module_code", "wasmcore/_instance", "wasmcore/_exports")
"""What is watched; the compilers and the decoder have nothing that others can reach."""


def module(backend: str, number: int) -> wasmcore.Module:
    return wasmcore.Module(TEXT.replace("{two}", str(number)), engine=wasmcore.Engine(backend, cache=False))


def trap(function: Callable[..., Any], *arguments: int) -> str:
    with pytest.raises(wasmcore.Trap) as raised:
        function(*arguments)
    return raised.value.kind.name


def use(instance: wasmcore.Instance, number: int) -> None:
    exports: Any = instance.exports
    assert (exports.one(), exports.two()) == (1, number)
    thing = object()
    assert exports.same(thing) is thing is exports.x[1]
    exports.g.value = thing
    assert trap(exports.beyond) == "MEMORY_OUT_OF_BOUNDS" and trap(exports.divide, 0) == "INTEGER_DIVIDE_BY_ZERO"
    assert exports.grow() == 1 and exports.m.size == 2 and exports.grow_table() == 3
    assert exports.t[4] is exports.one


class Lives:
    """Instances are made, linked, called and dropped; those that are not yet are `current`."""

    def __init__(self, backend: str) -> None:
        engine = wasmcore.Engine(backend, cache=False)
        self.user, self.both = wasmcore.Module(USER, engine=engine), wasmcore.Module(BOTH, engine=engine)
        self.current: list[wasmcore.Instance] = []

    def live(self, made: wasmcore.Module, number: int) -> None:
        """Instantiate, link, compile, call, trap, grow; what is made goes at the end."""
        others = list(self.current)
        instance = wasmcore.Instance(made, {"e": {"h": lambda value: value}})
        self.current.append(instance)
        use(instance, number)
        assert wasmcore.Instance(self.user, {"p": instance}).exports.one() == 1
        for other in others:
            assert wasmcore.Instance(self.both, {"p": instance, "q": other}).exports.two() == 2
        with pytest.raises(wasmcore.LinkError):
            wasmcore.Instance(self.user)
        self.current.remove(instance)


def check_free_memory() -> None:
    """No extent of executable memory is free twice, or free and in use."""
    for memory in (code_memory.wasm_code, code_memory.stub_code):
        extents = memory.free_extents()
        assert all(end <= start for (_, end), (start, _) in zip(extents, extents[1:]))
        for start, end in extents:
            assert traps.find_code(start) is None and traps.find_code(end - 1) is None


@pytest.mark.parametrize("step", [101, pytest.param(4, marks=pytest.mark.slow)])
def test_everything_in_between_everything(step: int, backend: str, kept_quiet: None) -> None:
    lives = Lives(backend)
    made = module(backend, 1001)
    garbage: list[Any] = []

    def happen() -> None:
        garbage.clear()
        gc.collect()
        lives.live(made, 1001)
        lives.live(module(backend, 7), 7)

    def leave_garbage() -> None:
        lost = module(backend, 3000)
        lives.live(lost, 3000)
        garbage.append(wasmcore.Instance(lost, {"e": {"h": lambda value: value}}))

    happen()
    number = step
    while True:
        leave_garbage()
        if not between(number, happen, partial(lives.live, module(backend, 2000), 2000), RUNTIME):
            break
        lives.current.clear()
        check_free_memory()
        number += step
    assert number > 1000

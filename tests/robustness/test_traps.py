"""Every trap is a `Trap` with its kind, on every thread, however deep and however often, and leaves nothing behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import wasmcore
from tests.other_thread import on_a_thread

from .modules import TRAP_KINDS, TRAPS, instance

MANY = 100_000

NESTED = """(module
  (import "host" "again" (func $again (param i32)))
  (func $go (export "go") (param $depth i32)
    (if (i32.eqz (local.get $depth)) (then unreachable))
    (call $again (i32.sub (local.get $depth) (i32.const 1))))
  (func (export "outer") (param i32) (call $go (local.get 0)))
)"""


@pytest.mark.parametrize(("function", "kind"), TRAP_KINDS.items(), ids=TRAP_KINDS)
def test_kind(function: str, kind: str, backend: str) -> None:
    exports = instance(TRAPS, backend).exports

    def check() -> None:
        for _ in range(3):
            with pytest.raises(wasmcore.Trap) as caught:
                exports[function]()
            assert caught.value.kind.name == kind
            assert exports.answer() == 42

    check()
    on_a_thread(check)
    assert not any(exports.memory.view()), "a store that traps writes nothing"


def test_backtrace(backend: str) -> None:
    text = '(module $app (func $inner unreachable) (func $middle (call $inner)) (func $outer (export "outer") (call $middle)))'
    with pytest.raises(wasmcore.Trap) as caught:
        instance(text, backend).exports.outer()
    assert [frame.function_name for frame in caught.value.frames] == ["inner", "middle", "outer"]
    assert {frame.module_name for frame in caught.value.frames} == {"app"}
    offsets = [frame.offset for frame in caught.value.frames]
    assert None not in offsets and offsets == sorted(offsets, key=lambda offset: offset or 0)


def test_backtrace_of_deep_recursion(backend: str) -> None:
    with pytest.raises(wasmcore.Trap) as caught:
        instance(TRAPS, backend).exports.STACK_OVERFLOW()
    assert len(caught.value.frames) > 10
    assert "recurse" in str(caught.value)


def test_many_traps_nested_through_the_host(backend: str) -> None:
    """Each round goes through WebAssembly and Python four times; every host function sees the trap of the inner call."""
    seen = 0

    def again(depth: int) -> None:
        nonlocal seen
        try:
            go(depth)
        except wasmcore.Trap:
            seen += 1
            raise

    go = instance(NESTED, backend, {"host": {"again": again}}).exports.go
    for _ in range(MANY // 5):
        try:
            go(4)
        except wasmcore.Trap:
            seen += 1
    assert seen == MANY


def test_many_traps_on_several_threads(backend: str) -> None:
    """Each thread has an instance of its own; once with the GIL held and once with it released."""

    def trap_often(release_gil: bool) -> None:
        module = wasmcore.Module(instance(TRAPS, backend).module.info.data, backend=backend)
        exports = wasmcore.Instance(module, release_gil=release_gil).exports
        functions = [exports[name] for name in TRAP_KINDS if name not in ("STACK_OVERFLOW", "mutual")]
        trapped = 0
        for i in range(5000):
            try:
                functions[i % len(functions)]()
            except wasmcore.Trap:
                trapped += 1
        assert trapped == 5000

    errors: list[BaseException] = []

    def run(release_gil: bool) -> None:
        try:
            trap_often(release_gil)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_exception_of_a_host_function_comes_out_as_itself(backend: str) -> None:
    error = LookupError("mine")

    def again(depth: int) -> None:
        if depth == 0:
            raise error
        go(depth)

    go = instance(NESTED, backend, {"host": {"again": again}}).exports.go
    for _ in range(1000):
        with pytest.raises(LookupError) as caught:
            go(3)
        assert caught.value is error
        error.__traceback__ = None


def test_infinite_recursion_through_the_host(backend: str, ignored: list[type[BaseException]]) -> None:
    """Python's own limit or the stack limit of WebAssembly ends it, whichever comes first."""

    def again(_depth: int) -> None:
        go(1)

    go = instance(NESTED, backend, {"host": {"again": again}}).exports.go
    with pytest.raises((RecursionError, wasmcore.Trap)):
        go(1)
    on_a_thread(lambda: _expect_end(go))


def _expect_end(go: Callable[[int], Any]) -> None:
    with pytest.raises((RecursionError, wasmcore.Trap)):
        go(1)


def test_everything_is_freed(backend: str) -> None:
    owner = instance(TRAPS, backend)
    with pytest.raises(wasmcore.Trap) as caught:
        owner.exports.UNREACHABLE()
    module = weakref.ref(owner.module)
    del owner, caught
    gc.collect()
    assert module() is None


def test_a_function_keeps_its_instance_alive(backend: str) -> None:
    answer = instance(TRAPS, backend).exports.answer
    view = instance(TRAPS, backend).exports.memory.view()
    gc.collect()
    assert answer() == 42
    assert len(view) == 65536 and view[65535] == 0

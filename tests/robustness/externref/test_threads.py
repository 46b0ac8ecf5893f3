"""Sweeps while other threads run, instances are linked, cycles are collected, processes fork."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet, ref

import pytest

import wasmcore
from tests.robustness.externref.texts import FRAMES, HOLDER, NUMBERS, POLLED
from tests.robustness.externref.things import Host, Thing, check_gone
from wasmcore.runtime.objects import extern_objects
from wasmcore.runtime.objects.group import sweep_all
from wasmcore.types import EXTERNREF


def test_what_is_written_to_a_cell_is_there_at_once(run: Callable[..., Any]) -> None:
    """Whenever another thread could look, it finds the old object or the new one."""
    table, variable = wasmcore.Table(4, element=EXTERNREF), wasmcore.Global("externref", None, mutable=True)
    run(HOLDER, table=table, **{"global": variable})
    before, after = Thing(), Thing()
    looks = 0

    def look(*_: object) -> None:
        nonlocal looks
        looks += 1
        sweep_all()
        assert table[0] in (before, after) and variable.value in (before, after)

    table[0] = variable.value = before
    sys.setprofile(look)
    try:
        table[0] = after
        variable.value = after
    finally:
        sys.setprofile(None)
    assert looks > 10 and table[0] is variable.value is after


def test_a_thread_that_enters_during_a_sweep(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the only reference out of a table before the table is read: then the sweep lets nothing go."""
    host = Host()
    inside, leave = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert leave.wait(60)

    exports = run(FRAMES.format(**NUMBERS), **{**host.functions(), "collect": wait})
    exports.t[0] = host.make(0)
    thread = threading.Thread(target=lambda: exports.round(0))
    roots = extern_objects.ExternObjects._living_roots

    def enter_first(self: Any) -> Any:
        if not inside.is_set():
            thread.start()
            assert inside.wait(60)
        return roots(self)

    monkeypatch.setattr(extern_objects.ExternObjects, "_living_roots", enter_first)
    sweep_all()
    assert host.alive
    leave.set()
    thread.join()
    assert host.checked == 1
    gc.collect()
    assert not host.alive


def test_code_that_runs_on_another_thread(backend: str) -> None:
    """Its registers can not be seen; at a poll it sweeps itself."""
    host = Host()
    instance = wasmcore.Instance(wasmcore.Module(POLLED, backend=backend), {"env": {"make": lambda: host.make(8)}}, release_gil=True)
    found = []
    memory = instance.exports.memory.view()
    thread = threading.Thread(target=lambda: found.append(instance.exports.spin()))
    thread.start()
    while not host.alive:
        pass
    for _ in range(20):
        gc.collect()
        assert host.alive
    memory[0] = 1
    thread.join()
    assert found[0].number == 8
    found.clear()
    gc.collect()
    assert not host.alive


def test_what_is_cleared_while_another_thread_runs_goes(backend: str) -> None:
    instance = wasmcore.Instance(
        wasmcore.Module(
            """(module (memory (export "memory") 1) (table (export "t") 1 externref)
            (func (export "spin") (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0)))))))""",
            backend=backend,
        ),
        release_gil=True,
    )
    memory, table = instance.exports.memory.view(), instance.exports.t
    thread = threading.Thread(target=instance.exports.spin)
    thread.start()
    alive: WeakSet[Thing] = WeakSet()
    try:
        most = 0
        for _ in range(30000):
            table[0] = thing = Thing()
            alive.add(thing)
            del thing
            most = max(most, len(alive))
        assert most < 20000
    finally:
        memory[0] = 1
        thread.join()
    table[0] = None
    gc.collect()
    assert not alive


def test_host_call_on_another_thread(run: Callable[..., Any]) -> None:
    host = Host()
    inside, leave = threading.Event(), threading.Event()

    def wait() -> None:
        inside.set()
        assert leave.wait(60)

    exports = run(FRAMES.format(**NUMBERS), **{**host.functions(), "collect": wait})
    thread = threading.Thread(target=lambda: exports.deep(5))
    thread.start()
    assert inside.wait(60)
    gc.collect()
    assert len(host.alive) == 5
    leave.set()
    thread.join()
    assert host.checked == 5
    gc.collect()
    assert not host.alive


def test_groups_that_are_linked_while_they_hold_objects(backend: str) -> None:
    table = wasmcore.Table(2, element=EXTERNREF)
    alive: WeakSet[Thing] = WeakSet()

    def make(number: int) -> Thing:
        thing = Thing(number)
        alive.add(thing)
        return thing

    text = """(module (import "env" "t" (table $t 2 externref)) (table $own (export "own") 1 externref)
      (func (export "keep") (param i32) (table.set $own (i32.const 0) (table.get $t (local.get 0))))
      (func (export "read") (result externref) (table.get $own (i32.const 0))))"""
    module = wasmcore.Module(text, backend=backend)
    table[0] = make(0)
    instances = []
    for number in range(3):
        instances.append(wasmcore.Instance(module, {"env": {"t": table}}).exports)
        instances[-1].keep(0)
        gc.collect()
        assert all(exports.read().number == index for index, exports in enumerate(instances))
        table[0] = make(number + 1)
        gc.collect()
        assert len(alive) == number + 2
    del instances, table
    gc.collect()
    gc.collect()
    assert not alive


def test_an_instance_that_holds_objects_is_imported(backend: str) -> None:
    text = """(module (table $t (export "t") 1 externref)
      (func (export "read") (result externref) (table.get $t (i32.const 0))))"""
    first = wasmcore.Instance(wasmcore.Module(text, backend=backend)).exports
    thing = Thing()
    seen = ref(thing)
    first.t[0] = thing
    del thing
    importer = """(module (import "env" "read" (func $read (result externref)))
      (func (export "again") (result externref) (call $read)))"""
    second = wasmcore.Instance(wasmcore.Module(importer, backend=backend), {"env": {"read": first.read}}).exports
    for _ in range(2):
        gc.collect()
        assert {id(second.again()), id(first.read()), id(first.t[0])} == {id(seen())}
    first.t[0] = None
    check_gone(seen)


def test_a_cycle_through_a_table(run: Callable[..., Any]) -> None:
    """The object knows the instance that holds it."""
    table, variable = wasmcore.Table(4, element=EXTERNREF), wasmcore.Global("externref", None, mutable=True)
    exports = run(HOLDER, table=table, **{"global": variable})
    thing: Any = Thing()
    thing.exports = exports
    thing.table = table
    thing.itself = thing
    seen = ref(thing)
    exports.put_own_table(thing)
    exports.put_imported_global(thing)
    exports.put_imported_table(exports.put_own_table)
    del thing, exports, table, variable
    check_gone(seen)


def test_a_cycle_that_only_webassembly_kept(run: Callable[..., Any]) -> None:
    exports = run(HOLDER, table=wasmcore.Table(4, element=EXTERNREF), **{"global": wasmcore.Global("externref", None, mutable=True)})
    thing: Any = Thing()
    thing.itself = thing
    seen = ref(thing)
    exports.put_own_global(thing)
    del thing
    gc.collect()
    assert seen() is not None
    exports.put_own_global(None)
    check_gone(seen)


def test_fork(run: Callable[..., Any]) -> None:
    table, variable = wasmcore.Table(4, element=EXTERNREF), wasmcore.Global("externref", None, mutable=True)
    exports = run(HOLDER, table=table, **{"global": variable})
    thing = Thing(5)
    seen = ref(thing)
    exports.put_own_table(thing)
    del thing
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        gc.collect()
        there = exports.get_own_table().number == 5
        exports.put_own_table(None)
        gc.collect()
        os._exit(0 if there and seen() is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert exports.get_own_table() is seen() is not None

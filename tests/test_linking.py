"""Imports, exports and what instances share."""

from __future__ import annotations

import copy
import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from wasmtime import wat2wasm

import wasmcore


def module(text: str) -> wasmcore.Module:
    return wasmcore.Module(wat2wasm(text), backend="singlepass")


def instance(text: str, imports: object = None) -> wasmcore.Instance:
    return wasmcore.Instance(module(text), imports)  # type: ignore[arg-type]


ADD = '(module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))'


def test_add() -> None:
    exports = instance(ADD).exports
    assert exports.add(2, 3) == 5
    assert exports["add"](-1, 1) == 0
    assert exports.add(2**31 - 1, 1) == -(2**31)
    assert list(exports) == ["add"] and len(exports) == 1


def test_types_are_inspectable() -> None:
    text = """(module (import "env" "log" (func (param i64))) (memory (export "memory") 1 2)
      (func (export "f") (result f32) f32.const 1))"""
    found = module(text)
    assert [str(item.type) for item in found.imports] == ["[i64] -> []"]
    assert {item.name: str(item.type) for item in found.exports} == {"memory": "memory 1 2", "f": "[] -> [f32]"}
    function = wasmcore.Instance(found, {"env": {"log": print}}).exports.f
    assert function.__self__.type == wasmcore.FuncType((), (3,)) and function.__name__ == "f"


def test_missing_export_names_what_there_is() -> None:
    with pytest.raises(AttributeError, match="nothing is exported as 'sub'; there are: add"):
        _ = instance(ADD).exports.sub


def test_host_function_and_its_exception() -> None:
    text = """(module (import "env" "f" (func $f (param i32 f64) (result i64)))
      (func (export "go") (result i64) (call $f (i32.const 7) (f64.const 0.5))))"""
    seen = []

    def good(number: int, fraction: float) -> int:
        seen.append((number, fraction))
        return -5

    assert instance(text, {"env": {"f": good}}).exports.go() == -5
    assert seen == [(7, 0.5)]

    class OwnError(Exception):
        pass

    def bad(number: int, fraction: float) -> int:
        raise OwnError("from the host")

    with pytest.raises(OwnError, match="from the host"):
        instance(text, {"env": {"f": bad}}).exports.go()
    with pytest.raises(TypeError):
        instance(text, {"env": {"f": lambda number, fraction: "no number"}}).exports.go()


@pytest.mark.parametrize(
    ("text", "value", "message"),
    [
        ('(import "a" "b" (func (param i32)))', None, r"import a\.b is missing: expected func \[i32\] -> \[\]"),
        ('(import "a" "b" (func (param i32)))', 5, r"a\.b: expected func \[i32\] -> \[\], given a Python int"),
        (
            '(import "a" "b" (func (param i32)))',
            wasmcore.Func(["i64"], [], print),
            r"expected func \[i32\] -> \[\], given func \[i64\] -> \[\]",
        ),
        ('(import "a" "b" (memory 2))', wasmcore.Memory(1), r"expected memory 2, given memory 1"),
        ('(import "a" "b" (memory 1 2))', wasmcore.Memory(1), r"expected memory 1 2, given memory 1"),
        ('(import "a" "b" (table 3 funcref))', wasmcore.Table(1), r"expected table 3 funcref, given table 1 funcref"),
        ('(import "a" "b" (global (mut i32)))', wasmcore.Global("i32", 1), r"expected global \(mut i32\), given global i32"),
        ('(import "a" "b" (global i32))', wasmcore.Global("i64", 1), r"expected global i32, given global i64"),
    ],
)
def test_link_errors_name_import_and_types(text: str, value: object, message: str) -> None:
    imports = {} if value is None else {"a": {"b": value}}
    with pytest.raises(wasmcore.LinkError, match=message):
        instance(f"(module {text})", imports)


def test_memory_is_shared() -> None:
    memory = wasmcore.Memory(1, 3)
    text = """(module (import "env" "memory" (memory 1 3))
      (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)))"""
    first = instance(text, {"env": {"memory": memory}}).exports
    second = instance(text, {"env": {"memory": memory}}).exports
    first.poke(100, 42)
    assert second.peek(100) == 42 and memory.view()[100] == 42
    memory.view()[101] = 43
    assert first.peek(101) == 43
    assert first.grow(1) == 1
    assert second.size() == memory.size == 2
    second.poke(0x1FFFF, 9)
    assert memory.view()[0x1FFFF] == 9
    assert first.grow(5) == -1
    with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
        first.peek(0x20000)
    with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
        first.peek(-1)


def test_view_outlives_memory() -> None:
    made = instance('(module (memory (export "memory") 1) (data (i32.const 3) "abc"))')
    view = made.exports.memory.view()
    del made
    gc.collect()
    assert bytes(view[3:6]) == b"abc"


def test_numpy_shares_the_bytes() -> None:
    numpy = pytest.importorskip("numpy")
    memory = instance('(module (memory (export "memory") 1) (data (i32.const 3) "abc"))').exports.memory
    array = numpy.asarray(memory)
    assert array[3:6].tobytes() == b"abc"
    array[0] = 200
    assert memory.view()[0] == 200


def test_globals() -> None:
    cell = wasmcore.Global("i64", 5, mutable=True)
    text = """(module (import "env" "cell" (global $cell (mut i64))) (import "env" "constant" (global $constant i32))
      (global $own (export "own") (mut f64) (f64.const 1.5)) (global (export "sum") i32 (i32.add (global.get $constant) (i32.const 1)))
      (func (export "bump") (global.set $cell (i64.add (global.get $cell) (i64.const 1))))
      (func (export "own_times") (param f64) (global.set $own (f64.mul (global.get $own) (local.get 0)))))"""
    exports = instance(text, {"env": {"cell": cell, "constant": 41}}).exports
    exports.bump()
    assert cell.value == 6
    cell.value = -1
    exports.bump()
    assert cell.value == 0
    exports.own_times(4.0)
    assert exports.own.value == 6.0
    exports.own.value = 2
    exports.own_times(0.5)
    assert exports.own.value == 1.0
    assert exports.sum.value == 42
    with pytest.raises(AttributeError):
        exports.sum.value = 1
    with pytest.raises(OverflowError):
        cell.value = 1 << 64


TABLE = """(module (type $t (func (param i32) (result i32))) (import "env" "table" (table 4 funcref))
  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (elem (i32.const 1) $twice)
  (func (export "call") (param i32 i32) (result i32) (call_indirect (type $t) (local.get 1) (local.get 0))))"""


def test_table_is_shared_and_keeps_functions_alive() -> None:
    table = wasmcore.Table(4)
    first = instance(TABLE, {"env": {"table": table}})
    other = TABLE.replace("i32.const 2", "i32.const 3").replace("(i32.const 1) $twice", "(i32.const 2) $twice")
    second = instance(other, {"env": {"table": table}})
    del first
    gc.collect()
    call = second.exports.call
    assert call(1, 10) == 20
    assert call(2, 10) == 30
    with pytest.raises(wasmcore.Trap, match="uninitialized element"):
        call(3, 1)
    with pytest.raises(wasmcore.Trap, match="undefined element"):
        call(4, 1)
    table[3] = wasmcore.Func(["i32"], ["i32"], lambda number: number + 100)
    assert call(3, 1) == 101
    table[0] = wasmcore.Func(["i64"], ["i32"], lambda number: 0)
    with pytest.raises(wasmcore.Trap, match="indirect call type mismatch"):
        call(0, 1)
    assert table[1](21) == 42
    with pytest.raises(IndexError):
        table[4] = None


def test_functions_keep_their_instance() -> None:
    exporter = instance(ADD)
    importer = instance(
        '(module (import "m" "add" (func $add (param i32 i32) (result i32))) (export "again" (func $add))'
        ' (func (export "add3") (param i32) (result i32) (call $add (local.get 0) (i32.const 3))))',
        {"m": exporter},
    )
    assert importer.exports.again is exporter.exports.add
    del exporter
    gc.collect()
    assert importer.exports.add3(4) == 7


def test_instances_are_freed_without_the_collector() -> None:
    gc.disable()
    try:
        made = instance('(module (memory 1) (global (mut i32) (i32.const 0)) (func (export "f") (result i32) i32.const 1))')
        assert made.exports.f() == 1
        state = weakref.ref(made._state)
        code = weakref.ref(made._state.code)
        del made
        assert state() is None
        assert code() is None
    finally:
        gc.enable()


def test_cycles_through_host_functions_are_freed() -> None:
    text = """(module (import "env" "f" (func $f (result i32))) (func $one (export "one") (result i32) (call $f))
      (table (export "t") 1 funcref) (elem (i32.const 0) $one))"""
    holder: dict[str, wasmcore.Instance] = {}
    holder["instance"] = instance(text, {"env": {"f": lambda: len(holder)}})
    assert holder["instance"].exports.one() == 1
    state = weakref.ref(holder["instance"]._state)
    holder.clear()
    gc.collect()
    assert state() is None


def test_start_function_and_trap_in_it() -> None:
    seen: list[int] = []
    text = '(module (import "env" "log" (func $log (param i32))) (func $main (call $log (i32.const 9))) (start $main))'
    instance(text, {"env": {"log": seen.append}})
    assert seen == [9]
    with pytest.raises(wasmcore.Trap, match="unreachable"):
        instance("(module (func $main unreachable) (start $main))")


def test_segments_that_do_not_fit_trap() -> None:
    with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
        instance('(module (memory 1) (data (i32.const 65534) "abc"))')
    with pytest.raises(wasmcore.Trap, match="out of bounds table access"):
        instance("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))")


def test_references() -> None:
    text = """(module (table $t (export "t") 3 externref)
      (func (export "same") (param externref) (result externref) (local.get 0))
      (func (export "put") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))
      (func (export "self") (result funcref) (ref.func 0))
      (func (export "is_null") (param funcref) (result i32) (ref.is_null (local.get 0))))"""
    exports = instance(text).exports
    thing = object()
    assert exports.same(thing) is thing
    assert exports.same(None) is None
    exports.put(1, thing)
    assert exports.t[1] is thing and exports.t[0] is None
    assert exports.self() is exports.same
    assert exports.is_null(None) == 1
    assert exports.is_null(exports.same) == 0
    with pytest.raises(TypeError):
        exports.is_null(len)


def test_multiple_results_and_many_parameters() -> None:
    params = " ".join(["i64", "f32"] * 12)
    gets = " ".join(f"local.get {number}" for number in range(24))
    exports = instance(f'(module (func (export "all") (param {params}) (result {params}) {gets}))').exports
    given = tuple(value for number in range(12) for value in (number - 5, number / 2))
    assert exports.all(*given) == given


def test_linker() -> None:
    linker = wasmcore.Linker()
    linker.define("env", "base", 40)
    library = """(module (import "env" "base" (global $base i32))
      (func (export "f") (result i32) (i32.add (global.get $base) (i32.const 2))))"""
    linker.instantiate(module(library), name="lib")
    app = linker.instantiate(module('(module (import "lib" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))'))
    assert app.exports.g() == 42


def test_a_copy_of_a_linker_goes_its_own_way() -> None:
    linker = wasmcore.Linker()
    linker.define("env", "base", 40)
    other = copy.copy(linker)
    other.define("env", "base", 50)
    user = module('(module (import "env" "base" (global $base i32)) (func (export "f") (result i32) (global.get $base)))')
    assert (linker.instantiate(user).exports.f(), other.instantiate(user).exports.f()) == (40, 50)


def test_module_pickles_as_webassembly() -> None:
    import pickle

    copied = pickle.loads(pickle.dumps(module(ADD)))
    assert wasmcore.Instance(copied).exports.add(1, 2) == 3


def test_eager_and_unguarded_engines() -> None:
    text = '(module (memory (export "memory") 1) (func (export "peek") (param i32) (result i32) (i32.load (local.get 0))))'
    progress = []
    engine = wasmcore.Engine("singlepass", lazy=False, guard=False, progress=lambda done, total: progress.append((done, total)))
    exports = wasmcore.Instance(wasmcore.Module(wat2wasm(text), engine=engine)).exports
    assert progress[-1] == (1, 1)
    assert not exports.memory.guarded
    exports.memory.view()[65532] = 7
    assert exports.peek(65532) == 7
    for address in (65533, 65536, -1, -4):
        with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
            exports.peek(address)
    assert exports.memory.grow(1) == 1
    assert exports.peek(65533) == 0


def test_backtrace_names_functions() -> None:
    text = """(module (func $inner (param i32) (i32.div_s (i32.const 1) (local.get 0)) drop)
      (func $outer (export "outer") (param i32) (call $inner (local.get 0))))"""
    with pytest.raises(wasmcore.Trap) as caught:
        instance(text).exports.outer(0)
    assert caught.value.kind is wasmcore.TrapKind.INTEGER_DIVIDE_BY_ZERO
    assert [frame.function_name for frame in caught.value.frames] == ["inner", "outer"]
    data = wat2wasm(text)
    offsets = [frame.offset for frame in caught.value.frames]
    assert data[offsets[0]] == 0x6D and data[offsets[1]] == 0x10  # type: ignore[index]


def test_references_given_to_another_instance_join_its_group() -> None:
    caller = instance(
        """(module (type $t (func (result i32))) (table 1 funcref)
      (func (export "call") (param funcref) (result i32)
        (table.set (i32.const 0) (local.get 0)) (call_indirect (type $t) (i32.const 0))))"""
    )
    callee = instance('(module (func $f (export "f") (result i32) (call $g)) (func $g (result i32) i32.const 11))')
    deep = instance('(module (func $f (export "f") (result i32) (call $f)))')
    assert caller.exports.call(callee.exports.f) == 11
    assert caller._state.group.root() is callee._state.group.root()
    with pytest.raises(wasmcore.Trap, match="call stack exhausted"):
        caller.exports.call(deep.exports.f)
    assert caller.exports.call(wasmcore.Func([], ["i32"], lambda: 5)) == 5


def test_growing_what_another_thread_uses() -> None:
    memory, table = wasmcore.Memory(1, guarded=False), wasmcore.Table(1)
    text = """(module (import "env" "memory" (memory 1)) (import "env" "table" (table $t 1 funcref))
      (global $stop (export "stop") (mut i32) (i32.const 0))
      (func (export "spin") (loop $again
        (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
        (drop (table.get $t (i32.const 0)))
        (br_if $again (i32.eqz (global.get $stop))))))"""
    engine = wasmcore.Engine("singlepass", guard=False)
    made = wasmcore.Instance(wasmcore.Module(wat2wasm(text), engine=engine), {"env": {"memory": memory, "table": table}}, release_gil=True)
    thread = threading.Thread(target=made.exports.spin)
    thread.start()
    try:
        for _ in range(30):
            memory.grow(1)
            table.grow(1000)
            time.sleep(0.001)
    finally:
        made.exports.stop.value = 1
        thread.join(60)
    assert not thread.is_alive() and memory.size == 31 and len(table) == 30001


HOLDERS = """(module (table (export "t") 1 funcref) (global (export "g") funcref (ref.func 0)) (elem (i32.const 0) 0)
  (func (export "f") (result i32) (i32.const 7)))"""
TAKEN: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "nothing": (lambda exports: None, lambda taken: 7),
    "function": (lambda exports: exports.f, lambda taken: taken()),
    "table": (lambda exports: exports.t, lambda taken: taken[0]()),
    "global": (lambda exports: exports.g, lambda taken: taken.value()),
    "importer": (
        lambda exports: instance('(module (import "m" "f" (func (result i32))) (export "f" (func 0)))', {"m": exports}),
        lambda taken: taken.exports.f(),
    ),
    "linked table": (
        lambda exports: _table_with(exports.f),
        lambda taken: taken[0](),
    ),
}


def _table_with(function: Any) -> wasmcore.Table:
    table = wasmcore.Table(1)
    table[0] = function
    return table


@pytest.mark.parametrize("name", TAKEN)
def test_instances_go_without_the_collector(name: str) -> None:
    """Until references to functions of an instance can get out, nothing keeps it but what was taken from it; then all that has them."""
    take, call = TAKEN[name]
    gc.collect()
    gc.disable()
    try:
        made = instance(HOLDERS)
        watched = weakref.ref(made._state)
        taken = take(made.exports)
        del made
        if name in ("nothing", "function"):
            assert (watched() is None) == (name == "nothing")
        gc.collect()
        assert call(taken) == 7 and (watched() is None) == (name == "nothing")
        del taken
        if name in ("nothing", "function"):
            assert watched() is None
        gc.collect()
        assert watched() is None
    finally:
        gc.enable()

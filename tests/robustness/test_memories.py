"""Memories and tables as modules see them: nothing of a memory without bytes, growth that is refused or broken off, sizes beyond 4 GiB."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import wasmcore
from tests.faults import interrupted
from wasmcore.runtime.system import platform, resources

GUARDS = pytest.mark.parametrize("guard", [None, False], ids=["guarded", "checked"])
MEMORIES = pytest.mark.parametrize("first", ["", "(memory 1)"], ids=["one memory", "two memories"])
PAGE = 1 << 16


def module(text: str, backend: str, **options: Any) -> wasmcore.Module:
    return wasmcore.Module(text, engine=wasmcore.Engine(backend, cache=False, **options))


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a call gives, or the name of the trap."""
    try:
        return function(*arguments)
    except wasmcore.Trap as trap:
        return trap.kind.name


def accesses(memory: str, first: str) -> str:
    """A module that does all kinds of things with a memory, whose declaration begins so."""
    number = 1 if first else 0
    return f"""(module {first} {memory}
      (func (export "load") (param i32) (result i32) (i32.load {number} (local.get 0)))
      (func (export "byte") (param i32) (result i32) (i32.load8_u {number} (local.get 0)))
      (func (export "far") (param i32) (result f64) (f64.load {number} offset=4 (local.get 0)))
      (func (export "vector") (param i32) (v128.store {number} (local.get 0) (v128.const i64x2 1 1)))
      (func (export "store") (param i32) (i32.store {number} (local.get 0) (i32.const 77)))
      (func (export "fill") (param i32) (memory.fill {number} (local.get 0) (i32.const 7) (i32.const 1)))
      (func (export "copy") (param i32) (memory.copy {number} {number} (local.get 0) (i32.const 0) (i32.const 1)))
      (func (export "init") (param i32) (memory.init {number} 0 (local.get 0) (i32.const 0) (i32.const 1)))
      (func (export "nothing") (memory.fill {number} (i32.const 0) (i32.const 7) (i32.const 0)))
      (func (export "size") (result i32) (memory.size {number}))
      (func (export "grow") (param i32) (result i32) (memory.grow {number} (local.get 0)))
      (data "x"))"""


ACCESSES = ("load", "byte", "far", "vector", "store", "fill", "copy", "init")


@GUARDS
@MEMORIES
@pytest.mark.parametrize("imported", [False, True], ids=["own", "imported"])
def test_a_memory_of_no_pages(guard: bool | None, first: str, imported: bool, backend: str) -> None:
    given = wasmcore.Memory(0, 2, guarded=guard)
    memory = '(memory (export "m") 0 2)'
    if imported:
        memory = '(import "e" "m" (memory 0 2)) (export "m" (memory 0))'
        first = first and '(import "e" "one" (memory 1))'
        if first:
            memory = memory.replace("(memory 0))", "(memory 1))")
    made = module(accesses(memory, first), backend, guard=guard)
    exports = wasmcore.Instance(made, {"e": {"m": given, "one": wasmcore.Memory(1)}}).exports
    assert exports.m.guarded == (guard is not False)
    for name in ACCESSES:
        for address in (0, 1, 100, 4088, 4095, 4096, PAGE - 1, PAGE, 0x7FFFFFFF, -4096, -1):
            assert outcome(exports[name], address) == "MEMORY_OUT_OF_BOUNDS", (name, address)
    assert exports.nothing() is None and exports.size() == 0
    assert exports.grow(0) == 0 and outcome(exports.byte, 0) == "MEMORY_OUT_OF_BOUNDS"
    assert exports.grow(3) == -1 and outcome(exports.byte, 0) == "MEMORY_OUT_OF_BOUNDS"
    assert exports.grow(1) == 0 and exports.load(100) == 0 and not any(exports.m.view())
    assert outcome(exports.load, PAGE - 3) == "MEMORY_OUT_OF_BOUNDS"
    exports.store(PAGE - 4)
    assert exports.m.read(PAGE - 4, 4) == b"\x4d\0\0\0"


@pytest.mark.parametrize("length", [0, 1, 3, 4095, 4096, 4097])
def test_pages_of_one_byte(length: int, backend: str) -> None:
    text = accesses(f'(memory (export "m") {length} {length + 2} (pagesize 1))', "")
    exports = wasmcore.Instance(module(text, backend, features=wasmcore.FEATURES)).exports
    for size in (length, length + 1):
        assert exports.size() == len(exports.m) == size
        for end in range(max(size - 2, 0), size + 3):
            expected = "MEMORY_OUT_OF_BOUNDS" if end >= size else 0
            assert outcome(exports.byte, end) == expected
            assert outcome(exports.load, end - 3) == (expected if end >= 3 else "MEMORY_OUT_OF_BOUNDS")
        assert exports.grow(5) == -1
        if size == length:
            assert exports.grow(1) == size
    with pytest.raises(IndexError):
        exports.m.read(length + 1, 1)


MORE_THAN_4_GIB = """(module (memory (export "m") i64 70000)
  (func (export "store") (param i64 i64) (i64.store8 (local.get 0) (local.get 1)))
  (func (export "load") (param i64) (result i64) (i64.load8_u (local.get 0)))
  (func (export "wide") (param i64) (result i64) (i64.load offset=0x1_0000_0000 (local.get 0)))
  (func (export "fill") (param i64) (memory.fill (local.get 0) (i32.const 9) (i64.const 16)))
  (func (export "copy") (param i64 i64) (memory.copy (local.get 0) (local.get 1) (i64.const 16)))
  (func (export "init") (param i64) (memory.init 0 (local.get 0) (i32.const 0) (i32.const 3)))
  (func (export "size") (result i64) (memory.size))
  (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
  (data "abc") (data (i64.const 0x1_0000_1000) "active"))"""


def test_a_memory_of_more_than_4_gib(backend: str) -> None:
    exports = wasmcore.Instance(module(MORE_THAN_4_GIB, backend)).exports
    end = 70000 * PAGE
    assert exports.size() == 70000 and len(exports.m) == end
    exports.store(end - 1, 7)
    assert exports.load(end - 1) == 7 == exports.m.view()[-1] and exports.load((end - 1) & 0xFFFFFFFF) == 0
    assert exports.m.read(0x1_0000_1000, 6) == b"active" == exports.m.view()[0x1_0000_1000:][:6]
    assert exports.wide(end - (1 << 32) - 8) == 7 << 56
    for beyond in (end, end + (1 << 32), 1 << 63, -1):
        assert outcome(exports.load, beyond) == outcome(exports.store, beyond, 1) == "MEMORY_OUT_OF_BOUNDS"
        for name in ("fill", "init"):
            assert outcome(exports[name], beyond) == "MEMORY_OUT_OF_BOUNDS"
        assert outcome(exports.copy, 0, beyond) == outcome(exports.copy, beyond, 0) == "MEMORY_OUT_OF_BOUNDS"
    exports.fill(end - 16)
    exports.copy(1 << 32, end - 16)
    exports.init(end - 3)
    assert exports.m.read((1 << 32) - 1, 18) == b"\0" + b"\t" * 16 + b"\0" and exports.m.read(end - 4, 4) == b"\tabc"
    view = exports.m.view()
    assert exports.grow(70000) == 70000 and exports.size() == 140000
    exports.store(140000 * PAGE - 1, 8)
    assert exports.load(140000 * PAGE - 1) == 8 and exports.load(end) == 0
    exports.store(end - 1, 9)
    assert view[-1] == 9, "it did not move"
    assert exports.grow(1 << 48) == exports.grow(-1) == -1 and exports.size() == 140000


def test_more_than_any_system_has(backend: str) -> None:
    for text in ("(memory i64 0x1_0000_0000_0000)", "(memory i64 0x8000_0000)", "(table 10000001 funcref)", "(table i64 -1 funcref)"):
        valid = module(f"(module {text.replace('-1', str(2**64 - 1))})", backend)
        with pytest.raises(MemoryError):
            wasmcore.Instance(valid)


def test_tables_count_together(backend: str) -> None:
    with pytest.raises(MemoryError, match="20000000 elements in the tables of one instance: the limit is 10000000"):
        wasmcore.Instance(module("(module" + "(table 10000000 funcref)" * 50 + ")", backend))
    text = """(module (table 0 funcref) (table (export "t") 9999990 externref) (table 5 funcref)
      (func (export "grow") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0))))"""
    few = wasmcore.Instance(module(text, backend)).exports
    assert [few.grow(6), few.grow(5), few.grow(1)] == [-1, 0, -1]
    with pytest.raises(MemoryError, match="limit is 10000000"):
        few.t.grow(1)
    many = wasmcore.Instance(module("(module" + "(table 100000 funcref)" * 100 + '(export "t" (table 99)))', backend))
    assert many.exports.t[99_999] is None


def resident() -> int:
    """Pages of real memory this process has."""
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1])


def test_cells_cost_nothing_until_they_are_touched(backend: str) -> None:
    made = module('(module (table (export "t") 10000000 funcref) (memory i64 65536) (memory 65536))', backend)
    wasmcore.Instance(made)
    before = resident()
    kept = [wasmcore.Instance(made) for _ in range(20)]
    assert (resident() - before) * platform.PAGE_SIZE < 20 << 20
    assert kept[0].exports.t[9_999_999] is None


GROWING = """(module (import "e" "h" (func (param externref)))
  (memory (export "m") 1 10) (memory i64 1) (table (export "t") 600 2000 funcref) (table 3 funcref)
  (global (export "g") (mut i32) (i32.const 1))
  (func $f (export "f") (result i32) (i32.const 42)) (elem (i32.const 0) $f) (elem declare func $f)
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "grow_table") (result i32) (table.grow (ref.func $f) (i32.const 1000))))"""


@GUARDS
def test_every_refusal_of_memory(guard: bool | None, backend: str, kept_quiet: None) -> None:
    """Compiling, instantiating, calling and growing, with each request for memory refused in turn."""

    def run() -> None:
        resources.collect()
        exports = wasmcore.Instance(module(GROWING, backend, guard=guard), {"e": {"h": print}}).exports
        assert exports.f() == 42
        grown = exports.grow()
        assert grown in (1, -1) and exports.m.size == (2 if grown == 1 else 1)
        grown = exports.grow_table()
        assert grown in (600, -1) and len(exports.t) == (1600 if grown == 600 else 600)
        assert all(element is exports.f for element in list(exports.t)[600:]) and exports.t[0]() == 42
        refused.append(exports.m.size == 1 or len(exports.t) == 600)

    refused: list[bool] = []
    for _ in range(3):
        run()
    assert not any(refused)
    with platform.Refusal(0) as all_of_them:
        run()
    assert all_of_them.requests > 8
    errors = 0
    for number in range(1, all_of_them.requests + 1):
        with platform.Refusal(number) as refusal:
            try:
                run()
            except MemoryError:
                errors += 1
            resources.collect()
        assert not refusal.held, number
    assert errors > 4 and any(refused)
    run()


def test_instances_in_a_loop_leave_nothing(backend: str) -> None:
    made = module(GROWING, backend)
    user = module('(module (import "e" "m" (memory 1)) (func (export "size") (result i32) (memory.size)))', backend)
    memory = wasmcore.Memory(1)

    def run() -> None:
        wasmcore.Instance(made, {"e": {"h": print}}).exports.grow_table()
        assert wasmcore.Instance(user, {"e": {"m": memory}}).exports.size() == 1

    with platform.Refusal(0) as watch:
        for _ in range(5):
            run()
            gc.collect()
        kept, requests = len(watch.held), watch.requests
        for _ in range(20):
            run()
            gc.collect()
        assert len(watch.held) == kept and watch.requests - requests < 100, "what the system gave is used again"
        for _ in range(200):
            run()
        resources.collect()
        assert not watch.held
    assert not list(memory._space._mirrors or ()) and len(memory._space._mirrors._pairs) < 20 and memory.grow(1) == 1


@GUARDS
def test_an_interrupt_at_every_bytecode_of_growing(guard: bool | None, backend: str) -> None:
    """Two instances share a memory and a table: both see the old sizes, or both the new ones, and nothing beyond."""
    text = """(module (type $t (func (result i32)))
      (import "e" "m" (memory 0 1000)) (import "e" "t" (table 0 100000 funcref))
      (func $f (result i32) (i32.const 42)) (elem declare func $f)
      (func (export "size") (result i32) (memory.size)) (func (export "elements") (result i32) (table.size 0))
      (func (export "grow") (result i32) (memory.grow (i32.const 1)))
      (func (export "grow_table") (result i32) (table.grow (ref.func $f) (i32.const 1)))
      (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""
    made = module(text, backend, guard=guard)
    memory, table = wasmcore.Memory(0, 1000, guarded=guard), wasmcore.Table(0, 100000)
    exports = [wasmcore.Instance(made, {"e": {"m": memory, "t": table}}).exports for _ in range(2)]
    for each in exports:
        assert (outcome(each.byte, 0), outcome(each.call, 0)) == ("MEMORY_OUT_OF_BOUNDS", "UNDEFINED_ELEMENT")
        assert each.size() == each.elements() == 0
    for number, each in enumerate(exports):
        assert each.grow() == each.grow_table() == number
    for name in ("grow", "grow_table"):
        number, sizes = 1, {memory.size} if name == "grow" else {len(table)}
        while interrupted(number, exports[0][name]):
            number += 1
            pages, elements = memory.size, len(table)
            assert [each.size() for each in exports] == [pages] * 2 and [each.elements() for each in exports] == [elements] * 2
            for each in exports:
                assert each.byte(pages * PAGE - 1) == 0 and outcome(each.byte, pages * PAGE) == "MEMORY_OUT_OF_BOUNDS"
                assert each.call(elements - 1) == 42 and outcome(each.call, elements) == "UNDEFINED_ELEMENT"
            sizes.add(pages if name == "grow" else elements)
        assert number > 50 and len(sizes) > 2, "interrupted before and after"


def test_threads_grow_what_others_write(backend: str) -> None:
    """One thread grows within WebAssembly code, another writes from Python; once without the interpreter lock."""
    text = """(module (memory (export "m") i64 100 60000)
      (func (export "grow") (param i64) (result i64) (memory.grow (local.get 0)))
      (func (export "write") (param $end i64) (local $at i64)
        (loop $more
          (i64.store (local.get $at) (i64.add (i64.load (local.get $at)) (i64.const 1)))
          (br_if $more (i64.lt_u (local.tee $at (i64.add (local.get $at) (i64.const 8))) (local.get $end))))))"""
    owner = wasmcore.Instance(module(text, backend))
    memory = owner.exports.m
    text = text.replace('(memory (export "m") i64 100 60000)', '(import "e" "m" (memory i64 1))')
    other = wasmcore.Instance(module(text, backend), {"e": {"m": memory}}, release_gil=True)
    data = bytes(range(256)) * 256 * 20
    start = 50 * PAGE
    threads = [
        threading.Thread(target=lambda: [owner.exports.grow(1) for _ in range(300)]),
        threading.Thread(target=lambda: [memory.grow(1) for _ in range(300)]),
        threading.Thread(target=lambda: [memory.write(start, data) for _ in range(300)]),
        threading.Thread(target=lambda: [other.exports.write(start) for _ in range(300)]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.size == 700 == owner.exports.grow(0) == other.exports.grow(0)
    assert memory.read(start, len(data)) == data
    assert set(memory.view()[:start].cast("Q")) == {300}, "no store was lost"


LITTLE = """
import gc, resource, sys
import wasmcore
backend, name = sys.argv[1:]
engine = wasmcore.Engine(backend, guard=False, cache=False)
module = wasmcore.Module('''(module (type $t (func (result i32)))
  (table (export "t") 1000000 10000000 funcref) (memory (export "m") 1 60000) (memory (export "n") i64 1) (elem declare func $f)
  (func $f (result i32) (i32.const 42))
  (func (export "grow_table") (param i32) (result i32) (table.grow 0 (ref.func $f) (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "grow64") (param i64) (result i64) (memory.grow 1 (local.get 0)))
  (func (export "elements") (result i32) (table.size 0))
  (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))''', engine=engine)

def outcome(function, *arguments):
    try:
        return function(*arguments)
    except wasmcore.Trap as trap:
        return trap.kind.name

def limit(room):
    taken = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (taken + room, taken + room))

exports = wasmcore.Instance(module).exports
for function in (exports.grow, exports.grow_table, exports.elements):
    function(*[0] * (function is not exports.elements))
exports.grow64(0), outcome(exports.call, 0)
if name == "later":
    limit(16 << 20)
else:
    del exports
    limit(96 << 20)
    exports = wasmcore.Instance(module).exports
before, pages, pages64 = len(exports.t), exports.m.size, exports.n.size
print(before, pages, pages64)
view = exports.m.view()
for count in (8_000_000, 1_000_000, 1):
    grown = exports.grow_table(count)
    assert grown in (-1, before), grown
    before += count if grown >= 0 else 0
    assert exports.elements() == len(exports.t) == before
    assert [outcome(exports.call, at) for at in (0, 5, 999_999)] == ["UNINITIALIZED_ELEMENT"] * 3
    assert outcome(exports.call, before) == "UNDEFINED_ELEMENT" and outcome(exports.call, before - 1) in (42, "UNINITIALIZED_ELEMENT")
for count in (50_000, 10_000, 100, 1):
    for memory, grow in ((exports.m, exports.grow), (exports.n, exports.grow64)):
        size = memory.size
        grown = grow(count)
        assert grown in (-1, size) and memory.size == size + (count if grown >= 0 else 0)
exports.m.write(0, b"x")
assert view[0] == 120
kept = []
try:
    while True:
        kept.append(wasmcore.Instance(module))
except MemoryError as error:
    print("MemoryError", len(kept) > 0)
# Instances are garbage of the cyclic kind.
gc.disable()
del kept
wasmcore.Memory(1)
for _ in range(20):
    wasmcore.Instance(module)
"""


@pytest.mark.parametrize("name", ["later", "before"])
def test_little_address_space(name: str, backend: str) -> None:
    """What was reserved can still be used when a limit comes later; under a limit, memories have less to grow to."""
    done = subprocess.run([sys.executable, "-c", LITTLE, backend, name], capture_output=True, text=True, timeout=200, env=os.environ)
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert first == "1000000 1 1" and last.startswith("MemoryError")


MAPPINGS = """
import ctypes, gc, sys
import wasmcore
from wasmcore.runtime.system import platform, resources
backend, = sys.argv[1:]
engine = wasmcore.Engine(backend, lazy=True, cache=False)
text = '''(module (memory (export "m") 1) (table (export "t") 10 100 funcref)
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'''
kept = [wasmcore.Instance(wasmcore.Module(text, engine=engine)) for _ in range(30)]
assert all(instance.exports.add(1, 2) == 3 for instance in kept)
place = platform.reserve(200_000 * 4096)
divided = 0
try:
    while True:
        platform.protect(place + 8192 * divided, 4096, platform.READ_ONLY)
        divided += 1
except MemoryError:
    pass
refused = 0
for _ in range(10):
    try:
        assert wasmcore.Instance(wasmcore.Module(text, engine=engine)).exports.add(1, 2) == 3
    except MemoryError:
        refused += 1
    kept.pop(len(kept) // 2)
    gc.collect()
platform.release(place, 200_000 * 4096)
gc.collect()
assert wasmcore.Instance(wasmcore.Module(text, engine=engine)).exports.add(1, 2) == 3 == kept[0].exports.add(1, 2)
print(divided > 1000, refused > 0)
"""


def test_no_more_mappings(backend: str) -> None:
    """In a process that has as many mappings as the system lets it have, nothing is lost, and freeing does not fail."""
    done = subprocess.run([sys.executable, "-c", MAPPINGS, backend], capture_output=True, text=True, timeout=200, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "True True\n"

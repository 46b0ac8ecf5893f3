"""Instances that have the memory of others that are gone: each begins as the module says, whatever those did."""

from __future__ import annotations

import gc
import random
from typing import Any

import pytest
import wasmtime

import wasmcore
from wasmcore.runtime.system import images, resources

MODULE = """(module
  (import "env" "host" (func $host (result i32)))
  (memory $m (export "memory") 2 8) (memory $n (export "second") 1)
  (table (export "table") 3 funcref) (table (export "small") 2 5 funcref) (table (export "objects") 2 externref)
  (global (export "number") (mut i32) (i32.const 7)) (global (export "wide") (mut i64) (i64.const -1))
  (global (export "vector") (mut v128) (v128.const i64x2 1 2)) (global (export "function") (mut funcref) (ref.func $f))
  (global (export "nothing") (mut externref) (ref.null extern))
  (func $f (export "f") (result i32) (i32.const 42)) (func $g (export "g") (result i32) (call $host))
  (elem (table 0) (i32.const 1) func $f $g) (elem (table 1) (i32.const 0) func $g)
  (elem $passive func $f $f) (data $bytes "passive")
  (data (memory $m) (i32.const 65530) "across a page") (data (memory $n) (i32.const 0) "0123") (data (memory $n) (i32.const 2) "overlap")
  (func (export "init") (memory.init $m $bytes (i32.const 0) (i32.const 0) (i32.const 7)) (data.drop $bytes)
    (table.init 0 $passive (i32.const 0) (i32.const 0) (i32.const 2)) (elem.drop $passive))
  (func (export "init_again") (memory.init $m $bytes (i32.const 0) (i32.const 0) (i32.const 1)))
  (func (export "grow") (param i32) (drop (memory.grow $m (local.get 0))) (drop (table.grow 0 (ref.func $f) (local.get 0)))
    (drop (table.grow 1 (ref.func $g) (i32.const 1)))))"""
GUARDS = pytest.mark.parametrize("guard", [None, False], ids=["guarded", "checked"])


def state_of(instance: wasmcore.Instance) -> dict[str, Any]:
    """All that can be seen of it; functions by what they are."""
    exports = instance.exports
    found: dict[str, Any] = {name: exports[name].read(0, len(exports[name])) for name in ("memory", "second")}
    names = {exports.f: "f", exports.g: "g"}
    for name in ("table", "small"):
        found[name] = [element and names[element] for element in exports[name]]
    found["objects"] = list(exports.objects)
    for name in ("number", "wide", "vector", "nothing"):
        found[name] = exports[name].value
    found["function"] = exports["function"].value is exports.f
    found["calls"] = exports.f(), exports.g(), exports.table[1](), exports.small[0]()
    return found


def spoil(instance: wasmcore.Instance, chance: random.Random) -> None:
    """Change whatever can be changed."""
    exports = instance.exports
    if chance.random() < 0.7:
        exports.init()
    if chance.random() < 0.7:
        exports.grow(chance.randrange(7))
    if chance.random() < 0.3:
        exports.grow(1000)
        exports.table.grow(chance.randrange(3000), exports.f)
    for name in ("memory", "second"):
        view = exports[name].view()
        view[:] = bytes([chance.randrange(1, 256)]) * len(view)
    for name in ("table", "small"):
        exports[name][0] = exports.g
    exports.objects[1] = object()
    exports.objects.grow(chance.randrange(2000), "object")
    exports.number.value, exports.wide.value, exports.vector.value = 1, 2, bytes(range(16))
    exports["function"].value, exports.nothing.value = None, [instance.module]


@GUARDS
def test_each_begins_as_the_first(backend: str, guard: bool | None) -> None:
    engine = wasmcore.Engine(backend, guard=guard)
    module = wasmcore.Module(MODULE, engine=engine)
    other = wasmcore.Module('(module (memory (export "memory") 1) (data (i32.const 5) "another"))', engine=engine)
    chance = random.Random(backend)
    imports = {"env": {"host": lambda: 5}}
    expected = state_of(wasmcore.Instance(module, imports))
    assert expected["memory"][65530:65543] == b"across a page" and expected["second"][:9] == b"01overlap"
    kept: list[wasmcore.Instance] = []
    for _ in range(60):
        instance = wasmcore.Instance(module, imports)
        assert state_of(instance) == expected
        spoil(instance, chance)
        with pytest.raises(wasmcore.Trap):
            instance.exports.init()
            instance.exports.init_again()
        kept.append(instance)
        if chance.random() < 0.5:
            assert wasmcore.Instance(other).exports.memory.read(0, 1 << 16) == b"\0\0\0\0\0another".ljust(1 << 16, b"\0")
        if chance.random() < 0.5:
            del kept[: chance.randrange(3)]
            gc.collect()


@GUARDS
def test_a_memory_outlives_its_instance_and_its_image(backend: str, guard: bool | None) -> None:
    engine = wasmcore.Engine(backend, guard=guard)
    module = wasmcore.Module('(module (memory (export "memory") 1) (data (i32.const 5) "image"))', engine=engine)
    memories = [wasmcore.Instance(module).exports.memory for _ in range(5)]
    memories[1].write(0, b"own")
    del module
    resources.collect()
    assert [memory.read(0, 10) for memory in memories] == [b"\0\0\0\0\0image"] + [b"own\0\0image"] + [b"\0\0\0\0\0image"] * 3


def test_images_go_with_their_modules(backend: str) -> None:
    resources.collect()
    before = len(images._open)
    texts = [f'(module (memory 1) (data (i32.const 5) "{number}"))' for number in range(80)]
    modules = [wasmcore.Module(text, engine=wasmcore.Engine(backend)) for text in texts]
    for _ in range(3):
        for number, module in enumerate(modules):
            memory = wasmcore.Instance(module)._state.object_of(2, 0)
            assert memory.read_string(5) == str(number)
    assert len(images._open) == images.MOST
    del modules, module, memory
    resources.collect()
    assert len(images._open) <= before


BROKEN = """(module (import "e" "t" (table 4 funcref)) (memory 1) (func $read (result i32) (i32.load8_u (i32.const 0)))
  (elem (i32.const 0) $read) (elem (i32.const 4) $read) (data (i32.const 0) "x"))"""


def test_what_a_broken_instance_leaves_behind_sees_no_data(backend: str) -> None:
    module = wasmcore.Module(bytes(wasmtime.wat2wasm(BROKEN)), engine=wasmcore.Engine(backend))
    for _ in range(3):
        table = wasmcore.Table(4)
        with pytest.raises(wasmcore.Trap):
            wasmcore.Instance(module, {"e": {"t": table}})
        assert table[0]() == 0

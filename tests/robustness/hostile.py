"""Calls and sets everything public of every public object with what does not belong there, then uses the object; run as a program by
`test_public_names.py`, since the point is whether the process lives.

    python hostile.py OBJECT
"""

from __future__ import annotations

import faulthandler
import sys
from collections.abc import Callable, Iterator
from itertools import chain, product
from typing import Any

import wasmcore
from wasmcore.types import Limits, MemoryType, TableType

BIG = (1 << 64) - 8
TEXT = """(module (type $t (func (result i32)))
  (memory (export "m") 1 10) (table (export "t") 4 10 funcref) (global (export "g") (mut i32) (i32.const {0}))
  (global (export "r") (mut funcref) (ref.func $f)) (tag (export "e") (param i32))
  (func $f (export "f") (result i32) (i32.store (i32.const 0) (i32.const {0})) (i32.load8_u (i32.const 0))) (elem (i32.const 1) $f $f)
  (func (export "h") (param i32 i64 f64 funcref externref v128))
  (func (export "grow") (result i32) (memory.grow (i32.const 1))) (func (export "last") (result i32) (i32.load (i32.const 65532)))
  (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""


MORE = """(global i64 (i64.const -1)) (global i64 (i64.const -1)) (func (param i64) (result i64) (local.get 0)) (func) (func)
  (memory i64 3) (table 900 funcref) (table 900 externref)"""


class World:
    """One of each object, all of them linked."""

    def __init__(self, number: int = 7, more: str = "") -> None:
        self.engine = wasmcore.Engine(cache=False)
        self.module = wasmcore.Module(TEXT.format(number)[:-1] + f"{more})", engine=self.engine)
        self.instance = wasmcore.Instance(self.module)
        self.exports = exports = self.instance.exports
        self.function = exports["f"]
        self.wide = exports["h"]
        self.behind = exports["f"].__self__
        self.memory = exports["m"]
        self.table = exports["t"]
        self.cell = exports["g"]
        self.reference = exports["r"]
        self.tag = exports["e"]
        self.func = wasmcore.Func([], ["i32"], lambda: number)
        self.host_memory = wasmcore.Memory(1, 3)
        self.host_table = wasmcore.Table(2, 5)
        self.host_cell = wasmcore.Global("funcref", exports["f"], mutable=True)
        self.linker = wasmcore.Linker()
        self.linker.define_instance("a", self.instance)
        self.view = self.memory.view()

    def use(self) -> None:
        """Do something with each; what goes wrong with an exception is fine."""
        table = self.table
        for action in (
            lambda: self.exports["f"](),
            lambda: self.exports["grow"](),
            lambda: self.exports["last"](),
            lambda: [self.exports["call"](index) for index in range(6)],
            lambda: table.__setitem__(0, self.func),
            lambda: self.exports["call"](0),
            lambda: table.grow(1, self.function),
            lambda: self.host_table.__setitem__(0, self.function),
            lambda: [each() for each in (*table, *self.host_table) if each],
            lambda: (self.reference.value(), self.host_cell.value()),
            lambda: self.memory.write(100, self.memory.read(0, 50)),
            lambda: self.host_memory.grow(1),
            lambda: (self.cell.value, repr(self.__dict__)),
            lambda: wasmcore.Instance(self.module).exports["f"](),
            lambda: self.linker.instantiate(wasmcore.Module(IMPORTS, engine=self.engine)).exports["call"](),
            lambda: wasmcore.Module(TEXT.format(3), engine=self.engine).exports,
            lambda: bytes(self.view[:10]),
        ):
            attempt(action)


IMPORTS = """(module (import "a" "f" (func $f (result i32))) (import "a" "m" (memory 1)) (import "a" "t" (table 1 funcref))
  (import "a" "g" (global $g (mut i32))) (import "a" "r" (global (mut funcref))) (import "a" "e" (tag (param i32)))
  (func (export "call") (result i32) (global.set $g (i32.const 1)) (i32.add (call $f) (i32.load8_u (i32.const 100)))))"""


class Forged:
    """Looks like a function of ours."""

    funcref = type_id = address = 0x1234
    owner = group = trampoline = None
    __self__: Any = None


def attempt(action: Callable[[], Any]) -> bool:
    """Whatever it raises is fine; whether it raises nothing."""
    try:
        action()
    except (Exception, wasmcore.Exit):
        return False
    return True


def values(world: World, other: World) -> list[Any]:
    """What is given where something else belongs."""
    forged = Forged()
    forged.__self__ = forged
    numbers = [0, 1, -1, 5, BIG, 1 << 70, 1.5, True]
    strange = [None, "", "f", b"bytes", (), [], {}, Forged, forged, print, object(), MemoryType(Limits(BIG)), TableType(5, Limits(-1))]
    return [*numbers, *strange, other.behind, other.function, other.func, other.memory, other.table, other.cell, other.module.info]


def public(value: Any) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]


def hostile_calls(world: World, other: World, name: str) -> Iterator[Callable[[], Any]]:
    """Each public attribute called with none to three wrong arguments, the class as well."""
    target = getattr(world, name)
    given = values(world, other)
    few = [0, -1, BIG, 1 << 70, None, given[16], other.function]
    for callee in [target, type(target), *(getattr(target, attribute, None) for attribute in public(target))]:
        if callable(callee) and callee not in LEFT_ALONE:
            yield callee
            for value in given:
                yield lambda callee=callee, value=value: callee(value)
            for arguments in chain(product(few, repeat=2), product(few[2:5], repeat=3)):
                yield lambda callee=callee, arguments=arguments: callee(*arguments)
    initialise = type(target).__init__
    for arguments in ((), (1,), (2, 3), ([], [], print), ("i32", 5), (other.module,), (other.module, {})):
        yield lambda arguments=arguments: initialise(target, *arguments)


def hostile_settings(world: World, other: World, name: str) -> Iterator[Callable[[], Any]]:
    """Each public attribute set to what it is not, to what it is in another world, and deleted."""
    target = getattr(world, name)
    for attribute in public(target):
        for value in [*values(world, other), getattr(getattr(other, name), attribute, None)]:
            yield lambda attribute=attribute, value=value: setattr(target, attribute, value)
        yield lambda attribute=attribute: delattr(target, attribute)


LEFT_ALONE: tuple[Any, ...] = (type, object, memoryview, type(print))


def main(name: str) -> None:
    faulthandler.enable()
    other = World(99, MORE)
    count = 0
    for attack in (hostile_calls, hostile_settings):
        world = World(7)
        for number, action in enumerate(attack(world, other, name)):
            count += 1
            if attempt(action) and attack is hostile_settings or number % 100 == 0:
                world.use()
        world.use()
        other.use()
        del world
    last = World(5)
    assert last.exports["f"]() == 5 == last.exports["call"](1)
    print("alive", count)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Many objects for a long time, and random moves beside a model in Python."""

from __future__ import annotations

import gc
import random
import sys
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import pytest

import wasmcore
from tests.robustness.externref.texts import HOLDER
from tests.robustness.externref.things import Thing, sweeping_everywhere
from wasmcore.runtime.objects import extern_objects
from wasmcore.runtime.objects.group import sweep_all
from wasmcore.types import EXTERNREF


def test_finalizers_that_come_back(run: Callable[..., Any]) -> None:
    """What an object does when it goes may call the instance that held it, and may put objects in."""
    exports = run(HOLDER, table=wasmcore.Table(4, element=EXTERNREF), **{"global": wasmcore.Global("externref", None, mutable=True)})
    kept = Thing(1)

    class Returning:
        def __del__(self) -> None:
            exports.put_own_global(kept)
            gc.collect()

    exports.put_own_table(Returning())
    exports.put_own_table(None)
    gc.collect()
    assert exports.get_own_global() is kept


@pytest.mark.parametrize("way", ["argument", "result", "table"])
def test_soak(run: Callable[..., Any], way: str) -> None:
    """20,000 objects of 10 kB, one after the other: there are never more than a few."""
    alive: WeakSet[Any] = WeakSet()
    most = 0

    class Large(bytearray):
        __hash__ = object.__hash__

    def make() -> Large:
        nonlocal most
        made = Large(10000)
        alive.add(made)
        most = max(most, len(alive))
        return made

    exports = run(
        """(module (import "env" "make" (func $make (result externref))) (table (export "t") 1 externref)
        (func (export "result") (drop (call $make)))
        (func (export "argument") (param externref)))""",
        make=make,
    )
    for _ in range(20000):
        if way == "argument":
            exports.argument(make())
        elif way == "result":
            exports.result()
        else:
            exports.t[0] = make()
    assert most <= 2 * extern_objects.SMALLEST_ROOM
    exports.t[0] = None
    gc.collect()
    assert not alive


def test_large_tables_are_not_read_too_often(run: Callable[..., Any]) -> None:
    """The room follows what a sweep has to read."""
    exports = run("""(module (table (export "t") 100000 externref) (func (export "f") (param externref)))""")
    exports.f(Thing())
    sweep_all()
    assert exports.t._space._group.store.room == 100001 // extern_objects.WORDS_PER_OBJECT


MOVES = """(module
  (import "env" "step" (func $step (param externref) (result externref)))
  (import "env" "table" (table $shared 8 externref))
  (table $own (export "own") 8 externref)
  (global $g (mut externref) (ref.null extern))
  (func (export "exchange") (param $at i32) (param $value externref) (result externref) (local $old externref)
    (local.set $old (table.get $own (local.get $at)))
    (table.set $own (local.get $at) (local.get $value))
    (local.get $old))
  (func (export "share") (param $from i32) (param $to i32)
    (table.copy $shared $own (local.get $to) (local.get $from) (i32.const 1)))
  (func (export "take") (param $from i32) (param $to i32)
    (table.copy $own $shared (local.get $to) (local.get $from) (i32.const 1))
    (table.set $shared (local.get $from) (ref.null extern)))
  (func (export "rotate") (param $at i32) (local $kept externref)
    (local.set $kept (global.get $g))
    (global.set $g (table.get $own (local.get $at)))
    (table.set $own (local.get $at) (call $step (local.get $kept))))
  (func (export "variable") (result externref) (global.get $g)))"""


class Model:
    """What the instance should hold, by the numbers of the objects."""

    def __init__(self, run: Callable[..., Any], seed: int) -> None:
        self.random = random.Random(seed)
        self.alive: WeakSet[Thing] = WeakSet()
        self.made = 0
        self.own: list[int | None] = [None] * 8
        self.shared: list[int | None] = [None] * 8
        self.variable: int | None = None
        self.table = wasmcore.Table(8, element=EXTERNREF)
        self.exports = run(MOVES, step=self.step, table=self.table)
        self.depth = 0

    def make(self) -> Thing:
        self.made += 1
        thing = Thing(self.made)
        self.alive.add(thing)
        return thing

    def step(self, thing: Thing | None) -> Thing | None:
        """In a host function: anything may happen, as long as what is given comes back."""
        number = thing and thing.number
        self.depth += 1
        if self.depth < 4:
            self.do(own=False)
        self.depth -= 1
        assert (thing and thing.number) == number
        return thing

    def do(self, own: bool = True) -> None:
        """One step; without `own`, it changes the imported table only."""
        at, other = self.random.randrange(8), self.random.randrange(8)
        action = self.random.choice(["exchange", "share", "take", "rotate"] if own else ["put", "clear"])
        if action == "exchange":
            thing = self.random.choice([None, self.make()])
            before = self.exports.exchange(at, thing)
            assert (before and before.number) == self.own[at]
            self.own[at] = thing and thing.number
        elif action == "share":
            self.exports.share(at, other)
            self.shared[other] = self.own[at]
        elif action == "take":
            self.exports.take(at, other)
            self.own[other], self.shared[at] = self.shared[at], None
        elif action == "rotate":
            self.exports.rotate(at)
            self.own[at], self.variable = self.variable, self.own[at]
        else:
            thing = self.make() if action == "put" else None
            self.table[at] = thing
            self.shared[at] = thing and thing.number

    def check(self) -> None:
        def numbers(table: Any) -> list[int | None]:
            return [thing and thing.number for thing in table]

        assert numbers(self.exports.own) == self.own and numbers(self.table) == self.shared
        variable = self.exports.variable()
        assert (variable and variable.number) == self.variable
        del variable
        sweep_all()
        held = {number for number in (*self.own, *self.shared, self.variable) if number is not None}
        assert {thing.number for thing in self.alive} == held


def test_random_moves_with_sweeps_everywhere(run: Callable[..., Any]) -> None:
    model = Model(run, 1)
    for _ in range(150):
        with sweeping_everywhere():
            model.do()
        model.check()


@pytest.mark.slow
def test_random_moves_on_threads_with_sweeps_everywhere(run: Callable[..., Any]) -> None:
    """Each thread has an instance of its own; each sweeps all of them, and the interpreter lock changes hands all the time."""
    errors = []

    def work(seed: int) -> None:
        try:
            model = Model(run, seed)
            for _ in range(100):
                with sweeping_everywhere():
                    model.do()
            gc.collect()
            assert [thing and thing.number for thing in model.exports.own] == model.own
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors


def test_one_instance_on_threads_with_sweeps_everywhere(run: Callable[..., Any]) -> None:
    """Calls of one instance take turns; sweeps by those who wait let nothing go that it holds."""
    exports = run(
        """(module (table $t 64 externref)
        (func (export "exchange") (param $at i32) (param $value externref) (result externref) (local $old externref)
          (local.set $old (table.get $t (local.get $at)))
          (table.set $t (local.get $at) (local.get $value))
          (local.get $old)))"""
    )
    errors = []

    def work(first: int) -> None:
        held: dict[int, int] = {}
        chosen = random.Random(first)
        try:
            for number in range(400):
                at = first + chosen.randrange(8)
                thing = Thing(number)
                while True:
                    try:
                        before = exports.exchange(at, thing)
                        break
                    except wasmcore.StoreBusyError:
                        continue
                assert (before and before.number) == held.get(at)
                held[at] = number
                del thing, before
                sweep_all()
        except BaseException as error:
            errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(8 * number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not errors

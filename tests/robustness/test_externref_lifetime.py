"""Objects given as externref: the right one comes back as long as anything can reach it, and it goes when nothing can."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet, ref

import pytest

import wasmcore
from tests.other_thread import on_a_thread
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.objects import extern_objects
from wasmcore.runtime.objects.group import sweep_all
from wasmcore.types import EXTERNREF

MANY = 24
"""Parameters, most of which find no register."""


class Thing:
    """An object that can be told from others, and seen to go."""

    def __init__(self, number: int = 0) -> None:
        self.number = number


@pytest.fixture(params=["signals", "no signals", "released"])
def run(request: pytest.FixtureRequest, backend: str) -> Callable[..., Any]:
    """Makes an instance of a text in one of three modes and gives its exports."""
    engine = wasmcore.Engine(backend, signals=request.param != "no signals")
    released = request.param == "released"

    def instantiate(text: str, **functions: Any) -> Any:
        return wasmcore.Instance(wasmcore.Module(text, engine=engine), {"env": functions}, release_gil=released).exports

    return instantiate


@contextmanager
def sweeping_everywhere() -> Iterator[None]:
    """Sweep whenever a Python function of this thread is entered or left, those of the runtime included."""
    sys.setprofile(lambda *_: sweep_all())
    try:
        yield
    finally:
        sys.setprofile(None)


def check_gone(seen: ref[Thing]) -> None:
    gc.collect()
    assert seen() is None


HOLDER = """(module
  (import "env" "table" (table $imported 4 externref))
  (import "env" "global" (global $variable (mut externref)))
  (table $own (export "own") 4 externref)
  (global $cell (export "cell") (mut externref) (ref.null extern))
  (func (export "put_imported_table") (param externref) (table.set $imported (i32.const 3) (local.get 0)))
  (func (export "get_imported_table") (result externref) (table.get $imported (i32.const 3)))
  (func (export "put_imported_global") (param externref) (global.set $variable (local.get 0)))
  (func (export "get_imported_global") (result externref) (global.get $variable))
  (func (export "put_own_table") (param externref) (table.set $own (i32.const 3) (local.get 0)))
  (func (export "get_own_table") (result externref) (table.get $own (i32.const 3)))
  (func (export "put_own_global") (param externref) (global.set $cell (local.get 0)))
  (func (export "get_own_global") (result externref) (global.get $cell)))"""


@pytest.mark.parametrize("getter", ["WebAssembly", "Python"])
@pytest.mark.parametrize("putter", ["WebAssembly", "Python"])
@pytest.mark.parametrize("place", ["own_table", "imported_table", "own_global", "imported_global"])
def test_tables_and_globals(run: Callable[..., Any], place: str, putter: str, getter: str) -> None:
    table, variable = wasmcore.Table(4, element=EXTERNREF), wasmcore.Global("externref", None, mutable=True)
    exports = run(HOLDER, table=table, **{"global": variable})
    cell: Any = {"own_table": exports.own, "imported_table": table, "own_global": exports.cell, "imported_global": variable}[place]

    def put(value: object) -> None:
        if putter == "WebAssembly":
            exports[f"put_{place}"](value)
        elif isinstance(cell, wasmcore.Table):
            cell[3] = value
        else:
            cell.value = value

    def get() -> object:
        if getter == "WebAssembly":
            return exports[f"get_{place}"]()
        return cell[3] if isinstance(cell, wasmcore.Table) else cell.value

    thing = Thing()
    seen = ref(thing)
    put(thing)
    del thing
    for _ in range(3):
        gc.collect()
        assert seen() is not None and get() is seen()
    put(None)
    assert get() is None
    check_gone(seen)


def test_host_made_places_without_an_instance() -> None:
    thing = Thing()
    seen = ref(thing)
    table = wasmcore.Table(3, element=EXTERNREF, initial=thing)
    constant = wasmcore.Global("externref", thing)
    table.grow(5, thing)
    del thing
    gc.collect()
    assert {id(table[place]) for place in range(8)} == {id(constant.value)} == {id(seen())}
    for place in range(8):
        table[place] = None
    gc.collect()
    assert constant.value is seen() is not None
    del constant
    check_gone(seen)


def test_imported_constant(run: Callable[..., Any]) -> None:
    """The instance has a copy, and an element segment that is made from it."""
    thing = Thing()
    seen = ref(thing)
    text = """(module (import "env" "constant" (global $constant externref)) (table $t 2 externref)
      (elem $e externref (item (global.get $constant)) (item (ref.null extern)))
      (global $second externref (global.get $constant))
      (func (export "read") (result externref externref) (global.get $constant) (global.get $second))
      (func (export "init") (result externref)
        (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 2)) (table.get $t (i32.const 0))))"""
    exports = run(text, constant=wasmcore.Global("externref", thing))
    del thing
    gc.collect()
    first, second = exports.read()
    assert first is second is exports.init() is seen() is not None
    del first, second, exports
    check_gone(seen)


FRAMES = """(module
  (import "env" "make" (func $make (param i32) (result externref)))
  (import "env" "pair" (func $pair (param i32) (result externref externref)))
  (import "env" "check" (func $check (param i32 externref)))
  (import "env" "collect" (func $collect))
  (table $t (export "t") 40 externref)
  (func (export "local") (param i32) (local externref)
    (local.set 1 (call $make (local.get 0))) (call $collect) (call $check (local.get 0) (local.get 1)))
  (func (export "operand") (param i32)
    (local.get 0) (call $make (local.get 0)) (call $collect) (call $check))
  (func (export "pairs") (param i32) (local externref)
    (local.get 0) (call $pair (local.get 0)) (local.set 1) (call $collect)
    (call $check) (call $check (i32.add (local.get 0) (i32.const 1)) (local.get 1)))
  (func $deep (export "deep") (param i32) (local externref)
    (if (local.get 0) (then
      (local.set 1 (call $make (local.get 0)))
      (call $deep (i32.sub (local.get 0) (i32.const 1)))
      (call $check (local.get 0) (local.get 1)))
    (else (call $collect))))
  (func (export "fill") (param i32) (local externref)
    (table.fill $t (i32.const 0) (call $make (local.get 0)) (i32.const 3))
    (drop (table.grow $t (call $make (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (table.copy $t $t (i32.const 4) (i32.const 0) (i32.const 3))
    (call $collect)
    (call $check (local.get 0) (table.get $t (i32.const 6)))
    (call $check (i32.add (local.get 0) (i32.const 1)) (table.get $t (i32.sub (table.size $t) (i32.const 1))))
    (table.fill $t (i32.const 0) (ref.null extern) (table.size $t)))
  (func $take (export "take") (param {PARAMS})
    (call $collect) {CHECKS})
  (func $tail (export "tail") (param i32 {PARAMS})
    (if (local.get 0)
      (then (return_call $tail (i32.sub (local.get 0) (i32.const 1)) {ROTATED}))
      (else (return_call $take {GIVEN}))))
  (func (export "many") (param i32) (call $take {MADE}))
  (func (export "tails") (param i32) (call $tail (i32.const {MANY}) {MADE}))
  (func (export "results") (param i32) (result externref i32 externref funcref externref)
    (call $make (i32.const 1)) (i32.const 7) (call $make (i32.const 3)) (ref.func $take) (call $make (i32.const 5)))
  (func (export "result") (param i32) (result externref) (call $make (local.get 0)))
  (func (export "round") (param i32) (local externref)
    (local.set 1 (table.get $t (local.get 0))) (table.set $t (local.get 0) (ref.null extern))
    (call $collect) (call $check (local.get 0) (local.get 1))))"""
NUMBERS = {
    "PARAMS": " ".join(["externref"] * MANY),
    "CHECKS": " ".join(f"(call $check (i32.const {n}) (local.get {n}))" for n in range(MANY)),
    "ROTATED": " ".join(f"(local.get {1 + (n + 1) % MANY})" for n in range(MANY)),
    "GIVEN": " ".join(f"(local.get {1 + n})" for n in range(MANY)),
    "MADE": " ".join(f"(call $make (i32.const {n}))" for n in range(MANY)),
    "MANY": str(MANY),
}


class Host:
    """Makes numbered objects that only WebAssembly keeps, and checks that they come back."""

    def __init__(self) -> None:
        self.alive: WeakSet[Thing] = WeakSet()
        self.checked = 0
        self.most = 0

    def make(self, number: int) -> Thing:
        thing = Thing(number)
        self.alive.add(thing)
        self.most = max(self.most, len(self.alive))
        return thing

    def pair(self, number: int) -> Iterator[Thing]:
        yield self.make(number)
        gc.collect()
        yield self.make(number + 1)

    def check(self, number: int, thing: Thing) -> None:
        assert thing.number == number and thing in self.alive
        self.checked += 1

    def functions(self) -> dict[str, Callable[..., Any]]:
        return {"make": self.make, "pair": self.pair, "check": self.check, "collect": sweep_all}


FRAME_FUNCTIONS = {"local": 1, "operand": 1, "pairs": 2, "deep": 30, "fill": 2, "many": MANY, "tails": MANY}
"""Each makes and checks so many objects."""


@pytest.mark.parametrize("everywhere", [False, True], ids=["now and then", "everywhere"])
@pytest.mark.parametrize("name", FRAME_FUNCTIONS)
def test_frames(run: Callable[..., Any], name: str, everywhere: bool) -> None:
    """In a local, on the operand stack, in many frames, in arguments on their way: also while a function is compiled."""
    host = Host()
    exports = run(FRAMES.format(**NUMBERS), **host.functions())
    number = FRAME_FUNCTIONS[name] if name == "deep" else 5
    for _ in range(2):
        if everywhere:
            with sweeping_everywhere():
                exports[name](number)
        else:
            exports[name](number)
    assert host.checked == 2 * FRAME_FUNCTIONS[name]
    gc.collect()
    assert not host.alive


def test_on_a_small_stack_of_another_thread(run: Callable[..., Any]) -> None:
    host = Host()
    exports = run(FRAMES.format(**NUMBERS), **host.functions())
    exports.many(0)
    on_a_thread(lambda: exports.deep(50))
    gc.collect()
    assert host.checked == MANY + 50 and not host.alive


def test_results(run: Callable[..., Any]) -> None:
    host = Host()
    exports = run(FRAMES.format(**NUMBERS), **host.functions())

    def use() -> None:
        with sweeping_everywhere():
            first, number, second, function, third = exports.results(0)
            last = exports.result(9)
        assert [first.number, number, second.number, third.number, last.number] == [1, 7, 3, 5, 9]
        assert function is exports.take

    for _ in range(3):
        use()
    gc.collect()
    assert not host.alive


def test_arguments_whose_conversion_runs_python(run: Callable[..., Any]) -> None:
    class Collecting:
        def __index__(self) -> int:
            gc.collect()
            return 4

    text = """(module (table $t 1 externref)
      (func (export "f") (param externref i32 externref) (result externref externref) (local.get 2) (local.get 0))
      (func (export "g") (param (ref extern) i32) (result (ref extern)) (local.get 0)))"""
    exports = run(text)
    things = Thing(), Thing()
    assert exports.f(things[0], Collecting(), things[1]) == things[::-1]
    assert exports.g(things[0], Collecting()) is things[0]
    seen = [ref(thing) for thing in things]
    del things
    for thing in seen:
        check_gone(thing)
    for wrong in (None,):
        with pytest.raises(TypeError, match="argument 1: .*None"):
            exports.g(wrong, 1)
    with pytest.raises(TypeError, match="argument 2"):
        exports.f(None, "x", None)


def test_a_call_that_fails_keeps_nothing(run: Callable[..., Any]) -> None:
    def host(thing: object) -> object:
        raise KeyError(thing.number if isinstance(thing, Thing) else 0)

    exports = run(
        """(module (import "env" "host" (func $host (param externref) (result externref externref)))
        (func (export "f") (param externref) (result externref externref) (call $host (local.get 0)))
        (func (export "t") (param externref) (result externref i32) unreachable))""",
        host=host,
    )
    thing = Thing(3)
    seen = ref(thing)
    with pytest.raises(KeyError):
        exports.f(thing)
    with pytest.raises(wasmcore.Trap):
        exports.t(thing)
    with pytest.raises(TypeError):
        exports.f(thing, thing)
    del thing
    check_gone(seen)


POLLED = """(module (import "env" "make" (func $make (result externref)))
  (memory (export "memory") 1)
  (func $hold (param externref) (result externref)
    (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0)))))
    (local.get 0))
  (func (export "spin") (result externref) (call $hold (call $make))))"""


def test_poll_of_a_loop(run: Callable[..., Any]) -> None:
    """A signal handler collects while the only reference is in a register."""
    host = Host()
    view: list[Any] = []

    def collect(*_: object) -> None:
        gc.collect()
        sweep_all()
        view[0][0] = 1

    before = signal.signal(signal.SIGALRM, collect)
    try:
        exports = run(POLLED, make=lambda: host.make(8))
        view.append(exports.memory.view())
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert exports.spin().number == 8
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    assert not host.alive


def test_poll_at_the_entry_of_a_function(run: Callable[..., Any]) -> None:
    """Its arguments are in registers and in the overflow area, which other calls use meanwhile."""
    host = Host()
    disturbed = []

    def disturb() -> None:
        disturbed.append(exports.numbers(*range(MANY)))
        sweep_all()

    def make(number: int) -> Thing:
        if number == MANY - 1:
            next(store for store in list(stores._by_address.values()) if store.activation).call_at_poll(disturb)
        return host.make(number)

    numbers = f'(func (export "numbers") (param {" ".join(["i64"] * MANY)}) (result i64) (local.get {MANY - 1})))'
    exports = run(FRAMES.format(**NUMBERS)[:-1] + numbers, **{**host.functions(), "make": make})
    for _ in range(3):
        exports.many(0)
    assert disturbed == [MANY - 1] * 3 and host.checked == 3 * MANY
    gc.collect()
    assert not host.alive


def test_calls_inside_of_calls(run: Callable[..., Any]) -> None:
    """Frames of all calls that wait are looked at, not only of the innermost."""
    host = Host()

    def collect() -> None:
        if len(host.alive) < 20:
            exports[random.Random(len(host.alive)).choice(["local", "operand", "pairs"])](len(host.alive))
        sweep_all()

    exports = run(FRAMES.format(**NUMBERS), **{**host.functions(), "collect": collect})
    exports.deep(4)
    assert host.checked >= 20
    gc.collect()
    assert not host.alive


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

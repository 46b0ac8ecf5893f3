"""References in frames of generated code, in arguments and results: nothing that code still needs goes."""

from __future__ import annotations

import gc
import random
import signal
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

import wasmcore
from tests.other_thread import on_a_thread
from tests.robustness.externref.texts import FRAMES, MANY, NUMBERS, POLLED
from tests.robustness.externref.things import Host, Thing, check_gone, sweeping_everywhere
from wasmcore.runtime.execution.blocks import stores
from wasmcore.runtime.objects.group import sweep_all

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
            next(store for store in stores.everything() if store.activation).call_at_poll(disturb)
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

"""What a guest asks for with almost no stack left: it is compiled on a stack of known size, and nothing overruns."""

from __future__ import annotations

import _thread
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from wasmcore.runtime.execution import stacks

PROGRAM = Path(__file__).with_name("small_stacks.py")
TWO = '(module (func (export "first") (result i32) (i32.const 1)) (func (export "second") (result i32) (i32.const 2)))'


@pytest.mark.parametrize("kib", [64, 0, pytest.param(128, marks=pytest.mark.slow), pytest.param(256, marks=pytest.mark.slow)])
def test_deep_guests(backend: str, kib: int) -> None:
    """See the program: every kind of function that is compiled late, every built-in, traps; 0 is the main thread."""
    ended = subprocess.run([sys.executable, str(PROGRAM), backend, str(kib)], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0 and ended.stdout.endswith("alive\n"), (ended.returncode, ended.stdout[-300:], ended.stderr[-2000:])


def test_the_ordinary_way_starts_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "_start", None)
    assert stacks.with_room(threading.get_ident) == threading.get_ident()


def test_small_threads_compile_elsewhere() -> None:
    found = []
    before = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=lambda: found.append((stacks.room(), stacks.with_room(stacks.room))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    ((own, other),) = found
    assert 0 < own <= 256 << 10 and other >= stacks.ENOUGH


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "room", lambda: 0)


def test_exceptions_come_through(no_room: None) -> None:
    assert stacks.with_room(int, "7") == 7
    with pytest.raises(ValueError, match="seven"):
        stacks.with_room(int, "seven")
    assert threading.stack_size() == 0


def test_no_memory_for_another_stack(no_room: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: Callable[[], None], arguments: tuple[()]) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", fails)
    with pytest.raises(MemoryError, match="too little stack"):
        stacks.with_room(int)
    assert threading.stack_size() == 0


def test_interrupted_while_it_compiles(backend: str, no_room: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interrupt comes at once, other functions and the same can be compiled before the first has ended, and nothing stays locked."""
    engine = wasmcore.Engine(backend, lazy=True, cache=False)
    actual, go_on, ended = engine.backend, threading.Event(), threading.Event()
    first, waited = threading.Lock(), list[bool]()

    class Slow:
        """In this process; at first interrupts the main thread, and compiles when it may."""

        def __getattr__(self, name: str) -> Any:
            if name == "lower":
                raise AttributeError(name)
            return getattr(actual, name)

        def compile(self, unit: Any) -> Any:
            if not first.acquire(blocking=False):
                return actual.compile(unit)
            main_thread = threading.main_thread().ident
            assert main_thread is not None
            signal.pthread_kill(main_thread, signal.SIGINT)
            waited.append(go_on.wait(60))
            try:
                return actual.compile(unit)
            finally:
                ended.set()

    monkeypatch.setattr(engine, "backend", Slow())
    exports = wasmcore.Instance(wasmcore.Module(TWO, engine=engine)).exports
    with pytest.raises(KeyboardInterrupt):
        exports.first()
    assert exports.second() == 2
    assert exports.first() == 1
    go_on.set()
    assert ended.wait(60) and waited == [True]
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(exports.first() + exports.second()))
    thread.start()
    thread.join(60)
    assert found == [3]
    assert threading.stack_size() == 0

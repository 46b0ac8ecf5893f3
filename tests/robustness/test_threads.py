"""Threads beside a long call: others have their turn, and who wants to enter the same instance waits for it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import wasmcore
from wasmcore.runtime.system import platform

TEXT = """(module (import "host" "f" (func $f (param i32))) (memory (export "memory") 1)
  (func (export "spin") (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0))))))
  (func (export "count") (param i32) (result i32)
    (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 7))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "half") (param f64) (result f64) (f64.mul (local.get 0) (f64.const 0.5)))
  (func (export "pair") (result i64 f32) (i64.const 5) (f32.const 1.5))
  (func (export "host") (param i32) (call $f (local.get 0)))
  (func (export "trap") unreachable))"""


def make(backend: str, host: Callable[[int], None] = lambda number: None, **options: Any) -> Any:
    engine = wasmcore.Engine(backend, **options.pop("engine", {}))
    return wasmcore.Instance(wasmcore.Module(TEXT, engine=engine), {"host": {"f": host}}, **options).exports


@pytest.mark.parametrize("signals", [True, False])
@pytest.mark.parametrize("release_gil", [False, True])
def test_other_threads_run_during_a_long_call(signals: bool, release_gil: bool, backend: str) -> None:
    """The call ends because another thread of Python says so."""
    exports = make(backend, release_gil=release_gil, engine={"signals": signals})
    view = exports.memory.view()
    thread = threading.Thread(target=exports.spin)
    thread.start()
    for _ in range(20):
        time.sleep(0.001)
    view[0] = 1
    thread.join(100)
    assert not thread.is_alive()


@pytest.mark.parametrize("signals", [True, False])
def test_a_long_call_goes_on_however_long_the_others_take(signals: bool, backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens in Python at a poll may take longer than a tick; the call has a tick of its own behind it."""
    turns = []

    def take_long() -> None:
        turns.append(1)
        time.sleep(0.06)

    monkeypatch.setattr(platform, "give_others_a_turn", take_long)
    exports = make(backend, engine={"signals": signals})
    while len(turns) < 3:
        assert exports.count(50_000_000) == 7
    assert len(turns) < 500


def test_many_long_calls_at_once(backend: str) -> None:
    """Instances of their own on threads of their own, more than there are processors; all make progress together."""
    instances = [make(backend) for _ in range(8)]
    threads = [threading.Thread(target=exports.spin) for exports in instances]
    for thread in threads:
        thread.start()
    for exports in instances:
        exports.memory.view()[0] = 1
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive()


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("release_gil", [False, True])
def test_threads_that_call_one_instance_are_served_in_turn(release_gil: bool, lazy: bool, backend: str) -> None:
    """While functions are compiled, poll, wait in Python and trap; with results of every kind."""
    exports = make(backend, lambda number: time.sleep(0.001), release_gil=release_gil, engine={"lazy": lazy})
    done = []

    def work(number: int) -> None:
        for _ in range(10):
            assert exports.count(100_000) == 7
            assert exports.add(number, 1) == number + 1
            assert exports.half(float(number)) == number / 2
            assert exports.pair() == (5, 1.5)
            exports.host(number)
            with pytest.raises(wasmcore.Trap):
                exports.trap()
        done.append(number)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert sorted(done) == list(range(6))


def test_a_waiting_thread_is_let_in_before_the_same_one_again(backend: str) -> None:
    """Who leaves and calls again at once waits behind those that are waiting."""
    order = []
    inside, queued = threading.Event(), threading.Event()

    def host(number: int) -> None:
        order.append(number)
        if number == 0:
            inside.set()
            queued.wait(100)
            time.sleep(0.2)

    exports = make(backend, host)

    def first() -> None:
        exports.host(0)
        exports.host(2)

    def second() -> None:
        inside.wait(100)
        queued.set()
        exports.host(1)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert order == [0, 1, 2]


def on_threads(*functions: Callable[[], Any]) -> list[BaseException | None]:
    """Run each on a thread; the exception that each ended with."""
    with ThreadPoolExecutor(len(functions)) as pool:
        return [future.exception(100) for future in [pool.submit(function) for function in functions]]


def test_a_thread_does_not_wait_for_itself_through_one_that_it_joins(backend: str) -> None:
    ended: list[BaseException | None] = []

    def host(number: int) -> None:
        if number:
            thread = threading.Thread(target=lambda: ended.extend([pytest.raises(wasmcore.StoreBusyError, exports.add, 1, 2).value]))
            thread.start()
            thread.join()

    exports = make(backend, host)
    exports.host(1)
    assert len(ended) == 1 and "waits for this thread" in str(ended[0])
    assert exports.add(1, 2) == 3


def test_a_thread_does_not_wait_for_itself_through_a_future(backend: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        exports = make(backend, lambda number: pool.submit(exports.add, 1, 2).result())
        with pytest.raises(wasmcore.StoreBusyError):
            exports.host(1)
    assert exports.add(1, 2) == 3


def test_two_threads_that_wait_for_each_other(backend: str) -> None:
    """Each is inside of one instance and calls the other: one of them is refused, so both come to an end."""
    both = threading.Barrier(2)

    def cross(number: int) -> None:
        both.wait(100)
        instances[1 - number].add(1, 2)

    instances = [make(backend, cross) for _ in range(2)]
    ended = on_threads(lambda: instances[0].host(0), lambda: instances[1].host(1))
    refused = [error for error in ended if error is not None]
    assert refused and all(isinstance(error, wasmcore.StoreBusyError) for error in refused)
    assert [exports.add(1, 2) for exports in instances] == [3, 3]


def test_who_does_not_want_to_wait(backend: str) -> None:
    inside, leave = threading.Event(), threading.Event()
    exports = make(backend, lambda number: (inside.set(), leave.wait(100)) and None, wait=False)
    thread = threading.Thread(target=exports.host, args=(1,))
    thread.start()
    assert inside.wait(100)
    with pytest.raises(wasmcore.StoreBusyError):
        exports.add(1, 2)
    leave.set()
    thread.join()
    assert exports.add(1, 2) == 3


def test_references_go_to_an_instance_that_is_busy(backend: str) -> None:
    """Functions of two instances meet in a table while another thread is inside of one of them."""
    inside, leave = threading.Event(), threading.Event()
    exports = make(backend, lambda number: (inside.set(), leave.wait(100)) and None)
    table = wasmcore.Instance(wasmcore.Module('(module (table (export "t") 2 funcref))', backend=backend)).exports.t
    table[1] = make(backend).add
    thread = threading.Thread(target=exports.host, args=(1,))
    thread.start()
    assert inside.wait(100)
    threading.Timer(0.2, leave.set).start()
    table[0] = exports.add
    assert table[0](1, 2) == 3
    thread.join()


LINKED = """(module (import "host" "f" (func $f)) (table (export "t") 4 funcref) (type $n (func (result i32)))
  (func $k (export "k") (result i32) (i32.const 7))
  (func (export "host") (call $f)) (func (export "same") (param externref) (result externref) (local.get 0))
  (func (export "call") (param i32) (result i32) (call_indirect (type $n) (local.get 0)))
  (func (export "count") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""


def test_instances_are_linked_while_threads_call_them(backend: str) -> None:
    """Groups become one, and go, at any moment of the calls of others."""
    module = wasmcore.Module(LINKED, backend=backend)

    def new() -> Any:
        return wasmcore.Instance(module, {"host": {"f": lambda: time.sleep(0.0005)}}).exports

    pool = [new() for _ in range(6)]
    end = time.monotonic() + 2

    def work(seed: int) -> int:
        choose = random.Random(seed)
        steps = 0
        while time.monotonic() < end:
            one, other, place = choose.choice(pool), choose.choice(pool), choose.randrange(4)
            action = choose.randrange(7)
            if action < 2:
                one.t[place] = other.k
            elif action == 2 and one.t[place] is not None:
                assert one.call(place) == 7
            elif action == 3:
                one.count(200_000)
            elif action == 4:
                one.host()
            elif action == 5:
                thing = object()
                assert one.same(thing) is thing
            else:
                pool[choose.randrange(6)] = new()
            steps += 1
        return steps

    with ThreadPoolExecutor(5) as threads:
        assert all(future.result(100) for future in [threads.submit(work, seed) for seed in range(5)])


def in_a_process(script: str, backend: str) -> str:
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", script, backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


LOOP = """
import os, signal, sys, threading, time, wasmcore
module = wasmcore.Module('(module (func (export "spin") (loop (br 0))) (func (export "nop")))', backend=sys.argv[1])
exports = wasmcore.Instance(module).exports
exports.nop()
"""


def test_ctrl_c_reaches_a_thread_that_waits(backend: str) -> None:
    script = LOOP + """
threading.Thread(target=exports.spin, daemon=True).start()
time.sleep(0.1)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    exports.nop()
except KeyboardInterrupt:
    print("interrupted", flush=True)
os._exit(0)
"""
    assert in_a_process(script, backend) == "interrupted"


def test_a_thread_in_a_loop_does_not_keep_the_process(backend: str) -> None:
    script = LOOP + """
threading.Thread(target=exports.spin, daemon=True).start()
threading.Thread(target=wasmcore.Instance(module, release_gil=True).exports.spin, daemon=True).start()
time.sleep(0.1)
print("end")
"""
    assert in_a_process(script, backend) == "end"


FORK = LOOP + """
import warnings
spinning = []
def beside_a_loop():
    spinning.append(threading.Thread(target=wasmcore.Instance(module).exports.spin, daemon=True))
    spinning[-1].start()
    for _ in range(5):
        time.sleep(0.001)
def fork():
    child = os.fork()
    if not child:
        beside_a_loop()
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def test_a_fork_beside_long_calls(backend: str) -> None:
    """Long calls stay fair in the parent, which stops the ticker for a moment at each fork, and are fair in the child."""
    script = FORK + """
warnings.simplefilter("ignore")  # of the threads
beside_a_loop()
print({fork() for _ in range(20)}, flush=True)
os._exit(0)
"""
    assert in_a_process(script, backend) == "{7}"


def test_python_does_not_warn_of_the_ticker_at_a_fork(backend: str) -> None:
    """Python 3.12 and later warn of threads, rightly where there is one besides."""
    assert in_a_process(FORK + "print(fork(), fork())", backend) == "7 7"


def test_threads_that_come_and_go(backend: str) -> None:
    """The ticker looks at threads and stores that end in this instant."""
    ended = 0
    end = time.monotonic() + 1
    while time.monotonic() < end:
        exports = make(backend)
        threads = [threading.Thread(target=exports.count, args=(2_000_000,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
            ended += 1
    assert ended


def test_no_ticker_is_left_behind() -> None:
    """One native thread for all, however many instances and threads there have been."""
    names = []
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/comm") as stream:
            names.append(stream.read().strip())
    assert names.count("wasmcore-ticker") <= 1

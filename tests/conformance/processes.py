"""What the tests run in processes of their own: `python -m tests.conformance.processes NAME CAST`, which says OK at its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import wasmcore

from . import loops, wide
from .casts import Cast, Player

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(name: str, cast: Cast) -> None:
    """Run one of the functions below in a process; AssertionError with what it printed if it does not end well."""
    command = [sys.executable, "-m", "tests.conformance.processes", name, json.dumps(cast.players)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=140, cwd=ROOT)
    assert (ended.stdout, ended.returncode) == ("OK\n", 0), ended.stderr


def _interrupt_from_outside() -> subprocess.Popen[bytes]:
    """Another process sends SIGINT to this one: it arrives even where no Python code can run here."""
    return subprocess.Popen(["/bin/sh", "-c", f"sleep 0.2; kill -INT {os.getpid()}"])


def ctrl_c(cast: Cast) -> None:
    """Ctrl-C ends every loop, and everything works afterwards."""
    for name in loops.LOOPS:
        links = loops.make(cast, name, False)
        killer = None
        try:
            killer = _interrupt_from_outside()
            links[0].f(0)
        except KeyboardInterrupt:
            assert killer is not None and killer.wait() == 0
        else:
            raise SystemExit(f"{name} returned")
        assert [exports.answer() for exports in links] == [42] * len(links)


def raised_by_a_thread(cast: Cast) -> None:
    """The same where the lock is released and a thread of this process raises the signal."""
    for name in loops.LOOPS:
        links = loops.make(cast, name, True)
        timer = threading.Timer(0.1, signal.raise_signal, (signal.SIGINT,))
        try:
            timer.start()
            links[0].f(0)
        except KeyboardInterrupt:
            timer.join()
        else:
            raise SystemExit(f"{name} returned")
        assert [exports.answer() for exports in links] == [42] * len(links)


def handler_calls_back(cast: Cast) -> None:
    """A handler of one's own, which runs in the middle of a chain, calls another chain of the same store, and raises at last."""
    chain = cast.chain(3, lambda number: wide.link("call" if number < 2 else None, number))
    given = wide.values(3)
    expected = list(chain[0].f(*given))
    seen = 0

    def handler(_number: int, _frame: object) -> None:
        nonlocal seen
        seen += 1
        assert list(chain[0].f(*given)) == expected
        if seen == 2:
            raise TimeoutError("enough")
        killers.append(_interrupt_from_outside())

    signal.signal(signal.SIGINT, handler)
    for name in loops.LOOPS:
        links = loops.make(cast, name, False)
        seen = 0
        killers = []
        try:
            killers.append(_interrupt_from_outside())
            links[0].f(0)
        except TimeoutError:
            assert seen == 2 and [killer.wait() for killer in killers] == [0, 0]
        else:
            raise SystemExit(f"{name} returned")


FORKING = """(module $link{number} (import "next" "f" (func $next (param i64 v128 i64) (result i64 v128)))
  (memory (export "memory") 1) (global $g (mut i64) (i64.const 5))
  (func $late (param i64) (result i64) (i64.store (i32.const 8) (local.get 0)) (i64.mul (i64.load (i32.const 8)) (global.get $g)))
  (func (export "late") (result i64) (call $late (i64.const 8)))
  (func (export "trap") unreachable)
  (func (export "f") (param i64 v128 i64) (result i64 v128)
    (global.set $g (i64.const {number}))
    (call $next (i64.add (local.get 0) (i64.const 1)) (local.get 1) (i64.const 9))
    (global.set $g (i64.const 3)) (local.set 1) (i64.add (call $late (local.get 2))) (local.get 1)))"""


def fork(cast: Cast) -> None:
    """A host function in the middle of a chain forks; parent and child both return through all frames, and compile what is still lazy."""
    signal.alarm(120)
    child = -1

    def in_the_middle(*arguments: Any) -> Any:
        nonlocal child
        child = os.fork()
        signal.alarm(100)
        return inner[0].f(*arguments)

    inner = cast.chain(2, lambda number: FORKING.replace("{number}", str(number)), {"next": {"f": lambda a, b, c: (a * 100 + c, b[::-1])}})
    function_type = inner[0].f.__self__.type
    host = wasmcore.Func(function_type.params, function_type.results, in_the_middle)
    outer = cast.chain(3, lambda number: FORKING.replace("{number}", str(number + 7)), {"next": {"f": host}})
    vector = bytes(range(16))
    result = tuple(outer[0].f(1, vector, 4))
    # The five links add 27 for each 9 they pass on, the first one 12.
    assert result == (609 + 4 * 27 + 12, vector[::-1]), result
    for exports in [*inner, *outer]:
        assert exports.late() == 24 and exports.memory.view()[8] == 8
        try:
            exports.trap()
        except wasmcore.Trap as trap:
            assert len(trap.frames) == 1
        else:
            raise SystemExit("no trap")
    if child == 0:
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == 0, ended


def main() -> None:
    """Run one of them."""
    players = [Player(name, tuple((key, value) for key, value in options), *rest) for name, options, *rest in json.loads(sys.argv[2])]
    {"ctrl_c": ctrl_c, "raised_by_a_thread": raised_by_a_thread, "handler_calls_back": handler_calls_back, "fork": fork}[sys.argv[1]](
        Cast(tuple(players))
    )
    print("OK")


if __name__ == "__main__":
    main()

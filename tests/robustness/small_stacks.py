"""A guest calls itself until almost nothing is left of the stack, then does something that wants more. Arguments: backend, KiB of the stack
of the thread (0: the main thread's)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import wasmcore

_LOOPS = 200
COMPILED = {
    "short": "(local.get 0)",
    "expression": "(local.get 0) " + "(i32.xor (i32.mul (i32.const 7)) (local.get 0)) " * 3000,
    "blocks": "(block " * 3000 + "(br_if 0 (local.get 0))" + ")" * 3000 + "(local.get 0)",
    "loops": "(loop " * _LOOPS + "(local.set 0 (i32.const 0))" + "(br_if 0 (local.get 0)))" * _LOOPS + "(local.get 0)",
    "selects": "(local.get 0) " + "(i32.load8_u) (select (i32.const 0) (local.get 0)) " * 2000,
    "calls": "(call $other (local.get 0)) " * 300 + "(i32.add) " * 299,
}
"""Functions of an i32 that are not compiled before they are called; the result is 0."""
DONE = {
    "memory.grow": "(i32.mul (i32.const 0) (memory.grow (i32.const 1)))",
    "memory.init": "(memory.init $data (i32.const 0) (i32.const 0) (i32.const 3)) (i32.const 0)",
    "table.grow": "(i32.mul (i32.const 0) (table.grow (ref.null func) (i32.const 1)))",
    "table.fill": "(table.fill (i32.const 0) (ref.null func) (i32.const 3)) (i32.const 0)",
    "table.copy": "(table.copy (i32.const 0) (i32.const 1) (i32.const 3)) (i32.const 0)",
    "table.init": "(table.init $elements (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 0)",
    "segments": "(data.drop $unused) (elem.drop $unused) (i32.const 0)",
    "host function": "(call $host)",
}
"""The same for what the run time does."""
TRAPS = {
    "unreachable": "(unreachable)",
    "load": "(i32.load (i32.const -1))",
    "table.fill out of bounds": "(table.fill (i32.const -1) (ref.null func) (i32.const 3)) (i32.const 0)",
    "memory.init out of bounds": "(memory.init $data (i32.const -1) (i32.const 0) (i32.const 3)) (i32.const 0)",
}
"""Functions that trap."""

_CASES = {**COMPILED, **DONE, **TRAPS}
TEXT = (
    """(module (import "host" "f" (func $host (result i32))) (memory 1 9) (table 10 99 funcref)
  (data $data "abc") (data $unused "abc") (elem $elements func $other) (elem $unused func $other)
  (global $depth (export "depth") (mut i32) (i32.const 0))
  (func $other (param i32) (result i32) (local.get 0))
  (type $function (func (param i32) (result i32)))
  (table $cases funcref (elem """
    + " ".join(f"$case{number}" for number in range(len(_CASES)))
    + """))
  (func $dive (export "dive") (param $left i32) (param $case i32) (result i32)
    (loop) (; so that it is not inlined into itself ;)
    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
    (if (result i32) (i32.eqz (local.get $left))
      (then (if (result i32) (i32.lt_s (local.get $case) (i32.const 0)) (then (i32.const 0))
        (else (call_indirect $cases (type $function) (i32.const 0) (local.get $case)))))
      (else (i32.or (i32.const 0) (call $dive (i32.sub (local.get $left) (i32.const 1)) (local.get $case))))))
  """
    + "\n".join(f"(func $case{number} (param i32) (result i32) {body})" for number, body in enumerate(_CASES.values()))
    + ")"
)
_SPARE = 100
"""Calls that are left out: the case has a frame, too."""
_SHOWN = 60
"""A backtrace has more frames."""


def dive(backend: str) -> None:
    """All cases, each in an instance of a module of its own."""
    for number, name in enumerate(_CASES):
        module = wasmcore.Module(TEXT, engine=wasmcore.Engine(backend, lazy=True, cache=False))
        exports = wasmcore.Instance(module, {"host": {"f": lambda: 0}}).exports
        deepest = 1 << 30
        try:
            exports.dive(deepest, -1)
        except wasmcore.Trap as trap:
            assert trap.kind == wasmcore.TrapKind.STACK_OVERFLOW
        depth = exports.depth.value - _SPARE
        try:
            result = exports.dive(depth, number)
            assert result == 0 and name not in TRAPS, (name, result)
        except wasmcore.Trap as trap:
            assert name in TRAPS and trap.kind != wasmcore.TrapKind.STACK_OVERFLOW, (name, trap.kind)
            assert len(trap.frames) > min(_SHOWN, depth)
        print(name, depth)


def main(backend: str, kib: int) -> None:
    """Dive on the main thread or another one."""
    failed: list[BaseException] = []

    def run(work: Callable[[str], None]) -> None:
        try:
            work(backend)
        except BaseException as error:
            failed.append(error)

    if kib:
        if sys.version_info >= (3, 14):  # which can not parse the source of a module on a small stack
            dive(backend)
        threading.stack_size(kib << 10)
        thread = threading.Thread(target=run, args=(dive,))
        thread.start()
        thread.join()
        assert threading.stack_size() == kib << 10
    else:
        run(dive)
    if failed:
        raise failed[0]
    print("alive")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

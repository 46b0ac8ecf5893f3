"""Finalizers of a cycle may use what the collector takes apart, and may keep it: nothing is gone as long as somebody can reach it, and
what goes reads nothing that has gone before."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from wasmcore.runtime.system import resources

TEXT = """(module (memory (export "m") 1 3) (table (export "t") 3 funcref)
  (func (export "one") (result i32) (i32.store (i32.const 0) (i32.const 7)) (i32.load (i32.const 0)))
  (func (export "unreachable") unreachable)
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "beyond") (result i32) (i32.load (i32.const -8)))
  (func $again (export "again") (call $again))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "late") (result i32) (i32.const 3)))"""
TRAPS = {"unreachable": (), "divide": (0,), "beyond": (), "again": ()}


class User:
    """In a cycle with an instance whose functions, but for the last one, are compiled."""

    def __init__(self, backend: str, found: list[Any], keep: bool) -> None:
        self.me = self
        self.found, self.keep = found, keep
        module = wasmcore.Module(TEXT, engine=wasmcore.Engine(backend, lazy=True, cache=False))
        self.exports: Any = wasmcore.Instance(module).exports
        self.functions = {name: self.exports[name] for name in (*TRAPS, "one", "late")}
        self.memory = self.exports.m
        self.use()

    def use(self) -> None:
        for name, arguments in TRAPS.items():
            with pytest.raises(wasmcore.Trap) as raised:
                self.functions[name](*arguments)
            self.found.append(raised.value.kind.name)
        self.found.append(self.functions["one"]())

    def __del__(self) -> None:
        self.use()
        if self.keep:
            self.found.append(self)


KINDS = ["UNREACHABLE", "INTEGER_DIVIDE_BY_ZERO", "MEMORY_OUT_OF_BOUNDS", "STACK_OVERFLOW", 7]


def test_finalizers_use_what_is_collected(backend: str) -> None:
    found: list[Any] = []
    User(backend, found, keep=False)
    gc.collect()
    assert found == [*KINDS, *KINDS]


def test_a_finalizer_keeps_what_is_collected(backend: str, kept_quiet: None) -> None:
    def others() -> None:
        wasmcore.Instance(wasmcore.Module('(module (memory 1) (func (export "f")))', backend=backend)).exports.f()

    User(backend, [], keep=False)  # stubs for types of functions stay
    others()
    resources.collect()
    before = len(resources._owned)
    found: list[Any] = []
    User(backend, found, keep=True)
    gc.collect()
    others()
    user = found.pop()
    assert found == [*KINDS, *KINDS]
    user.use()
    assert user.memory.read(0, 4) == b"\x07\0\0\0" and user.memory.grow(1) == 1
    # Python 3.15 clears weak references without callbacks behind the finalizers, and not where one has kept the object.
    lost = pytest.raises(RuntimeError, match="this instance was being collected")
    with nullcontext() if sys.version_info >= (3, 15) else lost:
        user.functions["late"]()
    assert found[-len(KINDS) :] == KINDS
    del user
    found.clear()
    gc.collect()
    gc.collect()
    assert len(resources._owned) <= before


OVERWRITES = {"PYTHONMALLOC": "malloc", "MALLOC_PERTURB_": "90", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""What is freed holds neither an address nor flags that make sense."""
LIVES = """
import gc, sys
from tests.robustness.test_reentrance import Lives, module
gc.disable()
lives = Lives(sys.argv[1])
for number in range(10):
    lives.live(module(sys.argv[1], number), number)
    gc.collect()
print("lived")
"""


def test_what_goes_reads_nothing_that_is_freed(backend: str) -> None:
    """Of a cycle of objects the collector empties some before others, in no order of theirs."""
    environment = {**os.environ, **OVERWRITES, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-X", "faulthandler", "-c", LIVES, backend]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, timeout=140)
    assert (done.returncode, done.stdout) == (0, "lived\n"), done.stderr

"""Functions with any number of loops that search memory are compiled, whatever freed memory holds."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import wasmcore

SEARCH = """(local.set $i (i32.const 0))
    (block $out{k} (loop $l{k}
      (br_if $out{k} (i32.eq (i32.load8_u (i32.add (local.get $p) (local.get $i))) (local.get $c)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l{k} (i32.lt_u (local.get $i) (local.get $n)))))
    (local.set $s (i32.add (local.get $s) (local.get $i))) (local.set $c (i32.add (local.get $c) (i32.const 1)))"""


def module(searches: int) -> str:
    """`f(start, length, byte)` searches memory for so many bytes in turn; the sum of the distances."""
    loops = "\n".join(SEARCH.format(k=number) for number in range(searches))
    return f"""(module (memory 1) (data (i32.const 40) "\\01\\02\\03")
      (func (export "f") (param $p i32) (param $n i32) (param $c i32) (result i32)
      (local $i i32) (local $s i32) {loops} (local.get $s)))"""


CHILD = """
import sys
import wasmcore
level, *texts = sys.argv[1:]
for text in texts:
    engine = wasmcore.Engine("llvm", options={"level": level}, lazy=False, cache=False)
    print(wasmcore.Instance(wasmcore.Module(text, engine=engine)).exports.f(0, 1000, 1))
"""


@pytest.mark.parametrize("level", ["O1", "O2", "O3"])
def test_many_searches_in_one_function(level: str) -> None:
    counts = range(1, 13)
    command = [sys.executable, "-c", CHILD, level, *map(module, counts)]
    done = subprocess.run(command, env={**os.environ, "MALLOC_PERTURB_": "165"}, capture_output=True, text=True, timeout=300)
    found = [40, 41, 42] + [1000] * 10
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(sum(found[:count])) for count in counts]


def test_the_searches_find_bytes() -> None:
    engine = wasmcore.Engine("llvm", options={"level": "O0"}, cache=False)
    assert wasmcore.Instance(wasmcore.Module(module(4), engine=engine)).exports.f(0, 1000, 1) == 40 + 41 + 42 + 1000

"""A few functions at each stage: `python plugins/midtier/tests/stages.py > plugins/midtier/tests/stages.txt` writes them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import wasmcore
from wasmcore.binary import decode
from wasmcore.cli.objdump import compile_units

TEXT = """(module (memory 1) (global $g (mut i32) (i32.const 0)) (table $t 2 2 funcref) (elem (i32.const 0) func $sum $sum)
  (func $sum (param $from i32) (param $to i32) (result i32) (local $total i32)
    (block $out (loop $l
      (br_if $out (i32.ge_u (local.get $from) (local.get $to)))
      (local.set $total (i32.add (local.get $total) (i32.load offset=8 (local.get $from))))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br $l)))
    (local.get $total))
  (func $hoisted (param $n i64) (param $x i64) (result i64) (local $s i64)
    (loop $l
      (local.set $s (i64.add (local.get $s) (i64.mul (i64.add (local.get $x) (i64.const 1)) (i64.const 3))))
      (br_if $l (i64.ne (local.tee $n (i64.sub (local.get $n) (i64.const 1))) (i64.const 0))))
    (local.get $s))
  (func $simplified (param $x i32) (result i32)
    (i32.add (i32.add (i32.mul (i32.add (local.get $x) (i32.const 0)) (i32.const 1)) (i32.const 2)) (i32.const 3)))
  (func $larger (param $x f64) (param $y f64) (result f64)
    (select (local.get $x) (local.get $y) (f64.gt (local.get $x) (local.get $y))))
  (func $calls (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $n))
      (then (global.get $g))
      (else (i32.add (local.get $n) (call $sum (local.get $n) (i32.const 64))))))
  (func $dot (param $x v128) (param $y v128) (result i32)
    (i32x4.extract_lane 0 (i32x4.add
      (i32x4.dot_i16x8_s (local.get $x) (v128.xor (local.get $y) (v128.const i32x4 1 2 3 4)))
      (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $y)))))
  (func $scaled (param $to i32) (param $from i32) (param $n i32) (param $factor f32)
    (loop $l
      (f32.store (local.get $to) (f32.mul (f32.load (local.get $from)) (local.get $factor)))
      (local.set $to (i32.add (local.get $to) (i32.const 4)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))"""
STAGES = ("ssa", "opt", "records")


def listings() -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Function and stage, and the lines of it with their words."""
    engine = wasmcore.Engine("midtier", cache=False)
    backend: Any = engine.backend
    info = decode(bytes(wasmcore.wat2wasm(TEXT)))
    (unit,) = compile_units(engine, info)
    for number in range(len(unit.streams)):
        for stage in STAGES:
            yield f"${info.function_name(number)}, {stage}", backend.listing(unit._replace(wanted=number), stage)


def lines() -> Iterator[str]:
    """All of it."""
    for title, listing in listings():
        yield title
        yield from (f"    {line}" for _, line in listing)
        yield ""


if __name__ == "__main__":
    print("\n".join(lines()), end="")

"""Modules that hold references: in tables and globals, in frames, while they poll."""

from __future__ import annotations

MANY = 24
"""Parameters, most of which find no register."""

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
POLLED = """(module (import "env" "make" (func $make (result externref)))
  (memory (export "memory") 1)
  (func $hold (param externref) (result externref)
    (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0)))))
    (local.get 0))
  (func (export "spin") (result externref) (call $hold (call $make))))"""

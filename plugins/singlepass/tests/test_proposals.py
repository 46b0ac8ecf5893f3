"""Wide arithmetic, atomic accesses and calls by reference with operands in all places, against wasmtime."""

from __future__ import annotations

import atexit
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
import wasmtime

import wasmcore
from wasmcore.opcodes import OPCODES

MODES = {"": {}, "unguarded": {"guard": False}, "without signals": {"signals": False}}
NUMBERS = (0, 1, -1, 2, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, -(1 << 63), 0x123456789ABCDEF)
PRESSURE = 7
"""More values than there are temporaries."""


@cache
def oracle() -> wasmtime.Engine:
    config = wasmtime.Config()
    for feature in ("wide_arithmetic", "threads", "multi_memory", "memory64", "function_references", "tail_call", "custom_page_sizes"):
        setattr(config, f"wasm_{feature}", True)
    engine = wasmtime.Engine(config)
    atexit.register(engine.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.
    return engine


def both(text: str, mode: str) -> tuple[Any, Any]:
    """The exports on both engines, as functions of name and arguments that give bits or say that it trapped."""
    data = bytes(wasmtime.wat2wasm(text))
    store = wasmtime.Store(oracle())
    theirs = wasmtime.Instance(store, wasmtime.Module(oracle(), data), []).exports(store)
    engine = wasmcore.Engine("singlepass", features=wasmcore.FEATURES, **MODES[mode])
    ours = wasmcore.Instance(wasmcore.Module(data, engine=engine), {}).exports

    def bits(call: Any, *arguments: Any) -> Any:
        try:
            result = call(*arguments)
        except (wasmcore.Trap, wasmtime.Trap):
            return "trap"
        values = result if isinstance(result, (tuple, list)) else (result,)
        return [value if value is None else value & (1 << 64) - 1 for value in values]

    return (lambda name, *a: bits(getattr(ours, name), *a)), (lambda name, *a: bits(theirs[name], store, *a))


def under_pressure(code: str, results: int) -> str:
    """The code with values below that fill all temporaries, and are added up behind it."""
    below = " ".join(f"(i64.mul (local.get 0) (i64.const {number + 3}))" for number in range(PRESSURE))
    sets = " ".join(f"(local.set $r{number})" for number in reversed(range(results)))
    gets = " ".join(f"(local.get $r{number})" for number in range(results))
    return f"{below} {code} {sets} {'(i64.add)' * (PRESSURE - 1)} (local.set $sum) {gets} (local.get $sum)"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [opcode.name for opcode in OPCODES.values() if opcode.feature == "wide_arithmetic"])
def test_wide_arithmetic(name: str, mode: str) -> None:
    count = 4 if "128" in name else 2
    gets = [f"(local.get {number})" for number in range(count)]
    sums = [f"(i64.add (local.get {number}) (i64.const 0x123456789a))" for number in range(count)]
    operands = [gets, sums, gets[:1] * count, gets[::-1], [*gets[:-1], "(i64.const -2)"], ["(i64.const 7)", *gets[1:]]]
    operands += [[(gets if which else sums)[number] for number, which in enumerate(chosen)] for chosen in product((0, 1), repeat=count)]
    functions = []
    head = f"(param {'i64 ' * count}) (result i64 i64 i64) (local $r0 i64) (local $r1 i64) (local $sum i64)"
    for number, several in enumerate(operands):
        code = f"{' '.join(several)} {name}"
        functions.append(f'(func (export "p{number}") {head} {under_pressure(code, 2)})')
        functions.append(
            f'(func (export "s{number}") {head} {code} (local.set 0) (local.set {count - 1}) '
            f"(local.get 0) (local.get 0) (local.get {count - 1}))"
        )
        functions.append(
            f'(func (export "c{number}") {head} (call $nothing) {code} (local.set 0) (call $nothing) (local.get 0) (i64.const 1))'
        )
    ours, theirs = both(f"(module (func $nothing) {' '.join(functions)})", mode)
    random = Random(name)
    for _ in range(12):
        arguments = [random.choice(NUMBERS) for _ in range(count)]
        for number, kind in product(range(len(operands)), "psc"):
            export = f"{kind}{number}"
            assert ours(export, *arguments) == theirs(export, *arguments), (export, operands[number], arguments)


ATOMICS = [opcode for opcode in OPCODES.values() if 0x610 <= opcode.code < 0x700]
MEMORIES = {"(memory 1 1)": "i32", "(memory 1) (memory $m i64 1)": "i64"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("memory", MEMORIES)
def test_atomic_accesses(memory: str, mode: str) -> None:
    index = MEMORIES[memory]
    which = "$m" if "$m" in memory else "0"
    functions = []
    for opcode in ATOMICS:
        kind = opcode.name[:3]
        values = len(opcode.params or ()) - 1
        wrap = "(i32.wrap_i64)" if kind == "i32" else ""
        address = "(i32.wrap_i64 (local.get 0))" if index == "i32" else "(local.get 0)"
        results = len(opcode.results or ())
        extend = "(i64.extend_i32_u)" if kind == "i32" and results else ""
        head = "(param i64 i64 i64) (result" + " i64" * (results + 1) + ") (local $r0 i64) (local $sum i64)"
        for suffix, operands in (
            ("", [f"(local.get {number + 1}) {wrap}" for number in range(values)]),
            ("+", [f"(i64.add (local.get {number + 1}) (i64.const 1)) {wrap}" for number in range(values)]),
            ("-", [f"(i64.const {number + 1}) {wrap}" for number in range(values)]),
            (
                "x",
                [
                    f"(local.get {number + 1}) {wrap}" if number else f"(i64.add (local.get 2) (i64.const 0)) {wrap}"
                    for number in range(values)
                ],
            ),
        ):
            code = f"{address} {' '.join(operands)} ({opcode.name} {which} offset=8) {extend}"
            functions.append(f'(func (export "{opcode.name}{suffix}") {head} {under_pressure(code, results)})')
            if results:
                functions.append(
                    f'(func (export "{opcode.name}{suffix}=") {head} {code} (local.set 0) (atomic.fence) (local.get 0) (local.get 1))'
                )
    zero = f"({index}.const 0)"
    functions.append(f'(func (export "init") (param i64) (i64.store {which} offset=8 {zero} (local.get 0)))')
    functions.append(f'(func (export "read") (result i64) (i64.load {which} offset=8 {zero}))')
    ours, theirs = both(f"(module {memory} {' '.join(functions)})", mode)
    random = Random(5)
    for opcode in ATOMICS:
        for suffix in ("", "+", "-", "x", *(("=", "+=", "-=", "x=") if opcode.results else ())):
            for _ in range(5):
                old = random.choice(NUMBERS)
                at = random.choice((0, 0, 0, 0, 1, 2, 4, 65536 - 8, 65536))
                expected = random.choice((old, old & 0xFF, old & 0xFFFF, old & 0xFFFFFFFF, *NUMBERS))
                arguments = (at, expected, random.choice(NUMBERS))
                outcomes = []
                for engine in (ours, theirs):
                    engine("init", old)
                    outcomes.append((engine(opcode.name + suffix, *arguments), engine("read")))
                assert outcomes[0] == outcomes[1], (opcode.name + suffix, old, arguments)


REFERENCES = """(module
  (type $f (func (param i64 v128 f64) (result i64 f64)))
  (func $one (type $f) (i64.add (local.get 0) (i64x2.extract_lane 1 (local.get 1))) (f64.mul (local.get 2) (f64.const 2)))
  (func $two (type $f) (return_call_ref $f (i64.const 3) (local.get 1) (local.get 2) (ref.func $one)))
  (elem declare func $one $two)
  (func $choose (param i64) (result (ref null $f))
    (if (result (ref null $f)) (i64.eqz (local.get 0)) (then (ref.null $f))
      (else (select (result (ref $f)) (ref.func $one) (ref.func $two) (i64.eq (local.get 0) (i64.const 1))))))
  (func (export "call") (param i64) (result i64 i64) (local $r (ref null $f)) (local f64)
    (local.set $r (call $choose (local.get 0)))
    (call_ref $f (local.get 0) (v128.const i64x2 5 6) (f64.const 1.5) (local.get $r))
    (i64.trunc_f64_s))
  (func $tail (param i64) (result i64 f64)
    (return_call_ref $f (i64.const 9) (v128.const i64x2 5 6) (f64.const 1.5) (call $choose (local.get 0))))
  (func (export "tail_bits") (param i64) (result i64) (call $tail (local.get 0)) (i64.trunc_f64_s) (i64.xor))
  (func (export "non_null") (param i64) (result i64) (local $r (ref null $f))
    (local.set $r (call $choose (local.get 0)))
    (ref.is_null (ref.as_non_null (local.get $r)))
    (ref.is_null (ref.as_non_null (call $choose (local.get 0)))) (i32.add) (i64.extend_i32_u))
  (func (export "on_null") (param i64) (result i64) (local $r (ref null $f)) (local $x i64)
    (local.set $r (call $choose (local.get 0)))
    (i64.mul (local.get 0) (i64.const 5)) (i64.mul (local.get 0) (i64.const 7))
    (i64.mul (local.get 0) (i64.const 11)) (i64.mul (local.get 0) (i64.const 13))
    (block $l (result i64) (i64.const 77) (br_on_null $l (call $choose (local.get 0))) (drop) (i64.const 1) (i64.add))
    (block $l (result i64 v128) (i64.const 78) (v128.const i64x2 8 9)
      (br_on_null $l (local.get $r)) (local.set $r) (drop) (v128.const i64x2 1 2))
    (i64x2.extract_lane 0) (i64.add)
    (block $l (br_on_null $l (local.get $r)) (drop) (local.set $x (i64.const 100)))
    (i64.add) (i64.add) (i64.add) (i64.add) (i64.add) (local.get $x) (i64.add))
  (func (export "on_non_null") (param i64) (result i64) (local $r (ref null $f)) (local $x i64)
    (local.set $r (call $choose (local.get 0)))
    (i64.mul (local.get 0) (i64.const 5)) (i64.mul (local.get 0) (i64.const 7))
    (i64.mul (local.get 0) (i64.const 11)) (i64.mul (local.get 0) (i64.const 13))
    (block $l (result (ref $f)) (br_on_non_null $l (call $choose (local.get 0))) (return (i64.const 44))) (drop)
    (block $l (result i64 (ref $f)) (i64.const 78) (br_on_non_null $l (local.get $r)) (unreachable)) (drop)
    (i64.add) (i64.add) (i64.add) (i64.add))
  (func $leave (param i64) (result i64 (ref $f))
    (i64.const 5) (br_on_non_null 0 (call $choose (local.get 0))) (drop) (i64.const 6) (ref.func $two))
  (func $leave_one (param i64) (result (ref $f)) (br_on_non_null 0 (call $choose (local.get 0))) (ref.func $one))
  (func $stay (param i64) (result i64 v128 v128) (i64.const 5) (v128.const i64x2 1 2) (v128.const i64x2 3 4)
    (br_on_null 0 (call $choose (local.get 0))) (drop) (i8x16.add) (v128.const i64x2 5 6))
  (func (export "leave") (param i64) (result i64) (local $r (ref null $f))
    (call $leave (local.get 0)) (local.set $r) (v128.const i64x2 5 6) (f64.const 1) (call_ref $f (local.get $r)) (drop)
    (i64.const 0) (v128.const i64x2 5 6) (f64.const 1) (call_ref $f (call $leave_one (local.get 0))) (drop) (i64.sub)
    (call $stay (local.get 0)) (i16x8.sub) (i64x2.extract_lane 1) (i64.add) (i64.add))
  (func (export "loop") (param i64) (result i64) (local $n i64)
    (call $choose (local.get 0))
    (loop $l (param (ref null $f))
      (local.set $n (i64.add (local.get $n) (i64.const 1)))
      (block $out (param (ref null $f)) (br_on_null $out) (drop) (br_if $out (i64.gt_u (local.get $n) (i64.const 4)))
        (br_on_non_null $l (call $choose (i64.sub (local.get 0) (local.get $n))))))
    (local.get $n)))"""


@pytest.mark.parametrize("mode", MODES)
def test_references(mode: str) -> None:
    ours, theirs = both(REFERENCES, mode)
    for name in ("call", "tail_bits", "non_null", "on_null", "on_non_null", "leave", "loop"):
        for argument in (0, 1, 2, 3):
            assert ours(name, argument) == theirs(name, argument), (name, argument)


@pytest.mark.parametrize("mode", MODES)
def test_sizes_in_pages_of_one_byte(mode: str) -> None:
    text = """(module (memory 1 (pagesize 1))
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size)) (func (export "empty") (result i32) (i32.eqz (memory.size))))"""
    ours, theirs = both(text, mode)
    for delta in (0, 1, -1, 70000, -2, 1):
        assert (ours("grow", delta), ours("size"), ours("empty")) == (theirs("grow", delta), theirs("size"), theirs("empty")), delta

"""Vectors wherever values can be: on a full stack, across calls, in loops, at labels, in globals and in memories of every kind."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

import pytest
import wasmtime

import wasmcore
from wasmcore.opcodes import OPCODES, Immediates

HALVES = "(i64x2.extract_lane 0 (local.get $v)) (i64x2.extract_lane 1 (local.get $v))"
MIX = (
    "(i64x2.add (i8x16.swizzle (i8x16.sub (local.get $x) (local.get $y))"
    " (v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 0)) (i16x8.mul (local.get $x)"
    " (local.get $y)))"
)
PRELUDE = f"""
  (func $mix (param $x v128) (param $y v128) (result v128) {MIX})
  (func $nothing)
  (func $of (param i32) (result v128)
    (i32x4.replace_lane 2 (i8x16.add (i32x4.splat (i32.mul (local.get 0) (i32.const 0x01030507)))
      (v128.const i8x16 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)) (local.get 0)))
"""


def run(body: str, locals_: str = "") -> str:
    """The exported function: its body leaves a vector, and it returns the halves."""
    return f'(func (export "run") (param $n i32) (result i64 i64) (local $v v128) {locals_} (local.set $v {body}) {HALVES})'


def nested(count: int, leaf: str = "(call $of (i32.add (local.get $n) (i32.const {})))", between: str = "") -> str:
    """`count` vectors on the stack before the first two are mixed."""
    return " ".join(leaf.format(number) for number in range(count)) + between + " (call $mix)" * (count - 1)


def inline_nested(count: int) -> str:
    leaf = "(i8x16.add (i32x4.splat (local.get $n)) (v128.const i32x4 {0} 1{0} -{0} 7))"
    return " ".join(leaf.format(number) for number in range(count)) + " (i16x8.sub)" * (count - 1)


def many_locals(count: int, calls: bool) -> str:
    """A loop over more vectors than there are registers."""
    names = [f"$a{number}" for number in range(count)]
    locals_ = " ".join(f"(local {name} v128)" for name in names)
    sets = " ".join(f"(local.set {name} (call $of (i32.const {number})))" for number, name in enumerate(names))
    steps = " ".join(
        f"(local.set {name} (i32x4.add (local.get {name}) (v128.xor (local.get {names[number - 1]}) (i32x4.splat (local.get $n)))))"
        for number, name in enumerate(names)
    )
    total = f"(local.get {names[0]})" + "".join(f"(local.get {name}) (i64x2.sub)" for name in names[1:])
    call = "(call $nothing)" if calls else ""
    body = f"""{sets} (local.set $n (i32.add (local.get $n) (i32.const 3)))
      (loop $again {call} {steps} (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))) {total}"""
    return run(f"(block (result v128) {body})", locals_)


def many_params(types: str, results: str) -> str:
    """A function with more parameters and results than there are registers, that gives them back in another order."""
    params, returned = types.split(), results.split()
    gets = []
    for number, kind in enumerate(returned):
        found = [index for index, param in enumerate(params) if param == kind]
        gets.append(f"(local.get {found[(3 * number + 1) % len(found)]})")
    constants = {
        "v128": "(call $of (i32.add (local.get $n) (i32.const {})))",
        "f64": "(f64.const {})",
        "i32": "(i32.const {})",
        "i64": "(i64.const {})",
    }
    arguments = " ".join(constants[kind].format(number) for number, kind in enumerate(params))
    folds = {"v128": "(local.set $w) (local.set $v (call $mix (local.get $v) (local.get $w)))"}
    for kind, lanes in (("f64", "f64x2"), ("i64", "i64x2"), ("i32", "i32x4")):
        folds[kind] = f"({lanes}.splat) (local.set $w) (local.set $v (i32x4.add (local.get $v) (local.get $w)))"
    folded = " ".join(folds[kind] for kind in reversed(returned))
    called = f"(func $many (param {types}) (result {results}) {' '.join(gets)})"
    tail = (
        f"(func $tail (param {types})"
        f" (result {results}) {' '.join(f'(local.get {number})' for number in range(len(params)))}"
        f" (return_call $many))"
    )
    table = f"(type $t (func (param {types}) (result {results}))) (table funcref (elem $many $tail))"
    bodies = [
        f"{arguments} {call} {folded}"
        for call in ("(call $many)", "(call $tail)", "(i32.and (local.get $n) (i32.const 1)) (call_indirect (type $t))")
    ]
    return (
        f'{called} {tail} {table} (func (export "run") (param $n i32) (result i64 i64) (local $v v128)'
        f" (local $w v128) {' '.join(bodies)} {HALVES})"
    )


def branch_table(values: int) -> str:
    """br_table with vectors to blocks, a loop and out of the function."""
    result = "(result" + " v128" * values + ")"
    given = " ".join(f"(call $of (i32.const {number}))" for number in range(values - 1)) + " (i32x4.splat (local.get $n))"
    fold = " (call $mix)" * (values - 1)
    return (
        run(
            """(call $table (local.get $n))""",
        )
        + f"""(func $table (param $n i32) (result v128) (local $turns i32)
      (block $outer {result} (call $nothing)
        (v128.const i64x2 7 8) (drop)
        (block $inner {result}
          {given}
          (loop $again (param {"v128 " * values}) {result}
            (br_if $outer (i32.gt_u (local.tee $turns (i32.add (local.get $turns) (i32.const 1))) (i32.const 3)))
            (br_table $again $inner $outer $inner $again $outer (local.get $n)))
          )
        (local.set $n (i32.const 5)) {"(call $nothing)"})
      {fold})"""
    )


CASES = {
    "stack across calls": run(nested(24)),
    "stack without calls": run(inline_nested(24)),
    "stack over a call": run(nested(9, "(i8x16.splat (i32.add (local.get $n) (i32.const {})))", " (call $nothing)")),
    "loop with pins": many_locals(20, False),
    "loop with calls": many_locals(20, True),
    "few locals in a loop": many_locals(3, True),
    "vectors only": many_params("v128 " * 12, "v128 " * 5),
    "mixed": many_params(
        "i32 v128 f64 i64 v128 v128 i32 f64 v128 v128 v128 i64 i64 i64 v128 i32 i32 v128 i64 i64 v128",
        "v128 i32 f64 v128 i64 v128 i64 i64 v128",
    ),
    "one value through a table": branch_table(1),
    "two values through a table": branch_table(2),
    "three values through a table": branch_table(3),
    "if without else": run("(call $of (local.get $n)) (if (param v128) (result v128) (local.get $n) (then (v128.not)))"),
    "if with else": run("(if (result v128) (local.get $n) (then (v128.const i64x2 1 2)) (else (call $of (i32.const 3))))"),
    "if with several": run(
        "(call $of (i32.const 1)) (call $of (i32.const 2)) (if (param v128 v128) (result v128 v128)"
        " (local.get $n) (then (i8x16.add) (v128.const i64x2 5 6))) (call $mix)"
    ),
    "select": run(
        "(select (select (local.get $v) (v128.const i64x2 -1 0) (local.get $n)) (call $of (i32.const 5))"
        " (i32.lt_u (local.get $n) (i32.const 2)))"
    ),
    "select by a comparison of floats": run(
        "(select (result v128) (call $of (i32.const 5)) (v128.const i32x4 1 2 3 4) (f32.lt (f32.convert_i32_u"
        " (local.get $n)) (f32.const 1.5)))"
    ),
    "constants at labels without a free register": run("(call $pressure (local.get $n))")
    + f"""(func $pressure (param $n i32) (result v128)
        {"(f64x2.splat (f64.convert_i32_u (local.get $n)))" * 9}
        (block $out (result v128 v128) (v128.const i64x2 1 0x123456789abcdef0) (v128.const i64x2 -1 0x7fffffffffffffff)
          (br_if $out (local.get $n))
          (i64x2.add) (v128.const i64x2 0x8000000000000000 3)) (i64x2.sub) {"(i64x2.sub)" * 9})""",
    "constants into loops": run(
        "(v128.const i64x2 0x123456789 -5) (v128.const i64x2 0 0) (loop $again (param v128 v128)"
        " (result v128) (i32x4.add) (i32x4.splat (local.get $n)) (i32x4.add) (v128.const i32x4 1 1 1 1)"
        " (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))"
        " (i32x4.mul))"
    ),
    "pending reads": run(
        (
            "(local.get $w) (local.set $w (call $of (i32.const 4))) (local.get $w) (local.set $w"
            " (v128.const i64x2 3 4)) (i8x16.add) (local.get $w) (local.tee $w (v128.not (local.get $w)))"
            " (i8x16.sub) (i8x16.add)"
        ),
        "(local $w v128)",
    ),
    "many cleared locals": run(
        "(local.get 11) (local.get 12) (call $nothing) (local.get 2) (call $mix) (call $mix)",
        "(local v128 v128 i32 v128 v128 f32 v128 v128 v128 v128 v128 v128 v128)",
    ),
    "cleared and unpinned": run(
        " ".join(f"(local.get {2 + number})" for number in range(17)) + " (i32x4.splat (local.get $n))" + " (i8x16.sub)" * 17,
        "(local " + "v128 " * 18 + ")",
    ),
    "early return": run("(call $early (local.get $n))")
    + (
        "(func $early (param $n i32) (result v128) (v128.const i64x2 1 -1) (br_if 0 (local.get $n)) (drop)"
        " (return (call $of (i32.const 9))))"
    ),
    "several early results": run("(call $early (local.get $n)) (call $mix) (call $mix)")
    + (
        "(func $early (param $n i32) (result v128 v128 v128) (v128.const i64x2 1 -1) (call $of (i32.const 2))"
        " (call $of (i32.const 3)) (br_if 0 (local.get $n)) (drop) (v128.const i64x2 9 9))"
    ),
    "globals": "(global $g (mut v128) (v128.const i64x2 3 4)) (global $c v128 (v128.const i64x2 -3 0x1234567890))"
    + run("(global.get $c) (global.set $g (call $mix (global.get $g) (call $of (local.get $n)))) (global.get $g) (call $mix)"),
    "memory.copy keeps pins": "(memory 1)"
    + run(
        (
            "(local.tee $w (call $of (local.get $n))) (v128.store (i32.const 16) (local.get $w)) (memory.copy"
            " (i32.const 17) (i32.const 16) (i32.const 16)) (i8x16.add (local.get $w) (v128.load (i32.const 17)))"
            " (call $mix)"
        ),
        "(local $w v128)",
    ),
    "memory.copy without calls": "(memory 1)"
    + """(func (export "run") (param $n i32) (result i64 i64) (local $v v128) (local $w v128)
       (local.set $w (i32x4.splat (local.get $n))) (v128.store (i32.const 16) (local.get $w))
        (memory.fill (i32.const 20) (i32.const 3) (i32.const 2))
       (local.set $v (i8x16.add (local.get $w) (v128.load (i32.const 16))))"""
    + HALVES
    + ")",
}

MODES = {"": {}, "unguarded": {"guard": False}, "without signals": {"signals": False}}


@cache
def oracle() -> wasmtime.Engine:
    config = wasmtime.Config()
    for feature in ("multi_memory", "memory64", "custom_page_sizes", "tail_call"):
        setattr(config, f"wasm_{feature}", True)
    engine = wasmtime.Engine(config)
    atexit.register(engine.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.
    return engine


def engine(mode: str) -> wasmcore.Engine:
    return wasmcore.Engine("singlepass", features=wasmcore.FEATURES, **MODES[mode])


def as_bits(values: Any) -> list[int]:
    return [value & (1 << 64) - 1 for value in values]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_same_as_wasmtime(name: str, mode: str) -> None:
    data = bytes(wasmtime.wat2wasm(f"(module {PRELUDE} {CASES[name]})"))
    store = wasmtime.Store(oracle())
    theirs = wasmtime.Instance(store, wasmtime.Module(oracle(), data), []).exports(store)["run"]
    ours = wasmcore.Instance(wasmcore.Module(data, engine=engine(mode)), {}).exports.run
    for argument in (0, 1, 2, 3, 6, 100):
        assert as_bits(ours(argument)) == as_bits(theirs(store, argument)), argument


@pytest.mark.parametrize("mode", MODES)
def test_globals_of_another_module(mode: str) -> None:
    exporter = '(module (global (export "g") (mut v128) (v128.const i64x2 1 2)) (global (export "c") v128 (v128.const i64x2 5 6)))'
    importer = f"""(module (import "m" "g" (global $g (mut v128))) (import "m" "c" (global $c v128)) (global $d v128 (global.get $c))
      (func (export "add") (global.set $g (i64x2.add (global.get $g) (i64x2.add (global.get $c) (global.get $d)))))
      {run("(global.get $g)")})"""
    first = wasmcore.Instance(wasmcore.Module(wasmtime.wat2wasm(exporter), engine=engine(mode)), {})
    users = [wasmcore.Instance(wasmcore.Module(wasmtime.wat2wasm(importer), engine=engine(mode)), {"m": first.exports}) for _ in range(2)]
    users[0].exports.add()
    users[1].exports.add()
    assert [list(user.exports.run(0)) for user in users] == [[21, 26], [21, 26]]


def accesses() -> dict[str, tuple[str, int]]:
    """Code of each access, which leaves nothing or a vector, and its bytes."""
    found = {}
    for code, opcode in OPCODES.items():
        if 0x200 <= code < 0x400 and opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE):
            lane = opcode.immediates == Immediates.MEMORY_ACCESS_LANE
            found[opcode.name] = (" 1" if lane and opcode.alignment < 3 else " 0" if lane else "", 1 << opcode.alignment)
    return found


MEMORIES = (
    ("(memory 1)", "i32", 65536),
    ("(memory 1 (pagesize 1))", "i32", 1),
    ("(memory i64 1)", "i64", 65536),
    ("(memory 1)", "i32", 65536),
    ("(memory i64 77 (pagesize 1))", "i64", 77),
    ("(memory 3 (pagesize 1))", "i32", 3),
)


def access_module(first: int) -> str:
    """Each access to each memory, at an address that is given and at one that is constant; the memories begin with number `first`."""
    memories = (*MEMORIES[first:], *MEMORIES[:first])
    functions = []
    for name, (lane, width) in accesses().items():
        for number, (_, index, size) in enumerate(memories):
            vector = "(v128.const i8x16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)" if "lane" in name or "store" in name else ""
            sets = "" if "store" in name else "(local.set $v)"
            at = max(0, size - width)
            for suffix, address, offset in (
                ("", "(local.get $at)", 0),
                ("+", "(local.get $at)", 5),
                ("=", f"({index}.const {at})", 0),
                ("far", "(local.get $at)", 0x7FFFFFF0),
                ("farther", "(local.get $at)", 0xFFFFFFF8 if index == "i32" else 0xFFFFFFFFFFFFFFF8),
                ("out", f"({index}.const {at + 1})", 0),
            ):
                functions.append(
                    f'(func (export "{name} {number}{suffix}") (param $at {index}) (result i64 i64) (local $v v128) '
                    f"{address} {vector} ({name} {number} offset={offset}{lane}) {sets} {HALVES})"
                )
    fills = []
    for number, (_, index, size) in enumerate(memories):
        loop = f"(loop (i32.store8 {number} (local.get $at) (i32.mul (i32.wrap_i64 (i64.extend_i32_u (local.get $n))) (i32.const 7)))"
        loop = loop.replace("(local.get $at)", "(local.get $n)" if index == "i32" else "(i64.extend_i32_u (local.get $n))")
        fills.append(
            f"(local.set $n (i32.const 0)) {loop} (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n)"
            f" (i32.const 1))) (i32.const {size}))))"
        )
    sums = []
    for number, (_, index, size) in enumerate(memories):
        at = "(local.get $n)" if index == "i32" else "(i64.extend_i32_u (local.get $n))"
        sums.append(
            f"""(local.set $n (i32.const 0)) (loop
            (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 31)) (i64.load8_u {number} {at})))
            (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {size}))))"""
        )
    return f"""(module {" ".join(text for text, _, _ in memories)} {" ".join(functions)}
      (func (export "fill") (local $n i32) {" ".join(fills)})
      (func (export "sum") (result i64) (local $n i32) (local $s i64) {" ".join(sums)} (local.get $s)))"""


@pytest.mark.parametrize(("first", "mode"), [(0, ""), (2, ""), (1, "unguarded"), (5, "unguarded"), (2, "without signals")])
def test_accesses_to_memories_of_every_kind(first: int, mode: str) -> None:
    data = bytes(wasmtime.wat2wasm(access_module(first)))
    store = wasmtime.Store(oracle())
    theirs = wasmtime.Instance(store, wasmtime.Module(oracle(), data), []).exports(store)
    ours = wasmcore.Instance(wasmcore.Module(data, engine=engine(mode)), {}).exports
    theirs["fill"](store)
    ours.fill()
    memories = (*MEMORIES[first:], *MEMORIES[:first])
    for name, (_, width) in accesses().items():
        for number, (_, index, size) in enumerate(memories):
            high = (1 << 31 if index == "i32" else 1 << 63) - 1
            for suffix in ("", "+", "=", "far", "farther", "out"):
                for at in (0, 9, size - width - 5, size - width, size - width + 1, -1, 16, high, -high - 1):
                    try:
                        wanted: Any = as_bits(theirs[f"{name} {number}{suffix}"](store, at))
                    except wasmtime.Trap:
                        wanted = "trap"
                    try:
                        got: Any = as_bits(ours[f"{name} {number}{suffix}"](at))
                    except wasmcore.Trap as trap:
                        assert trap.kind.name == "MEMORY_OUT_OF_BOUNDS"
                        got = "trap"
                    assert got == wanted, (name, number, suffix, at)
    assert as_bits([ours.sum()]) == as_bits([theirs["sum"](store)])

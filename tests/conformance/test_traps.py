"""Traps and exceptions below frames of several backends: the kind, the exact backtrace, the state that is left, and that all goes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import wasmtime

import wasmcore
from tests.other_thread import on_a_thread

from . import wide
from .casts import Cast, has_features
from .rings import WAYS, ring

LENGTH = 4
CALLS = ("call", "call_indirect", "call_ref")
TAIL_CALLS = ("return_call", "return_call_indirect", "return_call_ref")
"""Of the links but the last one."""

BOTTOMS = {
    "UNREACHABLE": "unreachable",
    "MEMORY_OUT_OF_BOUNDS": "(drop (i32.load (i32.sub (local.get 0) (i32.const 10))))",
    "MEMORY_OUT_OF_BOUNDS store": "(i64.store offset=65528 (local.get 0) (i64.const -1))",
    "MEMORY_OUT_OF_BOUNDS vector": "(v128.store offset=0xfffffff0 (i32.const -1) (v128.const i64x2 1 2))",
    "MEMORY_OUT_OF_BOUNDS fill": "(memory.fill (i32.const 65530) (i32.const 1) (local.get 0))",
    "MEMORY_OUT_OF_BOUNDS copy": "(memory.copy (i32.const 65530) (i32.const 0) (local.get 0))",
    "MEMORY_OUT_OF_BOUNDS init": "(memory.init $data (i32.const 0) (i32.const 1) (local.get 0))",
    "TABLE_OUT_OF_BOUNDS": "(drop (table.get $other (local.get 0)))",
    "TABLE_OUT_OF_BOUNDS fill": "(table.fill $other (i32.const 1) (ref.null func) (local.get 0))",
    "UNDEFINED_ELEMENT": "(drop (call_indirect $other (type $t) (local.get 0) (local.get 0)))",
    "UNINITIALIZED_ELEMENT": "(drop (call_indirect $other (type $t) (local.get 0) (i32.const 1)))",
    "INDIRECT_CALL_TYPE_MISMATCH": "(call_indirect $other (type $none) (i32.const 0))",
    "INTEGER_DIVIDE_BY_ZERO": "(drop (i32.div_s (local.get 0) (i32.sub (local.get 0) (i32.const 7))))",
    "INTEGER_DIVIDE_BY_ZERO remainder": "(drop (i64.rem_u (i64.const 5) (i64.extend_i32_u (i32.sub (local.get 0) (i32.const 7)))))",
    "INTEGER_OVERFLOW": "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get 0) (i32.const 8))))",
    "INTEGER_OVERFLOW conversion": "(drop (i64.trunc_f64_u (f64.mul (f64.convert_i32_s (local.get 0)) (f64.const -1e9))))",
    "INVALID_CONVERSION_TO_INTEGER": "(drop (i32.trunc_f32_s (f32.sqrt (f32.convert_i32_s (i32.sub (i32.const 0) (local.get 0))))))",
    "NULL_REFERENCE": "(drop (call_ref $t (local.get 0) (table.get $typed (i32.const 0))))",
    "NULL_REFERENCE as non-null": "(drop (ref.as_non_null (table.get $typed (i32.const 0))))",
    "NULL_REFERENCE tail call": "(return_call_ref $t (local.get 0) (table.get $typed (i32.const 0)))",
    "UNINITIALIZED_ELEMENT tail call": "(return_call_indirect $other (type $t) (local.get 0) (i32.const 1))",
}
"""What traps, by the kind of the trap; the argument is 7."""

BOTTOM_FIELDS = """(type $none (func)) (data $data "abc") (table $other 2 funcref) (table $typed 1 (ref null $t))
  (elem (table $other) (i32.const 0) func $f)"""


def link(number: int, way: str, bottom: str) -> str:
    """A link with two functions that note how far they came; the last one, where there is no way, traps."""
    call = wide.WAYS[way].format(arguments="(local.get 0)") if way else "(i32.const 1)"
    return f"""(module $link{number}
  (type $t (func (param i32) (result i32))) {wide.IMPORTS if way else ""}
  (memory (export "memory") 1) (global $steps (export "steps") (mut i32) (i32.const 0)) {wide.EXPORTS}
  {"" if way else BOTTOM_FIELDS}
  (func $step (param i32)
    (i32.store8 (global.get $steps) (local.get 0)) (global.set $steps (i32.add (global.get $steps) (i32.const 1))))
  (func $inner (type $t)
    (local $kept f64)
    (local.set $kept (f64.convert_i32_s (local.get 0)))
    (call $step (i32.const 2))
    {"" if way else bottom}
    {call}
    (call $step (i32.const 3))
    (i32.add (i32.trunc_f64_s (local.get $kept))))
  (func $f (type $t)
    (call $step (i32.const 1))
    (call $inner (local.get 0))
    (call $step (i32.const 4)))
  (func (export "answer") (result i32) (i32.const 42)))"""


Place = tuple[str | None, str | None, int | None]
"""Module, function, offset of the instruction in the module."""


@cache
def places_on_wasmtime(ways: tuple[str, ...], bottom: str) -> list[Place]:
    """The backtrace as another engine sees it."""
    store = wasmtime.Store()
    linker = wasmtime.Linker(store.engine)
    for number, way in reversed(list(enumerate([*ways, ""]))):
        text = link(number, way, bottom)
        instance = linker.instantiate(store, wasmtime.Module(store.engine, bytes(wasmcore.wat2wasm(text))))
        linker.allow_shadowing = True
        linker.define_instance(store, "next", instance)
    with pytest.raises(wasmtime.Trap) as caught:
        instance.exports(store)["f"](store, 7)  # type: ignore[operator]
    return [(frame.module_name, frame.func_name, frame.module_offset) for frame in caught.value.frames]


def places(trap: wasmcore.Trap) -> list[Place]:
    """The same of a trap."""
    return [(frame.module_name, frame.function_name, frame.offset) for frame in trap.frames]


@pytest.mark.parametrize("bottom", BOTTOMS)
def test_a_trap_at_the_bottom(cast: Cast, bottom: str) -> None:
    links = cast.chain(LENGTH, lambda number: link(number, [*CALLS, ""][number], BOTTOMS[bottom]))
    for round_number in range(2):
        with pytest.raises(wasmcore.Trap) as caught:
            links[0].f(7)
        assert caught.value.kind.name == bottom.split(" ")[0]
        for exports in links:
            assert exports.steps.value == 2 * round_number + 2
            assert bytes(exports.memory.view()[:6]) == b"\1\2\1\2\0\0"[: 2 * round_number + 2].ljust(6, b"\0")
            assert not any(exports.memory.view()[6:]) and exports.answer() == 42
    assert places(caught.value) == places_on_wasmtime(CALLS, BOTTOMS[bottom])


@pytest.mark.parametrize("ways", [TAIL_CALLS, (CALLS[0], *TAIL_CALLS[1:]), (TAIL_CALLS[0], *CALLS[1:])], ids=["all", "last", "first"])
def test_a_trap_below_tail_calls(cast: Cast, ways: tuple[str, ...]) -> None:
    """Functions that made tail calls are not in the backtrace, those that called them are."""
    links = cast.chain(LENGTH, lambda number: link(number, [*ways, ""][number], "unreachable"))
    with pytest.raises(wasmcore.Trap) as caught:
        links[0].f(7)
    assert places(caught.value) == places_on_wasmtime(ways, "unreachable")


WRITER = """(module (import "next" "memory" (memory 1)) (import "next" "sum" (global $sum (mut i32)))
  (func (export "f") (param i32 i32 i32) (result i32)
    (local $i i32)
    (loop $again
      (global.set $sum (i32.add (global.get $sum) (i32.const 1)))
      (i32.store (i32.add (local.get 0) (i32.mul (local.get $i) (i32.const 4))) (i32.add (local.get $i) (i32.const 1)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (local.get 1))))
    (i32.div_u (local.get 0) (local.get 2))))"""
WRITER_CALLER = """(module (import "writer" "f" (func $write (param i32 i32 i32) (result i32)))
  (import "next" "sum" (global $sum (mut i32))) (import "next" "memory" (memory 1))
  (func (export "f") (param i32 i32 i32) (result i32)
    (i32.store (i32.const 0) (i32.const 7)) (global.set $sum (i32.const 1000))
    (i32.store (i32.const 4) (call $write (local.get 0) (local.get 1) (local.get 2)))
    (global.set $sum (i32.const 5)) (i32.load (i32.const 4))))"""


WRITES = ((100, 50, 2, 50), (65536 - 40, 50, 1, 10), (65536 - 38, 50, 1, 9), (64, 12, 0, 12), (70000, 1, 1, 0))
"""Where the loop starts, how many words it writes, what is divided by, and how many words are written in the end."""


def test_a_trap_in_a_loop_leaves_what_came_before(cast: Cast) -> None:
    """A loop of the callee that runs over the end of a memory, or into a division by zero: its stores and those of the caller stay."""
    for start, count, divisor, written in WRITES:
        owner = cast.exports(2, '(module (memory (export "memory") 1) (global (export "sum") (mut i32) (i32.const 0)))')
        writer = cast.exports(1, WRITER, {"next": owner})
        exports = cast.exports(0, WRITER_CALLER, {"next": owner, "writer": writer})
        expected = bytearray(65536)
        expected[0] = 7
        for i in range(written):
            expected[start + 4 * i : start + 4 * i + 4] = (i + 1).to_bytes(4, "little")
        if written == count and divisor:
            assert exports.f(start, count, divisor) == start // divisor
            expected[4:8] = (start // divisor).to_bytes(4, "little")
            assert owner.sum.value == 5
        else:
            kind = "integer divide by zero" if written == count else "out of bounds memory access"
            with pytest.raises(wasmcore.Trap, match=kind):
                exports.f(start, count, divisor)
            assert owner.sum.value == 1000 + min(written + 1, count)
        assert bytes(owner.memory.view()) == bytes(expected)


ATOMIC = """(module $inner (memory 1 1 shared)
  (func $add (export "f") (param i32) (result i32) (i32.atomic.rmw.add (local.get 0) (i32.const 1))))"""
ATOMIC_CALLER = """(module $outer (import "inner" "f" (func $add (param i32) (result i32)))
  (func $f (export "f") (param i32) (result i32) (call $add (local.get 0))))"""


def test_unaligned_atomic_accesses(cast: Cast) -> None:
    if not has_features(cast, "threads"):
        pytest.skip("not all backends compile atomic accesses")
    inner, outer = (
        wasmcore.Engine(player.backend, signals=player.signals, guard=player.guard, features=wasmcore.FEATURES)
        for player in (cast.players[1], cast.players[0])
    )
    callee = wasmcore.Instance(wasmcore.Module(ATOMIC, engine=inner))
    exports = wasmcore.Instance(wasmcore.Module(ATOMIC_CALLER, engine=outer), {"inner": callee}).exports
    assert (exports.f(8), exports.f(8)) == (0, 1)
    with pytest.raises(wasmcore.Trap, match="unaligned atomic") as caught:
        exports.f(6)
    assert [frame.function_name for frame in caught.value.frames] == ["add", "f"]


LARGE = 300
"""Vectors that are alive across a call: more than a page of frame."""


def deep_body(large: bool) -> Callable[[int, Callable[[str], str]], str]:
    """Recursion that counts, with a frame that is large or not."""

    def body(number: int, call: Callable[[str], str]) -> str:
        count = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))"
        if not large:
            return f"{count} (i64.add {call('(i64.add (local.get 0) (i64.const 1))')} (local.get 0))"
        loads = " ".join(f"(local.set {1 + at} (v128.load offset={16 * at} (i32.const 16)))" for at in range(LARGE))
        stores = " ".join(f"(v128.store offset={16 * at} (i32.const 16) (local.get {1 + at}))" for at in range(LARGE))
        again = call("(i64.add (local.get 0) (i64.const 1))")
        return f"(local {'v128 ' * LARGE}) {count} {loads} {again} {stores} (i64.add (local.get 0))"

    return body


def check_overflow(links: list[Any], look_at_frames: bool) -> None:
    """Recursion over all links ends, several times and on several stacks."""

    def overflow() -> None:
        with pytest.raises(wasmcore.Trap) as caught:
            links[0].f(0)
        assert caught.value.kind.name == "STACK_OVERFLOW"
        if look_at_frames:
            names = [frame.function_name for frame in caught.value.frames]
            first = int(str(names[0])[1:])
            assert len(names) == 100 and names == [f"f{(first + at) % len(links)}" for at in range(100)]

    overflow()
    overflow()
    counts = [int.from_bytes(exports.memory.view()[:4], "little") for exports in links]
    assert max(counts) - min(counts) <= 2 and min(counts) > 20, "a function that finds the stack exhausted has done nothing"
    on_a_thread(overflow)


@pytest.mark.parametrize("way", WAYS)
def test_recursion_across_backends_ends(cast: Cast, way: str) -> None:
    links = ring(cast, len(cast.players), "(param i64) (result i64)", deep_body(False), way, fields='(memory (export "memory") 1)')
    check_overflow(links, True)


def test_recursion_with_large_frames_ends(cast: Cast) -> None:
    links = ring(cast, len(cast.players), "(param i64) (result i64)", deep_body(True), "call", fields='(memory (export "memory") 1)')
    check_overflow(links, False)


def test_exceptions_of_host_functions_come_out_as_themselves(cast: Cast) -> None:
    """Through frames of all backends and through Python frames that see them, and with traps of inner calls that Python catches."""
    error = LookupError("mine")
    seen: list[str] = []

    def again(depth: int) -> int:
        if depth == 0:
            raise error
        try:
            return int(links[0].f(depth - 1))
        except LookupError:
            seen.append(f"{depth}")
            with pytest.raises(wasmcore.Trap, match="unreachable") as caught:
                links[1].trap()
            names = [frame.function_name for frame in caught.value.frames]
            assert names == ["trap", *["f"] * (LENGTH * (3 - depth + 1))]
            raise

    def text(number: int) -> str:
        module = "host" if number == LENGTH - 1 else "next"
        return f"""(module $link{number} (import "{module}" "f" (func $next (param i32) (result i32)))
          (global (export "after") (mut i32) (i32.const 0))
          (func $trap (export "trap") unreachable)
          (func $f (export "f") (param i32) (result i32) (call $next (local.get 0)) (global.set 0 (i32.const 1))))"""

    links: list[Any] = cast.chain(LENGTH, text, {"host": {"f": again}})
    for _ in range(20):
        with pytest.raises(LookupError) as caught:
            links[0].f(3)
        assert caught.value is error and seen == ["1", "2", "3"]
        assert [exports.after.value for exports in links] == [0] * LENGTH
        seen.clear()
        error.__traceback__ = None
    with pytest.raises(wasmcore.Trap) as trapped:
        links[1].trap()
    assert len(trapped.value.frames) == 1


def test_a_trap_that_python_catches_in_the_middle(cast: Cast) -> None:
    """The frames below it go, those above it go on with their registers, locals and overflow area."""

    def text(number: int) -> str:
        return f"""(module $link{number} (import "host" "f" (func $host (param i32 v128 f64) (result i32 v128 f64)))
          (func $f (export "f") (param i32 v128 f64) (result i32 v128 f64 i32 v128 f64)
            (if (i32.eqz (local.get 0)) (then unreachable))
            (call $host (i32.sub (local.get 0) (i32.const 1)) (local.get 1) (f64.add (local.get 2) (f64.const 1)))
            (local.get 0) (local.get 1) (local.get 2)))"""

    def host(depth: int, vector: bytes, fraction: float) -> tuple[int, bytes, float]:
        try:
            inner = links[depth % len(links)].f(depth, vector, fraction)
        except wasmcore.Trap as trap:
            assert [frame.module_name for frame in trap.frames] == [f"link{number % len(links)}" for number in range(5)]
            return 1000, vector[::-1], -fraction
        return inner[0] + inner[3], inner[1], inner[2]

    links = [cast.exports(number, text(number), {"host": {"f": host}}) for number in range(len(cast.players))]
    vector = bytes(range(16))
    for _ in range(50):
        result = links[4 % len(links)].f(4, vector, 0.5)
        assert tuple(result) == (1000 + 1 + 2 + 3, vector[::-1], -4.5, 4, vector, 0.5)

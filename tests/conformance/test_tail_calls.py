"""Tail calls between backends: a million of them take no stack."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import wasmcore

from .casts import Cast
from .rings import TAIL_WAYS, ring

MANY = 1_000_000
"""Frames of 16 bytes would take twice the usual stack."""

SUM = "(param $n i64) (param $sum i64) (result i64)"
WIDE_SUM = f"(param $n i64) (param $sum i64) (param {'i64 ' * 9} {'f64 ' * 9} v128 i32) (result i64 i64 i64 i64 f64 f64 f64 v128 i32)"


def sum_body(number: int, call: Callable[[str], str]) -> str:
    """The sum of the numbers up to n, weighted by which link saw them."""
    return f"""(if (i64.eqz (local.get $n)) (then (return (local.get $sum))))
      {call(f"(i64.sub (local.get $n) (i64.const 1)) (i64.add (local.get $sum) (i64.mul (local.get $n) (i64.const {number + 1})))")}"""


def wide_sum_body(number: int, call: Callable[[str], str]) -> str:
    """The same, with more arguments than registers that move on by one at each call, and more results."""
    integers = " ".join(f"(local.get {2 + (at + 1) % 9})" for at in range(9))
    floats = " ".join(f"(local.get {11 + (at + 1) % 9})" for at in range(9))
    arguments = f"""(i64.sub (local.get $n) (i64.const 1)) (i64.add (local.get $sum) (i64.mul (local.get $n) (i64.const {number + 1})))
      {integers} {floats} (i32x4.add (local.get 20) (v128.const i32x4 1 2 3 4)) (i32.xor (local.get 21) (i32.const {number}))"""
    results = " ".join(f"(local.get {at})" for at in (1, 2, 3, 10, 11, 18, 19, 20, 21))
    return f"""(if (i64.eqz (local.get $n)) (then (return {results}))) {call(arguments)}"""


def expected_sum(count: int, length: int) -> int:
    """The call with n = count is in link 0, the next one in the last link, and so on."""
    return sum(n * (1 + (n - count) % length) for n in range(1, count + 1))


@pytest.mark.parametrize("way", TAIL_WAYS)
def test_a_million_tail_calls(cast: Cast, way: str) -> None:
    length = len(cast.players)
    links = ring(cast, length, SUM, sum_body, way)
    assert links[0].f(MANY, 0) == expected_sum(MANY, length)
    assert links[1].f(5, 1) == 1 + sum(n * (1 + (1 + n - 5) % length) for n in range(1, 6))


@pytest.mark.parametrize("way", TAIL_WAYS)
def test_tail_calls_with_more_arguments_than_registers(cast: Cast, way: str) -> None:
    count = MANY // 10
    length = len(cast.players)
    links = ring(cast, length, WIDE_SUM, wide_sum_body, way)
    integers = [10 + at for at in range(9)]
    floats = [0.5 + at for at in range(9)]
    result = links[0].f(count, 0, *integers, *floats, bytes(16), 99)
    turned = [(at + count) % 9 for at in range(9)]
    xor = 99
    for n in range(count, 0, -1):
        xor ^= (n - count) % length
    vector = b"".join((count * step).to_bytes(4, "little") for step in (1, 2, 3, 4))
    picked = [integers[turned[at]] for at in (0, 1, 8)] + [floats[turned[at]] for at in (0, 7, 8)]
    assert list(result) == [expected_sum(count, length), *picked, vector, xor]


@pytest.mark.parametrize("way", TAIL_WAYS)
def test_tail_calls_below_a_call(cast: Cast, way: str) -> None:
    """The caller of the first of them gets its frame, its context and its locals back."""
    links = ring(cast, len(cast.players), SUM, sum_body, way)
    text = """(module $caller (import "ring" "f" (func $f (param i64 i64) (result i64))) (global $g (mut i64) (i64.const 3))
      (func (export "f") (param i64 v128 f64) (result i64 v128 f64)
        (i64.add (call $f (local.get 0) (i64.const 0)) (global.get $g)) (local.get 1) (f64.neg (local.get 2))))"""
    vector = bytes(range(16))
    exports = cast.exports(1, text, {"ring": links[0]})
    assert tuple(exports.f(1000, vector, 2.5)) == (3 + expected_sum(1000, len(links)), vector, -2.5)


@pytest.mark.parametrize("way", TAIL_WAYS)
def test_a_backtrace_does_not_show_who_made_a_tail_call(cast: Cast, way: str) -> None:
    def body(number: int, call: Callable[[str], str]) -> str:
        return f"(if (i64.eqz (local.get $n)) (then unreachable)) {call('(i64.sub (local.get $n) (i64.const 1)) (local.get $sum)')}"

    links = ring(cast, len(cast.players), SUM, body, way)
    for count in (0, 1, 2, 3, 1000):
        with pytest.raises(wasmcore.Trap, match="unreachable") as caught:
            links[0].f(count, 0)
        assert [frame.function_name for frame in caught.value.frames] == [f"f{-count % len(links)}"]


def test_tail_calls_of_host_functions(cast: Cast) -> None:
    """A Python function at the end of a chain of tail calls; its exception has no frames of WebAssembly to go through."""
    seen = []

    def end(number: int, fraction: float) -> int:
        seen.append((number, fraction))
        if number == 13:
            raise LookupError("unlucky")
        return number + 1

    def text(number: int) -> str:
        return """(module (import "next" "f" (func $next (param i32 f64) (result i32)))
          (func (export "f") (param i32 f64) (result i32) (return_call $next (local.get 0) (f64.add (local.get 1) (f64.const 1)))))"""

    last = cast.exports(2, text(2), {"next": {"f": end}})
    middle = cast.exports(1, text(1), {"next": last})
    first = cast.exports(0, text(0), {"next": middle})
    assert first.f(41, 0.5) == 42 and seen == [(41, 3.5)]
    with pytest.raises(LookupError, match="unlucky"):
        first.f(13, 0.0)
    assert first.f(41, 0.5) == 42

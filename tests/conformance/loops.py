"""Endless loops that run through several backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .casts import Cast
from .rings import TAIL_WAYS, WAYS, ring

SIGNATURE = "(param i64) (result i64)"
NEXT = "(i64.add (local.get 0) (i64.const 1))"

Body = Callable[[int, Callable[[str], str]], str]


def tail_calls(number: int, call: Callable[[str], str]) -> str:
    """Round and round, and no link has a loop."""
    return call(NEXT)


def calling(number: int, call: Callable[[str], str]) -> str:
    """The first link calls all others again and again."""
    if number == 0:
        return f"(loop $again (local.set 0 {call(NEXT)}) (br $again)) unreachable"
    return f"(if (result i64) (i32.eq (i32.const {number}) (i32.const 1)) (then (local.get 0)) (else {call(NEXT)}))"


def below(number: int, call: Callable[[str], str]) -> str:
    """The first link calls the others, the innermost of which loops."""
    if number == 1:
        return f"(loop $again (local.set 0 {NEXT}) (br $again)) unreachable"
    return f"(i64.add {call(NEXT)} (local.get 0))"


def through_the_host(number: int, call: Callable[[str], str]) -> str:
    """The first link calls a Python function and the others."""
    if number == 0:
        return f"(loop $again (call $host) (local.set 0 {call(NEXT)}) (br $again)) unreachable"
    return calling(number, call)


LOOPS: dict[str, tuple[Body, str]] = {
    **{f"tail calls {way}": (tail_calls, way) for way in TAIL_WAYS},
    **{f"calling {way}": (calling, way) for way in WAYS},
    "below": (below, "call"),
    "host": (through_the_host, "call_ref"),
}
"""Functions that never return: the bodies of a ring, and its way to call."""


def make(cast: Cast, name: str, release_gil: bool) -> list[Any]:
    """The exports of a ring whose first `f` never returns; `answer` of each still works afterwards."""
    body, way = LOOPS[name]
    fields = '(import "host" "f" (func $host)) (func (export "answer") (result i32) (i32.const 42))'
    return ring(
        cast, len(cast.players), SIGNATURE, body, way, fields=fields, imports={"host": {"f": lambda: None}}, release_gil=release_gil
    )

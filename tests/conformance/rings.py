"""Rings: functions of several modules that call each other round and round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wasmcore

from .casts import Cast

WAYS = ("call", "call_indirect", "call_ref")
"""How a link calls the one before it. The first one calls the last, which no import can name, through the table with `call`, too."""
TAIL_WAYS = tuple(f"return_{way}" for way in WAYS)


def ring(
    cast: Cast,
    length: int,
    signature: str,
    body: Callable[[int, Callable[[str], str]], str],
    way: str,
    *,
    fields: str = "",
    imports: Any = None,
    release_gil: bool = False,
) -> list[Any]:
    """Exports of the links; the function `f` of each has a body that may call the link before it.

    signature: parameters and results of `f`.
    body(number, call): the text of the function, where `call(arguments)` is the text of such a call.
    fields: more of each module, imports first.
    """
    functions = wasmcore.Table(length)
    links: list[Any] = []
    for number in range(length):
        text = _link(number, length, signature, body, way, fields)
        given = {**(imports or {}), "ring": {"functions": functions}}
        if links:
            given["previous"] = links[-1]
        links.append(cast.exports(number, text, given, release_gil=release_gil))
    for number, exports in enumerate(links):
        exports.connect(links[number - 1].f)
    return links


def _link(number: int, length: int, signature: str, body: Callable[[int, Callable[[str], str]], str], way: str, fields: str) -> str:
    kind = way.removeprefix("return_")
    if kind == "call" and number == 0:
        kind = "call_indirect"
    operation = way.replace(way.removeprefix("return_"), kind)

    def call(arguments: str) -> str:
        if kind == "call":
            return f"({operation} $previous {arguments})"
        if kind == "call_indirect":
            return f"({operation} $functions (type $t) {arguments} (i32.const {(number - 1) % length}))"
        return f"({operation} $t {arguments} (global.get $connected))"

    return f"""(module $link{number} (type $t (func {signature}))
      {'(import "previous" "f" (func $previous (type $t)))' if number else ""}
      (import "ring" "functions" (table $functions {length} funcref))
      {fields}
      (global $connected (mut (ref null $t)) (ref.null $t))
      (func (export "connect") (param (ref null $t)) (global.set $connected (local.get 0)))
      (elem (table $functions) (i32.const {number}) func $f{number})
      (func $f{number} (export "f") (type $t) {signature} {body(number, call)}))"""

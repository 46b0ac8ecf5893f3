"""Functions with more arguments and results than any convention has registers: as text, and as a model in Python."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

PARAMS = ("i32", "v128", "f64", "externref", "i64", "f32", "i64", "v128") * 5
RESULTS = ("i32", "v128", "f64", "externref", "i64", "f32") * 2
TYPE = f"(func (param {' '.join(PARAMS)}) (result {' '.join(RESULTS)}))"

FIRST_RESULT = 64
"""Results are noted behind the parameters, from this cell on; a cell is 16 bytes of the memory, or an element of the table."""

WAYS = {
    "call": "(call $next {arguments})",
    "call_indirect": "(call_indirect $next_functions (type $t) {arguments} (i32.const 0))",
    "call_ref": "(call_ref $t {arguments} (global.get $next_ref))",
    "return_call": "(return_call $next {arguments})",
    "return_call_indirect": "(return_call_indirect $next_functions (type $t) {arguments} (i32.const 0))",
    "return_call_ref": "(return_call_ref $t {arguments} (global.get $next_ref))",
}
"""All ways to call the next link of a chain."""

IMPORTS = """
  (import "next" "f" (func $next (type $t)))
  (import "next" "functions" (table $next_functions 1 funcref))
  (import "next" "ref" (global $next_ref (ref null $t)))"""
"""What `WAYS` need, with `EXPORTS` in the next link, whose function is called $f."""
EXPORTS = """
  (export "f" (func $f))
  (table (export "functions") funcref (elem $f))
  (global (export "ref") (ref null $t) (ref.func $f))"""


def positions(types: Sequence[str], value_type: str) -> list[int]:
    """Where values of a type stand."""
    return [at for at, each in enumerate(types) if each == value_type]


def rotation(types: Sequence[str]) -> list[int]:
    """For each place, the place of the next value of the same type, round and round: no value stays in its register."""
    places = {value_type: positions(types, value_type) for value_type in types}
    seen = dict.fromkeys(types, 0)
    found = []
    for value_type in types:
        seen[value_type] += 1
        found.append(places[value_type][seen[value_type] % len(places[value_type])])
    return found


def picks() -> list[int]:
    """For each result the parameter that it is: the last ones of the type, which have no registers."""
    left = {value_type: positions(PARAMS, value_type) for value_type in PARAMS}
    return [left[value_type].pop() for value_type in RESULTS]


def values(seed: int) -> list[Any]:
    """One value for each parameter, all different."""
    return [_value(value_type, 1 + seed + 7 * number) for number, value_type in enumerate(PARAMS)]


def _value(value_type: str, number: int) -> Any:
    if value_type == "v128":
        return bytes((number * 17 + byte * 29) % 256 for byte in range(16))
    if value_type == "externref":
        return f"object {number}"
    sign = -1 if number % 2 else 1
    numbers = {"i32": sign * number * 1_000_003, "i64": sign * (number << 40) + number, "f32": sign * number / 4, "f64": sign * number / 3}
    return numbers[value_type]


def note(value_type: str, cell: int, value: str) -> str:
    """Text that stores a value where the test finds it."""
    if value_type == "externref":
        return f"(table.set $notes (i32.const {cell}) {value})"
    return f"({value_type}.store $memory (i32.const {16 * cell}) {value})"


def noted(exports: Any, types: Sequence[str], first: int = 0) -> list[Any]:
    """What was noted from a cell on."""
    found: list[Any] = []
    data = bytes(exports.memory.view())
    for cell, value_type in enumerate(types, first):
        if value_type == "externref":
            found.append(exports.notes[cell])
        elif value_type == "v128":
            found.append(data[16 * cell : 16 * cell + 16])
        else:
            found.append(struct.unpack_from({"i32": "<i", "i64": "<q", "f32": "<f", "f64": "<d"}[value_type], data, 16 * cell)[0])
    return found


def link(way: str | None, number: int) -> str:
    """A link that notes its arguments, passes them on rotated, notes the results and rotates those too; or the last one, without a way."""
    notes = "\n    ".join(note(value_type, cell, f"(local.get {cell})") for cell, value_type in enumerate(PARAMS))
    if way is None:
        rest = " ".join(f"(local.get {at})" for at in picks())
    else:
        rest = WAYS[way].format(arguments=" ".join(f"(local.get {at})" for at in rotation(PARAMS)))
        if not way.startswith("return_call"):
            first = len(PARAMS)
            taken = " ".join(f"(local.set {first + at})" for at in reversed(range(len(RESULTS))))
            got = [note(value_type, FIRST_RESULT + at, f"(local.get {first + at})") for at, value_type in enumerate(RESULTS)]
            rest += f" {taken} {' '.join(got)} " + " ".join(f"(local.get {first + at})" for at in rotation(RESULTS))
    return f"""(module $link{number}
  (type $t {TYPE}){IMPORTS if way else ""}
  (memory $memory (export "memory") 1)
  (table $notes (export "notes") 128 externref){EXPORTS}
  (func $f (type $t) (local {" ".join(RESULTS)})
    {notes}
    {rest}))"""


def rotated(types: Sequence[str], given: Sequence[Any]) -> list[Any]:
    """What a link passes on."""
    return [given[at] for at in rotation(types)]


def picked(given: Sequence[Any]) -> list[Any]:
    """What the last link returns for its arguments."""
    return [given[at] for at in picks()]

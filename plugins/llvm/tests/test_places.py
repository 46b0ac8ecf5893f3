"""A trap has the place of the access that it comes from, whatever LLVM computes the address, or the loaded value, together with."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import wasmcore

ADDRESSES = {
    "itself": "{x}",
    "doubled": "(i32.add {x} {x})",
    "shifted": "(i32.shl {x} (i32.const 2))",
    "masked": "(i32.and {x} (i32.const 0x1ffff4))",
    "doubled and masked": "(i32.and (i32.add {x} {x}) (i32.const 0x1ffff8))",
    "shifted and masked": "(i32.and (i32.shl {x} (i32.const 3)) (i32.const 0x1ffff8))",
    "masked and shifted": "(i32.shl (i32.and {x} (i32.const 0x3ffff)) (i32.const 2))",
    "right": "(i32.shr_u {x} (i32.const 1))",
    "right and masked": "(i32.and (i32.shr_u {x} (i32.const 1)) (i32.const 0xffffc))",
    "multiplied": "(i32.mul {x} (i32.const 12))",
    "one byte": "(i32.shl (i32.and {x} (i32.const 0xff)) (i32.const 16))",
    "chosen": "(select (i32.const 0x100000) {x} (i32.ne {x} (i32.const 0)))",
}
ACCESSES = {
    "i32.load": "(i32.load {a})",
    "i32.load offset": "(i32.load offset=4 {a})",
    "i32.load8_s": "(i32.load8_s {a})",
    "i32.load16_u": "(i32.load16_u {a})",
    "i64.load32_u": "(i32.wrap_i64 (i64.load32_u {a}))",
    "i64.load": "(i32.wrap_i64 (i64.shr_u (i64.load {a}) (i64.const 32)))",
    "f32.load": "(i32.trunc_sat_f32_s (f32.load {a}))",
    "i32.store": "(block (result i32) (i32.store {a} (i32.and {x} (i32.const 255))) {x})",
    "i32.store8": "(block (result i32) (i32.store8 {a} {x}) {x})",
}
USES = {
    "returned": "{v}",
    "masked": "(i32.and {v} (i32.const 1020))",
    "low byte": "(i32.and {v} (i32.const 255))",
    "compared": "(i32.eq {v} {x})",
    "added": "(i32.add {v} {x})",
    "an address": "(i32.load (i32.and {v} (i32.const 1020)))",
    "dropped": "(block (result i32) (drop {v}) {x})",
    "changed": "(block (result i32) (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) {v})) {x})",
}
WITHIN = 0
BEYOND = 0x1FFFFF
WAYS = list(product(ADDRESSES, ACCESSES, USES))
SIMPLE = [way for way in WAYS if way[0] == "itself" or way[2] == "masked" and way[1] == "i32.load"]


def text(ways: list[tuple[str, str, str]]) -> str:
    """A function for each."""
    functions = []
    for number, (address, access, use) in enumerate(ways):
        body = USES[use].replace("{v}", ACCESSES[access].replace("{a}", ADDRESSES[address])).replace("{x}", "(local.get 0)")
        functions.append(f'(func (export "{number}") (param i32) (result i32) {body})')
    return f"(module (memory 1 1) {' '.join(functions)})"


def places(ways: list[tuple[str, str, str]], backend: str, **options: Any) -> list[int | None]:
    """Of the trap of each function."""
    exports = wasmcore.Instance(wasmcore.Module(text(ways), engine=wasmcore.Engine(backend, cache=False, **options))).exports
    found = []
    for name in exports:
        exports[name](WITHIN)
        with pytest.raises(wasmcore.Trap) as raised:
            exports[name](BEYOND)
        assert raised.value.kind is wasmcore.TrapKind.MEMORY_OUT_OF_BOUNDS
        found.append(raised.value.frames[0].offset)
    return found


def misplaced(ways: list[tuple[str, str, str]], **options: Any) -> list[tuple[str, str, str]]:
    """Those whose trap has another place than where singlepass has it."""
    return [way for way, one, other in zip(ways, places(ways, "llvm", **options), places(ways, "singlepass"), strict=True) if one != other]


def test_places_of_accesses() -> None:
    assert misplaced(SIMPLE) == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"options": {"level": "O1"}}, {}, {"options": {"level": "O3"}}, {"guard": False}, {"signals": False}])
def test_all_places_of_accesses(options: dict[str, Any]) -> None:
    assert misplaced(WAYS, **options) == []

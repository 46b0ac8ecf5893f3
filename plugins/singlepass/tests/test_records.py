"""Macro records of short functions: what the compiler folds, keeps in registers, and spills."""

from __future__ import annotations

import pytest
from units import CHECKED, listing

from wasmcore_singlepass import records, text


def function(signature: str, body: str, rest: str = "") -> str:
    return f"(module {rest} (func {signature} {body}))"


def test_operands_stay_in_registers() -> None:
    assert listing(function("(param i64 i64) (result i64)", "(i64.add (local.get 0) (local.get 1))")) == [
        "alu.add.w r0, r13, r14",
        "return",
    ]


def test_constants_are_folded() -> None:
    body = "(i64.sub (i64.add (local.get 0) (i64.mul (i64.const 6) (i64.const 7))) (i64.const 1))"
    assert listing(function("(param i64) (result i64)", body)) == [
        "alu_constant.add.w r0, r13, 42",
        "alu_constant.sub.w r0, r0, 1",
        "return",
    ]


def test_a_local_is_computed_in_its_register() -> None:
    body = "(local.set 0 (i64.xor (local.get 0) (i64.shl (local.get 1) (i64.const 3)))) (local.get 0)"
    assert listing(function("(param i64 i64) (result i64)", body)) == [
        "shift_constant.shl.w r0, r14, 3",
        "alu.xor.w r13, r13, r0",
        "move.w r0, r13",
        "return",
    ]


def test_a_pending_read_is_made_before_its_local_changes() -> None:
    body = "(local.get 0) (local.set 0 (i64.const 5)) (i64.add (local.get 0))"
    assert listing(function("(param i64) (result i64)", body)) == [
        "move.w r0, r13",
        "constant.w r13, 5",
        "alu.add.w r0, r0, r13",
        "return",
    ]


def test_comparisons_are_folded_into_branches() -> None:
    body = "(block (br_if 0 (i32.eqz (i32.lt_s (local.get 0) (i32.const 10)))) (local.set 0 (i32.const 1))) (local.get 0)"
    assert listing(function("(param i32) (result i32)", body)) == [
        "move r13, r13",
        "compare_constant r13, 10",
        "jump_if.ge_s L0",
        "constant r13, 1",
        "label L0",
        "move r0, r13",
        "return",
    ]


def test_a_comparison_as_a_value() -> None:
    assert listing(function("(param f64 f64) (result i32)", "(f64.lt (local.get 0) (local.get 1))")) == [
        "float_move.w f8, f0",
        "float_move.w f9, f1",
        "float_compare.w f9, f8",
        "set_if.float_gt r0",
        "return",
    ]


def test_accesses_fold_address_and_value() -> None:
    memory = "(memory 1)"
    assert listing(function("(param i32)", "(i32.store offset=8 (local.get 0) (i32.const -1))", memory)) == [
        "move r13, r13",
        "memory_base 32",
        "store_constant.0 r13, 8, -1",
        "return",
    ]
    assert listing(function("(result i64)", "(i64.load offset=8 (i32.const 16))", memory)) == [
        "memory_base 32",
        "load.1 r0, -, 24",
        "return",
    ]


def test_explicit_checks() -> None:
    assert listing(function("(param i32) (result i32)", "(i32.load8_u offset=5 (local.get 0))", "(memory 1)"), CHECKED) == [
        "move r13, r13",
        f"memory_address.{1 | records.CHECKED} r0, r13, 32, 5",
        f"load.{5 | records.ABSOLUTE} r0, r0, 0",
        "return",
    ]


def test_calls_write_through_and_reload() -> None:
    body = "(local.set 0 (i32.add (local.get 0) (i32.const 1))) (call $g (i32.const 7)) (local.get 0)"
    assert listing(function("(param i32) (result i32)", body, '(import "" "" (func $g (param i32)))')) == [
        "store_slot [0], r13",
        "move r13, r13",
        "alu_constant.add r13, r13, 1",
        "store_slot [0], r13",
        "constant r13, 7",
        "call_import.0 480",
        "load_slot r0, [0]",
        "return",
    ]


def test_arguments_change_places() -> None:
    got = listing(function("(param i64 i64)", "(call $g (local.get 1) (local.get 0))", '(import "" "" (func $g (param i64 i64)))'))
    assert got[-5:] == [
        "store_slot.w [3], r13",
        "move.w r13, r14",
        "load_slot.w r14, [3]",
        "call_import.0 480",
        "return",
    ]


def test_a_loop_without_calls_keeps_everything() -> None:
    body = "(call $g) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    got = listing(function("(param i32)", body, '(import "" "" (func $g))'))
    head = got.index("label L0")
    assert got[head - 1] == "load_slot r13, [0]"
    assert got[head:] == [
        "label L0",
        "poll",
        "alu_constant.sub r13, r13, 1",
        "store_slot [0], r13",
        "test r13, r13",
        "jump_if.ne L0",
        "return",
    ]


def test_division_uses_its_registers() -> None:
    assert listing(function("(param i32 i32) (result i32)", "(i32.rem_s (local.get 0) (local.get 1))"))[2:] == [
        "move r0, r13",
        "divide.rem_s r2, r0, r14",
        "move r0, r2",
        "return",
    ]
    assert listing(function("(param i32) (result i32)", "(i32.rem_u (local.get 0) (i32.const 8))"))[1:] == [
        "alu_constant.and r0, r13, 7",
        "return",
    ]


def test_unused_locals_cost_nothing() -> None:
    assert listing(function("(param i32 i64) (local i32 f64)", "")) == ["return"]


def test_text_knows_every_operation() -> None:
    names = {name: value for name, value in vars(records).items() if name.isupper() and isinstance(value, int)}
    for operation, (name, meaning) in records.OPERATIONS.items():
        assert names[name.upper()] == operation and meaning
        word = operation.to_bytes(8, "little")
        assert text.text(word).split(" ")[0].startswith(name)


@pytest.mark.parametrize("constant", [0, 5, -1, 1 << 40])
def test_records_are_taken_apart(constant: int) -> None:
    word = records.CONSTANT | records.WIDE << 8 | 3 << 15
    if -(1 << 31) <= constant < 1 << 31:
        data = ((word | constant << 32) & (1 << 64) - 1).to_bytes(8, "little")
    else:
        data = (word | records.EXTENDED).to_bytes(8, "little") + constant.to_bytes(8, "little", signed=True)
    assert text.text(data) == f"constant.w r3, {constant}\n"

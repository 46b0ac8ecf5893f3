"""Macro records of functions with vectors."""

from __future__ import annotations

import pytest
from units import CHECKED, unit

from wasmcore.opcodes import OPCODES, Immediates
from wasmcore.plugin.unit import MemoryPlan
from wasmcore.types import F32, F64, I32, I64, V128
from wasmcore_singlepass import records
from wasmcore_singlepass.backend import Singlepass
from wasmcore_singlepass.records import VECTOR_SHAPES

SHAPE_OF_TYPES = {
    ((V128,), (V128,)): "1", ((F32,), (V128,)): "1", ((F64,), (V128,)): "1", ((V128, V128), (V128,)): "2", ((V128, F32), (V128,)): "2",
    ((V128, F64), (V128,)): "2", ((V128,) * 3, (V128,)): "3", ((V128, I32), (V128,)): "<", ((V128, I64), (V128,)): "r",
    ((I32,), (V128,)): "i", ((I64,), (V128,)): "i", ((V128,), (I32,)): "t", ((V128,), (I64,)): "T", ((V128,), (F32,)): "f",
    ((V128,), (F64,)): "F", ((), (V128,)): "c",
}  # fmt: skip


def shape(code: int) -> str:
    """The letter that stands in the compiler's table, from the table of opcodes."""
    opcode = OPCODES.get(code)
    if opcode is None:
        return "."
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE):
        lane = opcode.immediates == Immediates.MEMORY_ACCESS_LANE
        return ("n" if lane else "l") if opcode.results else ("m" if lane else "s")
    if opcode.immediates == Immediates.SHUFFLE:
        return "p"
    letter = SHAPE_OF_TYPES[opcode.params or (), opcode.results or ()]
    return "r" if letter == "<" and opcode.immediates == Immediates.LANE else letter


def test_shapes_follow_the_table_of_opcodes() -> None:
    assert VECTOR_SHAPES.decode() == "".join(shape(0x200 + number) for number in range(len(VECTOR_SHAPES)))
    assert not [code for code in OPCODES if 0x200 + len(VECTOR_SHAPES) <= code < 0x400]


def listing(signature: str, body: str, rest: str = "", memories: tuple[MemoryPlan, ...] = CHECKED) -> list[str]:
    """The records of one function, prologue included, without the end; temporaries of the target left out."""
    whole = unit(f"(module {rest} (func {signature} {body}))", memories)
    lines = [line.partition(", t=")[0] for _, line in Singlepass().listing(whole, "records")]
    assert lines[-1] == "end"
    return lines[:-1]


def test_slots_are_16_bytes_where_vectors_are() -> None:
    assert listing("(param v128) (result v128)", "(local.get 0)")[0] == f"prologue.{records.FRAME_VECTORS} 3"
    assert listing("(param f64) (result f64)", "(local.get 0)")[0] == "prologue.0 3"


def test_operands_and_results_stay_in_registers() -> None:
    body = "(local.set 2 (i32x4.add (local.get 0) (f32x4.mul (local.get 1) (local.get 1)))) (local.get 2)"
    assert listing("(param v128 v128) (result v128) (local v128)", body)[1:] == [
        "float_move.w f10, f0",
        "float_move.w f8, f1",
        "vector_constant f9, 0x0000000000000000_0000000000000000",
        "vector_binary.f32x4.mul f0, f8, f8",
        "vector_binary.i32x4.add f9, f10, f0",
        "float_move.w f0, f9",
        "return",
    ]


def test_the_destination_may_be_any_source() -> None:
    body = "(local.set 0 (v128.bitselect (local.get 1) (local.get 0) (local.get 0))) (local.get 0)"
    assert listing("(param v128 v128) (result v128)", body)[3:5] == [
        "vector_ternary.v128.bitselect f8, f9, f8, f8",
        "float_move.w f0, f8",
    ]


def test_constants_wait_on_the_stack() -> None:
    body = "(v128.const i64x2 1 -1) (v128.const i64x2 0 2) (local.set 0) (local.set 0)"
    assert listing("(local v128)", body)[2:] == [
        "vector_constant f8, 0x0000000000000002_0000000000000000",
        "vector_constant f8, 0xffffffffffffffff_0000000000000001",
        "return",
    ]


@pytest.mark.parametrize("lanes", ["i8x16", "i16x8", "i32x4", "i64x2"])
def test_counts_of_shifts_are_folded_modulo_the_lane(lanes: str) -> None:
    count = -71 % (128 // int(lanes.partition("x")[2]))
    got = listing("(param v128) (result v128)", f"({lanes}.shr_s (local.get 0) (i32.const -71))")[2]
    assert got.startswith(f"vector_shift_constant.{lanes}.shr_s f") and got.endswith(f", f8, {count}")
    assert listing("(param v128) (result v128)", f"({lanes}.shl (local.get 0) (i32.const 64))")[2] == "float_move.w f0, f8"


def test_lanes() -> None:
    body = "(i8x16.replace_lane 15 (f64x2.replace_lane 1 (local.get 0) (local.get 1)) (i16x8.extract_lane_u 7 (local.get 0)))"
    assert listing("(param v128 f64) (result v128)", body)[3:] == [
        "vector_binary.f64x2.replace_lane.1 f0, f8, f9",
        "vector_to_integer.i16x8.extract_lane_u.7 r0, f8",
        "vector_replace.i8x16.replace_lane.15 f0, f0, r0",
        "return",
    ]


def test_accesses() -> None:
    body = "(v128.store offset=8 (local.get 0) (v128.load32_zero offset=5000000000 (local.get 1)))"
    long = (MemoryPlan(32, True, False, 16),)
    assert listing("(param i64 i64)", body, "(memory i64 1)", long)[1:] == [
        f"memory_address.{4 | records.CHECKED | records.INDEX64} r0, r14, 32, 5000000000",
        f"vector_load.{11 | records.ABSOLUTE} f0, r0, 0",
        f"memory_address.{16 | records.CHECKED | records.INDEX64} r0, r13, 32, 8",
        f"vector_store.{records.ABSOLUTE} r0, 0, f0",
        "return",
    ]


def test_accesses_to_a_guarded_memory_fold_the_address() -> None:
    body = "(v128.store16_lane offset=8 3 (i32.const 4) (v128.load64_lane 1 (i32.const 2) (local.get 0)))"
    assert listing("(param v128)", body, "(memory 1)", (MemoryPlan(32, False, True, 16),))[2:] == [
        "memory_base 32",
        "vector_load_lane.3 f0, f8, -, 2, 1",
        "vector_store_lane.1 -, 12, f0, 3",
        "return",
    ]


def test_calls_keep_vectors_in_their_slots() -> None:
    got = listing(
        "(param v128) (result v128)",
        "(i8x16.add (local.get 0) (call $g (local.get 0)))",
        '(import "" "" (func $g (param v128) (result v128)))',
    )
    assert got == [
        f"prologue.{records.FRAME_CALLS | records.FRAME_POLLS | records.FRAME_VECTORS} 4",
        "vector_store_slot [0], f0",
        "float_move.w f8, f0",
        "float_move.w f0, f8",
        "call_import.0 480",
        "vector_load_slot f8, [0]",
        "vector_binary.i8x16.add f0, f8, f0",
        "return",
    ]


def test_parameters_and_results_beyond_the_registers() -> None:
    got = listing(f"(param {'v128 ' * 10}) (result v128 v128 v128)", "(local.get 9) (local.get 1) (local.get 8)")
    assert "vector_load_overflow f10, 1" in got
    assert got[-1] == "return" and any(line.startswith("vector_store_overflow 0, ") for line in got)


def test_constants_to_slots_without_a_free_register() -> None:
    taken = "(f64x2.splat (local.get 1))" * 8
    got = listing("(param v128 f64)", f"{taken} (v128.const i64x2 1 0x100000000) (loop (param v128) drop) {'drop ' * 8}")
    assert "vector_store_slot" in " ".join(got)

"""The backend as core uses it: tables, determinism, refusals, sizes."""

from __future__ import annotations

import re
import struct
from typing import Any

import pytest
from units import GUARDED, compiled, unit
from wasmtime import wat2wasm

from wasmcore.errors import NotCompiledError, PluginError, TrapKind
from wasmcore.opcodes import OPCODES
from wasmcore_singlepass.backend import Singlepass
from wasmcore_singlepass.module_compiler import ModuleCompiler
from wasmcore_singlepass.text import records

PROGRAM = """
(module
  (memory 1) (table 4 funcref) (type $t (func (param i32) (result i32)))
  (func $f (param i32) (result i32) (local f64)
    (local.set 1 (f64.convert_i32_u (i32.div_s (i32.const 100) (local.get 0))))
    (if (i32.gt_u (local.get 0) (i32.const 3)) (then (i32.store (i32.const 8) (i32.trunc_f64_s (local.get 1)))))
    (i32.add (call $f (i32.load (local.get 0))) (call_indirect (type $t) (i32.const 1) (local.get 0))))
  (func (param i64 i64) (result i64) (i64.rem_u (local.get 0) (local.get 1)))
  (func (param i64) (result i64) (local v128)
    (local.set 1 (i64x2.add (i64x2.splat (local.get 0)) (v128.const i64x2 0x20 0x21)))
    (local.set 1 (i8x16.shuffle 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 (local.get 1) (local.get 1)))
    (i64x2.extract_lane 1 (local.get 1)))
  (func unreachable))
"""


def test_tables() -> None:
    code = compiled(PROGRAM)
    functions = list(code.function_table())
    assert [function.function for function in functions] == [0, 1, 2, 3]
    assert all(function.offset % 16 == 0 and function.size for function in functions)
    assert functions[-1].offset + functions[-1].size <= len(code.code)
    traps = list(code.trap_table())
    assert traps == sorted(traps)
    kinds = {TrapKind(kind) for _, kind in traps}
    assert kinds == {
        TrapKind.STACK_OVERFLOW, TrapKind.INTEGER_DIVIDE_BY_ZERO, TrapKind.INTEGER_OVERFLOW, TrapKind.INVALID_CONVERSION_TO_INTEGER,
        TrapKind.UNDEFINED_ELEMENT, TrapKind.UNINITIALIZED_ELEMENT, TrapKind.INDIRECT_CALL_TYPE_MISMATCH, TrapKind.UNREACHABLE,
    }  # fmt: skip
    assert code.target == "x86_64" and code.backend == "singlepass" and code.address_map == b""


def test_address_map_does_not_change_the_code() -> None:
    plain, mapped = compiled(PROGRAM), compiled(PROGRAM, address_map=True)
    assert (plain.code, plain.traps, plain.functions) == (mapped.code, mapped.traps, mapped.functions)
    offsets = [offset for offset, _ in struct.iter_unpack("<II", mapped.address_map)]
    assert offsets == sorted(offsets) and offsets[-1] < len(mapped.code)
    prologue = {offset for offset, kind in mapped.trap_table() if kind == TrapKind.STACK_OVERFLOW}
    cold = {offset for offset, kind in mapped.trap_table() if mapped.code[offset : offset + 2] == b"\x0f\x0b"}
    assert cold - prologue <= set(offsets)


def test_deterministic() -> None:
    whole = unit(PROGRAM)
    backend = Singlepass()
    first = backend.compile(whole)
    assert backend.compile(whole) == first == Singlepass().compile(whole)
    alone = [backend.compile(whole._replace(streams=(stream,))) for stream in reversed(whole.streams)]
    for function, single in zip(reversed(list(first.function_table())), alone):
        assert first.code[function.offset : function.offset + function.size] == single.code[: function.size]


def test_unknown_target() -> None:
    whole = unit(PROGRAM)
    with pytest.raises(PluginError, match="pip install wasmcore-riscv64"):
        Singlepass().compile(whole._replace(target="riscv64"))


def test_what_is_missing_is_named() -> None:
    whole = unit("(module (func (nop) (drop (i32.const 1))))")
    stream = whole.streams[0].replace(b"\x1a\x00\x01\x00", b"\x0f\x04\x00\x00")
    with pytest.raises(NotCompiledError) as caught:
        Singlepass().compile(whole._replace(streams=(stream,)))
    assert (OPCODES[caught.value.opcode].name, caught.value.function) == ("array.len", 0)


def repeated(count: int) -> dict[str, str]:
    """Functions that are `count` of something."""
    labels = " ".join(["(block (br_if 0 (local.get 0)))"] * count)
    table = " ".join(["0"] * count)
    return {
        "operands": "(drop " * count + "(local.get 0)" + ")" * count if count < 2 else f"{'local.get 0 ' * count}{'drop ' * count}",
        "labels": labels,
        "table": f"(block (br_table {table} 0 (local.get 0)))",
        "nesting": "(block " * count + "(br_if 0 (local.get 0))" + ")" * count,
        "traps": "(drop (i32.div_u (i32.const 1) (local.get 0)))" * count,
        "pending": "local.get 0 i32.const 0 local.set 0 " * count + "drop " * count,
    }


@pytest.mark.parametrize("kind", sorted(repeated(1)))
def test_size_is_linear(kind: str) -> None:
    small, large = (len(compiled(f"(module (func (param i32) {repeated(count)[kind]}))").code) for count in (100, 800))
    assert large < 9 * small + 2000


def test_many_locals_and_params() -> None:
    compiled(f"(module (func (local {'i64 ' * 40_000}) (local.set 39999 (i64.const 1))))")
    params = "i64 f64 " * 400
    gets = "".join(f"(local.get {number})" for number in range(800))
    compiled(f"(module (func $f (param {params}) (result {params}) {gets} (return_call $f)))")


def test_same_code_for_a_module_read_twice() -> None:
    data = wat2wasm(PROGRAM)
    assert compiled(bytes(data)) == compiled(bytes(data), GUARDED)


class ManyRegisters:
    """The lowering of x86-64 with other numbers in its lists: what comes of that is compared as records, since no encoder has them."""

    def __init__(self, lowering: Any, **lists: tuple[int, ...]) -> None:
        self.__dict__.update(lists)
        self._lowering = lowering

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lowering, name)


FLOATS_AND_INTEGERS = """(module (memory 1) (func (param f64 f64 f64 i64 i64) (result f64) (local f64 f64 i64 v128)
  (loop $l
    (local.set 5 (f64.add (local.get 0) (f64.mul (local.get 1) (local.get 2))))
    (local.set 6 (f64.sub (local.get 5) (f64.load (i32.wrap_i64 (local.get 3)))))
    (local.set 7 (i64.add (local.get 7) (i64.mul (local.get 3) (local.get 4))))
    (local.set 8 (i64x2.add (local.get 8) (i64x2.splat (local.get 7))))
    (br_if $l (i64.lt_u (local.get 7) (local.get 4))))
  (f64.add (local.get 5) (f64.add (local.get 6) (f64.convert_i64_s (i64x2.extract_lane 0 (local.get 8)))))))"""


def test_float_and_integer_registers_have_numbers_of_their_own() -> None:
    """Float registers from 16 on, which are the numbers of no integer register of x86-64, give the same records but for their numbers."""
    lowering = Singlepass()._lowering("x86_64")
    floats = (*lowering.FLOAT_TEMPORARIES, *lowering.FLOAT_PINNED)
    other = {number: 15 + number if number >= 8 else number for number in floats}
    changed = ManyRegisters(lowering, FLOAT_PINNED=tuple(other[number] for number in lowering.FLOAT_PINNED))
    whole = unit(FLOATS_AND_INTEGERS)
    (plain,), (moved,) = (ModuleCompiler(whole, each).records(whole) for each in (lowering, changed))
    assert plain != moved and len(plain) == len(moved)
    assert listing(plain, other) == listing(moved, {number: number for number in range(32)})


def listing(data: bytes, numbers: dict[int, int]) -> list[str]:
    """The text of records, with float registers by other numbers."""
    return [re.sub(r"\bf(\d+)\b", lambda found: f"f{numbers[int(found[1])]}", str(each)) for each in records(data)]


def test_a_target_with_too_many_registers_is_refused() -> None:
    whole = unit(FLOATS_AND_INTEGERS)
    with pytest.raises(PluginError, match="FLOAT_PINNED of a target has register 30; numbers below 30 are expected"):
        ModuleCompiler(whole, ManyRegisters(Singlepass()._lowering("x86_64"), FLOAT_PINNED=(8, 30)))

"""Inlined functions do what they did, and a backtrace shows all calls as if nothing had been inlined."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import wasmtime
from call_programs import Program

import wasmcore
from wasmcore._registry import host_target
from wasmcore.binary import decode
from wasmcore.compile.artifact import read_artifact
from wasmcore.compile.fixed_tables import with_fixed_tables
from wasmcore.plugin.streams.inlining import GROWTH, MOST_GROWTH, Inliner
from wasmcore.plugin.unit import CompileUnit
from wasmcore.records import records
from wasmcore.runtime.instances.plan import plan
from wasmcore.stream import HAS_CALLS, HEADER_FLAGS
from wasmcore.validation import StreamWriter
from wasmcore.validation.checker import check_stream
from wasmcore_llvm.target import llvm_target
from wasmcore_llvm.text.module import module_text
from wasmcore_llvm.text.state import Unit

BATCH = 25
ARGUMENTS = ((0, 0), (1, 5), (7, -3), (1000, 2), (-1, 100))
KINDS = {"INTEGER_DIVISION_BY_ZERO": "INTEGER_DIVIDE_BY_ZERO", "BAD_SIGNATURE": "INDIRECT_CALL_TYPE_MISMATCH"}
"""Wasmtime's names of traps, where they are others."""
KINDS |= {"INDIRECT_CALL_TO_NULL": "UNINITIALIZED_ELEMENT", "TABLE_OUT_OF_BOUNDS": "UNDEFINED_ELEMENT"}


class Outcome(NamedTuple):
    """What can be seen of a call."""

    result: Any
    """Or the kind of the trap."""
    notes: tuple[int, ...]
    """What the host function got."""
    memory: bytes
    total: int


Frames = list[tuple[str | None, int, int | None]]
"""Module, function and offset of each call."""


def binary_of(seed: int) -> bytes:
    return bytes(wasmcore.wat2wasm(Program(seed).text))


def on_wasmtime(binary: bytes) -> list[Outcome]:
    """The oracle."""
    notes: list[int] = []
    store = wasmtime.Store()
    host = wasmtime.Func(store, wasmtime.FuncType([wasmtime.ValType.i32()], []), notes.append)
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, binary), [host]).exports(store)
    run, memory, total = exports["run"], exports["memory"], exports["sum"]
    assert isinstance(run, wasmtime.Func) and isinstance(memory, wasmtime.Memory) and isinstance(total, wasmtime.Global)
    found = []
    for x, y in ARGUMENTS:
        try:
            result = run(store, x, y)
        except wasmtime.Trap as trap:
            assert trap.trap_code is not None
            result = KINDS.get(trap.trap_code.name, trap.trap_code.name)
        found.append(Outcome(result, tuple(notes), bytes(memory.read(store, 0, 65536)), total.value(store)))
        notes.clear()
    return found


def on_wasmcore(binary: bytes, backend: str, **options: Any) -> tuple[list[Outcome], list[Frames]]:
    """The same here, and the backtraces of traps and of the last call of the host."""
    return observed(wasmcore.Module(binary, engine=wasmcore.Engine(backend, **options)))


def observed(module: wasmcore.Module) -> tuple[list[Outcome], list[Frames]]:
    """The same of a compiled module."""
    notes: list[int] = []
    frames: list[Frames] = []
    exports = wasmcore.Instance(module, {"host": {"note": notes.append}}).exports
    found = []
    for x, y in ARGUMENTS:
        try:
            result = exports.run(x, y)
        except wasmcore.Trap as trap:
            result = trap.kind.name
            frames.append(frames_of(trap))
        found.append(Outcome(result, tuple(notes), bytes(exports.memory.view()), exports.sum.value))
        notes.clear()
    return found, frames


def frames_of(trap: wasmcore.Trap) -> Frames:
    return [(frame.module_name, frame.function_index, frame.offset) for frame in trap.frames]


@pytest.mark.parametrize("batch", range(1))
def test_random_programs(batch: int) -> None:
    """Results, traps and state are wasmtime's, backtraces are singlepass's."""
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        binary = binary_of(seed)
        outcomes, frames = on_wasmcore(binary, "llvm")
        assert outcomes == on_wasmtime(binary), f"seed {seed}"
        assert frames == on_wasmcore(binary, "singlepass")[1], f"seed {seed}"


@pytest.mark.parametrize("unit_size", [1, 1 << 11])
def test_across_units(unit_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where small callees are in other units; and of code that was written and read again."""
    engine = wasmcore.Engine("llvm", cache=False)
    monkeypatch.setattr(engine.backend, "unit_size", unit_size)
    elsewhere = 0
    for seed in range(BATCH):
        binary = binary_of(seed)
        expected = on_wasmtime(binary), on_wasmcore(binary, "singlepass")[1]
        module = wasmcore.Module(binary, engine=engine)
        assert observed(module) == expected, f"seed {seed}"
        artifact = module.serialize()
        assert observed(wasmcore.Module.deserialize(artifact, engine=engine)) == expected, f"seed {seed}"
        elsewhere += sum(len(unit.callees) > 0 for unit in read_artifact(artifact).units)
    assert elsewhere > BATCH


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1, 8))
def test_more_random_programs(batch: int) -> None:
    variants: tuple[dict[str, Any], ...] = ({}, {"signals": False}, {"guard": False}, {"options": {"level": "O1"}}, {"lazy": True})
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        binary = binary_of(seed)
        expected = on_wasmtime(binary)
        frames = on_wasmcore(binary, "singlepass")[1]
        for options in variants:
            assert on_wasmcore(binary, "llvm", **options) == (expected, frames), f"seed {seed} {options}"


def inlined(binary: bytes) -> tuple[Unit, list[tuple[bytes, bytes]]]:
    """For each function its stream before and after."""
    info = decode(binary)
    writer = StreamWriter(info)
    streams = [writer.stream(index) for index in range(info.imported_functions, info.function_count)]
    environment = with_fixed_tables(plan(info, [True] * len(info.memories)), info, writer.written_tables)
    target = host_target()
    unit = Unit(CompileUnit.made_for(target, environment, (), address_map=False), llvm_target(target.name), frozenset())
    inliner = Inliner(unit.types, streams)
    return unit, [(stream, inliner.expanded(stream)[0]) for stream in streams]


def test_what_is_inlined_is_a_resolved_stream() -> None:
    """As one that came from a function; but its locals have no exact weights, and `unreachable` may be another trap."""
    changed = 0
    for seed in range(60):
        unit, streams = inlined(binary_of(seed))
        for before, after in streams:
            changed += before != after
            try:
                check_stream(unit.environment, after)
            except ValueError as error:
                assert str(error) == "weights of locals are wrong", f"seed {seed}"
    assert changed > 150


NESTED = """(module $m (import "host" "note" (func $note (param i32)))
  (memory (export "memory") 1) (global (export "sum") (mut i64) (i64.const 0))
  (func $divide (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
  (func $load (param i32) (result i32)
    (if (i32.eq (local.get 0) (i32.const 3)) (then (call $note (i32.const 1)) (return (i32.const 5))))
    (i32.load (local.get 0)))
  (func $middle (param i32 i32) (result i32)
    (i32.add (call $load (i32.mul (local.get 0) (i32.const 100))) (call $divide (call $load (local.get 0)) (local.get 1))))
  (func (export "run") (param i32 i32) (result i64)
    (drop (call $middle (local.get 0) (local.get 1)))
    (i64.extend_i32_u (call $middle (local.get 1) (local.get 0)))))"""


def test_traps_in_nested_bodies() -> None:
    binary = bytes(wasmcore.wat2wasm(NESTED))
    _, streams = inlined(binary)
    assert set(called(streams[-1][1])) == {0}, "only the host is called"
    outcomes, frames = on_wasmcore(binary, "llvm")
    assert outcomes == on_wasmtime(binary)
    assert frames == on_wasmcore(binary, "singlepass")[1]
    assert {tuple(function for _, function, _ in each) for each in frames} == {(1, 3, 4), (2, 3, 4)}


def called(stream: bytes) -> list[int]:
    """The functions that a stream calls."""
    return [record.immediate for record in records(stream) if record.name == "call"]


def test_backtraces_through_the_host() -> None:
    """An inlined body calls Python, which calls a function that traps in an inlined body."""
    frames = [through_the_host(backend) for backend in ("llvm", "singlepass")]
    assert frames[0] == frames[1]
    assert [function for _, function, _ in frames[0]] == [1, 3, 4, 2, 3, 4]


def through_the_host(backend: str) -> Frames:
    module = wasmcore.Module(NESTED, engine=wasmcore.Engine(backend))
    inner = wasmcore.Instance(module, {"host": {"note": lambda number: None}}).exports

    def note(number: int) -> None:
        inner.run(5, 0)

    exports = wasmcore.Instance(module, {"host": {"note": note}}).exports
    with pytest.raises(wasmcore.Trap) as caught:
        exports.run(3, 1)
    return frames_of(caught.value)


def test_recursion_that_is_partly_inlined() -> None:
    text = """(module (func $f (export "f") (param i32) (result i32)
        (i32.add (call $g (i32.add (local.get 0) (i32.const 1))) (call $g (local.get 0))))
      (func $g (param i32) (result i32) (i32.mul (call $f (local.get 0)) (i32.const 3))))"""
    cycles = []
    for backend in ("llvm", "singlepass"):
        exports = wasmcore.Instance(wasmcore.Module(text, engine=wasmcore.Engine(backend))).exports
        with pytest.raises(wasmcore.Trap, match="call stack exhausted") as caught:
            exports.f(1)
        frames = frames_of(caught.value)
        assert len(frames) == 100
        cycles.append({tuple(frames[at : at + 2]) for at in range(2, 98)})
    assert cycles[0] == cycles[1] and len(cycles[0]) == 2


TABLES_TEXT = """(module (type $a (func (param i32) (result i32))) (type $same (func (param i32) (result i32))) (type $none (func))
  (type $other (func (param i64) (result i32)))
  (table $small 6 funcref) (elem (table $small) (i32.const 0) func $double $nothing $square $wide)
  (elem (table $small) (i32.const 5) func $double)
  (table $large 300 funcref) (elem (table $large) (i32.const 200) func $double $nothing $square)
  (elem (table $large) (i32.const 250) func $square)
  (table $only 3 funcref) (elem (table $only) (i32.const 1) func $triple)
  (func $double (type $a) (i32.mul (local.get 0) (i32.const 2)))
  (func $triple (type $same) (i32.mul (local.get 0) (i32.const 3)))
  (func $square (type $a) (if (i32.gt_u (local.get 0) (i32.const 99)) (then (unreachable))) (i32.mul (local.get 0) (local.get 0)))
  (func $nothing (type $none))
  (func $wide (type $other) (i32.wrap_i64 (local.get 0)))
  (func (export "small") (param i32 i32) (result i32) (call_indirect $small (type $a) (local.get 1) (local.get 0)))
  (func (export "large") (param i32 i32) (result i32) (call_indirect $large (type $a) (local.get 1) (local.get 0)))
  (func (export "only") (param i32 i32) (result i32) (call_indirect $only (type $a) (local.get 1) (local.get 0)))
  (func (export "same") (param i32 i32) (result i32) (call_indirect $only (type $same) (local.get 1) (local.get 0)))
  (func (export "none") (param i32 i32) (result i32) (call_indirect $small (type $none) (local.get 0)) (i32.const 1)))"""


@pytest.mark.parametrize("signals", [True, False])
def test_calls_through_fixed_tables(signals: bool) -> None:
    """All elements, those around, and traps in what is called."""
    found = []
    for backend in ("llvm", "singlepass"):
        exports = wasmcore.Instance(wasmcore.Module(TABLES_TEXT, engine=wasmcore.Engine(backend, signals=signals))).exports
        outcomes: list[Any] = []
        for name in ("small", "large", "only", "same", "none"):
            for index in (-1, *range(8), 63, 64, *range(198, 205), 249, 250, 251, 299, 300, 1 << 31):
                for argument in (7, 100):
                    try:
                        outcomes.append(getattr(exports, name)(index, argument))
                    except wasmcore.Trap as trap:
                        outcomes.append((trap.kind, frames_of(trap)))
        found.append(outcomes)
    assert found[0] == found[1]
    kinds = {each[0].name for each in found[0] if isinstance(each, tuple)}
    assert kinds == {"UNDEFINED_ELEMENT", "UNINITIALIZED_ELEMENT", "INDIRECT_CALL_TYPE_MISMATCH", "UNREACHABLE"}


def test_a_loop_whose_calls_are_inlined_has_a_fast_copy() -> None:
    text = """(module (memory 1)
      (func $at (param i32) (result i32) (i32.load (i32.shl (local.get 0) (i32.const 2))))
      (func (export "sum") (param i32) (result i32) (local i32 i32)
        (loop $l
          (local.set 2 (i32.add (local.get 2) (call $at (local.get 1))))
          (br_if $l (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (local.get 0))))
        (local.get 2)))"""
    unit, streams = inlined(bytes(wasmcore.wat2wasm(text)))
    module_text(unit, tuple(before for before, _ in streams))
    assert unit.loops == {"": 1}
    flags = memoryview(streams[-1][1]).cast("q")[HEADER_FLAGS]
    assert not flags & HAS_CALLS, "and its function calls nothing"


def test_what_has_a_loop_of_its_own_stays_a_call() -> None:
    text = """(module (memory 1)
      (func $fill (param i32) (loop $l
        (i32.store8 (local.get 0) (i32.const 7))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
      (func (export "twice") (call $fill (i32.const 100)) (call $fill (i32.const 200))))"""
    unit, streams = inlined(bytes(wasmcore.wat2wasm(text)))
    assert all(before == after for before, after in streams)
    module_text(unit, tuple(before for before, _ in streams))
    assert unit.loops == {"": 1}


def test_growth_is_bounded() -> None:
    """Calls of a function with many locals, of one that calls others many times, and of one that calls itself twice."""
    locals_ = " ".join(["f64"] * 60)
    sets = " ".join(f"(local.set {n} (local.get 0))" for n in range(1, 9))
    text = f"""(module
      (func $many (param f64) (result f64) (local {locals_}) {sets} (local.get 8))
      (func $twice (param f64) (result f64) (f64.add (call $twice (local.get 0)) (call $twice (call $many (local.get 0)))))
      (func $nest (param f64) (result f64) (call $twice (call $twice (call $twice (call $many (local.get 0))))))
      (func (param f64) (result f64) (local.get 0) {"(call $many) (call $nest)" * 20000}))"""
    _, streams = inlined(bytes(wasmcore.wat2wasm(text)))
    for before, after in streams:
        assert before != after or not called(before)
        assert len(after) <= len(before) + 8 * 2 * max(GROWTH, min(len(before) // 8, MOST_GROWTH))


def test_backtraces_of_precompiled_code() -> None:
    """The runtime finds out what was compiled together."""
    engine = wasmcore.Engine("llvm")
    compiled = wasmcore.Module(TABLES_TEXT, engine=engine)
    found = []
    for module in (compiled, wasmcore.Module.deserialize(compiled.serialize(), engine=engine)):
        with pytest.raises(wasmcore.Trap) as caught:
            wasmcore.Instance(module).exports.small(2, 100)
        found.append(frames_of(caught.value))
    assert found[0] == found[1] and [function for _, function, _ in found[0]] == [2, 5]

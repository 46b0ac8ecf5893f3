"""Every record reads the values that it should: proven for each function, whatever way leads to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_graphs import MODULES, streams

import wasmcore
from wasmcore.plugin.entry_points import entries
from wasmcore.stream import HEADER_TYPE
from wasmcore_midtier.lowering.lowering import Lowering
from wasmcore_midtier.lowering.verify import Verifier, Wrong
from wasmcore_midtier.ssa.build import Builder
from wasmcore_midtier.ssa.dead_code import DeadCode
from wasmcore_midtier.ssa.values import NotBuilt
from wasmcore_singlepass import records
from wasmcore_singlepass.protocol import ENTRY_POINT_GROUP

TARGET = next(entry for entry in entries(ENTRY_POINT_GROUP) if entry.name == "x86_64").load()


def check(data: bytes) -> int:
    """Verify all functions of a module; how many there are."""
    checked = 0
    builder: Builder | None = None
    for types, stream in streams(data):
        if builder is None or builder.types is not types:
            builder = Builder(types)
            dead_code, lowering = DeadCode(builder.graph), Lowering(builder.graph, types, TARGET, frozenset(), False)
            lowering.checked = True
        try:
            builder.build(stream)
        except NotBuilt:
            continue
        dead_code.remove()
        Verifier(lowering, lowering.write(memoryview(stream).cast("q")[HEADER_TYPE])).verify()
        checked += 1
    return checked


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.stem)
def test_modules(file: Path) -> None:
    assert check(file.read_bytes())


def test_marks_change_nothing() -> None:
    """Without its marks, what is checked is what is compiled."""
    (types, stream), _ = streams(bytes(wasmcore.wat2wasm(SUM)))
    builder = Builder(types)
    dead_code, lowering = DeadCode(builder.graph), Lowering(builder.graph, types, TARGET, frozenset(), False)
    found = []
    for checked in (False, True):
        builder.build(stream)
        dead_code.remove()
        lowering.checked = checked
        found.append(lowering.write(memoryview(stream).cast("q")[HEADER_TYPE]))
    verifier = Verifier(lowering, found[1])
    plain = Verifier(lowering, found[0])
    assert [each for each in verifier.records if each.operation < 120] == plain.records
    verifier.verify()


SUM = """(module (func (param i32 i32) (result i32) (local i32)
  (loop $l (local.set 2 (i32.add (local.get 2) (local.get 1))) (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
  (i32.mul (local.get 2) (local.get 1))))"""


KEPT = """(module (import "host" "f" (func $f (param i32) (result i32))) (func (param i32 i32) (result i32)
  (i32.rotl (i32.add (call $f (i32.const 7)) (local.get 1)) (local.get 0))))"""


def test_the_verifier_finds_what_is_wrong() -> None:
    """Each record that brings a value somewhere, left out in turn."""
    (types, stream), _ = streams(bytes(wasmcore.wat2wasm(KEPT)))
    builder = Builder(types)
    builder.build(stream)
    DeadCode(builder.graph).remove()
    lowering = Lowering(builder.graph, types, TARGET, frozenset(), False)
    lowering.checked = True
    data = lowering.write(memoryview(stream).cast("q")[HEADER_TYPE])
    needed = []
    for number, record in enumerate(Verifier(lowering, data).records):
        if record.operation in (records.MOVE, records.CONSTANT, records.LOAD_SLOT, records.STORE_SLOT):
            verifier = Verifier(lowering, data)
            del verifier.records[number]
            try:
                verifier.verify()
            except Wrong:
                needed.append(str(record))
    assert {each.split()[0] for each in needed} >= {"store_slot", "constant", "load_slot"}

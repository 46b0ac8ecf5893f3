"""Accesses to memories: what LLVM could take for granted and must not."""

from __future__ import annotations

import pytest

import wasmcore

COPY = """(module (memory (import "m" "a") 1) (memory (import "m" "b") 1)
  (func (export "run") (param i32 i32 i32)
    (loop $l (i32.store8 {to} (local.get 1) (i32.load8_u {source} (local.get 0)))
      (local.set 0 (i32.add (local.get 0) (i32.const 1))) (local.set 1 (i32.add (local.get 1) (i32.const 1)))
      (br_if $l (local.tee 2 (i32.sub (local.get 2) (i32.const 1)))))))"""


@pytest.mark.parametrize("guard", [True, False])
@pytest.mark.parametrize(("source", "to"), [(0, 1), (1, 0)])
def test_two_imported_memories_may_be_one(source: int, to: int, guard: bool) -> None:
    engine = wasmcore.Engine("llvm", guard=guard)
    one, other = (wasmcore.Instance(wasmcore.Module('(module (memory (export "m") 1))', engine=engine)).exports.m for _ in range(2))
    copy = wasmcore.Module(COPY.format(source=source, to=to), engine=engine)
    one.view()[0] = 7
    wasmcore.Instance(copy, {"m": {"a": one, "b": one}}).exports.run(0, 1, 150)
    assert bytes(one.view()[:200]) == b"\7" * 151 + b"\0" * 49
    memories = (one, other) if source == 0 else (other, one)
    wasmcore.Instance(copy, {"m": {"a": memories[0], "b": memories[1]}}).exports.run(0, 1, 100)
    assert bytes(other.view()[:200]) == b"\0" + b"\7" * 100 + b"\0" * 99

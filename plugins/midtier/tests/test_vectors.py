"""Loops in vectors do what they do in singlepass's code, whatever is in the way of what."""

from __future__ import annotations

from array import array
from random import Random
from typing import Any

import pytest
from loop_generator import Generator, text
from test_graphs import streams

import wasmcore
from wasmcore_midtier.loops.vectorize import Vectorizer
from wasmcore_midtier.ssa.build import Builder
from wasmcore_midtier.ssa.dead_code import DeadCode
from wasmcore_midtier.ssa.renumbering import Renumbering
from wasmcore_midtier.ssa.verify import verify

SIZE = 65536
CALLS = 12
PARTS = 8
BACKENDS = ("singlepass", "midtier")
FLOATS = {"f32": "f", "f64": "d"}


def is_in_vectors(data: bytes) -> bool:
    """Whether the loop of a module becomes one of vectors; its graph is in order."""
    types, stream = next(streams(data))
    builder = Builder(types)
    graph = builder.build(stream)
    DeadCode(graph).remove()
    before = graph.blocks
    Vectorizer(graph, types.environment, Renumbering(graph)).run()
    verify(graph)
    return bool(graph.blocks > before)


def arguments(random: Random) -> tuple[int, int, int]:
    """Two addresses, which may be near each other and near the ends of the memory, and a number of turns."""
    to = random.choice((0, 8, 1000, 1001, 10000, 30000, SIZE - 400, SIZE - 16, SIZE, 0x80000000, 0xFFFF6400, 0xFFFFFFF0))
    near = random.choice((0, 0, 4, 8, -4, -8, 16, -16, 64, 3, 200, -200, 5000, 20000, -20000))
    return to, (to + near) & 0xFFFFFFFF, random.choice((1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 100, 257))


def outcome(function: Any, memory: wasmcore.Memory, contents: bytes, passed: tuple[object, ...]) -> tuple[object, bytes]:
    """What a call returns or how it ends, and the memory then."""
    memory.write(0, contents)
    try:
        result = function(*passed)
    except wasmcore.Trap as trap:
        result = trap.kind
    return result, memory.read(0, SIZE)


def contents(random: Random, kind: str) -> bytes:
    """A memory full of numbers."""
    if kind not in FLOATS:
        return random.randbytes(SIZE)
    return array(FLOATS[kind], [random.choice((0.0, 1.0, -2.5, 1e30, 3e-5, 7.0)) for _ in range(SIZE // 4)]).tobytes()[:SIZE]


@pytest.mark.parametrize("part", range(PARTS))
def test_random_loops(part: int) -> None:
    in_vectors = 0
    for seed in range(part, 400, PARTS):
        in_vectors += check(seed)
    assert in_vectors > 10


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_many_random_loops(part: int) -> None:
    assert sum(check(seed) for seed in range(1000 + part, 11000, 5)) > 500


def check(seed: int) -> bool:
    """Compare one module; whether there were vectors in it."""
    data = bytes(wasmcore.wat2wasm(text(seed)))
    random, kind = Random(seed), Generator(seed).lane.type
    full = contents(random, kind)
    instances = [wasmcore.Instance(wasmcore.Module(data, engine=wasmcore.Engine(name, cache=False))).exports for name in BACKENDS]
    for _ in range(CALLS):
        passed = (*arguments(random), 3)
        found = [outcome(each.run, each.memory, full, passed) for each in instances]
        assert found[0][0] == found[1][0], f"loop {seed}, run{passed}: {found[0][0]}, {found[1][0]}"
        assert found[0][1] == found[1][1], f"loop {seed}, run{passed}: memory differs from {difference(found[0][1], found[1][1])} on"
    return is_in_vectors(data)


def difference(one: bytes, other: bytes) -> int:
    """The first byte that differs."""
    return next(at for at in range(SIZE) if one[at] != other[at])


POLLS = """(module (memory 1 65536)
  (func (param i32) (local i32) (loop $l {0} (br_if $l (i32.ne (local.tee 1 (i32.add (local.get 1) (i32.const {1}))) (i32.const {2}))))))"""
STORE = "(i32.store offset=8 (i32.mul (local.get 1) (i32.const 7)) (local.get 0))"


@pytest.mark.parametrize(
    ("body", "step", "bound", "is_short"),
    [
        (STORE, 1, 1000, True),
        (STORE, 1, 1 << 20, False),
        (STORE, 2, 1001, False),
        (STORE + "(memory.fill (i32.const 0) (i32.const 0) (i32.const 65536))", 1, 1000, False),
        (STORE + "(drop (memory.grow (i32.const 0)))", 1, 1000, False),
    ],
)
def test_short_loops_alone_do_not_poll(body: str, step: int, bound: int, is_short: bool) -> None:
    """Those that surely end soon, and do nothing that takes long."""
    types, stream = next(streams(bytes(wasmcore.wat2wasm(POLLS.format(body, step, bound)))))
    builder = Builder(types)
    graph = builder.build(stream)
    DeadCode(graph).remove()
    Vectorizer(graph, types.environment, Renumbering(graph)).run()
    assert bool(graph.is_short[0]) == is_short

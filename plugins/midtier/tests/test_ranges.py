"""What is said to be the greatest number that an operation makes is never exceeded."""

from __future__ import annotations

from random import Random

import pytest

import wasmcore
from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.algebra.arithmetic import OPERATIONS, UNARY, evaluated, signed, unsigned
from wasmcore_midtier.ssa.algebra.ranges import ANY, greatest
from wasmcore_midtier.ssa.graph import NONE, Graph

CODES = [code for code, (_, bits, _) in OPERATIONS.items() if bits == 32]
LIMITS = (0, 1, 2, 7, 255, 256, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, ANY)


def numbers(random: Random, most: int) -> list[int]:
    """Some that are not greater."""
    return [0, most, most >> 1, random.randint(0, most), random.randint(0, most)]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("constant", [False, True])
def test_operations(code: int, constant: bool) -> None:
    random = Random(code)
    for x_most in LIMITS:
        for y_most in LIMITS:
            graph = Graph()
            a = graph.add(i64(0), i64(0x700), i64(1), NONE, NONE, NONE, i64(0), i64(0))
            b = graph.add(i64(0), i64(0x41 if constant else 0x700), i64(1), NONE, NONE, NONE, i64(signed(y_most, 32)), i64(0))
            graph.most[a], graph.most[b] = i64(x_most), i64(y_most)
            most = greatest(graph, i64(code), a, b if code not in UNARY else NONE)
            for x in numbers(random, x_most):
                for y in [y_most] if constant else numbers(random, y_most):
                    result = evaluated(code, signed(x, 32), signed(y, 32))
                    assert result is None or unsigned(result, 32) <= most, (x, y)


ADDRESSES = """(module (memory (export "memory") 1)
  (func (export "run") (param i32 i32) (result i32)
    (i32.store (i32.shl (i32.and (local.get 0) (i32.const 0x3FFFFFFF)) (i32.const 2)) (local.get 1))
    (i32.store offset=4 (i32.add (i32.shl (i32.and (local.get 0) (i32.const 0x3FF)) (i32.const 3)) (i32.const 64)) (local.get 1))
    (i32.load8_u offset=100 (i32.shl (i32.load8_u (local.get 1)) (i32.const 1)))))"""


@pytest.mark.parametrize("arguments", [(0, 0), (1, 100), (255, 65535), (16383, 7), (16384, 7), (0x3FFFFFFF, 1), (0x40000001, 9), (-1, 3)])
def test_addresses_that_are_shifted(arguments: tuple[int, int]) -> None:
    data = bytes(wasmcore.wat2wasm(ADDRESSES))
    found = []
    for backend in ("singlepass", "midtier"):
        instance = wasmcore.Instance(wasmcore.Module(data, engine=wasmcore.Engine(backend, cache=False))).exports
        instance.memory.write(0, bytes(range(256)) * 256)
        try:
            result = instance.run(*arguments)
        except wasmcore.Trap as trap:
            result = trap.kind
        found.append((result, instance.memory.read(0, 65536)))
    assert found[0] == found[1]

"""Records of wide arithmetic, of atomic accesses, of calls by reference and of conditional traps."""

from __future__ import annotations

import operator
import struct

import capstone
import numpy as np
import pytest
from vector_machine import Array, blank, encode, integer_of, record, run, untouched

from wasmcore.errors import TrapKind
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.singlepass import atomics as m
from wasmcore_x86_64.singlepass import lowering

CASES = 64
ADD, SUB = 0, 2
UNSIGNED = 4
MASK = 2**64 - 1
SPECIAL = [0, 1, 2, MASK, MASK - 1, 1 << 63, (1 << 63) - 1, 1 << 32, 0xFFFFFFFF]


def states(*registers: int) -> Array:
    """States with special numbers in these registers."""
    result = blank(CASES)
    random = np.random.default_rng(3)
    for register in registers:
        numbers = np.array(SPECIAL, "u8")[random.integers(len(SPECIAL), size=CASES)]
        integer_of(result, register)[:] = np.where(
            random.integers(4, size=CASES) > 0, numbers, random.integers(MASK, size=CASES, dtype="u8")
        )[:, None].view("u1")
    return result


def numbers_of(found: Array, register: int) -> list[int]:
    return [int(each) for each in integer_of(found, register).copy().view("u8")[:, 0]]


@pytest.mark.parametrize(("low_d", "low_a", "low_b"), [(0, 1, 2), (1, 1, 2), (2, 1, 2), (6, 7, 7), (8, 9, 8)])
@pytest.mark.parametrize(("high_d", "high_a", "high_b"), [(10, 13, 14), (13, 13, 14), (14, 13, 14), (14, 14, 14)])
@pytest.mark.parametrize("variant", [ADD, SUB])
def test_carries(variant: int, low_d: int, low_a: int, low_b: int, high_d: int, high_a: int, high_b: int) -> None:
    before = states(low_a, low_b, high_a, high_b)
    pair = record(m.ALU_CARRY_OUT, variant | 1, low_d, low_a, low_b) + record(m.ALU_CARRY_IN, variant | 1, high_d, high_a, high_b)
    after = run(*encode([pair], frozenset()), before)[0]
    operate = operator.add if variant == ADD else operator.sub
    operands = [numbers_of(before, register) for register in (low_a, low_b, high_a, high_b)]
    for a, b, c, d, low, high in zip(*operands, numbers_of(after, low_d), numbers_of(after, high_d)):
        assert low | high << 64 == operate(a | c << 64, b | d << 64) & (2**128 - 1)
    assert untouched(before, after, {low_d, high_d}, set())


@pytest.mark.parametrize("unsigned", [0, UNSIGNED])
def test_wide_products(unsigned: int) -> None:
    before = states(x.RAX, x.RSI)
    after = run(*encode([record(m.MULTIPLY_WIDE, unsigned, x.RAX, x.RAX, x.RSI, x.RDX)], frozenset()), before)[0]
    for a, b, low, high in zip(*(numbers_of(*each) for each in ((before, 0), (before, 6), (after, 0), (after, 2)))):
        if not unsigned:
            a, b = ((each ^ (1 << 63)) - (1 << 63) for each in (a, b))
        assert low | high << 64 == a * b & (2**128 - 1)
    assert untouched(before, after, {0, 2}, set())


UPDATES = [operator.add, operator.sub, operator.and_, operator.or_, operator.xor, lambda a, b: b]


@pytest.mark.parametrize("logarithm", range(4))
@pytest.mark.parametrize(("a", "b"), [(x.RSI, x.RCX), (x.R13, x.RDI), (x.RDX, x.R9)])
def test_atomic_updates(logarithm: int, a: int, b: int) -> None:
    mask = (1 << (8 << logarithm)) - 1
    for variant, update in enumerate(UPDATES):
        before = states(b)
        memory = np.random.default_rng(5).integers(0, 256, (CASES, 8), dtype="u1")
        untouched_memory = memory.copy()
        before.view("u8")[:, a] = memory.ctypes.data + 8 * np.arange(CASES, dtype="u8")
        after = run(*encode([record(m.ATOMIC_UPDATE, variant << 2 | logarithm, x.RAX, a, b)], frozenset()), before)[0]
        for case, operand in enumerate(numbers_of(before, b)):
            old = struct.unpack("<Q", untouched_memory[case].tobytes())[0]
            new = struct.unpack("<Q", memory[case].tobytes())[0]
            assert new == old & ~mask | update(old & mask, operand & mask) & mask
            assert numbers_of(after, x.RAX)[case] == old & mask
        assert untouched(before, after, {x.RAX}, set())


@pytest.mark.parametrize("logarithm", range(4))
@pytest.mark.parametrize(("a", "b"), [(x.RSI, x.RCX), (x.R13, x.RDI), (x.RDX, x.R9), (x.RAX, x.RAX)])
def test_atomic_loads_and_stores(logarithm: int, a: int, b: int) -> None:
    mask = (1 << (8 << logarithm)) - 1
    before = states(b)
    memory = np.random.default_rng(5).integers(0, 256, (CASES, 8), dtype="u1")
    untouched_memory = memory.copy()
    before.view("u8")[:, a] = memory.ctypes.data + 8 * np.arange(CASES, dtype="u8")
    body = record(m.ATOMIC_LOAD, logarithm, x.RBX, a) + record(m.ATOMIC_STORE, logarithm, 0, a, b)
    after = run(*encode([body], frozenset()), before)[0]
    for case, operand in enumerate(numbers_of(before, b)):
        old = struct.unpack("<Q", untouched_memory[case].tobytes())[0]
        new = struct.unpack("<Q", memory[case].tobytes())[0]
        assert new == old & ~mask | operand & mask
        assert numbers_of(after, x.RBX)[case] == old & mask
    assert untouched(before, after, {x.RBX}, set())


@pytest.mark.parametrize("logarithm", range(4))
def test_atomic_compare_exchange(logarithm: int) -> None:
    mask = (1 << (8 << logarithm)) - 1
    before = states(x.RCX)
    memory = np.random.default_rng(5).integers(0, 256, (CASES, 8), dtype="u1")
    old = [struct.unpack("<Q", row.tobytes())[0] for row in memory]
    before.view("u8")[:, x.RSI] = memory.ctypes.data + 8 * np.arange(CASES, dtype="u8")
    before.view("u8")[::2, x.RAX] = np.array(old, "u8")[::2] & np.uint64(mask)
    after = run(*encode([record(m.ATOMIC_COMPARE_EXCHANGE, logarithm, x.RAX, x.RSI, x.RCX)], frozenset()), before)[0]
    exchanged = 0
    for case, (expected, replacement) in enumerate(zip(numbers_of(before, x.RAX), numbers_of(before, x.RCX))):
        equal = expected & mask == old[case] & mask
        exchanged += equal
        wanted = old[case] & ~mask | (replacement if equal else old[case]) & mask
        assert struct.unpack("<Q", memory[case].tobytes())[0] == wanted
        assert numbers_of(after, x.RAX)[case] == old[case] & mask
    assert CASES > exchanged >= CASES // 2 and untouched(before, after, {x.RAX}, set())


def text(*records: bytes, signals: bool = True) -> list[str]:
    encoder = lowering.encoder(frozenset(), signals)
    code = encoder.encode_unit([b"".join(records)])
    size = struct.unpack_from("<I", encoder.tables()[0], 4)[0]
    return [
        f"{each.mnemonic} {each.op_str}".strip() for each in capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(code[:size], 0)
    ]


def test_calls_by_reference() -> None:
    end = record(48)
    call = ["mov r12, qword ptr [rax + 8]", "call qword ptr [rax]", "mov r12, qword ptr [rbp - 8]"]
    assert text(record(m.CALL_REFERENCE, 0, 0, x.RAX), end) == call
    assert text(record(m.CALL_REFERENCE, 1, 0, x.RAX), end) == [call[0], "leave", "jmp qword ptr [rax]"]
    checked = text(record(m.CALL_REFERENCE, 0, 0, x.RAX), end, signals=False)
    assert checked[0] == "test rax, rax" and checked[1].startswith("je ") and checked[2:5] == call
    assert checked[5] == f"mov r13d, {TrapKind.NULL_REFERENCE:#x}"
    encoder = lowering.encoder(frozenset(), True)
    encoder.encode_unit([record(m.CALL_REFERENCE, 0, 0, x.RAX) + end])
    assert struct.unpack("<II", encoder.tables()[1]) == (0, TrapKind.NULL_REFERENCE)


def test_conditional_traps_and_fences() -> None:
    unsigned_less = 4
    lines = text(record(m.TRAP_IF, unsigned_less, immediate=TrapKind.MEMORY_OUT_OF_BOUNDS), record(m.FENCE), record(48))
    assert lines[0].startswith("jb ") and lines[1:] == ["mfence", "ud2"]

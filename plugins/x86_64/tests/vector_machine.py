"""Runs the code of records on registers of the test's own: (cases, `STATE`) bytes, 16 general registers and then 16 of vectors."""

from __future__ import annotations

import ctypes
import struct
from functools import cache
from typing import Any

import numpy as np

from wasmcore.runtime.execution.code_memory import wasm_code
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler.instructions import Assembler
from wasmcore_x86_64.cpu import processor
from wasmcore_x86_64.singlepass import encoder as m
from wasmcore_x86_64.singlepass import lowering
from wasmcore_x86_64.target import X86_64

Array = np.ndarray[Any, Any]
VECTORS = 128
STATE = VECTORS + 256
KEPT = (x.RBX, x.RBP, x.R12, x.R13, x.R14, x.R15)
NO_REGISTER = 31
FEATURES = {
    "sse4.1": frozenset[str](),
    "sse4.2": frozenset({"sse4.2"}),
    "avx": frozenset({"avx"}),
    "avx2": frozenset({"avx", "avx2"}),
    "fma": frozenset({"avx", "avx2", "fma"}),
    "all": processor().features,
}
"""Sets of features to test with."""


def usable() -> list[frozenset[str]]:
    """Those that this processor has."""
    return [features for features in FEATURES.values() if features <= processor().features]


def record(operation: int, size: int = 0, d: int = 0, a: int = 0, b: int = 0, immediate: int = 0, *words: int) -> bytes:
    """One record; `words` are its extension words."""
    word = operation | size << 8 | d << 15 | a << 20 | b << 25 | (immediate & 0xFFFFFFFF) << 32 | (0x80 if words else 0)
    return struct.pack(f"<Q{len(words)}q", word, *words)


def vector_record(
    operation: int, number: int, d: int, a: int, b: int = 0, c: int = 0, t: int = NO_REGISTER, lane: int = 0, words: tuple[int, ...] = ()
) -> bytes:
    """A record of operations from VECTOR_UNARY on."""
    return record(operation, 0, d, a, b, number | c << 9 | t << 14 | lane << 24, *words)


def encode(records: list[bytes], features: frozenset[str]) -> tuple[bytes, list[int]]:
    """Code of functions that return behind these records, and where they are in it."""
    encoder = lowering.encoder(features, True)
    code = encoder.encode_unit([each + record(m.RETURN) + record(m.END) for each in records])
    return code, [start for start, _ in struct.iter_unpack("<II", encoder.tables()[0])]


@cache
def _runner(frame: bool) -> tuple[Any, Any]:
    """void run(states, count, code): call the code with each state in the registers, and keep what it leaves there."""
    a = Assembler()
    again, call = a.label(), a.label()
    for register in KEPT:
        a.push(register)
    a.sub_imm(x.RSP, 24)
    a.store(x.RSP, 16, x.RDX)
    a.store(x.RSP, 8, x.RSI)
    a.store(x.RSP, 0, x.RDI)
    a.bind(again)
    a.load(x.RDI, x.RSP, 0)
    for number in range(16):
        a.reg_mem(x.MOVUPS, 0, number, x.RDI, VECTORS + 16 * number)
    loaded = [number for number in range(16) if number not in (x.RSP, x.RBP, x.RDI)]
    for number in loaded:
        a.load(number, x.RDI, 8 * number)
    a.load(x.RDI, x.RDI, 8 * x.RDI)
    a.call(call)
    a.push(x.RAX)
    a.load(x.RAX, x.RSP, 8)
    for number in (*loaded, x.RDI):
        if number != x.RAX:
            a.store(x.RAX, 8 * number, number)
    a.pop(x.RCX)
    a.store(x.RAX, 0, x.RCX)
    for number in range(16):
        a.reg_mem(x.MOVUPS_STORE, 0, number, x.RAX, VECTORS + 16 * number)
    a.alu_mem_imm(x.DIGIT_ADD, 1, x.RSP, 0, STATE)
    a.alu_mem_imm(x.DIGIT_SUB, 1, x.RSP, 8, 1)
    a.jump_if(x.NOT_EQUAL, again)
    a.add_imm(x.RSP, 24)
    for register in reversed(KEPT):
        a.pop(register)
    a.ret()
    a.bind(call)
    if frame:
        a.push(x.RBP)
        a.mov(x.RBP, x.RSP)
        a.jump_mem(x.RBP, 32)
    else:
        a.jump_mem(x.RSP, 24)
    block = wasm_code.allocate(a.code(), X86_64().publish)
    return block, ctypes.PYFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)(block.address)


def run(code: bytes, starts: list[int], states: Array, frame: bool = True) -> list[Array]:
    """The states that each function leaves when it finds these; `frame` makes the frame that the code leaves."""
    block = wasm_code.allocate(code, X86_64().publish)
    results = []
    for start in starts:
        after = states.copy()
        _runner(frame)[1](after.ctypes.data, len(after), block.address + start)
        results.append(after)
    block.free()
    return results


def blank(count: int) -> Array:
    """States in which every register has a content of its own."""
    return np.random.default_rng(count).integers(0, 256, (count, STATE), dtype="u1")


def vector_of(states: Array, register: int) -> Array:
    """A vector register of all states."""
    return states[:, VECTORS + 16 * register : VECTORS + 16 * register + 16]


def integer_of(states: Array, register: int) -> Array:
    """A general register of all states, as 8 bytes each."""
    return states[:, 8 * register : 8 * register + 8]


def untouched(before: Array, after: Array, integers: set[int], vectors: set[int]) -> bool:
    """Whether nothing but these registers, and the scratch registers, has changed."""
    keep = np.ones(STATE, bool)
    for register in {*integers, x.RSP, x.RBP, x.R11}:
        keep[8 * register : 8 * register + 8] = False
    for register in {*vectors, 15}:
        keep[VECTORS + 16 * register : VECTORS + 16 * register + 16] = False
    return bool((before[:, keep] == after[:, keep]).all())

"""Every access of memory at every boundary, compared with a model: whether it traps, what it reads, what it writes and nothing else.

The instructions come from the table of opcodes, so that none can be forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

import wasmcore
from wasmcore.opcodes import ADDRESS, OPCODES

from ..differential import module_builder as binary
from .model import MemoryKind, addresses, offsets
from .programs import ACCESSES, FEATURES, MODES, UNKNOWN, WAYS, Function, Program, body, run

_PAGES = 16
LAYOUTS = {
    "32 bits first": (MemoryKind(False, _PAGES, 1), MemoryKind(False, _PAGES, 0), MemoryKind(True, _PAGES, 1)),
    "64 bits first": (MemoryKind(True, _PAGES, 1), MemoryKind(False, _PAGES, 2), MemoryKind(False, 0, 5003)),
    "nothing first": (MemoryKind(False, _PAGES, 0), MemoryKind(True, _PAGES, 0), MemoryKind(True, 0, 4099)),
    "large": (MemoryKind(True, _PAGES, 32769), MemoryKind(False, _PAGES, 65536), MemoryKind(True, _PAGES, 65536)),
}
"""The memories of a program."""
PART = 9
"""The fast run takes one in so many offsets of an instruction, at all addresses, beginning with another one for each instruction; where
addresses are constants, both runs take one in so many of them."""


def functions(memories: tuple[MemoryKind, ...], everything: bool, first: int) -> Iterator[tuple[Function, list[int]]]:
    """The functions of a program, and the addresses that each is called with."""
    number = first
    for opcode, model in ACCESSES.items():
        for index, memory in enumerate(memories):
            number += 1
            for offset in offsets(memory, model.size)[0 if everything else number % PART :: 1 if everything else PART]:
                places = addresses(memory, model.size, offset)
                number += 1
                for way in WAYS if everything else (WAYS[number % len(WAYS)],):
                    if way != "constant":
                        yield Function(opcode, index, offset, way), places
                        continue
                    for place in places[number % PART :: PART]:
                        yield Function(opcode, index, offset, way, place), [place]


def check(backend: str, layout: str, mode: str, everything: bool) -> None:
    """Run a layout's program, in several modules where it has many functions."""
    memories = LAYOUTS[layout]
    chosen = functions(memories, everything, list(LAYOUTS).index(layout) * 5 + list(MODES).index(mode) * 2)
    calls = 0
    while part := list(itertools.islice(chosen, 4000)):
        program = Program(memories)
        named = [(program.add(*body(function, memories)), function) for function, _ in part]
        program.instantiate(backend, mode)
        calls += run(program, named, [places for _, places in part])
    assert calls > len(ACCESSES)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_accesses(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, False)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_accesses(backend: str, layout: str, mode: str) -> None:
    check(backend, layout, mode, True)


def test_every_instruction_with_an_address_has_a_model() -> None:
    with_addresses = {opcode.name for opcode in OPCODES.values() if opcode.params is not None and ADDRESS in opcode.params}
    assert with_addresses == {opcode.name for opcode in ACCESSES} | set(UNKNOWN)
    assert all(1 << opcode.alignment == model.size for opcode, model in ACCESSES.items())


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_has_no_model_is_not_compiled(backend: str, name: str) -> None:
    """Once it is, it wants a model."""
    (opcode,) = [each for each in OPCODES.values() if each.name == name]
    builder = binary.ModuleBuilder()
    builder.memory(1, 1)
    operands = {"memory.atomic.notify": b"\x41\0", "memory.atomic.wait32": b"\x41\0\x42\0", "memory.atomic.wait64": b"\x42\0\x42\0"}
    code = b"\x41\0" + operands[name] + opcode.binary + bytes([opcode.alignment, 0])
    builder.export("f", binary.FUNCTION, builder.function(((), (binary.I32,)), (), code))
    engine = wasmcore.Engine(backend, features=FEATURES, cache=False)
    with pytest.raises(wasmcore.CompileError, match=name):
        wasmcore.Instance(wasmcore.Module(builder.to_bytes(), engine=engine)).exports.f()

"""Compile units from text, for the tests here."""

from __future__ import annotations

from wasmtime import wat2wasm

from wasmcore._registry import host_target
from wasmcore.opcodes import FEATURES
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.unit import CompileUnit, Environment, GlobalPlan, MemoryPlan, TablePlan
from wasmcore_singlepass.backend import Singlepass

# Only the tests use core's front end; the backend itself sees nothing but the contract.
from wasmcore.binary import decode  # isort: skip
from wasmcore.validation import StreamWriter  # isort: skip

GUARDED = (MemoryPlan(32, False, True, 16),)
CHECKED = (MemoryPlan(32, False, False, 16),)


def unit(text: str | bytes, memories: tuple[MemoryPlan, ...] = GUARDED, address_map: bool = False) -> CompileUnit:
    """All functions of a module as one unit for x86-64; tables stand at 64, globals at 128, functions at 512 of the context."""
    features = frozenset(FEATURES)
    info = decode(wat2wasm(text) if isinstance(text, str) else text, features)
    environment = Environment(
        info.type_pool,
        info.signatures,
        info.function_types,
        info.imported_functions,
        memories,
        tuple(TablePlan(64 + 16 * number, False) for number in range(len(info.tables))),
        tuple(GlobalPlan(128 + 16 * number, False, item.type.value & 7, True) for number, item in enumerate(info.globals)),
        480,
        512,
        4096,
    )
    writer = StreamWriter(info, features)
    streams = tuple(writer.stream(index) for index in range(info.imported_functions, info.function_count))
    return CompileUnit(environment, streams, "x86_64", host_target().convention, frozenset(), address_map)


def compiled(text: str | bytes, memories: tuple[MemoryPlan, ...] = GUARDED, address_map: bool = False) -> CompiledCode:
    """The machine code of a module."""
    return Singlepass().compile(unit(text, memories, address_map))


def listing(text: str, memories: tuple[MemoryPlan, ...] = GUARDED) -> list[str]:
    """The macro records of the one function of a module, without prologue and end."""
    lines = [line for _, line in Singlepass().listing(unit(text, memories), "records")]
    assert lines[0].startswith("prologue") and lines[-1] == "end"
    return lines[1:-1]

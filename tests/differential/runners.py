"""Runs a program on an engine and tells all that can be seen of it."""

from __future__ import annotations

import atexit
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import wasmtime

from .generator import HOST_LOG, Call, Program
from .module_builder import F32, F64, I32, I64

TRAPS = {
    "STACK_OVERFLOW": "stack",
    "MEMORY_OUT_OF_BOUNDS": "memory",
    "TABLE_OUT_OF_BOUNDS": "table",
    "UNDEFINED_ELEMENT": "table",
    "INDIRECT_CALL_TO_NULL": "null element",
    "UNINITIALIZED_ELEMENT": "null element",
    "BAD_SIGNATURE": "type mismatch",
    "INDIRECT_CALL_TYPE_MISMATCH": "type mismatch",
    "INTEGER_OVERFLOW": "integer overflow",
    "INTEGER_DIVISION_BY_ZERO": "division by zero",
    "INTEGER_DIVIDE_BY_ZERO": "division by zero",
    "BAD_CONVERSION_TO_INTEGER": "conversion",
    "INVALID_CONVERSION_TO_INTEGER": "conversion",
    "NULL_REFERENCE": "null reference",
    "UNREACHABLE": "unreachable",
}
"""Names of trap kinds in wasmtime and wasmcore, in one language."""

HOST_PERIOD = 5
"""The host function returns the number of its calls modulo this."""

VALUE_TYPES = {
    I32: wasmtime.ValType.i32,
    I64: wasmtime.ValType.i64,
    F32: wasmtime.ValType.f32,
    F64: wasmtime.ValType.f64,
}

Value = int | bool
Result = str | tuple[Value, ...]
"""What a call gave: values, or the kind of its trap."""


@dataclass
class Outcome:
    """All that can be seen of a run."""

    results: list[tuple[Call, Result]] = field(default_factory=list)
    log: list[tuple[Value, ...]] = field(default_factory=list)
    memories: list[bytes] = field(default_factory=list)

    def host_log(self, *arguments: int | float) -> int:
        """The imported function."""
        self.log.append(comparable(HOST_LOG[0], arguments))
        return len(self.log) % HOST_PERIOD

    def differences(self, other: Outcome) -> list[str]:
        """What differs, in words."""
        if len(self.results) != len(other.results):
            return [f"instantiation: {self.results[:1]} and {other.results[:1]}"]
        found = [
            f"{call}: {ours} and {theirs}" for (call, ours), (_, theirs) in zip(self.results, other.results, strict=True) if ours != theirs
        ]
        if self.log != other.log:
            found.append(f"log: {self.log} and {other.log}")
        for number, (mine, others) in enumerate(zip(self.memories, other.memories, strict=True)):
            if len(mine) != len(others):
                found.append(f"memory {number}: {len(mine)} and {len(others)} bytes")
            elif mine != others:
                where = [i for i, (ours, theirs) in enumerate(zip(mine, others, strict=True)) if ours != theirs]
                found.append(f"memory {number}: {len(where)} bytes differ, first at {where[0]:#x}")
        return found


def comparable(types: Sequence[int], values: Sequence[Any]) -> tuple[Value, ...]:
    """Bits of numbers, one NaN for all, and whether a reference is null."""
    converted: list[Value] = []
    for value_type, value in zip(types, values, strict=True):
        if value_type == F32 or value_type == F64:
            number = math.nan if math.isnan(value) else value
            converted.append(int.from_bytes(struct.pack("<d", number), "little"))
        elif value_type == I32:
            converted.append(value & 0xFFFFFFFF)
        elif value_type == I64:
            converted.append(value & 0xFFFFFFFFFFFFFFFF)
        else:
            converted.append(value is None)
    return tuple(converted)


def make_calls(program: Program, outcome: Outcome, call: Callable[[Call], Result]) -> None:
    """Make the calls of a program, with new fuel before each, then look at its state."""
    for wanted in program.calls:
        call(Call("refuel", (), ()))
        outcome.results.append((wanted, call(wanted)))
    for observer in program.observers():
        outcome.results.append((observer, call(observer)))


def spread(types: Sequence[int], returned: Any) -> tuple[Value, ...]:
    """The results of a call from Python's nothing, one value or sequence."""
    values = () if not types else (returned,) if len(types) == 1 else returned
    return comparable(types, values)


def kind_of(trap: wasmtime.Trap) -> str:
    """The kind of a trap of wasmtime's."""
    assert trap.trap_code is not None, trap
    return TRAPS[trap.trap_code.name]


def _oracle() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.wasm_custom_page_sizes = True
    config.wasm_memory64 = True
    config.wasm_threads = True
    config.wasm_wide_arithmetic = True
    return wasmtime.Engine(config)


ORACLE = _oracle()
"""Wasmtime, with all that wasmcore has."""
atexit.register(ORACLE.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.


def run_on_wasmtime(program: Program) -> Outcome:
    """The oracle's outcome."""
    outcome = Outcome()
    store = wasmtime.Store(ORACLE)
    host_type = wasmtime.FuncType([VALUE_TYPES[t]() for t in HOST_LOG[0]], [VALUE_TYPES[t]() for t in HOST_LOG[1]])
    host = wasmtime.Func(store, host_type, outcome.host_log)
    module = wasmtime.Module(ORACLE, program.to_bytes())
    try:
        exports = wasmtime.Instance(store, module, [host]).exports(store)
    except wasmtime.Trap as trap:
        outcome.results.append((Call("start", (), ()), kind_of(trap)))
        return outcome

    def call(wanted: Call) -> Result:
        function = exports[wanted.name]
        assert isinstance(function, wasmtime.Func)
        try:
            return spread(wanted.results, function(store, *wanted.arguments))
        except wasmtime.Trap as trap:
            return kind_of(trap)

    make_calls(program, outcome, call)
    for number in range(len(program.memories)):
        memory = exports[f"memory_{number}"]
        assert isinstance(memory, wasmtime.Memory)
        outcome.memories.append(bytes(memory.read(store, 0, memory.data_len(store))))
    return outcome


def run_on_wasmcore(program: Program, backend: str, signals: bool = True) -> Outcome:
    """The outcome on one of wasmcore's backends, by code that needs signals or does without."""
    import wasmcore

    outcome = Outcome()
    module = wasmcore.Module(program.to_bytes(), engine=wasmcore.Engine(backend, signals=signals, features=wasmcore.FEATURES))
    try:
        exports = wasmcore.Instance(module, {"host": {"log": outcome.host_log}}).exports
    except wasmcore.Trap as trap:
        outcome.results.append((Call("start", (), ()), TRAPS[trap.kind.name]))
        return outcome

    def call(wanted: Call) -> Result:
        try:
            return spread(wanted.results, getattr(exports, wanted.name)(*wanted.arguments))
        except wasmcore.Trap as trap:
            return TRAPS[trap.kind.name]

    make_calls(program, outcome, call)
    outcome.memories = [bytes(getattr(exports, f"memory_{number}").view()) for number in range(len(program.memories))]
    return outcome

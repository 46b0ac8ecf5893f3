"""Programs that consist of functions with one access each, and their run beside the model."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pytest

import wasmcore
from wasmcore.opcodes import ADDRESS, OPCODES, Immediates, Opcode
from wasmcore.types import value_type_name

from ..differential import module_builder as binary
from .model import WIDTHS, Access, Contents, MemoryKind, access

OUT_OF_BOUNDS, UNALIGNED = "MEMORY_OUT_OF_BOUNDS", "UNALIGNED_ATOMIC"
FEATURES = wasmcore.FEATURES
SEGMENT = bytes((at * 41 + 5) % 251 for at in range(40))
"""The passive data segment of every program."""
_BINARY_TYPES = {"i32": binary.I32, "i64": binary.I64, "f32": binary.F32, "f64": binary.F64, "v128": binary.V128}
_MOST_DIFFERENCES = 12

MODES: dict[str, dict[str, Any]] = {"guarded": {}, "checked": {"guard": False}, "no signals": {"signals": False}}
"""Arguments of engines."""
WAYS = ("local", "computed", "constant")
"""Where an address comes from; where it is constant, the operands are."""

UNKNOWN = ("memory.atomic.notify", "memory.atomic.wait32", "memory.atomic.wait64")
"""Accesses that no backend compiles yet."""
ACCESSES = {
    opcode: found
    for opcode in OPCODES.values()
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE) and opcode.name not in UNKNOWN
    if (found := access(opcode.name)) is not None
}
"""Every instruction with an address and an offset, and its model."""


class Function(NamedTuple):
    """One access in a function of its own."""

    opcode: Opcode
    memory: int
    offset: int
    way: str
    address: int | None = None
    """Where it is constant."""

    @property
    def model(self) -> Access:
        """What it does."""
        return ACCESSES[self.opcode]

    @property
    def operand_types(self) -> list[str]:
        """Types of the operands beside the address."""
        assert self.opcode.params is not None
        return [value_type_name(each) for each in self.opcode.params if each != ADDRESS]

    @property
    def result_type(self) -> str | None:
        """Type of the result."""
        assert self.opcode.results is not None
        return value_type_name(self.opcode.results[0]) if self.opcode.results else None

    def operands(self) -> list[bytes]:
        """The operands beside the address, unless there is something better."""
        return [bytes(range(0x91 + 16 * number, 0x91 + 16 * number + WIDTHS[each])) for number, each in enumerate(self.operand_types)]


def constant(value_type: str, value: bytes) -> bytes:
    """The instruction that pushes a value."""
    if value_type in ("i32", "i64"):
        return (b"\x41" if value_type == "i32" else b"\x42") + binary.signed(int.from_bytes(value, "little", signed=True))
    return {"f32": b"\x43", "f64": b"\x44", "v128": b"\xfd\x0c"}[value_type] + value


def from_python(value_type: str, value: Any) -> bytes:
    """The bytes of a result."""
    if value_type == "v128":
        return bytes(value)
    if value_type[0] == "f":
        return struct.pack("<f" if value_type == "f32" else "<d", value)
    return int(value).to_bytes(WIDTHS[value_type], "little", signed=True)


def to_python(value_type: str, value: bytes) -> Any:
    """An argument from its bytes."""
    if value_type == "v128":
        return value
    if value_type[0] == "f":
        return struct.unpack("<f" if value_type == "f32" else "<d", value)[0]
    return int.from_bytes(value, "little", signed=True)


def index_constant(memory: MemoryKind, value: int) -> bytes:
    """The instruction that pushes an address."""
    width = 8 if memory.index64 else 4
    return constant("i64" if memory.index64 else "i32", (value % memory.limit).to_bytes(width, "little"))


def body(function: Function, memories: Sequence[MemoryKind]) -> tuple[binary.FunctionType, bytes]:
    """Signature and code of a function."""
    memory = memories[function.memory]
    index = binary.I64 if memory.index64 else binary.I32
    types = [_BINARY_TYPES[each] for each in function.operand_types]
    if function.address is not None:
        params: list[int] = []
        code = index_constant(memory, function.address)
        code += b"".join(constant(each, value) for each, value in zip(function.operand_types, function.operands()))
    else:
        params = [index, *types]
        code = b"\x20\x00"
        if function.way == "computed":
            code += b"\x23" + (b"\x01\x7c" if memory.index64 else b"\x00\x6a")
        code += b"".join(b"\x20" + binary.unsigned(number) for number in range(1, len(params)))
    alignment = function.opcode.alignment if function.model.atomic else 0
    code += function.opcode.binary + immediates(function.memory, function.offset, alignment)
    if function.model.lane is not None:
        code += bytes([function.model.lane])
    results = (_BINARY_TYPES[function.result_type],) if function.result_type else ()
    return (tuple(params), results), code


class Program:
    """A module with some memories, two globals that are 0, and a data segment; then an instance of it that is compared with the model."""

    def __init__(self, memories: Sequence[MemoryKind]) -> None:
        self.memories = memories
        self.contents = [Contents(memory) for memory in memories]
        self.differences: list[str] = []
        self._builder = binary.ModuleBuilder()
        for number, memory in enumerate(memories):
            pages = memory.pages
            self._builder.memory(pages, pages, index64=memory.index64, page_size_log2=memory.page_size_log2)
            self._builder.export(f"memory_{number}", binary.MEMORY, number)
        self._builder.global_(binary.I32, True, b"\x41\x00")
        self._builder.global_(binary.I64, True, b"\x42\x00")
        self._builder.passive_data(SEGMENT)

    def add(self, signature: binary.FunctionType, code: bytes, local_types: Sequence[int] = ()) -> str:
        """Add a function; the name of its export."""
        number = self._builder.function(signature, local_types, code)
        self._builder.export(f"f{number}", binary.FUNCTION, number)
        return f"f{number}"

    def instantiate(self, backend: str, mode: str) -> None:
        """Compile it, and fill the memories."""
        engine = wasmcore.Engine(backend, features=FEATURES, cache=False, **MODES[mode])
        module = wasmcore.Module(self._builder.to_bytes(), engine=engine)
        try:
            self.exports = wasmcore.Instance(module).exports
        except MemoryError as error:
            if all(memory.length < 1 << 30 for memory in self.memories):
                raise
            pytest.skip(f"the system does not give the memories: {error}")
        self.views = [self.exports[f"memory_{number}"].view() for number in range(len(self.memories))]
        for number in range(len(self.memories)):
            self.restore(number)

    def restore(self, memory: int) -> None:
        """Fill a memory with what it held at the beginning."""
        for start, window in self.contents[memory].windows:
            self.views[memory][start : start + len(window)] = window

    def outcome(self, name: str, arguments: Sequence[Any]) -> tuple[str | None, Any]:
        """The kind of the trap, or the result of a call."""
        try:
            return None, self.exports[name](*arguments)
        except wasmcore.Trap as trap:
            return trap.kind.name, None

    def differs(self, what: str) -> None:
        """Note a difference; too many end the test at once."""
        self.differences.append(what)
        if len(self.differences) >= _MOST_DIFFERENCES:
            self.check()

    def check(self) -> None:
        """Fail if there were differences."""
        assert not self.differences, "\n".join(self.differences)

    def check_untouched(self, what: str) -> None:
        """All memories are as they were at the beginning."""
        for number, contents in enumerate(self.contents):
            for start, window in contents.windows:
                if self.views[number][start : start + len(window)] != window:
                    self.differs(f"{what}: memory {number} is changed near {start:#x}")
                    self.restore(number)

    def check_written(self, memory: int, start: int, expected: bytes, what: str) -> None:
        """A range of a memory is as expected; put it and what is around it back."""
        contents, view = self.contents[memory], self.views[memory]
        low, high = max(start - 16, 0), min(start + len(expected) + 16, len(view))
        before = contents.read(low, high - low)
        expected = before[: start - low] + expected + before[start - low + len(expected) :]
        found = bytes(view[low:high])
        if found != expected:
            self.differs(f"{what}: {found.hex()} from {low:#x} on, not {expected.hex()}")
        view[low:high] = before


def run(program: Program, functions: Sequence[tuple[str, Function]], inputs: Iterable[Iterable[int]]) -> int:
    """Call each function with each of its addresses; the number of calls."""
    calls = 0
    for (name, function), chosen in zip(functions, inputs):
        for address in chosen:
            calls += 1
            compare(program, name, function, address, calls % 2 == 0)
        program.check_untouched(_text(program, function, None))
    program.check()
    return calls


def compare(program: Program, name: str, function: Function, address: int, equal: bool) -> None:
    """One call; `equal` makes a comparison and exchange find what it expects."""
    model, memory = function.model, program.memories[function.memory]
    start, operands = address + function.offset, function.operands()
    inside = memory.holds(address, function.offset, model.size)
    place = program.contents[function.memory].read(start, model.size) if inside else b""
    if equal and inside and model.operation == "cmpxchg" and function.address is None:
        operands[0] = place + bytes(len(operands[0]) - len(place))
    arguments = [] if function.address is not None else [address, *map(to_python, function.operand_types, operands)]
    trap, result = program.outcome(name, arguments)
    # Which of two reasons an access traps for is not specified.
    traps = {*((OUT_OF_BOUNDS,) if not inside else ()), *((UNALIGNED,) if model.atomic and start % model.size else ())}
    if (trap not in traps) if traps else trap is not None:
        program.differs(f"{_text(program, function, address)}: {trap or 'no trap'}, not {' or '.join(traps) or 'a result'}")
    if trap is not None or not inside:
        return
    if function.result_type is not None:
        found, expected = from_python(function.result_type, result), model.loaded(place, operands)
        if found != expected:
            program.differs(f"{_text(program, function, address)}: {found.hex()}, not {expected.hex()}")
    if model.action != "load":
        program.check_written(function.memory, start, model.stored(place, operands), _text(program, function, address))


def immediates(memory: int, offset: int, alignment: int = 0) -> bytes:
    """Alignment, memory and static offset of an access."""
    start = bytes([alignment | 0x40]) + binary.unsigned(memory) if memory else bytes([alignment])
    return start + binary.unsigned(offset)


def _text(program: Program, function: Function, address: int | None) -> str:
    memory = program.memories[function.memory]
    place = "" if address is None else f" at {address:#x}"
    return f"{function.opcode.name} of memory {function.memory} {tuple(memory)} offset={function.offset:#x} ({function.way}){place}"

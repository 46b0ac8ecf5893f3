"""`wasmcore objdump`: stream records, the backend's own records and machine code of functions, side by side."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from struct import iter_unpack
from typing import TYPE_CHECKING, Any, Final

import capstone

import wasmcore
from wasmcore.binary import decode
from wasmcore.cli.report import UsageError, naming, read_module
from wasmcore.errors import TrapKind
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.plan import plan
from wasmcore.validation import StreamWriter, validate
from wasmcore.validation.listing import stream_text

if TYPE_CHECKING:
    from wasmcore.binary import ModuleInfo
    from wasmcore.compile.engine import Engine
    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.unit import Environment

DISASSEMBLERS: Final = {
    "x86_64": (capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    "aarch64": (capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM),
}
"""Architecture and mode, for capstone, of each target."""
WIDTHS: Final = (44, 40)
"""Columns of the stream and of the backend's records (characters)."""

Lines = list[tuple[int, str]]
"""Index of a stream word, and the text that belongs there."""


def objdump(file: str, backend: str | None, function: str | None) -> int:
    """Write the listing of one or all functions of a module."""
    data = read_module(file)
    with naming(file):
        info = decode(data)
        validate(info)
        engine = wasmcore.Engine(backend or "auto")
        if engine.target.name not in DISASSEMBLERS:
            raise UsageError(f"objdump knows no disassembler for {engine.target.name}")
        environment = plan(info, [True] * len(info.memories))
        writer = StreamWriter(info)
        for index in chosen(info, function):
            for line in listing(engine, info, environment, writer.stream(index), index):
                print(line)
    return 0


def chosen(info: ModuleInfo, function: str | None) -> Iterable[int]:
    """Indices of the defined functions of that name or number, of all if there is none."""
    defined = range(info.imported_functions, info.function_count)
    if function is None:
        return defined
    found = [index for index in defined if function in (str(index), info.function_name(index))]
    if not found:
        raise UsageError(f"no function of the module has the name or number {function!r}")
    return found


def listing(engine: Engine, info: ModuleInfo, environment: Environment, stream: bytes, index: int) -> Iterator[str]:
    """The lines of one function."""
    unit = CompileUnit(environment, (stream,), engine.target.name, engine.target.features(), True, options=engine.options)
    compiled = engine.backend.compile(unit)
    make_listing = getattr(engine.backend, "listing", None)
    records = stream_text(stream)
    own: Lines = make_listing(unit) if make_listing else []
    starts = [word for word, _ in records]
    columns = [_grouped(lines, starts) for lines in (records, own, _disassembled(compiled, engine.target.name))]
    name = info.function_name(index)
    yield f"function {index}{f' {name}' if name else ''}: {info.extern_type(0, index)}, {len(compiled.code)} bytes"
    for start in [-1, *starts]:
        for cells in zip_longest(*(column.get(start, ()) for column in columns), fillvalue=""):
            yield f"  {cells[0]:{WIDTHS[0]}} {cells[1]:{WIDTHS[1]}} {cells[2]}".rstrip()
    yield ""


def _grouped(lines: Lines, starts: list[int]) -> dict[int, list[str]]:
    """Texts by the stream record that they belong to: the last that starts at or before their word, -1 before the first."""
    groups: dict[int, list[str]] = {}
    for word, text in lines:
        at = bisect_right(starts, word) - 1
        groups.setdefault(starts[at] if at >= 0 else -1, []).append(text)
    return groups


def _disassembled(compiled: CompiledCode, target: str) -> Lines:
    """The instructions, with the kinds of the trap sites."""
    disassembler: Any = capstone.Cs(*DISASSEMBLERS[target])
    traps = {offset: TrapKind(kind).text for offset, kind in compiled.trap_table()}
    places = list(iter_unpack("<II", compiled.address_map))
    lines: Lines = []
    _, start, size = next(compiled.function_table())
    for instruction in disassembler.disasm(compiled.code[start : start + size], start):
        at = bisect_right(places, (instruction.address, 0xFFFFFFFF)) - 1
        trap = f"  ; {traps[instruction.address]}" if instruction.address in traps else ""
        text = f"{instruction.address:5x}  {instruction.mnemonic} {instruction.op_str}".rstrip()
        lines.append((places[at][1] if at >= 0 else -1, text + trap))
    return lines

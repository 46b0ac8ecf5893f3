"""`wasmcore objdump`: stream records, the backend's own records and machine code of functions, side by side."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from struct import iter_unpack
from typing import TYPE_CHECKING, Any, Final

import capstone

from wasmcore._arguments import choices
from wasmcore.binary import decode
from wasmcore.cli.output import standard_output
from wasmcore.cli.report import UsageError, naming, read_module, visible
from wasmcore.cli.run import enabled_features, make_engine
from wasmcore.compile.parallel import compile_again
from wasmcore.compile.units import whole_module
from wasmcore.errors import TrapKind
from wasmcore.plugin.code import IN_INLINED
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter, validate
from wasmcore.validation.listing import stream_text

if TYPE_CHECKING:
    from wasmcore.binary import ModuleInfo
    from wasmcore.compile.engine import Engine
    from wasmcore.compile.units import Group
    from wasmcore.plugin.code import CompiledCode, FunctionCode
    from wasmcore.plugin.target import Target

WIDTHS: Final = (44, 40)
"""Columns of the stream and of the backend's records (characters)."""

Lines = list[tuple[int, str]]
"""Index of a stream word, and the text that belongs there."""


def objdump(file: str, backend: str | None, function: str | None, stage: str | None, enable: Sequence[str]) -> int:
    """Write the listing of one or all functions of a module."""
    engine = make_engine(backend, features=enabled_features(enable))
    stages: tuple[str, ...] = getattr(engine.backend, "stages", ())
    if stage is not None and stage not in stages:
        shown = choices(stage, stages) if stages else "it has none to show"
        raise UsageError(f"backend {engine.backend.name!r} has no stage {stage!r}; {shown}")
    stage = stage or next(iter(stages), None)
    data = read_module(file)
    with naming(file), standard_output() as output:
        info = decode(data, engine.features)
        validate(info, engine.features)
        units = compile_units(engine, info)
        for index in chosen(info, function):
            for line in listing(engine, info, next(unit for unit in units if index in functions_of(unit)), index, stage):
                print(line, file=output)
    return 0


def compile_units(engine: Engine, info: ModuleInfo) -> list[CompileUnit]:
    """What the backend is given when the engine compiles the module."""
    environment = plan(info, [True] * len(info.memories))
    writer = StreamWriter(info, engine.features)
    first, count = info.imported_functions, info.function_count - info.imported_functions
    groups: list[Group]
    if engine.lazy:
        groups = [((writer.stream(first + number),), ()) for number in range(count)]
    else:
        environment, groups = whole_module(info, writer, environment, engine.backend)
    target = engine.target
    return [
        CompileUnit.made_for(target, environment, streams, address_map=True, options=engine.options, callees=callees)
        for streams, callees in groups
    ]


def functions_of(unit: CompileUnit) -> range:
    """The functions of a unit."""
    first = int.from_bytes(unit.streams[0][:8], "little")
    return range(first, first + len(unit.streams))


def chosen(info: ModuleInfo, function: str | None) -> Iterable[int]:
    """Indices of the defined functions of that name or number, of all if there is none."""
    defined = range(info.imported_functions, info.function_count)
    if function is None:
        return defined
    found = [index for index in defined if function in (str(index), info.function_name(index))]
    if not found:
        raise UsageError(f"no function of the module has the name or number {function!r}")
    return found


def listing(engine: Engine, info: ModuleInfo, unit: CompileUnit, index: int, stage: str | None) -> Iterator[str]:
    """The lines of one function of a unit."""
    unit = unit._replace(wanted=functions_of(unit).index(index))
    compiled = compile_again(engine.backend, unit)
    code = next(each for each in compiled.function_table() if each.function == index)
    backend: Any = engine.backend
    records = stream_text(unit.streams[unit.wanted])
    own: Lines = backend.listing(unit, stage) if stage is not None else []
    starts = [word for word, _ in records]
    columns = [_grouped(lines, starts) for lines in (records, own, _disassembled(compiled, code, engine.target))]
    name = visible(info.function_name(index) or "")
    yield f"function {index}{f' {name}' if name else ''}: {info.extern_type(0, index)}, {code.size} bytes"
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


def _disassembled(compiled: CompiledCode, function: FunctionCode, target: Target) -> Lines:
    """The instructions, with the kinds of the trap sites and the function that an inlined one is of; it stands at the call."""
    disassembler: Any = capstone.Cs(*target.disassembler())
    traps = {offset: TrapKind(kind).text for offset, kind in compiled.trap_table()}
    places = list(iter_unpack("<II", compiled.address_map))
    inlined = list(iter_unpack("<III", compiled.inlined))
    lines: Lines = []
    for instruction in disassembler.disasm(compiled.code[function.offset : function.offset + function.size], function.offset):
        at = bisect_right(places, (instruction.address, 0xFFFFFFFF)) - 1
        place = places[at][1] if at >= 0 else -1
        notes = [traps[instruction.address]] if instruction.address in traps else []
        if place >= IN_INLINED:
            notes.append(f"func[{inlined[place - IN_INLINED][0]}]")
            while place >= IN_INLINED:
                place = inlined[place - IN_INLINED][2]
        text = f"{instruction.address:5x}  {instruction.mnemonic} {instruction.op_str}".rstrip()
        lines.append((place, f"{text}  ; {', '.join(notes)}" if notes else text))
    return lines

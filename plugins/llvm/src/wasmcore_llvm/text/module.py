"""A unit as the text of one LLVM module."""

from __future__ import annotations

from typing import Final

from wasmcore.plugin.streams.bodies import has_tail_calls
from wasmcore.plugin.streams.inlining import Inliner
from wasmcore.stream import HEADER_FUNCTION, HEADER_TYPE
from wasmcore_llvm.text.function import Function, function_metadata
from wasmcore_llvm.text.state import DEBUG_METADATA, Unit

_ATTRIBUTES: Final = """
attributes #0 = { noinline nounwind noredzone "frame-pointer"="all" "no-builtins" "prefer-vector-width"="512" }
attributes #1 = { nomerge noreturn nounwind }
attributes #2 = { memory(none) nounwind willreturn }
attributes #3 = { nomerge }
attributes #4 = { memory(inaccessiblemem: readwrite) nounwind }
!0 = !{}
!1 = !{!11, !11, i64 0}
!2 = !{!12, !12, i64 0}
!3 = !{!13, !13, i64 0}
!4 = !{!"branch_weights", i32 1, i32 1048575}
!5 = !{!"branch_weights", i32 1048575, i32 1}
!10 = !{!"wasmcore"}
!11 = !{!"context", !10, i64 0}
!12 = !{!"memory", !10, i64 0}
!13 = !{!"table", !10, i64 0}
"""
_DEBUG: Final = """
!llvm.dbg.cu = !{!20}
!llvm.module.flags = !{!21, !22}
!20 = distinct !DICompileUnit(language: DW_LANG_C, file: !23, emissionKind: LineTablesOnly)
!21 = !{i32 2, !"Debug Info Version", i32 3}
!22 = !{i32 7, !"Dwarf Version", i32 5}
!23 = !DIFile(filename: "wasm", directory: "")
!24 = !DISubroutineType(types: !0)
"""


def module_text(unit: Unit, streams: tuple[bytes, ...], wanted: int = -1, callees: tuple[bytes, ...] = ()) -> str:
    """The functions with these streams, or the wanted one alone; `unit` knows their trap sites afterwards. Callees are only inlined."""
    headers = [memoryview(stream).cast("q") for stream in streams]
    unit.defined = {header[HEADER_FUNCTION]: header[HEADER_TYPE] for header in headers}
    unit.positions = {function: number for number, function in enumerate(unit.defined)}
    unit.uniform = frozenset(header[HEADER_FUNCTION] for header, stream in zip(headers, streams) if has_tail_calls(stream))
    inliner = Inliner(unit.types, (*streams, *callees))
    unit.written = [headers[wanted][HEADER_FUNCTION]] if wanted >= 0 else list(unit.defined)
    parts = [_function_text(unit, inliner, stream) for stream in (streams if wanted < 0 else streams[wanted : wanted + 1])]
    for function in unit.written:
        unit.declarations.pop(f"f{function}", None)
    parts += unit.declarations.values()
    parts.append(_ATTRIBUTES)
    parts += unit.metadata
    if unit.address_map:
        parts.append(_DEBUG)
        parts += debug_metadata(unit)
    return "\n".join(parts)


def _function_text(unit: Unit, inliner: Inliner, stream: bytes) -> str:
    origins = None
    if unit.optimized:
        stream, origins = inliner.expanded(stream)
    function = Function(unit, stream)
    if origins is not None:
        unit.origins[function.function] = origins
    return function.write_function()


def debug_metadata(unit: Unit) -> list[str]:
    """Stream words as lines, counted from 1."""
    kind = 'distinct !DISubprogram(name: "f", file: !23, type: !24, spFlags: DISPFlagDefinition, unit: !20)'
    lines = [f"!{function_metadata(unit, function)} = {kind}" for function in unit.written]
    lines += [
        f"!{DEBUG_METADATA + number} = !DILocation(line: {word + 1}, scope: !{function_metadata(unit, function)})"
        for (function, word), number in unit.locations.items()
    ]
    return lines

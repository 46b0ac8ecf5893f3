"""What a function is at each stage, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmcore_midtier.ssa.text import graph_text
from wasmcore_midtier.ssa.values import NotBuilt
from wasmcore_singlepass.records import POSITION
from wasmcore_singlepass.text import records

if TYPE_CHECKING:
    from wasmcore.plugin.streams.inlining import Origins
    from wasmcore_midtier.module_compiler import ModuleCompiler

Lines = list[tuple[int, str]]
"""Index of a stream word, and text."""


def listing(compiler: ModuleCompiler, stage: str) -> Lines:
    """The lines of the wanted function; those of inlined functions stand at the call."""
    stream = compiler.unit.streams[compiler.unit.wanted]
    if stage == "records":
        data, origins = compiler.records(stream)
        return in_order([(own_word(origins, word), text) for word, text in record_lines(data)])
    expanded, origins = compiler.inliner.expanded(stream)
    try:
        graph = compiler.graph(expanded) if stage == "opt" else compiler.builder.build(expanded)
    except NotBuilt as reason:
        return [(0, f"left to singlepass: {reason}")]
    return in_order([(own_word(origins, word), text) for word, text in graph_text(graph)])


def in_order(lines: Lines) -> Lines:
    """The lines with words that never go back: what was moved to before a loop stands at the head of the loop."""
    following = lines[-1][0]
    ordered: Lines = []
    for word, text in reversed(lines):
        following = min(word, following)
        ordered.append((following, text))
    ordered.reverse()
    return ordered


def record_lines(data: bytes) -> Lines:
    """Macro records."""
    lines: Lines = []
    word = 0
    for record in records(data):
        if record.operation == POSITION:
            word = record.immediate
        else:
            lines.append((word, str(record)))
    return lines


def own_word(origins: Origins | None, word: int) -> int:
    """The word of the function itself that a word of its stream with inlined bodies comes from."""
    if origins is None:
        return word
    body, own = origins.origin(word)
    while body:
        _, body, own = origins.bodies[body]
    return own

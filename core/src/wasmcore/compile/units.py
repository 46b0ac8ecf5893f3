"""The units of a whole module: which functions are compiled together, and which small ones of other units they may look into.

Both are decided by the module and by what the backend says of itself alone, so that any process makes the same units, now and when it has
to know again what a function was compiled with.
"""

from __future__ import annotations

from wasmcore._native import i64, read_i64_le
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.compile.fixed_tables import with_fixed_tables
from wasmcore.plugin.checking import accepted
from wasmcore.runtime.execution.stacks import with_room
from wasmcore.stream import HEADER_RECORDS_END, HEADER_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wasmcore.binary import ModuleInfo
    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.hooks import Backend
    from wasmcore.plugin.unit import CompileUnit, Environment
    from wasmcore.validation import StreamWriter

    Group = tuple[tuple[bytes, ...], tuple[bytes, ...]]
    """`CompileUnit.streams` and `CompileUnit.callees`."""

CALLEES_PART: Final = 4
"""Streams of callees have at most one part in so many of `Backend.unit_size`, or room for one."""
_CALL: Final = 0x10


def whole_module(
    info: ModuleInfo, writer: StreamWriter, environment: Environment, backend: Backend
) -> tuple[Environment, list[Group]]:
    """What the functions of a module are compiled with when all of them are, and the units; validates all bodies in passing."""
    groups = list(stream_groups(writer, info.imported_functions, info.function_count - info.imported_functions, backend.unit_size))
    # Which tables never change is known when all functions have been read.
    environment = with_fixed_tables(environment, info, writer.written_tables)
    limit = callee_size(backend)
    small = {_function(stream): stream for group in groups for stream in group if len(stream) <= limit}
    return environment, [(group, callees(group, backend, small.get)) for group in groups]


def compiled_by(backend: Backend, unit: CompileUnit) -> CompiledCode:
    """What a backend makes of a unit, with what it was compiled as; PluginError where that is no code for the unit."""
    compile_unit: Any = backend.compile  # compiled, a result of another type would be a TypeError here
    return accepted(unit, with_room(compile_unit, unit), backend.name).made_from(unit)


def stream_groups(writer: StreamWriter, first: int, count: int, unit_size: int) -> Iterator[tuple[bytes, ...]]:
    """The streams of functions from the first on, as many together as a backend likes (`Backend.unit_size`)."""
    done = 0
    while done < count:
        streams = writer.streams(first + done, unit_size)
        yield tuple(streams)
        done += len(streams)


def callee_size(backend: Backend) -> int:
    """Bytes of the largest stream that a backend would inline (`InliningBackend.callee_size`), 0 if it would not."""
    size: int = getattr(backend, "callee_size", 0)
    return size


def callees(streams: Sequence[bytes], backend: Backend, stream_of: Callable[[int], bytes | None]) -> tuple[bytes, ...]:
    """The streams of small functions that those of a unit call, and of those that they call; in the order of the calls.

    `stream_of` gives the stream of a defined function, None for what is none or too large.
    """
    limit = callee_size(backend)
    if not limit:
        return ()
    room = max(limit, backend.unit_size // CALLEES_PART)
    known = {_function(stream) for stream in streams}
    found: list[bytes] = []
    for group in (streams, found):
        for function in [function for stream in tuple(group) for function in called(stream)]:
            if function in known:
                continue
            known.add(function)
            stream = stream_of(function)
            if stream is not None and len(stream) <= min(limit, room):
                room -= len(stream)
                found.append(stream)
    return tuple(found)


def called(stream: bytes) -> list[int]:
    """The functions that a stream calls by their numbers; a constant that looks like a call counts, too."""
    found = []
    at: i64 = 8 * HEADER_WORDS
    end = read_i64_le(stream, 8 * HEADER_RECORDS_END)
    while at < end:
        word = read_i64_le(stream, at)
        if word & 0xFFFF == _CALL:
            found.append(int(word >> 32))
        at += 8
    return found


def _function(stream: bytes) -> int:
    return int.from_bytes(stream[:8], "little")

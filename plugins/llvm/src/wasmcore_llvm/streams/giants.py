"""Functions so large that LLVM's optimisations, some of which take quadratic time, would take minutes or hours."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from wasmcore.plugin.code import IN_INLINED, CompiledCode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.stream import HEADER_FUNCTION, HEADER_RECORDS_END, TARGET
from wasmcore_llvm.options import level_of
from wasmcore_llvm.target import llvm_target

LARGEST: Final = 1 << 16
"""Words of a stream that are optimised. Time grows with at most the square of it."""
MOST_BRANCHES: Final = 1 << 12
"""Branches, `if`s and targets of branch tables of a function that is optimised."""
MOST_MERGES: Final = 1 << 20
"""Branches times locals: each branch may need a phi for each local."""
FALLBACK: Final = "O0"
"""The level of what is larger."""
_BRANCHES: Final = (TARGET, 0x04, 0x0C, 0x0D, 0xD5, 0xD6)


def is_giant(stream: bytes) -> bool:
    """Whether a function is too large to be optimised. The stream alone decides."""
    words = len(stream) >> 3
    if words <= MOST_BRANCHES:
        return False
    if words > LARGEST:
        return True
    view = memoryview(stream).cast("q")
    end = view[HEADER_RECORDS_END] >> 3
    used = sum([weight > 0 for weight in view[end:]])
    # Some words are not records but the second halves of them; that they may look like branches does no harm.
    codes = memoryview(stream).cast("H")[: 4 * end : 4].tolist()
    branches = sum([codes.count(code) for code in _BRANCHES])
    return branches > MOST_BRANCHES or branches * used > MOST_MERGES


def parts(unit: CompileUnit) -> list[CompileUnit]:
    """A unit in pieces that have one level each; of one that wants one function only, the piece with that function."""
    if level_of(unit) == FALLBACK:
        return [unit]
    numbered = [(is_giant(stream), number) for number, stream in enumerate(unit.streams)]
    pieces = []
    for giant, group in groupby(numbered, key=lambda each: each[0]):
        numbers = [number for _, number in group]
        wanted = unit.wanted - numbers[0] if unit.wanted >= 0 else -1
        if unit.wanted >= 0 and not 0 <= wanted < len(numbers):
            continue
        piece = unit._replace(streams=unit.streams[numbers[0] : numbers[-1] + 1], wanted=wanted)
        if giant:
            options = {**dict(unit.options), "level": FALLBACK}
            piece = piece._replace(options=tuple(sorted(options.items())))
        pieces.append(piece)
    return pieces


def notes(unit: CompileUnit, piece: CompileUnit) -> tuple[str, ...]:
    """What is to be told of a piece."""
    level = level_of(piece)
    if level == level_of(unit):
        return ()
    return tuple(
        f"function {memoryview(stream).cast('q')[HEADER_FUNCTION]} is too large for {level_of(unit)} ({len(stream) >> 3} words), "
        f"compiled with {level}"
        for stream in piece.streams
    )


def joined(codes: Sequence[CompiledCode]) -> CompiledCode:
    """The code of all pieces as that of one unit."""
    if len(codes) == 1:
        return codes[0]
    code, filler = bytearray(), llvm_target(codes[0].target).FILLER
    functions, traps, address_map = [], [], []
    inlined: list[tuple[int, int, int]] = []
    for each in codes:
        code += filler * (-len(code) % 64 // len(filler))
        start, rows = len(code), len(inlined)
        code += each.code
        functions += [(function, start + offset, size) for function, offset, size in struct.iter_unpack("<III", each.functions)]
        traps += [(start + offset, kind) for offset, kind in struct.iter_unpack("<II", each.traps)]
        address_map += [(start + offset, _moved(place, rows)) for offset, place in struct.iter_unpack("<II", each.address_map)]
        inlined += [(function, word, _moved(place, rows)) for function, word, place in struct.iter_unpack("<III", each.inlined)]
    return codes[0]._replace(
        code=bytes(code),
        functions=b"".join([struct.pack("<III", *row) for row in functions]),
        traps=b"".join([struct.pack("<II", *row) for row in traps]),
        address_map=b"".join([struct.pack("<II", *row) for row in address_map]),
        inlined=b"".join([struct.pack("<III", *row) for row in inlined]),
        notes=tuple([note for each in codes for note in each.notes]),
    )


def _moved(place: int, rows: int) -> int:
    """A place whose rows of inlined bodies stand behind so many others."""
    return place + rows if place & IN_INLINED else place

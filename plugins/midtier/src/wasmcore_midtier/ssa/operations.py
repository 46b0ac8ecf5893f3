"""What operations are: tables by opcode."""

from __future__ import annotations

from wasmcore.opcodes import OPCODES
from wasmcore_midtier._native import i64
from wasmcore_midtier.records import SHAPE_TERNARY, SHAPE_TO_I32, SHAPE_TO_I64
from wasmcore_singlepass import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SELECT: Final = 0x1B
LOAD_FIRST: Final = 0x28
STORE_FIRST: Final = 0x36
STORE_LAST: Final = 0x3E
VECTOR_FIRST: Final = 0x200
OPERATIONS_END: Final = 0x320
V128: Final = 5
"""The machine class of vectors."""

_FLOATS: Final = {ord("f"): 3, ord("F"): 4}
_RESULTS: Final = {**dict.fromkeys(b"123<lncpir", V128), SHAPE_TO_I32: 1, SHAPE_TO_I64: 2, **_FLOATS}
_COUNTS: Final = {**dict.fromkeys(b"1itTfF", 1), **dict.fromkeys(b"2<pr", 2), SHAPE_TERNARY: 3}
_SHAPED: Final = dict(enumerate(records.VECTOR_SHAPES, VECTOR_FIRST))

_TRAPPING: Final = frozenset((*range(0x6D, 0x71), *range(0x7F, 0x83), *range(0xA8, 0xAC), *range(0xAE, 0xB2)))
"""Divisions and conversions that trap."""
_NUMERIC: Final = frozenset((*range(0x45, 0xC5), *range(0x100, 0x108)))
PURE: Final = bytes((code in _NUMERIC and code not in _TRAPPING) or _SHAPED.get(code) in _COUNTS for code in range(OPERATIONS_END))
"""1 for each operation without an effect."""
OPERANDS: Final = bytes(
    len(OPCODES[code].params or ()) if code in _NUMERIC else _COUNTS.get(_SHAPED.get(code, 0), 0) for code in range(OPERATIONS_END)
)
"""How many operands each numeric and each vector operation has; 0 for all others."""
CLASSES: Final = bytes(
    (OPCODES[code].results or (0,))[0] if code in _NUMERIC or LOAD_FIRST <= code < STORE_FIRST else _RESULTS.get(_SHAPED.get(code, 0), 0)
    for code in range(OPERATIONS_END)
)
"""The machine class of the result of each of them, and of each load."""
VECTOR_SHAPES: Final = bytes(_SHAPED.get(code, 0) for code in range(OPERATIONS_END))
"""The shape of each vector operation."""
ACCESSES: Final = bytes(LOAD_FIRST <= code <= STORE_LAST or VECTOR_SHAPES[code] in b"lsnm" for code in range(OPERATIONS_END))
"""1 for each load and store."""


def is_access(operation: i64) -> bool:
    """Whether an operation reads or writes memory 0, at one place."""
    return operation < OPERATIONS_END and ACCESSES[operation] != 0

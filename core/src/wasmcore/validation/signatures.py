"""The opcode table in the packed form that the validator runs on.

A packed signature: bits 0-3 the result type, bits 4-19 four operand types of four bits, the last operand lowest; bits 20-23 log2 of the
natural alignment or of the number of lanes; bits 24 and up the kind of the immediates. Zero types are none.
"""

from __future__ import annotations

from functools import lru_cache

from wasmcore._typing import Final
from wasmcore.opcodes import ADDRESS, CODES_END, OPCODES
from wasmcore.types import I32

PREFIX_KIND: Final = 126
"""Kind of the bytes 0xFB to 0xFE."""
ILLEGAL_KIND: Final = 127
"""Kind of opcodes that do not exist or whose feature is not enabled."""
SPECIAL_KIND: Final = 10
"""Kinds from here on are not checked by signature."""
_SPECIAL_WITHOUT_IMMEDIATES: Final = 125
_NOP: Final = 0x01
"""Special, since it is not in the resolved stream."""


@lru_cache(maxsize=8)
def packed_signatures(features: frozenset[str]) -> tuple[int, ...]:
    """Packed signatures of all codes."""
    table = [ILLEGAL_KIND << 24] * CODES_END
    for prefix in (0xFB, 0xFC, 0xFD, 0xFE):
        table[prefix] = PREFIX_KIND << 24
    for opcode in OPCODES.values():
        if opcode.feature not in features:
            continue
        if opcode.params is None or opcode.results is None or len(opcode.results) > 1 or opcode.code == _NOP:
            kind = opcode.immediates
            table[opcode.code] = (kind if kind >= SPECIAL_KIND else _SPECIAL_WITHOUT_IMMEDIATES) << 24
            continue
        packed = opcode.immediates << 24 | opcode.alignment << 20
        for place, value_type in enumerate(reversed(opcode.params)):
            packed |= (I32 if value_type == ADDRESS else value_type) << (4 + 4 * place)
        table[opcode.code] = packed | (opcode.results[0] if opcode.results else 0)
    return tuple(table)

"""What is known of the loops of a function before it is written."""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore.plugin.streams.bodies import SHUFFLE, VECTOR_CONSTANT
from wasmcore.stream import END_KIND_SHIFT, END_LOOP, EXTENDED

FEW: Final = 4
"""A loop of fewer iterations is not worth a check before it; so is what remains behind one that was unrolled, which LLVM then sees."""


class LoopFacts(NamedTuple):
    """What is known of a loop before it is written."""

    written: frozenset[int]
    """Locals that are written in it."""
    small: frozenset[int]
    """Locals whose last assignment before it, as the records stand, gives a number below `FEW`; control may have come another way."""


def loop_facts(words: memoryview[int], start: int, end: int) -> dict[int, LoopFacts]:
    """The loops of a whole function, by label."""
    found: dict[int, LoopFacts] = {}
    writes: list[set[int]] = [set()]
    small: set[int] = set()
    few = False
    at = start
    while at < end:
        word = words[at]
        code = word & 0xFFFF
        if code == 0x21 or code == 0x22:
            local = word >> 32
            writes[-1].add(local)
            (small.add if few else small.discard)(local)
        elif code == 0x03:
            writes.append(set())
            found[word >> 32] = LoopFacts(frozenset(), frozenset(small))
        elif code == 0x0B and word >> 16 >> END_KIND_SHIFT & 3 == END_LOOP:
            inner = writes.pop()
            found[word >> 32] = found[word >> 32]._replace(written=frozenset(inner))
            writes[-1] |= inner
        few = code == 0x41 and 0 <= word >> 32 < FEW or few and (code == 0x71 or code == 0x22)  # i32.const, i32.and, local.tee
        at += 1
        if word & EXTENDED:
            at += 2 if code in (VECTOR_CONSTANT, SHUFFLE) else 1
    return found

"""The calling convention in LLVM's terms: `preserve_nonecc` gives every argument and result its register.

Functions are declared with just the arguments and results that have a register, in their own types; the others go through the
overflow area. A tail call wants caller and callee of one prototype, so functions that make tail calls, and what they call, are
declared *uniform*: with all registers, whether used or not.
"""

from __future__ import annotations

from typing import Final

from wasmcore.plugin.convention import CallingConvention, Place
from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_I32, CLASS_I64, CLASS_REF, CLASS_V128

TYPES: Final = {
    CLASS_I32: "i32",
    CLASS_I64: "i64",
    CLASS_F32: "float",
    CLASS_F64: "double",
    CLASS_V128: "<2 x i64>",
    CLASS_REF: "i64",
}
"""LLVM's type of each machine class."""
VECTOR: Final = "<4 x float>"
"""A float register in uniform prototypes."""
UNIFORM_RESULT: Final = f"{{i64, i64, i64, {VECTOR}, {VECTOR}}}"


class Signature:
    """How functions of one type are called."""

    __slots__ = ("arguments", "params", "places", "result_places", "results", "returned")

    def __init__(self, convention: CallingConvention, params: bytes, results: bytes) -> None:
        self.params: Final = params
        """Machine classes."""
        self.results: Final = results
        self.places: Final = convention.arguments(params)
        self.result_places: Final = convention.results(results)
        self.arguments: Final = [TYPES[one] for one, place in zip(params, self.places) if place.overflow < 0]
        """Types of the arguments in registers."""
        returned = [TYPES[one] for one, place in zip(results, self.result_places) if place.overflow < 0]
        self.returned: Final = returned[0] if len(returned) == 1 else f"{{{', '.join(returned)}}}" if returned else "void"
        """Type of what is returned in registers."""


def uniform_places(places: list[Place], integers: int) -> list[int]:
    """The number of each value in the uniform prototype, where `integers` stand before the floats; -1 if it has no register."""
    numbers = []
    taken = [0, integers]
    for place in places:
        if place.overflow >= 0:
            numbers.append(-1)
        else:
            numbers.append(taken[place.float])
            taken[place.float] += 1
    return numbers

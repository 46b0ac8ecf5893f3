"""A constant NaN that code chooses in place of a result has its own bits, also where the result would be a NaN as well.

Compilers take one NaN for another; each function here chooses between a NaN and the result of an operation, depending on the operand.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, product
from typing import Any, NamedTuple

import pytest

import wasmcore


class Shape(NamedTuple):
    """Numbers of one type, or vectors of them."""

    number: str
    bits: int
    lanes: int

    @property
    def name(self) -> str:
        return f"{self.number}x{self.lanes}" if self.lanes > 1 else self.number

    @property
    def value(self) -> str:
        return "v128" if self.lanes > 1 else self.number

    @property
    def integer(self) -> str:
        return f"i{self.bits}" if self.lanes == 1 else f"i{self.bits}x{self.lanes}"

    def constant(self, bits: int) -> str:
        """These bits, in each lane."""
        if self.lanes > 1:
            return f"(v128.const {self.integer}{f' {bits}' * self.lanes})"
        return f"({self.number}.reinterpret_{self.integer} ({self.integer}.const {bits}))"

    def literal(self, bits: int) -> str:
        """The same NaN as a constant of its own type."""
        if self.lanes > 1:
            return self.constant(bits)
        payload = bits & ((1 << self.fraction) - 1)
        return f"({self.number}.const {'-' if bits >> (self.bits - 1) else ''}nan:{payload:#x})"

    @property
    def fraction(self) -> int:
        return 52 if self.bits == 64 else 23


SHAPES = (Shape("f32", 32, 1), Shape("f64", 64, 1), Shape("f32", 32, 4), Shape("f64", 64, 2))
OPERATIONS = ("sqrt", "ceil", "floor", "trunc", "nearest", "abs", "neg", "add", "mul", "div", "min", "max")
"""Of one operand, or of that and another one."""
GUARDS: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "below": ("(S.lt (X) (Z))", lambda x: x < 0),
    "not above": ("(not (S.gt (X) (Z)))", lambda x: not x > 0),
    "not from zero on": ("(not (S.ge (X) (Z)))", lambda x: not x >= 0),
    "up to zero": ("(S.le (X) (Z))", lambda x: x <= 0),
    "above, the other way round": ("(S.lt (Z) (X))", lambda x: x > 0),
    "no number": ("(S.ne (X) (X))", math.isnan),
    "not equal": ("(not (S.eq (X) (X)))", math.isnan),
    "no result": ("(S.ne (R) (R))", math.isnan),
}
"""When the NaN is chosen: in text, where S is the shape, X the operand, Z zero and R the result; and for what."""
NUMBER_WAYS = (
    "(select (N) (R) (G))",
    "(select (R) (N) (i32.eqz (G)))",
    "(if (result V) (G) (then (N)) (else (R)))",
    "(V.reinterpret_I (select (I.reinterpret_V (N)) (I.reinterpret_V (R)) (G)))",
)
VECTOR_WAYS = (
    "(v128.bitselect (N) (R) (G))",
    "(v128.bitselect (R) (N) (v128.not (G)))",
    "(v128.or (v128.and (N) (G)) (v128.andnot (R) (G)))",
    "(v128.xor (R) (v128.and (v128.xor (R) (N)) (G)))",
    "(if (result v128) (v128.any_true (G)) (then (N)) (else (R)))",
)
INPUTS = (-1.0, -0.0, 0.0, 2.5, -math.inf, math.inf, math.nan)


def nans(shape: Shape) -> tuple[int, ...]:
    """Bits of NaNs: the canonical one, that with the other sign, all ones, one with a payload, and a signalling one."""
    quiet = ((1 << shape.bits - 1 - shape.fraction) - 1 << shape.fraction) | 1 << (shape.fraction - 1)
    return quiet, quiet | 1 << (shape.bits - 1), (1 << shape.bits) - 1, quiet | 5, quiet ^ 1 << (shape.fraction - 1) | 1


def result(shape: Shape, operation: str) -> str:
    """The text of an operation on the first parameter, and for those of two operands the second one."""
    binary = operation in ("add", "mul", "div", "min", "max")
    return f"({shape.name}.{operation} (local.get 0){' (local.get 1)' if binary else ''})"


class Choice(NamedTuple):
    """A function that gives the bits of a NaN or those of the result of an operation."""

    name: str
    text: str
    nan: int
    chosen: Callable[[float], bool]
    """Whether it is the NaN, of an operand."""


def choices(shape: Shape) -> Iterator[Choice]:
    """One for each operation, guard, way to choose and way to write a NaN."""
    kinds = cycle(nans(shape))
    inverse, ways = ("i32.eqz", NUMBER_WAYS) if shape.lanes == 1 else ("v128.not", VECTOR_WAYS)
    gives = shape.integer if shape.lanes == 1 else "v128"
    for operation, (guard, (condition, chosen)), way, literal in product(OPERATIONS, GUARDS.items(), ways, (False, True)):
        parts = {
            "(G)": condition,
            "(not": f"({inverse}",
            "(S.": f"({shape.name}.",
            "(N)": "(L)",
            "(R)": "(local.get 2)",
            "(X)": "(local.get 0)",
            "(Z)": shape.constant(0),
            "(V.": f"({shape.value}.",
            "(I.": f"({shape.integer}.",
            "_V": f"_{shape.value}",
            "_I": f"_{shape.integer}",
            "(result V)": f"(result {shape.value})",
        }
        for part, text in parts.items():
            way = way.replace(part, text)
        nan = next(kinds)
        value = way.replace("(L)", shape.literal(nan) if literal else shape.constant(nan))
        if shape.lanes == 1:  # a float of Python does not keep all bits
            value = f"({shape.integer}.reinterpret_{shape.value} {value})"
        elif literal:  # as floats, not as bits
            value = f"({shape.name}.pmax {value} {shape.constant(0)})"
        head = f"(param {shape.value} {shape.value}) (result {gives}) (local {shape.value})"
        text = f"{head} (local.set 2 {result(shape, operation)}) {value}"
        of_result = guard == "no result" and operation == "sqrt"
        yield Choice(f"{operation}, {guard}, {value}", text, nan, _below_or_none if of_result else chosen)


def _below_or_none(x: float) -> bool:
    return not x >= 0


def as_bits(shape: Shape, value: Any) -> set[int]:
    """Of the lanes of a result."""
    if shape.lanes > 1:
        return {int.from_bytes(value[at : at + shape.bits // 8], "little") for at in range(0, 16, shape.bits // 8)}
    return {int(value) % (1 << shape.bits)}


def given(shape: Shape, number: float) -> Any:
    """An argument."""
    packed = struct.pack("<d" if shape.bits == 64 else "<f", number)
    return int.from_bytes(packed * shape.lanes, "little") if shape.lanes > 1 else number


@pytest.mark.parametrize("shape", SHAPES, ids=[shape.name for shape in SHAPES])
def test_chosen_nans(shape: Shape, backend: str) -> None:
    made = list(choices(shape))
    text = " ".join(f'(func (export "{number}") {choice.text})' for number, choice in enumerate(made))
    exports = wasmcore.Instance(wasmcore.Module(f"(module {text})", engine=wasmcore.Engine(backend, cache=False))).exports
    for number, choice in enumerate(made):
        for x in filter(choice.chosen, INPUTS):
            found = as_bits(shape, exports[str(number)](given(shape, x), given(shape, 3.0)))
            assert found == {choice.nan}, (choice.name, x)

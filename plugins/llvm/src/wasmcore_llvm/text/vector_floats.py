"""Vector instructions of floats."""

from __future__ import annotations

from typing import Final

from wasmcore.opcodes import OPCODES
from wasmcore_llvm.text.numeric import FLOAT_PREDICATES, FLOAT_UNARY, MINIMA, Row
from wasmcore_llvm.text.vectors import LANES, SHAPES, Vectors

_INTEGERS: Final = {"f32x4": "<4 x i32>", "f64x2": "<2 x i64>"}


class VectorFloats(Vectors):
    """Constants among the operands are hidden from LLVM, as those of scalars."""

    def pop_floats(self, shape: str) -> str:
        """Pop a vector of floats for arithmetic."""
        x = self.hidden(self.stack.pop())
        return self.as_vector(x, SHAPES[shape])

    def floats_binary(self, instruction: str, shape: str) -> None:
        """add, sub, mul, div."""
        y, x = self.pop_floats(shape), self.pop_floats(shape)
        self.push_vector(SHAPES[shape], self.value(f"{instruction} {SHAPES[shape]} {x}, {y}"))

    def floats_unary(self, name: str, shape: str) -> None:
        """Roundings and square root."""
        result = self.vector_intrinsic(name, shape, self.pop_floats(shape))
        # LLVM takes any constant NaN that is selected for operands below zero for the one that the square root gives.
        self.push_vector(SHAPES[shape], self.opaque(SHAPES[shape], result) if name == "sqrt" else result)

    def floats_sign(self, name: str, shape: str) -> None:
        """abs and neg."""
        x = self.pop_vector(SHAPES[shape])
        result = self.value(f"fneg {SHAPES[shape]} {x}") if name == "neg" else self.vector_intrinsic("fabs", shape, x)
        self.push_vector(SHAPES[shape], result)

    def floats_compare(self, predicate: str, shape: str) -> None:
        """Comparisons."""
        y, x = self.pop_vector(SHAPES[shape]), self.pop_vector(SHAPES[shape])
        self.compare_mask(shape, self.value(f"fcmp {predicate} {SHAPES[shape]} {x}, {y}"))

    def floats_minimum(self, predicate: str, combine: str, shape: str) -> None:
        """min and max."""
        y, x = self.pop_floats(shape), self.pop_floats(shape)
        test = f"<{LANES[shape]} x i1>"
        self.push_vector(SHAPES[shape], self.minimum_of(x, y, predicate, combine, SHAPES[shape], _INTEGERS[shape], test))

    def floats_pseudo_minimum(self, predicate: str, shape: str) -> None:
        """pmin and pmax: the second if it is better, else the first."""
        y, x = self.pop_vector(SHAPES[shape]), self.pop_vector(SHAPES[shape])
        better = self.value(f"fcmp {predicate} {SHAPES[shape]} {y}, {x}")
        chosen = self.value(f"select <{LANES[shape]} x i1> {better}, {SHAPES[shape]} {y}, {SHAPES[shape]} {x}")
        self.push_vector(SHAPES[shape], chosen)

    def relaxed_minimum(self, predicate: str, shape: str) -> None:
        """relaxed_min and relaxed_max: the processor's."""
        y, x = self.pop_floats(shape), self.pop_floats(shape)
        better = self.value(f"fcmp {predicate} {SHAPES[shape]} {x}, {y}")
        self.push_vector(SHAPES[shape], self.value(f"select <{LANES[shape]} x i1> {better}, {SHAPES[shape]} {x}, {SHAPES[shape]} {y}"))

    def multiply_add(self, shape: str, negate: str) -> None:
        """relaxed_madd and relaxed_nmadd: rounded once where the processor can."""
        value_type = SHAPES[shape]
        c, y, x = self.pop_floats(shape), self.pop_floats(shape), self.pop_floats(shape)
        if negate:
            x = self.value(f"fneg {value_type} {x}")
        if "fma" in self.unit.features:
            self.push_vector(value_type, self.vector_intrinsic("fma", shape, x, y, c))
        else:
            self.push_vector(value_type, self.value(f"fadd {value_type} {self.value(f'fmul {value_type} {x}, {y}')}, {c}"))

    # Conversions

    def truncate_lanes(self, sign: str) -> None:
        """i32x4.trunc_sat_f32x4."""
        name = f"llvm.fpto{sign}i.sat.v4i32.v4f32"
        callee = self.intrinsic("<4 x i32>", name, "<4 x float>")
        self.push_vector("<4 x i32>", self.value(f"call {callee}(<4 x float> {self.pop_floats('f32x4')})"))

    def truncate_lanes_zero(self, sign: str) -> None:
        """i32x4.trunc_sat_f64x2_zero."""
        name = f"llvm.fpto{sign}i.sat.v2i32.v2f64"
        callee = self.intrinsic("<2 x i32>", name, "<2 x double>")
        x = self.value(f"call {callee}(<2 x double> {self.pop_floats('f64x2')})")
        self.push_vector("<4 x i32>", self.shuffle("<2 x i32>", x, "zeroinitializer", (0, 1, 2, 3)))

    def relaxed_truncate(self) -> None:
        """i32x4.relaxed_trunc_f32x4_s: the processor's."""
        x = self.pop_floats("f32x4")
        self.push_vector("<4 x i32>", self.processor_intrinsic("<4 x i32>", "truncate f32x4", ("<4 x float>", x)))

    def relaxed_truncate_zero(self) -> None:
        """i32x4.relaxed_trunc_f64x2_s_zero: the processor's."""
        x = self.pop_floats("f64x2")
        self.push_vector("<4 x i32>", self.processor_intrinsic("<4 x i32>", "truncate f64x2", ("<2 x double>", x)))

    def convert_lanes(self, sign: str) -> None:
        """f32x4.convert_i32x4."""
        x = self.value(f"{sign}itofp <4 x i32> {self.pop_vector('<4 x i32>')} to <4 x float>")
        self.push_vector("<4 x float>", self.opaque("<4 x float>", x))

    def convert_low(self, sign: str) -> None:
        """f64x2.convert_low_i32x4."""
        half = self.half("i32x4", self.pop_vector("<4 x i32>"), "low")
        x = self.value(f"{sign}itofp <2 x i32> {half} to <2 x double>")
        self.push_vector("<2 x double>", self.opaque("<2 x double>", x))

    def demote_lanes(self) -> None:
        """f32x4.demote_f64x2_zero, which must not be dropped together with a promotion."""
        x = self.opaque("<2 x double>", self.pop_vector("<2 x double>"))
        narrow = self.value(f"fptrunc <2 x double> {x} to <2 x float>")
        self.push_vector("<4 x float>", self.shuffle("<2 x float>", narrow, "zeroinitializer", (0, 1, 2, 3)))

    def promote_lanes(self) -> None:
        """f64x2.promote_low_f32x4."""
        half = self.half("f32x4", self.pop_floats("f32x4"), "low")
        self.push_vector("<2 x double>", self.value(f"fpext <2 x float> {half} to <2 x double>"))


_BINARY: Final = {name: f"f{name}" for name in "add sub mul div".split()}
_PSEUDO: Final = {"pmin": "olt", "pmax": "ogt"}
_RELAXED: Final = {"relaxed_min": "olt", "relaxed_max": "ogt"}
_SINGLE: Final[dict[str, Row]] = {
    "i32x4.trunc_sat_f32x4_s": (VectorFloats.truncate_lanes, ("s",)),
    "i32x4.trunc_sat_f32x4_u": (VectorFloats.truncate_lanes, ("u",)),
    "i32x4.trunc_sat_f64x2_s_zero": (VectorFloats.truncate_lanes_zero, ("s",)),
    "i32x4.trunc_sat_f64x2_u_zero": (VectorFloats.truncate_lanes_zero, ("u",)),
    "i32x4.relaxed_trunc_f32x4_s": (VectorFloats.relaxed_truncate, ()),
    "i32x4.relaxed_trunc_f32x4_u": (VectorFloats.truncate_lanes, ("u",)),
    "i32x4.relaxed_trunc_f64x2_s_zero": (VectorFloats.relaxed_truncate_zero, ()),
    "i32x4.relaxed_trunc_f64x2_u_zero": (VectorFloats.truncate_lanes_zero, ("u",)),
    "f32x4.convert_i32x4_s": (VectorFloats.convert_lanes, ("s",)),
    "f32x4.convert_i32x4_u": (VectorFloats.convert_lanes, ("u",)),
    "f64x2.convert_low_i32x4_s": (VectorFloats.convert_low, ("s",)),
    "f64x2.convert_low_i32x4_u": (VectorFloats.convert_low, ("u",)),
    "f32x4.demote_f64x2_zero": (VectorFloats.demote_lanes, ()),
    "f64x2.promote_low_f32x4": (VectorFloats.promote_lanes, ()),
}


def _row(shape: str, name: str) -> Row | None:
    """The method and its arguments for an instruction of float lanes."""
    if name in _BINARY:
        return VectorFloats.floats_binary, (_BINARY[name], shape)
    if name in FLOAT_UNARY:
        return VectorFloats.floats_unary, (FLOAT_UNARY[name], shape)
    if name in ("abs", "neg"):
        return VectorFloats.floats_sign, (name, shape)
    if name in FLOAT_PREDICATES:
        return VectorFloats.floats_compare, (FLOAT_PREDICATES[name], shape)
    if name in MINIMA:
        return VectorFloats.floats_minimum, (*MINIMA[name], shape)
    if name in _PSEUDO:
        return VectorFloats.floats_pseudo_minimum, (_PSEUDO[name], shape)
    if name in _RELAXED:
        return VectorFloats.relaxed_minimum, (_RELAXED[name], shape)
    if name in ("relaxed_madd", "relaxed_nmadd"):
        return VectorFloats.multiply_add, (shape, "negated" if name == "relaxed_nmadd" else "")
    return None


def _rows() -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for code, opcode in OPCODES.items():
        if 0x200 <= code < 0x400:
            shape, _, name = opcode.name.partition(".")
            row = _SINGLE.get(opcode.name) or (_row(shape, name) if shape in _INTEGERS else None)
            if row is not None:
                rows[code] = row
    return rows


FLOAT_VECTORS: Final = _rows()
"""Method and arguments of each instruction, by its code."""

"""Vector instructions of integers, lanes and memory; those of floats are in `vector_floats`."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack
from typing import Final

from wasmcore.opcodes import OPCODES
from wasmcore.stream import LANE_SHIFT, MEMORY_INDEX_MASK
from wasmcore_llvm.text.memory import Memory
from wasmcore_llvm.text.numeric import INTEGER_PREDICATES, Row
from wasmcore_llvm.text.state import Condition

SHAPES: Final = {
    "i8x16": "<16 x i8>",
    "i16x8": "<8 x i16>",
    "i32x4": "<4 x i32>",
    "i64x2": "<2 x i64>",
    "f32x4": "<4 x float>",
    "f64x2": "<2 x double>",
}
"""LLVM's type of each shape."""
LANES: Final = {"i8x16": 16, "i16x8": 8, "i32x4": 4, "i64x2": 2, "f32x4": 4, "f64x2": 2}
SCALARS: Final = {"i8x16": "i8", "i16x8": "i16", "i32x4": "i32", "i64x2": "i64", "f32x4": "float", "f64x2": "double"}
_NARROWER: Final = {"i16x8": "i8x16", "i32x4": "i16x8", "i64x2": "i32x4"}
_EXTENSIONS: Final = {"s": "sext", "u": "zext"}


def suffix(shape: str) -> str:
    """How intrinsics name a shape."""
    return f"v{LANES[shape]}{shape.partition('x')[0]}"


def splat(scalar: str, value: str | int, lanes: int) -> str:
    """A constant in all lanes."""
    return f"<{', '.join([f'{scalar} {value}'] * lanes)}>"


def mask(numbers: Sequence[int]) -> str:
    """The operand that says which lanes a shuffle takes."""
    return f"<{len(numbers)} x i32> <{', '.join(f'i32 {number}' for number in numbers)}>"


class Vectors(Memory):
    """Vectors are <2 x i64> on the stack."""

    # Helpers

    def shuffle(self, value_type: str, x: str, y: str, lanes: Sequence[int]) -> str:
        """Lanes of two vectors."""
        return self.value(f"shufflevector {value_type} {x}, {value_type} {y}, {mask(lanes)}")

    def half(self, shape: str, x: str, which: str) -> str:
        """The low or high half of the lanes of a vector."""
        lanes = LANES[shape]
        first = lanes // 2 if which == "high" else 0
        return self.shuffle(SHAPES[shape], x, "poison", range(first, first + lanes // 2))

    def vector_intrinsic(self, name: str, shape: str, *operands: str) -> str:
        """Call an intrinsic with operands of the type of its result."""
        value_type = SHAPES[shape]
        callee = self.intrinsic(value_type, f"llvm.{name}.{suffix(shape)}", ", ".join([value_type] * len(operands)))
        return self.value(f"call {callee}({', '.join(f'{value_type} {x}' for x in operands)})")

    def processor_intrinsic(self, result: str, name: str, *operands: tuple[str, str]) -> str:
        """Call an intrinsic of the target's (`LlvmTarget.INTRINSICS`); operands are types and values."""
        callee = self.intrinsic(result, self.unit.target.INTRINSICS[name], ", ".join(each for each, _ in operands))
        return self.value(f"call {callee}({', '.join(f'{each} {x}' for each, x in operands)})")

    def compare_mask(self, shape: str, comparison: str) -> None:
        """Push the mask of a comparison: all bits of a lane or none."""
        integer = f"i{128 // LANES[shape]}"
        to = f"<{LANES[shape]} x {integer}>"
        self.push_vector(to, self.value(f"sext <{LANES[shape]} x i1> {comparison} to {to}"))

    # Constants, lanes

    def vector_constant(self, low: int, high: int) -> None:
        """v128.const. Constants of floats are hidden where they are used."""
        constant = f"<i64 {low}, i64 {high}>"
        name = self.value(f"bitcast <2 x i64> {constant} to <2 x i64>")
        self.constants[name] = constant
        self.stack.append(name)

    def shuffle_bytes(self, low: int, high: int) -> None:
        """i8x16.shuffle."""
        y, x = self.pop_vector("<16 x i8>"), self.pop_vector("<16 x i8>")
        self.push_vector("<16 x i8>", self.shuffle("<16 x i8>", x, y, pack("<qq", low, high)))

    def swizzle(self) -> None:
        """i8x16.swizzle: the processor looks at the low four bits unless the highest is set."""
        indices, x = self.pop_vector("<16 x i8>"), self.pop_vector("<16 x i8>")
        indices = self.vector_intrinsic("uadd.sat", "i8x16", indices, splat("i8", 0x70, 16))
        self.push_vector("<16 x i8>", self.processor_intrinsic("<16 x i8>", "shuffle_bytes", ("<16 x i8>", x), ("<16 x i8>", indices)))

    def relaxed_swizzle(self) -> None:
        """i8x16.relaxed_swizzle."""
        indices, x = self.pop_vector("<16 x i8>"), self.pop_vector("<16 x i8>")
        self.push_vector("<16 x i8>", self.processor_intrinsic("<16 x i8>", "shuffle_bytes", ("<16 x i8>", x), ("<16 x i8>", indices)))

    def splat_value(self, shape: str) -> None:
        """splat."""
        x = self.pop()
        scalar = SCALARS[shape]
        if scalar in ("i8", "i16"):
            x = self.value(f"trunc i32 {x} to {scalar}")
        self.push_vector(SHAPES[shape], self.in_all_lanes(shape, x))

    def in_all_lanes(self, shape: str, x: str) -> str:
        """A scalar in all lanes."""
        value_type = SHAPES[shape]
        one = self.value(f"insertelement {value_type} poison, {SCALARS[shape]} {x}, i32 0")
        return self.shuffle(value_type, one, "poison", [0] * LANES[shape])

    def extract_lane(self, shape: str, sign: str, lane: int) -> None:
        """extract_lane."""
        x = self.value(f"extractelement {SHAPES[shape]} {self.pop_vector(SHAPES[shape])}, i32 {lane}")
        scalar = SCALARS[shape]
        self.stack.append(self.value(f"{_EXTENSIONS[sign]} {scalar} {x} to i32") if scalar in ("i8", "i16") else x)

    def replace_lane(self, shape: str, lane: int) -> None:
        """replace_lane."""
        x = self.pop()
        scalar = SCALARS[shape]
        if scalar in ("i8", "i16"):
            x = self.value(f"trunc i32 {x} to {scalar}")
        vector = self.pop_vector(SHAPES[shape])
        self.push_vector(SHAPES[shape], self.value(f"insertelement {SHAPES[shape]} {vector}, {scalar} {x}, i32 {lane}"))

    # Memory

    def load_extended(self, shape: str, sign: str, flags: int, offset: int) -> None:
        """v128.load8x8_s and the like."""
        lanes = LANES[shape]
        narrow = f"<{lanes} x i{64 // lanes}>"
        x = self.value(f"bitcast i64 {self.load_from('i64', flags, offset)} to {narrow}")
        self.push_vector(SHAPES[shape], self.value(f"{_EXTENSIONS[sign]} {narrow} {x} to {SHAPES[shape]}"))

    def load_splat(self, shape: str, flags: int, offset: int) -> None:
        """v128.load8_splat and the like."""
        self.push_vector(SHAPES[shape], self.in_all_lanes(shape, self.load_from(SCALARS[shape], flags, offset)))

    def load_zero(self, shape: str, flags: int, offset: int) -> None:
        """v128.load32_zero and load64_zero."""
        x = self.load_from(SCALARS[shape], flags, offset)
        self.push_vector(SHAPES[shape], self.value(f"insertelement {SHAPES[shape]} zeroinitializer, {SCALARS[shape]} {x}, i32 0"))

    def load_lane(self, shape: str, flags: int, offset: int) -> None:
        """v128.load8_lane and the like."""
        vector = self.pop_vector(SHAPES[shape])
        x = self.load_from(SCALARS[shape], flags & MEMORY_INDEX_MASK, offset)
        inserted = self.value(f"insertelement {SHAPES[shape]} {vector}, {SCALARS[shape]} {x}, i32 {flags >> LANE_SHIFT}")
        self.push_vector(SHAPES[shape], inserted)

    def store_lane(self, shape: str, flags: int, offset: int) -> None:
        """v128.store8_lane and the like."""
        vector = self.pop_vector(SHAPES[shape])
        x = self.value(f"extractelement {SHAPES[shape]} {vector}, i32 {flags >> LANE_SHIFT}")
        self.store_to(SCALARS[shape], x, flags & MEMORY_INDEX_MASK, offset)

    # Bits

    def bitwise(self, name: str) -> None:
        """and, or, xor, andnot."""
        y, x = self.pop(), self.pop()
        if name == "andnot":
            name, y = "and", self.inverted(y)
        self.stack.append(self.value(f"{name} <2 x i64> {x}, {y}"))

    def inverted(self, x: str) -> str:
        """All bits the other way."""
        return self.value(f"xor <2 x i64> {x}, <i64 -1, i64 -1>")

    def bitwise_not(self) -> None:
        """v128.not."""
        self.stack.append(self.inverted(self.pop()))

    def bitselect(self) -> None:
        """v128.bitselect, and relaxed selections."""
        c, y, x = self.pop(), self.pop(), self.pop()
        first = self.value(f"and <2 x i64> {x}, {c}")
        second = self.value(f"and <2 x i64> {y}, {self.inverted(c)}")
        self.stack.append(self.value(f"or <2 x i64> {first}, {second}"))

    def select_by_sign(self, shape: str) -> None:
        """Relaxed selections that look at the highest bit of each lane."""
        value_type = SHAPES[shape]
        c, y, x = self.pop_vector(value_type), self.pop_vector(value_type), self.pop_vector(value_type)
        chosen = self.value(f"icmp slt {value_type} {c}, zeroinitializer")
        selected = self.value(f"select <{LANES[shape]} x i1> {chosen}, {value_type} {x}, {value_type} {y}")
        self.push_vector(value_type, selected)

    def any_true(self) -> None:
        """v128.any_true."""
        x = self.value(f"bitcast <2 x i64> {self.pop()} to i128")
        self.stack.append(Condition(self.value(f"icmp ne i128 {x}, 0")))

    def all_true(self, shape: str) -> None:
        """all_true."""
        x = self.value(f"icmp ne {SHAPES[shape]} {self.pop_vector(SHAPES[shape])}, zeroinitializer")
        bits = self.value(f"bitcast <{LANES[shape]} x i1> {x} to i{LANES[shape]}")
        self.stack.append(Condition(self.value(f"icmp eq i{LANES[shape]} {bits}, -1")))

    def bitmask(self, shape: str) -> None:
        """bitmask."""
        x = self.value(f"icmp slt {SHAPES[shape]} {self.pop_vector(SHAPES[shape])}, zeroinitializer")
        bits = self.value(f"bitcast <{LANES[shape]} x i1> {x} to i{LANES[shape]}")
        self.stack.append(self.value(f"zext i{LANES[shape]} {bits} to i32"))

    # Integers

    def lanes_binary(self, instruction: str, shape: str) -> None:
        """add, sub and mul."""
        value_type = SHAPES[shape]
        y, x = self.pop_vector(value_type), self.pop_vector(value_type)
        self.push_vector(value_type, self.value(f"{instruction} {value_type} {x}, {y}"))

    def lanes_intrinsic(self, name: str, shape: str) -> None:
        """Operations that are intrinsics of two operands: saturating ones, minima and maxima."""
        value_type = SHAPES[shape]
        y, x = self.pop_vector(value_type), self.pop_vector(value_type)
        self.push_vector(value_type, self.vector_intrinsic(name, shape, x, y))

    def lanes_compare(self, predicate: str, shape: str) -> None:
        """Comparisons."""
        value_type = SHAPES[shape]
        y, x = self.pop_vector(value_type), self.pop_vector(value_type)
        self.compare_mask(shape, self.value(f"icmp {predicate} {value_type} {x}, {y}"))

    def lanes_negate(self, shape: str) -> None:
        """neg."""
        value_type = SHAPES[shape]
        self.push_vector(value_type, self.value(f"sub {value_type} zeroinitializer, {self.pop_vector(value_type)}"))

    def lanes_absolute(self, shape: str) -> None:
        """abs."""
        value_type = SHAPES[shape]
        callee = self.intrinsic(value_type, f"llvm.abs.{suffix(shape)}", f"{value_type}, i1")
        self.push_vector(value_type, self.value(f"call {callee}({value_type} {self.pop_vector(value_type)}, i1 false)"))

    def lanes_population(self) -> None:
        """i8x16.popcnt."""
        self.push_vector("<16 x i8>", self.vector_intrinsic("ctpop", "i8x16", self.pop_vector("<16 x i8>")))

    def lanes_shift(self, instruction: str, shape: str) -> None:
        """Shifts of all lanes by the same count, modulo the width."""
        width = 128 // LANES[shape]
        count = self.value(f"and i32 {self.pop()}, {width - 1}")
        if width < 32:
            count = self.value(f"trunc i32 {count} to i{width}")
        elif width > 32:
            count = self.value(f"zext i32 {count} to i{width}")
        counts = self.in_all_lanes(shape, count)
        value_type = SHAPES[shape]
        self.push_vector(value_type, self.value(f"{instruction} {value_type} {self.pop_vector(value_type)}, {counts}"))

    def average(self, shape: str) -> None:
        """avgr_u."""
        lanes, width = LANES[shape], 128 // LANES[shape]
        narrow, wide = SHAPES[shape], f"<{lanes} x i{2 * width}>"
        y, x = (self.value(f"zext {narrow} {self.pop_vector(narrow)} to {wide}") for _ in range(2))
        total = self.value(f"add {wide} {self.value(f'add {wide} {x}, {y}')}, {splat(f'i{2 * width}', 1, lanes)}")
        half = self.value(f"lshr {wide} {total}, {splat(f'i{2 * width}', 1, lanes)}")
        self.push_vector(narrow, self.value(f"trunc {wide} {half} to {narrow}"))

    def narrow(self, name: str, source: str, to: str) -> None:
        """narrow_s and narrow_u: the processor's packing saturates."""
        value_type = SHAPES[source]
        y, x = self.pop_vector(value_type), self.pop_vector(value_type)
        self.push_vector(SHAPES[to], self.processor_intrinsic(SHAPES[to], name, (value_type, x), (value_type, y)))

    def extend_half(self, shape: str, which: str, sign: str) -> None:
        """extend_low_s and the like."""
        self.push_vector(SHAPES[shape], self.extended_half(shape, which, sign))

    def extended_half(self, shape: str, which: str, sign: str) -> str:
        """Pop a vector of narrower lanes; half of them, extended."""
        narrow = _NARROWER[shape]
        x = self.half(narrow, self.pop_vector(SHAPES[narrow]), which)
        return self.value(f"{_EXTENSIONS[sign]} <{LANES[shape]} x {SCALARS[narrow]}> {x} to {SHAPES[shape]}")

    def extended_product(self, shape: str, which: str, sign: str) -> None:
        """extmul."""
        y = self.extended_half(shape, which, sign)
        x = self.extended_half(shape, which, sign)
        self.push_vector(SHAPES[shape], self.value(f"mul {SHAPES[shape]} {x}, {y}"))

    def pairwise_sum(self, shape: str, sign: str) -> None:
        """extadd_pairwise."""
        narrow = _NARROWER[shape]
        x = self.pop_vector(SHAPES[narrow])
        parts = []
        for first in (0, 1):
            part = self.shuffle(SHAPES[narrow], x, "poison", range(first, LANES[narrow], 2))
            parts.append(self.value(f"{_EXTENSIONS[sign]} <{LANES[shape]} x {SCALARS[narrow]}> {part} to {SHAPES[shape]}"))
        self.push_vector(SHAPES[shape], self.value(f"add {SHAPES[shape]} {parts[0]}, {parts[1]}"))

    def dot(self) -> None:
        """i32x4.dot_i16x8_s."""
        y, x = self.pop_vector("<8 x i16>"), self.pop_vector("<8 x i16>")
        self.push_vector("<4 x i32>", self.processor_intrinsic("<4 x i32>", "dot i16x8", ("<8 x i16>", x), ("<8 x i16>", y)))

    def rounded_product(self, exact: str) -> None:
        """q15mulr: the processor's does not saturate the one product that is too large."""
        y, x = self.pop_vector("<8 x i16>"), self.pop_vector("<8 x i16>")
        product = self.processor_intrinsic("<8 x i16>", "rounded product", ("<8 x i16>", x), ("<8 x i16>", y))
        if exact:
            wrong = self.value(f"icmp eq <8 x i16> {product}, {splat('i16', -0x8000, 8)}")
            ones = self.value(f"sext <8 x i1> {wrong} to <8 x i16>")
            product = self.value(f"xor <8 x i16> {product}, {ones}")
        self.push_vector("<8 x i16>", product)

    def relaxed_dot(self) -> str:
        """Products of bytes, the second of seven bits, summed in pairs: popped, not pushed."""
        y, x = self.pop_vector("<16 x i8>"), self.pop_vector("<16 x i8>")
        return self.processor_intrinsic("<8 x i16>", "dot i8x16", ("<16 x i8>", y), ("<16 x i8>", x))

    def relaxed_dot_product(self) -> None:
        """i16x8.relaxed_dot_i8x16_i7x16_s."""
        self.push_vector("<8 x i16>", self.relaxed_dot())

    def relaxed_dot_sum(self) -> None:
        """i32x4.relaxed_dot_i8x16_i7x16_add_s."""
        addend = self.pop_vector("<4 x i32>")
        pairs = self.relaxed_dot()
        operands = ("<8 x i16>", pairs), ("<8 x i16>", splat("i16", 1, 8))
        sums = self.processor_intrinsic("<4 x i32>", "dot i16x8", *operands)
        self.push_vector("<4 x i32>", self.value(f"add <4 x i32> {sums}, {addend}"))


_SHIFTS: Final = {"shl": "shl", "shr_s": "ashr", "shr_u": "lshr"}
_INTRINSICS: Final = {
    "add_sat_s": "sadd.sat",
    "add_sat_u": "uadd.sat",
    "sub_sat_s": "ssub.sat",
    "sub_sat_u": "usub.sat",
    "min_s": "smin",
    "min_u": "umin",
    "max_s": "smax",
    "max_u": "umax",
}
_PACKING: Final = {
    "i8x16.narrow_i16x8_s": ("narrow i16x8 s", "i16x8", "i8x16"),
    "i8x16.narrow_i16x8_u": ("narrow i16x8 u", "i16x8", "i8x16"),
    "i16x8.narrow_i32x4_s": ("narrow i32x4 s", "i32x4", "i16x8"),
    "i16x8.narrow_i32x4_u": ("narrow i32x4 u", "i32x4", "i16x8"),
}
_SINGLE: Final[dict[str, Row]] = {
    "i8x16.swizzle": (Vectors.swizzle, ()),
    "i8x16.relaxed_swizzle": (Vectors.relaxed_swizzle, ()),
    "v128.not": (Vectors.bitwise_not, ()),
    "v128.and": (Vectors.bitwise, ("and",)),
    "v128.andnot": (Vectors.bitwise, ("andnot",)),
    "v128.or": (Vectors.bitwise, ("or",)),
    "v128.xor": (Vectors.bitwise, ("xor",)),
    "v128.bitselect": (Vectors.bitselect, ()),
    "v128.any_true": (Vectors.any_true, ()),
    "i8x16.popcnt": (Vectors.lanes_population, ()),
    "i32x4.dot_i16x8_s": (Vectors.dot, ()),
    "i16x8.q15mulr_sat_s": (Vectors.rounded_product, ("exact",)),
    "i16x8.relaxed_q15mulr_s": (Vectors.rounded_product, ("",)),
    "i8x16.relaxed_laneselect": (Vectors.select_by_sign, ("i8x16",)),
    "i16x8.relaxed_laneselect": (Vectors.bitselect, ()),
    "i32x4.relaxed_laneselect": (Vectors.select_by_sign, ("i32x4",)),
    "i64x2.relaxed_laneselect": (Vectors.select_by_sign, ("i64x2",)),
    "i16x8.relaxed_dot_i8x16_i7x16_s": (Vectors.relaxed_dot_product, ()),
    "i32x4.relaxed_dot_i8x16_i7x16_add_s": (Vectors.relaxed_dot_sum, ()),
    **{name: (Vectors.narrow, row) for name, row in _PACKING.items()},
}
_SHAPED: Final = {
    "splat": Vectors.splat_value,
    "neg": Vectors.lanes_negate,
    "abs": Vectors.lanes_absolute,
    "all_true": Vectors.all_true,
    "bitmask": Vectors.bitmask,
    "avgr_u": Vectors.average,
}


def _row(shape: str, name: str) -> Row | None:
    """The method and its arguments for an instruction of integer lanes."""
    words = name.split("_")
    if name in ("add", "sub", "mul"):
        return Vectors.lanes_binary, (name, shape)
    if name in INTEGER_PREDICATES:
        return Vectors.lanes_compare, (INTEGER_PREDICATES[name], shape)
    if name in _SHIFTS:
        return Vectors.lanes_shift, (_SHIFTS[name], shape)
    if name in _INTRINSICS:
        return Vectors.lanes_intrinsic, (_INTRINSICS[name], shape)
    if name in _SHAPED:
        return _SHAPED[name], (shape,)
    if words[0] == "extend":
        return Vectors.extend_half, (shape, words[1], words[3])
    if words[0] == "extmul":
        return Vectors.extended_product, (shape, words[1], words[3])
    if words[0] == "extadd":
        return Vectors.pairwise_sum, (shape, words[3])
    return None


def _rows() -> dict[int, Row]:
    rows: dict[int, Row] = {}
    for code, opcode in OPCODES.items():
        shape, _, name = opcode.name.partition(".")
        if 0x200 <= code < 0x400 and (shape[0] == "i" or opcode.name in _SINGLE or name == "splat"):
            row = _SINGLE.get(opcode.name) or _row(shape, name)
            if row is not None:
                rows[code] = row
    return rows


INTEGER_VECTORS: Final = _rows()
"""Method and arguments, by code, of instructions without immediates."""

VECTOR_LOADS: Final[dict[int, Row]] = {
    0x201: (Vectors.load_extended, ("i16x8", "s")),
    0x202: (Vectors.load_extended, ("i16x8", "u")),
    0x203: (Vectors.load_extended, ("i32x4", "s")),
    0x204: (Vectors.load_extended, ("i32x4", "u")),
    0x205: (Vectors.load_extended, ("i64x2", "s")),
    0x206: (Vectors.load_extended, ("i64x2", "u")),
    0x207: (Vectors.load_splat, ("i8x16",)),
    0x208: (Vectors.load_splat, ("i16x8",)),
    0x209: (Vectors.load_splat, ("i32x4",)),
    0x20A: (Vectors.load_splat, ("i64x2",)),
    0x254: (Vectors.load_lane, ("i8x16",)),
    0x255: (Vectors.load_lane, ("i16x8",)),
    0x256: (Vectors.load_lane, ("i32x4",)),
    0x257: (Vectors.load_lane, ("i64x2",)),
    0x258: (Vectors.store_lane, ("i8x16",)),
    0x259: (Vectors.store_lane, ("i16x8",)),
    0x25A: (Vectors.store_lane, ("i32x4",)),
    0x25B: (Vectors.store_lane, ("i64x2",)),
    0x25C: (Vectors.load_zero, ("i32x4",)),
    0x25D: (Vectors.load_zero, ("i64x2",)),
}
"""Method and first arguments, by code; flags and offset are the others."""

VECTOR_LANES: Final[dict[int, Row]] = {
    0x215: (Vectors.extract_lane, ("i8x16", "s")),
    0x216: (Vectors.extract_lane, ("i8x16", "u")),
    0x217: (Vectors.replace_lane, ("i8x16",)),
    0x218: (Vectors.extract_lane, ("i16x8", "s")),
    0x219: (Vectors.extract_lane, ("i16x8", "u")),
    0x21A: (Vectors.replace_lane, ("i16x8",)),
    0x21B: (Vectors.extract_lane, ("i32x4", "")),
    0x21C: (Vectors.replace_lane, ("i32x4",)),
    0x21D: (Vectors.extract_lane, ("i64x2", "")),
    0x21E: (Vectors.replace_lane, ("i64x2",)),
    0x21F: (Vectors.extract_lane, ("f32x4", "")),
    0x220: (Vectors.replace_lane, ("f32x4",)),
    0x221: (Vectors.extract_lane, ("f64x2", "")),
    0x222: (Vectors.replace_lane, ("f64x2",)),
}
"""Method and first arguments, by code; the lane is the last."""

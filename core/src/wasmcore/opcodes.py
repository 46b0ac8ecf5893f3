"""Every WebAssembly instruction as data: the one table from which decoder, validator, stream and printers follow.

A row of the table holds instructions with consecutive codes: the code of the first, the kind of their immediates, the feature they
belong to, their signature, and their names. `address` in a signature is the index type of the memory, i32 or i64. Rows without a
signature (`None`) are the instructions whose types depend on more than the opcode.
"""

from __future__ import annotations

from wasmcore._typing import Final, final
from wasmcore.types import F32, F64, I32, I64, V128

PREFIXES: Final = {0xFC: 0x100, 0xFD: 0x200, 0xFB: 0x400, 0xFE: 0x600}
"""What is added to the number after a prefix byte to get the instruction's code."""

PREFIX_ENDS: Final = {0xFC: 0x200, 0xFD: 0x400, 0xFB: 0x600, 0xFE: 0x700}
"""Codes of a prefix are smaller than this."""

CODES_END: Final = 0x700
"""All codes are smaller."""

FEATURES: Final = (
    "mvp",
    "sign_extension",
    "saturating_conversions",
    "multi_value",
    "bulk_memory",
    "reference_types",
    "simd",
    "relaxed_simd",
    "tail_calls",
    "multi_memory",
    "extended_const",
    "function_references",
    "gc",
    "exceptions",
    "memory64",
    "threads",
    "wide_arithmetic",
    "custom_page_sizes",
)
"""Names of the features, oldest first."""

DEFAULT_FEATURES: Final = frozenset(FEATURES[:15])
"""What decoder and validator accept unless told otherwise: the specification, version 3.0. The others are proposals."""

ADDRESS: Final = 8
"""In `Opcode.params`: the index type of the memory."""


@final
class Immediates:
    """What follows an opcode in the binary format.

    The first ten are those the types of which the signature alone tells (`Opcode.params` is not None).
    """

    NONE: Final = 0
    MEMORY_ACCESS: Final = 1
    I32: Final = 2
    I64: Final = 3
    F32: Final = 4
    F64: Final = 5
    LANE: Final = 6
    MEMORY_ACCESS_LANE: Final = 7
    V128: Final = 8
    SHUFFLE: Final = 9
    BLOCK_TYPE: Final = 10
    LABEL: Final = 11
    LABELS: Final = 12
    FUNCTION: Final = 13
    TYPE: Final = 14
    TYPE_TABLE: Final = 15
    LOCAL: Final = 16
    GLOBAL: Final = 17
    TABLE: Final = 18
    MEMORY: Final = 19
    DATA: Final = 20
    ELEM: Final = 21
    DATA_MEMORY: Final = 22
    ELEM_TABLE: Final = 23
    MEMORY_MEMORY: Final = 24
    TABLE_TABLE: Final = 25
    HEAP_TYPE: Final = 26
    VALUE_TYPES: Final = 27
    TAG: Final = 28
    TRY_TABLE: Final = 29
    TYPE_FIELD: Final = 30
    TYPE_TYPE: Final = 31
    TYPE_COUNT: Final = 32
    TYPE_DATA: Final = 33
    TYPE_ELEM: Final = 34
    CAST: Final = 35
    ZERO_BYTE: Final = 36


@final
class Opcode:
    """One instruction."""

    __slots__ = ("alignment", "code", "feature", "immediates", "name", "params", "results")

    def __init__(
        self,
        code: int,
        name: str,
        immediates: int,
        feature: str,
        params: tuple[int, ...] | None,
        results: tuple[int, ...] | None,
        alignment: int,
    ) -> None:
        self.code: Final = code
        """The opcode byte, or `PREFIXES[prefix]` plus the number after it."""
        self.name: Final = name
        """Name in the text format."""
        self.immediates: Final = immediates
        """One of `Immediates`."""
        self.feature: Final = feature
        self.params: Final = params
        """Operand types (value types, or `ADDRESS`), where the opcode alone tells them."""
        self.results: Final = results
        self.alignment: Final = alignment
        """Log2 of the natural alignment of a memory access in bytes; for lanes: log2 of their number."""

    def __repr__(self) -> str:
        return f"<Opcode {self.code:#x} {self.name}>"

    @property
    def binary(self) -> bytes:
        """The bytes of the opcode, without immediates."""
        if self.code < 0x100:
            return bytes([self.code])
        prefix, first = max(((p, f) for p, f in PREFIXES.items() if f <= self.code), key=lambda item: item[1])
        number = self.code - first
        return bytes([prefix, number] if number < 0x80 else [prefix, number & 0x7F | 0x80, number >> 7])


_TYPES: Final = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "address": ADDRESS}

_INTEGER_COMPARISONS = "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"
_FLOAT_COMPARISONS = "eq ne lt gt le ge"
_INTEGER_ARITHMETIC = "add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr"
_FLOAT_UNARY = "abs neg ceil floor trunc nearest sqrt"
_FLOAT_BINARY = "add sub mul div min max copysign"
_VECTOR_FLOAT_BINARY = "add sub mul div min max pmin pmax"
_ATOMIC_WIDTHS = "i32.{} i64.{} i32.{}8 i32.{}16 i64.{}8 i64.{}16 i64.{}32"


def _of(prefix: str, names: str) -> str:
    return " ".join(f"{prefix}.{name}" for name in names.split())


def _atomic(operation: str) -> str:
    """Names of a read-modify-write operation in its seven widths; the narrow ones are unsigned."""
    names = (_ATOMIC_WIDTHS.replace("{}", "atomic.rmw")).split()
    return " ".join(f"{name}.{operation}" + ("_u" if name[-1].isdigit() else "") + f":{a}" for name, a in zip(names, (2, 3, 0, 1, 0, 1, 2)))


_Row = tuple[int, int, str, str | None, str]
_I = Immediates

_BASE: tuple[_Row, ...] = (
    (0x00, _I.NONE, "mvp", None, "unreachable"),
    (0x01, _I.NONE, "mvp", "->", "nop"),
    (0x02, _I.BLOCK_TYPE, "mvp", None, "block loop if"),
    (0x05, _I.NONE, "mvp", None, "else"),
    (0x08, _I.TAG, "exceptions", None, "throw"),
    (0x0A, _I.NONE, "exceptions", None, "throw_ref"),
    (0x0B, _I.NONE, "mvp", None, "end"),
    (0x0C, _I.LABEL, "mvp", None, "br br_if"),
    (0x0E, _I.LABELS, "mvp", None, "br_table"),
    (0x0F, _I.NONE, "mvp", None, "return"),
    (0x10, _I.FUNCTION, "mvp", None, "call"),
    (0x11, _I.TYPE_TABLE, "mvp", None, "call_indirect"),
    (0x12, _I.FUNCTION, "tail_calls", None, "return_call"),
    (0x13, _I.TYPE_TABLE, "tail_calls", None, "return_call_indirect"),
    (0x14, _I.TYPE, "function_references", None, "call_ref return_call_ref"),
    (0x1A, _I.NONE, "mvp", None, "drop select"),
    (0x1C, _I.VALUE_TYPES, "reference_types", None, "select"),
    (0x1F, _I.TRY_TABLE, "exceptions", None, "try_table"),
    (0x20, _I.LOCAL, "mvp", None, "local.get local.set local.tee"),
    (0x23, _I.GLOBAL, "mvp", None, "global.get global.set"),
    (0x25, _I.TABLE, "reference_types", None, "table.get table.set"),
    (0x3F, _I.MEMORY, "mvp", None, "memory.size memory.grow"),
    (0xD0, _I.HEAP_TYPE, "reference_types", None, "ref.null"),
    (0xD1, _I.NONE, "reference_types", None, "ref.is_null"),
    (0xD2, _I.FUNCTION, "reference_types", None, "ref.func"),
    (0xD3, _I.NONE, "gc", None, "ref.eq"),
    (0xD4, _I.NONE, "function_references", None, "ref.as_non_null"),
    (0xD5, _I.LABEL, "function_references", None, "br_on_null br_on_non_null"),
)

_MEMORY: tuple[_Row, ...] = (
    (0x28, _I.MEMORY_ACCESS, "mvp", "address -> i32", "i32.load:2"),
    (0x29, _I.MEMORY_ACCESS, "mvp", "address -> i64", "i64.load:3"),
    (0x2A, _I.MEMORY_ACCESS, "mvp", "address -> f32", "f32.load:2"),
    (0x2B, _I.MEMORY_ACCESS, "mvp", "address -> f64", "f64.load:3"),
    (0x2C, _I.MEMORY_ACCESS, "mvp", "address -> i32", "i32.load8_s:0 i32.load8_u:0 i32.load16_s:1 i32.load16_u:1"),
    (
        0x30,
        _I.MEMORY_ACCESS,
        "mvp",
        "address -> i64",
        "i64.load8_s:0 i64.load8_u:0 i64.load16_s:1 i64.load16_u:1 i64.load32_s:2 i64.load32_u:2",
    ),
    (0x36, _I.MEMORY_ACCESS, "mvp", "address i32 ->", "i32.store:2"),
    (0x37, _I.MEMORY_ACCESS, "mvp", "address i64 ->", "i64.store:3"),
    (0x38, _I.MEMORY_ACCESS, "mvp", "address f32 ->", "f32.store:2"),
    (0x39, _I.MEMORY_ACCESS, "mvp", "address f64 ->", "f64.store:3"),
    (0x3A, _I.MEMORY_ACCESS, "mvp", "address i32 ->", "i32.store8:0 i32.store16:1"),
    (0x3C, _I.MEMORY_ACCESS, "mvp", "address i64 ->", "i64.store8:0 i64.store16:1 i64.store32:2"),
)

_NUMERIC: tuple[_Row, ...] = (
    (0x41, _I.I32, "mvp", "-> i32", "i32.const"),
    (0x42, _I.I64, "mvp", "-> i64", "i64.const"),
    (0x43, _I.F32, "mvp", "-> f32", "f32.const"),
    (0x44, _I.F64, "mvp", "-> f64", "f64.const"),
    (0x45, _I.NONE, "mvp", "i32 -> i32", "i32.eqz"),
    (0x46, _I.NONE, "mvp", "i32 i32 -> i32", _of("i32", _INTEGER_COMPARISONS)),
    (0x50, _I.NONE, "mvp", "i64 -> i32", "i64.eqz"),
    (0x51, _I.NONE, "mvp", "i64 i64 -> i32", _of("i64", _INTEGER_COMPARISONS)),
    (0x5B, _I.NONE, "mvp", "f32 f32 -> i32", _of("f32", _FLOAT_COMPARISONS)),
    (0x61, _I.NONE, "mvp", "f64 f64 -> i32", _of("f64", _FLOAT_COMPARISONS)),
    (0x67, _I.NONE, "mvp", "i32 -> i32", "i32.clz i32.ctz i32.popcnt"),
    (0x6A, _I.NONE, "mvp", "i32 i32 -> i32", _of("i32", _INTEGER_ARITHMETIC)),
    (0x79, _I.NONE, "mvp", "i64 -> i64", "i64.clz i64.ctz i64.popcnt"),
    (0x7C, _I.NONE, "mvp", "i64 i64 -> i64", _of("i64", _INTEGER_ARITHMETIC)),
    (0x8B, _I.NONE, "mvp", "f32 -> f32", _of("f32", _FLOAT_UNARY)),
    (0x92, _I.NONE, "mvp", "f32 f32 -> f32", _of("f32", _FLOAT_BINARY)),
    (0x99, _I.NONE, "mvp", "f64 -> f64", _of("f64", _FLOAT_UNARY)),
    (0xA0, _I.NONE, "mvp", "f64 f64 -> f64", _of("f64", _FLOAT_BINARY)),
    (0xA7, _I.NONE, "mvp", "i64 -> i32", "i32.wrap_i64"),
    (0xA8, _I.NONE, "mvp", "f32 -> i32", "i32.trunc_f32_s i32.trunc_f32_u"),
    (0xAA, _I.NONE, "mvp", "f64 -> i32", "i32.trunc_f64_s i32.trunc_f64_u"),
    (0xAC, _I.NONE, "mvp", "i32 -> i64", "i64.extend_i32_s i64.extend_i32_u"),
    (0xAE, _I.NONE, "mvp", "f32 -> i64", "i64.trunc_f32_s i64.trunc_f32_u"),
    (0xB0, _I.NONE, "mvp", "f64 -> i64", "i64.trunc_f64_s i64.trunc_f64_u"),
    (0xB2, _I.NONE, "mvp", "i32 -> f32", "f32.convert_i32_s f32.convert_i32_u"),
    (0xB4, _I.NONE, "mvp", "i64 -> f32", "f32.convert_i64_s f32.convert_i64_u"),
    (0xB6, _I.NONE, "mvp", "f64 -> f32", "f32.demote_f64"),
    (0xB7, _I.NONE, "mvp", "i32 -> f64", "f64.convert_i32_s f64.convert_i32_u"),
    (0xB9, _I.NONE, "mvp", "i64 -> f64", "f64.convert_i64_s f64.convert_i64_u"),
    (0xBB, _I.NONE, "mvp", "f32 -> f64", "f64.promote_f32"),
    (0xBC, _I.NONE, "mvp", "f32 -> i32", "i32.reinterpret_f32"),
    (0xBD, _I.NONE, "mvp", "f64 -> i64", "i64.reinterpret_f64"),
    (0xBE, _I.NONE, "mvp", "i32 -> f32", "f32.reinterpret_i32"),
    (0xBF, _I.NONE, "mvp", "i64 -> f64", "f64.reinterpret_i64"),
    (0xC0, _I.NONE, "sign_extension", "i32 -> i32", "i32.extend8_s i32.extend16_s"),
    (0xC2, _I.NONE, "sign_extension", "i64 -> i64", "i64.extend8_s i64.extend16_s i64.extend32_s"),
)

_MISCELLANEOUS: tuple[_Row, ...] = (  # prefix 0xFC
    (0x100, _I.NONE, "saturating_conversions", "f32 -> i32", "i32.trunc_sat_f32_s i32.trunc_sat_f32_u"),
    (0x102, _I.NONE, "saturating_conversions", "f64 -> i32", "i32.trunc_sat_f64_s i32.trunc_sat_f64_u"),
    (0x104, _I.NONE, "saturating_conversions", "f32 -> i64", "i64.trunc_sat_f32_s i64.trunc_sat_f32_u"),
    (0x106, _I.NONE, "saturating_conversions", "f64 -> i64", "i64.trunc_sat_f64_s i64.trunc_sat_f64_u"),
    (0x108, _I.DATA_MEMORY, "bulk_memory", None, "memory.init"),
    (0x109, _I.DATA, "bulk_memory", None, "data.drop"),
    (0x10A, _I.MEMORY_MEMORY, "bulk_memory", None, "memory.copy"),
    (0x10B, _I.MEMORY, "bulk_memory", None, "memory.fill"),
    (0x10C, _I.ELEM_TABLE, "bulk_memory", None, "table.init"),
    (0x10D, _I.ELEM, "bulk_memory", None, "elem.drop"),
    (0x10E, _I.TABLE_TABLE, "bulk_memory", None, "table.copy"),
    (0x10F, _I.TABLE, "reference_types", None, "table.grow table.size table.fill"),
    (0x113, _I.NONE, "wide_arithmetic", "i64 i64 i64 i64 -> i64 i64", "i64.add128 i64.sub128"),
    (0x115, _I.NONE, "wide_arithmetic", "i64 i64 -> i64 i64", "i64.mul_wide_s i64.mul_wide_u"),
)

_UNARY = "v128 -> v128"
_BINARY = "v128 v128 -> v128"
_TERNARY = "v128 v128 v128 -> v128"
_SHIFT = "v128 i32 -> v128"
_TEST = "v128 -> i32"

_VECTOR_MEMORY: tuple[_Row, ...] = (  # prefix 0xFD
    (
        0x200,
        _I.MEMORY_ACCESS,
        "simd",
        "address -> v128",
        "v128.load:4 v128.load8x8_s:3 v128.load8x8_u:3 v128.load16x4_s:3 v128.load16x4_u:3 v128.load32x2_s:3 v128.load32x2_u:3 "
        "v128.load8_splat:0 v128.load16_splat:1 v128.load32_splat:2 v128.load64_splat:3",
    ),
    (0x20B, _I.MEMORY_ACCESS, "simd", "address v128 ->", "v128.store:4"),
    (
        0x254,
        _I.MEMORY_ACCESS_LANE,
        "simd",
        "address v128 -> v128",
        "v128.load8_lane:0 v128.load16_lane:1 v128.load32_lane:2 v128.load64_lane:3",
    ),
    (
        0x258,
        _I.MEMORY_ACCESS_LANE,
        "simd",
        "address v128 ->",
        "v128.store8_lane:0 v128.store16_lane:1 v128.store32_lane:2 v128.store64_lane:3",
    ),
    (0x25C, _I.MEMORY_ACCESS, "simd", "address -> v128", "v128.load32_zero:2 v128.load64_zero:3"),
)

_VECTOR: tuple[_Row, ...] = (
    (0x20C, _I.V128, "simd", "-> v128", "v128.const"),
    (0x20D, _I.SHUFFLE, "simd", _BINARY, "i8x16.shuffle"),
    (0x20E, _I.NONE, "simd", _BINARY, "i8x16.swizzle"),
    (0x20F, _I.NONE, "simd", "i32 -> v128", "i8x16.splat i16x8.splat i32x4.splat"),
    (0x212, _I.NONE, "simd", "i64 -> v128", "i64x2.splat"),
    (0x213, _I.NONE, "simd", "f32 -> v128", "f32x4.splat"),
    (0x214, _I.NONE, "simd", "f64 -> v128", "f64x2.splat"),
    (0x215, _I.LANE, "simd", "v128 -> i32", "i8x16.extract_lane_s:4 i8x16.extract_lane_u:4"),
    (0x217, _I.LANE, "simd", "v128 i32 -> v128", "i8x16.replace_lane:4"),
    (0x218, _I.LANE, "simd", "v128 -> i32", "i16x8.extract_lane_s:3 i16x8.extract_lane_u:3"),
    (0x21A, _I.LANE, "simd", "v128 i32 -> v128", "i16x8.replace_lane:3"),
    (0x21B, _I.LANE, "simd", "v128 -> i32", "i32x4.extract_lane:2"),
    (0x21C, _I.LANE, "simd", "v128 i32 -> v128", "i32x4.replace_lane:2"),
    (0x21D, _I.LANE, "simd", "v128 -> i64", "i64x2.extract_lane:1"),
    (0x21E, _I.LANE, "simd", "v128 i64 -> v128", "i64x2.replace_lane:1"),
    (0x21F, _I.LANE, "simd", "v128 -> f32", "f32x4.extract_lane:2"),
    (0x220, _I.LANE, "simd", "v128 f32 -> v128", "f32x4.replace_lane:2"),
    (0x221, _I.LANE, "simd", "v128 -> f64", "f64x2.extract_lane:1"),
    (0x222, _I.LANE, "simd", "v128 f64 -> v128", "f64x2.replace_lane:1"),
    (0x223, _I.NONE, "simd", _BINARY, _of("i8x16", _INTEGER_COMPARISONS)),
    (0x22D, _I.NONE, "simd", _BINARY, _of("i16x8", _INTEGER_COMPARISONS)),
    (0x237, _I.NONE, "simd", _BINARY, _of("i32x4", _INTEGER_COMPARISONS)),
    (0x241, _I.NONE, "simd", _BINARY, _of("f32x4", _FLOAT_COMPARISONS)),
    (0x247, _I.NONE, "simd", _BINARY, _of("f64x2", _FLOAT_COMPARISONS)),
    (0x24D, _I.NONE, "simd", _UNARY, "v128.not"),
    (0x24E, _I.NONE, "simd", _BINARY, "v128.and v128.andnot v128.or v128.xor"),
    (0x252, _I.NONE, "simd", _TERNARY, "v128.bitselect"),
    (0x253, _I.NONE, "simd", _TEST, "v128.any_true"),
    (0x25E, _I.NONE, "simd", _UNARY, "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4 i8x16.abs i8x16.neg i8x16.popcnt"),
    (0x263, _I.NONE, "simd", _TEST, "i8x16.all_true i8x16.bitmask"),
    (0x265, _I.NONE, "simd", _BINARY, "i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u"),
    (0x267, _I.NONE, "simd", _UNARY, "f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest"),
    (0x26B, _I.NONE, "simd", _SHIFT, "i8x16.shl i8x16.shr_s i8x16.shr_u"),
    (0x26E, _I.NONE, "simd", _BINARY, _of("i8x16", "add add_sat_s add_sat_u sub sub_sat_s sub_sat_u")),
    (0x274, _I.NONE, "simd", _UNARY, "f64x2.ceil f64x2.floor"),
    (0x276, _I.NONE, "simd", _BINARY, _of("i8x16", "min_s min_u max_s max_u")),
    (0x27A, _I.NONE, "simd", _UNARY, "f64x2.trunc"),
    (0x27B, _I.NONE, "simd", _BINARY, "i8x16.avgr_u"),
    (0x27C, _I.NONE, "simd", _UNARY, "i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u"),
    (0x27E, _I.NONE, "simd", _UNARY, "i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u i16x8.abs i16x8.neg"),
    (0x282, _I.NONE, "simd", _BINARY, "i16x8.q15mulr_sat_s"),
    (0x283, _I.NONE, "simd", _TEST, "i16x8.all_true i16x8.bitmask"),
    (0x285, _I.NONE, "simd", _BINARY, "i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u"),
    (0x287, _I.NONE, "simd", _UNARY, _of("i16x8", "extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u")),
    (0x28B, _I.NONE, "simd", _SHIFT, "i16x8.shl i16x8.shr_s i16x8.shr_u"),
    (0x28E, _I.NONE, "simd", _BINARY, _of("i16x8", "add add_sat_s add_sat_u sub sub_sat_s sub_sat_u")),
    (0x294, _I.NONE, "simd", _UNARY, "f64x2.nearest"),
    (0x295, _I.NONE, "simd", _BINARY, _of("i16x8", "mul min_s min_u max_s max_u")),
    (0x29B, _I.NONE, "simd", _BINARY, _of("i16x8", "avgr_u extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u")),
    (0x2A0, _I.NONE, "simd", _UNARY, "i32x4.abs i32x4.neg"),
    (0x2A3, _I.NONE, "simd", _TEST, "i32x4.all_true i32x4.bitmask"),
    (0x2A7, _I.NONE, "simd", _UNARY, _of("i32x4", "extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u")),
    (0x2AB, _I.NONE, "simd", _SHIFT, "i32x4.shl i32x4.shr_s i32x4.shr_u"),
    (0x2AE, _I.NONE, "simd", _BINARY, "i32x4.add"),
    (0x2B1, _I.NONE, "simd", _BINARY, "i32x4.sub"),
    (0x2B5, _I.NONE, "simd", _BINARY, _of("i32x4", "mul min_s min_u max_s max_u dot_i16x8_s")),
    (0x2BC, _I.NONE, "simd", _BINARY, _of("i32x4", "extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u")),
    (0x2C0, _I.NONE, "simd", _UNARY, "i64x2.abs i64x2.neg"),
    (0x2C3, _I.NONE, "simd", _TEST, "i64x2.all_true i64x2.bitmask"),
    (0x2C7, _I.NONE, "simd", _UNARY, _of("i64x2", "extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u")),
    (0x2CB, _I.NONE, "simd", _SHIFT, "i64x2.shl i64x2.shr_s i64x2.shr_u"),
    (0x2CE, _I.NONE, "simd", _BINARY, "i64x2.add"),
    (0x2D1, _I.NONE, "simd", _BINARY, "i64x2.sub"),
    (0x2D5, _I.NONE, "simd", _BINARY, _of("i64x2", "mul eq ne lt_s gt_s le_s ge_s")),
    (0x2DC, _I.NONE, "simd", _BINARY, _of("i64x2", "extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u")),
    (0x2E0, _I.NONE, "simd", _UNARY, "f32x4.abs f32x4.neg"),
    (0x2E3, _I.NONE, "simd", _UNARY, "f32x4.sqrt"),
    (0x2E4, _I.NONE, "simd", _BINARY, _of("f32x4", _VECTOR_FLOAT_BINARY)),
    (0x2EC, _I.NONE, "simd", _UNARY, "f64x2.abs f64x2.neg"),
    (0x2EF, _I.NONE, "simd", _UNARY, "f64x2.sqrt"),
    (0x2F0, _I.NONE, "simd", _BINARY, _of("f64x2", _VECTOR_FLOAT_BINARY)),
    (0x2F8, _I.NONE, "simd", _UNARY, "i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u"),
    (0x2FC, _I.NONE, "simd", _UNARY, "i32x4.trunc_sat_f64x2_s_zero i32x4.trunc_sat_f64x2_u_zero"),
    (0x2FE, _I.NONE, "simd", _UNARY, "f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u"),
    (0x300, _I.NONE, "relaxed_simd", _BINARY, "i8x16.relaxed_swizzle"),
    (0x301, _I.NONE, "relaxed_simd", _UNARY, "i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u"),
    (0x303, _I.NONE, "relaxed_simd", _UNARY, "i32x4.relaxed_trunc_f64x2_s_zero i32x4.relaxed_trunc_f64x2_u_zero"),
    (0x305, _I.NONE, "relaxed_simd", _TERNARY, "f32x4.relaxed_madd f32x4.relaxed_nmadd f64x2.relaxed_madd f64x2.relaxed_nmadd"),
    (
        0x309,
        _I.NONE,
        "relaxed_simd",
        _TERNARY,
        "i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect",
    ),
    (0x30D, _I.NONE, "relaxed_simd", _BINARY, "f32x4.relaxed_min f32x4.relaxed_max f64x2.relaxed_min f64x2.relaxed_max"),
    (0x311, _I.NONE, "relaxed_simd", _BINARY, "i16x8.relaxed_q15mulr_s i16x8.relaxed_dot_i8x16_i7x16_s"),
    (0x313, _I.NONE, "relaxed_simd", _TERNARY, "i32x4.relaxed_dot_i8x16_i7x16_add_s"),
)

_OBJECTS: tuple[_Row, ...] = (  # prefix 0xFB
    (0x400, _I.TYPE, "gc", None, "struct.new struct.new_default"),
    (0x402, _I.TYPE_FIELD, "gc", None, "struct.get struct.get_s struct.get_u struct.set"),
    (0x406, _I.TYPE, "gc", None, "array.new array.new_default"),
    (0x408, _I.TYPE_COUNT, "gc", None, "array.new_fixed"),
    (0x409, _I.TYPE_DATA, "gc", None, "array.new_data"),
    (0x40A, _I.TYPE_ELEM, "gc", None, "array.new_elem"),
    (0x40B, _I.TYPE, "gc", None, "array.get array.get_s array.get_u array.set"),
    (0x40F, _I.NONE, "gc", None, "array.len"),
    (0x410, _I.TYPE, "gc", None, "array.fill"),
    (0x411, _I.TYPE_TYPE, "gc", None, "array.copy"),
    (0x412, _I.TYPE_DATA, "gc", None, "array.init_data"),
    (0x413, _I.TYPE_ELEM, "gc", None, "array.init_elem"),
    (0x414, _I.HEAP_TYPE, "gc", None, "ref.test ref.test_null ref.cast ref.cast_null"),
    (0x418, _I.CAST, "gc", None, "br_on_cast br_on_cast_fail"),
    (0x41A, _I.NONE, "gc", None, "any.convert_extern extern.convert_any ref.i31 i31.get_s i31.get_u"),
)

_ATOMIC_TYPES: Final = ("i32", "i64", "i32", "i32", "i64", "i64", "i64")


def _atomic_rows(first: int, signature: str, names: str) -> tuple[_Row, ...]:
    rows = zip(_ATOMIC_TYPES, names.split())
    return tuple((first + n, _I.MEMORY_ACCESS, "threads", signature.replace("T", t), name) for n, (t, name) in enumerate(rows))


_ATOMIC: tuple[_Row, ...] = (  # prefix 0xFE
    (0x600, _I.MEMORY_ACCESS, "threads", "address i32 -> i32", "memory.atomic.notify:2"),
    (0x601, _I.MEMORY_ACCESS, "threads", "address i32 i64 -> i32", "memory.atomic.wait32:2"),
    (0x602, _I.MEMORY_ACCESS, "threads", "address i64 i64 -> i32", "memory.atomic.wait64:3"),
    (0x603, _I.ZERO_BYTE, "threads", None, "atomic.fence"),
    *_atomic_rows(
        0x610,
        "address -> T",
        "i32.atomic.load:2 i64.atomic.load:3 i32.atomic.load8_u:0 i32.atomic.load16_u:1 "
        "i64.atomic.load8_u:0 i64.atomic.load16_u:1 i64.atomic.load32_u:2",
    ),
    *_atomic_rows(
        0x617,
        "address T ->",
        "i32.atomic.store:2 i64.atomic.store:3 i32.atomic.store8:0 i32.atomic.store16:1 "
        "i64.atomic.store8:0 i64.atomic.store16:1 i64.atomic.store32:2",
    ),
    *_atomic_rows(0x61E, "address T -> T", _atomic("add")),
    *_atomic_rows(0x625, "address T -> T", _atomic("sub")),
    *_atomic_rows(0x62C, "address T -> T", _atomic("and")),
    *_atomic_rows(0x633, "address T -> T", _atomic("or")),
    *_atomic_rows(0x63A, "address T -> T", _atomic("xor")),
    *_atomic_rows(0x641, "address T -> T", _atomic("xchg")),
    *_atomic_rows(0x648, "address T T -> T", _atomic("cmpxchg")),
)


def _types(text: str) -> tuple[int, ...]:
    return tuple(_TYPES[name] for name in text.split())


def _opcodes(rows: tuple[_Row, ...]) -> dict[int, Opcode]:
    result: dict[int, Opcode] = {}
    for first, immediates, feature, signature, names in rows:
        params: tuple[int, ...] | None = None
        results: tuple[int, ...] | None = None
        if signature is not None:
            before, after = signature.split("->")
            params, results = _types(before), _types(after)
        code = first
        for full_name in names.split():
            name, _, alignment = full_name.partition(":")
            result[code] = Opcode(code, name, immediates, feature, params, results, int(alignment or 0))
            code += 1
    return result


OPCODES: Final = _opcodes(
    (*_BASE, *_MEMORY, *_NUMERIC, *_MISCELLANEOUS, *_VECTOR_MEMORY, *_VECTOR, *_OBJECTS, *_ATOMIC),
)
"""All instructions by code."""

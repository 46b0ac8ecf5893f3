"""The table of vector instructions, and which encoding each vector record has. The records: `wasmcore_singlepass.records`.

Instructions are numbered as in the stream, less 0x200.
"""

from __future__ import annotations

from wasmcore_x86_64._native import append, i64, vec
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import CONTEXT_REGISTER, OVERFLOW_OFFSET, OVERFLOW_SLOT, SCRATCH
from wasmcore_x86_64.singlepass.vector_shuffles import VectorShuffles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

VECTOR_CONSTANT: Final = 70
VECTOR_LOAD_SLOT: Final = 71
VECTOR_STORE_SLOT: Final = 72
VECTOR_LOAD_CONTEXT: Final = 73
VECTOR_STORE_CONTEXT: Final = 74
VECTOR_LOAD_OVERFLOW: Final = 75
VECTOR_STORE_OVERFLOW: Final = 76
VECTOR_LOAD: Final = 77
VECTOR_STORE: Final = 78
VECTOR_LOAD_LANE: Final = 79
VECTOR_STORE_LANE: Final = 80
VECTOR_UNARY: Final = 81
VECTOR_BINARY: Final = 82
VECTOR_TERNARY: Final = 83
VECTOR_SHIFT: Final = 84
VECTOR_SHIFT_CONSTANT: Final = 85
VECTOR_TO_INTEGER: Final = 86
VECTOR_FROM_INTEGER: Final = 87
VECTOR_REPLACE: Final = 88
VECTOR_SHUFFLE: Final = 89

_ABSOLUTE: Final = 32
_KIND_MASK: Final = 31

# Forms: what becomes of the instruction of the table, and what its parameter is.
COMMUTATIVE: Final = 1
ORDERED: Final = 2
SINGLE: Final = 3
SWAPPED: Final = 4
ORDERED_WITH: Final = 5
"""Parameter: `imm8`, as in the next two."""
SWAPPED_WITH: Final = 6
SINGLE_WITH: Final = 7
INVERTED: Final = 8
"""Not (a op b)."""
BOUND: Final = 9
"""(a op b) == a; parameter: opcode of the comparison."""
BOUND_INVERTED: Final = 10
NEGATION: Final = 11
"""0 - a."""
WITH_CONSTANT: Final = 12
"""a op constant; parameter: index into `_CONSTANTS`."""
HIGH: Final = 13
"""op (upper half of a)."""
PRODUCT_8: Final = 14
"""Parameter: 1 for the upper halves."""
PRODUCT_16: Final = 15
"""Parameter: opcode of the instruction that puts the halves of the products together."""
PRODUCT_32: Final = 16
"""Parameter: order that puts the lanes of a half where they are multiplied."""
MINIMUM: Final = 17
"""Parameter: 1 for f64, as in the next."""
MAXIMUM: Final = 18
PRODUCT_SUM: Final = 19
"""Parameter: bit 0 f64, bit 1 negated."""
SELECTION: Final = 20
PECULIAR: Final = 21
"""A method of its own."""

_PARAMETER_SHIFT: Final = 40
_FORM_SHIFT: Final = 32
_INSTRUCTION_MASK: Final = 0xFFFFFFFF

_CONSTANTS: Final = [
    *(0x7FFFFFFF7FFFFFFF, ~0x7FFFFFFF7FFFFFFF),  # f32: all but the sign; the sign
    *(0x7FFFFFFFFFFFFFFF, ~0x7FFFFFFFFFFFFFFF),  # f64
    *(0x0101010101010101, 0x0001000100010001),  # factors for sums
]

_Row = tuple[int, int, int]
"""Form, instruction, parameter."""


def _comparisons(
    equal: int, greater: int, least: int, least_unsigned: int, greatest: int, greatest_unsigned: int
) -> list[_Row]:  # fmt: skip
    """eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u."""
    opcode = equal & 255
    return [
        (COMMUTATIVE, equal, 0),
        (INVERTED, equal, 0),
        (SWAPPED, greater, 0),
        (BOUND_INVERTED, greatest_unsigned, opcode),
        (ORDERED, greater, 0),
        (BOUND_INVERTED, least_unsigned, opcode),
        (BOUND, least, opcode),
        (BOUND, least_unsigned, opcode),
        (BOUND, greatest, opcode),
        (BOUND, greatest_unsigned, opcode),
    ]


def _float_comparisons(compare: int) -> list[_Row]:
    """eq ne lt gt le ge."""
    orders = ((ORDERED_WITH, 0), (ORDERED_WITH, 4), (ORDERED_WITH, 1), (SWAPPED_WITH, 1), (ORDERED_WITH, 2), (SWAPPED_WITH, 2))
    return [(form, compare, predicate) for form, predicate in orders]


def _float_arithmetic(double: int) -> list[_Row]:
    """add sub mul div min max pmin pmax."""
    prefix = 0x660000 * double
    return [
        *((COMMUTATIVE, prefix | v.ADDPS, 0), (ORDERED, prefix | v.SUBPS, 0)),
        *((COMMUTATIVE, prefix | v.MULPS, 0), (ORDERED, prefix | v.DIVPS, 0)),
        *((MINIMUM, 0, double), (MAXIMUM, 0, double)),
        *((SWAPPED, prefix | v.MINPS, 0), (SWAPPED, prefix | v.MAXPS, 0)),
    ]


def _extensions(signed: int, unsigned: int) -> list[_Row]:
    """extend_low_s extend_high_s extend_low_u extend_high_u."""
    return [(SINGLE, signed, 0), (HIGH, signed, 0), (SINGLE, unsigned, 0), (HIGH, unsigned, 0)]


def _products(form: int, signed: int, unsigned: int, low: int, high: int) -> list[_Row]:
    """extmul_low_s extmul_high_s extmul_low_u extmul_high_u."""
    return [(form, signed, low), (form, signed, high), (form, unsigned, low), (form, unsigned, high)]


def _each(form: int, *instructions: int) -> list[_Row]:
    return [(form, instruction, 0) for instruction in instructions]


_PECULIAR: Final[list[_Row]] = [(PECULIAR, 0, 0)]

# Number of the first, then one row for each number from there.
_TABLE: Final = [
    (0x0E, _PECULIAR),  # swizzle
    (0x13, [(SINGLE_WITH, v.PSHUFD, 0), (SINGLE, v.MOVDDUP, 0)]),  # f32x4.splat f64x2.splat
    (0x1F, _PECULIAR * 4),  # extract_lane and replace_lane of floats
    (0x23, _comparisons(v.PCMPEQB, v.PCMPGTB, v.PMINSB, v.PMINUB, v.PMAXSB, v.PMAXUB)),
    (0x2D, _comparisons(v.PCMPEQW, v.PCMPGTW, v.PMINSW, v.PMINUW, v.PMAXSW, v.PMAXUW)),
    (0x37, _comparisons(v.PCMPEQD, v.PCMPGTD, v.PMINSD, v.PMINUD, v.PMAXSD, v.PMAXUD)),
    (0x41, _float_comparisons(v.CMPPS)),
    (0x47, _float_comparisons(v.CMPPD)),
    (0x4D, [*_PECULIAR, (COMMUTATIVE, v.PAND, 0), (SWAPPED, v.PANDN, 0), (COMMUTATIVE, v.POR, 0), (COMMUTATIVE, v.PXOR, 0)]),
    (0x52, [(SELECTION, 0, 0)]),
    (0x5E, [*_each(SINGLE, v.CVTPD2PS, v.CVTPS2PD, v.PABSB), (NEGATION, v.PSUBB, 0), *_PECULIAR]),  # the last: popcnt
    (0x65, _each(ORDERED, v.PACKSSWB, v.PACKUSWB)),
    (0x67, [(SINGLE_WITH, v.ROUNDPS, 10), (SINGLE_WITH, v.ROUNDPS, 9), (SINGLE_WITH, v.ROUNDPS, 11), (SINGLE_WITH, v.ROUNDPS, 8)]),
    (0x6E, _each(COMMUTATIVE, v.PADDB, v.PADDSB, v.PADDUSB)),
    (0x71, _each(ORDERED, v.PSUBB, v.PSUBSB, v.PSUBUSB)),
    (0x74, [(SINGLE_WITH, v.ROUNDPD, 10), (SINGLE_WITH, v.ROUNDPD, 9)]),
    (0x76, _each(COMMUTATIVE, v.PMINSB, v.PMINUB, v.PMAXSB, v.PMAXUB)),
    (0x7A, [(SINGLE_WITH, v.ROUNDPD, 11), (COMMUTATIVE, v.PAVGB, 0)]),
    (0x7C, [*_PECULIAR, (WITH_CONSTANT, v.PMADDUBSW, 4), (WITH_CONSTANT, v.PMADDWD, 5), *_PECULIAR]),  # extadd_pairwise
    (0x80, [(SINGLE, v.PABSW, 0), (NEGATION, v.PSUBW, 0), *_PECULIAR]),  # the last: q15mulr_sat
    (0x85, _each(ORDERED, v.PACKSSDW, v.PACKUSDW)),
    (0x87, _extensions(v.PMOVSXBW, v.PMOVZXBW)),
    (0x8E, _each(COMMUTATIVE, v.PADDW, v.PADDSW, v.PADDUSW)),
    (0x91, _each(ORDERED, v.PSUBW, v.PSUBSW, v.PSUBUSW)),
    (0x94, [(SINGLE_WITH, v.ROUNDPD, 8)]),
    (0x95, _each(COMMUTATIVE, v.PMULLW, v.PMINSW, v.PMINUW, v.PMAXSW, v.PMAXUW)),
    (0x9B, [(COMMUTATIVE, v.PAVGW, 0), *_products(PRODUCT_8, v.PMOVSXBW, v.PMOVZXBW, 0, 1)]),
    (0xA0, [(SINGLE, v.PABSD, 0), (NEGATION, v.PSUBD, 0)]),
    (0xA7, _extensions(v.PMOVSXWD, v.PMOVZXWD)),
    (0xAE, [(COMMUTATIVE, v.PADDD, 0)]),
    (0xB1, [(ORDERED, v.PSUBD, 0)]),
    (0xB5, _each(COMMUTATIVE, v.PMULLD, v.PMINSD, v.PMINUD, v.PMAXSD, v.PMAXUD, v.PMADDWD)),
    (0xBC, _products(PRODUCT_16, v.PMULHW, v.PMULHUW, 0x61, 0x69)),
    (0xC0, [*_PECULIAR, (NEGATION, v.PSUBQ, 0)]),
    (0xC7, _extensions(v.PMOVSXDQ, v.PMOVZXDQ)),
    (0xCE, [(COMMUTATIVE, v.PADDQ, 0)]),
    (0xD1, [(ORDERED, v.PSUBQ, 0)]),
    (0xD5, [*_PECULIAR, (COMMUTATIVE, v.PCMPEQQ, 0), (INVERTED, v.PCMPEQQ, 0), *_PECULIAR * 4]),
    (0xDC, _products(PRODUCT_32, v.PMULDQ, v.PMULUDQ, 0x50, 0xFA)),
    (0xE0, [(WITH_CONSTANT, v.PAND, 0), (WITH_CONSTANT, v.PXOR, 1)]),
    (0xE3, [(SINGLE, v.SQRTPS, 0), *_float_arithmetic(0)]),
    (0xEC, [(WITH_CONSTANT, v.PAND, 2), (WITH_CONSTANT, v.PXOR, 3)]),
    (0xEF, [(SINGLE, v.SQRTPD, 0), *_float_arithmetic(1)]),
    (0xF8, [*_PECULIAR * 2, (SINGLE, v.CVTDQ2PS, 0), *_PECULIAR * 3, (SINGLE, v.CVTDQ2PD, 0), *_PECULIAR]),
    (0x100, [(ORDERED, v.PSHUFB, 0)]),
    (0x101, [(SINGLE, v.CVTTPS2DQ, 0), *_PECULIAR, (SINGLE, v.CVTTPD2DQ, 0), *_PECULIAR]),
    (0x105, [(PRODUCT_SUM, 0, parameter) for parameter in (0, 2, 1, 3)]),
    (0x109, [(SELECTION, 0, 0)] * 4),
    (0x10D, _each(ORDERED, v.MINPS, v.MAXPS, v.MINPD, v.MAXPD)),
    (0x111, [(COMMUTATIVE, v.PMULHRSW, 0), (SWAPPED, v.PMADDUBSW, 0), *_PECULIAR]),  # the last: dot_add
]


def _entries() -> vec[i64]:
    """The table as numbers: instruction, form and parameter together."""
    numbers = [0] * 0x120
    for first, rows in _TABLE:
        for number, (form, instruction, parameter) in enumerate(rows, first):
            assert numbers[number] == 0
            numbers[number] = instruction | form << _FORM_SHIFT | parameter << _PARAMETER_SHIFT
    result: vec[i64] = vec[i64]()
    for entry in numbers:
        result = append(result, i64(entry))
    return result


_ENTRIES: Final = _entries()


class VectorEncoder(VectorShuffles):
    """Vector records."""

    def vector_record(
        self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, constant: i64, high: i64
    ) -> None:  # fmt: skip
        """Operations from VECTOR_CONSTANT to VECTOR_SHUFFLE; `high` is the second extension word."""
        if operation < VECTOR_UNARY:
            if operation < VECTOR_LOAD:
                self.vector_place(operation, d, a, immediate, constant, high)
            elif operation == VECTOR_LOAD:
                self.vector_load(size & _KIND_MASK, d, size & _ABSOLUTE, a, constant)
            elif operation == VECTOR_STORE:
                self.access(x.MOVUPS_STORE, 0, b, size & _ABSOLUTE, a, constant)
            elif operation == VECTOR_LOAD_LANE:
                self.vector_load_lane(size & _KIND_MASK, d, size & _ABSOLUTE, a, b, constant, immediate)
            else:
                self.vector_store_lane(size & _KIND_MASK, size & _ABSOLUTE, a, b, constant, immediate)
            return
        number = immediate & 0x1FF
        if operation <= VECTOR_TERNARY:
            self.vector_arithmetic(number, d, a, b, immediate)
            return
        lane = (immediate >> 24) & 255
        if operation == VECTOR_TO_INTEGER:
            self.vector_to_integer(number, d, a, lane)
        elif operation == VECTOR_SHIFT_CONSTANT:
            self.shift_vector_constant(number, d, a, lane)
        elif operation == VECTOR_FROM_INTEGER:
            self.vector_from_integer(number, d, a)
        elif operation == VECTOR_REPLACE:
            self.vector_replace(number, d, a, b, lane)
        elif operation == VECTOR_SHUFFLE:
            self.shuffle(d, a, b, constant, high)
        else:
            self.shift_vector(number, d, a, b, (immediate >> 14) & 31)

    def vector_place(self, operation: i64, d: i64, a: i64, immediate: i64, constant: i64, high: i64) -> None:
        """Constants, slots, the context, the overflow area."""
        if operation == VECTOR_LOAD_SLOT:
            self.reg_mem(x.MOVAPS, 0, d, x.RBP, self.slot(immediate))
        elif operation == VECTOR_STORE_SLOT:
            self.reg_mem(x.MOVAPS_STORE, 0, a, x.RBP, self.slot(immediate))
        elif operation == VECTOR_CONSTANT:
            self.vector_constant(d, constant, high)
        elif operation == VECTOR_LOAD_CONTEXT:
            self.reg_mem(x.MOVUPS, 0, d, CONTEXT_REGISTER, immediate)
        elif operation == VECTOR_STORE_CONTEXT:
            self.reg_mem(x.MOVUPS_STORE, 0, a, CONTEXT_REGISTER, immediate)
        else:
            self.load(SCRATCH, CONTEXT_REGISTER, 0)
            offset = OVERFLOW_OFFSET + OVERFLOW_SLOT * immediate
            if operation == VECTOR_LOAD_OVERFLOW:
                self.reg_mem(x.MOVUPS, 0, d, SCRATCH, offset)
            else:
                self.reg_mem(x.MOVUPS_STORE, 0, a, SCRATCH, offset)

    def vector_arithmetic(self, number: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """d = op(a, b, c), by the table."""
        entry = _ENTRIES[number]
        instruction = entry & _INSTRUCTION_MASK
        form = (entry >> _FORM_SHIFT) & 255
        parameter = entry >> _PARAMETER_SHIFT
        if form == COMMUTATIVE:
            self.commutative(instruction, d, a, b)
        elif form == ORDERED:
            self.vector(instruction, d, a, b)
        elif form == SINGLE:
            self.reg_reg(instruction, 0, d, a)
        elif form == SWAPPED:
            self.vector(instruction, d, b, a)
        elif form == ORDERED_WITH:
            self.vector(instruction, d, a, b)
            self.imm8(parameter)
        elif form == SWAPPED_WITH:
            self.vector(instruction, d, b, a)
            self.imm8(parameter)
        elif form == SINGLE_WITH:
            self.reg_reg(instruction, 0, d, a)
            self.imm8(parameter)
        elif form <= HIGH:
            self.vector_derived(form, instruction, parameter, d, a, b)
        elif form == PECULIAR:
            self.vector_peculiar(number, d, a, b, immediate)
        else:
            self.vector_composed(form, instruction, parameter, d, a, b, (immediate >> 9) & 31)

    def vector_derived(self, form: i64, instruction: i64, parameter: i64, d: i64, a: i64, b: i64) -> None:
        """Forms from INVERTED to HIGH."""
        if form == INVERTED:
            self.commutative(instruction, d, a, b)
            self.invert(d, d)
        elif form == WITH_CONSTANT:
            word = i64(_CONSTANTS[parameter])
            self.vector_with(instruction, d, a, word, word)
        elif form == NEGATION:
            self.negate(instruction, d, a)
        elif form == HIGH:
            self.extend_high(instruction, d, a)
        else:
            self.bounded(instruction, 0x660100 | parameter, d, a, b)
            if form == BOUND_INVERTED:
                self.invert(d, d)

    def vector_composed(self, form: i64, instruction: i64, parameter: i64, d: i64, a: i64, b: i64, c: i64) -> None:
        """Forms from PRODUCT_8 to SELECTION."""
        if form == SELECTION:
            self.bitselect(d, a, b, c)
        elif form == PRODUCT_SUM:
            self.multiply_add(parameter & 1, parameter & 2, d, a, b, c)
        elif form == MINIMUM:
            self.minimum_lanes(parameter, d, a, b)
        elif form == MAXIMUM:
            self.maximum_lanes(parameter, d, a, b)
        elif form == PRODUCT_8:
            self.extended_product8(instruction, parameter, d, a, b)
        elif form == PRODUCT_16:
            self.extended_product16(instruction, 0x660100 | parameter, d, a, b)
        else:
            self.extended_product32(instruction, parameter, d, a, b)

    def vector_peculiar(self, number: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """Instructions with methods of their own."""
        t = (immediate >> 14) & 31
        lane = (immediate >> 24) & 255
        if number < 0x60:
            if number == 0x0E:
                self.swizzle(d, a, b)
            elif number == 0x4D:
                self.invert(d, a)
            elif number & 1:  # 0x1F, 0x21: extract_lane; 0x20, 0x22: replace_lane
                self.extract_float((number - 0x1F) >> 1, d, a, lane)
            else:
                self.replace_float((number - 0x20) >> 1, d, a, b, lane)
        elif number < 0xD5:
            if number == 0x62:
                self.count_ones8(d, a, t)
            elif number == 0x7C:
                self.add_pairs8_signed(d, a)
            elif number == 0x7F:
                self.add_pairs16_unsigned(d, a)
            elif number == 0x82:
                self.rounding_product(d, a, b)
            else:
                self.absolute64(d, a)
        elif number < 0xF8:
            if number == 0xD5:
                self.multiply64(d, a, b, t)
            else:
                if number == 0xD8 or number == 0xDB:  # lt_s, ge_s
                    a, b = b, a
                self.greater64(d, a, b, t)
                if number >= 0xDA:
                    self.invert(d, d)
        else:
            self.vector_conversion(number, d, a, b, immediate)

    def vector_conversion(self, number: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """Conversions from 0xF8 on, and the relaxed instructions."""
        if number == 0xF8:
            self.truncate_singles(d, a)
        elif number == 0xFB:
            self.singles_from_unsigned(d, a)
        elif number == 0xFC:
            self.truncate_doubles(d, a)
        elif number == 0xFF:
            self.doubles_from_unsigned(d, a)
        elif number == 0x113:
            self.dot_add(d, a, b, (immediate >> 9) & 31)
        elif number == 0xF9 or number == 0x102:
            self.truncate_singles_unsigned(d, a, (immediate >> 14) & 31)
        else:  # 0xFD, 0x104
            self.truncate_doubles_unsigned(d, a)

"""Encodings of i8x16.shuffle: common shapes by one instruction, all others by two look-ups.

A shuffle is two words, of the low and of the high eight lanes; each of their bytes is the number, 0 to 31, of a byte of both sources.
"""

from __future__ import annotations

from wasmcore_x86_64._native import append, i64, vec
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v
from wasmcore_x86_64.singlepass.frame import FLOAT_SCRATCH
from wasmcore_x86_64.singlepass.vector_lanes import VectorLanes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_FROM_B: Final = 0x1010101010101010
"""The bits that say that a byte comes from the second source."""
_INDICES: Final = 0x0F0F0F0F0F0F0F0F
_ALL_BUT_TOP: Final = 0x0010101010101010
_TOP: Final = 0x1000000000000000
_SIGN: Final = -0x8000000000000000
_ONES_8: Final = 0x0101010101010101
_EIGHT: Final = 0x0808080808080808
_IDENTITY_LOW: Final = 0x0706050403020100
_IDENTITY_HIGH: Final = 0x0F0E0D0C0B0A0908


def _numbers(items: list[int]) -> vec[i64]:
    result: vec[i64] = vec[i64]()
    for item in items:
        result = append(result, i64(item))
    return result


_UNPACK: Final = _numbers(
    [
        *(v.PUNPCKLBW, 0x1303120211011000, 0x1707160615051404),
        *(v.PUNPCKLWD, 0x1312030211100100, 0x1716070615140504),
        *(v.PUNPCKLDQ, 0x1312111003020100, 0x1716151407060504),
        *(v.PUNPCKLQDQ, 0x0706050403020100, 0x1716151413121110),
        *(v.PUNPCKHBW, 0x1B0B1A0A19091808, 0x1F0F1E0E1D0D1C0C),
        *(v.PUNPCKHWD, 0x1B1A0B0A19180908, 0x1F1E0F0E1D1C0D0C),
        *(v.PUNPCKHDQ, 0x1B1A19180B0A0908, 0x1F1E1D1C0F0E0D0C),
        *(v.PUNPCKHQDQ, 0x0F0E0D0C0B0A0908, 0x1F1E1D1C1B1A1918),
    ]
)
"""Instruction and the two words of what it does."""


class VectorShuffles(VectorLanes):
    """i8x16.shuffle."""

    def shuffle(self, d: i64, a: i64, b: i64, low: i64, high: i64) -> None:
        """d = bytes of a and b."""
        if (low | high) & _FROM_B == 0 or a == b:
            self.shuffle_one(d, a, low & _INDICES, high & _INDICES)
        elif low & high & _FROM_B == _FROM_B:
            self.shuffle_one(d, b, low & _INDICES, high & _INDICES)
        elif not (
            self.shuffle_unpack(d, a, b, low, high)
            or self.shuffle_rotate(d, a, b, low, high)
            or self.shuffle_blend(d, a, b, low, high)
            or self.shuffle_lanes32(d, a, b, low, high)
        ):
            self.vector_with(v.PSHUFB, FLOAT_SCRATCH, a, _look_up(low), _look_up(high))
            self.vector_with(v.PSHUFB, d, b, _look_up(low ^ _FROM_B), _look_up(high ^ _FROM_B))
            self.commutative(v.POR, d, d, FLOAT_SCRATCH)

    def shuffle_one(self, d: i64, a: i64, low: i64, high: i64) -> None:
        """d = bytes of a."""
        order = _lanes32(low, high)
        if low == _IDENTITY_LOW and high == _IDENTITY_HIGH:
            self.copy_float(d, a)
        elif order >= 0:
            self.shuffle_words32(d, a, (order & 3) | ((order >> 2) & 12) | ((order >> 4) & 48) | ((order >> 6) & 192))
        elif low == 0 and high == 0 and self.has_avx2:
            self.reg_reg(v.VPBROADCASTB | x.VEX, 0, d, a)
        elif self.has_avx2 and low == 0x0100010001000100 and high == low:
            self.reg_reg(v.VPBROADCASTW | x.VEX, 0, d, a)
        elif not self.shuffle_rotate_one(d, a, low, high):
            self.vector_with(v.PSHUFB, d, a, low, high)

    def shuffle_rotate_one(self, d: i64, a: i64, low: i64, high: i64) -> bool:
        """Bytes rotated."""
        first = low & 15
        if low != (_IDENTITY_LOW + first * _ONES_8) & _INDICES or high != low ^ _EIGHT:
            return False
        self.vector(v.PALIGNR, d, a, a)
        self.imm8(first)
        return True

    def shuffle_rotate(self, d: i64, a: i64, b: i64, low: i64, high: i64) -> bool:
        """Sixteen neighbouring bytes of one source behind the other."""
        first = low & 31
        if low != (_IDENTITY_LOW + first * _ONES_8) & 0x1F1F1F1F1F1F1F1F or high != (low + _EIGHT) & 0x1F1F1F1F1F1F1F1F:
            return False
        if first < 16:
            self.vector(v.PALIGNR, d, b, a)
        else:
            self.vector(v.PALIGNR, d, a, b)
        self.imm8(first & 15)
        return True

    def shuffle_unpack(self, d: i64, a: i64, b: i64, low: i64, high: i64) -> bool:
        """Lanes of halves of both in turn."""
        swapped = low & 16
        if swapped:
            a, b = b, a
            low ^= _FROM_B
            high ^= _FROM_B
        i: i64 = 0
        while i < 24:
            if low == _UNPACK[i + 1] and high == _UNPACK[i + 2]:
                self.vector(_UNPACK[i], d, a, b)
                return True
            i += 3
        return False

    def shuffle_blend(self, d: i64, a: i64, b: i64, low: i64, high: i64) -> bool:
        """Every byte at its place: whole 16-bit lanes from one of both, or with AVX any bytes."""
        if low & _INDICES != _IDENTITY_LOW or high & _INDICES != _IDENTITY_HIGH:
            return False
        choice: i64 = 0
        i: i64 = 0
        whole = True
        while i < 8:
            word = low if i < 4 else high
            pair = (word >> (16 * (i & 3))) & 0x1010
            if pair == 0x1010:
                choice |= _bit(i)
            elif pair:
                whole = False
            i += 1
        if whole:
            self.vector(v.PBLENDW, d, a, b)
            self.imm8(choice)
            return True
        if not self.has_avx:
            return False
        self.vector_constant(FLOAT_SCRATCH, _look_up(low), _look_up(high))
        self.vector(v.VPBLENDVB, d, a, b)
        self.imm8(FLOAT_SCRATCH << 4)
        return True

    def shuffle_lanes32(self, d: i64, a: i64, b: i64, low: i64, high: i64) -> bool:
        """Two 32-bit lanes of one source, two of the other."""
        order = _lanes32(low, high)
        if order < 0 or (order ^ (order >> 4)) & 0x0404 or (order ^ (order >> 8)) & 4 == 0:
            return False
        if order & 4:
            a, b = b, a
        self.vector(v.SHUFPS, d, a, b)
        self.imm8((order & 3) | ((order >> 2) & 12) | ((order >> 4) & 48) | ((order >> 6) & 192))
        return True


def _lanes32(low: i64, high: i64) -> i64:
    """The shuffle as four 32-bit lanes, four bits each; -1 if it is none of 32-bit lanes."""
    if (low & 0x0303030303030303) != 0x0302010003020100 or (high & 0x0303030303030303) != 0x0302010003020100:
        return -1
    low = (low >> 2) & 0x0707070707070707
    high = (high >> 2) & 0x0707070707070707
    first = low & 7
    second = (low >> 32) & 7
    third = high & 7
    fourth = (high >> 32) & 7
    if low != first * 0x01010101 + second * 0x0101010100000000 or high != third * 0x01010101 + fourth * 0x0101010100000000:
        return -1
    return first | (second << 4) | (third << 8) | (fourth << 12)


def _look_up(word: i64) -> i64:
    """Indices for `pshufb` that give 0 for bytes of the second source."""
    other = word & _FROM_B
    result = (word & _INDICES) | ((other & _ALL_BUT_TOP) << 3)
    if other & _TOP:
        result |= _SIGN
    return result


def _bit(number: i64) -> i64:
    one: i64 = 1
    return one << number

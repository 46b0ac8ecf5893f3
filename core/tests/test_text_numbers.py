"""Numbers of the text format against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from struct import pack, unpack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wasmcore.errors import TextError
from wasmcore.text.module import TextReader
from wasmcore.text.numbers import float_bits

BIT_PATTERNS = {32: st.integers(0, 2**32 - 1), 64: st.integers(0, 2**64 - 1)}


def value_of(pattern: int, bits: int) -> Fraction:
    """The exact value of a finite float."""
    fraction_bits, bias = (23, 127) if bits == 32 else (52, 1023)
    exponent = pattern >> fraction_bits & (0xFF if bits == 32 else 0x7FF)
    fraction = pattern & (1 << fraction_bits) - 1
    mantissa = fraction | (1 << fraction_bits if exponent else 0)
    scale = max(exponent, 1) - bias - fraction_bits
    return (-1 if pattern >> bits - 1 else 1) * Fraction(mantissa) * Fraction(2) ** scale


def rounded(value: Fraction, bits: int) -> int | None:
    """The nearest float to a value that is not negative, ties to even, by searching for it."""
    infinity = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    low, high = 0, infinity
    while low < high:  # the largest float that is not above the value; infinity counts as the next power of two
        middle = (low + high + 1) // 2
        if value_of(middle, bits) <= value:
            low = middle
        else:
            high = middle - 1
    below, above = value_of(low, bits), value_of(low + 1, bits)
    up = value - below > above - value or (value - below == above - value and low & 1)
    result = low + 1 if up and low < infinity else low
    return result if result < infinity else None


def decimal_text(value: Fraction) -> str:
    """All digits of a value whose denominator is a power of two."""
    digits = max(value.denominator.bit_length() - 1, 0)
    scaled = value * 10**digits
    assert scaled.denominator == 1
    text = str(scaled.numerator).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]}" if digits else text


@pytest.mark.parametrize("bits", [32, 64])
@given(data=st.data())
def test_written_in_any_way(bits: int, data: st.DataObject) -> None:
    pattern = data.draw(BIT_PATTERNS[bits])
    form = "<f" if bits == 32 else "<d"
    value = float(unpack(form, pack("<I" if bits == 32 else "<Q", pattern))[0])
    if value != value:
        fraction = pattern & ((1 << 23) - 1 if bits == 32 else (1 << 52) - 1)
        text = f"{'-' if pattern >> bits - 1 else ''}nan:0x{fraction:x}"
    else:
        text = data.draw(st.sampled_from([repr(value), value.hex(), f"{value:.30e}"])).replace("+", "")
    assert float_bits(text.encode(), bits) == pattern


@pytest.mark.parametrize("bits", [32, 64])
@given(data=st.data())
def test_half_way_and_beside(bits: int, data: st.DataObject) -> None:
    """Exactly half way between two floats, and a little above and below: as decimals and as hexadecimals."""
    infinity = 0x7F800000 if bits == 32 else 0x7FF0000000000000
    pattern = data.draw(st.one_of(st.integers(0, infinity - 1), st.integers(0, 4), st.integers(infinity - 3, infinity - 1)))
    middle = (value_of(pattern, bits) + value_of(pattern + 1, bits)) / 2
    if bits == 64 and middle.denominator.bit_length() > 300:
        return  # a thousand digits take the test long, not the parser
    away = data.draw(st.sampled_from([0, 1, -1]))
    value = middle + away * middle * Fraction(1, 1 << data.draw(st.sampled_from([30, 60, 120, 200])))
    expected = rounded(value, bits)
    assert float_bits(decimal_text(value).encode(), bits) == expected
    shift = value.denominator.bit_length() - 1
    assert float_bits(f"0x{value.numerator:x}p-{shift}".encode(), bits) == expected


@given(st.integers(0, 10**45), st.integers(-70, 60), st.sampled_from([32, 64]))
@example(16777217, 0, 32)
@example(0, 5, 32)
@example(10**45, 60, 32)
def test_decimals(digits: int, exponent: int, bits: int) -> None:
    value = Fraction(digits) * Fraction(10) ** exponent
    assert float_bits(f"{digits}e{exponent}".encode(), bits) == rounded(value, bits)
    assert float_bits(f"-{digits}.0E{exponent:+}".encode(), bits) == (None if (m := rounded(value, bits)) is None else m | 1 << bits - 1)


@given(st.integers(0, 2**130), st.integers(-1300, 1100), st.integers(0, 12), st.sampled_from([32, 64]))
def test_hexadecimals(mantissa: int, exponent: int, point: int, bits: int) -> None:
    digits = f"{mantissa:x}".rjust(point + 1, "0")
    text = f"{digits[: len(digits) - point]}.{digits[len(digits) - point :]}p{exponent}"
    value = Fraction(mantissa) * Fraction(2) ** (exponent - 4 * point)
    assert float_bits(b"0x" + text.encode(), bits) == rounded(value, bits)


@pytest.mark.parametrize(
    ("text", "single", "double"),
    [
        ("0", 0, 0),
        ("-0", 0x80000000, 0x8000000000000000),
        ("-0x0p-99999999999999999999", 0x80000000, 0x8000000000000000),
        ("1_0.2_5e0_1", 0x42CD0000, 0x4059A00000000000),
        ("0xA_b.c_dp1_0", 0x482BCD00, 0x410579A000000000),
        ("inf", 0x7F800000, 0x7FF0000000000000),
        ("-nan", 0xFFC00000, 0xFFF8000000000000),
        ("nan:0x1", 0x7F800001, 0x7FF0000000000001),
        ("nan:0x7fffff", 0x7FFFFFFF, 0x7FF00000007FFFFF),
        ("nan:0x800000", None, 0x7FF0000000800000),
        ("nan:0x10000000000000", None, None),
        ("nan:0x0", None, None),
        ("nan:0x1" + "0" * 99, None, None),
        ("1e99999999999999999999", None, None),
        ("0x1p99999999999999999999", None, None),
        ("1e-99999999999999999999", 0, 0),
        ("0x1p-99999999999999999999", 0, 0),
        ("0x1.fffffefffffffffffp127", 0x7F7FFFFF, 0x47EFFFFFF0000000),
        ("0x1.ffffffp127", None, 0x47EFFFFFF0000000),
        ("340282356779733661637539395458142568447.9999", 0x7F7FFFFF, 0x47EFFFFFF0000000),
        ("340282356779733661637539395458142568448", None, 0x47EFFFFFF0000000),
        ("0x1p-150", 0, 0x3690000000000000),
        ("0x1.00000000001p-150", 1, 0x3690000000000100),
    ],
)
def test_corners(text: str, single: int | None, double: int | None) -> None:
    assert float_bits(text.encode(), 32) == single
    assert float_bits(text.encode(), 64) == double


@given(st.integers(-(2**70), 2**70), st.sampled_from([8, 16, 32, 64]), st.sampled_from(["{:d}", "{:_}", "{:+d}", "{:#x}", "{:#_x}"]))
@example(2**63, 64, "{:d}")
@example(-(2**63), 64, "{:#x}")
@example(-(2**63) - 1, 64, "{:d}")
@example(2**64 - 1, 64, "{:_}")
@example(2**64, 64, "{:#x}")
@example(-(2**31), 32, "{:d}")
@example(-(2**31) - 1, 32, "{:d}")
@example(2**32, 32, "{:d}")
def test_integers(value: int, bits: int, form: str) -> None:
    reader = TextReader(form.format(value))
    if -(1 << bits - 1) <= value < 1 << bits:
        assert reader.integer(bits) == value & (1 << bits) - 1
    else:
        with pytest.raises(TextError, match="constant out of range"):
            reader.integer(bits)


def test_integers_of_many_digits() -> None:
    assert TextReader("0" * 100_000 + "7").integer(32) == 7
    assert TextReader("0x" + "0" * 100_000 + "7").integer(64) == 7
    for text in ("9" * 100_000, "0x" + "f" * 100_000, "18446744073709551616"):
        with pytest.raises(TextError, match="constant out of range"):
            TextReader(text).integer(64)

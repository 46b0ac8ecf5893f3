"""What each vector instruction does, by numpy: from arrays of operands, (cases, 16) bytes, to the results that are allowed.

`MODELS` has a function for each instruction without an immediate: it takes the operands and returns a list of alternatives, arrays of
the type of the lanes. A lane of the result has to be equal to the lane of one of them; where it is `ANY_NAN`, any quiet NaN will do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Model = Callable[..., list[Array]]

INTEGERS = {"i8x16": "i1", "i16x8": "i2", "i32x4": "i4", "i64x2": "i8"}
FLOATS = {"f32x4": "f4", "f64x2": "f8"}
HALF = {"i16x8": "i8x16", "i32x4": "i16x8", "i64x2": "i32x4"}
DOUBLE = {half: shape for shape, half in HALF.items()}
MODELS: dict[str, Model] = {}


def unsigned(kind: str) -> str:
    return kind.replace("i", "u")


def wide(array: Array) -> Array:
    """Lanes as numbers that do not overflow."""
    return array.astype(object) if array.dtype.itemsize == 8 else array.astype("i8")


def as_mask(condition: Array, kind: str) -> list[Array]:
    return [np.where(condition, -1, 0).astype(kind)]


def clipped(values: Array, kind: str) -> list[Array]:
    limits = np.iinfo(kind)
    return [np.clip(values, limits.min, limits.max).astype(kind)]


def wrapped(values: Array, kind: str) -> list[Array]:
    bits = 8 * int(kind[1])
    return [(values.astype(object) & ((1 << bits) - 1)).astype(unsigned(kind)).view(kind)]


# Bits


MODELS["v128.not"] = lambda a: [~a]
MODELS["v128.and"] = lambda a, b: [a & b]
MODELS["v128.andnot"] = lambda a, b: [a & ~b]
MODELS["v128.or"] = lambda a, b: [a | b]
MODELS["v128.xor"] = lambda a, b: [a ^ b]
MODELS["v128.bitselect"] = lambda a, b, c: [(a & c) | (b & ~c)]


# Integers


def _integer_models(shape: str, kind: str) -> None:
    other = unsigned(kind)

    def lanes(function: Callable[..., Array], view: str = kind) -> Model:
        return lambda *operands: wrapped(function(*(wide(each.view(view)) for each in operands)), kind)

    def saturating(function: Callable[..., Array], view: str) -> Model:
        return lambda *operands: clipped(function(*(wide(each.view(view)) for each in operands)), view)

    for name, function in {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b}.items():
        MODELS[f"{shape}.{name}"] = lanes(function)
        MODELS[f"{shape}.{name}_sat_s"] = saturating(function, kind)
        MODELS[f"{shape}.{name}_sat_u"] = saturating(function, other)
    MODELS[f"{shape}.neg"] = lanes(lambda a: -a)
    MODELS[f"{shape}.abs"] = lanes(abs)
    for sign, view in (("s", kind), ("u", other)):
        MODELS[f"{shape}.min_{sign}"] = lanes(np.minimum, view)
        MODELS[f"{shape}.max_{sign}"] = lanes(np.maximum, view)
        for name, compare in {"lt": np.less, "gt": np.greater, "le": np.less_equal, "ge": np.greater_equal}.items():
            MODELS[f"{shape}.{name}_{sign}"] = lambda a, b, view=view, compare=compare: as_mask(compare(a.view(view), b.view(view)), kind)
    MODELS[f"{shape}.eq"] = lambda a, b: as_mask(a.view(kind) == b.view(kind), kind)
    MODELS[f"{shape}.ne"] = lambda a, b: as_mask(a.view(kind) != b.view(kind), kind)
    MODELS[f"{shape}.avgr_u"] = lanes(lambda a, b: (a + b + 1) >> 1, other)


for _shape, _kind in INTEGERS.items():
    _integer_models(_shape, _kind)

MODELS["i8x16.popcnt"] = lambda a: [np.bitwise_count(a)] if hasattr(np, "bitwise_count") else [_count(a)]


def _count(a: Array) -> Array:
    return sum((a >> bit) & 1 for bit in range(8)).astype("u1")


def _halves(a: Array) -> tuple[Array, Array]:
    half = a.shape[1] // 2
    return a[:, :half], a[:, half:]


def _extending_models(shape: str, kind: str) -> None:
    narrow = HALF[shape]
    for sign, view in (("s", INTEGERS[narrow]), ("u", unsigned(INTEGERS[narrow]))):
        for which, part in (("low", 0), ("high", 1)):
            MODELS[f"{shape}.extend_{which}_{narrow}_{sign}"] = lambda a, view=view, part=part: wrapped(
                wide(_halves(a.view(view))[part]), kind
            )
            MODELS[f"{shape}.extmul_{which}_{narrow}_{sign}"] = lambda a, b, view=view, part=part: wrapped(
                _halves(a.view(view).astype(object))[part] * _halves(b.view(view).astype(object))[part], kind
            )
        MODELS[f"{shape}.extadd_pairwise_{narrow}_{sign}"] = lambda a, view=view: wrapped(
            wide(a.view(view))[:, ::2] + wide(a.view(view))[:, 1::2], kind
        )
        result = INTEGERS[narrow] if sign == "s" else unsigned(INTEGERS[narrow])
        MODELS[f"{narrow}.narrow_{shape}_{sign}"] = lambda a, b, result=result: clipped(
            np.concatenate([wide(a.view(kind)), wide(b.view(kind))], axis=1), result
        )


for _shape in HALF:
    _extending_models(_shape, INTEGERS[_shape])


def _dot(a: Array, b: Array, left: str, right: str) -> Array:
    products = a.view(left).astype("i8") * b.view(right).astype("i8")
    return products[:, ::2] + products[:, 1::2]


MODELS["i32x4.dot_i16x8_s"] = lambda a, b: wrapped(_dot(a, b, "i2", "i2"), "i4")
MODELS["i16x8.q15mulr_sat_s"] = lambda a, b: clipped((a.view("i2").astype("i8") * b.view("i2") + 0x4000) >> 15, "i2")


def _dot8(a: Array, b: Array) -> list[Array]:
    return wrapped(_dot(a, b, "i1", "i1"), "i2") + clipped(_dot(a, b, "i1", "u1"), "i2") + wrapped(_dot(a, b, "i1", "u1"), "i2")


def _dot8_add(a: Array, b: Array, c: Array) -> list[Array]:
    return [wrapped(wide(sums)[:, ::2] + wide(sums)[:, 1::2] + wide(c.view("i4")), "i4")[0] for sums in _dot8(a, b)]


MODELS["i16x8.relaxed_dot_i8x16_i7x16_s"] = _dot8
MODELS["i32x4.relaxed_dot_i8x16_i7x16_add_s"] = _dot8_add
MODELS["i16x8.relaxed_q15mulr_s"] = lambda a, b: [
    *MODELS["i16x8.q15mulr_sat_s"](a, b),
    *wrapped((a.view("i2").astype("i8") * b.view("i2") + 0x4000) >> 15, "i2"),
]
for _shape in INTEGERS:
    MODELS[f"{_shape}.relaxed_laneselect"] = MODELS["v128.bitselect"]


def _swizzle(a: Array, b: Array) -> list[Array]:
    return [np.where(b < 16, np.take_along_axis(a, (b & 15).astype("i8"), axis=1), 0).astype("u1")]


MODELS["i8x16.swizzle"] = _swizzle
MODELS["i8x16.relaxed_swizzle"] = lambda a, b: [*_swizzle(a, b), np.take_along_axis(a, (b & 15).astype("i8"), axis=1)]


# Floats

_libm = ctypes.CDLL("libm.so.6")
_libm.fma.restype = ctypes.c_double
_libm.fma.argtypes = [ctypes.c_double] * 3
_libm.fmaf.restype = ctypes.c_float
_libm.fmaf.argtypes = [ctypes.c_float] * 3


def any_nan(array: Array) -> Array:
    """The same with each NaN as `ANY_NAN`."""
    result = array.copy()
    result[np.isnan(array)] = np.nan
    return result


def _extreme(a: Array, b: Array, sign: int) -> Array:
    """Minimum (sign 1) or maximum (-1), where zeros have an order."""
    first = (sign * a < sign * b) | ((a == b) & (np.signbit(a) == (sign > 0)))
    result = np.where(first, a, b)
    result[np.isnan(a) | np.isnan(b)] = np.nan
    return result


def _fused(a: Array, b: Array, c: Array) -> Array:
    function = _libm.fma if a.dtype.itemsize == 8 else _libm.fmaf
    flat = [function(*(each.item() for each in numbers)) for numbers in zip(a.ravel(), b.ravel(), c.ravel())]
    return np.array(flat).astype(a.dtype).reshape(a.shape)


def _float_models(shape: str, kind: str) -> None:
    integer = kind.replace("f", "i")
    sign_bit = np.iinfo(integer).min

    def lanes(function: Callable[..., Array]) -> Model:
        return lambda *operands: [any_nan(function(*(each.view(kind) for each in operands)).astype(kind))]

    for name, function in {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "sqrt": np.sqrt, "ceil": np.ceil,
                           "floor": np.floor, "trunc": np.trunc, "nearest": np.rint}.items():  # fmt: skip
        MODELS[f"{shape}.{name}"] = lanes(function)
    MODELS[f"{shape}.min"] = lanes(lambda a, b: _extreme(a, b, 1))
    MODELS[f"{shape}.max"] = lanes(lambda a, b: _extreme(a, b, -1))
    MODELS[f"{shape}.abs"] = lambda a: [a.view(integer) & ~sign_bit]
    MODELS[f"{shape}.neg"] = lambda a: [a.view(integer) ^ sign_bit]
    MODELS[f"{shape}.pmin"] = lambda a, b: [np.where(b.view(kind) < a.view(kind), b.view(integer), a.view(integer))]
    MODELS[f"{shape}.pmax"] = lambda a, b: [np.where(a.view(kind) < b.view(kind), b.view(integer), a.view(integer))]
    for name, compare in {"eq": np.equal, "ne": np.not_equal, "lt": np.less, "gt": np.greater, "le": np.less_equal,
                          "ge": np.greater_equal}.items():  # fmt: skip
        MODELS[f"{shape}.{name}"] = lambda a, b, compare=compare: as_mask(compare(a.view(kind), b.view(kind)), integer)
    for name, sign in (("madd", 1), ("nmadd", -1)):
        MODELS[f"{shape}.relaxed_{name}"] = lambda a, b, c, sign=sign: [
            any_nan(_fused(sign * a.view(kind), b.view(kind), c.view(kind))),
            any_nan(c.view(kind) + sign * a.view(kind) * b.view(kind)),
        ]
    for name in ("min", "max"):
        MODELS[f"{shape}.relaxed_{name}"] = lambda a, b, name=name: [
            *(MODELS[f"{shape}.{which}"](a, b)[0].view(integer) for which in (name, "p" + name)),
            MODELS[f"{shape}.p{name}"](b, a)[0],
        ]


for _shape, _kind in FLOATS.items():
    _float_models(_shape, _kind)

MODELS["f32x4.splat"] = lambda a: [np.repeat(a.view("u4")[:, :1], 4, axis=1)]
MODELS["f64x2.splat"] = lambda a: [np.repeat(a.view("u8")[:, :1], 2, axis=1)]


# Conversions


def _padded(a: Array) -> Array:
    return np.concatenate([a, np.zeros_like(a)], axis=1)


def _saturated(a: Array, kind: str) -> Array:
    limits = np.iinfo(kind)
    numbers = np.where(np.isnan(a), 0, a).astype("f8")
    return np.clip(np.trunc(numbers), float(limits.min), float(limits.max)).astype("i8").astype(kind)


def _relaxed(a: Array, kind: str) -> list[Array]:
    """Saturated, or for what does not fit the least signed or the greatest unsigned number."""
    numbers = a.astype("f8")
    fits = (np.trunc(numbers) >= np.iinfo(kind).min) & (np.trunc(numbers) <= np.iinfo(kind).max)
    other = np.iinfo(kind).min if kind == "i4" else np.iinfo(kind).max
    saturated = _saturated(a, kind)
    return [saturated, np.where(fits, saturated, np.array(other).astype(kind))]


for _sign, _kind in (("s", "i4"), ("u", "u4")):
    MODELS[f"i32x4.trunc_sat_f32x4_{_sign}"] = lambda a, kind=_kind: [_saturated(a.view("f4"), kind)]
    MODELS[f"i32x4.trunc_sat_f64x2_{_sign}_zero"] = lambda a, kind=_kind: [_padded(_saturated(a.view("f8"), kind))]
    MODELS[f"i32x4.relaxed_trunc_f32x4_{_sign}"] = lambda a, kind=_kind: _relaxed(a.view("f4"), kind)
    MODELS[f"i32x4.relaxed_trunc_f64x2_{_sign}_zero"] = lambda a, kind=_kind: [_padded(each) for each in _relaxed(a.view("f8"), kind)]
    MODELS[f"f32x4.convert_i32x4_{_sign}"] = lambda a, kind=_kind: [a.view(kind).astype("f4")]
    MODELS[f"f64x2.convert_low_i32x4_{_sign}"] = lambda a, kind=_kind: [a.view(kind)[:, :2].astype("f8")]
MODELS["f32x4.demote_f64x2_zero"] = lambda a: [any_nan(_padded(a.view("f8").astype("f4")))]
MODELS["f64x2.promote_low_f32x4"] = lambda a: [any_nan(a.view("f4")[:, :2].astype("f8"))]


def allowed(result: Array, alternatives: list[Array]) -> Array:
    """Which lanes are equal to one of the alternatives: their bits, or both a quiet NaN."""
    width = alternatives[0].dtype.itemsize
    got = result.view(f"u{width}")
    fits = np.zeros(got.shape, bool)
    for each in alternatives:
        fits |= got == each.view(f"u{width}")
        if each.dtype.kind == "f":
            quiet = (0x7FC00000, 0x7FFFFFFF) if width == 4 else (0x7FF8000000000000, 0x7FFFFFFFFFFFFFFF)
            fits |= np.isnan(each) & ((got & quiet[1]) >= quiet[0])
    return fits


def canonical(result: Array, sources: list[Array], kind: str) -> Array:
    """Which lanes keep this: the result has no NaN with a payload where no operand has one."""
    bits = kind.replace("f", "u")
    quiet = 0x7FC00000 if kind == "f4" else 0x7FF8000000000000

    def payload(array: Array) -> Array:
        found: Array = np.isnan(array.view(kind)) & (array.view(bits) & np.iinfo(kind.replace("f", "i")).max != quiet)
        return found

    brought = np.logical_or.reduce([payload(each) for each in sources])
    kept: Array = brought | ~payload(result)
    return kept


@cache
def _vectors() -> Array:
    """A thousand vectors that are special in all ways, or random."""
    random = np.random.default_rng(0)
    integers = [0, 1, 2, 3, 7, 8, 15, 16, 31, 63, 64, 127, 128, 255, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
                0x100000000, 0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0x8000000080000000, 0x7FFFFFFF80000000,
                0x8000800080008000]  # fmt: skip
    floats = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.5, -2.5, 0.1, 1e-45, -1e-45, 1e-310, 3e38, -3e38, 1e300, 1e-300, 16777217.0,
              2147483647.0, 2147483648.0, -2147483648.0, -2147483649.0, 2147483520.0, 4294967295.0, 4294967296.0, 4294967040.0,
              4503599627370497.5, 8388609.5, np.inf, -np.inf, np.nan, -np.nan]  # fmt: skip
    signals = {4: [0x7F800001, 0xFF800001, 0x7FA12345], 8: [0x7FF0000000000001, 0xFFF0000000000001]}
    rows = [random.bytes(16) for _ in range(250)]
    for number in range(750):
        width = (1, 2, 4, 8, 4, 8)[number % 6]
        if number % 6 < 4:
            values = np.array(integers, "u8").astype(f"u{width}")
        else:
            with np.errstate(over="ignore"):
                bits = np.array(floats).astype(f"f{width}").view(f"u{width}")
            values = np.concatenate([bits, np.array(signals[width], f"u{width}")])
        rows.append(values[random.integers(len(values), size=16 // width)].tobytes())
    return np.frombuffer(b"".join(rows), "u1").reshape(len(rows), 16)


def operands(count: int, seed: int) -> Array:
    """Some of them: (count, 16) bytes."""
    return _vectors()[np.random.default_rng(seed).integers(len(_vectors()), size=count)]

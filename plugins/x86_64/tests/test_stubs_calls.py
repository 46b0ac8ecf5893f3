"""Calls from Python into code and from code into Python: types, counts, errors, references."""

from __future__ import annotations

import ctypes
import gc
import inspect
import math
import operator
import random
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from handmade import (
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    I32,
    I64,
    Owner,
    World,
    call_import,
    epilogue,
    funcref_of,
    move_values,
    prologue,
)

from wasmcore.types import V128
from wasmcore_x86_64.assembler.instructions import DIVSD, LEA, R13, R14, RAX, RBP, RSP, Assembler

VALUES: dict[int, list[Any]] = {
    I32: [0, 1, -1, 5, 2**30 - 1, 2**30, -(2**30), 2**31 - 1, -(2**31), True],
    I64: [0, 1, -1, 2**30, 2**31, -(2**31), 2**62, 2**63 - 1, -(2**63), False],
    F32: [0.0, -0.0, 1.5, -2.25, math.inf, 1, 2.0**-149],
    F64: [0.0, -0.0, 1.5, 1e300, math.pi, -math.inf, 7],
    V128: [b"\0" * 16, bytes(range(16)), b"\xff" * 16],
    EXTERNREF: [None, "text", [1], ()],
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def identity(types: tuple[int, ...]) -> Any:
    return lambda a: move_values(a, types)


def add(a: Assembler) -> None:
    a.push(RBP)
    a.mov(RBP, RSP)
    a.reg_index(LEA, 0, RAX, R13, R14, 0, 0)
    epilogue(a)


def forward(a: Assembler) -> Any:
    """Call import 0 with the arguments as they are and return its results."""
    sites = prologue(a)
    call_import(a, 0)
    epilogue(a)
    return sites


@pytest.mark.parametrize("release", [False, True])
@pytest.mark.parametrize("value_type", list(VALUES))
def test_every_value(world: World, value_type: int, release: bool) -> None:
    same = world.function((value_type,), (value_type,), identity((value_type,)), release=release)
    for value in VALUES[value_type]:
        result = same(value)
        assert result == value
        if isinstance(value, float):
            assert math.copysign(1, result) == math.copysign(1, value)
        assert type(result) is type(value) or isinstance(value, int)


@pytest.mark.parametrize("release", [False, True])
def test_any_number_of_values(world: World, release: bool) -> None:
    choose = random.Random(5)
    for count in [*range(21), 40, 200]:
        types = tuple(choose.choice(list(VALUES)) for _ in range(count))
        values = tuple(choose.choice(VALUES[value_type]) for value_type in types)
        same = world.function(types, types, identity(types), release=release)
        expected: Any = values if count > 1 else values[0] if values else None
        assert same(*values) == expected


def test_values_through_host_functions(world: World) -> None:
    choose = random.Random(6)
    for count in [*range(21), 40, 200]:
        types = tuple(choose.choice(list(VALUES)) for _ in range(count))
        values = tuple(choose.choice(VALUES[value_type]) for value_type in types)
        seen: list[Any] = []

        def host(*arguments: Any, seen: list[Any] = seen) -> Any:
            seen.append(arguments)
            return arguments if len(arguments) != 1 else arguments[0]

        for release in (False, True):
            through = world.function(types, types, forward, (world.host(types, types, host),), release=release)
            expected: Any = values if count > 1 else values[0] if values else None
            assert through(*values) == expected
            assert seen.pop() == values


def test_unsigned_arguments_wrap(world: World) -> None:
    same32 = world.function((I32,), (I32,), identity((I32,)))
    same64 = world.function((I64,), (I64,), identity((I64,)))
    assert same32(2**32 - 1) == -1
    assert same32(2**31) == -(2**31)
    assert same64(2**64 - 1) == -1
    assert same64(2**63) == -(2**63)


@pytest.mark.parametrize(
    ("value_type", "value", "error"),
    [
        (I32, 2**32, OverflowError),
        (I32, -(2**31) - 1, OverflowError),
        (I32, 2**64, OverflowError),
        (I32, -(2**200), OverflowError),
        (I64, 2**64, OverflowError),
        (I64, -(2**63) - 1, OverflowError),
        (I64, 2**200, OverflowError),
        (I32, 1.0, TypeError),
        (I32, "1", TypeError),
        (I32, None, TypeError),
        (I64, 1.0, TypeError),
        (I64, b"1", TypeError),
        (F32, "1", TypeError),
        (F64, "1", TypeError),
        (F64, None, TypeError),
        (F64, 10**400, OverflowError),
        (V128, 2**128, OverflowError),
        (V128, -1, OverflowError),
        (V128, b"short", TypeError),
        (V128, 1.5, TypeError),
        (FUNCREF, 1, TypeError),
    ],
)
def test_wrong_values(world: World, value_type: int, value: Any, error: type[Exception]) -> None:
    same = world.function((I32, value_type), (value_type,), identity((I32, value_type)))
    host_calls: list[Any] = []

    def host() -> Any:
        host_calls.append(1)
        return value

    fail = world.function((), (value_type,), forward, (world.host((), (value_type,), host),))
    for _ in range(3):
        with pytest.raises(error):
            same(1, value)
        with pytest.raises(error):
            fail()
    assert len(host_calls) == 3
    assert world.store.activation == 0


def test_objects_with_index_and_float(world: World) -> None:
    class Number:
        def __index__(self) -> int:
            return 2**40 + 7

        def __float__(self) -> float:
            return 2.5

    assert world.function((I64,), (I64,), identity((I64,)))(Number()) == 2**40 + 7
    assert world.function((F64,), (F64,), identity((F64,)))(Number()) == 2.5
    assert world.function((F32,), (F32,), identity((F32,)))(Number()) == 2.5
    assert world.function((V128,), (V128,), identity((V128,)))(2**128 - 2) == b"\xfe" + b"\xff" * 15


def test_errors_of_conversions_are_the_objects_own(world: World) -> None:
    class Broken:
        def __index__(self) -> int:
            raise LookupError("index")

        def __float__(self) -> float:
            raise LookupError("float")

    for value_type in (I32, I64, F32, F64, V128):
        with pytest.raises(LookupError):
            world.function((value_type,), (value_type,), identity((value_type,)))(Broken())


def test_minus_one_is_no_error(world: World) -> None:
    class Minus:
        def __index__(self) -> int:
            return -1

        def __float__(self) -> float:
            return -1.0

    assert world.function((I32,), (I32,), identity((I32,)))(Minus()) == -1
    assert world.function((I64,), (I64,), identity((I64,)))(Minus()) == -1
    assert world.function((F64,), (F64,), identity((F64,)))(Minus()) == -1.0


def double(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def bits_of(value: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", value))[0])


def test_payloads_of_nan(world: World) -> None:
    same64 = world.function((F64,), (F64,), identity((F64,)))
    same32 = world.function((F32,), (F32,), identity((F32,)))
    for bits in (0x7FF8000000000000, 0xFFF8000000000001, 0x7FF0000000000001, 0xFFF4000000000000):
        assert bits_of(same64(double(bits))) == bits
    for payload in (0x400000, 1, 0x200000, 0x7FFFFF):
        for sign in (0, 1):
            bits = sign << 63 | 0x7FF << 52 | payload << 29
            assert bits_of(same32(double(bits))) == bits
    assert bits_of(same32(double(0x7FF0000000000001))) == 0x7FF8000000000000


def test_f32_is_rounded(world: World) -> None:
    same = world.function((F32,), (F32,), identity((F32,)))
    assert same(math.pi) == struct.unpack("<f", struct.pack("<f", math.pi))[0]
    assert same(1e300) == math.inf
    assert same(1e-300) == 0.0


@pytest.mark.parametrize("count", [0, 1, 2])
def test_wrong_counts(world: World, count: int) -> None:
    types = (I32,) * count
    same = world.function(types, types, identity(types), name="shout")
    for given in {0, 1, 2, 3, 5} - {count}:
        with pytest.raises(TypeError, match=rf"^shout\(\) takes {count} arguments? \({given} given\)$") as raised:
            same(*[1] * given)
        assert ("argument " in str(raised.value)) == (count == 1)
    with pytest.raises(TypeError, match="keyword"):
        same(*[1] * count, a=1)


def test_builtins_look_like_builtins(world: World) -> None:
    f = world.function((I32, I32), (I32,), add, name="add")
    assert inspect.isbuiltin(f)
    assert f.__name__ == "add"
    assert str(inspect.signature(f)) == "(p0, p1, /)"
    assert isinstance(f.__self__, Owner)
    strange = world.function((), (), identity(()), name="a\0b\ud800 ü")
    assert strange() is None
    assert strange.__name__ == "a\\0b\\ud800 ü"


@pytest.mark.parametrize("results", [(), (I32,), (I32, F64)])
def test_exceptions_of_host_functions(world: World, results: tuple[int, ...]) -> None:
    error = KeyError("mine")

    def host(*arguments: Any) -> None:
        raise error

    for release in (False, True):
        f = world.function((I32, EXTERNREF), results, forward, (world.host((I32, EXTERNREF), results, host),), release=release)
        for _ in range(3):
            with pytest.raises(KeyError) as raised:
                f(1, "x")
            assert raised.value is error
            assert world.store.activation == 0


@pytest.mark.parametrize(
    ("results", "value", "message"),
    [
        ((I32, I32), (1,), "host returned 1 value, 2 expected"),
        ((I32, I32), (1, 2, 3), "host returned 3 values, 2 expected"),
        ((I32, I32), 5, "host returned 5 where 2 values are expected"),
        ((I32, I32), (1, "x"), "host returned a Python str as result 2 where i32 is expected"),
        ((I32,), "x", "host returned a Python str where i32 is expected"),
        ((F64,), "x", "host returned a Python str where f64 is expected"),
    ],
)
def test_wrong_results_of_host_functions(world: World, results: tuple[int, ...], value: Any, message: str) -> None:
    f = world.function((), results, forward, (world.host((), results, lambda: value),))
    with pytest.raises(TypeError, match=message):
        f()


def test_results_may_be_any_iterable(world: World) -> None:
    f = world.function((), (I32, I64, F32), forward, (world.host((), (I32, I64, F32), lambda: iter([1, 2, 3])),))
    assert f() == (1, 2, 3.0)
    ignored = world.function((), (), forward, (world.host((), (), lambda: "ignored"),))
    assert ignored() is None


def test_calls_nest(world: World) -> None:
    def deeper(n: int) -> int:
        return f(n - 1) + 1 if n else 0

    f = world.function((I32,), (I32,), forward, (world.host((I32,), (I32,), deeper),))
    assert f(50) == 50
    g = world.function((I32,), (I32,), forward, (world.host((I32,), (I32,), lambda n: g(n - 1) + 1 if n else 0),), release=True)
    assert g(50) == 50


def test_endless_recursion_through_python(world: World) -> None:
    f = world.function((), (), forward, (world.host((), (), lambda: f()),))
    with pytest.raises(RecursionError):
        f()
    assert world.store.activation == 0


def test_a_builtin_is_a_host_function(world: World) -> None:
    f = world.function((I32, I32), (I32,), forward, (world.host((I32, I32), (I32,), operator.add),))
    assert f(2, 3) == 5
    g = world.function((I32, I32), (I32,), forward, (world.host((I32, I32), (I32,), f),))
    assert g(2, 3) == 5


def test_code_calls_code(world: World) -> None:
    inner = world.function((I32, I32), (I32,), add)
    outer = world.function((I32, I32), (I32,), forward, (funcref_of(inner),))
    assert outer(20, 22) == 42


def test_no_references_leak(world: World) -> None:
    marker = object()
    number = 2**50
    text = "a text"
    result = (2**45, marker)

    def host(*arguments: Any) -> Any:
        if arguments[0] is None:
            raise ValueError
        return result

    types = (EXTERNREF, I64, F64, V128)
    f = world.function(types, (I64, EXTERNREF), forward, (world.host(types, (I64, EXTERNREF), host),))
    vector = bytes(16)
    fraction = 1.25
    before = [sys.getrefcount(x) for x in (marker, number, text, result, vector, fraction, result[0], None)]

    def work(times: int) -> None:
        for _ in range(times):
            f(text, number, fraction, vector)
            for wrong in ((None, number, fraction, vector), (text, number, "x", vector), (text,)):
                try:
                    f(*wrong)
                except (TypeError, ValueError):
                    pass

    work(20_000)
    after = [sys.getrefcount(x) for x in (marker, number, text, result, vector, fraction, result[0], None)]
    assert all(abs(b - a) < 20 for a, b in zip(before, after, strict=True)), (before, after)
    gc.collect()  # what others left is not given back while memory is counted
    tracemalloc.start()
    work(100)
    start = tracemalloc.get_traced_memory()[0]
    work(5_000)
    gc.collect()
    assert tracemalloc.get_traced_memory()[0] - start < 20_000
    tracemalloc.stop()


MODES = {0: "nearest", 0x400: "down", 0x800: "up", 0xC00: "towards zero"}


def test_the_rounding_mode_of_the_caller(world: World) -> None:
    """Code runs with the default one; the caller has its own again afterwards, whether the call succeeds or not."""
    library = ctypes.CDLL(None)

    def divide(a: Assembler) -> None:
        a.push(RBP)
        a.mov(RBP, RSP)
        a.reg_reg(DIVSD, 0, 0, 1)
        epilogue(a)

    third = world.function((F64, F64), (F64,), divide)

    def fail() -> None:
        raise LookupError

    failing = world.function((), (), forward, (world.host((), (), fail),))
    expected = third(1.0, 3.0)
    assert expected == 1 / 3
    for mode in MODES:
        library.fesetround(mode)
        try:
            result = third(1.0, 3.0)
            try:
                failing()
            except LookupError:
                pass
            left = library.fegetround()
        finally:
            library.fesetround(0)
        assert (result, left) == (expected, mode)


def test_many_builtins_come_and_go(world: World) -> None:
    kept = [world.function((I32, I32), (I32,), add, name=f"f{number}") for number in range(300)]
    assert [f(number, 1) for number, f in enumerate(kept)] == list(range(1, 301))
    batches = len(world.machine._batches)
    for _ in range(20):
        kept = [world.function((I32, I32), (I32,), add, name=f"f{number}") for number in range(50)]
        assert kept[7](1, 2) == 3
    assert len(world.machine._batches) == batches

"""Exceptions say what they say, also after they were copied, pickled, or came from another process."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import pytest

import wasmcore
from wasmcore import errors

EXCEPTIONS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, BaseException)]
FRAMES = (errors.Frame("app", 3, "divide", 0x42), errors.Frame(None, 0, None, None))
ARGUMENTS: dict[type[BaseException], tuple[Any, ...]] = {
    errors.CompileError: ("too large", 0x10),
    errors.DecodeError: ("unexpected end", 8),
    errors.ValidationError: ("type mismatch", None),
    errors.TextError: ("unknown operator", 2, 5, "\t(i32.ad)"),
    errors.Exit: (3,),
    errors.Trap: (errors.TrapKind.INTEGER_DIVIDE_BY_ZERO, FRAMES),
}
"""Arguments of constructors that take more than a message."""


def pickled(protocol: int, value: Any) -> Any:
    """A value through a pickle."""
    return pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"protocol {number}": partial(pickled, number) for number in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def described(error: BaseException) -> tuple[Any, ...]:
    """All that an exception says; an attribute is a property or in its `__dict__`."""
    names = {name for name in (*vars(error), *vars(type(error))) if not name.startswith("_")} | {"__notes__"}
    return type(error), error.args, str(error), repr(error), {name: getattr(error, name, None) for name in names}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_every_exception_survives(kind: type[BaseException], way: str) -> None:
    error = kind(*ARGUMENTS.get(kind, ("what is wrong",)))
    vars(error).update(__notes__=["a note"], extra=5)
    assert described(WAYS[way](error)) == described(error)


class Stricter(wasmcore.CompileError):
    """What an application may derive."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}", first + second)
        self.second = second


@pytest.mark.parametrize("way", WAYS)
def test_derived_exceptions_survive(way: str) -> None:
    assert described(WAYS[way](Stricter(3, 4))) == described(Stricter(3, 4))


@pytest.mark.parametrize("way", WAYS)
def test_frames_and_kinds_survive(way: str) -> None:
    for value in (*FRAMES, *errors.TrapKind):
        again = WAYS[way](value)
        assert type(again) is type(value) and again == value and str(again) == str(value)


@pytest.mark.parametrize("way", WAYS)
def test_trap_of_a_program_survives(way: str) -> None:
    with pytest.raises(wasmcore.Trap) as caught:
        divide(0)
    again = WAYS[way](caught.value)
    assert described(again) == described(caught.value)
    assert [frame.function_name for frame in again.frames] == ["divide"]


def divide(divisor: int) -> int:
    """Ten through a number, in WebAssembly."""
    text = '(module (func $divide (export "f") (param i32) (result i32) (i32.div_s (i32.const 10) (local.get 0))))'
    result: int = wasmcore.Instance(wasmcore.Module(text)).exports.f(divisor)
    return result


def fail(what: str) -> Any:
    """Raise one of the exceptions that reading, linking and running raise."""
    if what == "text":
        return wasmcore.Module("(module (fun))")
    if what == "invalid":
        return wasmcore.Module("(module (func (result i32)))")
    if what == "unlinked":
        return wasmcore.Instance(wasmcore.Module('(module (import "env" "f" (func)))'))
    return divide(0)


FAILURES = {"text": "TextError", "invalid": "ValidationError", "unlinked": "LinkError", "trap": "Trap"}


def check_pool(call: Callable[[Callable[..., Any], Any], Any]) -> None:
    """A pool answers before, between and after failures, which arrive as themselves."""
    assert call(divide, 5) == 2
    for what, name in FAILURES.items():
        with pytest.raises(wasmcore.WasmcoreError) as here:
            fail(what)
        with pytest.raises(wasmcore.WasmcoreError) as there:
            call(fail, what)
        assert type(there.value).__name__ == name and str(there.value) == str(here.value)
        assert call(divide, 2) == 5


def context() -> Any:
    """Fresh processes; forking is no matter of exceptions."""
    return multiprocessing.get_context("spawn")


def test_executor_survives_failures() -> None:
    with ProcessPoolExecutor(1, mp_context=context()) as executor:
        check_pool(lambda function, argument: executor.submit(function, argument).result(timeout=100))


def test_pool_survives_failures() -> None:
    with context().Pool(1) as pool:
        check_pool(lambda function, argument: pool.apply_async(function, (argument,)).get(timeout=100))

"""Which small functions of other units a backend is given with a unit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from wasmcore import wat2wasm
from wasmcore.binary import decode
from wasmcore.compile.units import CALLEES_PART, called, callees, whole_module
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter

SIZE = 512


def backend(callee_size: int = SIZE, unit_size: int = 1) -> Any:
    return SimpleNamespace(callee_size=callee_size, unit_size=unit_size)


def chain(count: int, body: str = "") -> bytes:
    """Function 0 is imported; each of the others calls the one before and the one behind it."""
    functions = "".join(
        f"(func {body if number == count // 2 else ''} (call {number}) (call {min(number + 2, count)}))" for number in range(count)
    )
    return bytes(wat2wasm(f'(module (import "host" "f" (func)) {functions})'))


def units(binary: bytes, compiler: Any) -> list[tuple[list[int], list[int]]]:
    """The functions of each unit, and its callees."""
    info = decode(binary)
    _, groups = whole_module(info, StreamWriter(info), plan(info, []), compiler)
    return [tuple([int.from_bytes(stream[:8], "little") for stream in streams] for streams in group) for group in groups]  # type: ignore[misc]


def test_callees_are_what_is_called_and_what_that_calls() -> None:
    found = units(chain(6), backend())
    assert [function for functions, _ in found for function in functions] == [1, 2, 3, 4, 5, 6]
    for functions, small in found:
        near = {near for function in functions for near in range(function - 2, function + 3)}
        assert sorted(small) == sorted(near & set(range(1, 7)) - set(functions)), functions


def test_a_backend_that_does_not_inline_gets_none() -> None:
    assert all(small == [] for _, small in units(chain(6), SimpleNamespace(unit_size=1)))


def test_large_functions_are_no_callees() -> None:
    found = units(chain(6, "(drop (i32.const 1)) " * 40), backend())
    assert all(4 not in small for _, small in found) and any(small for _, small in found)


def test_callees_are_bounded_together() -> None:
    calls = "".join(f"(call {number})" for number in range(1, 200))
    binary = bytes(wat2wasm(f"(module (func {calls}) {'(func)' * 199})"))
    info = decode(binary)
    writer = StreamWriter(info)
    streams = [writer.stream(index) for index in range(200)]
    compiler = backend(unit_size=64 * SIZE)
    found = callees(streams[:1], compiler, streams.__getitem__)
    assert 0 < sum(map(len, found)) <= compiler.unit_size // CALLEES_PART
    assert found == tuple(streams[1 : 1 + len(found)])


def test_calls_are_found_behind_declarations_and_constants() -> None:
    binary = bytes(wat2wasm("(module (func (local i32 i64 f64) (drop (i64.const 0x123456789)) (call 1) (call 0)) (func))"))
    assert called(StreamWriter(decode(binary)).stream(0)) == [1, 0]

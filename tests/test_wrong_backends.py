"""Backends that answer with something else than code for what they were given: each is one PluginError that names them."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Any

import pytest

import wasmcore
from wasmcore.plugin.checking import accepted, check
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.unit import CompileUnit

TEXT = """(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
  (func (export "g") (result i32) (i32.const 42)))"""

WRONG: dict[str, tuple[Callable[[CompiledCode], Any], str]] = {
    "nothing": (lambda code: None, "a NoneType in place of CompiledCode"),
    "a list": (lambda code: [code], "a list in place of CompiledCode"),
    "a tuple": (lambda code: tuple(code), "a tuple in place of CompiledCode"),
    "text": (lambda code: code._replace(code="code"), "code is a str, not bytes"),
    "no table": (lambda code: code._replace(traps=None), "traps is a NoneType, not bytes"),
    "no functions": (lambda code: code._replace(functions=b""), "it has no functions, not functions 0"),
    "another function": (lambda code: code._replace(functions=pack("<I", 7) + code.functions[4:]), "it has functions 7"),
    "beyond the code": (lambda code: code._replace(code=code.code[: len(code.code) // 3]), "its functions are not one behind the other"),
    "without a size": (lambda code: code._replace(functions=code.functions[:-4] + bytes(4)), "its functions are not one behind the other"),
    "another target": (lambda code: code._replace(target="mips"), "it is for target 'mips', not '"),
    "another backend": (lambda code: code._replace(backend="other"), "it says that 'other' made it"),
    "other features": (lambda code: code._replace(features=frozenset({"magic"})), "it needs magic of the processor"),
    "another contract": (lambda code: code._replace(contract=(99, 0)), "it follows contract 99.0"),
    "half a trap": (lambda code: code._replace(traps=b"xyz"), "traps has 3 bytes, which are no rows of 8"),
    "half a place": (lambda code: code._replace(address_map=b"x"), "address_map has 1 bytes"),
}


class Liar:
    """A backend that changes what another one made."""

    def __init__(self, backend: Any, change: Callable[[CompiledCode], Any]) -> None:
        self._backend = backend
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def compile(self, unit: CompileUnit) -> Any:
        return self._change(self._backend.compile(unit))


def engine(change: Callable[[CompiledCode], Any], lazy: bool) -> wasmcore.Engine:
    made = wasmcore.Engine("singlepass", lazy=lazy, cache=False)
    made.backend = Liar(made.backend, change)  # type: ignore[assignment]
    return made


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_answers(wrong: str, lazy: bool) -> None:
    change, text = WRONG[wrong]
    with pytest.raises(wasmcore.PluginError, match="backend 'singlepass' gave wrong code: ") as raised:
        wasmcore.Instance(wasmcore.Module(TEXT, engine=engine(change, lazy))).exports.f(1)
    assert text in str(raised.value)


@pytest.mark.parametrize("lazy", [False, True], ids=["eager", "lazy"])
def test_what_is_right_is_accepted(lazy: bool) -> None:
    assert wasmcore.Instance(wasmcore.Module(TEXT, engine=engine(lambda code: code, lazy))).exports.f(1) == 1


def unit_and_code() -> tuple[CompileUnit, CompiledCode]:
    found: list[tuple[CompileUnit, CompiledCode]] = []
    spy = engine(lambda code: code, False)
    compile_unit = spy.backend.compile

    def compile_and_note(unit: CompileUnit) -> CompiledCode:
        unit = unit._replace(address_map=True)
        found.append((unit, compile_unit(unit)))
        return found[-1][1]

    spy.backend.compile = compile_and_note  # type: ignore[method-assign]
    wasmcore.Module(TEXT, engine=spy)
    return found[0]


THOROUGH: dict[str, tuple[Callable[[CompiledCode], CompiledCode], str]] = {
    "a trap beyond the code": (lambda code: code._replace(traps=pack("<II", 1 << 20, 7)), "a trap at 1048576 is not within"),
    "traps out of order": (lambda code: code._replace(traps=pack("<IIII", 5, 7, 5, 7)), "a trap at 5 is not within"),
    "a trap of no kind": (lambda code: code._replace(traps=pack("<II", 5, 99)), "a trap at 5 is of no known kind"),
    "a word of no stream": (lambda code: code._replace(address_map=pack("<II", 0, 1 << 20)), "word 1048576, where no stream"),
    "a row that is not there": (lambda code: code._replace(address_map=pack("<II", 0, 1 << 31)), "a place at 0 is of no known kind"),
    "a call in itself": (lambda code: code._replace(inlined=pack("<III", 0, 1, 1 << 31)), "an inlined call is in none"),
    "a stranger inlined": (lambda code: code._replace(inlined=pack("<III", 9, 1, 1)), "word 1 of function 9 is inlined"),
    "an imported callee": (lambda code: code._replace(callees=pack("<I", 0)), ""),
}


@pytest.mark.parametrize("wrong", THOROUGH)
def test_what_only_the_thorough_check_finds(wrong: str) -> None:
    unit, code = unit_and_code()
    check(unit, code)
    change, text = THOROUGH[wrong]
    accepted(unit, change(code))
    if text:
        with pytest.raises(wasmcore.PluginError, match="backend 'singlepass' gave wrong code: ") as raised:
            check(unit, change(code))
        assert text in str(raised.value)
    else:
        check(unit, change(code))  # nothing is imported here

"""Functions that are too large to be optimised: right, compiled in bounded time, and told of."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import giant_modules as modules
import pytest

import wasmcore
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.stream import HEADER_FUNCTION
from wasmcore_llvm.backend import Llvm
from wasmcore_llvm.streams import giants

_ADDITIONS = "(local.set 1 (i32.add (i32.mul (local.get 1) (i32.const 3)) (local.get 0)))" * 300
THREE = f"""(module
  (func $before (export "before") (param i32) (result i32) (i32.div_s (i32.const 7) (local.get 0)))
  (func $large (export "large") (param i32) (result i32) (local i32)
    {_ADDITIONS} (i32.add (local.get 1) (i32.add (call $before (local.get 0)) (call $after (local.get 0)))))
  (func $after (export "after") (param i32) (result i32) (i32.rem_u (i32.const 9) (i32.sub (local.get 0) (i32.const 1))))
  (func (export "all") (param i32) (result i32) (i32.add (call $large (local.get 0)) (call $after (i32.const 5)))))"""


def compiled(source: str | bytes, level: str = "O2") -> wasmcore.Instance:
    engine = wasmcore.Engine("llvm", cache=False, options={"level": level})
    return wasmcore.Instance(wasmcore.Module(source, engine=engine))


def other(source: str | bytes) -> wasmcore.Instance:
    return wasmcore.Instance(wasmcore.Module(source, engine=wasmcore.Engine("singlepass", cache=False)))


@pytest.mark.parametrize("kind", sorted(modules.KINDS))
def test_the_level_falls(kind: str, in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giants, "MOST_BRANCHES", 100)
    monkeypatch.setattr(giants, "LARGEST", 1000)
    source = modules.KINDS[kind](8000)
    with pytest.warns(wasmcore.CompileWarning, match=r"function 0 is too large for O2 \(\d+ words\), compiled with O0") as caught:
        instance = compiled(source)
    assert len(caught) == 1
    reference = other(source)
    for x in (0, 3, 999, -5):
        assert instance.exports.run(x) == reference.exports.run(x)


def test_what_is_small_enough_is_optimised() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in ("arithmetic", "memory", "floats"):
            compiled(modules.KINDS[kind](5000))


@pytest.mark.parametrize(
    ("source", "giant"),
    [
        (modules.table(8 * 4000), False),
        (modules.table(8 * 4200), True),
        (modules.merges(2500, 400), False),
        (modules.merges(3000, 400), True),
        (modules.floats(60000), False),
        (modules.floats(70000), True),
    ],
    ids=["few branches", "many branches", "few merges", "many merges", "few words", "many words"],
)
def test_what_counts(source: bytes, giant: bool, in_this_process: None) -> None:
    found: list[bool] = []

    class Looking(Llvm):
        def compile(self, unit: CompileUnit) -> CompiledCode:
            found.append(giants.is_giant(unit.streams[0]))
            return super().compile(unit._replace(options=(("level", "O0"),)))

    engine = wasmcore.Engine("llvm", cache=False)
    engine.backend = Looking()
    wasmcore.Module(source, engine=engine)
    assert found[0] == giant


def trapping(instance: wasmcore.Instance, name: str, x: int) -> list[tuple[int, int | None]]:
    """Functions and offsets of the backtrace of a call that traps."""
    with pytest.raises(wasmcore.Trap) as caught:
        getattr(instance.exports, name)(x)
    return [(frame.function_index, frame.offset) for frame in caught.value.frames]


def test_pieces_of_a_unit_are_one_code(in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giants, "MOST_BRANCHES", 100)
    monkeypatch.setattr(giants, "LARGEST", 1000)
    with pytest.warns(wasmcore.CompileWarning, match="function 1 is too large"):
        instance = compiled(THREE)
    reference = other(THREE)
    for name in ("before", "large", "after", "all"):
        assert getattr(instance.exports, name)(3) == getattr(reference.exports, name)(3)
        for x in (0, 1):
            if (name, x) not in (("before", 1), ("after", 0)):
                assert trapping(instance, name, x) == trapping(reference, name, x)


def test_a_wanted_function_has_the_code_that_it_has_in_its_unit(in_this_process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(giants, "MOST_BRANCHES", 100)
    monkeypatch.setattr(giants, "LARGEST", 1000)
    units: list[CompileUnit] = []

    class Recorder(Llvm):
        def compile(self, unit: CompileUnit) -> CompiledCode:
            units.append(unit)
            return super().compile(unit)

    engine = wasmcore.Engine("llvm", cache=False)
    engine.backend = Recorder()
    with pytest.warns(wasmcore.CompileWarning):
        wasmcore.Module(THREE, engine=engine)
    (unit,) = units
    whole = {each.function: each for each in Llvm().compile(unit).function_table()}
    code = Llvm().compile(unit)
    assert Llvm().compile(unit) == code
    for number, stream in enumerate(unit.streams):
        function = memoryview(stream).cast("q")[HEADER_FUNCTION]
        (alone,) = Llvm().compile(unit._replace(wanted=number, address_map=True)).function_table()
        assert (alone.function, alone.size) == (function, whole[function].size)


def test_the_command_line_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "large.wasm").write_bytes(modules.floats(66000))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "WASMCORE_CACHE": "0"}
    command = [sys.executable, "-m", "wasmcore", "compile", "--backend", "llvm", str(tmp_path / "large.wasm")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "plain-Python" not in line]
    assert len(lines) == 1 and lines[0].startswith("wasmcore: function 0 is too large for O2 (")


@pytest.mark.slow
@pytest.mark.parametrize("size", [30_000, 100_000, 1_000_000])
@pytest.mark.parametrize("kind", sorted(modules.KINDS))
def test_giants(kind: str, size: int) -> None:
    source = modules.KINDS[kind](size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wasmcore.CompileWarning)
        instance = compiled(source)
    assert instance.exports.run(3) == other(source).exports.run(3)

"""The backend on its own: determinism, address maps, frames, options, what it refuses."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import wasmcore
from wasmcore._registry import host_target
from wasmcore.binary import decode
from wasmcore.errors import CompileError
from wasmcore.plugin.code import IN_INLINED, CompiledCode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter
from wasmcore_llvm import backend as backend_module
from wasmcore_llvm.backend import LARGE_FRAME, Llvm, frame_size
from wasmcore_llvm.target import llvm_target
from wasmcore_llvm.text.module import module_text
from wasmcore_llvm.text.state import Unit

KERNELS = sorted((Path(__file__).parents[3] / "benchmarks/kernels").glob("*.wasm"))

CALLS = """(module (memory 1) (table 2 funcref) (elem (i32.const 0) $a $b)
  (func $a (export "a") (param i32) (result i32) (i32.add (call $b (local.get 0)) (i32.load (local.get 0))))
  (func $b (export "b") (param i32) (result i32)
    (local $i i32)
    (loop $l (i32.store (local.get $i) (local.get 0))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 400))))
    (if (result i32) (local.get 0) (then (call $b (i32.sub (local.get 0) (i32.const 1)))) (else (call $c (f64.const 0.5)))))
  (func $c (param f64) (result i32) (i32.trunc_f64_s (f64.mul (local.get 0) (f64.const 3)))))"""


class Recorder(Llvm):
    """Keeps the units that it is given."""

    units: list[CompileUnit]

    def compile(self, unit: CompileUnit) -> CompiledCode:
        self.units.append(unit)
        return super().compile(unit)


def units(source: str | bytes, monkeypatch: pytest.MonkeyPatch) -> list[CompileUnit]:
    """The units of a module, compiled as a whole."""
    monkeypatch.delattr(Llvm, "lower", raising=False)
    engine = wasmcore.Engine("llvm", cache=False)
    recorder = Recorder()
    recorder.units = []
    monkeypatch.setattr(engine, "backend", recorder)
    wasmcore.Module(source, engine=engine)
    return recorder.units


@pytest.fixture(params=[CALLS.encode(), *(path.read_bytes() for path in KERNELS)], ids=["calls", *(path.stem for path in KERNELS)])
def unit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[CompileUnit]:
    source: bytes = request.param
    (one,) = units(source.decode() if source[:1] == b"(" else source, monkeypatch)
    yield one


def instructions(code: CompiledCode, number: int) -> list[str]:
    """One function disassembled, without the distances to constants and other functions."""
    capstone = pytest.importorskip("capstone")
    function = list(code.function_table())[number]
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    body = code.code[function.offset : function.offset + function.size]
    elsewhere = ("call 0x", "jmp 0x")
    texts = [(each.mnemonic, each.op_str) for each in disassembler.disasm(body, 0)]
    return [f"{name} {'' if 'rip' in operands or f'{name} {operands}'.startswith(elsewhere) else operands}" for name, operands in texts]


def chains(code: CompiledCode, number: int) -> list[tuple[int, list[int]]]:
    """The address map of one function: for each offset its place, in inlined bodies with those of the calls around."""
    function = list(code.function_table())[number]
    rows = list(struct.iter_unpack("<III", code.inlined))
    found = []
    for at, place in struct.iter_unpack("<II", code.address_map):
        if function.offset <= at < function.offset + function.size:
            chain = []
            while place & IN_INLINED:
                *own, place = rows[place ^ IN_INLINED]
                chain += own
            found.append((at - function.offset, [*chain, place]))
    return found


def test_equal_units_give_equal_code(unit: CompileUnit) -> None:
    assert Llvm().compile(unit) == Llvm().compile(unit)


def test_an_address_map_changes_nothing_else(unit: CompileUnit) -> None:
    plain, mapped = (Llvm().compile(unit._replace(address_map=wanted)) for wanted in (False, True))
    assert mapped._replace(address_map=b"", inlined=b"") == plain
    places = list(struct.iter_unpack("<II", mapped.address_map))
    assert places and places == sorted(places)
    offsets = {at for at, _ in places}
    assert offsets.issuperset(at for at, _ in plain.trap_table())


def test_the_wanted_function_is_what_it_is_in_its_unit(unit: CompileUnit) -> None:
    together = Llvm().compile(unit._replace(address_map=True))
    for number, function in enumerate(together.function_table()):
        alone = Llvm().compile(unit._replace(wanted=number, address_map=True))
        assert [each.function for each in alone.function_table()] == [function.function]
        assert instructions(alone, 0) == instructions(together, number)
        assert chains(alone, 0) == chains(together, number)


def test_levels(unit: CompileUnit) -> None:
    codes = {level: Llvm().compile(unit._replace(options=(("level", level),))).code for level in ("O0", "O1", "O3")}
    assert codes["O0"] != codes["O1"]


def test_portable_code_names_no_features(unit: CompileUnit) -> None:
    portable = Llvm().compile(unit._replace(options=(("portable", "yes"),)))
    assert portable.features == frozenset()
    assert portable == Llvm().compile(unit._replace(features=frozenset(), options=(("portable", "yes"),)))
    assert Llvm().compile(unit).features == unit.features


def test_large_frames_are_checked_before(monkeypatch: pytest.MonkeyPatch) -> None:
    locals_ = " ".join(["f64"] * 2200)
    sums = "(f64.add (local.get 2199) (f64.const 0.5))"
    sets = " ".join(f"(local.set {n} (f64.add (local.get {n - 1}) (call $g)))" for n in range(1, 2200))
    adds = " ".join(f"(local.set 0 (f64.add (local.get 0) (local.get {n})))" for n in range(1, 2200))
    source = f"""(module (func $g (result f64) (f64.const 1)) (func $f (export "f") (param $p f64) (result f64) (local {locals_})
      {sets} {adds} (if (f64.lt (local.get $p) (f64.const 0)) (then (return (call $f (local.get $p))))) {sums}))"""
    made = units(source, monkeypatch)
    code = Llvm().compile(made[0])
    big = list(code.function_table())[1]
    assert frame_size(llvm_target("x86_64"), code.code, big.offset) <= LARGE_FRAME
    exports = wasmcore.Instance(wasmcore.Module(source, engine=wasmcore.Engine("llvm"))).exports
    assert exports.f(1.0) == 2200.5
    with pytest.raises(wasmcore.Trap) as caught:
        exports.f(-1e300)
    assert caught.value.kind == wasmcore.TrapKind.STACK_OVERFLOW
    mapped = Llvm().compile(made[0]._replace(address_map=True))
    assert mapped._replace(address_map=b"", inlined=b"") == code


def test_what_is_not_implemented_is_named() -> None:
    source = """(module (memory 1 1 shared) (func (export "f") (drop (memory.atomic.notify (i32.const 0) (i32.const 0)))))"""
    engine = wasmcore.Engine("llvm", features=wasmcore.FEATURES)
    with pytest.raises(CompileError, match="memory.atomic.notify"):
        wasmcore.Module(source, engine=engine)


def test_a_frame_is_expected() -> None:
    with pytest.raises(wasmcore.PluginError, match="without a frame"):
        backend_module.frame_size(llvm_target("x86_64"), b"\xc3" * 16, 0)


def test_nothing_is_defined_twice() -> None:
    """Of two attribute groups or pieces of metadata with one number LLVM takes the last, without a word."""
    text = """(module (memory 1) (func $f (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "run") (param i32) (loop $l (i32.store (local.get 0) (call $f (local.get 0)))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 4)))))))"""
    info = decode(bytes(wasmcore.wat2wasm(text)))
    writer = StreamWriter(info)
    target = host_target()
    unit = Unit(CompileUnit.made_for(target, plan(info, (True,)), (), address_map=True), llvm_target(target.name), frozenset())
    lines = module_text(unit, tuple(writer.stream(number) for number in range(2))).splitlines()
    names = [line.split(" = ")[0] for line in lines if re.match(r"(attributes #|!)\w+ = ", line)]
    assert len(names) > 20 and len(set(names)) == len(names)

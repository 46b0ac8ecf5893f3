"""What a backend makes of a unit: the promises of `CompiledCode` and `Backend` that need no running code."""

from __future__ import annotations

import pickle
import threading
from itertools import pairwise
from struct import iter_unpack

import pytest

import wasmcore
from wasmcore.binary import decode
from wasmcore.opcodes import FEATURES
from wasmcore.plugin.code import CONTRACT, IN_INLINED, CompiledCode, FunctionCode
from wasmcore.plugin.hooks import Backend
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter

from . import test_calls, test_traps, wide

MODULES = {
    "wide": wide.link("call", 0),
    "wide tail": wide.link("return_call_ref", 0),
    "traps": test_traps.link(3, "", "\n".join(test_traps.BOTTOMS[kind] for kind in ("INTEGER_OVERFLOW", "MEMORY_OUT_OF_BOUNDS store"))),
    "writer": test_traps.WRITER,
    "shared": test_calls.SHARED_INNER,
    "upper bits": test_calls.UPPER_BITS,
}


def unit(name: str, backend: str, options: tuple[tuple[str, str], ...] = (), *, signals: bool = True) -> CompileUnit:
    """All functions of a module."""
    engine = wasmcore.Engine(backend)
    info = decode(bytes(wasmcore.wat2wasm(MODULES[name])))
    writer = StreamWriter(info)
    streams = tuple(writer.stream(index) for index in range(info.imported_functions, info.function_count))
    environment = plan(info, [signals] * len(info.memories))
    return CompileUnit(environment, streams, engine.target.name, engine.target.features(), signals=signals, options=options)


def check_tables(compiled: CompiledCode, made_from: CompileUnit) -> None:
    """Offsets are inside of the code and ascend, numbers are known ones."""
    functions = list(compiled.function_table())
    asked = [int.from_bytes(stream[:8], "little") for stream in made_from.streams]
    assert [function.function for function in functions] == asked, "in the order of the unit"
    assert all(function.size > 0 and 0 <= function.offset <= len(compiled.code) - function.size for function in functions)
    assert all(one.offset + one.size <= other.offset for one, other in pairwise(functions)), "functions do not overlap"
    traps = list(compiled.trap_table())
    assert traps == sorted(dict(traps).items()), "one kind for each place, ascending"
    assert all(offset < len(compiled.code) for offset, _ in traps)
    assert {kind for _, kind in traps} <= {kind.value for kind in wasmcore.TrapKind}
    for offset, _kind, function in iter_unpack("<III", compiled.relocations):
        assert offset < len(compiled.code) and function in asked
    places = list(iter_unpack("<II", compiled.address_map))
    assert [offset for offset, _ in places] == sorted(offset for offset, _ in places)
    words = max(len(stream) // 8 for stream in made_from.streams)
    rows = list(iter_unpack("<III", compiled.inlined))
    limits = {False: words, True: IN_INLINED + len(rows)}
    assert all(offset < len(compiled.code) and place < limits[place >= IN_INLINED] for offset, place in places)
    for number, (function, word, call) in enumerate(rows):
        assert function in asked and word < words and call < (words if call < IN_INLINED else IN_INLINED + number)
    assert compiled.target == made_from.target
    assert compiled.contract[0] == CONTRACT[0] and compiled.contract[1] <= CONTRACT[1]


@pytest.mark.parametrize("signals", [True, False], ids=["signals", "no signals"])
@pytest.mark.parametrize("name", MODULES)
def test_the_tables_of_compiled_code(backend: str, name: str, signals: bool) -> None:
    made_from = unit(name, backend, signals=signals)
    compiled = wasmcore.Engine(backend).backend.compile(made_from)
    check_tables(compiled, made_from)
    assert (compiled.backend, compiled.address_map) == (backend, b"")
    if not signals:
        assert compiled.traps == b"", "no instruction faults"


@pytest.mark.parametrize("name", MODULES)
def test_compiling_is_deterministic(backend: str, name: str) -> None:
    """Again, from a copy of the unit, on another thread, with an address map: the same bytes."""
    compiler = wasmcore.Engine(backend).backend
    made_from = unit(name, backend)
    first = compiler.compile(made_from)
    assert compiler.compile(pickle.loads(pickle.dumps(made_from))) == first
    found: list[CompiledCode] = []
    thread = threading.Thread(target=lambda: found.append(compiler.compile(made_from)))
    thread.start()
    thread.join()
    assert found == [first]
    mapped = compiler.compile(made_from._replace(address_map=True))
    assert mapped.address_map and mapped._replace(address_map=b"", inlined=b"") == first
    check_tables(mapped, made_from)


@pytest.mark.parametrize("name", MODULES)
def test_one_function_of_a_unit(backend: str, name: str) -> None:
    """It has the code that it has in the unit, as far as its size and its places show that."""
    compiler = wasmcore.Engine(backend).backend
    made_from = unit(name, backend)._replace(address_map=True)
    whole = compiler.compile(made_from)
    for number, function in enumerate(whole.function_table()):
        part = compiler.compile(made_from._replace(wanted=number))
        (alone,) = [each for each in part.function_table() if each.function == function.function]
        assert alone.size == function.size
        assert offsets(part, alone) == offsets(whole, function)


def offsets(compiled: CompiledCode, function: FunctionCode) -> list[int]:
    """Offsets in a function that the address map has."""
    found = [at - function.offset for at, _ in iter_unpack("<II", compiled.address_map)]
    return [at for at in found if 0 <= at < function.size]


def test_functions_can_be_compiled_alone(backend: str) -> None:
    """Any subset is a unit."""
    compiler = wasmcore.Engine(backend).backend
    whole = unit("traps", backend)
    for start, end in ((0, 1), (1, 3), (2, 4), (3, 4)):
        part = whole._replace(streams=whole.streams[start:end])
        check_tables(compiler.compile(part), part)


def test_every_option_compiles(backend: str) -> None:
    compiler: Backend = wasmcore.Engine(backend).backend
    for option, values in compiler.options.items():
        assert len(values) == len(set(values)) > 1
        for value in values[1:]:
            made_from = unit("writer", backend, ((option, value),))
            compiled = compiler.compile(made_from)
            check_tables(compiled, made_from)
            assert compiler.compile(made_from) == compiled


def test_code_uses_only_the_cpu_features_of_the_unit(backend: str) -> None:
    made_from = unit("wide", backend)
    compiler = wasmcore.Engine(backend).backend
    for features in (made_from.features, frozenset[str]()):
        assert compiler.compile(made_from._replace(features=features)).features <= features


def test_what_a_backend_says_of_itself(backend: str) -> None:
    compiler = wasmcore.backends()[backend]
    assert compiler.name == backend and compiler.version
    assert compiler.contract[0] == CONTRACT[0] and compiler.contract[1] <= CONTRACT[1]
    assert compiler.features <= set(FEATURES) and "mvp" in compiler.features
    assert compiler.targets and all(target in compiler.targets for target in wasmcore.targets())
    assert compiler.unit_size > 0 and isinstance(compiler.lazy, bool)


def test_a_feature_it_does_not_have_is_a_compile_error(backend: str) -> None:
    """Not a crash, and not wrong code."""
    missing = {
        "exceptions": '(module (tag $t) (func (export "f") (throw $t)))',
        "gc": '(module (func (export "f") (result i32) (i31.get_s (ref.i31 (i32.const 5)))))',
        "threads": '(module (memory 1 1 shared) (func (export "f") (result i32) (i32.atomic.load (i32.const 0))))',
        "simd": '(module (func (export "f") (result i32) (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4))))',
    }
    for feature, text in missing.items():
        if feature not in wasmcore.backends()[backend].features:
            with pytest.raises(wasmcore.CompileError):
                wasmcore.Module(text, engine=wasmcore.Engine(backend, lazy=False, features=FEATURES, cache=False))

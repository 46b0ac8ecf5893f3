"""What a backend makes of a unit: the promises of `CompiledCode` and `Backend` that need no running code."""

from __future__ import annotations

import pickle
import threading
from struct import iter_unpack

import pytest

import wasmcore
from wasmcore.binary import decode
from wasmcore.opcodes import FEATURES
from wasmcore.plugin.checking import check
from wasmcore.plugin.code import CONTRACT, CompiledCode, FunctionCode
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
    return CompileUnit.made_for(engine.target, environment, streams, signals=signals, options=options)


@pytest.mark.parametrize("signals", [True, False], ids=["signals", "no signals"])
@pytest.mark.parametrize("name", MODULES)
def test_the_tables_of_compiled_code(backend: str, name: str, signals: bool) -> None:
    made_from = unit(name, backend, signals=signals)
    compiled = wasmcore.Engine(backend).backend.compile(made_from)
    check(made_from, compiled)
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
    check(made_from, mapped)


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
        check(part, compiler.compile(part))


def test_every_option_compiles(backend: str) -> None:
    compiler: Backend = wasmcore.Engine(backend).backend
    for option, values in compiler.options.items():
        assert len(values) == len(set(values)) > 1
        for value in values[1:]:
            made_from = unit("writer", backend, ((option, value),))
            compiled = compiler.compile(made_from)
            check(made_from, compiled)
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

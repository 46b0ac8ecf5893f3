"""Broken modules, imports and arguments give the error that says so, and nothing else."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wasmcore

from ..differential.damage import damaged
from ..differential.generator import generate
from .modules import instance

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SEEDS = [path.read_bytes() for name in ("gcd", "collatz", "mandelbrot", "hello", "trap") for path in [EXAMPLES / f"{name}.wasm"]]
SEEDS += [generate(seed).to_bytes() for seed in range(20)]

QUICK = settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
LONG = settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck), derandomize=False)

IMPORTER = """(module
  (import "env" "twice" (func (param i32) (result i32)))
  (import "env" "memory" (memory 2 4))
  (import "env" "limit" (global (mut i64)))
  (func (export "add") (param i32 i64 f32) (result i64) (local.get 1))
)"""


def check(data: bytes, backend: str) -> None:
    """A module is refused with an offset inside it, or all of it compiles."""
    try:
        module = wasmcore.Module(data, engine=wasmcore.Engine(backend, lazy=False))
    except wasmcore.CompileError as error:
        assert error.offset is None or 0 <= error.offset <= len(data)
        assert str(error)
        return
    module._code(tuple(True for _ in module.info.memories))


def check_many(extent: settings, backend: str) -> None:
    """Check damaged modules, as many as the settings say."""

    @extent
    @given(st.randoms(use_true_random=False), st.sampled_from(SEEDS))
    def check_one(random: Random, data: bytes) -> None:
        check(damaged(random, data), backend)

    check_one()


def test_damaged_modules(backend: str) -> None:
    check_many(QUICK, backend)


@pytest.mark.slow
def test_damaged_modules_long(backend: str) -> None:
    check_many(LONG, backend)


@pytest.mark.parametrize("name", ["gcd", "hello"])
def test_every_prefix(name: str) -> None:
    data = (EXAMPLES / f"{name}.wasm").read_bytes()
    boundaries = 0
    for length in range(len(data)):
        try:
            wasmcore.validate(data[:length])
        except wasmcore.CompileError:
            continue
        boundaries += 1
    assert boundaries < 12, "only a cut between sections can leave a module"


def test_not_webassembly(tmp_path: Path, backend: str) -> None:
    text = tmp_path / "module.wasm"
    text.write_text("hello")
    with pytest.raises(wasmcore.CompileError, match="not a WebAssembly module"):
        wasmcore.Module(text, backend=backend)
    with pytest.raises(FileNotFoundError):
        wasmcore.Module(tmp_path / "missing.wasm", backend=backend)
    with pytest.raises(wasmcore.CompileError):
        wasmcore.Module(b"", backend=backend)


def test_unknown_backend() -> None:
    with pytest.raises(wasmcore.PluginError, match="nonsense"):
        wasmcore.Module(SEEDS[0], backend="nonsense")


def link(backend: str, **imports: object) -> str:
    """The message of the LinkError that these imports cause."""
    with pytest.raises(wasmcore.LinkError) as caught:
        instance(IMPORTER, backend, {"env": imports})
    return str(caught.value)


def test_missing_import(backend: str) -> None:
    message = link(backend)
    assert all(part in message for part in ("env", "twice", "i32")), message


def test_import_of_another_kind(backend: str) -> None:
    message = link(backend, twice=7)
    assert all(part in message for part in ("env", "twice", "func", "int")), message


def test_import_of_another_type(backend: str) -> None:
    other = instance('(module (func (export "f") (param i64)) (memory (export "m") 1))', backend).exports
    message = link(backend, twice=other.f)
    assert all(part in message for part in ("env", "twice", "i32", "i64")), message
    message = link(backend, twice=abs, memory=other.m)
    assert all(part in message for part in ("env", "memory", "2 4")), message
    message = link(backend, twice=abs, memory=wasmcore.Memory(2, 4), limit=3)
    assert all(part in message for part in ("env", "limit", "mut i64")), message


def importer(backend: str) -> wasmcore.Exports:
    """An instance with all imports."""
    imports = {"twice": abs, "memory": wasmcore.Memory(2, 4), "limit": wasmcore.Global(wasmcore.types.I64, 1, mutable=True)}
    return instance(IMPORTER, backend, {"env": imports}).exports


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2), (1, 2, 3.0, 4), ("1", 2, 3.0), (1.0, 2, 3.0), (1, None, 3.0), (1, 2, "3")])
def test_wrong_arguments(arguments: tuple[object, ...], backend: str) -> None:
    add = importer(backend).add
    with pytest.raises(TypeError) as caught:
        add(*arguments)
    assert str(caught.value)
    assert add(1, 2, 3.0) == 2


@pytest.mark.parametrize("arguments", [(2**32, 2, 3.0), (-(2**31) - 1, 2, 3.0), (1, 2**64, 3.0), (1, -(2**63) - 1, 3.0)])
def test_numbers_that_do_not_fit(arguments: tuple[object, ...], backend: str) -> None:
    add = importer(backend).add
    with pytest.raises(OverflowError):
        add(*arguments)
    assert add(1, 2, 3) == 2


def test_keyword_arguments(backend: str) -> None:
    with pytest.raises(TypeError):
        importer(backend).add(1, 2, c=3.0)


def test_a_host_function_that_returns_the_wrong_thing(backend: str) -> None:
    text = '(module (import "env" "f" (func $f (result i32))) (func (export "g") (result i32) (call $f)))'
    for wrong in ("text", None, (1, 2), 1.5):
        with pytest.raises(TypeError):
            instance(text, backend, {"env": {"f": lambda wrong=wrong: wrong}}).exports.g()
    with pytest.raises(OverflowError):
        instance(text, backend, {"env": {"f": lambda: 2**40}}).exports.g()

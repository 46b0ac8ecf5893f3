"""What a backend does not compile yet is named: function, instruction, feature, backend."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest

import wasmcore
from wasmcore import _registry
from wasmcore.errors import NotCompiledError

FUNCTIONS = {
    "struct.new": ("(drop (struct.new $s))", "garbage-collected objects (feature gc)"),
    "ref.i31": ("(drop (ref.i31 (i32.const 1)))", "garbage-collected objects (feature gc)"),
    "try_table": ("(try_table)", "exceptions (feature exceptions)"),
    "throw": ("(throw $e)", "exceptions (feature exceptions)"),
    "memory.atomic.notify": ("(drop (memory.atomic.notify (i32.const 0) (i32.const 0)))", "threads (feature threads)"),
}


def module(body: str, backend: str, lazy: bool | None = None) -> wasmcore.Module:
    text = f'(module (type $s (struct)) (tag $e) (memory 1) (func) (func $make {body}) (func (export "f") (call $make)))'
    return wasmcore.Module(text, engine=wasmcore.Engine(backend, lazy=lazy, features=wasmcore.FEATURES, cache=False))


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(backend: str, name: str, lazy: bool) -> None:
    body, feature = FUNCTIONS[name]
    with pytest.raises(NotCompiledError) as caught:
        wasmcore.Instance(module(body, backend, lazy)).exports.f()
    error = caught.value
    assert error.message == f"function 1 ($make): {name} needs {feature}, which the {backend} backend does not compile yet"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.opcode, again.function, again.offset) == (str(error), error.opcode, 1, error.offset)


def test_a_function_without_a_name(backend: str) -> None:
    with pytest.raises(NotCompiledError, match=r"^function 0: throw_ref needs exceptions \(feature exceptions\)"):
        text = '(module (func (throw_ref (ref.null exn))) (table (export "t") funcref (elem 0)))'
        exports = wasmcore.Instance(wasmcore.Module(text, backend=backend)).exports
        exports.t[0]()


def test_constant_expressions(backend: str) -> None:
    text = "(module (type $s (struct)) (global (ref $s) (struct.new $s)))"
    with pytest.raises(wasmcore.CompileError, match=r"constant expression: struct.new needs garbage-collected objects \(feature gc\)"):
        wasmcore.Instance(wasmcore.Module(text, backend=backend))


def test_a_backend_that_can_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    able = SimpleNamespace(features=frozenset({"gc"}))
    other = SimpleNamespace(features=frozenset({"simd"}))
    monkeypatch.setattr(_registry, "backends", lambda: {"able": able, "other": other, "third": able})
    with pytest.raises(NotCompiledError, match="which the singlepass backend does not compile yet; able and third may"):
        wasmcore.Instance(module("(drop (struct.new $s))", "singlepass")).exports.f()

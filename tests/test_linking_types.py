"""Linking by defined types: recursion groups, subtypes, typed function references, tags."""

from __future__ import annotations

import pytest

import wasmcore

PAIR = "(rec (type $a (func (result (ref null $b)))) (type $b (func (result (ref null $a)))))"
ALONE = "(type $a (func (result (ref null $a))))"
OPEN = "(type $super (sub (func))) (type $below (sub $super (func)))"


def link(exporter: str, importer: str, backend: str) -> wasmcore.Instance:
    """An instance of the second module, with the exports of the first as its imports from `m`."""
    first = wasmcore.Instance(wasmcore.Module(f"(module {exporter})", backend=backend))
    return wasmcore.Instance(wasmcore.Module(f"(module {importer})", backend=backend), {"m": first})


FITTING = [
    (f'{PAIR} (func (export "x") (type $a) ref.null $b)', f'(type (func)) {PAIR} (import "m" "x" (func (type $a)))'),
    (f'{OPEN} (func (export "x") (type $below))', f'{OPEN} (import "m" "x" (func (type $super)))'),
    (f'{OPEN} (global (export "x") (ref null $below) (ref.null $below))', f'{OPEN} (import "m" "x" (global (ref null $super)))'),
    ('(func $f) (elem declare func $f) (global (export "x") funcref (ref.func $f))', '(import "m" "x" (global funcref))'),
    ('(func $f (export "f")) (global (export "x") (ref func) (ref.func $f))', '(import "m" "x" (global funcref))'),
    ('(tag (export "x") (param i32))', '(import "m" "x" (tag (param i32)))'),
    (f'{OPEN} (table (export "x") 1 (ref null $super))', f'{OPEN} (import "m" "x" (table 1 (ref null $super)))'),
    ('(memory (export "x") i64 1)', '(import "m" "x" (memory i64 1))'),
]
UNFITTING = [
    (f'{PAIR} (func (export "x") (type $a) ref.null $b)', f'{ALONE} (import "m" "x" (func (type $a)))'),
    (f'{OPEN} (func (export "x") (type $super))', f'{OPEN} (import "m" "x" (func (type $below)))'),
    (f'{OPEN} (global (export "x") (ref null $super) (ref.null $super))', f'{OPEN} (import "m" "x" (global (ref null $below)))'),
    (
        f'{OPEN} (global (export "x") (mut (ref null $below)) (ref.null $below))',
        f'{OPEN} (import "m" "x" (global (mut (ref null $super))))',
    ),
    ('(global (export "x") externref (ref.null extern))', '(import "m" "x" (global funcref))'),
    ('(tag (export "x") (param i32))', '(import "m" "x" (tag (param i64)))'),
    (f'{OPEN} (table (export "x") 1 (ref null $below))', f'{OPEN} (import "m" "x" (table 1 (ref null $super)))'),
    ('(memory (export "x") i64 1)', '(import "m" "x" (memory 1))'),
    ('(memory (export "x") 1)', '(import "m" "x" (table 1 funcref))'),
]


@pytest.mark.parametrize("exporter, importer", FITTING)
def test_types_that_fit(exporter: str, importer: str, backend: str) -> None:
    link(exporter, importer, backend)


@pytest.mark.parametrize("exporter, importer", UNFITTING)
def test_types_that_do_not_fit(exporter: str, importer: str, backend: str) -> None:
    with pytest.raises(wasmcore.LinkError, match=r"incompatible import type: m\.x"):
        link(exporter, importer, backend)


def test_typed_function_references_from_python(backend: str) -> None:
    module = wasmcore.Module(
        """(module
          (type $binary (func (param i32 i32) (result i32)))
          (func (export "add") (type $binary) (i32.add (local.get 0) (local.get 1)))
          (func (export "other"))
          (func (export "give") (param (ref null $binary)) (result (ref null $binary)) (local.get 0)))""",
        backend=backend,
    )
    exports = wasmcore.Instance(module).exports
    assert exports.give(exports.add)(2, 3) == 5
    assert exports.give(None) is None
    assert exports.give(wasmcore.Func(["i32", "i32"], ["i32"], max))(2, 3) == 3
    with pytest.raises(TypeError, match="another type"):
        exports.give(exports.other)
    with pytest.raises(TypeError, match="function reference is expected"):
        exports.give(5)


def test_tags_are_themselves_only(backend: str) -> None:
    tag = wasmcore.Tag(["i32"])
    module = wasmcore.Module(
        '(module (import "m" "x" (tag $t (param i32))) (export "t" (tag $t)) (tag (export "own") (param i32)))', backend=backend
    )
    exports = wasmcore.Instance(module, {"m": {"x": tag}}).exports
    assert exports.t is tag
    assert exports.own is not tag and exports.own.type == tag.type


def test_indirect_calls_take_functions_of_subtypes(backend: str) -> None:
    module = wasmcore.Module(
        f"""(module {OPEN}
          (type $top (sub (func (param i32 f64 i64) (result i32 f64))))
          (type $leaf (sub final $top (func (param i32 f64 i64) (result i32 f64))))
          (func $top (type $top) (local.get 0) (local.get 1))
          (func $leaf (type $leaf) (i32.wrap_i64 (local.get 2)) (local.get 1))
          (func $other (type $super))
          (table 4 funcref) (elem (i32.const 0) $top $leaf $other)
          (func (export "call") (param i32) (result i32 f64)
            (call_indirect (type $top) (i32.const 7) (f64.const 0.5) (i64.const 9) (local.get 0)))
          (func (export "tail") (param i32) (result i32 f64)
            (return_call_indirect (type $leaf) (i32.const 7) (f64.const 0.5) (i64.const 9) (local.get 0))))""",
        backend=backend,
    )
    exports = wasmcore.Instance(module).exports
    assert [exports.call(0), exports.call(1), exports.tail(1)] == [(7, 0.5), (9, 0.5), (9, 0.5)]
    for function, index, kind in (
        (exports.tail, 0, "INDIRECT_CALL_TYPE_MISMATCH"),
        (exports.call, 2, "INDIRECT_CALL_TYPE_MISMATCH"),
        (exports.call, 3, "UNINITIALIZED_ELEMENT"),
        (exports.call, 4, "UNDEFINED_ELEMENT"),
    ):
        with pytest.raises(wasmcore.Trap) as caught:
            function(index)
        assert caught.value.kind.name == kind
        assert [frame.function_index for frame in caught.value.frames] == [3 if function is exports.call else 4]


def test_features_of_an_engine() -> None:
    text = "(module (memory 1) (memory 1))"
    without = wasmcore.Engine(features=wasmcore.DEFAULT_FEATURES - {"multi_memory"})
    wasmcore.Module(text)
    with pytest.raises(wasmcore.ValidationError, match="multi_memory"):
        wasmcore.Module(text, engine=without)
    with pytest.raises(wasmcore.DecodeError, match="threads"):
        wasmcore.validate(wasmcore.wat2wasm("(module (memory 1 1 shared))"))
    wasmcore.validate(wasmcore.wat2wasm("(module (memory 1 1 shared))"), features=wasmcore.DEFAULT_FEATURES | {"threads"})
    with pytest.raises(ValueError, match="no such feature: thraeds"):
        wasmcore.Engine(features={"thraeds"})


def test_options_of_an_engine(backend: str) -> None:
    with pytest.raises(TypeError, match="has no option 'nonsense'"):
        wasmcore.Engine(backend, options={"nonsense": "1"})

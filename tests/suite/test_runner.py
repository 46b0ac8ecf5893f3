"""The script runner itself: what a script says is checked, and what is wrong is found and named."""

from __future__ import annotations

import pytest

import wasmcore
from wasmcore.errors import TextError
from wasmcore.script import Outcome, read_script, run_script

MODULE = """
(module $numbers
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "v128") (param v128) (result v128) (local.get 0))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func $func (export "func") (result funcref) (ref.func $func))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func $forever (export "forever") (call $forever))
  (global (export "answer") i32 (i32.const 42))
)
"""


def outcomes(script: str, backend: str) -> list[Outcome]:
    return run_script(read_script(script), wasmcore.Engine(backend)).outcomes


def error_of(command: str, backend: str) -> str | None:
    """What went wrong with a command about the module above."""
    return outcomes(MODULE + command, backend)[-1].error


GOOD = [
    '(assert_return (invoke "add" (i32.const 1) (i32.const 0x7fffffff)) (i32.const -2147483648))',
    '(assert_return (invoke "swap" (i32.const 1) (i64.const -1)) (i64.const 0xffff_ffff_ffff_ffff) (i32.const 1))',
    '(assert_return (invoke "f32" (f32.const nan:0x200000)) (f32.const nan:0x200000))',
    '(assert_return (invoke "f32" (f32.const -nan)) (f32.const nan:canonical))',
    '(assert_return (invoke "f32" (f32.const nan:0x600000)) (f32.const nan:arithmetic))',
    '(assert_return (invoke "f64" (f64.const nan:0x4000000000001)) (f64.const nan:0x4000000000001))',
    '(assert_return (invoke "f64" (f64.const -0x1.8p+1)) (f64.const -3.0))',
    '(assert_return (invoke "v128" (v128.const f32x4 1 nan 3 4)) (v128.const f32x4 1 nan:canonical 3 4))',
    '(assert_return (invoke "v128" (v128.const i16x8 1 2 3 4 5 6 7 -1)) (v128.const i32x4 0x20001 0x40003 0x60005 0xffff0007))',
    '(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (either (i32.const 4) (i32.const 3)))',
    '(assert_return (invoke "extern" (ref.extern 7)) (ref.extern 7))',
    '(assert_return (invoke "extern" (ref.extern 7)) (ref.extern))',
    '(assert_return (invoke "extern" (ref.null extern)) (ref.null))',
    '(assert_return (invoke "func") (ref.func))',
    '(assert_return (get "answer") (i32.const 42))',
    '(assert_return (get $numbers "answer") (i32.const 42))',
    '(assert_trap (invoke "divide" (i32.const 1) (i32.const 0)) "integer divide by zero")',
    '(assert_exhaustion (invoke "forever") "call stack exhausted")',
    '(invoke "add" (i32.const 1) (i32.const 2))',
    '(assert_invalid (module (func (result i32))) "type mismatch")',
    '(assert_malformed (module quote "(func (result i33))") "unexpected token")',
    '(assert_malformed (module binary "\\00asm\\02\\00\\00\\00") "unknown binary version")',
    '(assert_unlinkable (module (import "" "nothing" (func))) "unknown import")',
    '(assert_trap (module (func $f unreachable) (start $f)) "unreachable")',
    '(module definition $later (func (export "f"))) (module instance $one $later) (invoke $one "f")',
    '(register "n") (module (import "n" "add" (func (param i32 i32) (result i32))))',
]

WRONG = [
    ('(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 4))', "expected i32 0x00000004, found i32 0x00000003"),
    ('(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i64.const 3))', "expected i64 0x0000000000000003, found i32 0x00000003"),
    ('(assert_return (invoke "add" (i32.const 1) (i32.const 2)))', "expected nothing, found i32 0x00000003"),
    ('(assert_return (invoke "add" (i32.const 1)) (i32.const 3))', "TypeError"),
    (
        '(assert_return (invoke "f32" (f32.const nan:0x200000)) (f32.const nan))',
        "expected f32 0x7fc00000 (nan), found f32 0x7fa00000 (nan)",
    ),
    ('(assert_return (invoke "f32" (f32.const nan:0x200000)) (f32.const nan:arithmetic))', "expected f32 arithmetic NaN"),
    ('(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:canonical))', "expected f32 canonical NaN"),
    ('(assert_return (invoke "f64" (f64.const 0)) (f64.const -0))', "expected f64 0x8000000000000000 (-0.0), found f64 0x0000000000000000"),
    (
        '(assert_return (invoke "v128" (v128.const f64x2 1 2)) (v128.const f64x2 1 nan:canonical))',
        "v128 of f64 0x3ff0000000000000 (1.0), f64",
    ),
    ('(assert_return (invoke "extern" (ref.extern 7)) (ref.extern 8))', "expected extern reference 8"),
    ('(assert_return (invoke "extern" (ref.extern 7)) (ref.null extern))', "expected null reference"),
    ('(assert_return (invoke "answer"))', "'answer' is no function"),
    ('(assert_return (get "add") (i32.const 1))', "'add' is no global"),
    ('(module (func (result i32)))(invoke "add" (i32.const 1) (i32.const 2))', "there is no instance"),
    ('(assert_return (invoke "nothing"))', "nothing is exported as 'nothing'"),
    ('(assert_return (invoke $nobody "add"))', "there is no instance nobody"),
    (
        '(assert_trap (invoke "divide" (i32.const 1) (i32.const 1)) "integer divide by zero")',
        "expected the trap 'integer divide by zero', found none",
    ),
    ('(assert_trap (invoke "divide" (i32.const 1) (i32.const 0)) "integer overflow")', "found 'integer divide by zero'"),
    ('(assert_exhaustion (invoke "add" (i32.const 1) (i32.const 1)) "call stack exhausted")', "found none"),
    ('(assert_invalid (module (func)) "type mismatch")', "expected a module that is invalid (type mismatch), found nothing wrong"),
    (
        '(assert_invalid (module binary "\\00as") "type mismatch")',
        "expected a module that is invalid (type mismatch), found unexpected end",
    ),
    (
        '(assert_malformed (module quote "(func (result i32))") "unexpected")',
        "expected a module that is malformed (unexpected), found type mismatch",
    ),
    ('(assert_malformed (module quote "(func)") "unexpected token")', "found nothing wrong"),
    ('(assert_unlinkable (module) "unknown import")', "found nothing wrong"),
    ("(module (func (result i32) (i64.const 0)))", "ValidationError: type mismatch"),
    ("(module (func (result i33)))", "TextError: "),
    ("(module instance $one $nobody)", "no module nobody"),
    ('(thread $t (invoke "f"))', "threads are not implemented"),
]


@pytest.mark.parametrize("command", GOOD)
def test_what_is_right_passes(command: str, backend: str) -> None:
    assert error_of(command, backend) is None


@pytest.mark.parametrize("command, message", WRONG, ids=[command for command, _ in WRONG])
def test_what_is_wrong_is_named(command: str, message: str, backend: str) -> None:
    assert message in (error_of(command, backend) or "")


def test_a_failure_does_not_stop_the_script(backend: str) -> None:
    found = outcomes(
        MODULE + '(invoke "nothing")\n(module (func (result i33)))\n(invoke $numbers "add" (i32.const 1) (i32.const 2))', backend
    )
    assert [outcome.error is None for outcome in found] == [True, False, False, True]
    assert [outcome.line for outcome in found] == [2, 14, 15, 16]


def test_commands_count_for_the_newest_feature_of_their_module(backend: str) -> None:
    script = """
    (module (func (export "f")))
    (invoke "f")
    (module (func (export "f") (result v128) (v128.const i32x4 0 0 0 0)))
    (invoke "f")
    (module (memory 1) (memory 1) (func (export "f")))
    (invoke "f")
    (assert_invalid (module (func (result i32))) "type mismatch")
    """
    subjects = [outcome.subject for outcome in outcomes(script, backend)]
    assert subjects == ["mvp", "mvp", "simd", "simd", "multi_memory", "multi_memory", "invalid"]


def test_a_source_of_fields_is_a_module(backend: str) -> None:
    assert [outcome.error for outcome in outcomes('(func (export "f")) (memory 1)', backend)] == [None]


@pytest.mark.parametrize(
    "script, message, line, column",
    [
        ("(module)\n(assert_retrun)", "assert_retrun", 2, 2),
        ('(module)\n(assert_return (call "f"))', "call", 2, 17),
        ('(module (func (export "f")))\n  (assert_return (invoke "f") (i32.konst 0))', "i32.konst", 2, 32),
        ("(module", "unexpected token", 1, 8),
        ('(assert_return (invoke "f" (f32.const nan:canonical)))', "a constant expected", 1, 28),
    ],
)
def test_malformed_scripts(script: str, message: str, line: int, column: int) -> None:
    with pytest.raises(TextError) as caught:
        list(read_script(script))
    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)

"""The toy computes what another engine computes, traps where that traps, and says what it does not compile."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

import wasmcore
from wasmcore.errors import NotCompiledError
from wasmcore.plugin.checking import check
from wasmcore_toy.plugin import Toy

INTEGERS = (0, 1, 2, 7, 31, 32, 63, 255, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, -1, -7)
BINARY = "add sub mul and or xor shl shr_s shr_u rotl rotr div_s div_u rem_s rem_u eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u".split()
UNARY = {"i32": "clz ctz popcnt eqz extend8_s extend16_s".split(), "i64": "clz ctz popcnt eqz extend8_s extend16_s extend32_s".split()}
COMPARISONS = ("eq", "ne", "lt", "gt", "le", "ge")


def text_of(kind: str, name: str) -> str:
    """A function that does one instruction."""
    operands = 2 if name in BINARY else 1
    result = "i32" if name == "eqz" or name[:2] in COMPARISONS else kind
    gets = " ".join(f"(local.get {n})" for n in range(operands))
    return f'(func (export "{kind}.{name}") (param {" ".join([kind] * operands)}) (result {result}) ({kind}.{name} {gets}))'


NUMBERS = f"(module {' '.join(text_of(kind, name) for kind, names in UNARY.items() for name in (*BINARY, *names))})"
CONTROL = """(module
  (memory (export "memory") 1 3) (global $count (export "count") (mut i64) (i64.const 5))
  (table 4 funcref) (elem (i32.const 0) $square $fib)
  (type $one (func (param i32) (result i32)))
  (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "sum") (param i32) (result i64) (local i64)
    (block $done (loop $again
      (br_if $done (i32.eqz (local.get 0)))
      (local.set 1 (i64.add (local.get 1) (i64.extend_i32_u (local.get 0))))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br $again)))
    (global.set $count (i64.add (global.get $count) (i64.const 1))) (local.get 1))
  (func (export "choose") (param i32) (result i32)
    (block $c (block $b (block $a (br_table $a $b $c (local.get 0))) (return (i32.const 10))) (return (i32.const 20))) (i32.const 30))
  (func (export "indirect") (param i32 i32) (result i32) (call_indirect (type $one) (local.get 1) (local.get 0)))
  (func (export "swap") (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
  (func (export "deep") (param i32) (result i32) (select (i32.const 1) (i32.const 2) (local.get 0)))
  (func (export "bytes") (param i32 i64) (result i64)
    (i64.store (local.get 0) (local.get 1)) (i32.store8 offset=3 (local.get 0) (i32.const 0xAA))
    (i64.add (i64.load (local.get 0))
      (i64.add (i64.load8_s offset=3 (local.get 0)) (i64.extend_i32_s (i32.load16_s offset=2 (local.get 0))))))
  (func (export "grow") (param i32) (result i32) (drop (memory.grow (local.get 0))) (memory.size))
  (func $forever (export "forever") (loop (br 0))) (func $recurse (export "recurse") (call $recurse)))"""
CALLS = {
    "fib": [(15,)], "sum": [(0,), (10,), (1000,)], "choose": [(0,), (1,), (2,), (9,)], "deep": [(0,), (1,)],
    "indirect": [(0, 9), (1, 10), (2, 1), (4, 1), (-1, 1)], "swap": [(1, -2)], "grow": [(0,), (1,), (9,)],
    "bytes": [(0, 0x1122334455667788), (65528, -1), (65529, 1), (-1, 1)], "recurse": [()],
}  # fmt: skip


@pytest.fixture(params=["signals", "checked", "no signals"])
def engine(request: pytest.FixtureRequest) -> wasmcore.Engine:
    return wasmcore.Engine("toy", guard=None if request.param == "signals" else False, signals=request.param != "no signals", cache=False)


def outcome(function: Any, arguments: tuple[int, ...]) -> Any:
    """What comes of a call: a result, or that it trapped."""
    try:
        found = function(*arguments)
    except (wasmcore.Trap, wasmtime.Trap, wasmtime.WasmtimeError):
        return "trap"
    return tuple(found) if isinstance(found, (list, tuple)) else found


def theirs(text: str) -> dict[str, Any]:
    """The functions of a module in the other engine."""
    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, text), []).exports(store)
    return {name: lambda *a, f=value: f(store, *a) for name, value in exports.items() if isinstance(value, wasmtime.Func)}


def test_all_numbers(engine: wasmcore.Engine) -> None:
    ours, others = wasmcore.Instance(wasmcore.Module(NUMBERS, engine=engine)).exports, theirs(NUMBERS)
    for name, other in others.items():
        bits = int(name[1:3])
        values = [(value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1) for value in INTEGERS]
        arguments = [(a, b) for a in values for b in values] if name.partition(".")[2] in BINARY else [(a,) for a in values]
        for given in arguments:
            assert outcome(ours[name], given) == outcome(other, given), (name, given)


def test_control_calls_and_memory(engine: wasmcore.Engine) -> None:
    ours, others = wasmcore.Instance(wasmcore.Module(CONTROL, engine=engine)).exports, theirs(CONTROL)
    for name, calls in CALLS.items():
        for given in calls:
            assert outcome(ours[name], given) == outcome(others[name], given), (name, given)
    assert ours.count.value == 8


def test_what_it_makes_passes_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    compile_unit = Toy.compile

    def compile_and_check(self: Toy, unit: Any) -> Any:
        unit = unit._replace(address_map=True)
        made = compile_unit(self, unit)
        check(unit, made)
        seen.append(unit)
        return made

    monkeypatch.setattr(Toy, "compile", compile_and_check)
    for text in (NUMBERS, CONTROL):
        wasmcore.Module(text, engine=wasmcore.Engine("toy", lazy=False, cache=False))
    assert seen


def test_what_it_does_not_compile_is_named() -> None:
    module = wasmcore.Module('(module (func (export "f") (result f64) (f64.sqrt (f64.const 2))))', backend="toy")
    with pytest.raises(NotCompiledError, match=r"f64.sqrt needs mvp \(feature mvp\), which the toy backend does not compile yet"):
        wasmcore.Instance(module).exports.f()


def test_an_endless_loop_can_be_ended(engine: wasmcore.Engine) -> None:
    import signal

    def end(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1, 1)
        with pytest.raises(TimeoutError):
            wasmcore.Instance(wasmcore.Module(CONTROL, engine=engine)).exports.forever()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


INNER = """(module (func (export "twice") (param i64 f64 i32) (result f64 i64)
  (local.get 1) (i64.add (local.get 0) (i64.extend_i32_s (local.get 2)))))"""
OUTER = """(module (import "e" "twice" (func $t (param i64 f64 i32) (result f64 i64)))
  (func (export "f") (param i64 f64 i32) (result f64 i64) (call $t (local.get 0) (local.get 1) (local.get 2))))"""


def test_functions_of_other_backends_are_called() -> None:
    inner = wasmcore.Instance(wasmcore.Module(INNER, backend="singlepass"))
    outer = wasmcore.Instance(wasmcore.Module(OUTER, backend="toy"), {"e": inner})
    assert outer.exports.f(5, 2.5, 7) == (2.5, 12)

"""Modules in the text format: what they become, what is refused and where, and how deep they may be nested."""

from __future__ import annotations

import pytest
import wasmtime

from wasmcore._build import COMPILED
from wasmcore.binary import decode
from wasmcore.errors import TextError
from wasmcore.opcodes import FEATURES, OPCODES, Immediates
from wasmcore.text import keywords, operands, types
from wasmcore.text import wat2wasm as public_wat2wasm
from wasmcore.text.module import wat2wasm

ALL = frozenset(FEATURES)
HEADER = bytes.fromhex("0061736d01000000")


def without_names(wasm: bytes) -> bytes:
    """A small module without its name section, which is the last."""
    at = wasm.find(b"\x04name")
    return wasm if at < 0 else wasm[: at - 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("(module)", ""),
        ("(module quote)", ""),
        ('(module binary "\\00asm" "\\01\\00\\00\\00")', ""),
        ('(module quote "(mem" "ory 1)")', "0503010001"),
        ("(memory 1)", "0503010001"),
        ("(memory i64 1 0x1_0000_0000)", "05080105018080808010"),
        ("(memory 1 2 shared)", "050401030102"),
        ("(memory 0 (pagesize 1))", "050401080000"),
        ('(memory (pagesize 1) (data "abc"))', "05050109030300" + "0b09010041000b03616263"),
        ("(func)", "010401600000 03020100 0a040102000b"),
        ("(func (local i32 i32) (local i64) (local i32 f32))", "010401600000 03020100 0a0c010a04027f017e017f017d0b"),
        ("(table 1 funcref (ref.null func))", "040901400070 0001d0700b"),
        ("(global (mut i64) (i64.const -9223372036854775808))", "060f017e0142808080808080808080 7f0b"),
        ("(type (sub final (func))) (type (sub (func)))", "010902600000 5000600000"),
        ("(rec (type $a (struct (field (ref null $b)))) (type $b (array (mut i8))))", "010b014e02 5f01630100 5e7801"),
        ("(func v128.const i16x8 1 -1 0xffff 0 0 0 0 0 drop)", "010401600000 03020100 0a17011500fd0c0100ffffffff000000000000000000001a0b"),
    ],
)
def test_bytes(text: str, expected: str) -> None:
    wasm = wat2wasm(text)
    assert without_names(wasm) == HEADER + bytes.fromhex(expected)
    assert public_wat2wasm(text.encode()) == wasm


ABBREVIATIONS = [
    ('(func (export "a") (export "b"))', '(export "a" (func 0)) (export "b" (func 0)) (func)'),
    ('(func $f (export "e") (import "m" "n") (param i32))', '(import "m" "n" (func $f (param i32))) (export "e" (func $f))'),
    ('(table (import "m" "n") 1 2 externref)', '(import "m" "n" (table 1 2 externref))'),
    ('(memory (import "m" "n") i64 1)', '(import "m" "n" (memory i64 1))'),
    ('(global (import "m" "n") (mut i32))', '(import "m" "n" (global (mut i32)))'),
    ('(tag (import "m" "n") (param i32))', '(import "m" "n" (tag (param i32)))'),
    ("(func (param i32 i64) (result f32 f64) unreachable)", "(func (param i32) (param i64) (result f32) (result f64) unreachable)"),
    ("(func (param i32))", "(type (func (param i32))) (func (type 0))"),
    ("(func (param i32)) (type (func))", "(type (func)) (type (func (param i32))) (func (type 1))"),
    ("(func (type 0) (local.get 0)) (type (func (param i32) (result i32)))", "(func (param $x i32) (result i32) local.get 0)"),
    ('(memory (data "a" "b\\00"))', '(memory 1 1) (data (i32.const 0) "ab\\00")'),
    ("(table funcref (elem 0 0)) (func)", "(table 2 2 funcref) (elem (table 0) (i32.const 0) func 0 0) (func)"),
    ("(table i64 funcref (elem 0)) (func)", "(table i64 1 1 funcref) (elem (table 0) (i64.const 0) func 0) (func)"),
    ("(table 1 funcref) (elem (i32.const 0) 0) (func)", "(table 1 funcref) (elem (offset (i32.const 0)) func 0) (func)"),
    ("(elem funcref (ref.func 0) (item ref.func 0)) (func)", "(elem funcref (item (ref.func 0)) (item (ref.func 0))) (func)"),
    ("(memory 1) (func (memory.fill) (memory.copy))", "(memory 1) (func (memory.fill 0) (memory.copy 0 0))"),
    ("(func (select (result i32) (result)))", "(func (select (result i32)))"),
    ("(func i32.const 4294967295 drop)", "(func i32.const -1 drop)"),
    ("(memory 1) (func (i32.load offset=0 align=4 (i32.const 0)) drop)", "(memory 1) (func i32.const 0 i32.load drop)"),
    (
        "(func (if (result i32) (i32.const 1) (then (i32.const 2)) (else (i32.const 3))) drop)",
        "(func i32.const 1 if (result i32) i32.const 2 else i32.const 3 end drop)",
    ),
    ("(func (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3))))", "(func i32.const 1 i32.const 2 i32.const 3 i32.mul i32.add)"),
    ("(func (block (loop (nop) br 0)))", "(func block loop nop br 0 end end)"),
    ("(func (ref.test (ref null any)) (ref.cast (ref eq)))", "(func (ref.test anyref) ref.cast (ref eq))"),
    ("(module (func $f) (start $f))", "(func $f) (start 0)"),
    ("(func (param funcref (ref null func) (ref null any) (ref any)))", "(func (param (ref null func) funcref anyref (ref any)))"),
]


@pytest.mark.parametrize(("short", "long"), ABBREVIATIONS)
def test_abbreviations(short: str, long: str) -> None:
    assert without_names(wat2wasm(short)) == without_names(wat2wasm(long))


LIKE_WASMTIME = [
    *(text for pair in ABBREVIATIONS for text in pair),
    '(module $m (@name "other") (func $f (@name "F") (param $p i32) (local i32) (local $l f32) (block $b (loop $c (block))))'
    ' (table $t 1 funcref) (memory $mem 1) (global $g i32 (i32.const 0)) (tag $e) (elem $el func) (data $d "")'
    " (type $s (struct (field $x i32) (field i64 (mut i8)) (field $y (mut i16)))) (type $ft (func (param $named i32))))",
    '(module (@custom "a" "1" "2") (@custom "b" (before type)) (@custom "c" (after func) "x") (@custom "d" (before first)) (func $f))',
    '(func (@metadata.code.branch_hint "\\01") (if (i32.const 0) (then)) i32.const 1 (@metadata.code.branch_hint "\\00") br_if 0)',
    "(func (call_indirect (param i64) (block (param f32) (drop) (f32.const 0)) (i64.const 0) (i32.const 0))) (table 1 funcref)",
    "(func (block $a (block $a (br $a) (block $b (br_table $a $b 3 $b)))))",
    "(func (block $x (try_table $x (catch $e $x) (catch_all_ref 0) (br $x)))) (tag $e)",
    "(func (br_on_cast 0 anyref (ref null i31)) (br_on_cast_fail 0 (ref any) (ref 0))) (type (struct))",
    '(memory $a 1) (memory $b 1) (data $d "x") (func (memory.init $b $d) (memory.init $d) (memory.copy $a $b)'
    " (i32.load $b offset=70000 align=1))",
    "(memory 1) (func (v128.load8_lane 1) (v128.load8_lane offset=3 1) (v128.load8_lane 0 1) (v128.store64_lane 0 align=1 1))",
    '(type $a (array i8)) (data $d "x") (func (array.new_data $a $d)) (global (ref $a) (array.new_data $a $d (i32.const 0) (i32.const 1)))',
    "(type $s (struct (field $x i32) (field $y (mut i64)))) (func (struct.get $s $y) (struct.set $s 1) (array.new_fixed $s 3))",
    "(table $t 1 externref) (elem $e externref (ref.null extern))"
    " (func (table.init $t $e) (table.init $e) (table.copy) (table.grow $t) (table.size))",
    "(memory 1) (data (memory 0) (i32.const 0)) (table 0 funcref) (elem (table 0) (i32.const 0) funcref) (elem declare func 0) (func)",
    "(func (i64.add128) (i64.mul_wide_u) (i32.relaxed_trunc_f32x4_s))".replace(
        "(i32.relaxed_trunc_f32x4_s)", "(i32x4.relaxed_trunc_f32x4_s)"
    ),
    "(memory 1 1 shared) (func (atomic.fence) (i32.atomic.rmw8.cmpxchg_u offset=1 align=1) (memory.atomic.notify))",
    "(func (param i32) (block (type 0) drop) (loop (param i32) (result i32 i32) (local.get 0)) drop drop) ",
    '(func $"a b" (call $"a\\20b") (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 31))',
    "(func (f32.const nan:0x1) (f32.const 0x1.8p-149) (f64.const -inf) (v128.const f32x4 nan 1 -0 1e-45) (v128.const i64x2 -1 1))",
]


@pytest.mark.parametrize("text", LIKE_WASMTIME)
def test_like_wasmtime(text: str) -> None:
    assert wat2wasm(text) == bytes(wasmtime.wat2wasm(text))


def test_type_uses_follow_the_specification() -> None:
    """A group of one final type without supertypes is what a function type stands for; an open type is not."""
    module = decode(wat2wasm("(type (sub (func))) (rec (type (func (param i32)))) (func) (func (param i32))"), ALL)
    assert [module.function_type_index(index) for index in range(2)] == [2, 1]


ERRORS = [
    ("(module\n  (func (i32.foo)))", "unknown operator i32.foo", 2, 10),
    ("(module\n\t(func i32.const))", "unexpected token ), expected an i32", 2, 17),
    ("(func i32.const 4294967296)", "constant out of range", 1, 17),
    ("(func local.get $x)", "unknown local $x", 1, 17),
    ("(func call $f)", "unknown func $f", 1, 12),
    ("(func br $l)", "unknown label $l", 1, 10),
    ("(func (block $l) br $l)", "unknown label $l", 1, 21),
    ("(func (param $l i32)) (func local.get $l)", "unknown local $l", 1, 39),
    ("(func $f) (func $f)", "duplicate func $f", 1, 17),
    ("(func (param $x i32) (local $x i32))", "duplicate local $x", 1, 29),
    ("(type (struct (field $a i32) (field $a i32)))", "duplicate field $a", 1, 37),
    ("(type $t (func (param i32))) (func (type $t) (param i64))", "inline function type", 1, 36),
    ("(type $t (func)) (func (type $t) (result i32) (param i32))", "unexpected token param", 1, 48),
    ("(func block $a end $b)", "mismatching label", 1, 20),
    ("(func (i32.const 0) if $a else $b end)", "mismatching label", 1, 32),
    ('(func) (import "" "" (func))', "import after function", 1, 8),
    ('(memory 1) (func (import "" ""))', "import after memory", 1, 12),
    ("(func i32.load align=3)", "alignment must be a power of two", 1, 16),
    ("(func i32.load align=0)", "alignment must be a power of two", 1, 16),
    ("(func i32.load offset=-1)", "unknown operator offset=-1", 1, 16),
    ("(func i32.load align=1 offset=1)", "unexpected token offset=1", 1, 24),
    ("(func v128.const i32x4 1 2 3)", "wrong number of lane literals", 1, 29),
    ("(func v128.const i32x4 1 2 3 4 5)", "wrong number of lane literals", 1, 33),
    ("(func i8x16.shuffle 1)", "invalid lane length", 1, 22),
    ("(func i8x16.extract_lane_s 256)", "i8 constant out of range", 1, 28),
    ("(start 0) (start 0)", "multiple start sections", 1, 18),
    ("(memory 1 (pagesize 3))", "invalid custom page size", 1, 21),
    ("(func (if (i32.const 0)))", "unexpected token ), expected (then", 1, 24),
    ("(func if)", "unexpected token ), expected end", 1, 9),
    ("(func (drop (then)))", "unexpected token then, expected an instruction", 1, 14),
    ("(func (drop nop))", "unexpected token nop", 1, 13),
    ("(func end)", "unexpected token end", 1, 7),
    ("(func else)", "unexpected token else", 1, 7),
    ("(func (else))", "unexpected token else", 1, 8),
    ("(func block else end)", "unexpected token else", 1, 13),
    ("(func (br_table))", "unexpected token ), expected a label", 1, 16),
    ("(func (if (then) (else) (else)))", "unexpected token else", 1, 26),
    ("(func", "unexpected token: end of text, expected )", 1, 6),
    ("(module) (module)", "unexpected token (", 1, 10),
    ("(module))", "unexpected token )", 1, 9),
    ("(foo)", "unknown operator foo", 1, 2),
    ('(import "\\ff" "" (func))', "malformed UTF-8 encoding", 1, 9),
    ('(export "a" (type 0))', "unexpected token type, expected a kind of export", 1, 14),
    ("(type $t 1)", "unexpected token 1, expected a function, structure or array type", 1, 10),
    ("(func (param $x))", "unexpected token ), expected a value type", 1, 16),
    ('(module (func) (@name "x"))', "misplaced @name annotation", 1, 16),
    ('(module (@name "a") (@name "b"))', "@name annotation: multiple module", 1, 21),
    ('(func (@custom "a"))', "misplaced @custom annotation", 1, 7),
    ('(@metadata.code.branch_hint "\\00") (func)', "@metadata.code.branch_hint annotation: not in a function", 1, 1),
    ('(func (@metadata.code.branch_hint "\\02") nop)', "@metadata.code.branch_hint annotation: invalid value", 1, 40),
    ('(@custom "a" (before nothing))', "@custom annotation: malformed section kind", 1, 22),
    ("(; é ;) (func é)", "illegal character", 1, 15),
]


@pytest.mark.parametrize(("text", "message", "line", "column"), ERRORS)
def test_errors(text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(TextError) as caught:
        wat2wasm(text)
    error = caught.value
    assert error.message.startswith(message)
    assert (error.line, error.column) == (line, column)
    assert error.source_line == text.split("\n")[line - 1]
    assert str(error).splitlines()[2].index("^") == column + 1


DEPTH = 100_000 if COMPILED else 20_000
DEEP = {
    "folded": "(func " + "(drop " * DEPTH + "(i32.const 1)" + ")" * DEPTH + ")",
    "blocks": "(func " + "block $a " * DEPTH + "br $a " + "end " * DEPTH + ")",
    "folded blocks": "(func " + "(block $a " * DEPTH + ")" * DEPTH + ")",
    "conditions": "(func " + "(if " * DEPTH + "(i32.const 0)" + "(then))" * DEPTH + ")",
    "then": "(func " + "(if (i32.const 0) (then " * DEPTH + "))" * DEPTH + ")",
    "comments": "(func " + "(;" * DEPTH + ";)" * DEPTH + ")",
    "annotations": "(@a " + "(" * DEPTH + ")" * DEPTH + ")",
}
TOO_DEEP = {
    "parentheses": ("(" * DEPTH + ")" * DEPTH, "unexpected token ("),
    "open parentheses": ("(" * DEPTH, "unexpected token"),
    "open blocks": ("(func " + "(block " * DEPTH, "unexpected token: end of text"),
    "open comments": ("(;" * DEPTH, "unclosed comment"),
    "open annotations": ("(@a" * DEPTH, "unclosed annotation"),
    "types": ("(type " + "(sub " * DEPTH + ")" * DEPTH + ")", "unexpected token ("),
    "references": ("(func (param " + "(ref " * DEPTH, "unexpected token"),
    "numbers": ("(func i32.const " + "1" * DEPTH + ")", "constant out of range"),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_nesting(name: str) -> None:
    assert wat2wasm(DEEP[name]).startswith(HEADER)


@pytest.mark.parametrize("name", TOO_DEEP)
def test_nesting_that_is_refused(name: str) -> None:
    text, message = TOO_DEEP[name]
    with pytest.raises(TextError) as error:
        wat2wasm(text)
    assert error.value.message.startswith(message)


def test_repeated_constants() -> None:
    """Constants that the hot modules repeat are those of the tables."""
    from wasmcore.text import expressions, fields, lexer, module, reader

    words = {name.upper().replace("$", ""): number for name, number in keywords.NUMBERS.items() if number >= keywords.FIRST_WORD}
    words |= {"DATA_WORD": words["DATA"], "PAGE_SIZE": words["PAGESIZE"], "CANONICAL": words["NAN:CANONICAL"]}
    words |= {"ARITHMETIC": words["NAN:ARITHMETIC"]} | {f"SHAPE_{name}": number for name, number in words.items()}
    spaces = {name: value for name, value in vars(types).items() if name.isupper() and isinstance(value, int)}
    kinds = {name: value for name, value in vars(lexer).items() if name.isupper() and isinstance(value, int)}
    immediates = {f"FORM_{name}": value for name, value in vars(Immediates).items() if name.isupper()}
    forms = {name: value for name, value in vars(operands).items() if name.isupper() and isinstance(value, int)}
    checked = 0
    for source in (expressions, fields, module, operands, reader, types):
        for name, value in vars(source).items():
            if not name.startswith("_") or name.startswith("__") or not isinstance(value, int):
                continue
            bare = name[1:]
            known = {table[bare] for table in (words, spaces, kinds, forms, immediates) if bare in table}
            if known:
                assert value in known, (source.__name__, name)
                checked += 1
    assert checked > 100
    assert types._WORD_COUNT == len(keywords.WORDS)
    for form in range(37):
        assert form in vars(Immediates).values()
    assert set(operands.FORMS) <= {*range(37), operands.SELECT, operands.REFERENCE_TEST, operands.END, operands.ELSE}
    assert all(operands.FORMS[code] == opcode.immediates for code, opcode in OPCODES.items() if operands.FORMS[code] < 37)

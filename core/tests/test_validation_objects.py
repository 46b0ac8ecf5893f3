"""Rules for structures, arrays, casts, and constant expressions that make objects."""

from __future__ import annotations

import pytest
from module_samples import module
from validation_cases import accept, refuse

from wasmcore.errors import ValidationError
from wasmcore.validation import validate

HEAD = """(type $s (struct (field i32) (field (mut i8)) (field (mut anyref)))) (type $d (struct (field f64) (field i16)))
(type $r (struct (field (ref any)))) (type $a (array (mut i32))) (type $b (array (mut i8))) (type $c (array i64))
(type $e (array (mut anyref))) (type $x (array (mut (ref eq)))) (type $n (sub (struct))) (type $m (sub $n (struct (field i32))))
(memory 0) (data $data "abc") (elem $eqs (ref eq) (item (ref.i31 (i32.const 0)))) (elem $funcs func)"""

BODIES = {
    "struct.new": ("i32.const 1 i32.const 2 ref.null any struct.new $s drop", ""),
    "struct.new with too few fields": ("i32.const 2 ref.null any struct.new $s drop", "type mismatch"),
    "struct.new with another type": ("i64.const 1 i32.const 2 ref.null any struct.new $s drop", "type mismatch"),
    "struct.new of an array": ("struct.new $a drop", "type 3 is no structure type"),
    "struct.new of nothing": ("struct.new 40 drop", "unknown type 40"),
    "struct.new_default": ("struct.new_default $s drop", ""),
    "struct.new_default without default": ("struct.new_default $r drop", "has no default value"),
    "struct.get": ("struct.new_default $s struct.get $s 0 drop", ""),
    "struct.get of null": ("ref.null $s struct.get $s 0 drop", ""),
    "struct.get of a subtype": ("struct.new_default $m struct.get $n 0 drop", "unknown field 0"),
    "struct.get of a supertype": ("struct.new_default $n struct.get $m 0 drop", "type mismatch"),
    "struct.get of a packed field": ("struct.new_default $s struct.get $s 1 drop", "the field is packed"),
    "struct.get_s": ("struct.new_default $s struct.get_s $s 1 drop", ""),
    "struct.get_u of what is not packed": ("struct.new_default $s struct.get_u $s 0 drop", "the field is not packed"),
    "struct.get of an unknown field": ("struct.new_default $s struct.get $s 3 drop", "unknown field 3"),
    "struct.set": ("struct.new_default $s i32.const 0 struct.set $s 1", ""),
    "struct.set of a constant": ("struct.new_default $s i32.const 0 struct.set $s 0", "immutable"),
    "struct.set of a reference": ("struct.new_default $s ref.null i31 struct.set $s 2", ""),
    "struct.set of another reference": ("struct.new_default $s ref.null extern struct.set $s 2", "type mismatch"),
    "array.new": ("i64.const 5 i32.const 7 array.new $c drop", ""),
    "array.new with another element": ("i32.const 5 i32.const 7 array.new $c drop", "type mismatch"),
    "array.new of a structure": ("i32.const 5 i32.const 7 array.new $s drop", "type 0 is no array type"),
    "array.new_default": ("i32.const 7 array.new_default $c drop", ""),
    "array.new_default without default": ("i32.const 7 array.new_default $x drop", "has no default value"),
    "array.new_fixed": ("i64.const 1 i64.const 2 array.new_fixed $c 2 drop", ""),
    "array.new_fixed with too few": ("i64.const 2 array.new_fixed $c 2 drop", "type mismatch"),
    "array.new_data": ("i32.const 0 i32.const 1 array.new_data $c $data drop", ""),
    "array.new_data of bytes": ("i32.const 0 i32.const 1 array.new_data $b $data drop", ""),
    "array.new_data of references": ("i32.const 0 i32.const 1 array.new_data $e $data drop", "not numeric or vector"),
    "array.new_data of nothing": ("i32.const 0 i32.const 1 array.new_data $c 7 drop", "unknown data segment 7"),
    "array.new_elem": ("i32.const 0 i32.const 1 array.new_elem $e $eqs drop", ""),
    "array.new_elem of another type": ("i32.const 0 i32.const 1 array.new_elem $e $funcs drop", "type mismatch"),
    "array.new_elem of numbers": ("i32.const 0 i32.const 1 array.new_elem $a $eqs drop", "type mismatch"),
    "array.new_elem of nothing": ("i32.const 0 i32.const 1 array.new_elem $e 7 drop", "unknown elem segment 7"),
    "array.get": ("ref.null $a i32.const 0 array.get $a drop", ""),
    "array.get of bytes": ("ref.null $b i32.const 0 array.get $b drop", "the field is packed"),
    "array.get_u": ("ref.null $b i32.const 0 array.get_u $b drop", ""),
    "array.get_s of numbers": ("ref.null $a i32.const 0 array.get_s $a drop", "the field is not packed"),
    "array.get by another index": ("ref.null $a i64.const 0 array.get $a drop", "type mismatch"),
    "array.set": ("ref.null $b i32.const 0 i32.const 0 array.set $b", ""),
    "array.set of a constant": ("ref.null $c i32.const 0 i64.const 0 array.set $c", "immutable"),
    "array.len": ("ref.null $c array.len drop", ""),
    "array.len of a structure": ("ref.null $s array.len drop", "type mismatch"),
    "array.fill": ("ref.null $b i32.const 0 i32.const 0 i32.const 0 array.fill $b", ""),
    "array.fill of a constant": ("ref.null $c i32.const 0 i64.const 0 i32.const 0 array.fill $c", "immutable"),
    "array.copy": ("ref.null $e i32.const 0 ref.null $x i32.const 0 i32.const 0 array.copy $e $x", ""),
    "array.copy to a narrower type": ("ref.null $x i32.const 0 ref.null $e i32.const 0 i32.const 0 array.copy $x $e", "do not match"),
    "array.copy of another width": ("ref.null $a i32.const 0 ref.null $b i32.const 0 i32.const 0 array.copy $a $b", "do not match"),
    "array.copy to a constant": ("ref.null $c i32.const 0 ref.null $c i32.const 0 i32.const 0 array.copy $c $c", "immutable"),
    "array.init_data": ("ref.null $a i32.const 0 i32.const 0 i32.const 0 array.init_data $a $data", ""),
    "array.init_data of a constant": ("ref.null $c i32.const 0 i32.const 0 i32.const 0 array.init_data $c $data", "immutable"),
    "array.init_elem": ("ref.null $x i32.const 0 i32.const 0 i32.const 0 array.init_elem $x $eqs", ""),
    "array.init_elem of another type": ("ref.null $x i32.const 0 i32.const 0 i32.const 0 array.init_elem $x $funcs", "type mismatch"),
    "ref.eq": ("ref.null $s ref.null i31 ref.eq drop", ""),
    "ref.eq of any": ("ref.null any ref.null i31 ref.eq drop", "type mismatch"),
    "ref.test": ("ref.null any ref.test (ref $s) drop ref.null $s ref.test i31ref drop", ""),
    "ref.test across hierarchies": ("ref.null extern ref.test (ref $s) drop", "type mismatch"),
    "ref.cast": ("ref.null any ref.cast (ref $s) struct.get $s 0 drop", ""),
    "ref.cast up": ("ref.null $m ref.cast (ref $n) drop", ""),
    "ref.cast of functions": ("ref.null func ref.cast nullfuncref drop", ""),
    "ref.cast across hierarchies": ("ref.null func ref.cast anyref drop", "type mismatch"),
    "ref.cast to an unknown type": ("ref.null any ref.cast (ref 40) drop", "unknown type"),
    "br_on_cast": ("block (result (ref $s)) ref.null any br_on_cast 0 anyref (ref $s) drop return end drop", ""),
    "br_on_cast leaves the rest": (
        "block (result (ref null $s)) ref.null any br_on_cast 0 anyref (ref null $s) ref.cast (ref any) drop return end drop",
        "",
    ),
    "br_on_cast up": ("block (result anyref) ref.null $s br_on_cast 0 (ref null $s) anyref drop return end drop", "type mismatch"),
    "br_on_cast elsewhere": ("block (result (ref $a)) ref.null any br_on_cast 0 anyref (ref $s) unreachable end drop", "type mismatch"),
    "br_on_cast to no reference": ("block ref.null any br_on_cast 0 anyref (ref $s) drop end", "do not end in a reference"),
    "br_on_cast of func": ("block (result (ref $s)) ref.null func br_on_cast 0 anyref (ref $s) unreachable end drop", "type mismatch"),
    "br_on_cast_fail": ("block (result anyref) ref.null any br_on_cast_fail 0 anyref (ref $s) struct.get $s 0 drop return end drop", ""),
    "br_on_cast_fail takes what is not null": (
        "block (result (ref any)) ref.null any br_on_cast_fail 0 anyref (ref null $s) drop return end drop",
        "",
    ),
    "br_on_cast_fail may take null": (
        "block (result (ref any)) ref.null any br_on_cast_fail 0 anyref (ref $s) drop return end drop",
        "type mismatch",
    ),
    "i31": ("i32.const 1 ref.i31 i31.get_s drop ref.null i31 i31.get_u drop", ""),
    "i31 of eq": ("ref.null eq i31.get_u drop", "type mismatch"),
    "conversions": ("ref.null extern any.convert_extern extern.convert_any drop", ""),
    "any.convert_extern of any": ("ref.null any any.convert_extern drop", "type mismatch"),
    "extern.convert_any of extern": ("ref.null extern extern.convert_any drop", "type mismatch"),
}  # fmt: skip

CONSTANTS = {
    "struct.new": ("(global (ref $d) (struct.new $d (f64.const 0) (i32.const 1)))", ""),
    "struct.new with another field": ("(global (ref $d) (struct.new $d (f32.const 0) (i32.const 1)))", "type mismatch"),
    "struct.new with too few fields": ("(global (ref $d) (struct.new $d (i32.const 1)))", "type mismatch"),
    "struct.new of an array": ("(global (ref $a) (struct.new $a (i32.const 1)))", "is no structure type"),
    "struct.new of nothing": ("(global anyref (struct.new 50 (i32.const 1)))", "unknown type 50"),
    "struct.new_default": ("(global anyref (struct.new_default $s))", ""),
    "struct.new_default without default": ("(global anyref (struct.new_default $r))", "has no default value"),
    "nested": ("(global anyref (struct.new $r (array.new_fixed $b 2 (i32.const 1) (i32.const 1))))", ""),
    "array.new": ("(global arrayref (array.new $c (i64.const 1) (i32.const 2)))", ""),
    "array.new with another element": ("(global arrayref (array.new $c (i32.const 1) (i32.const 2)))", "type mismatch"),
    "array.new_default": ("(global arrayref (array.new_default $c (i32.const 2)))", ""),
    "array.new_default without default": ("(global arrayref (array.new_default $x (i32.const 2)))", "has no default value"),
    "array.new_fixed": ("(global eqref (array.new_fixed $c 1 (i64.const 1)))", ""),
    "array.new_fixed with too few": ("(global eqref (array.new_fixed $c 2 (i64.const 1)))", "type mismatch"),
    "array.new_fixed of a structure": ("(global eqref (array.new_fixed $s 0))", "is no array type"),
    "array.new_data": ("(global eqref (array.new_data $b $data (i32.const 0) (i32.const 0)))", "constant expression required"),
    "ref.i31": ("(global (ref i31) (ref.i31 (i32.add (i32.const 1) (i32.const 1))))", ""),
    "ref.i31 of i64": ("(global (ref i31) (ref.i31 (i64.const 1)))", "type mismatch"),
    "conversions": ("(global externref (extern.convert_any (any.convert_extern (ref.null extern))))", ""),
    "conversion of null": ("(global (ref extern) (extern.convert_any (ref.null any)))", "type mismatch"),
    "conversion of i31": ("(global (ref extern) (extern.convert_any (ref.i31 (i32.const 0))))", ""),
    "conversion of another type": ("(global externref (extern.convert_any (ref.null extern)))", "type mismatch"),
    "global before": ("(global $g i32 (i32.const 1)) (global (ref i31) (ref.i31 (global.get $g)))", ""),
    "global behind": ("(global (ref i31) (ref.i31 (global.get 1))) (global i32 (i32.const 1))", "unknown global 1"),
    "global that changes": ("(global $g (mut i32) (i32.const 1)) (global i32 (global.get $g))", "constant expression required"),
    "ref.func": ("(type $f (func)) (func $h) (global (ref $f) (ref.func $h))", ""),
    "ref.func of another type": ("(type $f (func (param i32))) (func $h) (global (ref $f) (ref.func $h))", "type mismatch"),
    "table": ("(table 3 (ref i31) (ref.i31 (i32.const 1)))", ""),
    "table without initial value": ("(table 3 (ref i31))", "needs an initial value"),
    "table with another initial value": ("(table 3 (ref i31) (ref.null i31))", "type mismatch"),
    "table that reads a global": ('(import "a" "b" (global $g (ref i31))) (table 3 (ref i31) (global.get $g))', ""),
    "table that reads a defined global": ("(global $g i31ref (ref.null i31)) (table 3 i31ref (global.get $g))", "unknown global 0"),
    "element": ("(elem (ref i31) (ref.i31 (i32.const 1)))", ""),
    "element of another type": ("(elem (ref i31) (ref.null i31))", "type mismatch"),
    "segment of another type": ("(table $t 1 (ref null i31)) (elem (table $t) (i32.const 0) eqref (ref.null eq))", "type mismatch"),
    "segment of a narrower type": ("(table $t 1 eqref) (elem (table $t) (i32.const 0) i31ref (ref.null i31))", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_instructions(name: str) -> None:
    code, message = BODIES[name]
    if message:
        refuse(f"{HEAD} (func {code})", message)
    else:
        accept(f"{HEAD} (func {code})")


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_expressions(name: str) -> None:
    text, message = CONSTANTS[name]
    head = HEAD if not text.startswith("(import") else ""
    if message:
        refuse(f"{head} {text}", message)
    else:
        accept(f"{head} {text}")


@pytest.mark.parametrize(
    "text",
    ["(func unreachable array.new_fixed $c 10001 drop)", f"(global eqref (array.new_fixed $c 10001 {'(i64.const 0)' * 10001}))"],
    ids=["body", "constant expression"],
)
def test_fixed_arrays_are_limited(text: str) -> None:
    with pytest.raises(ValidationError, match="the limit is 10000"):
        validate(module(f"(module (type $c (array i64)) {text})"))

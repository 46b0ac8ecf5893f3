"""Rules for typed function references, references to nothing in unreachable code, and locals that must be set."""

from __future__ import annotations

import pytest
from validation_cases import accept, refuse

HEAD = "(type $f (func (param i32) (result i64))) (type $g (func (result i64))) (type $n (func))"

CALLS = {
    "call_ref": ("(func (param (ref null $f)) (result i64) i32.const 0 local.get 0 call_ref $f)", ""),
    "call_ref of a non-null reference": ("(func (param (ref $f)) (result i64) i32.const 0 local.get 0 call_ref $f)", ""),
    "call_ref of null": ("(func (result i64) i32.const 0 ref.null nofunc call_ref $f)", ""),
    "call_ref of another type": ("(func (param (ref $g)) local.get 0 call_ref $n)", "type mismatch"),
    "call_ref of funcref": ("(func (param funcref) local.get 0 call_ref $n)", "type mismatch"),
    "call_ref without a reference": ("(func call_ref $n)", "type mismatch"),
    "call_ref without operands": ("(func (param (ref $f)) (result i64) local.get 0 call_ref $f)", "type mismatch"),
    "call_ref of an unknown type": ("(func unreachable call_ref 9)", "unknown type 9"),
    "call_ref of a structure": ("(type $s (struct)) (func unreachable call_ref $s)", "type 3 is not a function type"),
    "return_call_ref": ("(func (param (ref $f)) (result i64) i32.const 0 local.get 0 return_call_ref $f)", ""),
    "return_call_ref with other results": (
        "(func (param (ref $f)) (result i32) i32.const 0 local.get 0 return_call_ref $f)",
        "type mismatch",
    ),
    "return_call_ref with results below": (
        "(type $r (func (result (ref $n)))) (func (param (ref $r)) (result funcref) local.get 0 return_call_ref $r)",
        "",
    ),
    "return_call with results above": (
        "(func $r (result funcref) unreachable) (func (result (ref $n)) return_call $r)",
        "type mismatch",
    ),
    "ref.func is typed": ("(func $x (export \"x\")) (func (result (ref $n)) ref.func $x)", ""),
    "ref.func of another type": ("(func $x (export \"x\")) (func (result (ref $g)) ref.func $x)", "type mismatch"),
    "call_indirect of a typed table": ("(table 1 (ref null $n)) (func i32.const 0 call_indirect (type $n))", ""),
    "call_indirect of externref": ("(table 1 externref) (func i32.const 0 call_indirect (type $n))", "type mismatch"),
}  # fmt: skip

BRANCHES = {
    "ref.as_non_null": ("(func (param (ref null $n)) (result (ref $n)) local.get 0 ref.as_non_null)", ""),
    "ref.as_non_null of a number": ("(func i32.const 0 ref.as_non_null drop)", "type mismatch"),
    "br_on_null": ("(func (param externref) (result (ref extern)) local.get 0 br_on_null 1 return)", "unknown label 1"),
    "br_on_null falls through": (
        "(func (param externref) (result (ref extern)) block local.get 0 br_on_null 0 return end unreachable)",
        "",
    ),
    "br_on_null with a value": (
        "(func (param externref) (result i32) i32.const 1 local.get 0 br_on_null 0 drop)",
        "",
    ),
    "br_on_null without the value": ("(func (param externref) (result i32) local.get 0 br_on_null 0 drop i32.const 1)", "type mismatch"),
    "br_on_null of a number": ("(func block i32.const 0 br_on_null 0 drop end)", "type mismatch"),
    "br_on_non_null": ("(func (param externref) (result (ref extern)) local.get 0 br_on_non_null 0 unreachable)", ""),
    "br_on_non_null with a value": (
        "(func (param externref) (result i32 (ref extern)) i32.const 1 local.get 0 br_on_non_null 0 unreachable)",
        "",
    ),
    "br_on_non_null to a label without values": ("(func (param externref) block local.get 0 br_on_non_null 0 end)", "type mismatch"),
    "br_on_non_null to a number": (
        "(func (param externref) (result i32) local.get 0 br_on_non_null 0 unreachable)",
        "type mismatch",
    ),
    "br_on_non_null of another type": (
        "(func (param externref) (result (ref func)) local.get 0 br_on_non_null 0 unreachable)",
        "type mismatch",
    ),
    "br_on_non_null to a nullable label": ("(func (param externref) (result externref) local.get 0 br_on_non_null 0 ref.null extern)", ""),
    "br_if widens": ("(func (param (ref eq)) (result anyref) local.get 0 i32.const 0 br_if 0)", ""),
    "br_if gives the label's type": (
        "(func (param (ref eq)) (result (ref eq)) block (result anyref) local.get 0 i32.const 0 br_if 0 return end unreachable)",
        "type mismatch",
    ),
    "local.tee gives the local's type": (
        "(func (param (ref eq)) (result (ref eq)) (local anyref) local.get 0 local.tee 1)",
        "type mismatch",
    ),
    "br_table with several types": (
        "(func (param (ref i31)) (result anyref) block (result eqref) local.get 0 i32.const 0 br_table 0 1 end)",
        "",
    ),
    "br_table with one type too narrow": (
        "(func (param (ref eq)) (result anyref) block (result (ref i31)) local.get 0 i32.const 0 br_table 0 1 end)",
        "type mismatch",
    ),
    "select of references": (
        "(func (param eqref (ref i31)) (result anyref) local.get 0 local.get 1 i32.const 0 select (result anyref))",
        "",
    ),
    "select of references without a type": (
        "(func (param eqref) (result eqref) local.get 0 local.get 0 i32.const 0 select)",
        "select without a type",
    ),
    "if without else": ("(func (param (ref i31)) (result anyref) local.get 0 i32.const 0 if (param (ref i31)) (result anyref) end)", ""),
    "if without else, too wide": (
        "(func (param anyref) (result eqref) local.get 0 i32.const 0 if (param anyref) (result eqref) end)",
        "type mismatch",
    ),
}  # fmt: skip

UNREACHABLE = {
    "as_non_null": ("ref.as_non_null drop", ""),
    "as_non_null is any reference": ("ref.as_non_null global.set $e ref.as_non_null global.set $i", ""),
    "as_non_null is no number": ("ref.as_non_null i32.eqz drop", "type mismatch"),
    "as_non_null can not be selected": ("ref.as_non_null i32.const 0 select drop", "select without a type"),
    "br_on_null": ("block unreachable br_on_null 0 global.set $e end", ""),
    "br_on_null is no number": ("block unreachable br_on_null 0 i32.eqz drop end", "type mismatch"),
    "br_on_null pushes the label's types": (
        "block (result i64) unreachable br_on_null 0 drop i32.eqz drop i64.const 0 end drop",
        "type mismatch",
    ),
    "br_on_non_null": ("block (result externref) unreachable br_on_non_null 0 unreachable end drop", ""),
    "any.convert_extern is not null": ("any.convert_extern global.set $r", ""),
    "any.convert_extern is no extern": ("any.convert_extern global.set $e", "type mismatch"),
    "br_on_cast": ("block (result (ref i31)) unreachable br_on_cast 0 anyref (ref i31) unreachable end drop", ""),
    "ref.test": ("ref.test (ref i31) drop", ""),
    "ref.is_null": ("ref.is_null i32.eqz drop", ""),
    "select with a type": ("select (result externref) global.set $e", ""),
    "br_table": ("block (result i32) block (result f32) unreachable br_table 0 1 end drop i32.const 0 end drop", ""),
    "br_table with other numbers of values": (
        "block (result i32) block unreachable br_table 0 1 end i32.const 0 end drop",
        "type mismatch",
    ),
    "struct.new": ("struct.new $s drop", ""),
    "struct.new with a wrong field": ("i64.const 0 struct.new $s drop", "type mismatch"),
    "array.new_fixed": ("array.new_fixed $a 5 drop", ""),
    "array.new_fixed with a wrong element": ("i64.const 0 array.new_fixed $a 5 drop", "type mismatch"),
    "call_ref": ("call_ref $f i64.eqz drop", ""),
    "throw_ref": ("throw_ref", ""),
}
UNREACHABLE_HEAD = """(type $f (func (param i32) (result i64))) (type $s (struct (field i32))) (type $a (array i8))
(global $e (mut externref) (ref.null extern)) (global $i (mut i31ref) (ref.null i31)) (global $r (mut (ref any)) (ref.i31 (i32.const 0)))"""

LOCALS = {
    "set": ("local.get 0 local.set 1 local.get 1 drop", ""),
    "tee": ("local.get 0 local.tee 1 drop local.get 1 drop", ""),
    "not set": ("local.get 1 drop", "uninitialized local 1"),
    "parameter": ("local.get 0 drop", ""),
    "set in a block": ("block local.get 0 local.set 1 local.get 1 drop end", ""),
    "set in a block that ended": ("block local.get 0 local.set 1 end local.get 1 drop", "uninitialized local 1"),
    "set before a block": ("local.get 0 local.set 1 block local.get 1 drop end local.get 1 drop", ""),
    "set before and in a block": ("local.get 0 local.set 1 block local.get 0 local.set 1 end local.get 1 drop", ""),
    "set in the other arm": ("i32.const 0 if local.get 0 local.set 1 else local.get 1 drop end", "uninitialized local 1"),
    "set in both arms": (
        "i32.const 0 if local.get 0 local.set 1 else local.get 0 local.set 1 end local.get 1 drop",
        "uninitialized local 1",
    ),
    "set in a loop": ("loop local.get 0 local.set 1 br 0 end local.get 1 drop", "uninitialized local 1"),
    "not set in unreachable code": ("unreachable local.get 1 drop", "uninitialized local 1"),
    "set in unreachable code": ("unreachable local.set 1 local.get 1 drop", ""),
    "set by itself": ("local.get 1 local.set 1", "uninitialized local 1"),
    "set in a try_table": ("try_table local.get 0 local.set 1 end local.get 1 drop", "uninitialized local 1"),
    "one of two": ("local.get 0 local.set 2 local.get 2 drop local.get 1 drop", "uninitialized local 1"),
    "others need nothing": ("local.get 3 drop local.get 4 drop local.get 5 drop", ""),
    "unknown": ("local.get 6 drop", "unknown local 6"),
    "wrong type": ("i32.const 0 local.set 1", "type mismatch"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_calls(name: str) -> None:
    judge(HEAD, *CALLS[name])


@pytest.mark.parametrize("name", BRANCHES)
def test_branches(name: str) -> None:
    judge(HEAD, *BRANCHES[name])


@pytest.mark.parametrize("name", UNREACHABLE)
def test_unreachable_code(name: str) -> None:
    code, message = UNREACHABLE[name]
    judge(UNREACHABLE_HEAD, f"(func unreachable {code})", message)


@pytest.mark.parametrize("name", LOCALS)
def test_locals_that_must_be_set(name: str) -> None:
    code, message = LOCALS[name]
    judge("", f"(func (param (ref extern)) (local (ref extern) (ref extern) i32 externref f64) {code})", message)


def test_many_locals_that_must_be_set() -> None:
    names = " ".join(f"(local (ref extern)) (local i{32 if n % 2 else 64})" for n in range(1000))
    sets = " ".join(f"local.get 0 local.set {2 * n + 1}" for n in range(1000))
    gets = " ".join(f"local.get {2 * n + 1} drop local.get {2 * n + 2} drop" for n in range(1000))
    accept(f"(func (param (ref extern)) {names} {sets} {gets})")
    accept(f"(func (param (ref extern)) {names} local.get 0 local.set 1999 local.get 1999 drop)")
    refuse(f"(func (param (ref extern)) {names} {sets.replace('local.set 1001 ', 'drop ')} {gets})", "uninitialized local 1001")


def judge(head: str, text: str, message: str) -> None:
    """Accepted if there is nothing to say."""
    if message:
        refuse(f"{head} {text}", message)
    else:
        accept(f"{head} {text}")

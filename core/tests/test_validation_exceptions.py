"""Rules for tags, throwing and catching."""

from __future__ import annotations

import pytest
from module_samples import is_valid, module
from test_validation import section, with_body
from validation_cases import accept, refuse

from wasmcore.binary import decode
from wasmcore.errors import CompileError, DecodeError, ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.types import I32, I64
from wasmcore.validation import validate

HEAD = "(tag $none) (tag $one (param i32)) (tag $two (param i32 (ref eq)))"

BODIES = {
    "throw": ("i32.const 1 throw $one", ""),
    "throw without operands": ("throw $one", "type mismatch"),
    "throw another type": ("i64.const 1 throw $one", "type mismatch"),
    "throw nothing": ("throw 7", "unknown tag 7"),
    "code behind throw": ("throw $none i32.add drop", ""),
    "throw_ref": ("ref.null exn throw_ref", ""),
    "throw_ref of another type": ("ref.null any throw_ref", "type mismatch"),
    "code behind throw_ref": ("ref.null noexn throw_ref i32.add drop", ""),
    "try_table": ("try_table throw $none end", ""),
    "results": ("try_table (result i32) i32.const 1 end drop", ""),
    "wrong results": ("try_table (result i32) i64.const 1 end drop", "type mismatch"),
    "parameters": ("i32.const 1 try_table (param i32) (result i32 i32) i32.const 2 end drop drop", ""),
    "missing parameters": ("try_table (param i32) drop end", "type mismatch"),
    "branch out": ("try_table br 0 end try_table (result i32) i32.const 1 br 0 end drop", ""),
    "catch": ("block (result i32) try_table (catch $one 0) end i32.const 1 end drop", ""),
    "catch without values": ("block try_table (catch $none 0) end end", ""),
    "catch does not count its own label": ("try_table (catch $none 0) end", ""),
    "catch to an unknown label": ("try_table (catch $none 1) end", "unknown label 1"),
    "catch an unknown tag": ("try_table (catch 9 0) end", "unknown tag 9"),
    "catch with another type": ("block (result i64) try_table (catch $one 0) end i64.const 1 end drop", "type mismatch"),
    "catch with too few values": ("block try_table (catch $one 0) end end", "type mismatch"),
    "catch with a narrower type": ("block (result i32 anyref) try_table (catch $two 0) end unreachable end drop drop", ""),
    "catch with a wider type": ("block (result i32 i31ref) try_table (catch $two 0) end unreachable end drop drop", "type mismatch"),
    "catch_ref": ("block (result i32 exnref) try_table (catch_ref $one 0) end unreachable end drop drop", ""),
    "catch_ref is not null": ("block (result i32 (ref exn)) try_table (catch_ref $one 0) end unreachable end drop drop", ""),
    "catch_ref without reference": ("block (result i32) try_table (catch_ref $one 0) end unreachable end drop", "type mismatch"),
    "catch_ref without label": ("block try_table (catch_ref $none 0) end end", "does not end in exnref"),
    "catch_all": ("block try_table (catch_all 0) end end", ""),
    "catch_all with values": ("block (result i32) try_table (catch_all 0) end i32.const 1 end drop", "type mismatch"),
    "catch_all_ref": ("block (result exnref) try_table (catch_all_ref 0) end unreachable end drop", ""),
    "catch_all_ref without reference": ("block try_table (catch_all_ref 0) end end", "does not end in exnref"),
    "catch to a loop": ("i32.const 1 loop (param i32) drop try_table (catch $one 0) end end", ""),
    "several": ("block block (result exnref) try_table (catch $none 1) (catch_all_ref 0) end unreachable end throw_ref end", ""),
}


@pytest.mark.parametrize("name", BODIES)
def test_instructions(name: str) -> None:
    code, message = BODIES[name]
    if message:
        refuse(f"{HEAD} (func {code})", message)
    else:
        accept(f"{HEAD} (func {code})")


def test_tags() -> None:
    info = module('(module (import "a" "t" (tag (param i64))) (tag $t (export "u") (param i32)))')
    validate(info)
    assert [info.function_type(index).params for index in info.tags] == [(I64,), (I32,)]
    assert [item.kind for item in info.exports] == [4]
    refuse("(tag (result i32))", "non-empty tag result type")
    refuse('(import "a" "t" (tag (param i32) (result i32)))', "non-empty tag result type")


MALFORMED = {
    "attribute": section(13, b"\1\1\0"),
    "cut": section(13, b"\1\0"),
    "order": section(6, b"\0") + section(13, b"\1\0\0"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_tags(name: str) -> None:
    data = b"\0asm\1\0\0\0" + section(1, b"\1\x60\0\0") + MALFORMED[name]
    with pytest.raises(DecodeError):
        decode(data)
    assert not is_valid(data)


def test_unknown_type_of_a_tag() -> None:
    with pytest.raises(ValidationError, match="unknown type 0"):
        decode(b"\0asm\1\0\0\0" + section(13, b"\1\0\0"))


def test_malformed_catch() -> None:
    data = with_body(b"\x1f\x40\1\4\0\x0b\x0b")
    with pytest.raises(DecodeError, match="malformed catch clause"):
        validate(decode(data))
    assert not is_valid(data)


def test_without_the_feature() -> None:
    features = DEFAULT_FEATURES - {"exceptions"}
    for text in (
        "(module (tag))",
        '(module (import "a" "t" (tag)))',
        "(module (func ref.null exn drop))",
        "(module (func ref.null exn throw_ref))",
    ):
        with pytest.raises(CompileError, match="exceptions|malformed"):
            validate(decode(module(text).data, features), features)

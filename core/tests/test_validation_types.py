"""Rules for defined types: supertypes, and what matches what."""

from __future__ import annotations

import pytest
from module_samples import is_valid
from test_canonical import leb, with_types
from validation_cases import accept, refuse

from wasmcore.binary import decode
from wasmcore.errors import DecodeError, ValidationError
from wasmcore.validation import validate

STRUCT = "(type $s (sub (struct (field i32))))"

SUBTYPES = {
    "same": (f"{STRUCT} (type (sub $s (struct (field i32))))", ""),
    "wider": (f"{STRUCT} (type (sub $s (struct (field i32) (field f64))))", ""),
    "narrower": (f"{STRUCT} (type (sub $s (struct)))", "sub type 1 does not match super type 0"),
    "other field": (f"{STRUCT} (type (sub $s (struct (field i64))))", "sub type 1 does not match super type 0"),
    "mutability": (f"{STRUCT} (type (sub $s (struct (field (mut i32)))))", "sub type 1 does not match super type 0"),
    "packed": ("(type $s (sub (array i8))) (type (sub $s (array i8)))", ""),
    "other packing": ("(type $s (sub (array i8))) (type (sub $s (array i16)))", "does not match"),
    "packed for a value": ("(type $s (sub (array i32))) (type (sub $s (array i8)))", "does not match"),
    "deeper": ("(type $s (sub (array anyref))) (type (sub $s (array (ref eq))))", ""),
    "shallower": ("(type $s (sub (array eqref))) (type (sub $s (array anyref)))", "does not match"),
    "deeper, but can change": ("(type $s (sub (array (mut anyref)))) (type (sub $s (array (mut eqref))))", "does not match"),
    "the same, and can change": (
        "(type $a (struct)) (type $b (struct)) (type $s (sub (array (mut (ref $a))))) (type (sub $s (array (mut (ref $b)))))",
        "",
    ),
    "of another kind": ("(type $s (sub (struct))) (type (sub $s (array i8)))", "does not match"),
    "function of another kind": ("(type $s (sub (struct))) (type (sub $s (func)))", "does not match"),
    "structure of another kind": ("(type $s (sub (func))) (type (sub $s (struct)))", "does not match"),
    "wider parameter": ("(type $f (sub (func (param eqref)))) (type (sub $f (func (param anyref))))", ""),
    "narrower parameter": ("(type $f (sub (func (param anyref)))) (type (sub $f (func (param eqref))))", "does not match"),
    "narrower result": ("(type $f (sub (func (result anyref)))) (type (sub $f (func (result (ref i31)))))", ""),
    "wider result": ("(type $f (sub (func (result i31ref)))) (type (sub $f (func (result eqref))))", "does not match"),
    "more results": ("(type $f (sub (func (result i32)))) (type (sub $f (func (result i32 i32))))", "does not match"),
    "final": ("(type $s (struct)) (type (sub $s (struct)))", "which is final"),
    "declared final": ("(type $s (sub final (struct))) (type (sub $s (struct)))", "which is final"),
    "final below": ("(type $s (sub (struct))) (type (sub final $s (struct)))", ""),
    "in one group": ("(rec (type $s (sub (struct (field (ref $t))))) (type $t (sub $s (struct (field (ref $t))))))", ""),
    "forward": ("(rec (type (sub $t (struct))) (type $t (sub (struct))))", "unknown type 1"),
    "itself": ("(type $t (sub $t (struct)))", "unknown type 0"),
}

MATCHING = {
    "i31 is eq": ("i31ref", "eqref", True),
    "eq is any": ("eqref", "anyref", True),
    "any is no eq": ("anyref", "eqref", False),
    "struct is eq": ("structref", "eqref", True),
    "array is any": ("arrayref", "anyref", True),
    "struct is no array": ("structref", "arrayref", False),
    "none is struct": ("nullref", "structref", True),
    "none is a type": ("nullref", "(ref null $s)", True),
    "none is no func": ("nullref", "funcref", False),
    "nofunc is func": ("nullfuncref", "funcref", True),
    "nofunc is a type": ("nullfuncref", "(ref null $f)", True),
    "nofunc is no structure": ("nullfuncref", "(ref null $s)", False),
    "noextern is extern": ("nullexternref", "externref", True),
    "extern is not any": ("externref", "anyref", False),
    "noexn is exn": ("nullexnref", "exnref", True),
    "exn is not any": ("exnref", "anyref", False),
    "a structure is struct": ("(ref $s)", "structref", True),
    "a structure is any": ("(ref $s)", "anyref", True),
    "a structure is no array": ("(ref $s)", "arrayref", False),
    "an array is array": ("(ref $a)", "arrayref", True),
    "a function is func": ("(ref $f)", "funcref", True),
    "a function is not any": ("(ref $f)", "anyref", False),
    "struct is not a structure": ("structref", "(ref null $s)", False),
    "null is not non-null": ("(ref null $s)", "(ref $s)", False),
    "non-null is null": ("(ref $s)", "(ref null $s)", True),
    "subtype": ("(ref $t)", "(ref $s)", True),
    "subtype of a subtype": ("(ref $u)", "(ref $s)", True),
    "supertype": ("(ref $s)", "(ref $t)", False),
    "equal type": ("(ref $s2)", "(ref $s)", True),
    "subtype of an equal type": ("(ref $u)", "(ref $s2)", True),
    "not related": ("(ref $a)", "(ref $s)", False),
    "number": ("i32", "anyref", False),
    "reference": ("anyref", "i32", False),
}
TYPES = """(type $s (sub (struct))) (type $t (sub $s (struct (field i32)))) (type $u (sub $t (struct (field i32) (field i32))))
(type $s2 (sub (struct))) (type $a (array i8)) (type $f (func))"""


@pytest.mark.parametrize("name", SUBTYPES)
def test_supertypes(name: str) -> None:
    text, message = SUBTYPES[name]
    if message:
        refuse(text, message)
    else:
        accept(text)


@pytest.mark.parametrize("name", MATCHING)
def test_matching(name: str) -> None:
    found, wanted, matches = MATCHING[name]
    text = f"{TYPES} (func (param {found}) (result {wanted}) local.get 0)"
    if matches:
        accept(text)
    else:
        refuse(text, "type mismatch")


def test_several_supertypes() -> None:
    data = with_types(b"\3\x50\0\x5f\0\x50\0\x5f\0\x50\2\0\1\x5f\0")
    with pytest.raises(ValidationError, match="sub type 2 has 2 supertypes"):
        validate(decode(data))
    assert not is_valid(data)


MALFORMED = {
    "form": b"\1\x5d\0",
    "form behind sub": b"\1\x50\0\x50\0\x60\0\0",
    "group in a group": b"\1\x4e\1\x4e\1\x60\0\0",
    "packed parameter": b"\1\x60\1\x78\0",
    "mutability": b"\1\x5e\x7f\2",
    "void": b"\1\x5e\x40\0",
    "heap type": b"\1\x5e\x63\x40\0",
    "heap type of 34 bits": b"\1\x5e\x63\x80\x80\x80\x80\x80\0\0",
    "group that is cut": b"\1\x4e\x03\x60\0\0",
    "fields that are cut": b"\1\x5f\x09\x7f\0",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_types(name: str) -> None:
    data = with_types(MALFORMED[name])
    with pytest.raises(DecodeError):
        decode(data)
    assert not is_valid(data)


def test_numbers_of_fields_and_types_are_limited() -> None:
    for payload, what in (
        (b"\1\x5f" + leb(10_001) + b"\x7f\0" * 10_001, "too many fields"),
        (leb(1_000_001) + b"\x60\0\0" * 1_000_001, "too many types"),
        (b"\2\x60\0\0\x4e" + leb(1_000_000) + b"\x60\0\0" * 1_000_000, "too many types"),
    ):
        with pytest.raises(ValidationError, match=what):
            decode(with_types(payload))


@pytest.mark.parametrize(
    "text",
    [
        "(type (func (param (ref 1)))) (type (func))",
        "(type (struct (field (ref null 7))))",
        "(rec (type (struct (field (ref 2)))) (type (struct))) (type (struct))",
        "(import {0} {0} (table 1 (ref null 3)))",
        "(global (ref null 1) (ref.null 1))",
        "(func (local (ref null 9)))",
        "(func (block (result (ref null 9)) unreachable) drop)",
        "(func ref.null 5 drop)",
    ],
)
def test_unknown_types(text: str) -> None:
    refuse(text.replace("{0}", '""'), "unknown type")

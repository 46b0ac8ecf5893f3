"""Numbers of types: equal exactly for types that are the same, within a module and among modules."""

from __future__ import annotations

from itertools import groupby, product
from random import Random

import pytest
from module_samples import binary, is_valid, module

from wasmcore.binary import decode
from wasmcore.binary.canonical import GroupKey, canonical_types
from wasmcore.errors import CompileError
from wasmcore.validation import validate
from wasmcore.validation.subtyping import TypeRelations


def numbers(text: str, table: dict[GroupKey, int] | None = None) -> tuple[int, ...]:
    """Numbers of the types of a module that has only types."""
    return canonical_types(module(f"(module {text})").types, {} if table is None else table)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("(type (func)) (type (func (param i32))) (type (func))", (0, 1, 0)),
        ("(type (func (param i32))) (type (func (result i32)))", (0, 1)),
        ("(type (struct (field i32))) (type (array i32)) (type (struct (field i32)))", (0, 1, 0)),
        ("(type (struct (field i32))) (type (struct (field (mut i32))))", (0, 1)),
        ("(type (array i8)) (type (array i16)) (type (array i32))", (0, 1, 2)),
        ("(type (sub (func))) (type (sub final (func))) (type (func))", (0, 1, 1)),
        ("(rec (type (func)) (type (func))) (type (func)) (rec (type (func)) (type (func)))", (0, 1, 2, 0, 1)),
        ("(rec) (rec (type (func))) (rec)", (0,)),
        ("(rec (type $a (struct (field (ref $a))))) (type $b (struct (field (ref $b))))", (0, 0)),
        ("(rec (type $a (struct (field (ref $a))))) (type (struct (field (ref $a))))", (0, 1)),
        ("(rec (type (struct (field (ref $b)))) (type $b (func))) (rec (type (struct (field (ref $d)))) (type $d (func)))", (0, 1, 0, 1)),
        ("(type $a (func)) (type $b (func)) (type (struct (field (ref $a)))) (type (struct (field (ref $b))))", (0, 0, 1, 1)),
        ("(type $a (func)) (type (struct (field (ref $a)))) (type (struct (field (ref null $a))))", (0, 1, 2)),
        ("(type $a (sub (func))) (type $b (sub (func))) (type (sub $a (func))) (type (sub $b (func)))", (0, 0, 1, 1)),
        # A reference into the group is not the same as one to an equal type outside.
        ("(rec (type $a (func)) (type (struct (field (ref $a))))) (rec (type (func)) (type (struct (field (ref $a)))))", (0, 1, 2, 3)),
    ],
)  # fmt: skip
def test_numbers(text: str, expected: tuple[int, ...]) -> None:
    assert numbers(text) == expected


def test_modules_with_one_table() -> None:
    table: dict[GroupKey, int] = {}
    first = numbers("(type $a (func)) (rec (type $b (struct (field (ref $a)))) (type $c (sub (struct))) (type (sub $c (struct))))", table)
    other = "(type (array i8)) (type $x (func)) (rec (type (struct (field (ref $x)))) (type $y (sub (struct))) (type (sub $y (struct))))"
    assert numbers(other, table) == (4, *first)
    assert numbers("(type (sub (struct)))", table) == (5,)


# Random types


def random_types(random: Random) -> list[list[str]]:
    """Texts of groups of types, some of them equal; a type of number `n` is called `$n`."""
    groups: list[list[str]] = []
    sizes: list[int] = []
    while sum(sizes) < 10:
        first = sum(sizes)
        if groups and random.random() < 0.4:  # again a group like one before, whose inner references move
            which = random.randrange(len(groups))
            moved = {sum(sizes[:which]) + n: first + n for n in range(sizes[which])}
            groups.append([renamed(text, moved) for text in groups[which]])
            sizes.append(sizes[which])
            continue
        size = random.choice((1, 1, 1, 2, 3))
        groups.append([random_type(random, first + n, first + size) for n in range(size)])
        sizes.append(size)
    return groups


def renamed(text: str, moved: dict[int, int]) -> str:
    """A type with references to other types."""
    words = [(is_name, "".join(part)) for is_name, part in groupby(text, lambda c: c == "$" or c.isdigit())]
    return "".join(f"${moved.get(int(word[1:]), int(word[1:]))}" if is_name and word[0] == "$" else word for is_name, word in words)


def random_type(random: Random, index: int, end: int) -> str:
    """One type, which refers to types up to `end`."""

    def value() -> str:
        heap = f"${random.randrange(end)}" if random.random() < 0.6 else random.choice(("any", "eq", "struct", "func", "none"))
        return random.choice(("i32", f"(ref {heap})", f"(ref null {heap})"))

    def field() -> str:
        return f"(mut {value()})" if random.random() < 0.3 else value()

    kind = random.choice(("struct", "struct", "array", "func"))
    if kind == "struct":
        content = "(struct" + "".join(f" (field {field()})" for _ in range(random.randrange(3))) + ")"
    elif kind == "array":
        content = f"(array {field()})"
    else:
        content = f"(func (param {value()}) (result {value()}))"
    above = f"${random.randrange(index)} " if index and random.random() < 0.3 else ""
    return random.choice((content, f"(sub {above}{content})", f"(sub {above}{content})", f"(sub final {above}{content})"))


def declared(groups: list[list[str]]) -> str:
    """The type section of such types."""
    at = iter(range(1000))
    texts = (" ".join(f"(type ${next(at)} {text})" for text in group) for group in groups)
    return " ".join(f"(rec {text})" for text in texts)


def accepted(data: bytes) -> bool:
    try:
        validate(decode(data))
    except CompileError:
        return False
    return True


@pytest.mark.parametrize("seed", range(4))
def test_random_types_match_as_for_wasmtime(seed: int) -> None:
    random = Random(seed)
    valid = related = 0
    for _ in range(150):
        groups = random_types(random)
        data = binary(f"(module {declared(groups)})")
        assert accepted(data) == is_valid(data)
        if not accepted(data):
            continue
        valid += 1
        info = decode(data)
        relations = TypeRelations(info)
        pairs = list(product(range(len(info.types)), repeat=2))
        for low, high in random.sample(pairs, 12):
            text = f"(module {declared(groups)} (func (param (ref ${low})) (result (ref ${high})) local.get 0))"
            found = relations.heap_type_matches(16 + low, 16 + high)
            assert found == is_valid(binary(text)), text
            related += found and low != high
    assert valid > 20 and related > 20


# Hostile types


def test_large_groups_are_no_trouble() -> None:
    members = b"".join(b"\x5f\1\x64" + leb(index) + b"\1" for index in range(30_000))
    group = b"\x4e" + leb(30_000) + members
    info = decode(with_types(b"\2" + group + group.replace(b"\x5f\1\x64\0\1", b"\x5f\1\x64\0\0", 1)))
    validate(info)
    assert info.canonical_types == tuple(range(60_000))


def test_chains_of_groups_are_no_trouble() -> None:
    members = b"\x60\0\0" + b"".join(b"\x5f\1\x64" + leb(index) + b"\0" for index in range(99_999))
    info = decode(with_types(leb(100_000) + members))
    assert info.canonical_types == tuple(range(100_000))


def test_chains_of_supertypes_are_limited() -> None:
    def chain(length: int) -> bytes:
        return with_types(leb(length) + b"\x50\0\x5f\0" + b"".join(b"\x50\1" + leb(index) + b"\x5f\0" for index in range(length - 1)))

    assert accepted(chain(64)) and is_valid(chain(64))
    assert not accepted(chain(65)) and not is_valid(chain(65))
    assert not accepted(chain(100_000))


def leb(value: int) -> bytes:
    """An unsigned integer; non-negative ones read as signed, too, since a byte 0x40 to 0x7F gets another one behind it."""
    out = bytearray()
    while value >= 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def with_types(payload: bytes) -> bytes:
    """A module that has only a type section."""
    return b"\0asm\1\0\0\0\1" + leb(len(payload)) + payload

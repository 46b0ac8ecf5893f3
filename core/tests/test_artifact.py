"""The serialized form of compiled code: round trips, damage of every kind, what it was made for."""

from __future__ import annotations

import random
import struct
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmcore.compile.artifact import CODE_ALIGNMENT, MAGIC, Artifact, MadeFor, is_artifact, joined, read_artifact, write_artifact
from wasmcore.errors import ArtifactError, TrapKind
from wasmcore.plugin.code import IN_INLINED, LARGEST_ALIGNMENT, CompiledCode

MODULE = b"\0asm\1\0\0\0"
KEY = bytes(range(32))
MADE_FOR = MadeFor(
    module=sha256(MODULE).digest(),
    wasmcore="0.1.0",
    backend="b",
    backend_version="1",
    build=b"1234",
    contract=(1, 0),
    options=(("level", "O3"),),
    target="x86_64",
    features=frozenset({"avx", "sse4.1"}),
    wasm_features=frozenset({"mvp"}),
    signals=True,
    lazy=False,
    memories=((32, False, True, 16),),
    layout=(2, 96, 112, 176),
)
U32 = st.integers(0, 0xFFFFFFFF)
TEXT = st.text(max_size=8)


def unit(first: int, sizes: list[int], traps: int = 2, places: int = 2, inlined: bytes = b"", callees: bytes = b"") -> CompiledCode:
    """A unit whose tables fit."""
    functions, offset = [], 0
    for number, size in enumerate(sizes):
        functions.append(struct.pack("<III", first + number, offset, size))
        offset += size + 3
    code = bytes((first + at) % 251 for at in range(offset))
    sites = sorted(random.Random(first).sample(range(offset), min(traps, offset)))
    kinds = [site % len(TrapKind) for site in sites]
    return CompiledCode(
        code=code,
        functions=b"".join(functions),
        traps=b"".join(map(struct.Struct("<II").pack, sites, kinds)),
        address_map=b"".join(struct.pack("<II", at, at * 7) for at in range(places)),
        target="x86_64",
        features=frozenset({"avx"}),
        backend="b",
        backend_version="1",
        contract=(1, 0),
        inlined=inlined,
        callees=callees,
    )


INLINED = struct.pack("<IIIIII", 7, 9, 12, 6, 10, IN_INLINED)
"""A word of function 6 in one of function 7, which is called at word 12."""
SAMPLE = Artifact(MADE_FOR, (unit(2, [40, 1, 100]), unit(5, [9], inlined=INLINED, callees=struct.pack("<I", 7))), True, MODULE)


@st.composite
def units(draw: st.DrawFn) -> tuple[CompiledCode, ...]:
    first, found = MADE_FOR.layout[0], []
    for _ in range(draw(st.integers(0, 4))):
        sizes = draw(st.lists(st.integers(0, 200), min_size=1, max_size=5))
        callees = struct.pack("<I", first + 9) * draw(st.integers(0, 2))
        found.append(unit(first, sizes, draw(st.integers(0, 3)), draw(st.integers(0, 3)), callees=callees))
        first += len(sizes)
    return tuple(found)


MADE_FORS = st.builds(
    MadeFor,
    module=st.just(MADE_FOR.module),
    wasmcore=TEXT,
    backend=TEXT,
    backend_version=TEXT,
    build=st.binary(max_size=16),
    contract=st.tuples(U32, U32),
    options=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    target=TEXT,
    features=st.frozensets(TEXT, max_size=4),
    wasm_features=st.frozensets(TEXT, max_size=4),
    signals=st.booleans(),
    lazy=st.booleans(),
    memories=st.lists(st.tuples(U32, st.booleans(), st.booleans(), U32), max_size=3).map(tuple),
    layout=st.tuples(st.just(2), U32, U32, U32),
)


@given(made_for=MADE_FORS, units=units(), complete=st.booleans(), module=st.sampled_from([None, MODULE]), key=st.sampled_from([None, KEY]))
def test_round_trip(made_for: MadeFor, units: tuple[CompiledCode, ...], complete: bool, module: bytes | None, key: bytes | None) -> None:
    backend = {"target": made_for.target, "backend": made_for.backend}
    given = tuple(each._replace(**backend, backend_version=made_for.backend_version, contract=made_for.contract) for each in units)
    artifact = Artifact(made_for, given, complete, module)
    data = write_artifact(artifact, key)
    assert is_artifact(data)
    assert read_artifact(data, key) == artifact
    assert read_artifact(data, key, made_for=made_for) == artifact
    assert write_artifact(read_artifact(data, key), key) == data


@given(one=MADE_FORS, other=MADE_FORS)
def test_what_it_was_made_for_is_told_apart(one: MadeFor, other: MadeFor) -> None:
    assert (one.pack() == other.pack()) == (one == other)
    assert MadeFor.unpack(one.pack()) == one


def test_code_can_be_mapped() -> None:
    data = write_artifact(SAMPLE)
    assert data.find(SAMPLE.units[0].code) % CODE_ALIGNMENT == 0
    assert data.rfind(SAMPLE.units[1].code) % 64 == 0


def test_every_truncation_is_refused() -> None:
    data = write_artifact(SAMPLE)
    for length in {*range(300), *range(300, len(data), 37), len(data) - 1}:
        with pytest.raises(ArtifactError, match="truncated|no precompiled"):
            read_artifact(data[:length])
    with pytest.raises(ArtifactError, match="truncated or longer"):
        read_artifact(data + b"\0")


@pytest.mark.parametrize("key", [None, KEY])
def test_every_flipped_bit_is_noticed(key: bytes | None) -> None:
    data = write_artifact(SAMPLE, key)
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 1 << at % 8
        with pytest.raises(ArtifactError):
            read_artifact(bytes(damaged), key)


def test_messages() -> None:
    data = write_artifact(SAMPLE)
    for damaged, message in (
        (b"\0asm" + data[4:], "this is no precompiled WebAssembly"),
        (MAGIC + b"\1" + data[9:], "version 1 of its form"),
        (data[:-1] + b"\1", "its checksum is wrong"),
    ):
        with pytest.raises(ArtifactError, match=message):
            read_artifact(damaged)
    with pytest.raises(ArtifactError, match="not authentic"):
        read_artifact(data, KEY)
    with pytest.raises(ArtifactError, match="not authentic"):
        read_artifact(write_artifact(SAMPLE, KEY), KEY[::-1])
    for change, message in (
        ({"features": frozenset({"sse4.1"})}, "CPU features avx, sse4.1, not sse4.1"),
        ({"contract": (1, 1)}, r"contract \(1, 0\), not \(1, 1\)"),
        ({"backend_version": "2"}, "version 1, not 2"),
        ({"signals": False}, "signals True, not False"),
    ):
        with pytest.raises(ArtifactError, match=message):
            read_artifact(data, made_for=MADE_FOR._replace(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"functions": struct.pack("<III", 1, 0, 4)}, "is imported"),
        ({"functions": struct.pack("<III", 5, 0, 10)}, "twice"),
        ({"functions": struct.pack("<III", 6, 0, 13)}, "not within the code"),
        ({"functions": struct.pack("<III", 6, 0xFFFFFFFF, 2)}, "not within the code"),
        ({"functions": struct.pack("<IIIIII", 6, 4, 4, 7, 0, 4)}, "not within the code"),
        ({"traps": struct.pack("<II", 12, 0)}, "a trap at 12 is not within"),
        ({"traps": struct.pack("<II", 0, len(TrapKind))}, "of no known kind"),
        ({"traps": struct.pack("<IIII", 3, 0, 2, 0)}, "a trap at 2 is not within"),
        ({"address_map": struct.pack("<II", 99, 0)}, "a place at 99 is not within"),
        ({"address_map": struct.pack("<II", 0, IN_INLINED + 2), "inlined": INLINED}, "a place at 0 is of no known kind"),
        ({"inlined": struct.pack("<III", 6, 9, IN_INLINED)}, "inlined call"),
        ({"callees": struct.pack("<II", 7, 0)}, "a callee is an imported function"),
    ],
)
def test_tables_that_do_not_fit_are_refused(change: dict[str, bytes], message: str) -> None:
    wrong = unit(6, [9])._replace(**change)
    assert len(wrong.code) == 12
    data = write_artifact(SAMPLE._replace(units=(SAMPLE.units[1], wrong)))
    with pytest.raises(ArtifactError, match=message):
        read_artifact(data)


def with_checksum(data: bytes) -> bytes:
    """The same bytes with the checksum that they should have."""
    return data[:32] + sha256(data[:32] + data[64:]).digest() + data[64:]


@settings(max_examples=300)
@given(random=st.randoms(use_true_random=False), count=st.integers(1, 4))
def test_what_has_the_right_checksum_is_still_checked(random: random.Random, count: int) -> None:
    """Anything but code, which nobody can check, is refused or reads as something that is written as the same bytes."""
    data = bytearray(write_artifact(SAMPLE))
    for _ in range(count):
        at = random.randrange(8, 600) if random.random() < 0.7 else random.randrange(len(data))
        width = random.choice([1, 2, 4, 8])
        value = random.choice([0, 1, 0xFF, 0xFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, len(data), random.getrandbits(64)])
        data[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, "little")
    try:
        found = read_artifact(with_checksum(bytes(data)))
    except ArtifactError as error:
        assert str(error)
    else:
        assert read_artifact(write_artifact(found)) == found


def test_a_made_for_section_of_nonsense() -> None:
    packed = MADE_FOR.pack()
    for length in range(len(packed)):
        with pytest.raises(ArtifactError):
            MadeFor.unpack(packed[:length])
    with pytest.raises(ArtifactError):
        MadeFor.unpack(packed + b"\0")
    with pytest.raises(ArtifactError):
        MadeFor.unpack(b"\xff" * 300)


def test_joined_units() -> None:
    parts = [unit(2, [5]), unit(9, [70, 2]), unit(4, [64])]
    whole = joined(parts)
    found = {each.function: whole.code[each.offset : each.offset + each.size] for each in whole.function_table()}
    expected = {each.function: part.code[each.offset : each.offset + each.size] for part in parts for each in part.function_table()}
    assert found == expected
    places = {each.function: each.offset for each in whole.function_table()}
    moved = [places[each.function] - each.offset for part in parts for each in part.function_table()]
    assert all(distance % LARGEST_ALIGNMENT == 0 for distance in moved)
    assert [kind for _, kind in whole.trap_table()] == [kind for part in parts for _, kind in part.trap_table()]
    original = [(site, part) for part in parts for site, _ in part.trap_table()]
    for (site, _), (old, part) in zip(whole.trap_table(), original, strict=True):
        assert whole.code[site] == part.code[old]
    offsets = [offset for offset, _ in whole.trap_table()]
    assert offsets == sorted(offsets)
    with pytest.raises(ArtifactError, match="inlined"):
        joined([parts[0]._replace(inlined=bytes(12))])

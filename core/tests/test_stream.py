"""The resolved stream: golden functions, the checker, positions."""

from __future__ import annotations

import struct

import pytest
from module_samples import ATOMICS, COMPILED, SAMPLES, binary, module

from wasmcore.binary import ModuleInfo, decode
from wasmcore.errors import CompileError, NotCompiledError, ValidationError
from wasmcore.opcodes import FEATURES, OPCODES
from wasmcore.plugin.unit import Environment
from wasmcore.records import header, records, weights
from wasmcore.runtime.instances.plan import plan
from wasmcore.stream import HAS_CALLS, HAS_LOOPS, HAS_VECTORS, HEADER_FLAGS, HEADER_WORDS, USES_MEMORY
from wasmcore.validation import StreamWriter, check_stream, stream_text


def environment(info: ModuleInfo) -> Environment:
    """The environment that the streams of a module belong to."""
    return plan(info, [True] * len(info.memories))


def stream(body: str, head: str = "", before: str = "") -> bytes:
    """Checked stream of the first function of a module."""
    info = module(f"(module {before} (func {head} {body}))")
    made = StreamWriter(info).stream(0)
    check_stream(environment(info), made)
    return made


def text(made: bytes) -> str:
    """Its records without the word numbers."""
    return "\n".join(line for _, line in stream_text(made))


def test_words() -> None:
    made = stream("local.get 0 i32.const -2 i32.add", "(param i32) (result i32)")
    words = struct.unpack(f"<{len(made) // 8}q", made)
    assert words[:HEADER_WORDS] == (0, 0, 1, 2, 0, 0, 8 * 13, 1)
    assert words[HEADER_WORDS:] == (
        0x20 | 1 << 16,
        0x41 | -2 << 32,
        0x6A,
        struct.unpack("<q", struct.pack("<Q", 0x0F | 1 << 16 | 0x80000000))[0],
        1 << 32,
        1,
    )


GOLDEN = {
    "constants": (
        "(result f64)",
        "i32.const -1 drop i64.const 0x7fffffff drop i64.const 0x80000000 drop f32.const -0 drop nop f64.const 0",
        "i32.const -1\ndrop i32\ni64.const 2147483647\ndrop i64\ni64.const 2147483648\ndrop i64\n"
        "f32.const -0.0 (0x80000000)\ndrop f32\nf64.const 0.0 (0x0)\nreturn values=1@4",
    ),
    "if with else": (
        "(param i32) (result i32)",
        "local.get 0 if (result i32) i32.const 1 else i32.const 2 end",
        "local.get 0 i32\nif @0\n  i32.const 1\nelse @0 height=0 reached\n  i32.const 2\n"
        "end @0 else height=0 values=1@1 reached targeted\nreturn values=1@1",
    ),
    "if that returns": (
        "(param i32) (result i32)",
        "local.get 0 if i32.const 1 return end i32.const 2",
        "local.get 0 i32\nif @0\n  i32.const 1\n  return values=1@1\nend @0 if height=0 targeted\ni32.const 2\nreturn values=1@1",
    ),
    "loop": (
        "(param i32)",
        "loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end",
        "loop @0\n  local.get 0 i32\n  i32.const 1\n  i32.sub\n  local.tee 0 i32\n  br_if @0\nend @0 loop height=0 reached\nreturn",
    ),
    "dead code": (
        "(result i32)",
        "block (result i32) i32.const 1 br 0 i32.add block unreachable end end",
        "block @0\n  i32.const 1\n  br @0 height=0 values=1@1\nend @0 height=0 values=1@1 targeted\nreturn values=1@1",
    ),
    "nothing behind an endless loop": (
        "(result i32)",
        "loop br 0 end i32.const 1",
        "loop @0\n  br @0\nend @0 loop height=0",
    ),
    "branches out of the function": (
        "(param i32) (result i32)",
        "i32.const 7 local.get 0 br_if 0 local.get 0 br_table 0 0",
        "i32.const 7\nlocal.get 0 i32\nbr_if return height=0 values=1@1\nlocal.get 0 i32\nbr_table 2\n"
        "target return height=0 values=1@1\ntarget return height=0 values=1@1",
    ),
    "parameters of blocks": (
        "(param f64) (result f64)",
        "f32.const 1 local.get 0 block (param f64) (result f64) f64.neg end br 0",
        "f32.const 1.0 (0x3f800000)\nlocal.get 0 f64\nblock @0 params=1\n  f64.neg\nend @0 height=1 values=1@4 reached\nreturn values=1@4",
    ),
    "locals": (
        "(param i32) (local i64 i64 externref v128)",
        "local.get 3 local.set 3 i32.const 5 local.tee 0 drop",
        "locals 2 i64\nlocals 1 ref\nlocals 1 v128\nlocal.get 3 ref\nlocal.set 3 ref\ni32.const 5\nlocal.tee 0 i32\ndrop i32\nreturn",
    ),
    "typed select": (
        "(param externref) (result externref)",
        "local.get 0 ref.null extern i32.const 0 select (result externref)",
        "local.get 0 ref\nref.null\ni32.const 0\nselect ref\nreturn values=1@14",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    head, body, expected = GOLDEN[name]
    assert text(stream(body, head)) == expected


def test_accesses() -> None:
    made = stream(
        "i32.const 0 i32.const 0 i32.load8_u $b offset=0xffffffff i32.store offset=4 "
        "i32.const 0 v128.const i64x2 0 0 v128.load8_lane offset=3 7 drop",
        before="(memory 1) (memory $b 1)",
    )
    assert "i32.load8_u offset=4294967295 memory=1\ni32.store offset=4\n" in text(made)
    assert "v128.load8_lane offset=3 lane=7" in text(made)
    assert header(made)[HEADER_FLAGS] == USES_MEMORY | HAS_VECTORS


def test_flags_of_the_header_and_of_loops() -> None:
    made = stream("loop loop end call 0 end loop end")
    assert [line for line in text(made).split("\n") if line.strip().startswith("loop")] == ["loop @0 calls", "  loop @1", "loop @2"]
    assert header(made)[HEADER_FLAGS] == HAS_CALLS | HAS_LOOPS
    assert header(stream("return call 0"))[HEADER_FLAGS] == 0


def test_weights() -> None:
    made = stream(
        "local.get 0 drop loop local.get 1 local.set 2 loop local.get 1 drop end end "
        "loop local.get 2 drop br 0 local.get 0 drop end unreachable",
        "(param i32 i32 i32)",
    )
    assert weights(made) == (1, 110, 20)


@pytest.mark.parametrize("name", [*COMPILED, "atomics"])
def test_samples(name: str) -> None:
    features = frozenset(FEATURES)
    info = decode(binary(ATOMICS if name == "atomics" else SAMPLES[name]), features)
    writer = StreamWriter(info, features)
    for index in range(info.imported_functions, info.function_count):
        made = writer.stream(index)
        check_stream(environment(info), made)
        positions = struct.unpack(f"<{len(made) // 8}I", writer.positions(index))
        start, end = info.body(index)
        assert all(start <= position < end for position in positions)
        inside = [positions[record.word] for record in records(made)]
        assert inside == sorted(inside)
        for record in records(made):
            code = info.data[positions[record.word]]
            if record.operation < 0x100 and record.name not in ("return", "select"):
                assert record.operation == code
        assert writer.stream(index) == made


def test_streams_are_made_for_defined_functions_only() -> None:
    writer = StreamWriter(module('(module (import "a" "b" (func)) (func))'))
    writer.stream(1)
    for index in (0, 2):
        with pytest.raises(IndexError):
            writer.stream(index)


def test_checker_sees_every_changed_word() -> None:
    info = module(SAMPLES["control"])
    harmless = 0
    for index in range(info.function_count):
        made = StreamWriter(info).stream(index)
        for at in range(0, len(made), 8):
            changed = bytearray(made)
            changed[at + 4 * (at % 16 == 0)] ^= 3
            try:
                check_stream(environment(info), bytes(changed))
                harmless += 1
            except ValueError:
                pass
    assert harmless <= 40  # other constants, other locals of the same type, another opcode of the same signature


def test_checker_refuses_what_is_cut_off() -> None:
    made = stream("i64.const 0x100000000 drop", "(local i32)")
    for size in range(0, len(made), 8):
        with pytest.raises(ValueError):
            check_stream(environment(module("(module (func))")), made[:size])


def test_vectors_flag() -> None:
    def flags(body: str, head: str = "", before: str = "") -> int:
        return header(stream(body, head, before))[HEADER_FLAGS]

    assert flags("v128.const i64x2 0 0 drop") == HAS_VECTORS
    assert flags("return v128.const i64x2 0 0 drop") == 0
    assert flags("", "(local v128)") == HAS_VECTORS
    assert flags("", before="(type (func (param v128)))") == HAS_VECTORS
    assert flags("", before="(type (func (result i32 v128)))") == HAS_VECTORS
    assert flags("", before="(global (mut v128) (v128.const i64x2 0 0))") == HAS_VECTORS
    assert flags("loop end", before="(global i32 (i32.const 0))") == HAS_LOOPS


REFERENCE_STREAMS = {
    "call_ref": (
        "(param (ref null $u)) (result i32)",
        "i32.const 7 local.get 0 call_ref $u",
        "i32.const 7\nlocal.get 0 ref\ncall_ref 0\nreturn values=1@1",
        HAS_CALLS,
    ),
    "return_call_ref": (
        "(param (ref null $u)) (result i32)",
        "i32.const 7 local.get 0 ref.as_non_null return_call_ref $u",
        "i32.const 7\nlocal.get 0 ref\nref.as_non_null\nreturn_call_ref 0",
        HAS_CALLS,
    ),
    "br_on_null": (
        "(param externref) (result i32)",
        "block (result i32) i32.const 1 local.get 0 br_on_null 0 drop end",
        "block @0\n  i32.const 1\n  local.get 0 ref\n  br_on_null @0 height=0 values=1@1\n  drop ref\n"
        "end @0 height=0 values=1@1 reached targeted\nreturn values=1@1",
        0,
    ),
    "br_on_null without values": (
        "(param externref)",
        "f64.const 0 block local.get 0 br_on_null 0 drop end drop",
        "f64.const 0.0 (0x0)\nblock @0\n  local.get 0 ref\n  br_on_null @0\n  drop ref\nend @0 height=1 reached targeted\ndrop f64\nreturn",
        0,
    ),
    "br_on_null out of the function": (
        "(param externref) (result i32)",
        "i32.const 1 local.get 0 br_on_null 0 drop",
        "i32.const 1\nlocal.get 0 ref\nbr_on_null return height=0 values=1@1\ndrop ref\nreturn values=1@1",
        0,
    ),
    "br_on_non_null": (
        "(param externref) (result externref)",
        "block (result externref) local.get 0 br_on_non_null 0 ref.null extern end",
        "block @0\n  local.get 0 ref\n  br_on_non_null @0 height=0 values=1@14\n  ref.null\n"
        "end @0 height=0 values=1@14 reached targeted\nreturn values=1@14",
        0,
    ),
    "br_on_null to a loop": (
        "(param externref)",
        "loop local.get 0 br_on_null 0 drop end",
        "loop @0\n  local.get 0 ref\n  br_on_null @0\n  drop ref\nend @0 loop height=0 reached\nreturn",
        HAS_LOOPS,
    ),
}


@pytest.mark.parametrize("name", REFERENCE_STREAMS)
def test_references(name: str) -> None:
    head, body, expected, flags = REFERENCE_STREAMS[name]
    made = stream(body, head, "(type $u (func (param i32) (result i32)))")
    assert text(made) == expected
    assert header(made)[HEADER_FLAGS] == flags


def test_locals_that_must_be_set() -> None:
    made = stream("local.get 0 local.set 2 loop local.get 2 drop end", "(param (ref extern)) (local i32 (ref extern))")
    assert text(made) == (
        "locals 1 i32\nlocals 1 ref\nlocal.get 0 ref\nlocal.set 2 ref\nloop @0\n  local.get 2 ref\n  drop ref\n"
        "end @0 loop height=0 reached\nreturn"
    )
    assert weights(made) == (1, 0, 11)


def test_atomics_and_wide_arithmetic() -> None:
    features = frozenset(FEATURES)
    info = decode(binary(ATOMICS), features)
    lines = [line for _, line in stream_text(StreamWriter(info, features).stream(0))]
    assert "i64.atomic.rmw32.cmpxchg_u offset=0" in lines
    assert "i32.atomic.load16_u offset=4294967296 memory=1" in lines
    assert "atomic.fence" in lines and "i64.mul_wide_u" in lines and "i64.add128" in lines
    assert header(StreamWriter(info, features).stream(0))[HEADER_FLAGS] == HAS_CALLS | USES_MEMORY


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("ref.null none ref.i31 drop", None),
        ("nop i32.const 1 ref.i31 ref.test i31ref drop", "ref.i31"),
        ("try_table end", "try_table"),
        ("block ref.null exn throw_ref end", "throw_ref"),
        ("unreachable struct.new_default $s drop", ""),
    ],
)
def test_what_is_not_compiled(body: str, name: str | None) -> None:
    info = module(f"(module (type $s (struct)) (func {body}))")
    writer = StreamWriter(info)
    if name == "":
        assert text(writer.stream(0)) == "unreachable"
        return
    with pytest.raises(CompileError) as caught:
        writer.stream(0)
    if name is None:
        assert isinstance(caught.value, ValidationError)
        return
    assert isinstance(caught.value, NotCompiledError)
    assert (OPCODES[caught.value.opcode].name, caught.value.function) == (name, 0)
    offset = caught.value.offset
    assert offset is not None
    binaries = {opcode.name: opcode.binary for opcode in OPCODES.values()}
    assert info.data[offset:].startswith(binaries[name])

"""Rules for 64-bit memories and tables, several memories, atomics, pages of other sizes, wide arithmetic."""

from __future__ import annotations

import pytest
from module_samples import is_valid
from test_validation import leb, section, with_body
from validation_cases import accept, refuse

from wasmcore.binary import decode
from wasmcore.errors import CompileError, DecodeError, ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES
from wasmcore.validation import validate

HEAD = """(memory $m i64 1) (memory $n 1) (table $t i64 1 funcref) (table $u 1 funcref) (data $d "x") (elem $e func)"""
ALL = frozenset(FEATURES)

ADDRESSES = {
    "load": ("i64.const 0 i32.load $m drop i32.const 0 i32.load $n drop", ""),
    "load by i32": ("i32.const 0 i32.load $m drop", "type mismatch"),
    "load by i64": ("i64.const 0 i32.load $n drop", "type mismatch"),
    "large offset": ("i64.const 0 i64.load8_u $m offset=0xffffffffffffffff drop", ""),
    "store": ("i64.const 0 f32.const 0 f32.store $m", ""),
    "store by i32": ("i32.const 0 f32.const 0 f32.store $m", "type mismatch"),
    "lane": ("i64.const 0 v128.const i64x2 0 0 v128.load8_lane $m 3 drop", ""),
    "lane by i32": ("i32.const 0 v128.const i64x2 0 0 v128.load8_lane $m 3 drop", "type mismatch"),
    "size": ("memory.size $m i64.eqz drop memory.size $n i32.eqz drop", ""),
    "grow": ("i64.const 1 memory.grow $m i64.eqz drop", ""),
    "grow by i32": ("i32.const 1 memory.grow $m drop", "type mismatch"),
    "fill": ("i64.const 0 i32.const 0 i64.const 0 memory.fill $m", ""),
    "fill i32 bytes": ("i64.const 0 i32.const 0 i32.const 0 memory.fill $m", "type mismatch"),
    "copy inside": ("i64.const 0 i64.const 0 i64.const 0 memory.copy $m $m", ""),
    "copy out": ("i32.const 0 i64.const 0 i32.const 0 memory.copy $n $m", ""),
    "copy in": ("i64.const 0 i32.const 0 i32.const 0 memory.copy $m $n", ""),
    "copy i64 bytes": ("i64.const 0 i32.const 0 i64.const 0 memory.copy $m $n", "type mismatch"),
    "init": ("i64.const 0 i32.const 0 i32.const 0 memory.init $m $d", ""),
    "init at i32": ("i32.const 0 i32.const 0 i32.const 0 memory.init $m $d", "type mismatch"),
    "table.get": ("i64.const 0 table.get $t drop", ""),
    "table.get by i32": ("i32.const 0 table.get $t drop", "type mismatch"),
    "table.set": ("i64.const 0 ref.null func table.set $t", ""),
    "table.size": ("table.size $t i64.eqz drop", ""),
    "table.grow": ("ref.null func i64.const 1 table.grow $t i64.eqz drop", ""),
    "table.fill": ("i64.const 1 ref.null func i64.const 1 table.fill $t", ""),
    "table.copy": ("i64.const 0 i32.const 1 i32.const 1 table.copy $t $u", ""),
    "table.copy i64 elements": ("i64.const 0 i32.const 1 i64.const 1 table.copy $t $u", "type mismatch"),
    "table.init": ("i64.const 0 i32.const 1 i32.const 1 table.init $t $e", ""),
    "call_indirect": ("i64.const 0 call_indirect $t", ""),
    "call_indirect by i32": ("i32.const 0 call_indirect $t", "type mismatch"),
}

LIMITS = {
    "largest": ("(memory i64 0x1_0000_0000_0000)", ""),
    "too large": ("(memory i64 0x1_0000_0000_0001)", "memory size must be at most"),
    "maximum too large": ("(memory i64 0 0x1_0000_0000_0001)", "memory size must be at most"),
    "minimum above": ("(memory i64 2 1)", "size minimum must not be greater than maximum"),
    "table": ("(table i64 0 0xffff_ffff_ffff_ffff funcref)", ""),
    "table too large": ("(table 0x1_0000_0000 funcref)", "table size must be at most"),
    "offset of a segment": ('(memory i64 1) (data (i64.const 0) "")', ""),
    "offset of a segment in 32 bits": ('(memory i64 1) (data (i32.const 0) "")', "type mismatch"),
    "offset of elements": ("(table i64 1 funcref) (elem (i64.const 0) func)", ""),
    "offset of elements in 32 bits": ("(table i64 1 funcref) (elem (i32.const 0) func)", "type mismatch"),
}

PROPOSALS = {
    "shared": ("(memory 1 2 shared)", ""),
    "atomics": ("(memory 1) (func i32.const 0 i64.const 1 i64.const 2 i64.atomic.rmw16.cmpxchg_u offset=4 drop)", ""),
    "atomics in a 64-bit memory": ("(memory i64 1 1 shared) (func i64.const 0 i32.const 1 i64.const 2 memory.atomic.wait32 drop)", ""),
    "atomics by i32": ("(memory i64 1) (func i32.const 0 i32.atomic.load drop)", "type mismatch"),
    "smaller alignment": ("(memory 1) (func i32.const 0 i32.atomic.load align=2 drop)", "atomic alignment must be natural"),
    "larger alignment": ("(memory 1) (func i32.const 0 i32.atomic.load8_u align=2 drop)", "alignment"),
    "atomics without memory": ("(func i32.const 0 i32.atomic.load drop)", "unknown memory 0"),
    "fence": ("(func atomic.fence)", ""),
    "wait": ("(memory 1) (func i32.const 0 i32.const 1 i64.const 2 memory.atomic.wait64 drop)", "type mismatch"),
    "page of one byte": ("(memory 0xffff_ffff (pagesize 1))", ""),
    "too many pages of one byte": ("(memory 0x1_0000_0000 (pagesize 1))", "memory size must be at most"),
    "page of two bytes": ("(memory 1 (pagesize 2))", "invalid custom page size"),
    "page of the usual size": ("(memory 65536 (pagesize 65536))", ""),
    "wide": ("(func (param i64 i64) (result i64 i64) local.get 0 local.get 1 i64.mul_wide_s local.get 0 local.get 1 i64.add128)", ""),
    "wide with a wrong type": ("(func (param i64 i32) local.get 0 local.get 1 i64.mul_wide_u drop drop)", "type mismatch"),
    "wide with too few": ("(func (param i64) local.get 0 local.get 0 local.get 0 i64.sub128 drop drop)", "type mismatch"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(name: str) -> None:
    code, message = ADDRESSES[name]
    judge(f"{HEAD} (func {code})", message)


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    judge(*LIMITS[name])


@pytest.mark.parametrize("name", PROPOSALS)
def test_proposals(name: str) -> None:
    text, message = PROPOSALS[name]
    judge(text, message, proposals=True)


def judge(text: str, message: str, proposals: bool = False) -> None:
    """Accepted if there is nothing to say."""
    if message:
        refuse(text, message, proposals)
    else:
        accept(text, proposals)


MALFORMED = {
    "flags": section(5, b"\1\x10\0"),
    "page size": section(5, b"\1\x08\0\x41"),
    "shared table": section(4, b"\1\x70\3\0\1"),
    "page size of a table": section(4, b"\1\x70\x08\0\0"),
    "limit of 11 bytes": section(5, b"\1\0" + b"\x80" * 10 + b"\0"),
    "limit of 65 bits": section(5, b"\1\0" + b"\x80" * 9 + b"\2"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_limits(name: str) -> None:
    data = b"\0asm\1\0\0\0" + MALFORMED[name]
    with pytest.raises(DecodeError):
        decode(data, ALL)
    assert not is_valid(data, proposals=True)


def test_malformed_fence() -> None:
    data = with_body(b"\xfe\3\1\x0b")
    with pytest.raises(DecodeError, match="zero byte expected"):
        validate(decode(data, ALL), ALL)
    assert not is_valid(data, proposals=True)


def test_limits_had_32_bits() -> None:
    data = b"\0asm\1\0\0\0" + section(5, b"\1\0\x80\x80\x80\x80\x10")
    with pytest.raises(ValidationError, match="memory size must be at most"):
        validate(decode(data))
    with pytest.raises(DecodeError, match="integer too large"):
        decode(data, DEFAULT_FEATURES - {"memory64"})


@pytest.mark.parametrize(
    "sections",
    [
        section(2, leb(101) + b"\0\0\2\0\0" * 101),
        section(2, leb(100) + b"\0\0\2\0\0" * 100) + section(5, b"\1\0\0"),
        section(2, leb(101) + b"\0\0\1\x70\0\0" * 101),
        section(2, leb(100) + b"\0\0\1\x70\0\0" * 100) + section(4, b"\1\x70\0\0"),
    ],
    ids=["imported memories", "memories", "imported tables", "tables"],
)
def test_numbers_of_memories_and_tables_are_limited(sections: bytes) -> None:
    with pytest.raises(CompileError, match="the limit is 100"):
        decode(b"\0asm\1\0\0\0" + sections)


def test_data_segments_are_limited() -> None:
    with pytest.raises(ValidationError, match="too many data segments"):
        decode(b"\0asm\1\0\0\0" + section(11, leb(100_001) + b"\1\0" * 100_001))

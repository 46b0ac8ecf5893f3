"""Macro records to machine code: what the encoder makes of operands in the same register, conditions, traps, constants."""

from __future__ import annotations

import struct

import capstone
import pytest

from wasmcore.errors import TrapKind
from wasmcore_x86_64.singlepass import encoder as m
from wasmcore_x86_64.singlepass import lowering
from wasmcore_x86_64.singlepass.encoder import Encoder

_decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
WIDE = 1
ADD, SUB, AND, MUL = 0, 2, 4, 10
FLOAT_EQUAL, FLOAT_NOT_EQUAL = 10, 11


def record(operation: int, size: int = 0, d: int = 0, a: int = 0, b: int = 0, immediate: int = 0, constant: int | None = None) -> bytes:
    """One record."""
    word = operation | size << 8 | d << 15 | a << 20 | b << 25 | (immediate & 0xFFFFFFFF) << 32
    if constant is None:
        return struct.pack("<Q", word)
    return struct.pack("<Qq", word | 0x80, constant)


def code_of(*records: bytes, features: frozenset[str] = frozenset(), signals: bool = True) -> bytes:
    return encode(lowering.encoder(features, signals), b"".join(records))


def encode(encoder: Encoder, records: bytes) -> bytes:
    """The code of one function alone in its unit."""
    code = encoder.encode_unit([records])
    start, size = struct.unpack("<II", encoder.tables()[0])
    assert start == 0 and set(code[size:]) <= {0xCC} and len(code) % 16 == 0
    return code[:size]


def text(*records: bytes, features: frozenset[str] = frozenset(), signals: bool = True) -> list[str]:
    """The disassembly of some records."""
    code = code_of(*records, features=features, signals=signals)
    found = list(_decoder.disasm(code, 0))
    assert sum(each.size for each in found) == len(code), code.hex()
    return [f"{each.mnemonic} {each.op_str}".strip() for each in found]


@pytest.mark.parametrize(
    ("size", "d", "a", "b", "expected"),
    [
        (ADD | WIDE, 0, 0, 1, ["add rax, rcx"]),
        (ADD | WIDE, 1, 0, 1, ["add rcx, rax"]),
        (ADD, 2, 13, 14, ["lea edx, [r13 + r14]"]),
        (SUB | WIDE, 0, 0, 1, ["sub rax, rcx"]),
        (SUB, 1, 0, 1, ["neg ecx", "add ecx, eax"]),
        (SUB, 2, 0, 1, ["mov edx, eax", "sub edx, ecx"]),
        (SUB, 3, 3, 3, ["sub ebx, ebx"]),
        (AND, 1, 0, 1, ["and ecx, eax"]),
        (MUL | WIDE, 8, 9, 10, ["mov r8, r9", "imul r8, r10"]),
        (MUL, 8, 9, 8, ["imul r8d, r9d"]),
    ],
)
def test_three_addresses(size: int, d: int, a: int, b: int, expected: list[str]) -> None:
    assert text(record(m.ALU, size, d, a, b)) == expected


@pytest.mark.parametrize(
    ("size", "d", "a", "value", "expected"),
    [
        (ADD | WIDE, 0, 13, 8, ["lea rax, [r13 + 8]"]),
        (SUB | WIDE, 0, 13, 8, ["lea rax, [r13 - 8]"]),
        (SUB, 0, 0, 8, ["sub eax, 8"]),
        (AND, 0, 6, 255, ["movzx eax, sil"]),
        (AND | WIDE, 0, 6, 0xFFFF, ["movzx eax, si"]),
        (MUL, 0, 13, 8, ["mov eax, r13d", "shl eax, 3"]),
        (MUL | WIDE, 0, 13, 10, ["imul rax, r13, 0xa"]),
        (MUL, 0, 0, 1, []),
    ],
)
def test_constants(size: int, d: int, a: int, value: int, expected: list[str]) -> None:
    assert text(record(m.ALU_CONSTANT, size, d, a, 0, value)) == expected


def test_flags_of_arithmetic_are_used() -> None:
    decrement = record(m.ALU_CONSTANT, SUB, 0, 0, 0, 1)
    test = record(m.TEST, 0, 0, 0, 0)
    assert text(decrement, test) == ["sub eax, 1"]
    assert text(decrement, record(m.TEST, 0, 0, 1, 1)) == ["sub eax, 1", "test ecx, ecx"]
    assert text(decrement, record(m.LABEL), test) == ["sub eax, 1", "test eax, eax"]
    assert text(record(m.ALU_CONSTANT, SUB | WIDE, 0, 0, 0, 1), test) == ["sub rax, 1", "test eax, eax"]


def test_float_conditions_know_nan() -> None:
    equal = text(record(m.LABEL), record(m.FLOAT_COMPARE, WIDE, 0, 1, 2), record(m.JUMP_IF, FLOAT_EQUAL))
    assert equal == ["ucomisd xmm1, xmm2", "jp 8", "je 0"]
    different = text(record(m.LABEL), record(m.FLOAT_COMPARE, 0, 0, 1, 2), record(m.JUMP_IF, FLOAT_NOT_EQUAL))
    assert different == ["ucomiss xmm1, xmm2", "jp 0", "jne 0"]
    assert text(record(m.SET_IF, FLOAT_EQUAL, 6)) == ["sete sil", "setnp r11b", "and esi, r11d", "movzx esi, sil"]


def test_select() -> None:
    condition = 4 << 1  # unsigned less
    assert text(record(m.SELECT_IF, condition, 0, 0, 1)) == ["cmovae eax, ecx"]
    assert text(record(m.SELECT_IF, condition, 1, 0, 1)) == ["cmovb ecx, eax"]
    assert text(record(m.SELECT_IF, condition | WIDE, 2, 0, 1)) == ["mov rdx, rcx", "cmovb rdx, rax"]
    assert text(record(m.FLOAT_SELECT_IF, condition | WIDE, 1, 2, 1)) == ["jae 5", "movaps xmm1, xmm2"]


def test_features() -> None:
    popcnt = record(m.UNARY, 2 << 1, 0, 13)
    assert text(popcnt, features=frozenset({"popcnt"})) == ["popcnt eax, r13d"]
    assert len(text(record(m.UNARY, 0, 0, 13))) == 4
    assert text(record(m.UNARY, 0, 0, 13), features=frozenset({"lzcnt"})) == ["lzcnt eax, r13d"]
    assert text(record(m.UNARY, 2 | WIDE, 0, 13), features=frozenset({"bmi1"})) == ["tzcnt rax, r13"]


def test_large_offsets() -> None:
    assert text(record(m.LOAD, 0, 0, 13, 0, 0x7FFFFFFF)) == ["mov eax, dword ptr [rbx + r13 + 0x7fffffff]"]
    assert text(record(m.LOAD, 0, 0, 13, 0, 0, 0xFFFFFFFF)) == [
        "mov r11d, 0xffffffff",
        "add r11, r13",
        "mov eax, dword ptr [rbx + r11]",
    ]
    assert text(record(m.STORE_CONSTANT, 4, 0, 31, 0, 16, 0x1FF)) == ["mov byte ptr [rbx + 0x10], 0xff"]


def test_large_frames_do_not_wrap() -> None:
    lines = text(record(m.PROLOGUE, 0, immediate=50_000), record(m.END))
    assert lines[3:5] == ["mov rax, rsp", "sub rax, 0x61a80"]
    assert lines[5].startswith("jb ") and lines[6] == "cmp rax, qword ptr [r11 + 8]" and lines[7].startswith("jb ")


def test_traps_and_positions() -> None:
    encoder = Encoder()
    records = b"".join(
        [
            record(m.POSITION, immediate=8),
            record(m.DIVIDE, 0, 0, 0, 1),
            record(m.POSITION, immediate=9),
            record(m.TRAP, TrapKind.UNREACHABLE),
            record(m.END),
        ]
    )
    code = encoder.encode_unit([record(m.RETURN) + record(m.END), records])
    extents, traps, positions = encoder.tables()
    assert struct.unpack("<4I", extents)[::2] == (0, 16)
    entries = list(struct.iter_unpack("<II", traps))
    assert [kind for _, kind in entries] == [TrapKind.INTEGER_OVERFLOW, TrapKind.UNREACHABLE, TrapKind.INTEGER_DIVIDE_BY_ZERO]
    for offset, kind in entries:
        instruction = next(_decoder.disasm(code[offset:], 0)).mnemonic
        assert instruction == ("idiv" if kind == TrapKind.INTEGER_OVERFLOW else "ud2")
    where = list(struct.iter_unpack("<II", positions))
    assert [word for _, word in where] == [8, 9, 8] and [at for at, _ in where] == sorted(at for at, _ in where)
    assert where[-1][0] == entries[-1][0]


CALL_TRAP = ["mov r11, qword ptr [r12 + 8]", "call qword ptr [r11 + 0x50]"]


def test_without_signals_nothing_faults() -> None:
    program = (
        record(m.DIVIDE, 0, 0, 0, 1),
        record(m.CALL_INDIRECT, 0, 0, 0, 0, 64, 0),
        record(m.TRAP, TrapKind.UNREACHABLE),
        record(m.END),
    )
    lines = text(*program, signals=False)
    assert "ud2" not in lines
    division = lines.index("idiv ecx")
    jumps = lines[division - 4], lines[division - 1]
    assert lines[division - 6 : division] == ["cdq", "cmp ecx, -1", jumps[0], "mov r11d, eax", "neg r11d", jumps[1]]
    assert jumps[0].startswith("jne ") and jumps[1].startswith("jo ")
    null_check = lines.index("test rax, rax")
    assert lines[null_check + 1].startswith("je ") and lines[null_check + 2] == "cmp r11d, dword ptr [rax + 0x10]"
    kinds = [int(line.split(", ")[1], 0) for line, call in zip(lines, lines[2:]) if line.startswith("mov r13d") and call == CALL_TRAP[1]]
    assert kinds == [
        TrapKind.UNREACHABLE,
        TrapKind.INTEGER_DIVIDE_BY_ZERO,
        TrapKind.INTEGER_OVERFLOW,
        TrapKind.UNDEFINED_ELEMENT,
        TrapKind.UNINITIALIZED_ELEMENT,
        TrapKind.INDIRECT_CALL_TYPE_MISMATCH,
    ]


def test_polls_without_signals() -> None:
    encoder = lowering.encoder(frozenset(), False)
    code = encode(encoder, record(m.POSITION, immediate=8) + record(m.POLL) + record(m.RETURN) + record(m.END))
    found = [(each.address, f"{each.mnemonic} {each.op_str}".strip()) for each in _decoder.disasm(code, 0)]
    names = [name for _, name in found]
    assert names[:2] == ["mov r11, qword ptr [r12]", "sub dword ptr [r11 + 0x18], 1"]
    assert names[2:] == [
        f"js {found[5][0]:#x}",
        "leave",
        "ret",
        "mov r11, qword ptr [r12 + 8]",
        "call qword ptr [r11 + 0x58]",
        f"jmp {found[3][0]:#x}",
    ]
    _, traps, positions = encoder.tables()
    assert traps == b"" and list(struct.iter_unpack("<II", positions)) == [(0, 8), (found[5][0], 8)]


def test_float_constants_stand_once_behind_the_code() -> None:
    bits = struct.unpack("<q", struct.pack("<d", 1.5))[0]
    code = code_of(
        record(m.FLOAT_CONSTANT, WIDE, 1, constant=bits),
        record(m.FLOAT_ALU_CONSTANT, WIDE, 1, 1, constant=bits),
        record(m.FLOAT_CONSTANT, WIDE, 2),
        record(m.RETURN),
        record(m.END),
    )
    assert code.count(struct.pack("<d", 1.5)) == 1 and code.endswith(struct.pack("<d", 1.5)) and len(code) % 8 == 0
    lines = [f"{each.mnemonic} {each.op_str}" for each in _decoder.disasm(code[:-8], 0)]
    assert [line.split(",")[0] for line in lines[:3]] == ["movsd xmm1", "addsd xmm1", "xorps xmm2"]


def test_branch_table() -> None:
    code = code_of(
        record(m.BRANCH_TABLE, 0, 0, 6, 0, 2), record(m.BRANCH_TARGET, immediate=0), record(m.BRANCH_TARGET, immediate=1),
        record(m.LABEL, immediate=0), record(m.RETURN), record(m.LABEL, immediate=1), record(m.TRAP), record(m.END),
    )  # fmt: skip
    instructions = []
    for each in _decoder.disasm(code, 0):
        instructions.append(each)
        if each.mnemonic == "jmp":
            break
    table = instructions[-1].address + instructions[-1].size
    address = next(each for each in instructions if each.mnemonic == "lea")
    assert "rip" in address.op_str and int(address.op_str.split("+ ")[1].rstrip("]"), 0) == table - address.address - address.size
    targets = [table + 4 * number + 4 + struct.unpack_from("<i", code, table + 4 * number)[0] for number in range(2)]
    assert code[targets[0] :][:2] == b"\xc9\xc3" and code[targets[1] :][:2] == b"\x0f\x0b"


def test_code_does_not_depend_on_what_was_encoded_before() -> None:
    program = record(m.FLOAT_CONSTANT, WIDE, 1, constant=1 << 62) + record(m.JUMP, immediate=3) + record(m.LABEL, immediate=3)
    encoder = Encoder()
    first = encode(encoder, program + record(m.END))
    encode(encoder, record(m.ALU_CONSTANT, SUB, 0, 0, 0, 1) + record(m.FLOAT_CONSTANT, WIDE, 1, constant=5) + record(m.END))
    assert encode(encoder, program + record(m.END)) == first


def test_register_file_is_disjoint() -> None:
    integers = [*lowering.TEMPORARIES, *lowering.PINNED]
    floats = [*lowering.FLOAT_TEMPORARIES, *lowering.FLOAT_PINNED]
    assert len(set(integers)) == len(integers) and not set(integers) & {3, 4, 5, 11, 12}
    assert len(set(floats)) == len(floats) and 15 not in floats
    convention = lowering.CONVENTION
    assert set(convention.integer_results) <= set(lowering.TEMPORARIES)
    assert set(convention.float_results) <= set(lowering.FLOAT_TEMPORARIES)
    assert lowering.CALL_INDEX in lowering.TEMPORARIES and lowering.CALL_INDEX not in convention.integers

# ruff: noqa: B023 (the lambdas are called at once)
"""Every encoding of vector instructions, as SSE, AVX and AVX-512 have it, against capstone."""

from __future__ import annotations

import pytest
from test_assembler import ALL, DISPLACEMENTS, R32, R64, XMM, address, number, text

from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler import vector_instructions as v

INSTRUCTIONS = {name: value for name, value in vars(v).items() if type(value) is int and not name.startswith("DIGIT")}

# How much of memory they read, if not 16 bytes.
SIZES = {
    **dict.fromkeys("PMOVSXBW PMOVSXWD PMOVSXDQ PMOVZXBW PMOVZXWD PMOVZXDQ MOVDDUP CVTDQ2PD CVTPS2PD".split(), "qword"),
    "INSERTPS": "dword",
    "VBROADCASTSS": "dword",
    "VPBROADCASTB": "byte",
    "VPBROADCASTW": "word",
}
WITH_BYTE = {*"PSHUFD PSHUFLW SHUFPS PALIGNR PBLENDW INSERTPS ROUNDPS ROUNDPD CMPPS CMPPD".split()}
ONE_SOURCE = {
    *"PTEST PABSB PABSW PABSD PSHUFD PSHUFLW PMOVSXBW PMOVSXWD PMOVSXDQ PMOVZXBW PMOVZXWD PMOVZXDQ MOVDDUP SQRTPS SQRTPD".split(),
    *"ROUNDPS ROUNDPD CVTDQ2PS CVTDQ2PD CVTTPS2DQ CVTTPD2DQ CVTPS2PD CVTPD2PS VBROADCASTSS VPBROADCASTB VPBROADCASTW".split(),
}
FMA = {*"VFMADD213 VFMADD231 VFNMADD213 VFNMADD231".split()}
EXTENDED = {*"VPABSQ VPTERNLOG VCVTUDQ2PS VCVTUDQ2PD VCVTTPS2UDQ VCVTTPD2UDQ VRANGEPS".split()}
LANES = {*"PINSRB PINSRW PINSRD PEXTRB PEXTRW PEXTRW_STORE PEXTRD PMOVMSKB MOVMSKPS MOVMSKPD".split()}
OTHERS = {*"PSHIFTW PSHIFTD PSHIFTQ MOVHPS_STORE MOVLHPS VPBLENDVB".split()}
ORDINARY = [name for name in INSTRUCTIONS if name not in FMA | EXTENDED | LANES | OTHERS]


def vex(instruction: int, first: int = 0) -> int:
    return instruction | x.VEX | (first << 28)


def names(name: str) -> tuple[str, str, str]:
    """Mnemonics of SSE and AVX, and what is behind the operands."""
    if name in ("CMPPS", "CMPPD"):
        return f"cmple{name[3:].lower()}", f"vcmple{name[3:].lower()}", ""
    lower = name.lower()
    return lower, lower if lower.startswith("v") else "v" + lower, ", 2" if name in WITH_BYTE else ""


@pytest.mark.parametrize("name", ORDINARY)
def test_registers_and_memory(name: str) -> None:
    instruction = INSTRUCTIONS[name]
    sse, avx, suffix = names(name)
    size = SIZES.get(name, "xmmword")

    def check(expected: str, write: object) -> None:
        assert text(lambda a: (write(a), a.imm8(2) if name in WITH_BYTE else None)) == expected + suffix  # type: ignore[operator]

    for reg in ALL:
        for other in ALL:
            first = (7 * reg + 3 * other) & 15
            between = "" if name in ONE_SOURCE else f"{XMM[first]}, "
            coded = vex(instruction, 0 if name in ONE_SOURCE else first)
            check(f"{avx} {XMM[reg]}, {between}{XMM[other]}", lambda a: a.reg_reg(coded, 0, reg, other))
            if sse != avx:
                check(f"{sse} {XMM[reg]}, {XMM[other]}", lambda a: a.reg_reg(instruction, 0, reg, other))
        memory = f"{size} ptr [{R64[15 - reg]} + 0x40]"
        check(f"{avx} {XMM[reg]}, {between}{memory}", lambda a: a.reg_mem(coded, 0, reg, 15 - reg, 64))
        if sse != avx:
            check(f"{sse} {XMM[reg]}, {memory}", lambda a: a.reg_mem(instruction, 0, reg, 15 - reg, 64))


@pytest.mark.parametrize("instruction, name", [(v.PADDB, "vpaddb"), (v.PSHUFB, "vpshufb"), (v.ADDPS, "vaddps")])
def test_addresses(instruction: int, name: str) -> None:
    for displacement in DISPLACEMENTS:
        for base in ALL:
            for reg, first in ((1, 2), (12, 3), (5, 14)):
                start = f"{name} {XMM[reg]}, {XMM[first]}, xmmword ptr "
                coded = vex(instruction, first)
                assert text(lambda a: a.reg_mem(coded, 0, reg, base, displacement)) == start + address(R64[base], displacement)
                for index in ALL:
                    if index != x.RSP:
                        expected = start + address(R64[base], displacement, R64[index], base & 3)
                        assert text(lambda a: a.reg_index(coded, 0, reg, base, index, base & 3, displacement)) == expected
    for reg in ALL:
        for first in ALL:
            for other in ALL:
                got = text(lambda a: a.reg_reg(vex(instruction, first), 0, reg, other))
                assert got == f"{name} {XMM[reg]}, {XMM[first]}, {XMM[other]}"
        ahead = text(lambda a: _ahead(a, vex(instruction, 9), reg))
        assert ahead == f"{name} {XMM[reg]}, xmm9, xmmword ptr [rip]"


def _ahead(a: x.Assembler, instruction: int, reg: int) -> None:
    label = a.label()
    a.reg_label(instruction, 0, reg, label)
    a.bind(label)


@pytest.mark.parametrize("name", sorted(FMA))
def test_fused(name: str) -> None:
    for wide, suffix in ((0, "ps"), (1, "pd")):
        for reg in ALL:
            for other in ALL:
                first = (7 * reg + 3 * other) & 15
                got = text(lambda a: a.reg_reg(vex(INSTRUCTIONS[name], first), wide, reg, other))
                assert got == f"{name.lower()}{suffix} {XMM[reg]}, {XMM[first]}, {XMM[other]}"


@pytest.mark.parametrize(
    ("instruction", "wide", "name", "one_source"),
    [
        (v.VPABSQ, 1, "vpabsq", True),
        (v.VPTERNLOG, 0, "vpternlogd", False),
        (v.VCVTUDQ2PS, 0, "vcvtudq2ps", True),
        (v.VCVTUDQ2PD, 0, "vcvtudq2pd", True),
        (v.VCVTTPS2UDQ, 0, "vcvttps2udq", True),
        (v.VCVTTPD2UDQ, 1, "vcvttpd2udq", True),
        (v.PMULLD, 1, "vpmullq", False),
        (v.PSRAD, 1, "vpsraq", False),
    ],
)
def test_extended(instruction: int, wide: int, name: str, one_source: bool) -> None:
    for reg in ALL:
        for other in ALL:
            first = 0 if one_source else (7 * reg + 3 * other) & 15
            between = "" if one_source else f"{XMM[first]}, "
            suffix = ", 0x55" if instruction == v.VPTERNLOG else ""
            got = text(
                lambda a: (a.reg_reg(vex(instruction, first) | x.EVEX, wide, reg, other), a.imm8(0x55) if suffix else None)
            )  # fmt: skip
            assert got == f"{name} {XMM[reg]}, {between}{XMM[other]}{suffix}"


def test_masked() -> None:
    for reg in ALL:
        for wide, prefix, kind in ((0, 0, "ps"), (1, 0x660000, "pd")):
            rest = f"{XMM[15 - reg]}, {XMM[reg ^ 5]}"
            compare = vex(v.CMPPS + prefix, 15 - reg) | x.EVEX
            assert text(lambda a: (a.reg_reg(compare, wide, 1, reg ^ 5), a.imm8(3))) == f"vcmpunord{kind} k1, {rest}"
            choose = vex(v.VRANGEPS, 15 - reg) | x.EVEX
            assert text(lambda a: (a.reg_reg(choose, wide, reg, reg ^ 5), a.imm8(5))) == f"vrange{kind} {XMM[reg]}, {rest}, 5"
            add = vex(v.ADDPS + prefix, 15 - reg) | x.EVEX | x.MASKED
            assert text(lambda a: a.reg_reg(add, wide, reg, reg ^ 5)) == f"vadd{kind} {XMM[reg]} {{k1}}, {rest}"


def test_shifts_by_constants() -> None:
    digits = {v.DIGIT_RIGHT: "psrl", v.DIGIT_RIGHT_SIGNED: "psra", v.DIGIT_LEFT: "psll"}
    for instruction, letter in ((v.PSHIFTW, "w"), (v.PSHIFTD, "d"), (v.PSHIFTQ, "q")):
        for digit, name in digits.items():
            if letter == "q" and digit == v.DIGIT_RIGHT_SIGNED:
                continue
            for reg in ALL:
                assert text(lambda a: (a.reg_reg(instruction, 0, digit, reg), a.imm8(5))) == f"{name}{letter} {XMM[reg]}, 5"
                for first in ALL:
                    got = text(lambda a: (a.reg_reg(vex(instruction, first), 0, digit, reg), a.imm8(5)))
                    assert got == f"v{name}{letter} {XMM[first]}, {XMM[reg]}, 5"
                    if letter == "d" and digit == v.DIGIT_RIGHT_SIGNED:
                        got = text(lambda a: (a.reg_reg(vex(instruction, first) | x.EVEX, 1, digit, reg), a.imm8(40)))
                        assert got == f"vpsraq {XMM[first]}, {XMM[reg]}, {number(40)}"


def test_lanes() -> None:
    for reg in ALL:
        for other in ALL:
            for instruction, wide, name, general in (
                *((v.PINSRB, 0, "pinsrb", R32), (v.PINSRW, 0, "pinsrw", R32)),
                *((v.PINSRD, 0, "pinsrd", R32), (v.PINSRD, 1, "pinsrq", R64)),
            ):
                got = text(lambda a: (a.reg_reg(instruction, wide, reg, other), a.imm8(1)))
                assert got == f"{name} {XMM[reg]}, {general[other]}, 1"
                first = (reg + 5 * other) & 15
                got = text(lambda a: (a.reg_reg(vex(instruction, first), wide, reg, other), a.imm8(1)))
                assert got == f"v{name} {XMM[reg]}, {XMM[first]}, {general[other]}, 1"
            for instruction, wide, name, general in (
                *((v.PEXTRB, 0, "pextrb", R32), (v.PEXTRD, 0, "pextrd", R32), (v.PEXTRD, 1, "pextrq", R64)),
            ):
                got = text(lambda a: (a.reg_reg(instruction, wide, reg, other), a.imm8(1)))
                assert got == f"{name} {general[other]}, {XMM[reg]}, 1"
            assert text(lambda a: (a.reg_reg(v.PEXTRW, 0, reg, other), a.imm8(1))) == f"pextrw {R32[reg]}, {XMM[other]}, 1"
            for instruction, name in ((v.PMOVMSKB, "pmovmskb"), (v.MOVMSKPS, "movmskps"), (v.MOVMSKPD, "movmskpd")):
                assert text(lambda a: a.reg_reg(instruction, 0, reg, other)) == f"{name} {R32[reg]}, {XMM[other]}"
            assert text(lambda a: a.reg_reg(v.MOVLHPS, 0, reg, other)) == f"movlhps {XMM[reg]}, {XMM[other]}"
            first = (reg + 5 * other) & 15
            assert text(lambda a: a.reg_reg(vex(v.MOVLHPS, first), 0, reg, other)) == f"vmovlhps {XMM[reg]}, {XMM[first]}, {XMM[other]}"
            assert text(lambda a: a.reg_reg(vex(x.MOVSD, first), 0, reg, other)) == f"vmovsd {XMM[reg]}, {XMM[first]}, {XMM[other]}"
            got = text(lambda a: (a.reg_reg(vex(v.VPBLENDVB, first), 0, reg, other), a.imm8(reg << 4)))
            assert got == f"vpblendvb {XMM[reg]}, {XMM[first]}, {XMM[other]}, {XMM[reg]}"
        for instruction, wide, size, name in (
            *((v.PINSRB, 0, "byte", "pinsrb"), (v.PINSRW, 0, "word", "pinsrw")),
            *((v.PINSRD, 0, "dword", "pinsrd"), (v.PINSRD, 1, "qword", "pinsrq")),
        ):
            got = text(lambda a: (a.reg_index(instruction, wide, reg, x.RBX, x.R9, 0, 9), a.imm8(1)))
            assert got == f"{name} {XMM[reg]}, {size} ptr [rbx + r9 + 9], 1"
            got = text(lambda a: (a.reg_index(vex(instruction, 11), wide, reg, x.RBX, x.R9, 0, 9), a.imm8(1)))
            assert got == f"v{name} {XMM[reg]}, xmm11, {size} ptr [rbx + r9 + 9], 1"
        for instruction, wide, size, name in (
            *((v.PEXTRB, 0, "byte", "pextrb"), (v.PEXTRW_STORE, 0, "word", "pextrw")),
            *((v.PEXTRD, 0, "dword", "pextrd"), (v.PEXTRD, 1, "qword", "pextrq")),
        ):
            got = text(lambda a: (a.reg_index(instruction, wide, reg, x.RBX, x.R9, 0, 9), a.imm8(1)))
            assert got == f"{name} {size} ptr [rbx + r9 + 9], {XMM[reg]}, 1"
        assert text(lambda a: a.reg_mem(v.MOVHPS_STORE, 0, reg, x.RBX, 9)) == f"movhps qword ptr [rbx + 9], {XMM[reg]}"

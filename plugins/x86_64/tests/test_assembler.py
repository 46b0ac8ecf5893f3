# ruff: noqa: B023 (the lambdas are called at once)
"""Every encoding against capstone."""

from __future__ import annotations

from collections.abc import Callable

import capstone
import pytest

from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.assembler.instructions import Assembler

R64 = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
R32 = "eax ecx edx ebx esp ebp esi edi".split() + [f"r{n}d" for n in range(8, 16)]
R16 = "ax cx dx bx sp bp si di".split() + [f"r{n}w" for n in range(8, 16)]
R8 = "al cl dl bl spl bpl sil dil".split() + [f"r{n}b" for n in range(8, 16)]
XMM = [f"xmm{n}" for n in range(16)]
ALL = range(16)
DISPLACEMENTS = (0, 1, 127, 128, -1, -128, -129, 0x7FFFFFFF, -0x80000000)

_decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)


def text(build: Callable[[Assembler], object]) -> str:
    """The one instruction that `build` writes, disassembled."""
    assembler = Assembler()
    build(assembler)
    code = assembler.code()
    found = list(_decoder.disasm(code, 0))
    assert len(found) == 1 and found[0].size == len(code), code.hex()
    return f"{found[0].mnemonic} {found[0].op_str}".strip()


def number(value: int) -> str:
    return str(value) if value < 10 else hex(value)


def address(base: str, displacement: int, index: str = "", scale: int = 0) -> str:
    parts = base
    if index:
        parts += f" + {index}" + (f"*{1 << scale}" if scale else "")
    if displacement:
        parts += f" {'-' if displacement < 0 else '+'} {number(abs(displacement))}"
    return f"[{parts}]"


# instruction, mnemonic, names of the register when narrow and wide, of the other operand when narrow and wide, size of memory when
# narrow and wide
TWO_OPERANDS = [
    *((getattr(x, name.upper()), name, R32, R64, R32, R64, "dword", "qword") for name in
      "add or adc sbb and sub xor cmp imul bsf bsr popcnt tzcnt lzcnt".split()),
    (x.MOV, "mov", R32, R64, R32, R64, "dword", "qword"),
    (x.MOV8, "mov", R8, None, R8, None, "byte", ""),
    (x.CMP8, "cmp", R8, None, R8, None, "byte", ""),
    (x.MOVZX8, "movzx", R32, R64, R8, R8, "byte", "byte"),
    (x.MOVZX16, "movzx", R32, R64, R16, R16, "word", "word"),
    (x.MOVSX8, "movsx", R32, R64, R8, R8, "byte", "byte"),
    (x.MOVSX16, "movsx", R32, R64, R16, R16, "word", "word"),
    (x.MOVSXD, "movsxd", None, R64, None, R32, "", "dword"),
    *((x.CMOV + condition, "cmov" + name, R32, R64, R32, R64, "dword", "qword") for condition, name in
      ((x.BELOW, "b"), (x.ABOVE_EQUAL, "ae"), (x.EQUAL, "e"), (x.NOT_EQUAL, "ne"), (x.PARITY, "p"), (x.LESS, "l"), (x.GREATER, "g"))),
    (x.MOVSS, "movss", XMM, None, XMM, None, "dword", ""),
    (x.MOVSD, "movsd", XMM, None, XMM, None, "qword", ""),
    (x.MOVAPS, "movaps", XMM, None, XMM, None, "xmmword", ""),
    (x.MOVUPS, "movups", XMM, None, XMM, None, "xmmword", ""),
    (x.MOVD, "movd", XMM, None, R32, None, "dword", ""),
    (x.MOVD, "movq", None, XMM, None, R64, "", "qword"),
    *((getattr(x, name.upper()), name, XMM, None, XMM, None, "dword", "") for name in
      "addss subss mulss divss sqrtss minss maxss ucomiss cvtss2sd".split()),
    *((getattr(x, name.upper()), name, XMM, None, XMM, None, "qword", "") for name in
      "addsd subsd mulsd divsd sqrtsd minsd maxsd ucomisd cvtsd2ss".split()),
    *((getattr(x, name.upper()), name, XMM, None, XMM, None, "xmmword", "") for name in "andps andnps orps xorps".split()),
    (x.CVTSI2SS, "cvtsi2ss", XMM, XMM, R32, R64, "dword", "qword"),
    (x.CVTSI2SD, "cvtsi2sd", XMM, XMM, R32, R64, "dword", "qword"),
    (x.CVTTSS2SI, "cvttss2si", R32, R64, XMM, XMM, "dword", "dword"),
    (x.CVTTSD2SI, "cvttsd2si", R32, R64, XMM, XMM, "qword", "qword"),
]  # fmt: skip

# instruction, mnemonic, names of the register when narrow and wide, size of memory: memory is the destination
STORES = [
    (x.MOV_STORE, "mov", R32, R64, "dword", "qword"),
    (x.MOV_STORE8, "mov", R8, None, "byte", ""),
    (x.MOV_STORE16, "mov", R16, None, "word", ""),
    (x.ADD_STORE, "add", R32, R64, "dword", "qword"),
    (x.OR_STORE, "or", R32, R64, "dword", "qword"),
    (x.AND_STORE, "and", R32, R64, "dword", "qword"),
    (x.SUB_STORE, "sub", R32, R64, "dword", "qword"),
    (x.XOR_STORE, "xor", R32, R64, "dword", "qword"),
    (x.CMP_STORED, "cmp", R32, R64, "dword", "qword"),
    (x.TEST, "test", R32, R64, "dword", "qword"),
    (x.TEST8, "test", R8, None, "byte", ""),
    (x.XCHG, "xchg", R32, R64, "dword", "qword"),
    (x.CMPXCHG, "cmpxchg", R32, R64, "dword", "qword"),
    (x.XADD, "xadd", R32, R64, "dword", "qword"),
    *(
        (getattr(x, f"{name.upper()}{bits}"), name, registers, None, size, "")
        for name in ("xchg", "cmpxchg", "xadd")
        for bits, registers, size in ((8, R8, "byte"), (16, R16, "word"))
    ),
    (x.MOVSS_STORE, "movss", XMM, None, "dword", ""),
    (x.MOVSD_STORE, "movsd", XMM, None, "qword", ""),
    (x.MOVAPS_STORE, "movaps", XMM, None, "xmmword", ""),
    (x.MOVUPS_STORE, "movups", XMM, None, "xmmword", ""),
    (x.MOVD_STORE, "movd", XMM, None, "dword", ""),
    (x.MOVD_STORE, "movq", None, XMM, "", "qword"),
]


@pytest.mark.parametrize("row", TWO_OPERANDS, ids=lambda row: row[1])
def test_register_and_register_or_memory(row: tuple) -> None:  # type: ignore[type-arg]
    instruction, mnemonic, *names = row
    for wide in (0, 1):
        registers, others, size = names[wide], names[2 + wide], names[4 + wide]
        if registers is None:
            continue
        for reg in ALL:
            for other in ALL:
                expected = f"{mnemonic} {registers[reg]}, {others[other]}"
                assert text(lambda a: a.reg_reg(instruction, wide, reg, other)) == expected
            expected = f"{mnemonic} {registers[reg]}, {size} ptr [rax + rcx]"
            assert text(lambda a: a.reg_index(instruction, wide, reg, x.RAX, x.RCX, 0, 0)) == expected
            expected = f"{mnemonic} {registers[reg]}, {size} ptr [r9 + 8]"
            assert text(lambda a: a.reg_mem(instruction, wide, reg, x.R9, 8)) == expected


@pytest.mark.parametrize("row", STORES, ids=lambda row: row[1])
def test_memory_and_register(row: tuple) -> None:  # type: ignore[type-arg]
    instruction, mnemonic, *names = row
    for wide in (0, 1):
        registers, size = names[wide], names[2 + wide]
        if registers is None:
            continue
        for reg in ALL:
            expected = f"{mnemonic} {size} ptr [rbx + r12 + 0x200], {registers[reg]}"
            assert text(lambda a: a.reg_index(instruction, wide, reg, x.RBX, x.R12, 0, 0x200)) == expected
            assert text(lambda a: a.reg_mem(instruction, wide, reg, x.R13, 0)) == f"{mnemonic} {size} ptr [r13], {registers[reg]}"


@pytest.mark.parametrize("displacement", DISPLACEMENTS)
@pytest.mark.parametrize("instruction, name", [(x.MOV, "mov {r64}, qword"), (x.MOVSD, "movsd {xmm}, qword")])
def test_addresses(instruction: int, name: str, displacement: int) -> None:
    wide = 1 if instruction == x.MOV else 0
    for base in ALL:
        for reg in (1, 12):
            start = name.format(r64=R64[reg], xmm=XMM[reg])
            expected = f"{start} ptr {address(R64[base], displacement)}"
            assert text(lambda a: a.reg_mem(instruction, wide, reg, base, displacement)) == expected
            for index in ALL:
                if index != x.RSP:
                    for scale in range(4):
                        expected = f"{start} ptr {address(R64[base], displacement, R64[index], scale)}"
                        assert text(lambda a: a.reg_index(instruction, wide, reg, base, index, scale, displacement)) == expected


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, -129, 0x7FFFFFFF, -0x80000000])
def test_immediates(value: int) -> None:
    digits = ((x.DIGIT_ADD, "add"), (x.DIGIT_OR, "or"), (x.DIGIT_ADC, "adc"), (x.DIGIT_SBB, "sbb"), (x.DIGIT_AND, "and"),
              (x.DIGIT_SUB, "sub"), (x.DIGIT_XOR, "xor"), (x.DIGIT_CMP, "cmp"))  # fmt: skip
    for reg in ALL:
        for digit, mnemonic in digits:
            for wide, names, mask in ((0, R32, 0xFFFFFFFF), (1, R64, 0xFFFFFFFFFFFFFFFF)):
                got = text(lambda a: a.alu_imm(digit, wide, reg, value))
                prefix = f"{mnemonic} {names[reg]}, "
                assert got.startswith(prefix) and (int(got[len(prefix) :], 0) - value) & mask == 0
        got = text(lambda a: a.imul_imm(1, reg, 9, value))
        assert got.startswith(f"imul {R64[reg]}, r9, ") and (int(got.split(", ")[2], 0) - value) & 0xFFFFFFFFFFFFFFFF == 0
        got = text(lambda a: a.alu_mem_imm(x.DIGIT_CMP, 1, reg, 8, value))
        assert got.startswith(f"cmp qword ptr [{R64[reg]} + 8], ") and (int(got.split(", ")[1], 0) - value) & (2**64 - 1) == 0
        got = text(lambda a: a.store32_imm(reg, 0, value))
        assert got.startswith(f"mov dword ptr [{R64[reg]}], ") and (int(got.split(", ")[1], 0) - value) & 0xFFFFFFFF == 0
        got = text(lambda a: a.store_imm(reg, 0, value))
        assert got.startswith(f"mov qword ptr [{R64[reg]}], ") and (int(got.split(", ")[1], 0) - value) & (2**64 - 1) == 0
    assert text(lambda a: a.alu_byte_imm(x.DIGIT_CMP, x.R12, 3, 5)) == "cmp byte ptr [r12 + 3], 5"
    assert text(lambda a: a.test_imm(0, x.R9, 0xFF)) == "test r9d, 0xff"


@pytest.mark.parametrize("value", [0, 1, -1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, -0x80000000, -0x80000001, 2**63 - 1, -(2**63)])
def test_constants(value: int) -> None:
    for reg in ALL:
        got = text(lambda a: a.mov_imm(reg, value))
        name = R32[reg] if 0 <= value <= 0xFFFFFFFF else R64[reg]
        mnemonic, _, operands = got.partition(" ")
        assert mnemonic in ("mov", "movabs")
        assert operands.split(", ")[0] == name and (int(operands.split(", ")[1], 0) - value) & (2**64 - 1) == 0
        assert text(lambda a: a.mov_imm64(reg, value)).startswith(f"movabs {R64[reg]}, ")


def test_one_register() -> None:
    for reg in ALL:
        assert text(lambda a: a.push(reg)) == f"push {R64[reg]}"
        assert text(lambda a: a.pop(reg)) == f"pop {R64[reg]}"
        assert text(lambda a: a.jump_reg(reg)) == f"jmp {R64[reg]}"
        assert text(lambda a: a.call_reg(reg)) == f"call {R64[reg]}"
        assert text(lambda a: a.jump_mem(reg, 16)) == f"jmp qword ptr [{R64[reg]} + 0x10]"
        assert text(lambda a: a.call_mem(reg, 400)) == f"call qword ptr [{R64[reg]} + 0x190]"
        assert text(lambda a: a.zero(reg)) == f"xor {R32[reg]}, {R32[reg]}"
        assert text(lambda a: a.load_thread_pointer(reg)) == f"mov {R64[reg]}, qword ptr fs:[0]"
        assert text(lambda a: a.lea(reg, x.RBP, -8)) == f"lea {R64[reg]}, [rbp - 8]"
        for digit, name in ((x.DIGIT_NOT, "not"), (x.DIGIT_NEG, "neg"), (x.DIGIT_MUL, "mul"), (x.DIGIT_IMUL, "imul"),
                            (x.DIGIT_DIV, "div"), (x.DIGIT_IDIV, "idiv")):  # fmt: skip
            assert text(lambda a: a.unary(digit, 0, reg)) == f"{name} {R32[reg]}"
            assert text(lambda a: a.unary(digit, 1, reg)) == f"{name} {R64[reg]}"
        for digit, name in ((x.DIGIT_ROL, "rol"), (x.DIGIT_ROR, "ror"), (x.DIGIT_SHL, "shl"), (x.DIGIT_SHR, "shr"), (x.DIGIT_SAR, "sar")):
            assert text(lambda a: a.shift_cl(digit, 0, reg)) == f"{name} {R32[reg]}, cl"
            assert text(lambda a: a.shift_cl(digit, 1, reg)) == f"{name} {R64[reg]}, cl"
            assert text(lambda a: a.shift_imm(digit, 1, reg, 63)) == f"{name} {R64[reg]}, 0x3f"
        for condition, name in ((x.EQUAL, "e"), (x.NOT_EQUAL, "ne"), (x.ABOVE, "a"), (x.LESS_EQUAL, "le"), (x.NO_PARITY, "np")):
            assert text(lambda a: a.setcc(condition, reg)) == f"set{name} {R8[reg]}"


def test_rotations_without_flags() -> None:
    for reg in range(16):
        assert text(lambda a: a.rotate_right(1, reg, 9, 63)) == f"rorx {R64[reg]}, r9, 0x3f"
        assert text(lambda a: a.rotate_right(0, 3, reg, 1)) == f"rorx ebx, {R32[reg]}, 1"
        for digit, name in ((x.DIGIT_SHL, "shlx"), (x.DIGIT_SHR, "shrx"), (x.DIGIT_SAR, "sarx")):
            assert text(lambda a: a.shift_flagless(digit, 1, reg, 9, 2)) == f"{name} {R64[reg]}, r9, rdx"
            assert text(lambda a: a.shift_flagless(digit, 0, 3, reg, 12)) == f"{name} ebx, {R32[reg]}, r12d"


def test_no_operands() -> None:
    assert text(Assembler.ret) == "ret"
    assert text(Assembler.leave) == "leave"
    assert text(Assembler.ud2) == "ud2"
    assert text(Assembler.int3) == "int3"
    assert text(Assembler.syscall) == "syscall"
    assert text(Assembler.pushfq) == "pushfq"
    assert text(Assembler.popfq) == "popfq"
    assert text(Assembler.cld) == "cld"
    assert text(Assembler.pause) == "pause"
    assert text(Assembler.rep_movsb) == "rep movsb byte ptr [rdi], byte ptr [rsi]"
    assert text(Assembler.rep_stosq) == "rep stosq qword ptr [rdi], rax"
    assert text(lambda a: a.sign_to_dx(0)) == "cdq"
    assert text(lambda a: a.sign_to_dx(1)) == "cqo"
    assert text(lambda a: a.push_imm(-2)) in ("push -2", "push 0xfffffffffffffffe")
    assert text(lambda a: (a.lock(), a.reg_mem(x.CMPXCHG, 1, x.RCX, x.RDX, 0))) == "lock cmpxchg qword ptr [rdx], rcx"


def test_state() -> None:
    for digit, name in ((x.DIGIT_FXSAVE, "fxsave"), (x.DIGIT_FXRSTOR, "fxrstor"), (x.DIGIT_XSAVE, "xsave"), (x.DIGIT_XRSTOR, "xrstor")):
        # capstone writes "ptr" without a size for some of these
        assert text(lambda a: a.reg_mem(x.STATE, 0, digit, x.RSP, 64)).replace(" ptr", "") == f"{name} [rsp + 0x40]"
        assert text(lambda a: a.reg_mem(x.STATE, 1, digit, x.R12, 0)).replace(" ptr", "") == f"{name}64 [r12]"
    assert text(lambda a: a.reg_mem(x.STATE, 0, x.DIGIT_LDMXCSR, x.RSP, 0)) == "ldmxcsr dword ptr [rsp]"
    assert text(lambda a: a.reg_mem(x.STATE, 0, x.DIGIT_STMXCSR, x.RSP, 0)) == "stmxcsr dword ptr [rsp]"
    assert text(lambda a: a.reg_mem(x.FLDCW, 0, 5, x.RSP, 0)) == "fldcw word ptr [rsp]"
    assert text(lambda a: a.reg_mem(x.FLDCW, 0, 7, x.RSP, 0)) == "fnstcw word ptr [rsp]"


def test_rounding() -> None:
    for reg in ALL:
        for instruction, name in ((x.ROUNDSS, "roundss"), (x.ROUNDSD, "roundsd")):
            assert text(lambda a: (a.reg_reg(instruction, 0, reg, 15 - reg), a.imm8(9))) == f"{name} {XMM[reg]}, {XMM[15 - reg]}, 9"


def test_labels() -> None:
    a = Assembler()
    back, ahead = a.label(), a.label()
    a.bind(back)
    a.jump(ahead)
    a.jump_if(x.EQUAL, ahead)
    a.call(back)
    a.reg_label(x.LEA, 1, x.R10, ahead)
    a.reg_label(x.MOVSD, 0, 9, back)
    a.jump_if(x.LESS, back)
    end = a.short_jump_if(x.ABOVE)
    over = a.short_jump()
    a.bind_short(end)
    a.bind(ahead)
    a.ret()
    a.bind_short(over)
    target = a.label_position(ahead)
    assert a.label_position(back) == 0
    lines = [f"{i.mnemonic} {i.op_str}" for i in _decoder.disasm(a.code(), 0)]
    sizes = [i.address + i.size for i in _decoder.disasm(a.code(), 0)]
    assert lines == [
        f"jmp {target:#x}", f"je {target:#x}", "call 0", f"lea r10, [rip + {number(target - sizes[3])}]",
        f"movsd xmm9, qword ptr [rip - {sizes[4]:#x}]", "jl 0", f"ja {target:#x}", f"jmp {target + 1:#x}", "ret ",
    ]  # fmt: skip
    a.reset()
    assert a.label() == 0 and a.label_position(0) == -1 and a.position() == 0


def test_many_forward_references() -> None:
    a = Assembler()
    label = a.label()
    for _ in range(1000):
        a.jump(label)
    a.bind(label)
    assert all(i.op_str == hex(5000) for i in _decoder.disasm(a.code(), 0))


def test_data_and_alignment() -> None:
    a = Assembler()
    a.imm8(-1)
    a.imm16(0xFFFE)
    a.imm32(0xFFFFFFFD)
    a.imm64(-1)
    a.data(b"xy")
    a.align(16)
    a.align(32)
    data = b"\xff\xfe\xff\xfd\xff\xff\xff" + b"\xff" * 8 + b"xy"
    assert a.code()[: len(data)] == data and len(a.code()) == 32
    assert [each.mnemonic for each in _decoder.disasm(a.code()[len(data) :], 0)] == ["nop", "nop"]
    a.patch32(1, -2)
    assert a.read32(1) == -2
    with pytest.raises(ValueError, match="127"):
        jump = a.short_jump()
        a.data(bytes(128))
        a.bind_short(jump)

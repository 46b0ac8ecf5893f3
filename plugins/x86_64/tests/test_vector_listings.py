"""Machine code of each vector instruction, to be checked by looking: `vector_listings.txt`.

`python plugins/x86_64/tests/test_vector_listings.py` writes that file anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import capstone
from vector_machine import encode, record, vector_record

from wasmcore.opcodes import I32, I64, OPCODES, V128, Immediates, Opcode
from wasmcore_x86_64.singlepass import lowering
from wasmcore_x86_64.singlepass import vectors as m

LISTINGS = Path(__file__).with_name("vector_listings.txt")
HEAD = """Vector instructions as SSE4.1, AVX2 with FMA, and AVX-512 have them, where they differ: xmm1 = op(xmm2, xmm3, xmm4). xmm5 is
the free temporary and xmm15 the scratch register; integers are in rcx, addresses are rbx + rsi. {...} is a constant behind the code,
its bytes from the highest down. Lanes, and counts of constant shifts, are 1 where the title says nothing else.
"""
FEATURES = {
    "sse4.1": frozenset[str](),
    "avx2": frozenset({"avx", "avx2", "fma"}),
    "avx512": frozenset({"avx", "avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw"}),
}
LOADS = {"v128.load32_zero": 11, "v128.load64_zero": 12}
SHUFFLES = {
    "splat a byte": [3] * 16,
    "32-bit lanes of one": [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11],
    "bytes of one": [15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    "rotate": [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    "unpack low 16-bit lanes": [0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23],
    "even 32-bit lanes": [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27],
    "blend 16-bit lanes": [0, 1, 18, 19, 4, 5, 22, 23, 8, 9, 26, 27, 12, 13, 30, 31],
    "blend bytes": [0, 17, 2, 19, 4, 21, 6, 23, 8, 25, 10, 27, 12, 29, 14, 31],
    "any": [0, 17, 3, 19, 4, 20, 6, 23, 9, 25, 10, 26, 12, 29, 14, 30],
}


def records_of(number: int, opcode: Opcode) -> Iterator[tuple[str, bytes]]:
    """Title and record of an instruction."""
    name, params, results = opcode.name, opcode.params, opcode.results
    assert params is not None and results is not None
    if opcode.immediates in (Immediates.MEMORY_ACCESS, Immediates.MEMORY_ACCESS_LANE):
        logarithm = {"8": 0, "16": 1, "32": 2, "64": 3}.get(re.sub(r"\D", "", name.partition(".")[2]), 0)
        if "_lane" in name:
            operation = m.VECTOR_LOAD_LANE if results else m.VECTOR_STORE_LANE
            yield name, record(operation, logarithm, 1, 6, 3, 1, 64)
        elif results:
            yield name, record(m.VECTOR_LOAD, LOADS.get(name, number), 1, 6, 0, 64)
        else:
            yield name, record(m.VECTOR_STORE, 0, 0, 6, 3, 64)
    elif opcode.immediates == Immediates.V128:
        yield f"{name} 0", record(m.VECTOR_CONSTANT, 0, 1, 0, 0, 0, 0, 0)
        yield f"{name} -1", record(m.VECTOR_CONSTANT, 0, 1, 0, 0, 0, -1, -1)
        yield f"{name} 2", record(m.VECTOR_CONSTANT, 0, 1, 0, 0, 0, 2, 0)
    elif opcode.immediates == Immediates.SHUFFLE:
        for title, lanes in SHUFFLES.items():
            words = [int.from_bytes(bytes(lanes[at : at + 8]), "little") for at in (0, 8)]
            yield f"{name}: {title}", vector_record(m.VECTOR_SHUFFLE, number, 1, 2, 3, words=(words[0], words[1]))
    elif ".sh" in name:
        yield name, vector_record(m.VECTOR_SHIFT, number, 1, 2, 1, t=5)
        yield f"{name} 1", vector_record(m.VECTOR_SHIFT_CONSTANT, number, 1, 2, t=5, lane=1)
        if number == 0xCC:
            yield f"{name} 33", vector_record(m.VECTOR_SHIFT_CONSTANT, number, 1, 2, t=5, lane=33)
    elif results[0] in (I32, I64):
        yield name, vector_record(m.VECTOR_TO_INTEGER, number, 1, 2, lane=1)
    elif params[0] in (I32, I64):
        yield name, vector_record(m.VECTOR_FROM_INTEGER, number, 1, 1)
    elif params[-1] in (I32, I64):
        yield name, vector_record(m.VECTOR_REPLACE, number, 1, 2, 1, lane=1)
    else:
        operation = (m.VECTOR_UNARY, m.VECTOR_BINARY, m.VECTOR_TERNARY)[len(params) - 1]
        t = 5 if lowering.VECTOR_TEMPORARIES[number] else 31
        yield name, vector_record(operation, number, 1, 2, 3, 4 if params == (V128,) * 3 else 0, t, lane=1)


def listing(written: bytes, features: frozenset[str]) -> list[str]:
    """The disassembly of a record, constants in place."""
    code, _ = encode([written], features)
    lines = []
    for each in capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64).disasm(code, 0):
        if each.mnemonic == "leave":
            return lines
        operands = each.op_str
        found = re.search(r"xmmword ptr \[rip \+ (\w+)\]", operands)
        if found:
            at = each.address + each.size + int(found[1], 0)
            operands = operands.replace(found[0], "{" + code[at : at + 16][::-1].hex() + "}")
        lines.append(f"{each.mnemonic} {operands}".strip())
    raise AssertionError("no end")


def all_listings() -> str:
    parts = [HEAD]
    for code, opcode in sorted(OPCODES.items()):
        if 0x200 <= code < 0x320:
            for title, written in records_of(code - 0x200, opcode):
                parts.append(title)
                shown: list[list[str]] = []
                for name, features in FEATURES.items():
                    lines = listing(written, features)
                    if lines not in shown:
                        shown.append(lines)
                        parts += [f"    {name if not at else '':8}{line}" for at, line in enumerate(lines)]
    return "\n".join(parts) + "\n"


def test_listings() -> None:
    assert all_listings() == LISTINGS.read_text()


if __name__ == "__main__":
    LISTINGS.write_text(all_listings())

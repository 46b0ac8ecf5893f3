"""Vector records on the processor, with every set of features, against models of the instructions."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from vector_machine import blank, encode, integer_of, record, run, untouched, usable, vector_of, vector_record
from vector_models import FLOATS, INTEGERS, MODELS, Array, allowed, canonical, operands

from wasmcore.opcodes import OPCODES, V128
from wasmcore.plugin.layout import OVERFLOW_OFFSET
from wasmcore_x86_64.singlepass import lowering
from wasmcore_x86_64.singlepass import vectors as m
from wasmcore_x86_64.singlepass.encoder import COPY_SLOT, FLOAT_CONSTANT, PROLOGUE, ZERO_SLOTS

FRAME_VECTORS = 4

NUMBERS = {opcode.name: code - 0x200 for code, opcode in OPCODES.items() if 0x200 <= code < 0x320}
CASES = 160
# d, a, b, c: all kinds of operands in the same register, and registers that need longer encodings.
REGISTERS = [
    *((1, 2, 3, 4), (1, 1, 2, 3), (2, 1, 2, 3), (3, 1, 2, 3), (1, 1, 1, 1), (1, 2, 2, 3), (2, 2, 2, 3), (1, 2, 3, 3), (3, 2, 3, 3)),
    *((1, 1, 2, 1), (9, 10, 11, 12), (8, 8, 9, 10), (9, 1, 9, 10), (10, 2, 11, 10), (1, 10, 3, 11), (1, 2, 10, 3), (14, 14, 14, 14)),
]


def temporary(number: int, registers: tuple[int, ...]) -> int:
    """A register for the encoder's use, if it wants one."""
    if not lowering.VECTOR_TEMPORARIES[number]:
        return 31
    return next(register for register in (5, 13) if register not in registers)


def test_every_instruction_has_a_test() -> None:
    simple = {name for name in NUMBERS if OPCODES[NUMBERS[name] + 0x200].immediates == 0 and _is_vectors(name)}
    assert simple - {*MODELS} == set()


def _is_vectors(name: str) -> bool:
    opcode = OPCODES[NUMBERS[name] + 0x200]
    return opcode.results == (V128,) and opcode.params is not None and set(opcode.params) == {V128}


@pytest.mark.parametrize("name", [name for name in NUMBERS if name in MODELS])
def test_arithmetic(name: str) -> None:
    number = NUMBERS[name]
    params = OPCODES[number + 0x200].params
    assert params is not None
    operation = (m.VECTOR_UNARY, m.VECTOR_BINARY, m.VECTOR_TERNARY)[len(params) - 1]
    before = blank(CASES)
    for register in range(15):
        vector_of(before, register)[:] = operands(CASES, 100 * number + register)
    if "i7x16" in name:
        for register in (2, 3, 9, 10, 11):
            vector_of(before, register)[:] &= 0x7F
    expected = []
    for registers in REGISTERS:
        sources = registers[1 : 1 + len(params)]
        with np.errstate(all="ignore"):
            expected.append(MODELS[name](*(vector_of(before, register).copy() for register in sources)))
    for features in usable():
        records = [vector_record(operation, number, *registers, temporary(number, registers)) for registers in REGISTERS]
        results = run(*encode(records, features), before)
        for registers, after, alternatives in zip(REGISTERS, results, expected):
            d = registers[0]
            fits = allowed(vector_of(after, d).copy(), alternatives)
            assert fits.all(), (registers, sorted(features), show(before, after, registers, fits))
            assert untouched(before, after, set(), {d, temporary(number, registers)} - {31}), (registers, sorted(features))
            if alternatives[0].dtype.kind == "f" and name.partition(".")[2] not in ("demote_f64x2_zero", "promote_low_f32x4"):
                sources = [vector_of(before, each).copy() for each in registers[1 : 1 + len(params)]]
                kept = canonical(vector_of(after, d).copy(), sources, alternatives[0].dtype.str[1:])
                assert kept.all(), (registers, sorted(features), show(before, after, registers, kept))


def show(before: Array, after: Array, registers: tuple[int, ...], fits: Array) -> list[str]:
    """The first case that is wrong."""
    case = int(np.argmin(fits.all(axis=1)))
    return [vector_of(before, each)[case].tobytes().hex() for each in registers[1:]] + [
        vector_of(after, registers[0])[case].tobytes().hex()
    ]


def check(records: list[bytes], before: Array, expected: list[Array], registers: list[int], integer: bool = False) -> None:
    """Each record leaves in its register, of 16 or of 8 bytes, what is expected, whatever the processor may use."""
    for features in usable():
        for after, wanted, d in zip(run(*encode(records, features), before), expected, registers):
            got = integer_of(after, d) if integer else vector_of(after, d)
            bad = np.flatnonzero((got != wanted).any(axis=1))
            assert not len(bad), (sorted(features), d, got[bad[0]].tobytes().hex(), wanted[bad[0]].tobytes().hex())
            changed = ({d}, {5}) if integer else (set[int](), {d, 5})
            assert untouched(before, after, *changed)


def states(seed: int) -> Array:
    """States with operands in all vector registers."""
    result = blank(CASES)
    for register in range(15):
        vector_of(result, register)[:] = operands(CASES, seed + register)
    return result


SHIFT = {"shl": np.left_shift, "shr_s": np.right_shift, "shr_u": np.right_shift}


@pytest.mark.parametrize("shape", INTEGERS)
@pytest.mark.parametrize("name", SHIFT)
def test_shifts(name: str, shape: str) -> None:
    kind = INTEGERS[shape].replace("i", "u") if name == "shr_u" else INTEGERS[shape]
    number = NUMBERS[f"{shape}.{name}"]
    bits = 8 * int(kind[1])
    before = states(number)
    records, expected, registers = [], [], []
    for d, a, b in ((1, 2, 0), (1, 1, 6), (9, 10, 13), (14, 14, 8), (3, 12, 1)):
        count = integer_of(before, b)[:, :1].astype(kind) % bits
        records.append(vector_record(m.VECTOR_SHIFT, number, d, a, b, t=5))
        expected.append(SHIFT[name](vector_of(before, a).copy().view(kind), count).view("u1"))
        registers.append(d)
        for constant in range(bits):
            records.append(vector_record(m.VECTOR_SHIFT_CONSTANT, number, d, a, t=5, lane=constant))
            expected.append(SHIFT[name](vector_of(before, a).copy().view(kind), np.array(constant, kind)).view("u1"))
            registers.append(d)
    check(records, before, expected, registers)


def _signs(a: Array) -> Array:
    return sum(((a[:, lane] < 0).astype("u8") << np.uint64(lane)) for lane in range(a.shape[1]))


@pytest.mark.parametrize("name", ["v128.any_true", *(f"{shape}.{name}" for shape in INTEGERS for name in ("all_true", "bitmask"))])
def test_masks(name: str) -> None:
    shape, _, what = name.partition(".")
    models = {"any_true": lambda a: a.any(axis=1), "all_true": lambda a: (a != 0).all(axis=1), "bitmask": _signs}
    before = states(3)
    vector_of(before, 4)[:8] = 0
    vector_of(before, 14)[:8] = 0xFF
    places = [(0, 1), (6, 4), (7, 14), (13, 9), (8, 0)]
    expected = [models[what](vector_of(before, a).copy().view(INTEGERS.get(shape, "i1"))).astype("u8") for _, a in places]
    records = [vector_record(m.VECTOR_TO_INTEGER, NUMBERS[name], d, a) for d, a in places]
    check(records, before, [each.reshape(-1, 1).view("u1") for each in expected], [d for d, _ in places], integer=True)


@pytest.mark.parametrize("shape", INTEGERS)
def test_integer_lanes(shape: str) -> None:
    kind = INTEGERS[shape]
    width = int(kind[1])
    before = states(5)
    for d, v in ((0, 1), (6, 14), (13, 9), (8, 3), (2, 10)):
        vectors = vector_of(before, v).copy().view(kind)
        for sign, view in (("_s", kind), ("_u", kind.replace("i", "u"))) if width < 4 else (("", kind.replace("i", "u")),):
            records, expected = [], []
            for lane in range(16 // width):
                records.append(vector_record(m.VECTOR_TO_INTEGER, NUMBERS[f"{shape}.extract_lane{sign}"], d, v, lane=lane))
                value = vectors.view(view)[:, lane : lane + 1]
                value = value.astype("u8") if width == 8 else value.astype("i4").view("u4").astype("u8")
                expected.append(value.view("u1"))
            check(records, before, expected, [d] * len(records), integer=True)
        number = integer_of(before, d).copy().view(kind)[:, :1]
        splat = vector_record(m.VECTOR_FROM_INTEGER, NUMBERS[f"{shape}.splat"], v, d)
        check([splat], before, [np.repeat(number, 16 // width, axis=1).view("u1")], [v])
        for a in (v, 2, 11):
            records, expected = [], []
            for lane in range(16 // width):
                records.append(vector_record(m.VECTOR_REPLACE, NUMBERS[f"{shape}.replace_lane"], v, a, d, lane=lane))
                replaced = vector_of(before, a).copy().view(kind)
                replaced[:, lane : lane + 1] = number
                expected.append(replaced.view("u1"))
            check(records, before, expected, [v] * len(records))


@pytest.mark.parametrize("shape", FLOATS)
def test_float_lanes(shape: str) -> None:
    kind = FLOATS[shape].replace("f", "u")
    width = int(kind[1])
    before = states(7)
    for d, a, b in ((1, 2, 3), (1, 1, 2), (1, 2, 1), (4, 4, 4), (9, 10, 11), (12, 3, 12)):
        for lane in range(16 // width):
            extract = vector_record(m.VECTOR_UNARY, NUMBERS[f"{shape}.extract_lane"], d, a, lane=lane)
            after = run(*encode([extract], frozenset()), before)[0]
            taken = vector_of(before, a).copy().view(kind)[:, lane]
            assert (vector_of(after, d).copy().view(kind)[:, 0] == taken).all() and untouched(before, after, set(), {d})
            replaced = vector_of(before, a).copy().view(kind)
            replaced[:, lane] = vector_of(before, b).copy().view(kind)[:, 0]
            replace = vector_record(m.VECTOR_BINARY, NUMBERS[f"{shape}.replace_lane"], d, a, b, lane=lane)
            check([replace], before, [replaced.view("u1")], [d])


def _shapes() -> list[list[int]]:
    """Shuffles of every kind that has an encoding of its own, with both sources in both places, and some that have none."""
    random = np.random.default_rng(11)
    rows: list[list[int]] = []
    for width in (1, 2, 4, 8):
        lanes = [list(range(width * lane, width * (lane + 1))) for lane in range(32 // width)]
        half = len(lanes) // 4
        for start in (0, half):
            pairs = [(start + lane, start + lane + 2 * half) for lane in range(half)]
            rows += [[byte for pair in pairs for lane in order(pair) for byte in lanes[lane]] for order in (list, lambda p: p[::-1])]
        for _ in range(12):
            picked = random.integers(len(lanes), size=16 // width)
            rows.append([byte for lane in picked for byte in lanes[lane]])
            rows.append([byte & 15 for byte in rows[-1]])
            rows.append([byte | 16 for byte in rows[-2]])
            blend = random.integers(2, size=16 // width) * 16
            rows.append([width * lane + byte + int(blend[lane]) for lane in range(16 // width) for byte in range(width)])
        rows += [lanes[lane] * (16 // width) for lane in (0, len(lanes) // 2, len(lanes) - 1)]
    rows += [[(first + lane) % 32 for lane in range(16)] for first in range(32)]
    rows += [[(first + lane) % 16 for lane in range(16)] for first in range(16)]
    for _ in range(12):
        first, second = random.integers(4, size=(2, 2))
        lanes32 = [*first, *(second + 4)] if random.integers(2) else [*(first + 4), *second]
        rows.append([4 * int(lane) + byte for lane in lanes32 for byte in range(4)])
    return rows


@pytest.mark.parametrize(("d", "a", "b"), [(1, 2, 3), (1, 1, 2), (2, 1, 2), (3, 3, 3), (9, 10, 11), (4, 12, 12), (12, 4, 12)])
def test_shuffles(d: int, a: int, b: int) -> None:
    before = states(13)
    both = np.concatenate([vector_of(before, a), vector_of(before, b)], axis=1)
    records, expected = [], []
    for lanes in _shapes():
        words = struct.unpack("<qq", bytes(lanes))
        records.append(vector_record(m.VECTOR_SHUFFLE, 0x0D, d, a, b, words=words))
        expected.append(both[:, lanes])
    check(records, before, expected, [d] * len(records))


CONSTANTS = [(0, 0), (-1, -1), (-1, 0), (1, 1), (0x0706050403020100, -(2**63))]


def test_constants_stand_once_and_aligned() -> None:
    before = states(17)
    records = [b"".join(record(m.VECTOR_CONSTANT, 0, d, 0, 0, 0, *words) for d in (1, 9)) for words in CONSTANTS]
    expected = [np.frombuffer(struct.pack("<qq", *words) * CASES, "u1").reshape(CASES, 16) for words in CONSTANTS]
    for d in (1, 9):
        for after, wanted in zip(run(*encode(records, frozenset()), before), expected):
            assert (vector_of(after, d) == wanted).all()
    function = b"".join(records) + record(FLOAT_CONSTANT, 1, 2, 0, 0, 0, 0x3FF0000000000000)
    code, _ = encode([function, function], frozenset())
    for words in CONSTANTS[2:]:
        first = code.index(struct.pack("<qq", *words))
        second = code.index(struct.pack("<qq", *words), first + 1)
        assert first % 16 == second % 16 == 0 and code.count(struct.pack("<qq", *words)) == 2


def test_slots_are_wide() -> None:
    before = states(19)
    body = (
        record(m.VECTOR_STORE_SLOT, 0, 0, 3, immediate=1)
        + record(m.VECTOR_STORE_SLOT, 0, 0, 12, immediate=2)
        + record(COPY_SLOT, 0, 0, 0, 0, 3, 1)
        + record(ZERO_SLOTS, 0, 0, 0, 0, 5, 2)
        + record(m.VECTOR_LOAD_SLOT, 0, 4, immediate=3)
        + record(m.VECTOR_LOAD_SLOT, 0, 13, immediate=2)
        + record(m.VECTOR_LOAD_SLOT, 0, 5, immediate=5)
        + record(m.VECTOR_LOAD_SLOT, 0, 6, immediate=6)
    )
    store = np.zeros(64, "u8")
    context = np.array([store.ctypes.data], "u8")
    before.view("u8")[:, 12] = context.ctypes.data
    for calls in (0, 1):
        code, starts = encode([record(PROLOGUE, FRAME_VECTORS | calls, immediate=8) + body], frozenset())
        after = run(code, starts, before, frame=False)[0]
        assert (vector_of(after, 4) == vector_of(before, 3)).all() and (vector_of(after, 13) == vector_of(before, 12)).all()
        assert not vector_of(after, 5).any() and not vector_of(after, 6).any()


def test_context_and_overflow_area() -> None:
    before = states(23)
    memory = np.zeros(64 - OVERFLOW_OFFSET, "u1")
    store = memory[-OVERFLOW_OFFSET:]
    context = np.zeros(8, "u8")
    context[0] = store.ctypes.data
    before.view("u8")[:, 12] = context.ctypes.data
    body = (
        record(m.VECTOR_STORE_CONTEXT, 0, 0, 3, immediate=16)
        + record(m.VECTOR_STORE_OVERFLOW, 0, 0, 12, immediate=2)
        + record(m.VECTOR_LOAD_CONTEXT, 0, 4, immediate=16)
        + record(m.VECTOR_LOAD_OVERFLOW, 0, 13, immediate=2)
    )
    after = run(*encode([body], frozenset()), before)[0]
    assert (vector_of(after, 4) == vector_of(before, 3)).all() and (vector_of(after, 13) == vector_of(before, 12)).all()
    assert (context[2:4].view("u1") == vector_of(before, 3)[-1]).all()
    assert (memory[32:48] == vector_of(before, 12)[-1]).all()


# Kind of VECTOR_LOAD: bytes that it reads and what it makes of them.
LOADS = {
    0: (16, lambda data: data),
    **{1 + number: (8, lambda data, view=view, to=to: data.view(view).astype(to)) for number, (view, to) in enumerate(
        [("i1", "i2"), ("u1", "i2"), ("i2", "i4"), ("u2", "i4"), ("i4", "i8"), ("u4", "i8")])},
    **{7 + number: (1 << number, lambda data, number=number: np.tile(data, (1, 16 >> number))) for number in range(4)},
    11: (4, lambda data: np.concatenate([data, np.zeros((len(data), 12), "u1")], axis=1)),
    12: (8, lambda data: np.concatenate([data, np.zeros((len(data), 8), "u1")], axis=1)),
}  # fmt: skip
ABSOLUTE = 32


class Memory:
    """A memory, states with addresses in it in rsi and r13, and its base in rbx."""

    def __init__(self) -> None:
        self.bytes = np.random.default_rng(29).integers(0, 256, 4096, dtype="u1")
        self.states = states(31)
        registers = self.states.view("u8")
        registers[:, 3] = self.bytes.ctypes.data
        self.at = np.random.default_rng(37).integers(0, 2048, CASES).astype("u8")
        registers[:, 6] = self.at
        registers[:, 13] = self.at + self.bytes.ctypes.data

    def places(self) -> list[tuple[int, int, int, Array]]:
        """Size bits, address register, offset, and where that is."""
        none = np.zeros(CASES, "u8")
        return [(0, 6, 0, self.at), (0, 6, 300, self.at + 300), (0, 31, 77, none + 77), (ABSOLUTE, 13, 9, self.at + 9)]

    def read(self, at: Array, size: int) -> Array:
        return np.stack([self.bytes[int(each) : int(each) + size] for each in at])


@pytest.mark.parametrize("kind", LOADS)
def test_loads(kind: int) -> None:
    memory = Memory()
    size, model = LOADS[kind]
    records, expected = [], []
    for bits, register, offset, at in memory.places():
        for d in (1, 12):
            records.append(record(m.VECTOR_LOAD, kind | bits, d, register, 0, offset))
            records.append(record(m.VECTOR_LOAD, kind | bits, d, register, 0, 0, offset))
            expected += [model(memory.read(at, size)).copy().view("u1")] * 2
    check(records, memory.states, expected, [1, 1, 12, 12] * 4)


@pytest.mark.parametrize("width", range(4))
def test_lanes_in_memory(width: int) -> None:
    memory = Memory()
    size = 1 << width
    records, expected, registers = [], [], []
    for bits, register, offset, at in memory.places():
        for lane in range(16 >> width):
            for d, b in ((1, 2), (3, 3), (12, 9), (10, 10)):
                records.append(record(m.VECTOR_LOAD_LANE, width | bits, d, register, b, lane, offset))
                replaced = vector_of(memory.states, b).copy()
                replaced[:, lane * size : (lane + 1) * size] = memory.read(at, size)
                expected.append(replaced)
                registers.append(d)
    check(records, memory.states, expected, registers)


@pytest.mark.parametrize("width", range(5))
def test_stores(width: int) -> None:
    memory = Memory()
    size = 1 << width
    for bits, register, offset, at in memory.places():
        for lane in range(16 >> width):
            for b in (2, 9):
                operation, low = (m.VECTOR_STORE, 0) if width == 4 else (m.VECTOR_STORE_LANE, width)
                code = encode([record(operation, low | bits, 0, register, b, lane, offset)], frozenset())
                for case in range(0, CASES, 40):
                    wanted = memory.bytes.copy()
                    wanted[int(at[case]) : int(at[case]) + size] = vector_of(memory.states, b)[case, lane * size : (lane + 1) * size]
                    after = run(*code, memory.states[case : case + 1])[0]
                    assert (memory.bytes == wanted).all() and untouched(memory.states[case : case + 1], after, set(), set())

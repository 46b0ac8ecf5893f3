"""Every vector instruction on values at the edges and random ones, against wasmtime: in temporaries, in pinned locals, over its operands,
in functions that make calls, and with the instructions of the base line alone."""

from __future__ import annotations

import atexit
import math
import struct
from collections.abc import Iterator
from functools import cache
from itertools import product
from random import Random

import pytest
import wasmtime

import wasmcore
from wasmcore.opcodes import OPCODES, Immediates, Opcode
from wasmcore.types import F32, F64, I32, I64, V128

ROUNDS = 120
OPERANDS = 48
"""Bytes: three vectors for each round."""
RESULTS = 7
"""Vectors that each round stores."""
OUTPUT = 0x10000
CLEAR = bytes(16 * RESULTS * ROUNDS)

NAMES = {I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128"}
OPERATORS = {opcode.name: opcode for code, opcode in OPCODES.items() if 0x200 <= code < 0x400}
RELAXED = {name for name, opcode in OPERATORS.items() if opcode.feature == "relaxed_simd"}
ARITHMETIC = {
    f"{lanes}.{name}" for lanes in ("f32x4", "f64x2") for name in "ceil floor trunc nearest sqrt add sub mul div min max".split()
} | {"f32x4.demote_f64x2_zero", "f64x2.promote_low_f32x4", "f32x4.extract_lane", "f64x2.extract_lane"}
"""Where a result is a NaN, its bits are open."""

LANES = {
    "b": (0, 1, 2, 7, 8, 15, 16, 31, 0x7F, 0x80, 0x81, 0xFE, 0xFF),
    "H": (0, 1, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0x8001, 0xFF7F, 0xFF80, 0xFFFF),
    "I": (0, 1, 31, 0xFFFF, 0x7FFF, 0x8000, 0xFFFF8000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF),
    "Q": (0, 1, 63, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1),
    "f": (
        0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -3.5, 8388609.0, 2147483520.0, 2147483648.0, -2147483648.0, 4294967040.0, 4294967296.0,
        1e-45, 1e-38, 3.4e38, math.inf, -math.inf, math.nan, -math.nan, 1e10, -1e10, 0.1,
    ),
    "d": (
        0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -3.5, 4503599627370497.5, 2147483647.0, 2147483648.5, -2147483649.0, 4294967295.0,
        4294967296.0, 5e-324, 1e-310, 1e308, math.inf, -math.inf, math.nan, -math.nan, 3.4028236e38, 1e-46, 0.1,
    ),
}  # fmt: skip


def vector(random: Random) -> bytes:
    """A vector: lanes of one kind at the edges, or any bits."""
    kind = random.choice((*LANES, "?"))
    if kind == "?":
        return random.randbytes(16)
    code = kind.upper() if kind == "b" else kind
    return struct.pack(f"<{16 // struct.calcsize(code)}{code}", *(random.choice(LANES[kind]) for _ in range(16 // struct.calcsize(code))))


def inputs() -> bytes:
    random = Random(1)
    return b"".join(vector(random) for _ in range(3 * ROUNDS))


def defined(name: str, data: bytes) -> bytes:
    """Operands for which a relaxed instruction leaves nothing open."""
    random = Random(2)
    if "madd" in name or "_min" in name or "_max" in name:
        code = "f" if name.startswith("f32") else "d"
        values = [float(number) for number in range(-40, 40) if number]
    elif "laneselect" in name:
        lane = 16 // int(name.partition(".")[0].partition("x")[2])
        masks = b"".join(random.choice((b"\0", b"\xff")) * lane for _ in range(len(data) // lane))
        return b"".join(data[at : at + 32] + masks[at + 32 : at + 48] for at in range(0, len(data), 48))
    elif "swizzle" in name:
        return bytes(byte & 15 for byte in data)
    elif "trunc" in name:
        code = "f" if "f32" in name else "d"
        values = [float(number) for number in (0, 1, 5, 100.5, 12345.25, 0.75)]
    elif "q15mulr" in name:
        code, values = "H", [number for number in LANES["H"] if number != 0x8000]
    else:  # dot: the second operand has 7 bits
        return b"".join(
            data[at : at + 16] + bytes(byte & 0x7F for byte in data[at + 16 : at + 32]) + data[at + 32 : at + 48]
            for at in range(0, len(data), 48)
        )
    count = len(data) // struct.calcsize(code)
    return struct.pack(f"<{count}{code}", *(random.choice(values) for _ in range(count)))


def operand(value_type: int, number: int) -> str:
    """The n-th operand of a round, from the memory."""
    place = f"(i32.const {16 * number}) (i32.add (local.get $at))"
    load = {V128: "v128.load", I32: "i32.load", I64: "i64.load", F32: "f32.load", F64: "f64.load"}[value_type]
    return f"{place} ({load})"


def as_vector(result: int, code: str) -> str:
    """A result as a vector."""
    splats = {I32: "i32x4.splat", I64: "i64x2.splat", F32: "f32x4.splat", F64: "f64x2.splat", V128: ""}
    return f"{code} {splats[result]}"


def lanes_of(opcode: Opcode) -> Iterator[str]:
    """The immediates to try."""
    if opcode.immediates == Immediates.LANE:
        for lane in range(int(opcode.name.partition("x")[2].partition(".")[0])):
            yield str(lane)
    elif opcode.immediates == Immediates.SHUFFLE:
        random = Random(3)
        for chosen in (range(16), range(16, 32), [0] * 16, range(8, 24), [*range(0, 32, 2)], [*range(15, -1, -1)]):
            yield " ".join(map(str, chosen))
        for lane in (2, 4, 8):
            picks = [random.randrange(32 // lane) for _ in range(16 // lane)]
            yield " ".join(str(pick * lane + byte) for pick in picks for byte in range(lane))
        for _ in range(6):
            yield " ".join(str(random.randrange(32)) for _ in range(16))
    else:
        yield ""


def function(export: str, opcode: Opcode, immediate: str, with_calls: bool) -> str:
    """A function that does the operation in several places for each round."""
    params, result = opcode.params or (), (opcode.results or ())[0]
    name = f"{opcode.name} {immediate}"
    operands = " ".join(operand(t, number) for number, t in enumerate(params))
    locals_ = " ".join(f"(local $p{number} {NAMES[t]})" for number, t in enumerate(params))
    gets = [f"(local.get $p{number})" for number in range(len(params))]
    assign = " ".join(f"(local.set $p{number} {operand(t, number)})" for number, t in enumerate(params))
    uses = [as_vector(result, f"{operands} {name}"), f"{assign} {as_vector(result, ' '.join(gets) + ' ' + name)}"]
    for number, t in enumerate(params):
        if t == result:  # over each of its operands
            uses.append(f"{assign} (local.set $p{number} ({name} {' '.join(gets)})) {gets[number]}")
    if len(set(params)) == 1:
        uses.append(f"{assign} {as_vector(result, ' '.join(gets[:1] * len(params)) + ' ' + name)}")
    if len(params) == 2:  # the first waits in a temporary
        uses.append(f"{assign} {as_vector(result, operand(params[0], 0) + ' ' + gets[1] + ' ' + name)}")
    assert len(uses) <= RESULTS
    stores = " ".join(
        f"(local.set $result {use}) (v128.store offset={OUTPUT + 16 * number} (local.get $to) (local.get $result))"
        for number, use in enumerate(uses)
    )
    call = "(call $nothing)" if with_calls else ""
    return f"""(func (export "{export}") (local $at i32) (local $to i32) (local $result v128) {locals_}
      (loop $again {call} {stores}
        (local.set $to (i32.add (local.get $to) (i32.const {16 * RESULTS})))
        (br_if $again (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const {OPERANDS}))) (i32.const {OPERANDS * ROUNDS})))))"""


@cache
def module() -> tuple[bytes, dict[str, list[str]]]:
    """All functions, and the exports of each instruction."""
    functions, exports = [], {}
    for name, opcode in OPERATORS.items():
        if opcode.immediates not in (Immediates.NONE, Immediates.LANE, Immediates.SHUFFLE) or not opcode.results:
            continue
        exports[name] = [f"{name}#{number}" for number, _ in enumerate(lanes_of(opcode))]
        for number, (export, immediate) in enumerate(zip(exports[name], lanes_of(opcode))):
            functions.append(function(export, opcode, immediate, with_calls=number % 2 == 1))
            if number == 0:
                exports[name].append(f"{name}#calls")
                functions.append(function(f"{name}#calls", opcode, immediate, with_calls=True))
    memory = '(memory (export "memory") 3)'
    return bytes(wasmtime.wat2wasm(f"(module {memory} (func $nothing) {' '.join(functions)})")), exports


MODES = {"": {}, "base line": {}, "without signals": {"signals": False}}


@cache
def expected() -> dict[str, bytes]:
    """The results of each export by wasmtime."""
    data, exports = module()
    config = wasmtime.Config()
    config.wasm_relaxed_simd = True
    engine = wasmtime.Engine(config)
    atexit.register(engine.close)  # At the end of the interpreter, its own clean-up would find wasmtime gone.
    store = wasmtime.Store(engine)
    found = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)
    memory = found["memory"]
    results = {}
    for name, several in exports.items():
        memory.write(store, defined(name, inputs()) if name in RELAXED else inputs(), 0)
        for export in several:
            memory.write(store, CLEAR, OUTPUT)
            found[export](store)
            results[export] = bytes(memory.read(store, OUTPUT, OUTPUT + 16 * RESULTS * ROUNDS))
    return results


@cache
def instance(mode: str) -> wasmcore.Instance:
    with pytest.MonkeyPatch.context() as patch:
        engine = wasmcore.Engine("singlepass", features=wasmcore.FEATURES, **MODES[mode])
        if mode == "base line":
            patch.setattr(type(engine.target), "features", lambda _: frozenset({"sse4.1"}))
        return wasmcore.Instance(wasmcore.Module(module()[0], engine=engine), {})


def same(name: str, ours: bytes, theirs: bytes) -> bool:
    """Equal, but for the bits of a NaN where arithmetic makes it."""
    if ours == theirs or name not in ARITHMETIC:
        return ours == theirs
    code = "f" if name.startswith("f32") else "d"
    pairs = zip(struct.iter_unpack(f"<{code}", ours), struct.iter_unpack(f"<{code}", theirs))
    kept = struct.calcsize(code)
    return all(
        ours[kept * at : kept * at + kept] == theirs[kept * at : kept * at + kept] or (math.isnan(a) and math.isnan(b))
        for at, ((a,), (b,)) in enumerate(pairs)
    )


@pytest.mark.parametrize(("mode", "name"), [*product(MODES, sorted(module()[1]))])
def test_operator(mode: str, name: str) -> None:
    exports = instance(mode).exports
    data = defined(name, inputs()) if name in RELAXED else inputs()
    exports.memory.write(0, data)
    for export in module()[1][name]:
        exports.memory.write(OUTPUT, CLEAR)
        exports[export]()
        got = exports.memory.read(OUTPUT, 16 * RESULTS * ROUNDS)
        want = expected()[export]
        for at in range(0, len(want), 16):
            if not same(name, got[at : at + 16], want[at : at + 16]):
                number, use = divmod(at // 16, RESULTS)
                operands = [data[OPERANDS * number + 16 * i :][:16].hex() for i in range(3)]
                raise AssertionError(f"{export}, use {use} of {operands}: {got[at : at + 16].hex()}, not {want[at : at + 16].hex()}")

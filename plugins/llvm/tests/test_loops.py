"""Loops with a fast copy do exactly what wasmtime does: results, traps, and the memory after a trap."""

from __future__ import annotations

import random

import pytest
import wasmtime

import wasmcore
from wasmcore._registry import host_target
from wasmcore.binary import decode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter
from wasmcore_llvm.target import llvm_target
from wasmcore_llvm.text.module import module_text
from wasmcore_llvm.text.state import Unit

PAGE = 65536
ENGINE = wasmtime.Engine()
COMPARISONS = "lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u ne".split()
LOADS = "i32.load8_u i32.load8_s i32.load16_u i32.load".split()
STORES = "i32.store8 i32.store16 i32.store".split()
BATCH = 30


class Program:
    """A random module with one function `run` (five parameters, i32 or i64) around one loop, in a memory with addresses of either size."""

    def __init__(self, seed: int, address64: bool = False) -> None:
        self.random = random.Random(seed)
        self.bits = 64 if self.random.random() < (0.7 if address64 else 0.2) else 32
        self.address_bits = 64 if address64 else 32
        self.reads_only = self.random.random() < 0.3
        self.steps = [self.step() for _ in range(4)]
        if self.random.random() < 0.5:
            self.steps[self.random.randrange(4)] = self.constant(1)
        steps = "\n".join(f"(local.set {n} ({self.type}.add (local.get {n}) {step}))" for n, step in enumerate(self.steps) if step)
        body = "\n".join(self.statement(steps, 2) for _ in range(self.random.randint(1, 4)))
        self.text = f"""(module (memory (export "memory") {"i64" if address64 else ""} 1)
            (global $g (mut i32) (i32.const 0)) (global $h (mut i32) (i32.const {self.random.choice((0, 1, 60000))}))
            (func (export "run") (param {" ".join([self.type] * 5)}) (result i32) (local $s i32)
              {self.loop(body, steps)}
              (i32.add (local.get $s) {" ".join(f"(i32.add {self.narrow(f'(local.get {n})')}" for n in range(4))} (global.get $g) )))))))"""

    @property
    def type(self) -> str:
        return f"i{self.bits}"

    def narrow(self, x: str) -> str:
        """A counter as an i32."""
        return x if self.bits == 32 else f"(i32.wrap_i64 {x})"

    def wide(self, x: str) -> str:
        """An i32 as a counter."""
        return x if self.bits == 32 else f"(i64.extend_i32_u {x})"

    def constant(self, x: int) -> str:
        return f"({self.type}.const {x})"

    def step(self) -> str:
        """What is added to a local: "" for nothing, a constant, or the last parameter."""
        if self.random.random() < 0.12:
            return "(local.get 4)"
        step = self.random.choice((-8, -4, -2, -1, 0, 1, 1, 2, 3, 4, 4, 4, 8, 12, 16, 64))
        return self.constant(step) if step else ""

    def loop(self, body: str, steps: str) -> str:
        """One of several shapes."""
        shape = self.random.randrange(9)
        test = self.condition()
        if shape > 6:
            return self.search(body, steps, shape == 7)
        if shape == 0:
            return f"(block $out (loop $l (br_if $out (i32.eqz {test})) {body} {steps} (br $l)))"
        if shape == 1:
            return f"(block $out (loop $l {body} {steps} (br_if $out (i32.eqz {test})) (br $l)))"
        if shape == 2:
            limit = f"({self.type}.gt_u (local.get 1) {self.constant(65000)})"
            return f"(block $out (loop $l {body} (br_if $out {limit}) {steps} (br_if $l {test})))"
        if shape == 3:
            return f"(block $out (loop $l (if {test} (then {body} {steps} (br $l)) (else {self.statement(steps, 0)}))))"
        if shape == 4:
            return f"(block $out (loop $l (block $b (br_if $b (i32.eqz {test})) {body} {steps} (br $l)) {self.statement(steps, 0)}))"
        if shape == 5:
            return f"(block $out (loop $l {body} {steps} (if {test} (then (br $l))) (local.set $s (i32.const 5))))"
        return f"(block $out (loop $l {body} {steps} (br_if $l {test})))"

    def search(self, body: str, steps: str, first: bool) -> str:
        """Goes on until a byte is found, or to the end of the memory."""
        n = self.random.randrange(4)
        if self.steps[n] not in (each := [self.constant(step) for step in (1, 2, 3, 4, 8)]):
            self.steps[n] = self.random.choice(each)
            steps += f"\n(local.set {n} ({self.type}.add (local.get {n}) {self.steps[n]}))"
        byte = f"(i32.load8_u offset={self.random.choice((0, 0, 1, 9))} {self.as_address(f'(local.get {n})')})"
        if self.random.random() < 0.6:
            body = ""
        if first:
            return f"(block $out (loop $l (br_if $out (i32.eq {byte} (i32.const 7))) {body} {steps} (br $l)))"
        return f"(block $out (loop $l {steps} {body} (br_if $l (i32.ne {byte} (i32.const 7)))))"

    def condition(self) -> str:
        """Ends the loop some time, often."""
        moving = [n for n, step in enumerate(self.steps) if step] or [0]
        n = self.random.choice(moving)
        if self.random.random() < 0.2:
            return f"({self.type}.ne (local.get {n}) {self.constant(0)})"
        sides = [f"(local.get {n})", self.random.choice(("(local.get 4)", self.constant(self.random.randint(-100, 70000))))]
        if self.random.random() < 0.2:
            sides.reverse()
        return f"({self.type}.{self.random.choice(COMPARISONS)} {' '.join(sides)})"

    def data_condition(self) -> str:
        """Something that depends on the memory or on nothing that is counted."""
        kind = self.random.randrange(4)
        if kind == 0:
            return f"(i32.and (local.get $s) {self.random.choice(('(i32.const 1)', '(i32.const 64)'))})"
        if kind == 1:
            return f"(i32.eq {self.value()} (i32.const {self.random.choice((0, 7, 255))}))"
        if kind == 2:
            return self.condition()
        return f"(i32.gt_u {self.value()} (i32.const {self.random.choice((3, 250, 70000))}))"

    def index(self) -> str:
        """A sum of counters, or something between bounds."""
        n = self.random.randrange(4)
        kind = self.random.randrange(8)
        get = f"(local.get {n})"
        if kind == 0:
            return f"({self.type}.add {get} {self.constant(self.random.choice((-8, -1, 4, 100, 5000, 66000)))})"
        if kind == 1:
            return f"({self.type}.shl {get} {self.constant(self.random.randint(0, 3))})"
        if kind == 2:
            return f"({self.type}.add {get} (local.get {self.random.randrange(4)}))"
        if kind == 3:
            return self.wide(self.bounded(self.narrow(get)))
        if kind == 4:
            return f"({self.type}.add {get} {self.wide(self.bounded('(local.get $s)'))})"
        if kind == 5:
            return f"({self.type}.{self.random.choice(('or', 'and'))} {get} {self.constant(self.random.choice((1, 3, -4, -16)))})"
        return get

    def bounded(self, x: str) -> str:
        """An i32 between bounds."""
        return self.random.choice(
            (
                f"(i32.and {x} (i32.const {self.random.choice((1, 255, 4092, 65535))}))",
                f"(i32.rem_u {x} (i32.const {self.random.choice((1, 17, 60000))}))",
                f"(i32.shr_u {x} (i32.const {self.random.choice((16, 17, 25))}))",
                f"(i32.div_u (i32.and {x} (i32.const 4095)) (i32.const 3))",
                f"(i32.shl (i32.and {x} (i32.const 1023)) (i32.const {self.random.choice((2, 6))}))",
                f"(i32.add (i32.const {self.random.choice((0, 500, -3))}) (i32.popcnt {x}))",
                f"(select (i32.const 12) (i32.const 800) {x})",
                "(global.get $h)",
            )
        )

    def address(self) -> str:
        """An index as an address."""
        if self.random.random() < 0.06:
            return f"(i{self.address_bits}.const {self.random.choice((0, 8, 65532, 65536))})"
        return self.as_address(self.index())

    def as_address(self, x: str) -> str:
        """A counter as an address."""
        if self.bits == self.address_bits:
            return x
        if self.bits == 64:
            return self.narrow(x)
        wide = f"(i64.extend_i32_{self.random.choice('uuus')} {x})"
        return self.random.choice((wide, wide, wide, f"(i64.add {wide} (i64.const 8))", f"(i64.shl {wide} (i64.const 1))"))

    def value(self) -> str:
        if self.random.random() < 0.5:
            return f"({self.random.choice(LOADS)} offset={self.random.choice((0, 0, 1, 4, 700))} {self.address()})"
        return self.random.choice(("(local.get $s)", self.narrow("(local.get 0)"), "(i32.const 12345)"))

    def statement(self, steps: str, depth: int) -> str:
        kind = self.random.randrange(9 if depth else 5)
        if kind < 2 and not self.reads_only:
            store = self.random.choice(STORES)
            return f"({store} offset={self.random.choice((0, 0, 2, 4, 600))} {self.address()} (i32.add {self.value()} {self.value()}))"
        if kind == 2 and self.random.random() < 0.4:
            step = self.random.choice(("(i32.const 4)", "(local.get $s)"))
            return f"(global.set ${self.random.choice('gh')} (i32.add (global.get $h) {step}))"
        if kind == 3 and self.random.random() < 0.4:
            divisor = f"(i32.or {self.value()} (i32.and {self.narrow('(local.get 0)')} (i32.const 3)))"
            return f"(local.set $s (i32.div_u {self.value()} {divisor}))"
        if kind == 5:
            other = f"(else {self.statement(steps, depth - 1)})" if self.random.random() < 0.5 else ""
            return f"(if {self.data_condition()} (then {self.statement(steps, depth - 1)}) {other})"
        if kind == 6:
            leave = self.random.choice(("(br $out)", "(br $out)", "(return (i32.const 77))", f"{steps} (br $l)"))
            return f"(if {self.data_condition()} (then {leave}))"
        if kind == 7:
            return f"(br_if $out {self.data_condition()})"
        if kind == 8:
            first, second = self.statement(steps, depth - 1), self.statement(steps, depth - 1)
            targets = self.random.choice(("$a $b", "$a $b $out", "$b $a $b"))
            return f"(block $a (block $b (br_table {targets} {self.value()})) {first}) {second}"
        return f"(local.set $s (i32.add (local.get $s) {self.value()}))"

    def arguments(self) -> list[int]:
        """Ends of the memory, the number 0, small numbers."""
        ends = [0, 1, 7, 1000, 32768, 65000, 65520, 65535, 65536, -1, -64, -2000]
        if self.bits == 64:
            ends += [1 << 32, (1 << 32) + 9, 1 << 63, (1 << 63) - 1, -(1 << 40)]
        found = [self.random.choice(ends) for _ in range(5)]
        if self.random.random() < 0.5:
            found[4] = found[self.random.randrange(4)] + self.random.randint(-300, 300)
        return [signed(each, self.bits) for each in found]

    def memory(self) -> bytes:
        """Full of random bytes, or with few that are not 0."""
        if self.random.random() < 0.5:
            return self.random.randbytes(PAGE)
        memory = bytearray(PAGE)
        for _ in range(8):
            memory[self.random.randrange(PAGE)] = 7
        return bytes(memory)


def signed(value: int, bits: int) -> int:
    """Modulo 2**bits, as a signed number."""
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def on_wasmtime(binary: bytes, arguments: list[int], start: bytes) -> tuple[object, bytes] | None:
    """Result and memory; None if it does not end soon."""
    config = wasmtime.Config()
    config.consume_fuel = True
    config.wasm_memory64 = True
    with wasmtime.Engine(config) as engine:
        store = wasmtime.Store(engine)
        store.set_fuel(3_000_000)
        exports = wasmtime.Instance(store, wasmtime.Module(engine, binary), []).exports(store)
        memory, run = exports["memory"], exports["run"]
        assert isinstance(memory, wasmtime.Memory) and isinstance(run, wasmtime.Func)
        memory.write(store, start)
        try:
            result: object = run(store, *arguments)
        except wasmtime.Trap as trap:
            if trap.trap_code == wasmtime.TrapCode.OUT_OF_FUEL:
                return None
            result = "trap" if "divide" in str(trap) else "memory"
        return result, bytes(memory.read(store, 0, PAGE))


def on_wasmcore(binary: bytes, arguments: list[int], start: bytes, **engine: object) -> tuple[object, bytes]:
    """Result and memory."""
    module = wasmcore.Module(binary, engine=wasmcore.Engine("llvm", **engine))  # type: ignore[arg-type]
    exports = wasmcore.Instance(module).exports
    exports.memory.view()[:] = start
    try:
        result: object = exports.run(*arguments)
    except wasmcore.Trap as trap:
        result = "trap" if trap.kind == wasmcore.TrapKind.INTEGER_DIVIDE_BY_ZERO else "memory"
    return result, bytes(exports.memory.view())


def check(seed: int, address64: bool = False, **engine: object) -> None:
    program = Program(seed, address64)
    binary = bytes(wasmtime.wat2wasm(program.text))
    start = program.memory()
    for _ in range(3):
        arguments = program.arguments()
        expected = on_wasmtime(binary, arguments, start)
        if expected is not None:
            got = on_wasmcore(binary, arguments, start, **engine)
            assert got[0] == expected[0], (seed, arguments, program.text)
            assert got[1] == expected[1], (seed, arguments, program.text)


@pytest.mark.parametrize("batch", range(3))
def test_same_as_wasmtime(batch: int) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        check(seed)


def test_same_as_wasmtime_with_checks() -> None:
    for seed in range(1000, 1000 + BATCH):
        check(seed, guard=False)


def test_same_as_wasmtime_without_signals() -> None:
    for seed in range(2000, 2000 + BATCH):
        check(seed, signals=False)


def test_same_as_wasmtime_with_long_addresses() -> None:
    for seed in range(3000, 3000 + BATCH):
        check(seed, address64=True)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(100, 150))
@pytest.mark.parametrize("way", [{}, {"guard": False}, {"signals": False}, {"address64": True}], ids=repr)
def test_same_as_wasmtime_long(batch: int, way: dict[str, bool]) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        check(seed, **way)


STEPS = (1, -1, 3, -4, 64)
EDGES = (0, 1, 3, 40, 64)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("guard", [True, False])
def test_numbers_of_iterations(bits: int, guard: bool) -> None:
    """All relations, at the ends of the numbers: how often the loop ran shows in where it stopped to write, or in a trap."""
    shapes = [(relation, step, constant) for relation in COMPARISONS for step in STEPS for constant in (True, False)]
    text = ['(module (memory (export "memory") 1)']
    for relation, step, constant in shapes:
        by = f"(i{bits}.const {step})" if constant else "(local.get 2)"
        text.append(f"""(func (export "{relation}{step}{constant}") (param i{bits} i{bits} i{bits}) (result i32) (local $p i32)
            (local.set $p (i32.const 65500))
            (loop $l (i32.store8 (local.get $p) (i32.const 1)) (local.set $p (i32.add (local.get $p) (i32.const 1)))
            (local.set 0 (i{bits}.add (local.get 0) {by})) (br_if $l (i{bits}.{relation} (local.get 0) (local.get 1)))) (local.get $p))""")
    module = wasmcore.Module(bytes(wasmtime.wat2wasm("\n".join((*text, ")")))), engine=wasmcore.Engine("llvm", guard=guard))
    exports = wasmcore.Instance(module).exports
    top = 1 << (bits - 1)
    values = [signed(base + sign * edge, bits) for base in (0, top) for edge in EDGES for sign in (-1, 1)]
    for relation, step, constant in shapes:
        run = getattr(exports, f"{relation}{step}{constant}")
        for start in values[::3]:
            for bound in values:
                expected = 65500 + iterations(relation, start, bound, step, bits)
                try:
                    got = run(start, bound, step)
                except wasmcore.Trap:
                    got = PAGE + 1
                assert got == expected, (relation, step, constant, start, bound)


def iterations(relation: str, x: int, y: int, step: int, bits: int) -> int:
    """How often the loop runs; no more than 37."""
    for count in range(1, 37):
        x = signed(x + step, bits)
        a, b = (x % (1 << bits), y % (1 << bits)) if relation.endswith("_u") else (x, y)
        if not {"l": a < b, "g": a > b, "n": a != b}[relation[0]] and not (relation[1] == "e" and relation != "ne" and a == b):
            return count
    return 37


SEARCHES = {
    "find": "(i32.eq (i32.load8_u (local.get 0)) (i32.const 7))",
    "find_word": "(i32.and (i32.load (local.get 0)) (i32.const 255))",
    "compare": "(i32.ne (i32.load8_u (local.get 0)) (i32.load8_u offset=30000 (local.get 0)))",
    "either": "(i32.or (i32.eqz (i32.load8_u offset=1 (local.get 0))) (i32.gt_u (i32.load8_u (local.get 0)) (i32.const 8)))",
}


@pytest.mark.parametrize("condition", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("step", [1, 4, -1, -4])
def test_search(condition: str, step: int) -> None:
    """Loops that only read and have one exit beside the counted one are vectorised; every place to find something, every end."""
    body = f"""(func (export "run") (param i32 i32) (result i32) (block $out (loop $l (br_if $out {condition})
        (local.set 0 (i32.add (local.get 0) (i32.const {step}))) (br_if $l (local.tee 1 (i32.sub (local.get 1) (i32.const 1))))))
        (i32.add (i32.mul (local.get 1) (i32.const 100000)) (local.get 0)))"""
    binary = bytes(wasmtime.wat2wasm(f'(module (memory (export "memory") 1) {body})'))
    source = random.Random(step)
    exports = wasmcore.Instance(wasmcore.Module(binary, engine=wasmcore.Engine("llvm"))).exports
    store = wasmtime.Store(ENGINE)
    others = wasmtime.Instance(store, wasmtime.Module(ENGINE, binary), []).exports(store)
    memory, run = others["memory"], others["run"]
    assert isinstance(memory, wasmtime.Memory) and isinstance(run, wasmtime.Func)
    for _ in range(400):
        content = bytearray(b"\1" * PAGE) if source.random() < 0.7 else bytearray(PAGE)
        for _ in range(source.randrange(4)):
            content[source.randrange(25000, 36000)] = source.choice((0, 7, 9))
        memory.write(store, content, 0)
        exports.memory.view()[:] = content
        start = source.choice((0, 29990, 30000, 34000, 65000, 65530))
        count = source.choice((1, 3, 64, 100, 1000, 5000, 30000))
        try:
            expected: object = run(store, start, count)
        except wasmtime.Trap:
            expected = "trap"
        try:
            got: object = exports.run(start, count)
        except wasmcore.Trap:
            got = "trap"
        assert got == expected, (start, count)


LONG = "(local.set 3 (i64.add (local.get 3) (i64.const 8)))"
STEP = "(local.set 0 (i32.add (local.get 0) (i32.const 4)))"
WHILE = "(br_if $out (i32.ge_u (local.get 0) (local.get 1)))"
PLANS = [
    ("", f"(i32.store (local.get 0) (local.get 1)) {STEP} (br_if $l (i32.lt_u (local.get 0) (local.get 1)))"),
    ("", f"{WHILE} (if (i32.load (local.get 0)) (then (i32.store8 (local.get 0) (i32.const 1)))) {STEP} (br $l)"),
    ("", f"{WHILE} (if (i32.load (local.get 0)) (then {STEP} (br $l))) (i32.store8 (local.get 0) (i32.const 1)) {STEP} (br $l)"),
    ("", f"(if (i32.lt_u (local.get 0) (local.get 1)) (then (i32.store (local.get 0) (i32.const 1)) {STEP} (br $l)))"),
    ("", f"{WHILE} (br_if $out (i32.eqz (i32.load (local.get 0)))) {STEP} (br $l)"),
    ("", f"{WHILE} (i32.store (local.get 2) (i32.const 1)) (local.set 2 (i32.add (local.get 2) (local.get 1))) {STEP} (br $l)"),
    ("", f"{WHILE} (i32.store (i32.add (global.get 0) (local.get 0)) (i32.const 1)) {STEP} (br $l)"),
    ("", f"{WHILE} (f64.store (local.get 0) (f64.const 1.5)) {STEP} (br $l)"),
    ("", f"{WHILE} (v128.store (local.get 0) (v128.const i64x2 1 2)) {STEP} (br $l)"),
    ("", f"{WHILE} (i32.store (i32.wrap_i64 (local.get 3)) (i32.const 1)) {LONG} {STEP} (br $l)"),
    ("", f"(br_if $out (i32.eqz (i32.load (local.get 0)))) {STEP} (br $l)"),
    ("", f"{STEP} (br_if $l (i32.load (local.get 0)))"),
    ("no counted exit", f"(br_if $out (i32.eqz (i32.load (local.get 1)))) {STEP} (br $l)"),
    ("no counted exit", f"(br_if $out (i32.eqz (i32.load (local.get 0)))) (i32.store (local.get 0) (i32.const 1)) {STEP} (br $l)"),
    ("no counted exit", "(br_if $out (i32.eqz (i32.load (local.get 0)))) (local.set 0 (i32.sub (local.get 0) (i32.const 4))) (br $l)"),
    ("no branch back", "(i32.store (local.get 0) (i32.const 1))"),
    ("no access", f"{WHILE} {STEP} (br $l)"),
    ("address", f"{WHILE} (i32.store (i32.load (local.get 0)) (i32.const 1)) {STEP} (br $l)"),
    ("stride", f"{WHILE} (i32.store (local.get 2) (i32.const 1)) (local.set 2 (i32.mul (local.get 2) (i32.const 3))) {STEP} (br $l)"),
    ("scattered addresses", f"{WHILE} (i32.store (i32.load8_u (local.get 0)) (i32.const 1)) {STEP} (br $l)"),
    (
        "exits that depend on data",
        f"{WHILE} (br_if $out (i32.eqz (i32.load (local.get 0)))) (i32.store (local.get 0) (i32.const 1)) {STEP} (br $l)",
    ),
]


@pytest.mark.parametrize(("reason", "body"), PLANS)
def test_which_loops_have_a_fast_copy(reason: str, body: str) -> None:
    check_plan(reason, "", body)


WIDE_PLANS = [
    ("", "(i64.extend_i32_u (local.get 0))"),
    ("", "(i64.extend_i32_s (i32.add (local.get 0) (i32.const 8)))"),
    ("", "(i64.add (local.get 3) (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 3)))"),
    ("", "(i64.extend_i32_u (local.get 2))"),
    ("", "(i64.extend_i32_u (i32.wrap_i64 (i64.extend_i32_u (local.get 0))))"),
    ("address", "(i64.extend_i32_u (i32.mul (local.get 0) (i32.load (i64.const 0))))"),
]


@pytest.mark.parametrize(("reason", "address"), WIDE_PLANS)
def test_counters_of_32_bits_in_memories_of_64(reason: str, address: str) -> None:
    check_plan(reason, "", f"{WHILE} (i32.store {address} (i32.const 1)) {STEP} (br $l)", "i64")


DOWN = "(local.tee 1 (i32.sub (local.get 1) (i32.const 1)))"
UP = "(local.tee 2 (i32.add (local.get 2) (i32.const 1)))"
REST = "(local.set 1 (i32.and (local.get 1) (i32.const 3)))"
REMAINDERS = [
    ("few iterations", REST, f"{STEP} (br_if $l {DOWN})"),
    ("few iterations", f"(local.set 2 (i32.const 0)) {REST}", f"{STEP} (br_if $l (i32.ne {UP} (local.get 1)))"),
    ("few iterations", "(br_if $out (i32.eqz (local.tee 1 (i32.and (local.get 1) (i32.const 3)))))", f"{STEP} (br_if $l {DOWN})"),
    ("", "(local.set 1 (i32.and (local.get 1) (i32.const 7)))", f"{STEP} (br_if $l {DOWN})"),
    ("", f"{REST} (local.set 1 (local.get 2))", f"{STEP} (br_if $l {DOWN})"),
    ("", "(local.set 2 (i32.const 0))", f"{STEP} (br_if $l (i32.ne {UP} (i32.const 1000)))"),
    ("", "(local.set 2 (i32.const 0))", f"{STEP} (br_if $l (i32.ne {UP} (local.get 1)))"),
]


@pytest.mark.parametrize(("reason", "before", "body"), REMAINDERS)
def test_what_remains_of_unrolled_loops_has_none(reason: str, before: str, body: str) -> None:
    check_plan(reason, before, f"(i32.store (local.get 0) (i32.const 1)) {body}")


def check_plan(reason: str, before: str, body: str, address: str = "") -> None:
    loop = f"(block $out {before} (loop $l {body}))"
    text = f"(module (memory {address} 1) (global (mut i32) (i32.const 0)) (func (param i32 i32 i32 i64) {loop}))"
    info = decode(bytes(wasmcore.wat2wasm(text)))
    target = host_target()
    unit = Unit(CompileUnit.made_for(target, plan(info, (not address,)), (), address_map=False), llvm_target(target.name), frozenset())
    module_text(unit, (StreamWriter(info).stream(0),))
    assert unit.loops == {reason: 1}


@pytest.mark.parametrize(
    "body",
    [
        "(drop (i32.load (local.get 0)))",
        "(drop (i32.load (local.get 0))) (local.set 0 (i32.add (local.get 0) (i32.const 1)))",
        "(block (local.set 0 (i32.shr_u (local.get 0) (i32.const 1))) (br_if 1 (local.get 0)) (drop (i32.load (local.get 0))) (br 2))",
        "(drop (i32.load (local.get 0))) (br_if 1 (local.get 0)) (unreachable)",
        "(if (local.get 0) (then (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br 1)) (else (drop (i32.load (local.get 0)))))",
        "(loop (drop (i32.load (local.get 0)))) (br_if 0 (local.tee 0 (i32.shr_u (local.get 0) (i32.const 1))))",
    ],
)
def test_other_shapes(body: str) -> None:
    binary = bytes(wasmtime.wat2wasm(f'(module (memory (export "memory") 1) (func (export "run") (param i32) (block (loop {body}))))'))
    for argument in (0, 9, 65532):
        expected = on_wasmtime(binary, [argument], bytes(PAGE))
        assert expected is not None and on_wasmcore(binary, [argument], bytes(PAGE)) == expected

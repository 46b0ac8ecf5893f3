"""Loops with a fast copy do exactly what wasmtime does: results, traps, and the memory after a trap."""

from __future__ import annotations

import random

import pytest
import wasmtime

import wasmcore

PAGE = 65536
ENGINE = wasmtime.Engine()
COMPARISONS = "lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u ne".split()
LOADS = "i32.load8_u i32.load8_s i32.load16_u i32.load".split()
STORES = "i32.store8 i32.store16 i32.store".split()
BATCH = 40


class Program:
    """A random module with one function `run` (five i32 parameters) around one loop."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.strides = [self.random.choice((-8, -4, -2, -1, 0, 1, 1, 2, 3, 4, 4, 4, 8, 12, 16, 64)) for _ in range(4)]
        body = "\n".join(self.statement() for _ in range(self.random.randint(1, 4)))
        if self.random.random() < 0.3:
            body = f"{body}\n(if (i32.and (local.get $s) (i32.const 1)) (then {self.statement()}))"
        steps = "\n".join(
            f"(local.set {n} (i32.add (local.get {n}) (i32.const {stride})))" for n, stride in enumerate(self.strides) if stride
        )
        self.text = f"""(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
            (func (export "run") (param i32 i32 i32 i32 i32) (result i32) (local $s i32)
              {self.loop(body, steps)}
              (i32.add (local.get $s) (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3))))))"""

    def loop(self, body: str, steps: str) -> str:
        """One of several shapes."""
        shape = self.random.randrange(4)
        test = self.condition()
        if shape == 0:
            return f"(block $out (loop $l (br_if $out (i32.eqz {test})) {body} {steps} (br $l)))"
        if shape == 1:
            return f"(block $out (loop $l {body} {steps} (br_if $out (i32.eqz {test})) (br $l)))"
        if shape == 2:
            return f"(block $out (loop $l {body} (br_if $out (i32.gt_u (local.get 1) (i32.const 65000))) {steps} (br_if $l {test})))"
        return f"(loop $l {body} {steps} (br_if $l {test}))"

    def condition(self) -> str:
        """Ends the loop some time, often."""
        moving = [n for n, stride in enumerate(self.strides) if stride] or [0]
        n = self.random.choice(moving)
        if self.random.random() < 0.2:
            return f"(local.get {n})"
        sides = [f"(local.get {n})", self.random.choice(("(local.get 4)", f"(i32.const {self.random.randint(-100, 70000)})"))]
        if self.random.random() < 0.2:
            sides.reverse()
        return f"(i32.{self.random.choice(COMPARISONS)} {' '.join(sides)})"

    def address(self) -> str:
        n = self.random.randrange(4)
        kind = self.random.randrange(4)
        if kind == 0:
            return f"(i32.add (local.get {n}) (i32.const {self.random.choice((-8, -1, 4, 100, 5000, 66000))}))"
        if kind == 1:
            return f"(i32.shl (local.get {n}) (i32.const {self.random.randint(0, 3)}))"
        if kind == 2:
            return f"(i32.add (local.get {n}) (local.get {self.random.randrange(4)}))"
        return f"(local.get {n})"

    def value(self) -> str:
        if self.random.random() < 0.5:
            return f"({self.random.choice(LOADS)} offset={self.random.choice((0, 0, 1, 4, 700))} {self.address()})"
        return self.random.choice(("(local.get $s)", "(local.get 0)", "(i32.const 12345)"))

    def statement(self) -> str:
        kind = self.random.randrange(5)
        if kind < 2:
            store = self.random.choice(STORES)
            return f"({store} offset={self.random.choice((0, 0, 2, 4, 600))} {self.address()} (i32.add {self.value()} {self.value()}))"
        if kind == 2:
            return "(global.set $g (local.get $s))"
        if kind == 3:
            return f"(local.set $s (i32.div_u {self.value()} (i32.or {self.value()} (i32.and (local.get 0) (i32.const 3)))))"
        return f"(local.set $s (i32.add (local.get $s) {self.value()}))"

    def arguments(self) -> list[int]:
        """Ends of the memory, the number 0, small numbers."""
        return [self.random.choice((0, 1, 7, 1000, 32768, 65000, 65520, 65535, 65536, -1, -64, -2000)) for _ in range(5)]


def outcome(run: object, memory: bytes | bytearray | memoryview) -> tuple[object, bytes]:
    return run, bytes(memory)


def on_wasmtime(binary: bytes, arguments: list[int], start: bytes) -> tuple[object, bytes] | None:
    """Result and memory; None if it does not end soon."""
    config = wasmtime.Config()
    config.consume_fuel = True
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


def check(seed: int, **engine: object) -> None:
    program = Program(seed)
    binary = bytes(wasmtime.wat2wasm(program.text))
    start = random.Random(seed).randbytes(PAGE)
    for _ in range(3):
        arguments = program.arguments()
        expected = on_wasmtime(binary, arguments, start)
        if expected is not None:
            got = on_wasmcore(binary, arguments, start, **engine)
            assert got[0] == expected[0], (seed, arguments, program.text)
            assert got[1] == expected[1], (seed, arguments, program.text)


@pytest.mark.parametrize("batch", range(4))
def test_same_as_wasmtime(batch: int) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        check(seed)


def test_same_as_wasmtime_with_checks() -> None:
    for seed in range(1000, 1000 + BATCH):
        check(seed, guard=False)


def test_same_as_wasmtime_without_signals() -> None:
    for seed in range(2000, 2000 + BATCH):
        check(seed, signals=False)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(100, 150))
def test_same_as_wasmtime_long(batch: int) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        check(seed)


@pytest.mark.parametrize(
    "body",
    [
        "(drop (i32.load (local.get 0)))",
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

"""Accesses at common bases do exactly what wasmtime does: results, traps, memory and globals after a trap."""

from __future__ import annotations

import random

import pytest
import wasmtime

import wasmcore

PAGE = 65536
ENGINE = wasmtime.Engine()
LOADS = "i32.load8_u i32.load8_s i32.load16_u i32.load i32.load".split()
STORES = "i32.store8 i32.store16 i32.store i32.store".split()
OFFSETS = (0, 0, 1, 2, 4, 8, 12, 16, 100, 65530)
ENDS = (0, 8, 1000, 65400, 65500, 65519, 65520, 65524, 65528, 65531, 65532, 65533, 65535, 65536, -1, -4, -16)
BATCH = 50


class Program:
    """A random module: accesses at a few locals with constants, branches, loops, calls; `run` has three i32 parameters."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.depth = 0
        self.loops = 0
        body = " ".join(self.statement() for _ in range(self.random.randint(4, 14)))
        self.text = f"""(module (memory (export "memory") 1)
            (global $g (export "g") (mut i32) (i32.const 0)) (global $h (export "h") (mut i32) (i32.const 0))
            (func $other (param i32) (result i32) (i32.store8 (local.get 0) (i32.const 77)) (i32.load8_u offset=3 (local.get 0)))
            (func (export "run") (param $a i32) (param $b i32) (param $c i32) (result i32)
              (local $s i32) (local $t i32) (local $k0 i32) (local $k1 i32) (local $k2 i32) (local $k3 i32)
              (local.set $t (local.get $a))
              {body}
              (i32.add (i32.mul (local.get $s) (i32.const 31)) (local.get $t))))"""

    def base(self) -> str:
        """An address: most often a local."""
        kind = self.random.randrange(12)
        if kind == 0:
            return f"(i32.const {self.random.choice(ENDS)})"
        if kind == 1:
            return f"(i32.add (local.get $a) (i32.const {self.random.choice((-4, 4, 8))}))"
        return f"(local.get ${self.random.choice('aaabbct')})"

    def load(self) -> str:
        return f"({self.random.choice(LOADS)} offset={self.random.choice(OFFSETS)} {self.base()})"

    def store(self) -> str:
        return f"({self.random.choice(STORES)} offset={self.random.choice(OFFSETS)} {self.base()} {self.value()})"

    def value(self) -> str:
        kind = self.random.randrange(6)
        if kind < 3:
            return self.load()
        if kind == 3:
            return f"(i32.add (local.get $s) {self.load()})"
        return self.random.choice(("(local.get $s)", "(local.get $t)", "(global.get $g)"))

    def assignment(self) -> str:
        """Of a local that addresses begin with."""
        local = self.random.choice("abct")
        new = self.random.choice(
            (
                "(local.get $a)",
                "(local.get $b)",
                f"(i32.add (local.get ${local}) (i32.const {self.random.choice((-8, -4, 1, 4, 64))}))",
                f"(i32.load16_u {self.base()})",
                f"(local.tee ${self.random.choice('abct')} (i32.add (local.get $b) (i32.const 4)))",
            )
        )
        return f"(local.set ${local} {new})"

    def block(self) -> str:
        return " ".join(self.statement() for _ in range(self.random.randint(1, 4)))

    def statement(self) -> str:
        kind = self.random.randrange(17 if self.depth < 3 else 11)
        if kind < 3:
            return self.store()
        if kind < 6:
            return f"(local.set $s (i32.add (local.get $s) {self.load()}))"
        if kind == 6:
            return f"(drop {self.load()})"
        if kind == 7:
            return f"(global.set ${self.random.choice('gh')} {self.value()})"
        if kind == 8:
            return self.assignment()
        if kind == 9:
            return f"(local.set $s (i32.xor (local.get $s) (call $other {self.base()})))"
        if kind == 10:
            return f"(if (i32.eq {self.value()} (i32.const 12345)) (then unreachable))"
        self.depth += 1
        text = self.nested(kind)
        self.depth -= 1
        return text

    def nested(self, kind: int) -> str:
        condition = f"(i32.and {self.value()} (i32.const {self.random.choice((1, 2, 4))}))"
        if kind < 13:
            other = f"(else {self.block()})" if self.random.random() < 0.6 else ""
            return f"(if {condition} (then {self.block()}) {other})"
        if kind == 13:
            return f"(block $x{self.depth} {self.block()} (br_if $x{self.depth} {condition}) {self.block()})"
        if kind == 14:
            return (
                f"(block $y{self.depth} (block $x{self.depth} {self.block()}"
                f" (br_table $x{self.depth} $y{self.depth} $x{self.depth} {condition})) {self.block()})"
            )
        counter = f"$k{self.depth}"
        step = f"(local.set {counter} (i32.add (local.get {counter}) (i32.const 1)))"
        again = f"(br_if $l{self.depth} (i32.lt_u (local.get {counter}) (i32.const {self.random.randint(2, 9)})))"
        return f"(local.set {counter} (i32.const 0)) (loop $l{self.depth} {self.block()} {step} {again})"

    def arguments(self) -> list[int]:
        return [self.random.choice(ENDS) for _ in range(3)]


Outcome = tuple[object, object, object, bytes]
"""The result or the kind of trap, two globals, the memory."""


def on_wasmtime(binary: bytes, arguments: list[int], start: bytes) -> Outcome:
    store = wasmtime.Store(ENGINE)
    exports = wasmtime.Instance(store, wasmtime.Module(ENGINE, binary), []).exports(store)
    memory, run, g, h = exports["memory"], exports["run"], exports["g"], exports["h"]
    assert isinstance(memory, wasmtime.Memory) and isinstance(run, wasmtime.Func)
    assert isinstance(g, wasmtime.Global) and isinstance(h, wasmtime.Global)
    memory.write(store, start)
    try:
        result: object = run(store, *arguments)
    except wasmtime.Trap as trap:
        result = "unreachable" if "unreachable" in str(trap) else "memory"
    return result, g.value(store), h.value(store), bytes(memory.read(store, 0, PAGE))


def on_wasmcore(module: wasmcore.Module, arguments: list[int], start: bytes) -> Outcome:
    exports = wasmcore.Instance(module).exports
    exports.memory.view()[:] = start
    try:
        result: object = exports.run(*arguments)
    except wasmcore.Trap as trap:
        result = "unreachable" if trap.kind == wasmcore.TrapKind.UNREACHABLE else "memory"
    return result, exports.g.value, exports.h.value, bytes(exports.memory.view())


def check(seed: int, level: str = "O2") -> None:
    program = Program(seed)
    binary = bytes(wasmtime.wat2wasm(program.text))
    options = {} if level == "O2" else {"level": level}
    module = wasmcore.Module(binary, engine=wasmcore.Engine("llvm", cache=False, options=options))
    start = random.Random(seed).randbytes(PAGE)
    for _ in range(6):
        arguments = program.arguments()
        assert on_wasmcore(module, arguments, start) == on_wasmtime(binary, arguments, start), (seed, arguments, program.text)


def test_same_as_wasmtime() -> None:
    for seed in range(BATCH):
        check(seed)


@pytest.mark.parametrize("level", ["O1", "O3"])
def test_same_as_wasmtime_at_other_levels(level: str) -> None:
    for seed in range(1000, 1000 + BATCH // 5):
        check(seed, level)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(100, 120))
def test_same_as_wasmtime_long(batch: int) -> None:
    for seed in range(batch * BATCH, batch * BATCH + BATCH):
        check(seed)

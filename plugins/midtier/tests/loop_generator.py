"""Random loops that do the same with many neighbours in memory; most become vectors. `python loop_generator.py NUMBER` prints one."""

from __future__ import annotations

import sys
from random import Random
from typing import Final, NamedTuple


class Lane(NamedTuple):
    """A type of numbers in memory."""

    type: str
    bytes: int
    load: str
    store: str
    unary: tuple[str, ...]
    binary: tuple[str, ...]


_BITS: Final = ("and", "or", "xor")
_FLOAT: Final = (("abs", "neg", "sqrt"), ("add", "sub", "mul", "div", "min", "max"))
LANES: Final = (
    Lane("i32", 4, "load", "store", (), ("add", "sub", "mul", *_BITS)),
    Lane("i64", 8, "load", "store", (), ("add", "sub", *_BITS)),
    Lane("f32", 4, "load", "store", *_FLOAT),
    Lane("f64", 8, "load", "store", *_FLOAT),
    Lane("i32", 1, "load8_u", "store8", (), ("add", "sub", *_BITS)),
    Lane("i32", 2, "load16_s", "store16", (), ("add", "sub", "mul", *_BITS)),
)
CONSTANTS: Final = {"i32": "-3", "i64": "0x123456789", "f32": "1.5", "f64": "-0.25"}


class Generator:
    """Makes the text of one function: `run` with two addresses, a number of turns, and a number of the type of its lanes."""

    def __init__(self, seed: int) -> None:
        self.random: Final = Random(seed)
        self.lane: Final = self.random.choice(LANES)
        self.unroll: Final = self.random.choice((1, 1, 1, 2, 3, 4))
        self.stride: Final = self.lane.bytes * self.unroll
        self.behind: Final = self.random.random() < 0.2
        self.moves: Final = self.random.random() < 0.5
        """Whether the addresses themselves are counted up."""
        self.in_place: Final = self.random.random() < 0.3
        self.bases: Final = {name: self.random.choice((0, 0, 0, 0, 0, 0, 40000, 40000, 0x80000000, 0xFFFFF000)) for name in ("to", "from")}
        """What instructions add to the addresses at least; that does not wrap around, as addresses do."""

    def text(self) -> str:
        """The module."""
        lane, step = self.lane, self.random.choice((1, 1, 2, 4))
        body = [self.store(number) for number in range(self.unroll)]
        if self.moves:
            body += [f"(local.set ${name} (i32.add (local.get ${name}) (i32.const {self.stride})))" for name in ("to", "from")]
        else:
            body.append(f"(local.set $i (i32.add (local.get $i) (i32.const {self.stride})))")
        begin, count, condition = self.counting(step)
        escaping = self.random.choice(("(local.get $i)", "(local.get $to)", "(local.get $k)", "(i32.const 7)", "(i32.const 7)"))
        signature = f"(param $to i32) (param $from i32) (param $n i32) (param $x {lane.type}) (result i32)"
        locals_ = f"(local $i i32) (local $k i32) (local $p {lane.type}) (local $q {lane.type})"
        return f"""(module (memory (export "memory") 1 2)
  (func (export "run") {signature} {locals_}
    {begin}
    (loop $l
      {f"{chr(10)}      ".join((*body, count))}
      (br_if $l {condition}))
    {escaping}))"""

    def counting(self, step: int) -> tuple[str, str, str]:
        """How turns are counted: before the loop, at the end of each, and whether there is another one."""
        up = f"(local.set $k (i32.add (local.get $k) (i32.const {step})))"
        down = f"(local.set $k (i32.sub (local.get $k) (i32.const {step})))"
        turns = f"(i32.mul (local.get $n) (i32.const {step}))"
        fixed = step * self.random.choice((3, 16, 31, 32, 33, 100))
        return self.random.choice(
            (
                (f"(local.set $k {turns})", down, "(local.get $k)"),
                ("", up, f"(i32.ne (local.get $k) {turns})"),
                ("", up, f"(i32.lt_u (local.get $k) {turns})"),
                ("", up, f"(i32.gt_s {turns} (local.get $k))"),
                (f"(local.set $k {turns})", down, "(i32.gt_s (local.get $k) (i32.const 0))"),
                ("", up, f"(i32.ne (local.get $k) (i32.const {fixed}))"),
                ("", up, f"(i32.lt_s (local.get $k) (i32.const {fixed + self.random.randrange(-1, 2)}))"),
                (f"(local.set $k {turns})", down, "(i32.eqz (i32.eqz (local.get $k)))"),
            )
        )

    def address(self, name: str, number: int, offset: int) -> str:
        """Where something is, and the offset of the instruction."""
        own = self.random.choice((0, offset)) if offset >= 0 else 0
        spelled = self.random.random() < 0.1
        more = number * self.lane.bytes + offset - own
        base = f"(local.get ${name})" if self.moves else f"(i32.add (local.get ${name}) (local.get $i))"
        return f"offset={own + self.bases[name]} " + (f"(i32.add {base} (i32.const {more}))" if more or spelled else base)

    def load(self, number: int) -> str:
        """One number from memory."""
        name = "to" if self.in_place and self.random.random() < 0.5 else "from"
        far = self.random.choice((0, 0, 0, 0, 1, 2, -1, 5, 300)) * self.lane.bytes
        return f"({self.lane.type}.{self.lane.load} {self.address(name, number, far)})"

    def tree(self, number: int, depth: int) -> str:
        """What is computed of one number. It is the same for all that were unrolled, but for loads."""
        lane, shape = self.lane, self.shapes.random()
        if depth == 0 or shape < 0.2:
            if shape < 0.04 and lane.type == "i32":
                return "(local.get $k)"
            leaf = self.shapes.choice(("load", "load", "load", "(local.get $x)", f"({lane.type}.const {CONSTANTS[lane.type]})"))
            return self.load(number) if leaf == "load" else leaf
        if shape < 0.3 and lane.unary:
            return f"({lane.type}.{self.shapes.choice(lane.unary)} {self.tree(number, depth - 1)})"
        if shape < 0.4 and lane.bytes >= 4 and lane.type in ("i32", "i64"):
            shift = f"{lane.type}.{self.shapes.choice(('shl', 'shr_s', 'shr_u'))}"
            return f"({shift} {self.tree(number, depth - 1)} ({lane.type}.const {self.shapes.randrange(8)}))"
        return f"({lane.type}.{self.shapes.choice(lane.binary)} {self.tree(number, depth - 1)} {self.tree(number, depth - 1)})"

    def store(self, number: int) -> str:
        """One number to memory."""
        if number == 0:
            self.shape_seed = self.random.random()
            self.load_seed = self.random.random()
        self.shapes = Random(self.shape_seed)
        self.random.seed(self.load_seed)
        value = self.tree(number, 3)
        if self.behind:
            value = f"({self.lane.type}.{self.lane.binary[0]} {value} (local.get $p))"
            value += f" (local.set $p (local.tee $q ({self.lane.type}.{self.lane.load} {self.address('from', number, 0)})))"
            return f"({self.lane.type}.{self.lane.store} {self.address('to', number, 0)} {value})"
        return f"({self.lane.type}.{self.lane.store} {self.address('to', number, 0)} {value})"


def text(seed: int) -> str:
    """A module by number."""
    return Generator(seed).text()


if __name__ == "__main__":
    print(text(int(sys.argv[1])))

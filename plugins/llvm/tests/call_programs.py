"""Random modules of many small functions that call each other, directly and through tables that never change or do."""

from __future__ import annotations

import random

TYPES = ("i32", "i32", "i32", "i64", "f64", "v128")
SIGNATURES = (
    ((), ()),
    (("i32",), ("i32",)),
    (("i32",), ("i32",)),
    (("i32", "i32"), ("i32",)),
    (("i32", "i64"), ("i64",)),
    (("i32",), ("i32", "i64")),
    (("f64", "i32"), ("f64",)),
    (("v128", "i32"), ("v128",)),
    (("i32",), ("i32", "f64", "v128", "i64", "i32", "i64", "f64")),
    (("i32",) * 12, ("i32",)),
    (("i64", "f64", "v128") * 5, ("i64",)),
)
TABLES = ((8, 0, True), (8, 0, False), (100, 30, True))
"""Elements, where functions begin, and whether nobody changes it."""
FUNCTIONS = 9
FUEL = 60


class Program:
    """A module that exports `run` (two i32 parameters, an i64 result), `memory` and `sum`."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.signatures = [self.random.randrange(len(SIGNATURES)) for _ in range(FUNCTIONS)]
        self.number = 0
        """Of the function that is being written."""
        self.locals: tuple[str, ...] = ()
        self.labels = 0
        self.loops = 0
        self.burns = False
        types = "\n".join(f"(type $t{n} (func {parts('param', p)} {parts('result', r)}))" for n, (p, r) in enumerate(SIGNATURES))
        functions = "\n".join(self.function(number) for number in range(FUNCTIONS))
        self.text = f"""(module $m {types}
          (import "host" "note" (func $note (param i32)))
          (memory (export "memory") 1) (global $sum (export "sum") (mut i64) (i64.const 0)) (global $fuel (mut i32) (i32.const 0))
          {self.tables()} {functions} {self.run()})"""

    def tables(self) -> str:
        """Their elements: functions, and nulls between."""
        fields = []
        for number, (size, first, fixed) in enumerate(TABLES):
            export = "" if fixed else f'(export "table{number}")'
            fields.append(f"(table $table{number} {export} {size} funcref)")
            for at in range(first, first + 7):
                if self.random.random() < 0.8:
                    fields.append(f"(elem (table $table{number}) (i32.const {at}) func $f{self.random.randrange(FUNCTIONS)})")
        return "\n".join(fields)

    def function(self, number: int) -> str:
        """A function; one that may call itself or later ones burns fuel."""
        params, results = SIGNATURES[self.signatures[number]]
        self.number, self.labels, self.loops = number, 0, 0
        self.burns = self.random.random() < 0.4
        added = tuple(self.random.choice(TYPES) for _ in range(self.random.randint(0, 2)))
        self.locals = (*params, *added)
        burn = "(global.set $fuel (i32.sub (global.get $fuel) (i32.const 1))) (if (i32.eqz (global.get $fuel)) (then (unreachable)))"
        body = " ".join(self.statement(2) for _ in range(self.random.randint(0, 3)))
        values = " ".join(self.value(each, 2) for each in results)
        counters = " ".join(["i32"] * self.loops)
        return f"""(func $f{number} (type $t{self.signatures[number]}) {parts("local", added)} (local {counters})
          {burn if self.burns else ""} {body} {values})"""

    def run(self) -> str:
        """The exported function: calls the last ones, and notes what they return."""
        self.number, self.labels, self.loops, self.burns = FUNCTIONS, 0, 0, False
        self.locals = ("i32", "i32", *TYPES)
        calls = " ".join(self.call(callee, 2) for callee in range(FUNCTIONS - 3, FUNCTIONS))
        more = " ".join(self.statement(3) for _ in range(2))
        return f"""(func (export "run") (param i32 i32) (result i64) (local {" ".join(TYPES)}) (local {" ".join(["i32"] * self.loops)})
          (global.set $fuel (i32.const {FUEL})) {calls} {more} (global.get $sum))"""

    # Statements

    def statement(self, depth: int) -> str:
        """Something without a result."""
        kind = self.random.randrange(11) if depth else self.random.randrange(4)
        if kind == 0:
            return f"(i32.store offset={self.random.choice((0, 4, 65000))} {self.address()} {self.value('i32', depth)})"
        if kind == 1:
            return f"(global.set $sum (i64.add (i64.mul (global.get $sum) (i64.const 31)) {self.value('i64', depth)}))"
        if kind == 2:
            return self.assignment(depth)
        if kind == 3:
            return f"(call $note {self.value('i32', 0)})"
        if kind == 4:
            return f"(if {self.value('i32', 1)} (then {self.statement(depth - 1)}) (else {self.statement(depth - 1)}))"
        if kind == 5:
            return f"(if (i32.eqz {self.value('i32', 1)}) (then {self.leave()}))"
        if kind == 6:
            self.labels += 1
            label = f"$b{self.labels}"
            return f"(block {label} {self.statement(depth - 1)} (br_if {label} {self.value('i32', 1)}) {self.statement(depth - 1)})"
        if kind == 7:
            return self.loop(depth)
        return self.random_call(depth)

    def leave(self) -> str:
        """A way out of the function."""
        if self.random.random() < 0.2 or self.number == FUNCTIONS:
            return "(unreachable)"
        results = SIGNATURES[self.signatures[self.number]][1]
        return f"(return {' '.join(self.value(each, 1) for each in results)})"

    def loop(self, depth: int) -> str:
        """A few times."""
        counter = len(self.locals) + self.loops
        self.loops += 1
        self.labels += 1
        label = f"$b{self.labels}"
        count = f"(local.tee {counter} (i32.add (local.get {counter}) (i32.const 1)))"
        return f"""(local.set {counter} (i32.const 0)) (loop {label} {self.statement(depth - 1)}
          (br_if {label} (i32.lt_u {count} (i32.const {self.random.randint(1, 4)}))))"""

    def assignment(self, depth: int) -> str:
        if not self.locals:
            return "(nop)"
        local = self.random.randrange(len(self.locals))
        return f"(local.set {local} {self.value(self.locals[local], depth)})"

    # Calls

    def callees(self) -> list[int]:
        """Functions that may be called: earlier ones, so that there is an end, or any where that costs fuel."""
        return list(range(FUNCTIONS if self.burns else self.number))

    def arguments(self, signature: int, depth: int) -> str:
        return " ".join(self.value(each, depth - 1) for each in SIGNATURES[signature][0])

    def call(self, callee: int, depth: int) -> str:
        """A call whose results are noted or dropped."""
        signature = self.signatures[callee]
        return self.noted(signature, f"(call $f{callee} {self.arguments(signature, depth)})")

    def noted(self, signature: int, call: str) -> str:
        notes = {
            "i32": "(call $note)",
            "i64": "(global.set $sum (i64.add (global.get $sum)))",
            "f64": "(call $note (i32.trunc_sat_f64_s))",
            "v128": "(call $note (i8x16.bitmask))",
        }
        plain = {"i64": "(call $note (i32.wrap_i64))", **{key: notes[key] for key in ("i32", "f64", "v128")}}
        return call + " ".join(plain[each] for each in reversed(SIGNATURES[signature][1]))

    def random_call(self, depth: int) -> str:
        callees = self.callees()
        if not callees:
            return "(nop)"
        if self.burns and self.random.random() < 0.6:
            return self.noted(*self.indirect(self.random.choice(callees), depth))
        return self.call(self.random.choice(callees), depth)

    def indirect(self, callee: int, depth: int) -> tuple[int, str]:
        """Signature and text of a call through a table."""
        signature = self.signatures[callee]
        table = self.random.randrange(len(TABLES))
        some = f"(i32.and {self.value('i32', depth - 1)} (i32.const {self.random.choice((7, 7, 15))}))"
        index = f"(i32.add (i32.const {TABLES[table][1]}) {some})"
        return signature, f"(call_indirect $table{table} (type $t{signature}) {self.arguments(signature, depth)} {index})"

    # Values

    def address(self) -> str:
        return f"(i32.and {self.value('i32', 1)} (i32.const {self.random.choice((1020, 1020, 66000))}))"

    def value(self, value_type: str, depth: int) -> str:
        """An expression."""
        locals_ = [number for number, each in enumerate(self.locals) if each == value_type]
        if depth <= 0 or self.random.random() < 0.3:
            if locals_ and self.random.random() < 0.8:
                return f"(local.get {self.random.choice(locals_)})"
            number = self.random.choice((0, 1, 2, 5, 8, 100, -1))
            return f"(v128.const i32x4 {number} 1 2 3)" if value_type == "v128" else f"({value_type}.const {number})"
        matching = [n for n in self.callees() if SIGNATURES[self.signatures[n]][1] == (value_type,)]
        if matching and self.random.random() < 0.5:
            callee = self.random.choice(matching)
            if self.burns and self.random.random() < 0.5:
                return self.indirect(callee, depth)[1]
            return f"(call $f{callee} {self.arguments(self.signatures[callee], depth)})"
        x = self.value(value_type, depth - 1)
        y = self.value(value_type, depth - 1)
        if value_type == "i32":
            text = self.random.choice(("i32.add {0} {1}", "i32.xor {0} {1}", "i32.div_s {0} {1}", "i32.lt_s {0} {1}", "i32.load {2}"))
        elif value_type == "i64":
            text = self.random.choice(("i64.add {0} {1}", "i64.mul {0} {1}", "i64.rem_u {0} {1}", "i64.extend_i32_s {3}"))
        elif value_type == "f64":
            text = self.random.choice(("f64.add {0} {1}", "f64.mul {0} {1}", "f64.convert_i32_s {3}"))
        else:
            text = self.random.choice(("i32x4.add {0} {1}", "v128.xor {0} {1}", "i32x4.splat {3}"))
        return f"({text.format(x, y, self.address(), self.value('i32', depth - 1))})"


def parts(word: str, types: tuple[str, ...]) -> str:
    """`(param …)` and the like."""
    return f"({word} {' '.join(types)})" if types else ""

"""Writes C programs without undefined or unspecified behaviour, and whose floating-point operations are exact in IEEE 754.

A program is one function `uint64_t NAME_run(uint32_t seed)`: it computes with integers of all widths, floats, arrays, structs, pointers
and function pointers, and returns a hash of all it has computed. Arithmetic is unsigned, fuel ends loops and recursion, and calls are
statements of their own, since operands are evaluated in any order.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Type(NamedTuple):
    """A type of C."""

    name: str
    bits: int
    signed: bool = False
    floating: bool = False

    @property
    def wide(self) -> str:
        """The unsigned type that is computed with."""
        return "uint32_t" if self.bits <= 32 else "uint64_t"


INTEGERS = [Type(f"{'' if signed else 'u'}int{bits}_t", bits, signed) for bits in (8, 16, 32, 64) for signed in (False, True)]
FLOATS = [Type("float", 32, True, True), Type("double", 64, True, True)]
TYPES = [*INTEGERS, *FLOATS]
U32, U64, DOUBLE = INTEGERS[4], INTEGERS[6], FLOATS[1]
ARRAY = 16
STRUCTS = 4
HANDLERS = 4
FUEL = 20000
_EDGES = (
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    63,
    100,
    127,
    128,
    255,
    32767,
    32768,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
_FLOAT_EDGES = ("0.0", "-0.0", "1.0", "-1.5", "0.1", "3e9", "-7e-3", "1e18", "1e-30", "16777217.0", "2147483648.0", "9007199254740993.0")
_FLOAT_FUNCTIONS = ("sqrt", "floor", "ceil", "trunc", "fabs")


def _helpers() -> str:
    """What a program computes with, for each type."""
    lines = []
    for t in INTEGERS:
        u, lowest = f"({t.wide})", f"b == -1 ? ({t.name})(0 - ({t.wide})a) : " if t.signed else ""
        rest = "b == -1 ? 0 : " if t.signed else ""
        lines.append(f"static {t.name} div_{t.name}({t.name} a, {t.name} b) {{ return b == 0 ? a : {lowest}({t.name})(a / b); }}")
        lines.append(f"static {t.name} rem_{t.name}({t.name} a, {t.name} b) {{ return b == 0 ? a : {rest}({t.name})(a % b); }}")
        low = f"-{1 << (t.bits - 1)}.0" if t.signed else "0.0"
        high = f"{1 << (t.bits - t.signed)}.0"
        lines.append(f"static {t.name} from_{t.name}(double x) {{ return x >= {low} && x < {high} ? ({t.name})x : ({t.name}){u}7; }}")
    return "\n".join(lines)


PRELUDE = (
    """typedef unsigned char uint8_t; typedef signed char int8_t; typedef unsigned short uint16_t; typedef short int16_t;
typedef unsigned int uint32_t; typedef int int32_t; typedef unsigned long long uint64_t; typedef long long int64_t;
#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(name)))
#else
#define EXPORT(name)
#endif
static uint64_t hash; static int32_t fuel, depth;
static void mix(uint64_t x) { hash = (hash ^ x) * 0x100000001b3ull; hash ^= hash >> 29; }
static void mix_double(double x) { uint64_t bits; __builtin_memcpy(&bits, &x, 8); mix(x != x ? 0x7ff8ull << 48 : bits); }
"""
    + _helpers()
    + "\n"
)


class Program:
    """One program."""

    def __init__(self, random: Random, name: str) -> None:
        self.random = random
        self.name = name
        self.fields = [(f"f{number}", random.choice(TYPES)) for number in range(random.randint(3, 7))]
        self.functions: list[tuple[str, list[Type], Type]] = []
        self.locals: list[tuple[str, Type]] = []
        self.counters: list[str] = []
        self.fresh = 0

    # Expressions

    def constant(self, t: Type) -> str:
        """A constant."""
        if t.floating:
            return f"({t.name}){self.random.choice(_FLOAT_EDGES)}"
        value = self.random.choice(_EDGES) if self.random.random() < 0.6 else self.random.getrandbits(t.bits)
        return f"({t.name}){value % (1 << t.bits)}ull"

    def index(self, size: int) -> str:
        """An index below a power of 2."""
        numbers = [name for name, t in self.locals if not t.floating]
        if self.counters and self.random.random() < 0.6:
            return f"({self.random.choice(self.counters)} & {size - 1})"
        if numbers and self.random.random() < 0.7:
            return f"((uint32_t){self.random.choice(numbers)} & {size - 1})"
        element = f"{self.name}_{self.random.choice(INTEGERS).name}[{self.random.randrange(ARRAY)}]"
        return f"((uint32_t){element} & {size - 1})" if self.random.random() < 0.6 else str(self.random.randrange(size))

    def place(self, t: Type) -> str:
        """Something of the type that can be read and written."""
        fitting = [name for name, found in self.locals if found == t]
        fields = [name for name, found in self.fields if found == t]
        chance = self.random.random()
        if fitting and chance < 0.5:
            return self.random.choice(fitting)
        if fields and chance < 0.7:
            way = self.random.choice((f"{self.name}_s[{self.index(STRUCTS)}].", f"{self.name}_q[{self.index(STRUCTS)}]->"))
            return way + self.random.choice(fields)
        if chance < 0.85:
            return f"{self.name}_{t.name}[{self.index(ARRAY)}]"
        return f"*({self.name}_p_{t.name} + {self.index(ARRAY)})"

    def converted(self, t: Type, depth: int) -> str:
        """A value of another type as this one."""
        other = self.random.choice(TYPES)
        x = self.expression(other, depth)
        return f"from_{t.name}({x})" if other.floating and not t.floating else f"({t.name})({x})"

    def expression(self, t: Type, depth: int) -> str:
        """A value of the type, without side effects."""
        chance = self.random.random()
        if depth <= 0 or chance < 0.12:
            return self.place(t) if self.random.random() < 0.7 else self.constant(t)
        if chance < 0.3:
            return self.converted(t, depth - 1)
        a, b = self.expression(t, depth - 1), self.expression(t, depth - 1)
        if chance < 0.4:
            return f"({self.condition(depth - 1)} ? {a} : {b})"
        if t.floating:
            if chance < 0.5:
                suffix = "f" if t.bits == 32 else ""
                return f"__builtin_{self.random.choice(_FLOAT_FUNCTIONS)}{suffix}({a})"
            return f"({t.name})({a} {self.random.choice('+-*/')} {b})" if chance < 0.95 else f"(-{a})"
        return self.arithmetic(t, a, b, chance)

    def arithmetic(self, t: Type, a: str, b: str, chance: float) -> str:
        """An operation on integers."""
        if chance < 0.5:
            return f"{self.random.choice(('div', 'rem'))}_{t.name}({a}, {b})"
        if chance < 0.6:
            return f"({t.name})(({t.wide})({a}) << (({t.wide})({b}) & {t.bits - 1}))"
        if chance < 0.68:
            return f"({t.name})(({a}) >> (({t.wide})({b}) & {t.bits - 1}))"
        if chance < 0.74 and t.bits >= 32:
            suffix = "ll" if t.bits == 64 else ""
            name = self.random.choice(("popcount", "clz", "ctz"))
            return f"({t.name})({a} == 0 ? {t.bits} : __builtin_{name}{suffix}(({t.wide}){a}))"
        if chance < 0.78:
            return f"({t.name})(~({t.wide})({a}))"
        return f"({t.name})(({t.wide})({a}) {self.random.choice('+-*&|^')} ({t.wide})({b}))"

    def condition(self, depth: int) -> str:
        """Something that is 0 or 1."""
        t = self.random.choice(TYPES)
        compared = (
            f"({self.expression(t, depth - 1)} {self.random.choice(('<', '<=', '>', '>=', '==', '!='))} {self.expression(t, depth - 1)})"
        )
        if depth > 1 and self.random.random() < 0.3:
            return f"({compared} {self.random.choice(('&&', '||'))} {self.condition(depth - 1)})"
        return compared

    # Statements

    def assignment(self) -> str:
        """Something is changed."""
        t = self.random.choice(TYPES)
        return f"{self.place(t)} = {self.expression(t, 3)};"

    def call(self) -> str:
        """A call of a function that stands before, or of a handler."""
        if not self.functions or self.random.random() < 0.3:
            arguments = f"{self.expression(U32, 2)}, {self.expression(DOUBLE, 2)}"
            return f"mix({self.name}_table[{self.index(HANDLERS)}]({arguments}));"
        name, params, result = self.random.choice(self.functions)
        arguments = ", ".join(self.expression(t, 2) for t in params)
        return f"{{ {result.name} r = {name}({arguments}); {self.place(result)} = r; }}"

    def loop(self, depth: int) -> str:
        """A loop that ends; some do the same with each element of arrays."""
        self.fresh += 1
        counter = f"i{self.fresh}"
        self.counters.append(counter)
        if self.random.random() < 0.4:
            t = self.random.choice(TYPES)
            body = f"{self.name}_{t.name}[{counter} & {ARRAY - 1}] = {self.expression(t, 2)};"
        else:
            body = self.statements(depth - 1, self.random.randint(1, 3))
        self.counters.remove(counter)
        count, step = self.random.randint(1, 40), self.random.choice((1, 1, 2, 3))
        exit_ = f"if {self.condition(1)} break;" if self.random.random() < 0.2 else ""
        return f"for (uint32_t {counter} = 0; {counter} < {count} && --fuel > 0; {counter} += {step}) {{ {body} {exit_} }}"

    def switch(self, depth: int) -> str:
        """A switch, with cases that fall through."""
        cases = [
            f"case {number}: {self.statements(depth - 1, 1)} {'break;' if self.random.random() < 0.7 else '/* fall through */'}"
            for number in range(self.random.randint(2, 7))
        ]
        return f"switch ({self.index(8)}) {{ {' '.join(cases)} default: {self.assignment()} }}"

    def statement(self, depth: int) -> str:
        """Any statement."""
        chance = self.random.random()
        if depth <= 0 or chance < 0.45:
            return self.assignment()
        if chance < 0.6:
            return self.call()
        if chance < 0.72:
            other = f" else {{ {self.statements(depth - 1, 1)} }}" if self.random.random() < 0.5 else ""
            return f"if {self.condition(2)} {{ {self.statements(depth - 1, 2)} }}{other}"
        if chance < 0.8:
            return self.switch(depth)
        if chance < 0.84:
            return f"{self.name}_s[{self.index(STRUCTS)}] = *{self.name}_q[{self.index(STRUCTS)}];"
        if chance < 0.88:
            return f"{self.name}_q[{self.index(STRUCTS)}] = &{self.name}_s[{self.index(STRUCTS)}];"
        return self.loop(depth)

    def statements(self, depth: int, count: int) -> str:
        """Some of them."""
        return " ".join(self.statement(depth) for _ in range(count))

    # Functions

    def function(self, name: str, params: list[Type], result: Type, inlined: str) -> str:
        """A function of its own locals; a handler may call handlers, so fuel and depth end that."""
        self.locals = [(f"a{number}", t) for number, t in enumerate(params)]
        declared = []
        for number in range(self.random.randint(2, 6)):
            t = self.random.choice(TYPES)
            declared.append(f"{t.name} v{number} = {self.expression(t, 2)};")
            self.locals.append((f"v{number}", t))
        text = ", ".join(f"{t.name} a{number}" for number, t in enumerate(params))
        body = self.statements(3, self.random.randint(3, 7))
        value = self.expression(result, 3)
        start = f"if (--fuel <= 0 || depth > 12) return ({result.name})1; depth++;"
        return f"static {inlined}{result.name} {name}({text}) {{ {start}\n  {' '.join(declared)}\n  {body}\n  depth--; return {value}; }}"

    def text(self) -> str:
        """All of it."""
        name = self.name
        lines = [f"typedef struct {{ {' '.join(f'{t.name} {field};' for field, t in self.fields)} }} {name}_t;"]
        lines.append(f"static {name}_t {name}_s[{STRUCTS}], *{name}_q[{STRUCTS}];")
        for t in TYPES:
            lines.append(f"static {t.name} {name}_{t.name}[{ARRAY * 2}], *{name}_p_{t.name};")
        lines.append(f"static uint64_t (*{name}_table[{HANDLERS}])(uint32_t, double);")
        for number in range(self.random.randint(3, 6)):
            params = [self.random.choice(TYPES) for _ in range(self.random.randint(0, 7))]
            result = self.random.choice(TYPES)
            inlined = "" if self.random.random() < 0.5 else "__attribute__((noinline)) "
            lines.append(self.function(f"{name}_f{number}", params, result, inlined))
            self.functions.append((f"{name}_f{number}", params, result))
        lines += [self.function(f"{name}_h{number}", [U32, DOUBLE], U64, "") for number in range(HANDLERS)]
        self.locals = [("seed", U32)]
        lines.append(f'EXPORT("{name}_run") uint64_t {name}_run(uint32_t seed) {{ hash = seed; fuel = {FUEL}; depth = 0;')
        for t in TYPES:
            value = (
                f"({t.name})((i + 1) * (seed | 1) * 2654435761u)"
                if not t.floating
                else f"({t.name})(int32_t)((i * 77u + seed) % 1999u) / 8"
            )
            lines.append(f"  for (uint32_t i = 0; i < {ARRAY * 2}; i++) {name}_{t.name}[i] = {value};")
            lines.append(f"  {name}_p_{t.name} = {name}_{t.name} + (seed & {ARRAY - 1});")
        fields = " ".join(f"{name}_s[i].{field} = {name}_{t.name}[i + {number}];" for number, (field, t) in enumerate(self.fields))
        lines.append(f"  for (uint32_t i = 0; i < {STRUCTS}; i++) {{ {fields} {name}_q[i] = &{name}_s[i ^ 1]; }}")
        lines += [f"  {name}_table[{number}] = {name}_h{self.random.randrange(HANDLERS)};" for number in range(HANDLERS)]
        lines.append("  " + self.statements(3, 8) + " " + self.call() + " " + self.call())
        for t in TYPES:
            lines.append(f"  for (uint32_t i = 0; i < {ARRAY * 2}; i++) {mixed(t, f'{name}_{t.name}[i]')}")
        fields = " ".join(mixed(t, f"{name}_s[i].{field}") for field, t in self.fields)
        lines.append(f"  for (uint32_t i = 0; i < {STRUCTS}; i++) {{ {fields} mix({name}_q[i] - {name}_s); }}")
        lines.append("  return hash; }")
        return "\n".join(lines)


def mixed(t: Type, value: str) -> str:
    """The statement that adds a value to the hash."""
    return f"mix_double({value});" if t.floating else f"mix((uint64_t){value});"


def programs(seed: int, count: int) -> str:
    """The source of some programs, `p0_run` and so on."""
    random = Random(seed)
    return PRELUDE + "\n".join(Program(random, f"p{number}").text() for number in range(count)) + "\n"

"""Random programs: valid modules that always end, with the calls to make of them.

A global holds fuel: each entry of a function and each turn of a loop takes a unit, and without fuel a function returns zeros and a loop
ends. The bits of a NaN never get where a comparison of results, memory or control flow would see them, since the specification leaves
them open: floats are made canonical where their bits could escape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

from . import memories, vectors
from .module_builder import (
    END,
    EXTERNREF,
    F32,
    F64,
    FUNCREF,
    FUNCTION,
    I32,
    I64,
    MEMORY,
    V128,
    FunctionType,
    ModuleBuilder,
    signed,
    unsigned,
)
from .operators import DIVISIONS, EQUAL, OPERATORS, OR, REINTERPRETATIONS, SIGN_COPIES, TRUNCATIONS, WIDE_OPERATORS, Operator
from .tree import Node
from .values import constant, random_value

NUMBERS = (I32, I64, F32, F64)
FUEL = 400
TABLE_SIZE = 12
PASSIVE_DATA = 64
DROP, SELECT, RETURN, UNREACHABLE = b"\x1a", b"\x1b", b"\x0f", b"\x00"
NO_VALUE = b"\x40"
BLOCK, LOOP, IF, ELSE, BR, BR_IF, BR_TABLE = b"\x02", b"\x03", b"\x04", b"\x05", b"\x0c", b"\x0d", b"\x0e"

FUEL_GLOBAL = 0
HOST_LOG: FunctionType = ((I32, I64, F32, F64), (I32,))
"""Type of the imported function; it logs its arguments."""
VECTOR_HALVES = b"\xfd\x1d"


@dataclass(frozen=True)
class Call:
    """A call to make: an exported function with arguments."""

    name: str
    arguments: tuple[int | float, ...]
    results: tuple[int, ...]


@dataclass
class Function:
    """A function of a program before it is written."""

    signature: FunctionType
    locals: list[int] = field(default_factory=list)
    body: Node = field(default_factory=lambda: Node((), []))


@dataclass
class Program:
    """A module in the making, and the calls to make of it."""

    functions: list[Function]
    globals: list[tuple[int, bool, int | float]]
    calls: list[Call]
    table: list[int]
    """Function indices that go into table 0 from its second element on."""
    data: bytes
    start: bool
    memories: list[memories.MemoryKind] = field(default_factory=lambda: [memories.FIRST_MEMORY])
    kinds: tuple[int, ...] = NUMBERS
    """Types of its numbers, and of vectors where it has them."""
    proposals: bool = False
    """Whether it may use what is no part of WebAssembly 3.0."""
    types: list[FunctionType] = field(default_factory=list)
    """The type section so far."""

    def type_index(self, signature: FunctionType) -> int:
        """The index of a function type, which is added where it is new."""
        if signature not in self.types:
            self.types.append(signature)
        return self.types.index(signature)

    def observers(self) -> list[Call]:
        """Calls that show the state that is left: globals and tables."""
        calls = [Call(f"global_{index}", (), in_numbers(value_type)) for index, (value_type, _, _) in enumerate(self.globals)]
        calls += [Call("size_0", (), (I32,)), Call("size_1", (), (I32,))]
        return calls + [Call(f"null_{table}", (index,), (I32,)) for table in (0, 1) for index in range(TABLE_SIZE)]

    def to_bytes(self) -> bytes:
        """The module, with exports to call and to look at everything."""
        builder = ModuleBuilder(types=list(self.types))
        builder.import_function("host", "log", HOST_LOG)
        for index, function in enumerate(self.functions):
            number = builder.function(function.signature, function.locals, function.body.to_bytes())
            if V128 not in function.signature[0] + function.signature[1]:
                builder.export(f"function_{index}", FUNCTION, number)
        for index, (value_type, mutable, initial) in enumerate(self.globals):
            builder.global_(value_type, mutable, constant(value_type, initial))
            get = b"\x23" + unsigned(index)
            if value_type == V128:
                get = get + VECTOR_HALVES + b"\x00" + get + VECTOR_HALVES + b"\x01"
            builder.export(f"global_{index}", FUNCTION, builder.function(((), in_numbers(value_type)), (), get))
        for table, element in enumerate((FUNCREF, EXTERNREF)):
            builder.table(element, TABLE_SIZE, 20)
            is_null = b"\x20\x00\x25" + unsigned(table) + b"\xd1"
            builder.export(f"null_{table}", FUNCTION, builder.function(((I32,), (I32,)), (), is_null))
            builder.export(f"size_{table}", FUNCTION, builder.function(((), (I32,)), (), b"\xfc\x10" + unsigned(table)))
        refuel = constant(I32, FUEL) + b"\x24" + unsigned(FUEL_GLOBAL)
        builder.export("refuel", FUNCTION, builder.function(((), ()), (), refuel))
        for number, memory in enumerate(self.memories):
            builder.memory(memory.minimum, memory.maximum, index64=memory.index64, page_size_log2=memory.page_size_log2)
            builder.export(f"memory_{number}", MEMORY, number)
            builder.active_data(number, self.data, number, index64=memory.index64)
        builder.active_elements(1, self.table)
        builder.passive_elements([index + 1 for index in range(len(self.functions))])
        builder.passive_data(self.data[:PASSIVE_DATA])
        if self.start:
            builder.start = builder.function(((), ()), (), self._start_code())
        return builder.to_bytes()

    def _start_code(self) -> bytes:
        signature = self.functions[0].signature
        return b"".join(constant(t, 1) for t in signature[0]) + b"\x10\x01" + DROP * len(signature[1])


def in_numbers(value_type: int) -> tuple[int, ...]:
    """What shows a value of a type: itself, or the halves of a vector."""
    return (I64, I64) if value_type == V128 else (value_type,)


@dataclass(frozen=True)
class Label:
    """A branch target: the types a branch takes, and whether it goes back."""

    types: tuple[int, ...]
    is_loop: bool


class FunctionGenerator:
    """Writes the body of one function as a tree of nodes that each push the values they say."""

    def __init__(self, random: Random, program: Program, index: int, size: int) -> None:
        self.random = random
        self.program = program
        self.function = program.functions[index]
        self.types = list(self.function.signature[0])
        self.labels: list[Label] = []
        self.budget = size

    def generate(self) -> None:
        """Fill in the function's locals and body."""
        parameters, results = self.function.signature
        for _ in range(self.random.randrange(8)):
            self.types.append(self.random.choice((*self.program.kinds, I32, I64, FUNCREF, EXTERNREF)))
        self.labels = [Label(results, False)]
        default = b"".join(constant(t) for t in results)
        guard = Node((), [self.take_fuel(), b"\x45\x04\x40", default, RETURN, END], fixed=True)
        statements = [self.statement(4) for _ in range(self.random.randint(1, 5))]
        ending = [self.tail_call()] if self.chance(0.2) else []
        self.function.body = Node(results, [guard, *statements, *ending, self.values(results, 5)])
        self.function.locals = self.types[len(parameters) :]

    # Helpers

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def scratch(self, value_type: int) -> bytes:
        """The encoded index of a new local."""
        self.types.append(value_type)
        return unsigned(len(self.types) - 1)

    def local_of(self, value_type: int) -> bytes | None:
        """The encoded index of some local of a type."""
        candidates = [index for index, t in enumerate(self.types) if t == value_type]
        return unsigned(self.random.choice(candidates)) if candidates else None

    def global_of(self, value_type: int, *, mutable: bool) -> bytes | None:
        """The encoded index of some global of a type, never the fuel."""
        found = [i for i, (t, m, _) in enumerate(self.program.globals) if i != FUEL_GLOBAL and t == value_type and (m or not mutable)]
        return unsigned(self.random.choice(found)) if found else None

    def take_fuel(self) -> Node:
        """Pushes 1 while there is fuel, else 0."""
        fuel = unsigned(FUEL_GLOBAL)
        return Node((I32,), [b"\x23", fuel, b"\x41\x01\x6b\x24", fuel, b"\x23", fuel, b"\x41\x00\x4a"], fixed=True)

    def block_type(self, parameters: tuple[int, ...], results: tuple[int, ...]) -> bytes:
        """An encoded block type: nothing, one result, or a function type of the module."""
        if not parameters and not results:
            return NO_VALUE
        if not parameters and len(results) == 1:
            return bytes([results[0]])
        return signed(self.program.type_index((parameters, results)))

    # Values

    def values(self, types: Sequence[int], depth: int) -> Node:
        """Pushes several values: one after the other, or as results of one block or call."""
        types = tuple(types)
        if len(types) > 1 and self.budget > 0 and depth > 0 and self.chance(0.5):
            maker = self.random.choice((self.call_with_results, self.block_with_results, self.wide_operator))
            node = maker(types, depth - 1)
            if node is not None:
                return node
        return Node(types, [self.value(t, depth) for t in types])

    def value(self, value_type: int, depth: int) -> Node:
        """Pushes one value."""
        self.budget -= 1
        if depth <= 0 or self.budget <= 0:
            return self.leaf(value_type)
        return VALUES[value_type].pick(self.random)(self, value_type, depth - 1) or self.leaf(value_type)

    def leaf(self, value_type: int) -> Node:
        """A constant, a local or a global."""
        local = self.local_of(value_type)
        if local is not None and self.chance(0.6):
            return Node((value_type,), [b"\x20", local])
        index = self.global_of(value_type, mutable=False) if self.chance(0.3) else None
        if index is not None:
            return Node((value_type,), [b"\x23", index])
        if value_type == FUNCREF and self.chance(0.7):
            return Node((FUNCREF,), [b"\xd2", unsigned(1 + self.random.randrange(len(self.program.functions)))])
        value = random_value(self.random, value_type) if value_type in NUMBERS or value_type == V128 else 0
        return Node((value_type,), [constant(value_type, value)])

    def operator(self, value_type: int, depth: int) -> Node:
        chosen = self.random.choice(OPERATORS_OF[value_type])
        return Node((value_type,), [*(self.value(t, depth) for t in chosen.operands), chosen.code])

    def wide_operator(self, types: tuple[int, ...], depth: int) -> Node | None:
        """Arithmetic of 128 bits, where the program has it."""
        if types != (I64, I64) or not self.program.proposals:
            return None
        code, operands = self.random.choice(WIDE_OPERATORS)
        return Node(types, [self.values((I64,) * operands, depth), code])

    def half(self, _value_type: int, depth: int) -> Node | None:
        """One of two halves."""
        both = self.wide_operator((I64, I64), depth)
        if both is None or self.chance(0.5):
            return Node((I64,), [both, DROP]) if both else None
        kept = self.scratch(I64)
        return Node((I64,), [both, b"\x21", kept, DROP, b"\x20", kept], fixed=True)

    def of_vector(self, value_type: int, depth: int) -> Node:
        """A number that is made from a vector, where the program has vectors."""
        if V128 not in self.program.kinds:
            return self.operator(value_type, depth)
        return vectors.test(self, I32, depth) if value_type == I32 and self.chance(0.4) else vectors.extract(self, value_type, depth)

    def partial_operator(self, value_type: int, depth: int) -> Node | None:
        """A division or a conversion that may trap; most divisors are odd."""
        if value_type in (F32, F64):
            return self.operator(value_type, depth)
        if self.chance(0.8):
            chosen = self.random.choice([operator for operator in DIVISIONS if operator.result == value_type])
            divisor = self.value(value_type, depth)
            safe = [] if self.chance(0.1) else [constant(value_type, 1), OR[value_type]]
            return Node((value_type,), [self.value(value_type, depth), divisor, *safe, chosen.code])
        chosen = self.random.choice([operator for operator in TRUNCATIONS if operator.result == value_type])
        return Node((value_type,), [self.value(chosen.operands[0], depth), chosen.code])

    def canonical(self, value_type: int, depth: int) -> Node:
        """A float whose NaN, if it is one, is the canonical one."""
        value = self.value(value_type, depth)
        if value_type not in (F32, F64):
            return value
        kept = self.scratch(value_type)
        nan = constant(value_type, math.nan)
        return Node((value_type,), [value, b"\x22", kept, nan, b"\x20", kept, b"\x20", kept, EQUAL[value_type], SELECT], fixed=True)

    def exact(self, value_type: int, depth: int) -> Node:
        """A float whose bits are known: loaded, constant or canonical."""
        if value_type in (F32, F64) and self.chance(0.5):
            return memories.load(self, value_type, depth) if self.chance(0.7) else Node((value_type,), [constant(value_type, -0.0)])
        return self.canonical(value_type, depth)

    def bits(self, value_type: int, depth: int) -> Node | None:
        """An operator that shows the bits of a float."""
        chosen = self.random.choice([o for o in (*REINTERPRETATIONS, *SIGN_COPIES) if o.result == value_type])
        return Node((value_type,), [*(self.exact(t, depth) for t in chosen.operands), chosen.code])

    def select(self, value_type: int, depth: int) -> Node:
        operands = [self.value(value_type, depth), self.value(value_type, depth), self.value(I32, depth)]
        typed = value_type in (FUNCREF, EXTERNREF) or self.chance(0.2)
        return Node((value_type,), [*operands, b"\x1c\x01" + bytes([value_type]) if typed else SELECT])

    def tee(self, value_type: int, depth: int) -> Node | None:
        local = self.local_of(value_type)
        return None if local is None else Node((value_type,), [self.value(value_type, depth), b"\x22", local])

    def value_then_statement(self, value_type: int, depth: int) -> Node:
        """Keeps a value on the stack across a statement."""
        return Node((value_type,), [self.value(value_type, depth), self.statement(depth)])

    def statement_then_value(self, value_type: int, depth: int) -> Node:
        return Node((value_type,), [self.statement(depth), self.value(value_type, depth)])

    def pick_of_several(self, value_type: int, depth: int) -> Node | None:
        """Calls a function with several results and keeps one of them."""
        found = [index for index, function in enumerate(self.program.functions) if value_type in function.signature[1]]
        if not found:
            return None
        index = self.random.choice(found)
        results = self.program.functions[index].signature[1]
        kept = results.index(value_type)
        local = self.scratch(value_type)
        after = [DROP * (len(results) - kept - 1), b"\x21", local, DROP * kept, b"\x20", local]
        return Node((value_type,), [self.call(index, depth), *after], fixed=True)

    def block_value(self, value_type: int, depth: int) -> Node | None:
        return self.block_with_results((value_type,), depth)

    def branch_with_value(self, value_type: int, depth: int) -> Node | None:
        """`br_if` to a label that takes one value, which stays where the branch is not taken."""
        found = [index for index, label in enumerate(self.labels) if label.types == (value_type,)]
        if not found:
            return None
        index = self.random.choice(found)
        condition = self.take_fuel() if self.labels[index].is_loop else self.value(I32, depth)
        return Node((value_type,), [self.value(value_type, depth), condition, BR_IF, self.depth_of(index)])

    def size(self, _value_type: int, depth: int) -> Node | None:
        chance = self.random.random()
        if chance < 0.5:
            return memories.size_or_growth(self, I32, depth)
        table = self.random.randrange(2)
        if chance < 0.7:
            return Node((I32,), [b"\xfc\x10", unsigned(table)])
        reference = (FUNCREF, EXTERNREF)[table]
        if chance < 0.8:
            return Node((I32,), [self.value(reference, depth), constant(I32, self.random.randrange(3)), b"\xfc\x0f", unsigned(table)])
        return Node((I32,), [self.value(reference, depth), b"\xd1"])

    def host_call(self, _value_type: int, depth: int) -> Node:
        return Node((I32,), [*(self.value(t, depth) for t in HOST_LOG[0]), b"\x10\x00"])

    def table_get(self, value_type: int, depth: int) -> Node:
        table = (FUNCREF, EXTERNREF).index(value_type)
        return Node((value_type,), [self.slot(depth), b"\x25", unsigned(table)])

    def slot(self, depth: int) -> Node:
        """An index of a table, a few of them outside."""
        if self.chance(0.05):
            return self.value(I32, depth)
        return Node((I32,), [constant(I32, self.random.randrange(TABLE_SIZE))])

    # Calls

    def call(self, index: int, depth: int, *, tail: bool = False) -> Node:
        """Calls a function directly or through the table; pushes its results unless it is a tail call."""
        signature = self.program.functions[index].signature
        arguments = self.values(signature[0], depth)
        slots = [slot + 1 for slot, function in enumerate(self.program.table) if function == index + 1]
        if not slots or self.chance(0.5):
            return Node(signature[1], [arguments, b"\x12" if tail else b"\x10", unsigned(index + 1)])
        slot = Node((I32,), [constant(I32, self.random.choice(slots))]) if self.chance(0.95) else self.slot(depth)
        type_index = unsigned(self.program.type_index(signature))
        return Node(signature[1], [arguments, slot, b"\x13" if tail else b"\x11", type_index, b"\x00"])

    def call_with_results(self, types: tuple[int, ...], depth: int) -> Node | None:
        found = [index for index, function in enumerate(self.program.functions) if function.signature[1] == types]
        return self.call(self.random.choice(found), depth) if found else None

    def tail_call(self) -> Node:
        """Ends the function by a tail call in an `if`."""
        found = [i for i, function in enumerate(self.program.functions) if function.signature[1] == self.function.signature[1]]
        condition = self.value(I32, 2)
        call = self.inside(Label((), False), lambda: self.call(self.random.choice(found), 2, tail=True))
        return Node((), [condition, b"\x04\x40", *call.parts, END])

    # Blocks

    def depth_of(self, label: int) -> bytes:
        """The encoded relative depth of a label."""
        return unsigned(len(self.labels) - 1 - label)

    def inside(self, label: Label, make: Callable[[], Node]) -> Node:
        """Makes a node inside a block."""
        self.labels.append(label)
        node = make()
        self.labels.pop()
        return node

    def block_with_results(self, results: tuple[int, ...], depth: int) -> Node:
        """A block, loop or if with results, perhaps with parameters."""
        parameters = tuple(self.random.choice(self.program.kinds) for _ in range(self.random.randrange(1, 4))) if self.chance(0.3) else ()
        given = self.values(parameters, depth)
        kind = self.random.choice((BLOCK, BLOCK, LOOP, IF, IF))
        condition = (self.value(I32, depth),) if kind == IF else ()
        label = Label(parameters if kind == LOOP else results, kind == LOOP)

        def body() -> Node:
            return Node(
                results, [self.take_parameters(parameters), *self.some_statements(depth), *self.repeat(kind), self.values(results, depth)]
            )

        parts: list[bytes | Node] = [given, *condition, kind, self.block_type(parameters, results), self.inside(label, body)]
        if kind == IF:
            parts += [ELSE, self.inside(label, body)]
        return Node(results, [*parts, END])

    def take_parameters(self, parameters: tuple[int, ...]) -> Node:
        """Takes the parameters of a block from the stack into locals."""
        parts = [DROP if self.chance(0.2) else b"\x21" + self.scratch(t) for t in reversed(parameters)]
        return Node((), parts, fixed=True)

    def repeat(self, kind: bytes) -> list[Node]:
        """The branch back of a loop, taken while there is fuel and a condition holds."""
        label = self.labels[-1]
        if kind != LOOP:
            return []
        again = Node((I32,), [self.value(I32, 2), self.take_fuel(), b"\x71"], fixed=True)
        return [Node((), [self.values(label.types, 2), again, BR_IF, b"\x00", DROP * len(label.types)])]

    def some_statements(self, depth: int) -> list[Node]:
        return [self.statement(depth) for _ in range(self.random.randrange(3))]

    # Statements

    def statement(self, depth: int) -> Node:
        """Something that leaves the stack as it was."""
        self.budget -= 1
        if depth <= 0 or self.budget <= 0:
            return Node((), [])
        return STATEMENTS.pick(self.random)(self, depth - 1) or Node((), [b"\x01"])

    def drop(self, depth: int) -> Node:
        return Node((), [self.value(self.random.choice((*self.program.kinds, FUNCREF, EXTERNREF)), depth), DROP])

    def set_local(self, depth: int) -> Node | None:
        if not self.types:
            return None
        index = self.random.randrange(len(self.types))
        return Node((), [self.value(self.types[index], depth), b"\x21", unsigned(index)])

    def set_global(self, depth: int) -> Node | None:
        value_type = self.random.choice(self.program.kinds)
        index = self.global_of(value_type, mutable=True)
        return None if index is None else Node((), [self.value(value_type, depth), b"\x24", index])

    def plain_block(self, depth: int) -> Node:
        return self.block_with_results((), depth)

    def if_only(self, depth: int) -> Node:
        condition = self.value(I32, depth)
        body = self.inside(Label((), False), lambda: Node((), [self.statement(depth), *self.some_statements(depth)]))
        return Node((), [condition, b"\x04\x40", body, END])

    def call_and_drop(self, depth: int) -> Node:
        node = self.call(self.random.randrange(len(self.program.functions)), depth)
        return Node((), [node, DROP * len(node.results)])

    def branch(self, depth: int) -> Node:
        """An unconditional branch or return in an `if`, with dead code behind it; back only while there is fuel."""
        condition: list[bytes | Node] = [self.value(I32, depth)]
        index = self.random.randrange(len(self.labels))
        if self.labels[index].is_loop:
            condition += [self.take_fuel(), b"\x71"]

        def body() -> Node:
            values = self.values(self.labels[index].types, depth)
            jump = [RETURN] if index == 0 and self.chance(0.5) else [BR, self.depth_of(index)]
            dead: list[bytes | Node] = [b"\x6a" + DROP] if self.chance(0.2) else [self.statement(1)] if self.chance(0.3) else []
            return Node((), [*self.some_statements(depth), values, *jump, *dead])

        return Node((), [*condition, b"\x04\x40", self.inside(Label((), False), body), END])

    def branch_table(self, depth: int) -> Node:
        """A `br_table` in a block; a loop is a target only while there is fuel."""

        def body() -> Node:
            types = self.random.choice(self.labels).types
            found = [i for i, label in enumerate(self.labels) if label.types == types]
            forward = [i for i in found if not self.labels[i].is_loop]
            if not forward:
                return Node((), [])
            targets = [self.random.choice(found) for _ in range(self.random.randrange(6))]
            # Without fuel the index has all bits set, which is the default, a target forward.
            index: list[bytes | Node] = [self.value(I32, depth), constant(I32, 7), b"\x71", self.take_fuel(), b"\x41\x01\x6b\x72"]
            depths = b"".join(self.depth_of(i) for i in [*targets, self.random.choice(forward)])
            return Node((), [self.values(types, depth), *index, BR_TABLE, unsigned(len(targets)), depths])

        return Node((), [b"\x02\x40", self.inside(Label((), False), body), END])

    def trap(self, depth: int) -> Node | None:
        if not self.chance(0.15):
            return None
        return Node((), [self.value(I32, depth), b"\x45\x04\x40", UNREACHABLE, END])

    def store_lane(self, depth: int) -> Node:
        return memories.store_lane(self, depth) if V128 in self.program.kinds else memories.store(self, depth)

    def bulk_table(self, depth: int) -> Node:
        table = self.random.randrange(2)
        number, reference = unsigned(table), (FUNCREF, EXTERNREF)[table]
        length = constant(I32, self.random.randrange(4))
        chance = self.random.random()
        if chance < 0.3:
            return Node((), [self.slot(depth), self.value(reference, depth), b"\x26", number])
        if chance < 0.5:
            return Node((), [self.slot(depth), self.value(reference, depth), length, b"\xfc\x11", number])
        if chance < 0.7:
            return Node((), [self.slot(depth), self.slot(depth), length, b"\xfc\x0e", number, number])
        if chance < 0.9:
            return Node((), [self.slot(depth), constant(I32, 0), length, b"\xfc\x0c\x01\x00"])
        return Node((), [b"\xfc\x0d\x01"])


Maker = TypeVar("Maker")


class Weighted(Generic[Maker]):
    """Makers with how often each is chosen."""

    def __init__(self, weights: dict[Maker, int]) -> None:
        self._makers = list(weights)
        self._weights = list(accumulate(weights.values()))

    def pick(self, random: Random) -> Maker:
        """Choose one."""
        return random.choices(self._makers, cum_weights=self._weights)[0]


_G = FunctionGenerator
_ANY_VALUE = {
    _G.select: 3,
    _G.tee: 3,
    _G.value_then_statement: 3,
    _G.statement_then_value: 2,
    _G.pick_of_several: 2,
    _G.block_value: 5,
    _G.branch_with_value: 2,
}
_ANY_NUMBER = {**_ANY_VALUE, _G.operator: 30, memories.load: 6, _G.of_vector: 4}
VALUES: dict[int, Weighted[Callable[[FunctionGenerator, int, int], Node | None]]] = {
    I32: Weighted({**_ANY_NUMBER, _G.partial_operator: 3, _G.bits: 1, _G.size: 2, _G.host_call: 1, memories.atomic: 2}),
    I64: Weighted({**_ANY_NUMBER, _G.partial_operator: 3, _G.bits: 1, memories.size_or_growth: 1, memories.atomic: 2, _G.half: 3}),
    F32: Weighted({**_ANY_NUMBER, _G.bits: 1}),
    F64: Weighted({**_ANY_NUMBER, _G.bits: 1}),
    V128: Weighted(
        {
            **_ANY_VALUE,
            vectors.operator: 25,
            vectors.float_operator: 6,
            vectors.shuffle: 3,
            vectors.splat: 1,
            vectors.replace: 4,
            memories.load: 6,
            memories.load_lane: 2,
        }
    ),
    FUNCREF: Weighted({**_ANY_VALUE, _G.table_get: 10}),
    EXTERNREF: Weighted({**_ANY_VALUE, _G.table_get: 10}),
}
STATEMENTS: Weighted[Callable[[FunctionGenerator, int], Node | None]] = Weighted(
    {
        _G.set_local: 12,
        _G.set_global: 4,
        memories.store: 10,
        _G.store_lane: 3,
        _G.drop: 2,
        _G.plain_block: 5,
        _G.if_only: 5,
        _G.call_and_drop: 2,
        _G.branch: 3,
        _G.branch_table: 3,
        _G.trap: 1,
        memories.atomic_store: 1,
        memories.bulk: 2,
        _G.bulk_table: 1,
    }
)


def generate(seed: int) -> Program:
    """The program of a seed."""
    random = Random(seed)
    size = random.choice((15, 60, 60, 150))
    types = (*NUMBERS, V128, V128, V128) if random.random() < 0.4 else NUMBERS
    proposals = random.random() < 0.25
    functions = [Function(random_signature(random, types)) for _ in range(random.randint(1, 6))]
    kinds = [(I32, True), *((random.choice(types), random.random() < 0.8) for _ in range(random.randrange(6)))]
    program = Program(
        functions=functions,
        globals=[(t, mutable, random_value(random, t) if index else FUEL) for index, (t, mutable) in enumerate(kinds)],
        calls=[],
        table=[random.randrange(len(functions) + 1) for _ in range(TABLE_SIZE - 4)],
        data=random.randbytes(256) if random.random() < 0.7 else bytes(64),
        start=random.random() < 0.1,
        memories=memories.random_memories(random, proposals),
        kinds=types,
        proposals=proposals,
    )
    program.type_index(HOST_LOG)
    for index in range(len(functions)):
        FunctionGenerator(random, program, index, size).generate()
    callable_ones = [
        (i, f.signature) for i, f in enumerate(functions) if all(t in NUMBERS for t in f.signature[0]) and V128 not in f.signature[1]
    ]
    for _ in range(8):
        if callable_ones:
            index, (parameters, results) = random.choice(callable_ones)
            program.calls.append(Call(f"function_{index}", tuple(random_value(random, t) for t in parameters), results))
    return program


def random_signature(random: Random, kinds: tuple[int, ...]) -> FunctionType:
    """Parameters and results, now and then more than there are registers."""
    longest = 14 if random.random() < 0.1 else 4
    if V128 in kinds and random.random() < 0.5:
        kinds = NUMBERS  # so that something can be called from outside
    types = (*kinds, *kinds, I32, I64, FUNCREF) if random.random() < 0.2 else (*kinds, I32, I64)
    parameters = tuple(random.choice(types) for _ in range(random.randint(0, longest)))
    several = random.choice((0, 1, 1, 1, 1, 2, 3, longest))
    return parameters, tuple(random.choice(types) for _ in range(several))


OPERATORS_OF: dict[int, list[Operator]] = {t: [operator for operator in OPERATORS if operator.result == t] for t in NUMBERS}

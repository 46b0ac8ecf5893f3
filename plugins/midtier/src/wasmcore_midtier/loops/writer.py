"""Writes values into blocks of a graph that is there already; what is constant is computed."""

from __future__ import annotations

from typing import Final

from wasmcore_midtier._native import i64
from wasmcore_midtier.ssa.algebra.arithmetic import evaluated, signed
from wasmcore_midtier.ssa.algebra.rules import CODES
from wasmcore_midtier.ssa.graph import BRANCH, JUMP, NONE, PARAMETER, VECTOR_CONSTANT, Graph, is_constant
from wasmcore_midtier.ssa.operations import CLASSES, V128

ADD, SUB, MUL = (CODES[name] for name in ("add", "sub", "mul"))
AND, SHR_U, LESS_EQUAL_U = (CODES[name] for name in ("and", "shr_u", "le_u"))
OR, SHL = CODES["or"], CODES["shl"]
EXTEND_U: Final = 0xAD
_NEUTRAL: Final = frozenset((*ADD, *SUB, *OR))
"""Operations that 0 on the right changes nothing in."""
_64_BITS: Final = (1 << 64) - 1


class Writer:
    """Writes to one block after the other."""

    def __init__(self, graph: Graph, word: int) -> None:
        self.graph: Final = graph
        self.word: Final = i64(word)
        self.block: int = 0
        self._constants: Final[dict[tuple[int, int], int]] = {}
        self._known: Final[dict[tuple[int, int, int, int, int], int]] = {}
        """By block, operation, operands and immediate: the value that is there already."""

    def put(self, code: int, machine_class: int, a: int = -1, b: int = -1, immediate: int = 0) -> int:
        """A value at the end of the current block."""
        graph = self.graph
        value = graph.add(i64(self.block), i64(code), i64(machine_class), i64(a), i64(b), NONE, i64(immediate), self.word)
        graph.place(value)
        return int(value)

    def constant(self, machine_class: int, bits: int) -> int:
        """A constant."""
        key = machine_class, bits
        if key not in self._constants:
            self._constants[key] = self._new_constant(machine_class, bits)
        return self._constants[key]

    def _new_constant(self, machine_class: int, bits: int) -> int:
        return int(self.graph.add(i64(0), i64(0x40 + machine_class), i64(machine_class), NONE, NONE, NONE, i64(bits), i64(0)))

    def number(self, value: int) -> int | None:
        """What a constant is."""
        return int(self.graph.immediate[i64(value)]) if is_constant(self.graph.operation[i64(value)]) else None

    def pure(self, code: int, a: int, b: int = -1, immediate: int = 0) -> int:
        """What an operation makes."""
        x, y = self.number(a), self.number(b) if b >= 0 else 0
        machine_class = CLASSES[code]
        if x is not None and y is not None and machine_class < V128:
            result = evaluated(code, x, y)
            assert result is not None
            return self.constant(machine_class, result)
        if y == 0 and b >= 0 and code in _NEUTRAL:
            return a
        if y is not None and code in ADD and self.graph.operation[i64(a)] == code:
            before = self.number(int(self.graph.b[i64(a)]))
            if before is not None:
                return self.with_constant(ADD, int(self.graph.a[i64(a)]), before + y)
        key = self.block, code, a, b, immediate
        if key not in self._known:
            self._known[key] = self.put(code, machine_class, a, b, immediate)
        return self._known[key]

    def with_constant(self, codes: tuple[int, int], a: int, bits: int) -> int:
        """An operation whose second operand is a constant; opcodes for 32 and 64 bits."""
        wide = self.graph.machine_class[i64(a)] != 1
        return self.pure(codes[1] if wide else codes[0], a, self.constant(2 if wide else 1, signed(bits, 64 if wide else 32)))

    def pattern(self, numbers: list[int], size: int) -> int:
        """The pattern of lanes of so many bytes."""
        bits = sum((number & (1 << 8 * size) - 1) << 8 * size * at for at, number in enumerate(numbers))
        return int(self.graph.pattern(i64(signed(bits & _64_BITS, 64)), i64(signed(bits >> 64, 64))))

    def lanes(self, numbers: list[int], size: int) -> int:
        """A constant of such lanes."""
        pattern = i64(self.pattern(numbers, size))
        return int(self.graph.add(i64(0), VECTOR_CONSTANT, V128, NONE, NONE, NONE, pattern, i64(0)))

    # Ends of blocks

    def edge(self, target: int, arguments: list[int]) -> None:
        """An edge from the current block."""
        edge = self.graph.add_edge(i64(self.block))
        for argument in arguments:
            self.graph.push(i64(argument))
        self.graph.connect(edge, i64(target))

    def jump(self, target: int, arguments: list[int]) -> None:
        """The current block goes on with another one."""
        self.graph.end[i64(self.block)] = JUMP
        self.edge(target, arguments)

    def branch(self, condition: int, target: int, arguments: list[int], other: int, others: list[int]) -> None:
        """The current block goes on with one block if the condition is not 0, else with another one."""
        if self.number(condition):
            self.jump(target, arguments)
            return
        self.graph.end[i64(self.block)] = BRANCH
        self.graph.end_value[i64(self.block)] = i64(condition)
        self.edge(target, arguments)
        self.edge(other, others)

    def params(self, classes: list[int]) -> list[int]:
        """The parameters of the current block."""
        graph, block = self.graph, i64(self.block)
        graph.params[block] = graph.pooled
        graph.param_count[block] = i64(len(classes))
        found = []
        for number, machine_class in enumerate(classes):
            param = graph.add(block, PARAMETER, i64(machine_class), NONE, NONE, NONE, i64(number), self.word)
            graph.push(param)
            found.append(int(param))
        return found

"""Macro records as text, for `wasmcore objdump` and for golden tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from wasmcore.opcodes import OPCODES, Immediates
from wasmcore_singlepass import records as m

_64_BITS: Final = (1 << 64) - 1
_ALU: Final = ("add", "sub", "and", "or", "xor", "mul", "add_shifted1", "add_shifted2", "add_shifted3")
_SHIFT: Final = ("shl", "shr_s", "shr_u", "rotl", "rotr")
_DIVIDE: Final = ("div_s", "div_u", "rem_s", "rem_u", "div_s safe", "div_u safe", "rem_s safe", "rem_u safe")
_UNARY: Final = ("clz", "ctz", "popcnt", "extend8", "extend16", "extend32")
_FLOAT_ALU: Final = ("add", "sub", "mul", "div", "min", "max", "copysign")
_FLOAT_UNARY: Final = ("abs", "neg", "ceil", "floor", "trunc", "nearest", "sqrt")
_CONDITIONS: Final = (
    "eq", "ne", "lt_s", "ge_s", "lt_u", "ge_u", "gt_s", "le_s", "gt_u", "le_u",
    "float_eq", "float_ne", "float_gt", "float_not_gt", "float_ge", "float_not_ge",
)  # fmt: skip

# What each operation shows: d, a, b integer registers, D, A, B, C float registers, i the immediate, s a slot, l a label, c the constant,
# v the two words of a vector, n a shift count, T the temporary if there is one.
OPERANDS: Final = {
    m.MOVE: "da", m.CONSTANT: "dc", m.LOAD_SLOT: "ds", m.STORE_SLOT: "sa", m.STORE_SLOT_CONSTANT: "sc", m.COPY_SLOT: "sS",
    m.ALU: "dab", m.ALU_CONSTANT: "dai", m.ALU_SLOT: "das", m.SHIFT: "dab", m.SHIFT_CONSTANT: "dai", m.DIVIDE: "dab", m.UNARY: "da",
    m.COMPARE: "ab", m.COMPARE_CONSTANT: "ai", m.COMPARE_SLOT: "as", m.TEST: "ab", m.FLOAT_COMPARE: "AB",
    m.JUMP_IF: "l", m.SET_IF: "d", m.SELECT_IF: "dab", m.FLOAT_SELECT_IF: "DAB", m.JUMP: "l", m.LABEL: "l", m.BRANCH_TABLE: "ai",
    m.BRANCH_TARGET: "l", m.LOAD: "dac", m.STORE: "acb", m.STORE_CONSTANT: "aic", m.FLOAT_LOAD: "Dac", m.FLOAT_STORE: "acB",
    m.MEMORY_BASE: "i", m.MEMORY_ADDRESS: "daic", m.TABLE_ADDRESS: "dai", m.LOAD_CONTEXT: "di", m.STORE_CONTEXT: "ia",
    m.FLOAT_LOAD_CONTEXT: "Di", m.FLOAT_STORE_CONTEXT: "iA", m.CONTEXT_ADDRESS: "di", m.LOAD_OVERFLOW: "di", m.STORE_OVERFLOW: "ia",
    m.FLOAT_LOAD_OVERFLOW: "Di", m.FLOAT_STORE_OVERFLOW: "iA", m.PROLOGUE: "i", m.CALL: "i", m.CALL_IMPORT: "i",
    m.CALL_INDIRECT: "aic", m.CALL_BUILTIN: "i", m.MEMORY_COPY: "ic", m.MEMORY_FILL: "i", m.FLOAT_MOVE: "DA", m.FLOAT_CONSTANT: "Dc",
    m.FLOAT_LOAD_SLOT: "Ds", m.FLOAT_STORE_SLOT: "sA", m.FLOAT_ALU: "DAB", m.FLOAT_ALU_SLOT: "DAs", m.FLOAT_ALU_CONSTANT: "DAc",
    m.FLOAT_UNARY: "DA", m.FLOAT_FROM_INTEGER: "Da", m.FLOAT_TO_INTEGER: "dA", m.FLOAT_CONVERT: "DA", m.BITS_TO_FLOAT: "Da",
    m.FLOAT_TO_BITS: "dA", m.POSITION: "i", m.ZERO_SLOTS: "sc", m.VECTOR_CONSTANT: "Dv", m.VECTOR_LOAD_SLOT: "Ds",
    m.VECTOR_STORE_SLOT: "sA", m.VECTOR_LOAD_CONTEXT: "Di", m.VECTOR_STORE_CONTEXT: "iA", m.VECTOR_LOAD_OVERFLOW: "Di",
    m.VECTOR_STORE_OVERFLOW: "iA", m.VECTOR_LOAD: "Dac", m.VECTOR_STORE: "acB", m.VECTOR_LOAD_LANE: "DBaci",
    m.VECTOR_STORE_LANE: "acBi", m.VECTOR_UNARY: "DAT", m.VECTOR_BINARY: "DABT", m.VECTOR_TERNARY: "DABCT", m.VECTOR_SHIFT: "DAbT",
    m.VECTOR_SHIFT_CONSTANT: "DAnT", m.VECTOR_TO_INTEGER: "dAT", m.VECTOR_FROM_INTEGER: "DaT", m.VECTOR_REPLACE: "DAbT",
    m.VECTOR_SHUFFLE: "DABvT", m.CALL_REFERENCE: "a", m.TRAP_IF: "i", m.ALU_CARRY_OUT: "dab", m.ALU_CARRY_IN: "dab",
    m.MULTIPLY_WIDE: "diab", m.ATOMIC_UPDATE: "dab", m.ATOMIC_COMPARE_EXCHANGE: "dab",
    m.ATOMIC_LOAD: "da", m.ATOMIC_STORE: "ab",
}  # fmt: skip
_VARIANTS: Final = {
    m.ALU: _ALU, m.ALU_CONSTANT: _ALU, m.ALU_SLOT: _ALU, m.SHIFT: _SHIFT, m.SHIFT_CONSTANT: _SHIFT, m.DIVIDE: _DIVIDE,
    m.UNARY: _UNARY, m.FLOAT_ALU: _FLOAT_ALU, m.FLOAT_ALU_SLOT: _FLOAT_ALU, m.FLOAT_ALU_CONSTANT: _FLOAT_ALU,
    m.FLOAT_UNARY: _FLOAT_UNARY, m.ALU_CARRY_OUT: _ALU, m.ALU_CARRY_IN: _ALU,
    m.SELECT_IF: _CONDITIONS, m.FLOAT_SELECT_IF: _CONDITIONS,
}  # fmt: skip
_WHOLE_SIZE: Final = (m.JUMP_IF, m.SET_IF, m.TRAP_IF)
_VECTOR_NAMED: Final = range(m.VECTOR_UNARY, m.VECTOR_SHUFFLE)
_TWO_EXTENSIONS: Final = (m.VECTOR_CONSTANT, m.VECTOR_SHUFFLE)
_NUMBERED: Final = (
    m.TRAP, m.LOAD, m.STORE, m.STORE_CONSTANT, m.FLOAT_LOAD, m.FLOAT_STORE, m.MEMORY_ADDRESS, m.PROLOGUE, m.CALL, m.CALL_IMPORT,
    m.CALL_INDIRECT, m.FLOAT_FROM_INTEGER, m.FLOAT_TO_INTEGER, m.MEMORY_COPY, m.MEMORY_FILL, m.VECTOR_LOAD, m.VECTOR_STORE,
    m.VECTOR_LOAD_LANE, m.VECTOR_STORE_LANE, m.CALL_REFERENCE, m.MULTIPLY_WIDE, m.ATOMIC_UPDATE, m.ATOMIC_COMPARE_EXCHANGE,
    m.ATOMIC_LOAD, m.ATOMIC_STORE,
)  # fmt: skip


class Record(NamedTuple):
    """One record, taken apart."""

    operation: int
    size: int
    d: int
    a: int
    b: int
    immediate: int
    constant: int
    upper: int = 0
    """The second extension word."""
    scale: int = 0
    """By how much a is shifted first."""

    def __str__(self) -> str:
        operands = map(self._operand, OPERANDS.get(self.operation, ""))
        return f"{self._head()} {', '.join(filter(None, operands))}".rstrip()

    def _head(self) -> str:
        name = m.OPERATIONS[self.operation][0]
        if self.operation in _VECTOR_NAMED:
            return f"{name}.{self._instruction()}"
        if self.operation in _WHOLE_SIZE:
            return f"{name}.{_CONDITIONS[self.size]}"
        if self.operation in _NUMBERED:
            return f"{name}.{self.size}"
        if self.operation in _VARIANTS:
            name += "." + _VARIANTS[self.operation][self.size >> 1]
        elif self.operation == m.LABEL:
            return f"{name}.aligned" if self.size & m.ALIGNED else name
        elif self.operation == m.STORE_SLOT_CONSTANT:
            name += (".high" if self.size & m.HIGH_HALF else "") + (".second" if self.size & m.SECOND_WORD else "")
        return f"{name}.w" if self.size & m.WIDE else name

    def _instruction(self) -> str:
        """The vector instruction, and its lane."""
        opcode = OPCODES.get(0x200 + (self.immediate & 0x1FF))
        if opcode is None:
            return "?"
        return f"{opcode.name}.{self._lane()}" if opcode.immediates == Immediates.LANE else opcode.name

    def _lane(self) -> int:
        return self.immediate >> m.VECTOR_LANE_SHIFT & 255

    def _operand(self, letter: str) -> str:
        if letter == "v":
            return f"0x{self.upper & _64_BITS:016x}_{self.constant & _64_BITS:016x}"
        if letter == "n":
            return str(self._lane())
        if letter == "C":
            return f"f{self.immediate >> m.VECTOR_C_SHIFT & 31}"
        if letter == "T":
            temporary = self.immediate >> m.VECTOR_T_SHIFT & 31
            return "" if temporary == m.NO_REGISTER else f"t=f{temporary}"
        if letter in "dab":
            number = {"d": self.d, "a": self.a, "b": self.b}[letter]
            scaled = f"<<{self.scale}" if letter == "a" and self.scale else ""
            return "-" if number == m.NO_REGISTER else f"r{number}{scaled}"
        if letter in "DAB":
            return f"f{ {'D': self.d, 'A': self.a, 'B': self.b}[letter] }".replace(" ", "")
        if letter in "sS":
            return f"[{self.immediate if letter == 's' else self.constant}]"
        return f"L{self.immediate}" if letter == "l" else str(self.immediate if letter == "i" else self.constant)


def destination(record: Record) -> tuple[bool, int] | None:
    """The register that a record writes: whether it is one of the float file, and its number; None if it writes none."""
    letters = OPERANDS.get(record.operation, "")
    return (True, record.d) if "D" in letters else (False, record.d) if "d" in letters else None


def records(data: bytes) -> Iterator[Record]:
    """The records of a function."""
    at = 0
    while at < len(data):
        word = int.from_bytes(data[at : at + 8], "little", signed=True)
        at += 8
        immediate = constant = word >> 32
        if word & m.EXTENDED:
            constant = int.from_bytes(data[at : at + 8], "little", signed=True)
            at += 8
        upper = 0
        if word & 0x7F in _TWO_EXTENSIONS:
            upper = int.from_bytes(data[at : at + 8], "little", signed=True)
            at += 8
        d, a, b, scale = word >> 15 & 31, word >> 20 & 31, word >> 25 & 31, word >> 30 & 3
        yield Record(word & 0x7F, word >> 8 & 0x7F, d, a, b, immediate, constant, upper, scale)


def text(data: bytes) -> str:
    """The records of a function, one a line."""
    return "".join(f"{record}\n" for record in records(data))

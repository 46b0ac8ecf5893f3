"""Conditions: comparisons that wait for who looks at them, at the end of a block or in a `select`."""

from __future__ import annotations

from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64, vec
from wasmcore_midtier.registers.blocks import Blocks
from wasmcore_midtier.registers.positions import EQZ
from wasmcore_midtier.registers.records import FLOAT, SLOT
from wasmcore_midtier.ssa.graph import Graph

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore_singlepass.protocol import Lowering as Target

_CONDITIONS: Final = bytes(
    (
        *(m.EQUAL, m.NOT_EQUAL, m.LESS_S, m.LESS_U, m.GREATER_S, m.GREATER_U),
        *(m.LESS_EQUAL_S, m.LESS_EQUAL_U, m.GREATER_EQUAL_S, m.GREATER_EQUAL_U),
    )
)
_FLOAT_CONDITIONS: Final = bytes(
    (m.FLOAT_EQUAL, m.FLOAT_NOT_EQUAL, m.FLOAT_GREATER, m.FLOAT_GREATER, m.FLOAT_GREATER_EQUAL, m.FLOAT_GREATER_EQUAL)
)
"""eq ne lt gt le ge; lt and le with their operands exchanged."""


class Conditions(Blocks):
    """What all values need to be written: the target, the module, comparisons."""

    def __init__(self, graph: Graph, types: FunctionTypes, target: Target, features: frozenset[str], noted: bool) -> None:
        super().__init__(
            graph,
            bytes((*target.TEMPORARIES, *target.PINNED)),
            bytes([FLOAT + register for register in (*target.FLOAT_TEMPORARIES, *target.FLOAT_PINNED)]),
        )
        convention = target.CONVENTION
        self.target: Final = target
        self.begin_unit(types, features, noted)
        self.argument_integers: Final = bytes(convention.integers)
        self.argument_floats: Final = bytes(convention.floats)
        self.result_integers: Final = bytes(convention.integer_results)
        self.result_floats: Final = bytes(convention.float_results)
        self.call_index: i64 = target.CALL_INDEX
        self.shift_count: i64 = target.SHIFT_COUNT
        self.dividend: i64 = target.DIVIDEND
        self.remainder: i64 = target.REMAINDER
        self.native_arguments: Final = bytes(target.NATIVE_ARGUMENTS)
        self.native_destroyed: Final = bytes(
            (*target.NATIVE_DESTROYED, *(FLOAT + register for register in target.NATIVE_DESTROYED_FLOATS))
        )
        self.vector_temporaries: Final = target.VECTOR_TEMPORARIES
        self.base_offset: i64 = 0
        self.param_classes = b""
        """Of the function."""
        self.next_label: i64 = 0
        self.has_calls = False
        self.has_vectors = False
        self.reaches: vec[i64] = vec[i64]()
        """By loop: whether it accesses memory 0."""
        self.is_innermost: vec[i64] = vec[i64]()
        """By loop: whether there is none in it."""
        # Of the address that was loaded: by how much it is shifted, and what is added.
        self.scale: i64 = 0
        self.offset: i64 = 0
        # A comparison that is about to be written: its record, and the condition to look at.
        self.comparison: i64 = 0
        self.comparison_size: i64 = 0
        self.comparison_a: i64 = 0
        self.comparison_b: i64 = 0
        self.comparison_immediate: i64 = 0
        # Where a value of a list of arguments or results is.
        self.next_integer: i64 = 0
        self.next_float: i64 = 0
        self.next_overflow: i64 = 0

    def begin_unit(self, types: FunctionTypes, features: frozenset[str], noted: bool) -> None:
        """The functions that follow are of a module with these types, for processors with these features; `noted`: records say which words
        they were made from."""
        self.shifts_by_any = self.target.shifts_by_any(features)
        self.types = types
        environment = types.environment
        self.environment = environment
        self.imported: i64 = environment.imported_functions
        self.imports_offset: i64 = environment.imports_offset
        self.functions_offset: i64 = environment.functions_offset
        self.noted = noted

    def load_base(self) -> None:
        """The base register."""
        self.emit(m.MEMORY_BASE, 0, 0, 0, 0, self.base_offset)

    def note(self, word: i64) -> None:
        """What follows was made from a word of the stream."""
        if self.noted:
            self.emit(m.POSITION, 0, 0, 0, 0, word)

    def prepare(self, value: i64) -> i64:
        """Operands of a condition into registers, for `compare`; the condition to look at."""
        graph = self.graph
        if not self.positions.fused[value]:
            self.comparison = m.TEST
            self.comparison_size = 0
            self.comparison_a = self.load(value)
            self.comparison_b = self.comparison_a
            self.comparison_immediate = 0
            return m.NOT_EQUAL
        return self.prepare_comparison(value, graph.operation[value], graph.a[value], graph.b[value])

    def prepare_comparison(self, value: i64, code: i64, a: i64, b: i64) -> i64:
        """The same of a comparison."""
        if code == EQZ and self.positions.fused[a]:
            return self.prepare_comparison(a, self.graph.operation[a], self.graph.a[a], self.graph.b[a]) ^ 1
        self.comparison_immediate = 0
        self.comparison_size = 1 if code >= 0x61 or 0x50 <= code < 0x5B else 0
        if code >= 0x5B:
            number = code - 0x61 if code >= 0x61 else code - 0x5B
            if number == 2 or number == 4:
                a, b = b, a
            self.comparison = m.FLOAT_COMPARE
            self.comparison_a = self.load(a)
            self.comparison_b = self.load(b)
            return i64(_FLOAT_CONDITIONS[number])
        self.comparison_a = self.load(a)
        if code == EQZ or code == 0x50:
            self.comparison = m.TEST
            self.comparison_b = self.comparison_a
            return m.EQUAL
        number = code - 0x51 if code >= 0x50 else code - 0x46
        bits = self.graph.immediate[b]
        if self.is_constant(b) and -0x80000000 <= bits <= 0x7FFFFFFF:
            if bits == 0 and number < 2:
                self.comparison = m.TEST
                self.comparison_b = self.comparison_a
            else:
                self.comparison = m.COMPARE_CONSTANT
                self.comparison_b = 0
                self.comparison_immediate = bits
        elif self.is_better_in_slot(b):
            self.comparison = m.COMPARE_SLOT
            self.comparison_b = 0
            self.comparison_immediate = self.need_slot(b)
            self.reads(b, SLOT + self.comparison_immediate)
        else:
            self.comparison = m.COMPARE
            self.comparison_b = self.load(b)
        return i64(_CONDITIONS[number])

    def compare(self) -> None:
        """The record that compares."""
        self.emit(self.comparison, self.comparison_size, 0, self.comparison_a, self.comparison_b, self.comparison_immediate)

    def free_condition(self, value: i64) -> None:
        """The operands of a condition have been used."""
        if self.positions.fused[value]:
            self.free_condition(self.graph.a[value])
            if self.graph.b[value] >= 0:
                self.free_condition(self.graph.b[value])
        else:
            self.free_dead(value)

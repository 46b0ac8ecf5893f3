"""From the graph to macro records, block by block."""

from __future__ import annotations

from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64, read_i64_le, write_i64_le
from wasmcore_midtier.growth import grown
from wasmcore_midtier.lowering.calls import Calls
from wasmcore_midtier.registers.records import DEFINED, EDGE, FIRST_MARK, JUMP_IF_EDGE, TARGET_EDGE
from wasmcore_midtier.ssa.graph import (
    ARGUMENT,
    BRANCH,
    CALL,
    CALL_INDIRECT,
    JUMP,
    MEMORY_COPY,
    MEMORY_FILL,
    MEMORY_GROW,
    NONE,
    PARAMETER,
    RESULT,
    RETURN,
    TABLE,
)
from wasmcore_midtier.ssa.operations import LOAD_FIRST, SELECT, STORE_FIRST, STORE_LAST, V128, VECTOR_FIRST, is_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_GLOBAL_GET: Final = 0x23
_GLOBAL_SET: Final = 0x24
_MEMORY_SIZE: Final = 0x3F


class Lowering(Calls):
    """Writes the records of one function after the other."""

    def write(self, type_index: int) -> bytes:
        """All records of the graph."""
        graph = self.graph
        self.param_classes = self.types.params(type_index)
        self.begin_graph()
        self.look_through()
        if self.environment.memories:
            self.base_offset = self.environment.memories[0].offset
        block: i64 = 0
        while block < graph.blocks:
            self.write_block(block)
            block += 1
        return self.finished()

    def look_through(self) -> None:
        """Find out what loops access memory, which are innermost ones, and whether anything is called."""
        graph = self.graph
        self.reaches = grown(self.reaches, graph.loops)
        self.is_innermost = grown(self.is_innermost, graph.loops)
        loop: i64 = 0
        while loop < graph.loops:
            self.reaches[loop] = 0
            self.is_innermost[loop] = 1
            loop += 1
        loop = 0
        while loop < graph.loops:
            if graph.outer[loop] >= 0:
                self.is_innermost[graph.outer[loop]] = 0
            loop += 1
        self.has_calls = False
        self.has_vectors = graph.patterns > 0
        block: i64 = 0
        while block < graph.blocks:
            value = graph.first[block]
            while value >= 0:
                operation = graph.operation[value]
                if graph.machine_class[value] == V128 or VECTOR_FIRST <= operation < PARAMETER:
                    self.has_vectors = True
                if operation == CALL or operation == CALL_INDIRECT or operation == MEMORY_GROW:
                    self.has_calls = True
                elif is_access(operation):
                    loop = graph.block_loop[block]
                    while loop >= 0:
                        self.reaches[loop] = 1
                        loop = graph.outer[loop]
                value = graph.following[value]
            block += 1

    def uses_memory(self, loop: i64) -> bool:
        """Whether the base register is worth loading before a loop."""
        return self.reaches[loop] != 0

    def write_block(self, block: i64) -> None:
        """One block."""
        graph = self.graph
        positions = self.positions
        if block == 0:
            self.begin()
        else:
            is_head = graph.block_loop[block] >= 0 and graph.head[graph.block_loop[block]] == block
            self.emit(m.LABEL, m.ALIGNED if is_head and self.is_innermost[graph.block_loop[block]] else 0, 0, 0, 0, block)
            self.enter(block)
            if is_head:
                self.note(graph.block_word[block])
                if not graph.is_short[graph.block_loop[block]]:
                    self.emit(m.POLL, 0, 0, 0, 0, 0)
        value = graph.first[block]
        while value >= 0:
            if not positions.fused[value]:
                self.at = positions.position[value]
                self.note(graph.word[value])
                self.write_value(value)
            value = graph.following[value]
        self.at = positions.end_of[block]
        self.write_end(block)

    def begin(self) -> None:
        """The arguments arrive. A poll may change the overflow area, so it comes behind those in it."""
        graph = self.graph
        step: i64 = 0
        while step < 3:
            self.begin_places()
            value = graph.first[0]
            number: i64 = 0
            while value >= 0 and graph.operation[value] == ARGUMENT:
                while number < graph.immediate[value]:
                    self.next_place(i64(self.param_classes[number]), self.argument_integers, self.argument_floats)
                    number += 1
                self.arrive(value, self.next_place(graph.machine_class[value], self.argument_integers, self.argument_floats), step)
                number += 1
                value = graph.following[value]
            step += 1
        if self.has_calls and not self.polls_first():
            self.note(graph.block_word[0])
            self.emit(m.POLL, 0, 0, 0, 0, 0)

    def polls_first(self) -> bool:
        """Whether no argument can be in the overflow area."""
        return len(self.param_classes) <= len(self.argument_floats)

    def write_end(self, block: i64) -> None:
        """How a block ends."""
        graph = self.graph
        end = graph.end[block]
        edge = graph.first_edge[block]
        if end == JUMP:
            self.leave_by(edge)
            self.go_on(block, edge)
        elif end == BRANCH:
            self.branch(block)
        elif end == TABLE:
            self.branch_table(block)
        elif end == RETURN:
            self.place_values(graph.results[block], graph.result_count[block], self.result_integers, self.result_floats, NONE)
            self.emit(m.RETURN, 0, 0, 0, 0, 0)

    def go_on(self, block: i64, edge: i64) -> None:
        """A block goes on by an edge."""
        self.emit(EDGE, 0, 0, 0, 0, edge)
        if self.graph.target[edge] != block + 1:
            self.emit(m.JUMP, 0, 0, 0, 0, self.graph.target[edge])

    def branch(self, block: i64) -> None:
        """A branch by one of two edges; if one leads to the block behind, the jump is for the other."""
        graph = self.graph
        value = graph.end_value[block]
        taken = graph.first_edge[block]
        condition = self.prepare(value)
        self.leave_by(taken)
        self.leave_by(taken + 1)
        self.unlock()
        self.compare()
        other = taken + 1
        if graph.target[taken] == block + 1:
            taken, other = other, taken
            condition ^= 1
        self.emit(JUMP_IF_EDGE, condition, 0, 0, 0, taken)
        self.go_on(block, other)

    def branch_table(self, block: i64) -> None:
        """A table of branches, which destroys the index."""
        graph = self.graph
        register = self.free_register(self.integers, NONE)
        self.load_to(graph.end_value[block], register)
        edge = graph.first_edge[block]
        last = edge + graph.edge_count[block]
        while edge < last:
            self.leave_by(edge)
            edge += 1
        self.unlock()
        self.emit(m.BRANCH_TABLE, 0, 0, register, 0, graph.edge_count[block])
        edge = graph.first_edge[block]
        while edge < last:
            self.emit(TARGET_EDGE, 0, 0, 0, 0, edge)
            edge += 1

    def write_value(self, value: i64) -> None:
        """One value."""
        operation = self.graph.operation[value]
        if LOAD_FIRST <= operation <= STORE_LAST:
            if operation < STORE_FIRST:
                self.memory_load(value, operation - LOAD_FIRST)
            else:
                self.memory_store(value, operation - STORE_FIRST)
        elif 0x45 <= operation <= 0x66:
            self.write_comparison(value)
        elif 0x67 <= operation <= 0x8A:
            self.integer(value, operation)
        elif 0x8B <= operation <= 0xA6:
            self.float(value, operation)
        elif 0xA7 <= operation < 0x108:
            self.conversion(value, operation)
        elif VECTOR_FIRST <= operation < PARAMETER:
            self.vector(value, operation)
        elif operation == CALL or operation == CALL_INDIRECT:
            self.call(value, operation)
        elif operation == SELECT:
            self.select(value)
        elif operation == _GLOBAL_GET:
            self.global_get(value)
        elif operation == _GLOBAL_SET:
            self.global_set(value)
        elif operation == _MEMORY_SIZE:
            self.memory_size(value)
        elif operation == MEMORY_GROW:
            self.memory_grow(value)
        elif operation == MEMORY_COPY or operation == MEMORY_FILL:
            self.memory_native(value, operation)
        elif operation == 0:
            self.emit(m.TRAP, self.graph.immediate[value], 0, 0, 0, 0)
        else:
            assert operation == ARGUMENT or operation == RESULT

    def finished(self) -> bytes:
        """All records: the prologue, slots written behind definitions, edges with what they move."""
        graph = self.graph
        words = self.out.getvalue()
        fixes = self.fixes.getvalue()
        self.out.truncate(0)
        size: i64 = 0
        if self.has_calls:
            size = m.FRAME_CALLS | (m.FRAME_POLLS if self.polls_first() else 0)
        if self.has_vectors:
            size |= m.FRAME_VECTORS
        self.emit(m.PROLOGUE, size, 0, 0, 0, self.slots)
        self.next_label = graph.blocks
        at: i64 = 0
        end = i64(len(words))
        while at < end:
            word = read_i64_le(words, at)
            at += 8
            operation = word & 0x7F
            number = word >> 32
            if operation < FIRST_MARK:
                extensions: i64 = 0
                if word & m.EXTENDED:
                    extensions = 16 if operation == m.VECTOR_CONSTANT or operation == m.VECTOR_SHUFFLE else 8
                write_i64_le(self.out, word)
                while extensions:
                    write_i64_le(self.out, read_i64_le(words, at))
                    at += 8
                    extensions -= 8
            elif operation == EDGE:
                self.write_fix(fixes, number)
            elif operation == JUMP_IF_EDGE:
                self.write_jump_if(fixes, number, (word >> 8) & 127)
            elif operation == TARGET_EDGE:
                at = self.write_targets(words, fixes, at - 8)
            else:
                place = read_i64_le(words, at)
                at += 8
                if self.checked:
                    self.mark(operation, number, place)
                if operation == DEFINED and self.slot[number] >= 0:
                    self.store_slot(self.slot[number], place, graph.machine_class[number])
        self.emit(m.END, 0, 0, 0, 0, 0)
        return self.out.getvalue()

    def mark_edge(self, edge: i64) -> None:
        """What follows is by an edge, if that is checked."""
        if self.checked:
            self.mark(EDGE, edge, 0)

    def write_fix(self, fixes: bytes, edge: i64) -> None:
        """What an edge moves."""
        self.mark_edge(edge)
        at = self.fix_start[edge]
        while at < self.fix_end[edge]:
            write_i64_le(self.out, read_i64_le(fixes, at))
            at += 8

    def write_jump_if(self, fixes: bytes, edge: i64, condition: i64) -> None:
        """A jump by an edge on a condition; around what it moves, if it moves anything."""
        target = self.graph.target[edge]
        if self.fix_start[edge] == self.fix_end[edge]:
            self.mark_edge(edge)
            self.emit(m.JUMP_IF, condition, 0, 0, 0, target)
            return
        over = self.next_label
        self.next_label += 1
        self.emit(m.JUMP_IF, condition ^ 1, 0, 0, 0, over)
        self.write_fix(fixes, edge)
        self.emit(m.JUMP, 0, 0, 0, 0, target)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def write_targets(self, words: bytes, fixes: bytes, at: i64) -> i64:
        """The targets of a table; those that move something go to a place of their own behind it. Where the words go on."""
        first = at
        label = self.next_label
        end = i64(len(words))
        while at < end and read_i64_le(words, at) & 0x7F == TARGET_EDGE:
            edge = read_i64_le(words, at) >> 32
            if self.fix_start[edge] == self.fix_end[edge]:
                self.mark_edge(edge)
                self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, self.graph.target[edge])
            else:
                self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, self.next_label)
                self.next_label += 1
            at += 8
        while first < at:
            edge = read_i64_le(words, first) >> 32
            if self.fix_start[edge] != self.fix_end[edge]:
                self.emit(m.LABEL, 0, 0, 0, 0, label)
                label += 1
                self.write_fix(fixes, edge)
                self.emit(m.JUMP, 0, 0, 0, 0, self.graph.target[edge])
            first += 8
        return at

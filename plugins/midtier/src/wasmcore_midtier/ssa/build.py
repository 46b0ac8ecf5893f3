"""From the stream to SSA, in one walk.

The stream is structured: what a loop writes is known at its head, and a block that ways meet in comes after all of them. So parameters
are made where they are needed, and nothing is looked up twice. While values are made they are simplified (`simplify`); one that is there
already is not made again (`numbering`); and a pure one whose operands do not change in a loop is put before it.
"""

from __future__ import annotations

from wasmcore.plugin.streams.bodies import Body, FunctionTypes
from wasmcore_midtier._native import append, i64, read_i32_le, read_i64_le, vec
from wasmcore_midtier.growth import grown
from wasmcore_midtier.ssa.graph import (
    ARGUMENT,
    BRANCH,
    CALL,
    CALL_INDIRECT,
    JUMP,
    NONE,
    PARAMETER,
    RESULT,
    RETURN,
    TABLE,
    UNREACHABLE,
    Graph,
)
from wasmcore_midtier.ssa.locals.liveness import Liveness
from wasmcore_midtier.ssa.locals.local_values import LocalValues
from wasmcore_midtier.ssa.locals.loop_writes import LoopWrites
from wasmcore_midtier.ssa.operations import LOAD_FIRST, OPERANDS, OPERATIONS_END, STORE_LAST, VECTOR_FIRST
from wasmcore_midtier.ssa.values import NotBuilt, Values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_COUNT_MASK: Final = 0x7FF
_HEIGHT_MASK: Final = 0xFFFFFFFF
_REACHED: Final = 0x4000
_TARGETED: Final = 0x2000
_END_KIND_SHIFT: Final = 11
_END_BLOCK: Final = 0
_END_LOOP: Final = 1
_END_IF: Final = 2
_HAS_LOOPS: Final = 4
_LEAVES: Final = -2
"""The target of an edge that leaves the function, until it has a block."""
# Functions that are larger are left to another compiler.
MOST_WORDS: Final = 1 << 18
MOST_BLOCKS: Final = 1 << 15
MOST_DEPTH: Final = 1 << 10
MOST_KEPT: Final = 1 << 22
"""Numbers that are kept for branches, of all together."""


class Builder(Values):
    """Builds one graph after the other."""

    def __init__(self, types: FunctionTypes) -> None:
        super().__init__(types)
        self.writes: Final = LoopWrites()
        self.liveness: Final = Liveness()
        self.locals: Final = LocalValues()
        self.classes = b""
        self.loop: i64 = NONE
        # By label. Of a loop: its head.
        self.head: vec[i64] = vec[i64]()
        # Of a block: the last way to its end; how many values were known where the first way began.
        self.last_way: vec[i64] = vec[i64]()
        self.numbered: vec[i64] = vec[i64]()
        # Of an `if`: the edge of its other branch, and where what is there is kept.
        self.other: vec[i64] = vec[i64]()
        self.other_start: vec[i64] = vec[i64]()
        # Ways: the edge, where its values and locals are kept, the way before to the same label.
        self.way_edge: vec[i64] = vec[i64]()
        self.way_start: vec[i64] = vec[i64]()
        self.way_before: vec[i64] = vec[i64]()
        self.ways: i64 = 0
        # Of the function and each open block and loop: the least number of values that were known since it was opened.
        self.lows: vec[i64] = vec[i64]([0])
        self.opened: i64 = 0
        self.if_params: i64 = 0

    def build(self, stream: bytes) -> Graph:
        """The graph of a function; raises `NotBuilt`. It is the same object each time."""
        if len(stream) > 8 * MOST_WORDS:
            raise NotBuilt("many instructions")
        body = Body(self.types, stream)
        self.classes = bytes(body.classes)
        self.begin(stream, body)
        end = i64(body.end) << 3
        while self.at < end:
            word = read_i64_le(stream, self.at)
            self.word = self.at >> 3
            self.at += 8
            value = word >> 32
            if word & _EXTENDED:
                value = read_i64_le(stream, self.at)
                self.at += 8
            self.record(word & 0xFFFF, (word >> 16) & 0x7FFF, word >> 32, value)
        return self.graph

    def begin(self, stream: bytes, body: Body) -> None:
        """The first block, arguments and locals."""
        self.graph.reset()
        self.numbering.reset()
        self.stream = stream
        self.at = i64(body.start) << 3
        self.top = 0
        self.loop = NONE
        self.ways = 0
        self.opened = 0
        self.lows[0] = 0
        self.word = self.at >> 3
        self.current = self.graph.add_block(NONE, self.word)
        local_count = i64(len(self.classes))
        self.locals.begin(local_count)
        height = i64(body.height) + 8
        self.stack = grown(self.stack, height)
        labels = read_i64_le(stream, 32)
        self.head = grown(self.head, labels)
        self.last_way = grown(self.last_way, labels)
        self.numbered = grown(self.numbered, labels)
        self.other = grown(self.other, labels)
        self.other_start = grown(self.other_start, labels)
        params = i64(len(body.params))
        local: i64 = 0
        while local < local_count:
            if local < params:
                self.locals.set(local, self.put(ARGUMENT, i64(self.classes[local]), NONE, NONE, NONE, local))
            else:
                self.locals.set(local, self.zero(i64(self.classes[local])))
            local += 1
        if body.flags & _HAS_LOOPS:
            self.writes.find(stream, self.at, i64(body.end) << 3, labels, local_count)
        self.liveness.find(stream, self.at, i64(body.end) << 3, labels, local_count)

    # Blocks

    def begin_block(self) -> i64:
        """A new block, in the current loop, which is the current one from now on."""
        if self.graph.blocks == MOST_BLOCKS:
            raise NotBuilt("many blocks")
        self.current = self.graph.add_block(self.loop, self.word)
        return self.current

    def keep(self, count: i64) -> i64:
        """Keep the top values and all locals; where they are."""
        if self.locals.total > MOST_KEPT:
            raise NotBuilt("many branches and locals")
        return self.locals.keep(self.stack, self.top - count, count)

    def way_to(self, label: i64, count: i64) -> None:
        """An edge from the current block to a label, with the top values."""
        graph = self.graph
        edge = graph.add_edge(self.current)
        if self.head[label] >= 0:
            at = self.top - count
            while at < self.top:
                graph.push(self.stack[at])
                at += 1
            self.push_written(label)
            graph.connect(edge, self.head[label])
            return
        if self.numbered[label] < 0:
            self.numbered[label] = self.numbering.count
        way = self.ways
        self.ways = way + 1
        if way == i64(len(self.way_edge)):
            self.way_edge = append(self.way_edge, 0)
            self.way_start = append(self.way_start, 0)
            self.way_before = append(self.way_before, 0)
        self.way_edge[way] = edge
        before = self.last_way[label]
        if before >= 0 and graph.source[self.way_edge[before]] == self.current:
            self.way_start[way] = self.way_start[before]
        else:
            self.way_start[way] = self.keep(count)
        self.way_before[way] = before
        self.last_way[label] = way

    def push_written(self, label: i64) -> None:
        """The locals that a loop writes, as arguments."""
        writes = self.writes
        at = writes.start[label]
        while at < writes.start[label] + writes.count[label]:
            self.graph.push(self.locals.values[writes.locals[at]])
            at += 1

    def meet(self, label: i64, low: i64, run: i64, count: i64) -> None:
        """Begin the block where the ways to a label meet."""
        graph = self.graph
        known = self.numbered[label]
        self.forget_to(known if known < low else low)
        block = self.begin_block()
        last = self.last_way[label]
        merged = self.locals.merge(self.way_start, self.way_before, last, count, self.liveness, label)
        graph.params[block] = graph.pooled
        graph.param_count[block] = count + merged
        pool = self.type_pool
        at: i64 = 0
        while at < count:
            self.stack[self.top] = self.parameter(block, at, i64(pool[run + at]))
            graph.push(self.stack[self.top])
            self.top += 1
            at += 1
        while at < count + merged:
            local = self.locals.merged[at - count]
            value = self.parameter(block, at, i64(self.classes[local]))
            self.locals.set(local, value)
            graph.push(value)
            at += 1
        way = last
        while way >= 0:
            self.give_arguments(way, block, count, merged)
            way = self.way_before[way]

    def give_arguments(self, way: i64, block: i64, count: i64, merged: i64) -> None:
        """The arguments of the edge of a way."""
        graph = self.graph
        edge = self.way_edge[way]
        start = self.way_start[way]
        graph.arguments[edge] = graph.pooled
        at: i64 = 0
        while at < count:
            graph.push(self.locals.kept[start + at])
            at += 1
        at = 0
        while at < merged:
            graph.push(self.locals.get_kept(start + count, self.locals.merged[at]))
            at += 1
        graph.connect(edge, block)

    def parameter(self, block: i64, number: i64, machine_class: i64) -> i64:
        """A new parameter of a block."""
        return self.graph.add(block, PARAMETER, machine_class, NONE, NONE, NONE, number, self.word)

    # What is known

    def open(self) -> None:
        """A block or loop begins."""
        self.opened += 1
        if self.opened == i64(len(self.lows)):
            self.lows = append(self.lows, 0)
        self.lows[self.opened] = self.numbering.count

    def close(self) -> i64:
        """It ends: the least number of values that were known since it began."""
        low = self.lows[self.opened]
        self.opened -= 1
        if low < self.lows[self.opened]:
            self.lows[self.opened] = low
        return low

    def forget_to(self, count: i64) -> None:
        """Only so many values are known here."""
        self.numbering.forget_to(count)
        if count < self.lows[self.opened]:
            self.lows[self.opened] = count

    # Records

    def record(self, code: i64, flags: i64, immediate: i64, value: i64) -> None:
        """One record."""
        if code == 0x20:
            self.push(self.locals.values[immediate])
        elif code == 0x21:
            self.locals.set(immediate, self.pop())
        elif code == 0x22:
            self.locals.set(immediate, self.stack[self.top - 1])
        elif code < 0x20:
            self.control(code, flags, immediate, value)
        elif 0x41 <= code <= 0x44:
            self.push(self.constant(code - 0x40, value))
        elif code < VECTOR_FIRST and OPERANDS[code]:
            self.numeric(code)
        elif LOAD_FIRST <= code <= STORE_LAST:
            self.access(code, flags, value & 0xFFFFFFFF)
        elif VECTOR_FIRST <= code < OPERATIONS_END:
            self.vector(code, flags, immediate, value)
        else:
            self.global_or_memory(code, flags, immediate)

    # Control

    def control(self, code: i64, flags: i64, immediate: i64, value: i64) -> None:
        """Blocks, branches, calls."""
        count = flags & _COUNT_MASK
        if code == 0x0B:
            self.end(immediate, flags, value & _HEIGHT_MASK, value >> 32)
        elif code == 0x0D:
            self.branch_if(immediate, count)
        elif code == 0x02:
            self.open_label(immediate)
        elif code == 0x0C:
            self.jump(immediate, count)
        elif code == 0x10:
            self.call(CALL, immediate, i64(read_i32_le(self.function_types, immediate << 2)), 0)
        elif code == 0x04:
            self.begin_if(immediate, count)
        elif code == 0x03:
            self.begin_loop(immediate, count)
        elif code == 0x0F:
            self.leave(count)
        elif code == 0x05:
            self.begin_else(immediate, flags, value & _HEIGHT_MASK)
        elif code == 0x0E:
            self.branch_table(immediate)
        elif code == 0x11:
            self.call(CALL_INDIRECT, (flags << 32) | immediate, immediate, 1)
        elif code == 0x1A:
            self.top -= 1
        elif code == 0x1B or code == 0x1C:
            self.select(flags)
        elif code == 0x00:
            self.put(code, 0, NONE, NONE, NONE, flags)
            self.graph.end[self.current] = UNREACHABLE
        else:
            raise NotBuilt(f"operation {code:#x}")

    def open_label(self, label: i64) -> None:
        """A block begins whose end can be branched to."""
        self.head[label] = NONE
        self.last_way[label] = NONE
        self.numbered[label] = NONE
        self.other[label] = NONE
        self.open()

    def begin_loop(self, label: i64, count: i64) -> None:
        """The head of a loop."""
        graph = self.graph
        edge = graph.add_edge(self.current)
        at = self.top - count
        while at < self.top:
            graph.push(self.stack[at])
            at += 1
        self.writes.keep_live(label, self.liveness)
        self.push_written(label)
        graph.end[self.current] = JUMP
        self.loop = graph.add_loop(self.loop, graph.blocks)
        if graph.depth[self.loop] > MOST_DEPTH:
            raise NotBuilt("loops in many loops")
        block = self.begin_block()
        graph.connect(edge, block)
        graph.params[block] = graph.pooled
        writes = self.writes
        total = count + writes.count[label]
        graph.param_count[block] = total
        number: i64 = 0
        while number < total:
            if number < count:
                at = self.top - count + number
                self.stack[at] = self.parameter(block, number, graph.machine_class[self.stack[at]])
                graph.push(self.stack[at])
            else:
                local = writes.locals[writes.start[label] + number - count]
                value = self.parameter(block, number, i64(self.classes[local]))
                self.locals.set(local, value)
                graph.push(value)
            number += 1
        self.head[label] = block
        self.open()

    def begin_if(self, label: i64, count: i64) -> None:
        """if."""
        graph = self.graph
        graph.end[self.current] = BRANCH
        graph.end_value[self.current] = self.pop()
        self.open_label(label)
        then = graph.add_edge(self.current)
        self.other[label] = graph.add_edge(self.current)
        self.other_start[label] = self.keep(count)
        self.numbered[label] = self.numbering.count
        graph.connect(then, self.begin_block())

    def begin_other(self, label: i64, height: i64) -> None:
        """The block where an `if` goes otherwise, with its parameters above a height."""
        start = self.other_start[label]
        edge = self.other[label]
        self.other[label] = NONE
        self.forget_to(self.numbered[label])
        count = self.if_params
        self.top = height
        at: i64 = 0
        while at < count:
            self.push(self.locals.kept[start + at])
            at += 1
        self.locals.restore(start + count)
        self.graph.connect(edge, self.begin_block())

    def begin_else(self, label: i64, flags: i64, height: i64) -> None:
        """else."""
        if flags & _REACHED:
            self.jump(label, self.top - height)
        self.if_params = flags & _COUNT_MASK
        self.begin_other(label, height)

    def end(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """end: where the ways meet."""
        kind = (flags >> _END_KIND_SHIFT) & 3
        count = flags & _COUNT_MASK
        low = self.close()
        if kind == _END_LOOP:
            self.end_loop(flags & _REACHED)
            return
        if kind == _END_IF:
            if flags & _REACHED:
                self.jump(label, count)
            self.if_params = count
            self.begin_other(label, height)
            self.jump(label, count)
        elif kind == _END_BLOCK and not flags & _TARGETED:
            return
        elif flags & _REACHED:
            self.jump(label, count)
        self.top = height
        if self.last_way[label] >= 0:
            self.meet(label, low, run, count)

    def end_loop(self, reached: i64) -> None:
        """What follows a loop is no part of it."""
        graph = self.graph
        graph.last[self.loop] = graph.blocks - 1
        self.leave_out(self.loop)
        self.numbering.forget_hoisted(self.loop + 1)
        self.loop = graph.outer[self.loop]
        if reached:
            edge = graph.add_edge(self.current)
            graph.end[self.current] = JUMP
            graph.connect(edge, self.begin_block())

    def leave_out(self, loop: i64) -> None:
        """What stands behind the last way back is no part of a loop either, unless there are loops in it."""
        graph = self.graph
        last: i64 = NONE
        edge = graph.incoming[graph.head[loop]]
        while edge >= 0:
            if graph.source[edge] > last:
                last = graph.source[edge]
            edge = graph.another[edge]
        if last < graph.head[loop]:
            return
        block = graph.last[loop]
        while block > last and graph.block_loop[block] == loop:
            graph.block_loop[block] = graph.outer[loop]
            block -= 1
        graph.last[loop] = block

    def jump(self, label: i64, count: i64) -> None:
        """br."""
        self.way_to(label, count)
        self.graph.end[self.current] = JUMP

    def branch_if(self, label: i64, count: i64) -> None:
        """br_if."""
        graph = self.graph
        graph.end[self.current] = BRANCH
        graph.end_value[self.current] = self.pop()
        if label < 0:
            edge = graph.add_edge(self.current)
            otherwise = graph.add_edge(self.current)
            graph.connect(edge, self.begin_block())
            self.leave(count)
        else:
            self.way_to(label, count)
            otherwise = graph.add_edge(self.current)
        graph.connect(otherwise, self.begin_block())

    def branch_table(self, count: i64) -> None:
        """br_table."""
        graph = self.graph
        block = self.current
        graph.end[block] = TABLE
        graph.end_value[block] = self.pop()
        values: i64 = 0
        first = graph.edges
        leaves = False
        while count:
            word = read_i64_le(self.stream, self.at)
            self.at += 16 if word & _EXTENDED else 8
            values = (word >> 16) & _COUNT_MASK
            if word < 0:
                leaves = True
                edge = graph.add_edge(block)
                graph.target[edge] = _LEAVES
            else:
                self.way_to(word >> 32, values)
            count -= 1
        if leaves:
            self.begin_block()
            edge = first
            last = graph.edges
            while edge < last:
                if graph.target[edge] == _LEAVES:
                    graph.connect(edge, self.current)
                edge += 1
            self.leave(values)

    def leave(self, count: i64) -> None:
        """return."""
        graph = self.graph
        graph.end[self.current] = RETURN
        graph.results[self.current] = graph.pooled
        graph.result_count[self.current] = count
        at = self.top - count
        while at < self.top:
            graph.push(self.stack[at])
            at += 1

    def call(self, code: i64, immediate: i64, type_index: i64, more: i64) -> None:
        """A call, with so many operands above its arguments."""
        graph = self.graph
        signature = type_index << 4
        first_result = i64(read_i32_le(self.signatures, signature + 8))
        results = i64(read_i32_le(self.signatures, signature + 12))
        count = i64(read_i32_le(self.signatures, signature + 4)) + more
        start = graph.pooled
        at = self.top - count
        while at < self.top:
            graph.push(self.stack[at])
            at += 1
        self.top -= count
        pool = self.type_pool
        call = self.put(code, i64(pool[first_result]) if results else 0, NONE, start, count, immediate)
        if results:
            self.push(call)
        number: i64 = 1
        while number < results:
            self.push(self.put(RESULT, i64(pool[first_result + number]), call, NONE, NONE, number))
            number += 1

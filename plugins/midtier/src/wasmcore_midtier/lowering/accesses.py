"""Memory 0 and globals."""

from __future__ import annotations

from wasmcore_midtier import records as m
from wasmcore_midtier._native import i64
from wasmcore_midtier.lowering.arithmetic import Arithmetic
from wasmcore_midtier.registers.records import FLOAT, is_wide
from wasmcore_midtier.ssa.graph import MEMORY_COPY, NONE
from wasmcore_midtier.ssa.operations import V128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.unit import GlobalPlan

_BUILTIN_MEMORY_GROW: Final = 2


class Accesses(Arithmetic):
    """Writes loads, stores, and what else reaches them."""

    def ready_base(self) -> None:
        """The base register has to be loaded now."""
        if not self.based:
            self.load_base()
            self.based = True

    def is_folded(self, a: i64, offset: i64) -> bool:
        """Whether an address is a constant that can be added to the offset."""
        return self.is_constant(a) and (self.graph.immediate[a] & 0xFFFFFFFF) + offset <= 0x7FFFFFFF

    def load_address(self, a: i64, offset: i64) -> i64:
        """The register of an address, if it needs one; `scale` and `offset` say the rest."""
        self.scale = 0
        self.offset = offset
        if self.is_folded(a, offset):
            self.offset += self.graph.immediate[a] & 0xFFFFFFFF
            return m.NO_REGISTER
        if self.positions.fused[a]:
            self.scale = self.graph.immediate[self.graph.b[a]]
            return self.load(self.graph.a[a])
        return self.load(a)

    def free_address(self, a: i64) -> None:
        """An address has been used."""
        self.free_dead(self.graph.a[a] if self.positions.fused[a] else a)

    def memory_load(self, value: i64, kind: i64) -> None:
        """A load."""
        a = self.graph.a[value]
        self.ready_base()
        register = self.load_address(a, self.graph.immediate[value])
        self.unlock()
        self.free_address(a)
        d = self.define(value, register, NONE)
        self.emit_access(m.FLOAT_LOAD if d >= FLOAT else m.LOAD, kind, d, register, 0, self.offset, self.scale)
        self.defined(value)

    def memory_store(self, value: i64, kind: i64) -> None:
        """A store."""
        a = self.graph.a[value]
        b = self.graph.b[value]
        bits = self.graph.immediate[b]
        self.ready_base()
        register = self.load_address(a, self.graph.immediate[value])
        offset = self.offset
        if self.is_constant(b) and kind != 2 and kind != 3 and -0x80000000 <= bits <= 0x7FFFFFFF and offset <= 0x7FFFFFFF:
            self.emit_long(m.STORE_CONSTANT | (self.scale << m.SCALE_SHIFT), kind, 0, register, 0, offset, bits)
        else:
            x = self.load(b)
            self.emit_access(m.FLOAT_STORE if x >= FLOAT else m.STORE, kind, 0, register, x, offset, self.scale)
        self.unlock()
        self.free_address(a)
        self.free_dead(b)

    def memory_size(self, value: i64) -> None:
        """memory.size."""
        plan = self.environment.memories[0]
        d = self.define(value, NONE, NONE)
        self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, plan.offset + 8)
        if plan.page_size_log2:
            self.emit(m.SHIFT_CONSTANT, m.WIDE | (m.SHR_U << 1), d, d, 0, plan.page_size_log2)
        self.defined(value)

    def memory_grow(self, value: i64) -> None:
        """memory.grow: a built-in, whose first argument is the memory."""
        a = self.graph.a[value]
        self.want(self.source(a), i64(self.argument_integers[1]), a)
        self.reads(a, i64(self.argument_integers[1]))
        self.write_moves()
        if self.checked:
            self.mark_reads()
        self.emit(m.CONSTANT, 0, i64(self.argument_integers[0]), 0, 0, 0)
        self.emit(m.CALL_BUILTIN, 0, 0, 0, 0, _BUILTIN_MEMORY_GROW)
        self.lose_all()
        register = i64(self.result_integers[0])
        self.assign(value, register)
        self.emit(m.MOVE, 0, register, register, 0, 0)
        self.defined(value)

    def pass_native(self, value: i64, number: i64) -> None:
        """A value is an argument of a function of the C library."""
        register = i64(self.native_arguments[number])
        self.want(self.source(value), register, value)
        self.reads(value, register)

    def memory_native(self, value: i64, operation: i64) -> None:
        """memory.copy and memory.fill: functions of the C library."""
        graph = self.graph
        self.pass_native(graph.a[value], 0)
        self.pass_native(graph.b[value], 1)
        self.pass_native(graph.c[value], 2)
        self.write_moves()
        if operation == MEMORY_COPY:
            self.emit_long(m.MEMORY_COPY, 0, 0, 0, 0, self.base_offset, self.base_offset)
        else:
            self.emit_long(m.MEMORY_FILL, 0, 0, 0, 0, self.base_offset, 0)
        self.lose_file(self.native_destroyed)
        self.lose_file(self.native_arguments)

    def global_get(self, value: i64) -> None:
        """global.get."""
        plan = self.environment.globals[int(self.graph.immediate[value])]
        wide = is_wide(plan.machine_class)
        d = self.define(value, NONE, NONE)
        if plan.machine_class == V128:
            self.vector_global_get(plan, d)
        elif not plan.indirect:
            self.emit(m.FLOAT_LOAD_CONTEXT if d >= FLOAT else m.LOAD_CONTEXT, wide, d, 0, 0, plan.offset)
        elif d >= FLOAT:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            self.emit(m.FLOAT_LOAD, m.ABSOLUTE | (2 + wide), d, cell, 0, 0)
        else:
            self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, plan.offset)
            self.emit(m.LOAD, m.ABSOLUTE | wide, d, d, 0, 0)
        self.defined(value)

    def global_set(self, value: i64) -> None:
        """global.set."""
        plan = self.environment.globals[int(self.graph.immediate[value])]
        wide = is_wide(plan.machine_class)
        a = self.graph.a[value]
        x = self.load(a)
        if plan.machine_class == V128:
            self.vector_global_set(plan, x)
        elif not plan.indirect:
            self.emit(m.FLOAT_STORE_CONTEXT if x >= FLOAT else m.STORE_CONTEXT, wide, 0, x, 0, plan.offset)
        else:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            if x >= FLOAT:
                self.emit(m.FLOAT_STORE, m.ABSOLUTE | (2 + wide), 0, cell, x, 0)
            else:
                self.emit(m.STORE, m.ABSOLUTE | wide, 0, cell, x, 0)
        self.unlock()
        self.free_dead(a)

    def vector_global_get(self, plan: GlobalPlan, d: i64) -> None:
        """The value of a global that is a vector."""
        if plan.indirect:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            self.emit(m.VECTOR_LOAD, m.ABSOLUTE, d, cell, 0, 0)
        else:
            self.emit(m.VECTOR_LOAD_CONTEXT, 0, d, 0, 0, plan.offset)

    def vector_global_set(self, plan: GlobalPlan, x: i64) -> None:
        """A vector becomes the value of a global."""
        if plan.indirect:
            cell = self.free_register(self.integers, NONE)
            self.emit(m.LOAD_CONTEXT, m.WIDE, cell, 0, 0, plan.offset)
            self.emit(m.VECTOR_STORE, m.ABSOLUTE, 0, cell, x, 0)
        else:
            self.emit(m.VECTOR_STORE_CONTEXT, 0, 0, x, 0, plan.offset)

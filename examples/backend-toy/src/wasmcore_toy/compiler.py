"""A stack machine: each local and each operand has a word of the frame, in which it is whenever an instruction begins.

    rbp + 8     return address
    rbp         the caller's frame pointer
    rbp - 8     the own context
    rbp - 16    locals, then operands, 8 bytes each, downwards
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from wasmcore import stream as s
from wasmcore.errors import CompileError, NotCompiledError, TrapKind
from wasmcore.plugin import layout
from wasmcore.plugin.builtins import BUILTIN_NUMBERS
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.convention import Place
from wasmcore.plugin.unit import CompileUnit
from wasmcore.records import Record, header, records
from wasmcore_toy.assembler import (
    ABOVE,
    ADD,
    CALL,
    CARRY,
    COMPARE,
    EQUAL,
    NO_CARRY,
    NOT_EQUAL,
    NOT_SIGN,
    R10,
    RAX,
    RBP,
    RBX,
    RCX,
    RDX,
    RSP,
    Assembler,
)
from wasmcore_toy.numbers import compile_integer

_FUNCREF = layout.FUNCREF
_LOADS = {
    "load": b"\x8b", "load8_s": b"\x0f\xbe", "load8_u": b"\x0f\xb6", "load16_s": b"\x0f\xbf", "load16_u": b"\x0f\xb7",
    "load32_s": b"\x63", "load32_u": b"\x8b",
}  # fmt: skip
_STORES = {1: b"\x88", 2: b"\x89", 4: b"\x89", 8: b"\x89"}
"""By the bytes that are stored."""


def compile_unit(backend: str, version: str, unit: CompileUnit) -> CompiledCode:
    """All functions of a unit, one behind the other."""
    if unit.target != "x86_64":
        raise CompileError(f"{backend} compiles for x86_64 only, not for {unit.target}")
    made = [FunctionCompiler(unit, stream) for stream in unit.streams]
    code, functions, traps, places = bytearray(), [], [], []
    for function in made:
        function.compile()
        start = len(code)
        code += function.code
        functions.append((function.index, start, len(function.code)))
        traps += [(start + at, kind) for at, kind in function.traps]
        places += [(start + at, word) for at, word in function.places]
    return CompiledCode(
        code=bytes(code),
        functions=_table(functions),
        traps=_table(traps),
        address_map=_table(places) if unit.address_map else b"",
        target=unit.target,
        backend=backend,
        backend_version=version,
    )


def _table(rows: Iterable[tuple[int, ...]]) -> bytes:
    return b"".join([struct.pack(f"<{len(row)}I", *row) for row in rows])


class FunctionCompiler(Assembler):
    """One function: its records in order, each compiled by the method that is named like it."""

    def __init__(self, unit: CompileUnit, stream: bytes) -> None:
        super().__init__()
        self.unit, self.stream = unit, stream
        self.environment, self.convention = unit.environment, unit.convention
        words = header(stream)
        self.index, self.type, self.locals, self.maximum = words[s.HEADER_FUNCTION : s.HEADER_LABELS]
        self.has_calls = bool(words[s.HEADER_FLAGS] & s.HAS_CALLS)
        self.traps: list[tuple[int, int]] = []
        self.places: list[tuple[int, int]] = []
        self.labels: dict[int, int] = {}
        self.waiting: dict[int, list[int]] = {}
        """Jumps to a label that is not there yet."""
        self.elses: dict[int, int] = {}
        """The jump of an `if` that is not taken yet."""
        self.height = 0

    def compile(self) -> None:
        """Write the code."""
        self.enter()
        word = s.HEADER_WORDS
        try:
            for record in records(self.stream):
                word = record.word
                self.places.append((len(self.code), word))
                self.compile_record(record)
        except KeyError as error:
            raise NotCompiledError(error.args[0], self.index, word) from None

    def compile_record(self, record: Record) -> None:
        """By the name of its instruction; KeyError with the code of one that is not known here."""
        method = getattr(self, "op_" + record.name.replace(".", "_"), None)
        if method is not None:
            method(record)
        elif not compile_integer(self, record.name) and not self.access(record):
            raise KeyError(record.operation)

    # The frame

    def enter(self) -> None:
        """What every function does first."""
        self.places.append((0, 0))
        self.emit(0x55, 0x48, 0x89, 0xE5, 0x41, 0x54)  # push rbp; mov rbp, rsp; push r12
        size = 8 * (self.locals + self.maximum | 1)  # which lets calls find rsp at a multiple of 16
        self.load(RAX, self.convention.context, layout.VMCONTEXT["store"])
        self.memory(b"\x8d", R10, RSP, -size)
        self.memory(COMPARE, R10, RAX, layout.STORE["stack_limit"])
        self.trap_if(CARRY, TrapKind.STACK_OVERFLOW)
        self.emit(0x4C, 0x89, 0xD4)  # mov rsp, r10
        params = self.environment.params(self.type)
        self.receive(self.convention.arguments(params), 0)
        self.constant(RAX, 0)
        for local in range(len(params), self.locals):
            self.store(RAX, RBP, self.place_of(local))
        if self.has_calls:
            self.poll()

    def place_of(self, slot: int) -> int:
        """Of a local, or of the operand at a height when the number of locals is added: from rbp."""
        return -16 - 8 * slot

    def pop(self, register: int, wide: bool = True) -> None:
        """The top operand to a register."""
        self.height -= 1
        self.load(register, RBP, self.place_of(self.locals + self.height), wide)

    def push(self, register: int) -> None:
        """A register as the top operand."""
        self.store(register, RBP, self.place_of(self.locals + self.height))
        self.height += 1

    def copy(self, source: int, target: int) -> None:
        """One slot to another."""
        if source != target:
            self.load(RAX, RBP, self.place_of(source))
            self.store(RAX, RBP, self.place_of(target))

    def send(self, places: list[Place], first: int) -> None:
        """Slots from one on to where the convention has arguments or results: to the overflow area first, which takes registers."""
        for overflowing in (True, False):
            for slot, place in enumerate(places, first):
                offset = self.place_of(slot)
                if place.overflow >= 0 and overflowing:
                    self.load(RAX, RBP, offset)
                    self.load(R10, self.convention.context, layout.VMCONTEXT["store"])
                    self.store(RAX, R10, layout.OVERFLOW_OFFSET + layout.OVERFLOW_SLOT * place.overflow)
                elif place.overflow < 0 and not overflowing:
                    (self.load_float if place.float else self.load)(place.register, RBP, offset)

    def receive(self, places: list[Place], first: int) -> None:
        """The other way round: registers first. The context register has the own context."""
        for slot, place in enumerate(places, first):
            if place.overflow < 0:
                (self.store_float if place.float else self.store)(place.register, RBP, self.place_of(slot))
        for slot, place in enumerate(places, first):
            if place.overflow >= 0:
                self.load(R10, self.convention.context, layout.VMCONTEXT["store"])
                self.load(RAX, R10, layout.OVERFLOW_OFFSET + layout.OVERFLOW_SLOT * place.overflow)
                self.store(RAX, RBP, self.place_of(slot))

    # Traps and interrupts

    def trap(self, kind: TrapKind) -> None:
        """Stop here: by an instruction that faults, or by the built-in where there are no signals."""
        if self.unit.signals:
            self.traps.append((len(self.code), int(kind)))
            self.emit(0x0F, 0x0B)
        else:
            self.emit(0x48, 0x83, 0xE4, 0xF0)  # and rsp, -16
            self.constant(self.convention.integers[0], int(kind))
            self.builtin("trap")

    def trap_if(self, condition: int, kind: TrapKind) -> None:
        """Stop where a condition holds."""
        past = self.jump(condition ^ 1)
        self.trap(kind)
        self.land(past)

    def poll(self) -> None:
        """Let interrupts in."""
        self.load(RAX, self.convention.context, layout.VMCONTEXT["store"])
        if self.unit.signals:
            self.memory(b"\x8a", RAX, RAX, layout.POLL_OFFSET, False)
        else:
            self.memory(b"\x83", 5, RAX, layout.STORE["polls"], False)
            self.emit(1)  # sub dword [...], 1
            past = self.jump(NOT_SIGN)
            self.builtin("poll")
            self.land(past)

    def builtin(self, name: str) -> None:
        """Call a built-in, with its arguments in registers."""
        self.load(RAX, self.convention.context, layout.VMCONTEXT["builtins"])
        self.memory(b"\xff", CALL, RAX, 8 * BUILTIN_NUMBERS[name], False)

    # Control

    def branch(self, record: Record) -> None:
        """Move the values of a branch to where its label has them, and go there."""
        count, label = record.flags & s.COUNT_MASK, record.immediate
        if label == s.RETURN_LABEL:
            self.leave(count)
            return
        for n in range(count):
            self.copy(self.locals + self.height - count + n, self.locals + (record.value & s.HEIGHT_MASK) + n)
        jump = self.jump()
        if label in self.labels:
            self.land(jump, self.labels[label])
        else:
            self.waiting.setdefault(label, []).append(jump)

    def leave(self, count: int) -> None:
        """Return so many values."""
        self.send(self.convention.results(self.environment.results(self.type)), self.locals + self.height - count)
        self.emit(0xC9, 0xC3)  # leave; ret

    def op_unreachable(self, record: Record) -> None:
        self.trap(TrapKind.UNREACHABLE)

    def op_locals(self, record: Record) -> None:
        pass

    def op_block(self, record: Record) -> None:
        pass

    def op_loop(self, record: Record) -> None:
        self.labels[record.immediate] = len(self.code)
        self.poll()

    def op_if(self, record: Record) -> None:
        self.pop(RAX, wide=False)
        self.emit(0x85, 0xC0)  # test eax, eax
        self.elses[record.immediate] = self.jump(EQUAL)

    def op_else(self, record: Record) -> None:
        if record.flags & s.REACHED:
            self.waiting.setdefault(record.immediate, []).append(self.jump())
        self.land(self.elses.pop(record.immediate))
        self.height = (record.value & s.HEIGHT_MASK) + (record.flags & s.COUNT_MASK)

    def op_end(self, record: Record) -> None:
        for jump in self.waiting.pop(record.immediate, ()):
            self.land(jump)
        if record.immediate in self.elses:
            self.land(self.elses.pop(record.immediate))
        self.height = (record.value & s.HEIGHT_MASK) + (record.flags & s.COUNT_MASK)

    def op_br(self, record: Record) -> None:
        self.branch(record)

    def op_br_if(self, record: Record) -> None:
        self.pop(RAX, wide=False)
        self.emit(0x85, 0xC0)
        past = self.jump(EQUAL)
        self.branch(record)
        self.land(past)

    def op_br_table(self, record: Record) -> None:
        self.pop(RCX, wide=False)
        self.targets = iter(range(record.immediate))
        self.last_target = record.immediate - 1

    def op_target(self, record: Record) -> None:
        number = next(self.targets)
        past = None
        if number < self.last_target:
            self.code += b"\x81\xf9" + struct.pack("<I", number)  # cmp ecx, number
            past = self.jump(NOT_EQUAL)
        self.branch(record)
        if past is not None:
            self.land(past)

    def op_return(self, record: Record) -> None:
        self.leave(record.flags & s.COUNT_MASK)

    # Calls

    def op_call(self, record: Record) -> None:
        index = record.immediate
        type_index = struct.unpack_from("<I", self.environment.function_types, 4 * index)[0]
        defined = index - self.environment.imported_functions
        if defined >= 0:
            offset = self.environment.functions_offset + layout.FUNCREF_SIZE * defined
            self.memory(b"\x8d", RBX, self.convention.context, offset)
        else:
            self.load(RBX, self.convention.context, self.environment.imports_offset + 8 * index)
        self.call_record(type_index)

    def op_call_indirect(self, record: Record) -> None:
        plan, type_index = self.environment.tables[record.flags], record.immediate
        self.pop(RCX, wide=plan.index64)
        self.memory(COMPARE, RCX, self.convention.context, plan.offset + 8)
        self.trap_if(NO_CARRY, TrapKind.UNDEFINED_ELEMENT)
        self.load(RDX, self.convention.context, plan.offset)
        self.emit(0x48, 0x8B, 0x1C, 0xCA)  # mov rbx, [rdx + 8 * rcx]
        self.emit(0x48, 0x85, 0xDB)  # test rbx, rbx
        self.trap_if(EQUAL, TrapKind.UNINITIALIZED_ELEMENT)
        self.load(RDX, self.convention.context, layout.VMCONTEXT["type_ids"])
        self.load(RDX, RDX, 4 * type_index, wide=False)
        self.memory(COMPARE, RDX, RBX, _FUNCREF["type_id"], False)
        self.trap_if(NOT_EQUAL, TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
        self.call_record(type_index)

    def call_record(self, type_index: int) -> None:
        """Call the function whose funcref record is at rbx; no argument register is rbx."""
        params, results = self.environment.params(type_index), self.environment.results(type_index)
        self.height -= len(params)
        self.send(self.convention.arguments(params), self.locals + self.height)
        self.load(self.convention.context, RBX, _FUNCREF["context"])
        self.memory(b"\xff", CALL, RBX, _FUNCREF["code"], False)
        self.load(self.convention.context, RBP, -8)
        self.receive(self.convention.results(results), self.locals + self.height)
        self.height += len(results)

    # Variables

    def op_drop(self, record: Record) -> None:
        self.height -= 1

    def op_select(self, record: Record) -> None:
        self.pop(RDX, wide=False)
        self.pop(RCX)
        self.pop(RAX)
        self.emit(0x85, 0xD2, 0x48, 0x0F, 0x44, 0xC1)  # test edx, edx; cmove rax, rcx
        self.push(RAX)

    def op_local_get(self, record: Record) -> None:
        self.copy(record.immediate, self.locals + self.height)
        self.height += 1

    def op_local_set(self, record: Record) -> None:
        self.height -= 1
        self.copy(self.locals + self.height, record.immediate)

    def op_local_tee(self, record: Record) -> None:
        self.copy(self.locals + self.height - 1, record.immediate)

    def global_place(self, number: int) -> tuple[int, int]:
        """Register and displacement of a global's cell."""
        plan = self.environment.globals[number]
        if not plan.indirect:
            return self.convention.context, plan.offset
        self.load(RDX, self.convention.context, plan.offset)
        return RDX, 0

    def op_global_get(self, record: Record) -> None:
        self.refuse_vector(record)
        self.load(RAX, *self.global_place(record.immediate))
        self.push(RAX)

    def op_global_set(self, record: Record) -> None:
        self.refuse_vector(record)
        self.pop(RAX)
        self.store(RAX, *self.global_place(record.immediate))

    def refuse_vector(self, record: Record) -> None:
        """Operands have 8 bytes."""
        if record.flags == s.CLASS_V128:
            raise KeyError(record.operation)

    def op_i32_const(self, record: Record) -> None:
        self.constant(RAX, record.value & 0xFFFFFFFF)
        self.push(RAX)

    def op_i64_const(self, record: Record) -> None:
        self.constant(RAX, record.value)
        self.push(RAX)

    op_f32_const = op_i32_const  # floats are moved as their bits, and not computed with
    op_f64_const = op_i64_const

    # Memory

    def access(self, record: Record) -> bool:
        """A load or store; False if it is none that is known here."""
        kind, _, operation = record.name.partition(".")
        is_store = operation.startswith("store")
        if kind not in ("i32", "i64", "f32", "f64") or not (is_store or operation in _LOADS):
            return False
        digits = operation.removeprefix("store").removeprefix("load").partition("_")[0]
        size = int(digits or kind[1:]) // 8
        plan = self.environment.memories[record.flags & s.MEMORY_INDEX_MASK]
        if is_store:
            self.pop(RAX)
        self.pop(RCX, wide=plan.index64)
        self.constant(RDX, record.value if plan.index64 else record.value & 0xFFFFFFFF)
        self.emit(0x48, 0x01, 0xD1)  # add rcx, rdx, which check_bounds looks at
        if not plan.guarded:
            self.check_bounds(plan.offset, size)
        self.memory(ADD, RCX, self.convention.context, plan.offset)
        if is_store:
            self.memory(_STORES[size], RAX, RCX, 0, size == 8, b"\x66" if size == 2 else b"")
        else:
            self.memory(_LOADS[operation], RAX, RCX, 0, kind[1:] == "64" and operation != "load32_u")
            self.push(RAX)
        return True

    def check_bounds(self, memory: int, size: int) -> None:
        """Trap unless so many bytes from rcx on are in the memory; the sum of address and offset has just set the carry."""
        self.trap_if(CARRY, TrapKind.MEMORY_OUT_OF_BOUNDS)
        self.memory(b"\x8d", RDX, RCX, size)
        self.emit(0x48, 0x39, 0xCA)  # cmp rdx, rcx
        self.trap_if(CARRY, TrapKind.MEMORY_OUT_OF_BOUNDS)
        self.memory(COMPARE, RDX, self.convention.context, memory + 8)
        self.trap_if(ABOVE, TrapKind.MEMORY_OUT_OF_BOUNDS)

    def op_memory_size(self, record: Record) -> None:
        plan = self.environment.memories[record.immediate]
        self.load(RAX, self.convention.context, plan.offset + 8)
        self.emit(0x48, 0xC1, 0xE8, plan.page_size_log2)  # shr rax, page size
        self.push(RAX)

    def op_memory_grow(self, record: Record) -> None:
        plan = self.environment.memories[record.immediate]
        memory, pages = self.convention.integers[:2]
        self.pop(pages, wide=plan.index64)
        self.constant(memory, record.immediate)
        self.builtin("memory_grow")
        self.load(self.convention.context, RBP, -8)
        self.push(self.convention.integer_results[0])

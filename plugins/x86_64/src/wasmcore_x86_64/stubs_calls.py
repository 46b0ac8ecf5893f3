"""Stubs between Python and WebAssembly functions of one type: entry, host and built-in."""

from __future__ import annotations

from wasmcore.plugin.convention import CallingConvention, Place
from wasmcore.plugin.layout import (
    ACTIVATION,
    ACTIVATION_SIZE,
    FUNCREF,
    OVERFLOW_OFFSET,
    OVERFLOW_SLOT,
    PROCESS,
    STORE,
    THREAD,
    VMCONTEXT,
)
from wasmcore.stream import CLASS_REF
from wasmcore.types import I32, V128, ValueType
from wasmcore_x86_64.assembler import (
    CMP_STORED,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_LDMXCSR,
    DIGIT_STMXCSR,
    EQUAL,
    MOVSD,
    MOVSD_STORE,
    MOVUPS,
    MOVUPS_STORE,
    NOT_EQUAL,
    R8,
    R9,
    R10,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    STATE,
    Assembler,
)
from wasmcore_x86_64.stubs_values import VECTOR_SIZE, ValueWriter, is_float
from wasmcore_x86_64.stubs_writer import TUPLE_ITEMS, VAR_SIZE, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface

SAVED_REGISTERS: Final = (RBX, R12, R13, R14, R15)
"""Registers that a C function keeps, besides rbp and rsp; the entry stub pushes them below rbp."""
KEPT: Final = (R13, R14, R15)
"""Of them, those that carry arguments: C functions called in between leave them alone."""

# The frame of the entry stub, from rsp. Unwinding restores rsp and jumps to what stands there.
_UNWOUND: Final = 0
_MXCSR: Final = 8
_MXCSR_CHANGED: Final = 12
_SELF: Final = 16
"""Until the arguments are unboxed; then 16 bytes for what has to be kept over a call in between."""
_ACTIVATION: Final = 32
_ENTRY_SLOTS: Final = -(-(_ACTIVATION + ACTIVATION_SIZE) // 16) * 16

_NORMAL_MXCSR: Final = 0x1F80
"""Round to nearest, no flushing to zero, all exceptions masked."""
_MXCSR_FLAGS: Final = ~0x3F
_ARGUMENTS_OFFSET: Final = 1 << 63
"""`PY_VECTORCALL_ARGUMENTS_OFFSET`."""


def machine_classes(types: tuple[ValueType, ...]) -> bytes:
    """Machine classes of packed value types."""
    return bytes(min(value_type & 7, CLASS_REF) for value_type in types)


def store_place(a: Assembler, value_type: ValueType, place: Place, base: int, displacement: int, store: int) -> None:
    """Move the value of an argument or a result from its place to memory; `store` holds the store's address; uses r10, xmm8."""
    if place.overflow >= 0:
        source = OVERFLOW_OFFSET + OVERFLOW_SLOT * place.overflow
        if value_type & 7 == V128:
            a.reg_mem(MOVUPS, 0, 8, store, source)
            a.reg_mem(MOVUPS_STORE, 0, 8, base, displacement)
        else:
            a.load(R10, store, source)
            a.store(base, displacement, R10)
    elif place.float:
        a.reg_mem(MOVUPS_STORE if value_type & 7 == V128 else MOVSD_STORE, 0, place.register, base, displacement)
    else:
        a.store(base, displacement, place.register)


def load_place(a: Assembler, value_type: ValueType, place: Place, base: int, displacement: int, store: int) -> None:
    """Move a value from memory to its place; uses r10, xmm8."""
    if place.overflow >= 0:
        target = OVERFLOW_OFFSET + OVERFLOW_SLOT * place.overflow
        if value_type & 7 == V128:
            a.reg_mem(MOVUPS, 0, 8, base, displacement)
            a.reg_mem(MOVUPS_STORE, 0, 8, store, target)
        else:
            a.load(R10, base, displacement)
            a.store(store, target, R10)
    elif place.float:
        a.reg_mem(MOVUPS if value_type & 7 == V128 else MOVSD, 0, place.register, base, displacement)
    else:
        a.load(place.register, base, displacement)


class EntryWriter(ValueWriter):
    """Writes the entry stub for one type.

    It begins as a C function (self rdi, arguments rsi, count rdx) with the address of the funcref record in rax. From then on r12 holds
    that, rbx the arguments.
    """

    def __init__(
        self,
        host: HostInterface,
        convention: CallingConvention,
        params: tuple[ValueType, ...],
        results: tuple[ValueType, ...],
        release_gil: bool,
    ) -> None:
        super().__init__(host)
        self.params = params
        self.results = results
        self.release_gil = release_gil
        self.context_register = convention.context
        self.arguments = convention.arguments(machine_classes(params))
        self.returned = convention.results(machine_classes(results))
        self.spilled = release_gil or len(results) > 1 or (len(results) == 1 and results[0] & 7 == V128)
        slots = max(len(params), len(results))
        # The return address and six pushes leave rsp at 8 modulo 16.
        self.frame = _ENTRY_SLOTS + VECTOR_SIZE * slots + 8
        assert self.frame % 16 == 8
        self.failed = self.a.label()
        self.leave = self.a.label()

    def slot(self, number: int) -> int:
        """Displacement of the slot of an argument or a result."""
        return _ENTRY_SLOTS + VECTOR_SIZE * number

    def load_store(self, register: int) -> None:
        """The callee's."""
        self.a.load(register, R12, FUNCREF["context"])
        self.a.load(register, register, VMCONTEXT["store"])

    def write(self) -> bytes:
        """The stub."""
        a = self.a
        self._begin()
        for number, value_type in enumerate(self.params):
            a.load(RDI, RBX, 8 * number)
            self.unbox(value_type, self.slot(number), self._wrong_argument(number))
            place = self.arguments[number]
            if place.register in KEPT and not place.float:
                a.mov(place.register, RAX)
            else:
                self.save_value(value_type, RSP, self.slot(number))
        self._link()
        if self.release_gil:
            self.call("PyEval_SaveThread")
            a.store(RSP, _ACTIVATION + ACTIVATION["thread_state"], RAX)
        self._call()
        self._unlink()
        self._return()
        self._write_unwound()
        return self.finish()

    def _begin(self) -> None:
        a = self.a
        wrong_count = a.label()
        a.push(RBP)
        a.mov(RBP, RSP)
        for register in SAVED_REGISTERS:
            a.push(register)
        a.sub_imm(RSP, self.frame)
        a.cmp_imm(RDX, len(self.params))
        a.jump_if(NOT_EQUAL, wrong_count)
        a.mov(R12, RAX)
        a.mov(RBX, RSI)
        if self.params:
            a.store(RSP, _SELF, RDI)

        def write() -> None:
            a.bind(wrong_count)
            a.mov(RCX, RDX)
            a.mov(RDX, RDI)
            self.callback("wrong_count", b"On")
            a.jump(self.failed)

        self.later(write)

    def _wrong_argument(self, number: int) -> int:
        """Where to go when an argument does not fit: another exception is raised then, which names it."""
        a = self.a
        wrong = a.label()

        def write() -> None:
            a.bind(wrong)
            self.call("PyErr_Clear")
            a.load(RDX, RSP, _SELF)
            a.mov_imm(RCX, number)
            a.load(R8, RBX, 8 * number)
            self.callback("wrong_argument", b"OnO")
            a.jump(self.failed)

        self.later(write)
        return wrong

    def _link(self) -> None:
        """Make the activation: the innermost of the thread and of the store."""
        a = self.a
        look, enter = a.label(), a.label()
        a.bind(look)
        a.load(RAX, R12, FUNCREF["context"])
        a.load(RCX, RAX, VMCONTEXT["store"])
        a.load(RDX, RCX, STORE["thread"])
        a.load_thread_pointer(R8)
        a.reg_mem(CMP_STORED, 1, R8, RDX, THREAD["pointer"])
        a.jump_if(NOT_EQUAL, enter)
        a.load(R8, RDX, THREAD["stack_limit"])
        a.store(RCX, STORE["stack_limit"], R8)
        a.load(R8, RDX, THREAD["activation"])
        a.load(R9, RCX, STORE["activation"])
        a.load(R10, RDX, THREAD["store"])
        a.store(RSP, _ACTIVATION + ACTIVATION["previous"], R8)
        a.store(RSP, _ACTIVATION + ACTIVATION["outer"], R9)
        a.store(RSP, _ACTIVATION + ACTIVATION["outer_store"], R10)
        a.store(RSP, _ACTIVATION + ACTIVATION["store"], RCX)
        a.store(RSP, _ACTIVATION + ACTIVATION["stack"], RSP)
        a.store_imm(RSP, _ACTIVATION + ACTIVATION["thread_state"], 0)
        a.store_imm(RSP, _ACTIVATION + ACTIVATION["host_frame"], 0)
        self.unwound = a.label()
        a.lea_label(R9, self.unwound)
        a.store(RSP, _UNWOUND, R9)
        a.lea(R8, RSP, _ACTIVATION)
        a.store(RDX, THREAD["activation"], R8)
        a.store(RCX, STORE["activation"], R8)
        a.store(RDX, THREAD["store"], RCX)
        self._normalise_mxcsr()
        self.attend(self.unwound)

        def write() -> None:
            a.bind(enter)
            a.mov(RDX, RCX)
            a.mov(RCX, R8)
            self.callback("enter", b"KK")
            a.jump_if(EQUAL, self.failed)
            self._claim(look)

        self.later(write)

    def _claim(self, look: int) -> None:
        """The number in rax is the thread record of this thread. The store becomes its, unless a thread that has not ended is inside."""
        a = self.a
        claim = a.label()
        a.store(RSP, _SELF, RAX)
        a.mov(RDI, RAX)
        self.call("PyLong_AsUnsignedLongLong")
        a.load(RDI, RSP, _SELF)
        a.store(RSP, _SELF, RAX)
        self.call("Py_DecRef")
        a.load(RCX, R12, FUNCREF["context"])
        a.load(RCX, RCX, VMCONTEXT["store"])
        a.alu_mem_imm(DIGIT_CMP, 1, RCX, STORE["activation"], 0)
        a.jump_if(EQUAL, claim)
        a.load(RDX, RCX, STORE["thread"])
        a.alu_mem_imm(DIGIT_CMP, 1, RDX, THREAD["pointer"], 0)
        a.jump_if(NOT_EQUAL, look)
        a.bind(claim)
        a.load(RDX, RSP, _SELF)
        a.store_imm(RCX, STORE["activation"], 0)
        a.store(RCX, STORE["thread"], RDX)
        a.jump(look)

    def _normalise_mxcsr(self) -> None:
        a = self.a
        change, back = a.label(), a.label()
        a.reg_mem(STATE, 0, DIGIT_STMXCSR, RSP, _MXCSR)
        a.store32_imm(RSP, _MXCSR_CHANGED, 0)
        a.load32(RAX, RSP, _MXCSR)
        a.alu_imm(DIGIT_AND, 0, RAX, _MXCSR_FLAGS)
        a.alu_imm(DIGIT_CMP, 0, RAX, _NORMAL_MXCSR)
        a.jump_if(NOT_EQUAL, change)
        a.bind(back)

        def write() -> None:
            a.bind(change)
            a.store32_imm(RSP, _MXCSR_CHANGED, _NORMAL_MXCSR)
            a.reg_mem(STATE, 0, DIGIT_LDMXCSR, RSP, _MXCSR_CHANGED)
            a.jump(back)

        self.later(write)

    def _call(self) -> None:
        a = self.a
        overflowing = [number for number, place in enumerate(self.arguments) if place.overflow >= 0]
        if overflowing:
            a.load(RCX, RSP, _ACTIVATION + ACTIVATION["store"])
        # The register that holds the store may carry an argument, so overflow arguments go first.
        direct = [n for n, place in enumerate(self.arguments) if place.overflow < 0 and (place.float or place.register not in KEPT)]
        for number in overflowing + direct:
            load_place(a, self.params[number], self.arguments[number], RSP, self.slot(number), RCX)
        a.mov(RAX, R12)
        a.load(self.context_register, RAX, FUNCREF["context"])
        a.call_mem(RAX, FUNCREF["code"])

    def _unlink(self) -> None:
        """Results that have to wait go to their slots; then the activation ends. Leaves rax and xmm0 alone when they hold the result."""
        a = self.a
        a.load(RSI, RSP, _ACTIVATION + ACTIVATION["store"])
        if self.spilled:
            for number, value_type in enumerate(self.results):
                store_place(a, value_type, self.returned[number], RSP, self.slot(number), RSI)
        if self.release_gil:
            a.load(RDI, RSP, _ACTIVATION + ACTIVATION["thread_state"])
            a.store_imm(RSP, _ACTIVATION + ACTIVATION["thread_state"], 0)
            self.call("PyEval_RestoreThread")
            a.load(RSI, RSP, _ACTIVATION + ACTIVATION["store"])
        self._end_activation()

    def _end_activation(self) -> None:
        """With the store's address in rsi; uses rdi, r8, r9, r10."""
        a = self.a
        restore, back = a.label(), a.label()
        a.load(RDI, RSI, STORE["thread"])
        a.load(R8, RSP, _ACTIVATION + ACTIVATION["previous"])
        a.load(R9, RSP, _ACTIVATION + ACTIVATION["outer"])
        a.load(R10, RSP, _ACTIVATION + ACTIVATION["outer_store"])
        a.store(RDI, THREAD["activation"], R8)
        a.store(RSI, STORE["activation"], R9)
        a.store(RDI, THREAD["store"], R10)
        self._let_waiter_in()
        a.alu_mem_imm(DIGIT_CMP, 0, RSP, _MXCSR_CHANGED, 0)
        a.jump_if(NOT_EQUAL, restore)
        a.bind(back)

        def write() -> None:
            a.bind(restore)
            a.reg_mem(STATE, 0, DIGIT_LDMXCSR, RSP, _MXCSR)
            a.jump(back)

        self.later(write)

    def _let_waiter_in(self) -> None:
        """If that was the outermost activation, in r9, of the store in rsi and a thread waits for it, the store is that thread's."""
        a = self.a
        waited, back = a.label(), a.label()
        a.alu_mem_imm(DIGIT_CMP, 1, RSI, STORE["waiter"], 0)
        a.jump_if(NOT_EQUAL, waited)
        a.bind(back)

        def write() -> None:
            a.bind(waited)
            a.test(R9, R9)
            a.jump_if(NOT_EQUAL, back)
            a.store(RSP, _SELF, RAX)
            a.reg_mem(MOVSD_STORE, 0, 0, RSP, _SELF + 8)
            a.load(RDI, RSI, STORE["waiter"])
            a.store_imm(RSI, STORE["waiter"], 0)
            # The first thread record is nobody's, so whoever comes next asks.
            a.mov_imm64(RAX, self.host.process)
            a.load(RAX, RAX, PROCESS["threads"])
            a.store(RSI, STORE["thread"], RAX)
            self.call("PyThread_release_lock")
            a.load(RAX, RSP, _SELF)
            a.reg_mem(MOVSD, 0, 0, RSP, _SELF + 8)
            a.jump(back)

        self.later(write)

    def _return(self) -> None:
        """Box the results and leave."""
        a = self.a
        if not self.results:
            self.none()
        elif len(self.results) == 1:
            if self.spilled:
                self.load_value(self.results[0], RSP, self.slot(0))
            self.box(self.results[0], self.slot(0))
        else:
            self._box_tuple()
        a.bind(self.leave)
        a.add_imm(RSP, self.frame)
        for register in reversed(SAVED_REGISTERS):
            a.pop(register)
        a.pop(RBP)
        a.ret()
        a.bind(self.failed)
        a.zero(RAX)
        a.jump(self.leave)

    def _box_tuple(self) -> None:
        a = self.a
        drop = a.label()
        a.mov_imm(RDI, len(self.results))
        self.call("PyTuple_New")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, self.failed)
        a.mov(RBX, RAX)
        for number, value_type in enumerate(self.results):
            self.load_value(value_type, RSP, self.slot(number))
            self.box(value_type, self.slot(number))
            a.test(RAX, RAX)
            a.jump_if(EQUAL, drop)
            a.store(RBX, TUPLE_ITEMS + 8 * number, RAX)
        a.mov(RAX, RBX)

        def write() -> None:
            a.bind(drop)
            a.mov(RDI, RBX)
            self.call("Py_DecRef")
            a.jump(self.failed)

        self.later(write)

    def _write_unwound(self) -> None:
        """Where unwinding continues: rsp is right, the interpreter lock is held, an exception is set."""
        a = self.a
        a.bind(self.unwound)
        a.lea(RBP, RSP, self.frame + 8 * len(SAVED_REGISTERS))
        a.load(RSI, RSP, _ACTIVATION + ACTIVATION["store"])
        self._end_activation()
        a.jump(self.failed)


class HostWriter(ValueWriter):
    """Writes stubs that look like WebAssembly functions and call a Python callable.

    rbx holds the activation, r12 first the context, then the result.
    """

    def __init__(
        self, host: HostInterface, convention: CallingConvention, params: tuple[ValueType, ...], results: tuple[ValueType, ...]
    ) -> None:
        super().__init__(host)
        self.params = params
        self.results = results
        self.arguments = convention.arguments(machine_classes(params))
        self.returned = convention.results(machine_classes(results))
        self.failed = self.a.label()

    def _lay_out(self, objects: int) -> None:
        """The thread state, a word that belongs to the callee, the array of objects, the slots."""
        self.thread_state = 0
        self.vector = 16
        self.slots = -(-(self.vector + 8 * objects) // 16) * 16
        self.frame = self.slots + VECTOR_SIZE * max(len(self.params), len(self.results))

    def slot(self, number: int) -> int:
        """Displacement of the slot of an argument or a result."""
        return self.slots + VECTOR_SIZE * number

    def load_store(self, register: int) -> None:
        """The caller's."""
        self.a.load(register, RBX, ACTIVATION["store"])

    def write(self) -> bytes:
        """The stub for a host function: the callable is in the context."""
        self._lay_out(len(self.params))
        self._begin()
        self._box_arguments(0, len(self.params))
        self.a.load(RDI, R12, 8)
        self._vectorcall(len(self.params))
        if len(self.results) == 1:
            self._unbox_one()
        elif self.results:
            self._unbox_several()
        self._drop_result()
        self._end()
        return self.finish()

    def write_builtin(self, function: int) -> bytes:
        """The stub for a built-in: all values are unsigned integers, the context comes first."""
        a = self.a
        self._lay_out(len(self.params) + 1)
        self._begin()
        a.mov(RDI, R12)
        self.call("PyLong_FromUnsignedLongLong")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, self.failed)
        a.store(RSP, self.vector, RAX)
        self._box_arguments(1, len(self.params) + 1)
        a.mov_imm64(RDI, function)
        self._vectorcall(len(self.params) + 1)
        if self.results:
            self._unbox_one()
        self._drop_result()
        self._end()
        return self.finish()

    def _begin(self) -> None:
        """Bring the arguments to where Python leaves them alone, and have the interpreter lock."""
        a = self.a
        released, held = a.label(), a.label()
        a.push(RBP)
        a.mov(RBP, RSP)
        a.sub_imm(RSP, self.frame)
        a.load(RAX, R12, VMCONTEXT["store"])
        for number, place in enumerate(self.arguments):
            if place.float or place.register not in KEPT:
                store_place(a, self.params[number], place, RSP, self.slot(number), RAX)
        a.load(RBX, RAX, STORE["activation"])
        a.store(RBX, ACTIVATION["host_frame"], RBP)
        a.load(RDI, RBX, ACTIVATION["thread_state"])
        a.store(RSP, self.thread_state, RDI)
        a.test(RDI, RDI)
        a.jump_if(NOT_EQUAL, released)
        a.bind(held)

        def write() -> None:
            a.bind(released)
            a.store_imm(RBX, ACTIVATION["thread_state"], 0)
            self.call("PyEval_RestoreThread")
            a.jump(held)

        self.later(write)

    def _box_arguments(self, before: int, objects: int) -> None:
        """Fill the array of objects behind those that are there already."""
        a = self.a
        failures = [a.label() for _ in self.params]
        for number, value_type in enumerate(self.params):
            place = self.arguments[number]
            if place.register in KEPT and not place.float:
                a.mov(RAX, place.register)
            else:
                self.load_value(value_type, RSP, self.slot(number))
            self._box_argument(value_type, self.slot(number), bool(before))
            a.test(RAX, RAX)
            a.jump_if(EQUAL, failures[number])
            a.store(RSP, self.vector + 8 * (number + before), RAX)

        def write() -> None:
            """Drop those that were made, from the last."""
            for number in range(len(self.params) - 1, -1, -1):
                a.bind(failures[number])
                if number + before:
                    a.load(RDI, RSP, self.vector + 8 * (number + before - 1))
                    self.call("Py_DecRef")
            a.jump(self.failed)

        if self.params:
            self.later(write)

    def _box_argument(self, value_type: ValueType, vector: int, unsigned: bool) -> None:
        if not unsigned or is_float(value_type):
            self.box(value_type, vector)
            return
        if value_type == I32:
            self.a.mov32(RDI, RAX)
        else:
            self.a.mov(RDI, RAX)
        self.call("PyLong_FromUnsignedLongLong")

    def _vectorcall(self, count: int) -> None:
        """Call the object in rdi with the array; the result goes to r12."""
        a = self.a
        a.lea(RSI, RSP, self.vector)
        a.mov_imm64(RDX, signed(_ARGUMENTS_OFFSET + count))
        a.zero(RCX)
        self.call(self.layout.vectorcall)
        a.mov(R12, RAX)
        for number in range(count):
            a.load(RDI, RSP, self.vector + 8 * number)
            self.decref(RDI)
        a.test(R12, R12)
        a.jump_if(EQUAL, self.failed)

    def _unbox_one(self) -> None:
        a = self.a
        self.drop = a.label()
        a.mov(RDI, R12)
        self.unbox(self.results[0], self.slot(0), self.drop)
        self.save_value(self.results[0], RSP, self.slot(0))
        self._later_drop()

    def _unbox_several(self) -> None:
        a = self.a
        self.drop = a.label()
        wrong = a.label()
        a.mov(RDI, R12)
        self.call("PySequence_Tuple")
        a.mov(R13, RAX)
        self.decref(R12)
        a.mov(R12, R13)
        a.test(R12, R12)
        a.jump_if(EQUAL, self.failed)
        a.alu_mem_imm(DIGIT_CMP, 1, R12, VAR_SIZE, len(self.results))
        a.jump_if(NOT_EQUAL, wrong)
        for number, value_type in enumerate(self.results):
            a.load(RDI, R12, TUPLE_ITEMS + 8 * number)
            self.unbox(value_type, self.slot(number), self.drop)
            self.save_value(value_type, RSP, self.slot(number))

        def write() -> None:
            a.bind(wrong)
            self.address(RDI, "PyExc_TypeError")
            a.load(RDI, RDI, 0)
            self.string(RSI, b"host function returned %zd values, %zd expected")
            a.load(RDX, R12, VAR_SIZE)
            a.mov_imm(RCX, len(self.results))
            self.call_variadic("PyErr_Format")
            a.jump(self.drop)

        self.later(write)
        self._later_drop()

    def _later_drop(self) -> None:
        a = self.a

        def write() -> None:
            a.bind(self.drop)
            a.mov(RDI, R12)
            self.call("Py_DecRef")
            a.jump(self.failed)

        self.later(write)

    def _drop_result(self) -> None:
        self.decref(R12)

    def _end(self) -> None:
        """Give the interpreter lock back if it was released, load the results and return."""
        a = self.a
        release, held = a.label(), a.label()
        self.attend(self.failed)
        a.store_imm(RBX, ACTIVATION["host_frame"], 0)
        a.alu_mem_imm(DIGIT_CMP, 1, RSP, self.thread_state, 0)
        a.jump_if(NOT_EQUAL, release)
        a.bind(held)
        overflowing = [number for number, place in enumerate(self.returned) if place.overflow >= 0]
        if overflowing:
            a.load(RSI, RBX, ACTIVATION["store"])
        for number, place in enumerate(self.returned):
            load_place(a, self.results[number], place, RSP, self.slot(number), RSI)
        a.leave()
        a.ret()

        def write() -> None:
            a.bind(release)
            self.call("PyEval_SaveThread")
            a.store(RBX, ACTIVATION["thread_state"], RAX)
            a.jump(held)

        self.later(write)
        a.bind(self.failed)
        a.store_imm(RBX, ACTIVATION["host_frame"], 0)
        a.load(RSP, RBX, ACTIVATION["stack"])
        a.jump_mem(RSP, 0)

"""The stub through which Python calls WebAssembly functions of one type."""

from __future__ import annotations

from wasmcore.plugin.convention import CallingConvention
from wasmcore.plugin.layout import ACTIVATION, ACTIVATION_SIZE, FUNCREF, PROCESS, STORE, THREAD, VMCONTEXT
from wasmcore.types import REFERENCE, V128, ValueType
from wasmcore_x86_64.assembler.instructions import (
    CMP_STORED,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_LDMXCSR,
    DIGIT_STMXCSR,
    EQUAL,
    MOVSD,
    MOVSD_STORE,
    NOT_EQUAL,
    R8,
    R9,
    R10,
    R12,
    RAX,
    RBP,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    STATE,
)
from wasmcore_x86_64.stubs.places import KEPT, SAVED_REGISTERS, load_place, machine_classes, store_place
from wasmcore_x86_64.stubs.values import VECTOR_SIZE, ValueWriter, is_extern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface

# The frame of the entry stub, from rsp. Unwinding restores rsp and jumps to what stands there.
_UNWOUND: Final = 0
_MXCSR: Final = 8
_MXCSR_CHANGED: Final = 12
_SELF: Final = 16
"""Until the arguments are unboxed; then 16 bytes for what has to be kept over a call in between."""
_ACTIVATION: Final = 32
_TUPLE: Final = _ACTIVATION + ACTIVATION_SIZE
_ENTRY_SLOTS: Final = -(-(_TUPLE + 8) // 16) * 16

_NORMAL_MXCSR: Final = 0x1F80
"""Round to nearest, no flushing to zero, all exceptions masked."""
_MXCSR_FLAGS: Final = ~0x3F


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
        self.externs = [number for number, value_type in enumerate(results) if is_extern(value_type)]
        self.spilled = release_gil or len(results) > 1 or (len(results) == 1 and results[0] & 7 == V128)
        slots = max(len(params), len(results))
        # The return address and six pushes leave rsp at 8 modulo 16.
        self.frame = _ENTRY_SLOTS + VECTOR_SIZE * slots + 8
        assert self.frame % 16 == 8
        self.failed = self.a.label()
        self.refused = self.a.label()
        self.leave = self.a.label()
        self.unwound = self.a.label()

    def slot(self, number: int) -> int:
        """Displacement of the slot of an argument or a result."""
        return _ENTRY_SLOTS + VECTOR_SIZE * number

    def load_store(self, register: int) -> None:
        """The callee's."""
        self.a.load(register, R12, FUNCREF["context"])
        self.a.load(register, register, VMCONTEXT["store"])

    def load_activation_store(self, register: int) -> None:
        """From when the activation is made on."""
        self.a.load(register, RSP, _ACTIVATION + ACTIVATION["store"])

    def write(self) -> bytes:
        """The stub."""
        a = self.a
        self._begin()
        self.make_room(self.params, self.failed)
        for number, value_type in enumerate(self.params):
            a.load(RDI, RBX, 8 * number)
            if not is_extern(value_type):
                self._unbox_argument(number, self._wrong_argument(number))
            elif value_type & 7 == REFERENCE:
                self.compare_none()
                a.jump_if(EQUAL, self._wrong_argument(number))
        self._link()
        # Where a sweep finds them only from now on.
        for number, value_type in enumerate(self.params):
            if is_extern(value_type):
                a.load(RDI, RBX, 8 * number)
                self._unbox_argument(number, self.unwound)
        if self.release_gil:
            self.call("PyEval_SaveThread")
            a.store(RSP, _ACTIVATION + ACTIVATION["thread_state"], RAX)
        self._call()
        self._unlink()
        self._return()
        self._write_unwound()
        return self.finish()

    def _unbox_argument(self, number: int, failed: int) -> None:
        """The object is in rdi."""
        value_type = self.params[number]
        place = self.arguments[number]
        self.unbox(value_type, self.slot(number), failed)
        if place.register in KEPT and not place.float:
            self.a.mov(place.register, RAX)
        else:
            self.save_value(value_type, RSP, self.slot(number))

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
        if self._has_early_tuple():
            self._new_tuple(self.refused)
            a.mov(RDI, RAX)
            self.call("PyObject_GC_UnTrack")

        def write() -> None:
            a.bind(wrong_count)
            a.mov(RCX, RDX)
            a.mov(RDX, RDI)
            self.callback("wrong_count", b"On")
            a.jump(self.refused)

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
        a.store_imm(RSP, _ACTIVATION + ACTIVATION["host_stack"], 0)
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
        if self.externs:
            self._box_externs()
        if self.release_gil or self.externs:
            a.load(RSI, RSP, _ACTIVATION + ACTIVATION["store"])
        self._end_activation()

    def _box_externs(self) -> None:
        """Before Python code can run: a sweep does not find them here. One result goes to rax, or 0 with an exception set."""
        a = self.a
        if len(self.results) == 1:
            if self.spilled:
                self.load_value(self.results[0], RSP, self.slot(0))
            self.box(self.results[0], self.slot(0))
            return
        for number in self.externs:
            self.load_value(self.results[number], RSP, self.slot(number))
            self.box(self.results[number], self.slot(number))
            a.test(RAX, RAX)
            a.jump_if(EQUAL, self.unwound)
            a.load(RCX, RSP, _TUPLE)
            self.set_item(RCX, number)

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
            a.load(RBX, RSI, STORE["waiter"])
            a.store_imm(RSI, STORE["waiter"], 0)
            # The first thread record is nobody's, so whoever comes next asks.
            a.mov_imm64(RAX, self.host.process)
            a.load(RAX, RAX, PROCESS["threads"])
            a.store(RSI, STORE["thread"], RAX)
            # Somebody may have released it already; Python does not let anybody release what is free.
            a.mov(RDI, RBX)
            a.zero(RSI)
            a.zero(RDX)
            self.call("PyThread_acquire_lock_timed")
            a.mov(RDI, RBX)
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
        elif len(self.results) > 1:
            self._box_tuple()
        elif not self.externs:
            if self.spilled:
                self.load_value(self.results[0], RSP, self.slot(0))
            self.box(self.results[0], self.slot(0))
        a.bind(self.leave)
        a.add_imm(RSP, self.frame)
        for register in reversed(SAVED_REGISTERS):
            a.pop(register)
        a.pop(RBP)
        a.ret()
        a.bind(self.failed)
        if self._has_early_tuple():
            a.load(RDI, RSP, _TUPLE)
            self.call("Py_DecRef")
        a.bind(self.refused)
        a.zero(RAX)
        a.jump(self.leave)

    def _has_early_tuple(self) -> bool:
        """Whether the tuple of results is made before the call, since making one may run Python code."""
        return bool(self.externs) and len(self.results) > 1

    def _new_tuple(self, failed: int) -> None:
        a = self.a
        a.mov_imm(RDI, len(self.results))
        self.call("PyTuple_New")
        a.test(RAX, RAX)
        a.jump_if(EQUAL, failed)
        a.store(RSP, _TUPLE, RAX)

    def _box_tuple(self) -> None:
        a = self.a
        drop = self.failed
        if not self._has_early_tuple():
            self._new_tuple(self.failed)
            drop = self._later_drop()
        a.load(RBX, RSP, _TUPLE)
        for number, value_type in enumerate(self.results):
            if number in self.externs:
                continue
            self.load_value(value_type, RSP, self.slot(number))
            self.box(value_type, self.slot(number))
            a.test(RAX, RAX)
            a.jump_if(EQUAL, drop)
            self.set_item(RBX, number)
        if self._has_early_tuple():
            a.mov(RDI, RBX)
            self.call("PyObject_GC_Track")
        a.mov(RAX, RBX)

    def _later_drop(self) -> int:
        a = self.a
        drop = a.label()

        def write() -> None:
            a.bind(drop)
            a.mov(RDI, RBX)
            self.call("Py_DecRef")
            a.jump(self.failed)

        self.later(write)
        return drop

    def _write_unwound(self) -> None:
        """Where unwinding continues: rsp is right, the interpreter lock is held, an exception is set."""
        a = self.a
        a.bind(self.unwound)
        a.lea(RBP, RSP, self.frame + 8 * len(SAVED_REGISTERS))
        a.load(RSI, RSP, _ACTIVATION + ACTIVATION["store"])
        self._end_activation()
        a.jump(self.failed)

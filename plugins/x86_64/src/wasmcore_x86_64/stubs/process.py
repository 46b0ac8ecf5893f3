"""Stubs that a process has once: signal handlers, traps, unwinding, first calls, the ticker."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import partial

from wasmcore.plugin.convention import CallingConvention
from wasmcore.plugin.layout import (
    ACTIVATION,
    POLL_OFFSET,
    PROCESS,
    STORE,
    THREAD,
    THREAD_SIZE,
    VMCONTEXT,
)
from wasmcore.plugin.target import Stub
from wasmcore_x86_64.assembler.instructions import (
    ABOVE_EQUAL,
    CMP_STORED,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_FXRSTOR,
    DIGIT_FXSAVE,
    DIGIT_XRSTOR,
    DIGIT_XSAVE,
    EQUAL,
    INDIRECT,
    MOV8,
    MOVUPS,
    MOVUPS_STORE,
    R8,
    R9,
    R10,
    R11,
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
    SUB,
    Assembler,
)
from wasmcore_x86_64.cpu import LEGACY_STATE_SIZE, SAVED_STATE
from wasmcore_x86_64.stubs.signals import RED_ZONE, SignalWriter
from wasmcore_x86_64.stubs.ticker import TickerWriter
from wasmcore_x86_64.stubs.writer import PAGE, READ_WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface

_PUSHED: Final = (RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15)
_PUSHED_SIZE: Final = 8 * (1 + len(_PUSHED))
"""The flags and all registers but rsp."""
_KEPT_BY_POLL: Final = tuple(register for register in _PUSHED if register != RBP)


class ProcessWriter(SignalWriter, TickerWriter):
    """Writes the stubs, one behind the other."""

    def __init__(self, host: HostInterface, convention: CallingConvention, state_size: int) -> None:
        super().__init__(host)
        self.trap_label = self.a.label()
        self.convention = convention
        self.state_size = state_size
        self.labels: dict[str, int] = {}

    def write(self) -> Stub:
        """All of them."""
        a = self.a
        pieces: dict[str, Callable[[], None]] = {
            "signal_handler": self.signal_handler,
            "chain": self.chain,
            "trap": self._trap,
            "poll": self._poll,
            "unwind": self._unwind,
            "lazy": self._lazy,
            "thread_exit": self._thread_exit,
            "ticker": self.ticker,
            "installing_sigaction": self.installing_sigaction,
            "installing_signal": partial(self.installing_signal, "signal"),
            "installing_bsd_signal": partial(self.installing_signal, "bsd_signal"),
            "visit_object": self.visit_object,
        }
        for name, piece in pieces.items():
            a.align(16)
            self.labels[name] = a.position()
            piece()
        return Stub(self.finish(), self.labels)

    def _trap(self) -> None:
        """Continues a fault on its own stack: rsp is below the red zone, at a multiple of 16, everything else as it was interrupted.

        rbx holds the thread record, r12 the activation, r13 where the registers are, r14 the address of the fault, r15 the
        released thread state.
        """
        a = self.a
        not_poll = a.label()
        a.bind(self.trap_label)
        a.lea(RSP, RSP, -16)
        a.pushfq()
        for register in _PUSHED:
            a.push(register)
        self._find_thread(RBX)
        a.load(R12, RBX, THREAD["activation"])
        a.mov(R13, RSP)
        a.load(RAX, RBX, THREAD["trap_stack"])
        a.store(RSP, _PUSHED_SIZE, RAX)
        # A frame as if the interrupted code had called: the chain of frames goes on through it.
        a.reg_mem(INDIRECT, 0, 6, RBX, THREAD["resume_pc"])
        a.push(RBP)
        a.mov(RBP, RSP)
        a.store(R12, ACTIVATION["host_frame"], RBP)
        a.cld()
        self._save_state()
        a.store(R12, ACTIVATION["host_stack"], RSP)
        a.load(R14, RBX, THREAD["trap_address"])
        a.load(RAX, R12, ACTIVATION["store"])
        a.mov(RCX, R14)
        a.reg_reg(SUB, 1, RCX, RAX)
        a.add_imm(RCX, PAGE)
        a.cmp_imm(RCX, PAGE)
        a.jump_if(ABOVE_EQUAL, not_poll)
        self.protect_poll_page(READ_WRITE)
        # Only then: the ticker leaves alone what is withdrawn.
        a.load(RAX, R12, ACTIVATION["store"])
        a.store32_imm(RAX, STORE["withdrawn"], 0)
        a.bind(not_poll)
        # The ticker is not to count what happens in Python, however long that takes.
        a.store_imm(RBX, THREAD["store"], 0)
        self._take_lock()
        a.mov(RDX, RBX)
        a.load(RCX, RBP, 8)
        a.mov(R8, R14)
        a.load(R9, RBP, 0)
        self.callback("trap", b"KKKK")
        self._after_callback()
        a.store_imm(RBX, THREAD["seen"], 0)
        a.load(RAX, R12, ACTIVATION["store"])
        a.store(RBX, THREAD["store"], RAX)
        self._restore_state()
        self._resume()

    def _poll(self) -> None:
        """A call from code that does without signals, with the context in r12; everything is kept but the flags.

        r12 holds the activation then, r13 where the registers are, r14 the store, r15 the released thread state.
        """
        a = self.a
        a.push(RBP)
        a.mov(RBP, RSP)
        for register in _KEPT_BY_POLL:
            a.push(register)
        a.mov(R13, RSP)
        a.load(R14, R12, VMCONTEXT["store"])
        a.load(R12, R14, STORE["activation"])
        a.store(R12, ACTIVATION["host_frame"], RBP)
        self._save_state()
        a.store(R12, ACTIVATION["host_stack"], RSP)
        self._take_lock()
        a.mov(RDX, R14)
        self.callback("poll", b"K")
        self._after_callback()
        self._restore_state()
        a.mov(RSP, R13)
        for register in reversed(_KEPT_BY_POLL):
            a.pop(register)
        a.pop(RBP)
        a.ret()

    def _take_lock(self) -> None:
        """Have the interpreter lock; the activation is in r12, the thread state goes to r15, or 0 if the lock was held."""
        a = self.a
        held = a.label()
        a.load(R15, R12, ACTIVATION["thread_state"])
        a.test(R15, R15)
        a.jump_if(EQUAL, held)
        a.store_imm(R12, ACTIVATION["thread_state"], 0)
        a.mov(RDI, R15)
        self.call("PyEval_RestoreThread")
        a.bind(held)

    def _after_callback(self) -> None:
        """Unwind if it raised; else give the lock back if it was not held. Nothing that the process asks for may be left undone: the code
        may hold the lock for ever."""
        a = self.a
        answered, again, unwind, held = (a.label() for _ in range(4))
        a.bind(answered)
        a.jump_if(EQUAL, unwind)
        a.mov(RDI, RAX)
        self.call("Py_DecRef")
        self.jump_if_asked(again)
        a.store_imm(R12, ACTIVATION["host_frame"], 0)
        a.test(R15, R15)
        a.jump_if(EQUAL, held)
        self.call("PyEval_SaveThread")
        a.store(R12, ACTIVATION["thread_state"], RAX)
        a.bind(held)

        def write() -> None:
            a.bind(again)
            a.load(RDX, R12, ACTIVATION["store"])
            self.callback("poll", b"K")
            a.jump(answered)
            a.bind(unwind)
            a.store_imm(R12, ACTIVATION["host_frame"], 0)
            a.load(RSP, R12, ACTIVATION["stack"])
            a.jump_mem(RSP, 0)

        self.later(write)

    def _save_state(self) -> None:
        a = self.a
        size = self.state_size or LEGACY_STATE_SIZE
        a.sub_imm(RSP, size)
        a.alu_imm(DIGIT_AND, 1, RSP, -64)
        if not self.state_size:
            a.reg_mem(STATE, 1, DIGIT_FXSAVE, RSP, 0)
            return
        for offset in range(LEGACY_STATE_SIZE, LEGACY_STATE_SIZE + 64, 8):
            a.store_imm(RSP, offset, 0)
        a.mov_imm(RAX, SAVED_STATE)
        a.zero(RDX)
        a.reg_mem(STATE, 1, DIGIT_XSAVE, RSP, 0)

    def _restore_state(self) -> None:
        a = self.a
        if self.state_size:
            a.mov_imm(RAX, SAVED_STATE)
            a.zero(RDX)
            a.reg_mem(STATE, 1, DIGIT_XRSTOR, RSP, 0)
        else:
            a.reg_mem(STATE, 1, DIGIT_FXRSTOR, RSP, 0)

    def _resume(self) -> None:
        """Restore everything else. The pc is put below the red zone, for a `ret` that drops it with the zone."""
        a = self.a
        a.load(RAX, RBP, 8)
        a.mov(RSP, R13)
        a.load(RCX, RSP, _PUSHED_SIZE)
        a.store(RCX, -RED_ZONE - 8, RAX)
        for register in reversed(_PUSHED):
            a.pop(register)
        a.popfq()
        a.load(RSP, RSP, 0)
        a.lea(RSP, RSP, -RED_ZONE - 8)
        a.data(b"\xc2")
        a.imm16(RED_ZONE)

    def _find_thread(self, register: int) -> None:
        """The record of this thread, which has one; uses rax."""
        a = self.a
        look, found = a.label(), a.label()
        a.load_thread_pointer(RAX)
        a.mov_imm64(register, self.host.process)
        a.load(register, register, PROCESS["threads"])
        a.bind(look)
        a.reg_mem(CMP_STORED, 1, RAX, register, THREAD["pointer"])
        a.jump_if(EQUAL, found)
        a.add_imm(register, THREAD_SIZE)
        a.jump(look)
        a.bind(found)

    def _unwind(self) -> None:
        a = self.a
        self._find_thread(R10)
        a.load(RAX, R10, THREAD["activation"])
        a.load(RSP, RAX, ACTIVATION["stack"])
        a.jump_mem(RSP, 0)

    def _lazy(self) -> None:
        """The number of the function is in eax, the arguments where they are; rbx holds the activation."""
        a = self.a
        convention = self.convention
        integers = (convention.context, *convention.integers)
        vectors = 16 + 8 * len(integers)
        held, done, raised = a.label(), a.label(), a.label()
        frame = vectors + 16 * len(convention.floats)
        a.push(RBP)
        a.mov(RBP, RSP)
        a.sub_imm(RSP, -(-frame // 16) * 16)
        for number, register in enumerate(integers):
            a.store(RSP, 16 + 8 * number, register)
        for number, register in enumerate(convention.floats):
            a.reg_mem(MOVUPS_STORE, 0, register, RSP, vectors + 16 * number)
        a.mov32(R14, RAX)
        a.load(RBX, R12, VMCONTEXT["store"])
        a.load(RBX, RBX, STORE["activation"])
        a.store(RBX, ACTIVATION["host_frame"], RBP)
        a.store(RBX, ACTIVATION["host_stack"], RSP)
        a.load(R15, RBX, ACTIVATION["thread_state"])
        a.test(R15, R15)
        a.jump_if(EQUAL, held)
        a.store_imm(RBX, ACTIVATION["thread_state"], 0)
        a.mov(RDI, R15)
        self.call("PyEval_RestoreThread")
        a.bind(held)
        a.mov(RDX, R12)
        a.mov(RCX, R14)
        self.callback("compile", b"KK")
        a.store_imm(RBX, ACTIVATION["host_frame"], 0)
        a.jump_if(EQUAL, raised)
        a.mov(R14, RAX)
        a.mov(RDI, RAX)
        self.call("PyLong_AsUnsignedLongLong")
        a.store(RSP, 0, RAX)
        a.mov(RDI, R14)
        self.call("Py_DecRef")
        a.alu_mem_imm(DIGIT_CMP, 1, RSP, 0, -1)
        a.jump_if(EQUAL, raised)
        a.test(R15, R15)
        a.jump_if(EQUAL, done)
        self.call("PyEval_SaveThread")
        a.store(RBX, ACTIVATION["thread_state"], RAX)
        a.bind(done)
        for number, register in enumerate(integers):
            a.load(register, RSP, 16 + 8 * number)
        for number, register in enumerate(convention.floats):
            a.reg_mem(MOVUPS, 0, register, RSP, vectors + 16 * number)
        a.load(RAX, RSP, 0)
        a.leave()
        a.jump_reg(RAX)
        a.bind(raised)
        a.load(RSP, RBX, ACTIVATION["stack"])
        a.jump_mem(RSP, 0)

    def _thread_exit(self) -> None:
        """A C function (thread record rdi)."""
        a = self.a
        a.store_imm(RDI, THREAD["activation"], 0)
        a.store_imm(RDI, THREAD["store"], 0)
        a.store_imm(RDI, THREAD["pointer"], 0)
        a.ret()


_LAZY_STUB: Final = bytes.fromhex("0f1f00 b800000000 0f1f00 e900000000")
"""nop; mov eax, number; nop; jmp: both numbers at multiples of 4 bytes, so that all stubs of a module are written at once."""


def lazy_stubs(count: int, lazy: int, address: int) -> bytes:
    """`count` times "number to eax, go to `lazy`", which may not be further than 2 GiB away."""
    step = len(_LAZY_STUB)
    first = lazy - address - step
    if not -(1 << 31) <= first - step * count <= first < 1 << 31:
        raise MemoryError("no address space for stubs near those of the process")
    code = bytearray(_LAZY_STUB * count)
    words = memoryview(code).cast("i")
    words[1::4] = memoryview(array("i", range(count)))
    words[3::4] = memoryview(array("i", range(first, first - step * count, -step)))
    return bytes(code)


TRAMPOLINE_SIZE: Final = 24


def trampolines(count: int, data: int) -> bytes:
    """`count` times "the two addresses of the n-th pair to rax and r11, go to the second"."""
    a = Assembler()
    for number in range(count):
        a.mov_imm64(RAX, data + 16 * number)
        a.load(R11, RAX, 8)
        a.load(RAX, RAX, 0)
        a.jump_reg(R11)
        while a.position() < TRAMPOLINE_SIZE * (number + 1):
            a.int3()
    return a.code()


def self_test(convention: CallingConvention) -> bytes:
    """A function that polls and then traps."""
    a = Assembler()
    a.push(RBP)
    a.mov(RBP, RSP)
    a.load(RAX, convention.context, VMCONTEXT["store"])
    a.reg_mem(MOV8, 0, RAX, RAX, POLL_OFFSET)
    a.ud2()
    return a.code()

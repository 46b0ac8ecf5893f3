"""Stubs about signals: the handler of faults, what it passes on, and what installs handlers instead of the C library."""

from __future__ import annotations

from wasmcore.plugin.layout import CODE_REGIONS_OFFSET, GIVEN_ACTION_SIZE, GIVEN_ACTIONS_OFFSET, PROCESS, THREAD, THREAD_SIZE
from wasmcore_x86_64.assembler.instructions import (
    ABOVE_EQUAL,
    ADD,
    BELOW,
    BELOW_EQUAL,
    CMP,
    CMP_STORED,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_SHL,
    DIGIT_SHR,
    EQUAL,
    GREATER,
    INDIRECT,
    MOVZX16,
    NOT_EQUAL,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    RAX,
    RBX,
    RCX,
    RDI,
    RDX,
    RSI,
    RSP,
    SUB,
)
from wasmcore_x86_64.stubs.writer import StubWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface

# Offsets in `ucontext_t` and `siginfo_t` of Linux.
_CONTEXT_RBP: Final = 120
_CONTEXT_RSP: Final = 160
_CONTEXT_RIP: Final = 168
_SIGINFO_CODE: Final = 8
_SIGINFO_ADDRESS: Final = 16

_SYS_SIGACTION: Final = 13
_SYS_GETPID: Final = 39
_SYS_GETTID: Final = 186
_SYS_TGKILL: Final = 234
_SIGNAL_SET_SIZE: Final = 8
_IGNORE: Final = 1

_FAULT_SIGNALS: Final = 1 << 4 | 1 << 7 | 1 << 8 | 1 << 11
"""SIGILL, SIGBUS, SIGFPE, SIGSEGV."""
# Offset in `struct sigaction` of the GNU C library, and a flag.
_ACTION_FLAGS: Final = 136
_SA_RESTART: Final = 0x10000000
_NEW_ACTION: Final = 32
"""Where the copy of a new action is in the frame, behind the action of the kernel."""
_INSTALLING_FRAME: Final = _NEW_ACTION + GIVEN_ACTION_SIZE + 8
_SIGNAL_FRAME: Final = 2 * GIVEN_ACTION_SIZE + 8

# Offsets in `struct dl_phdr_info`.
_PROGRAM_HEADERS: Final = 24
"""Their number, 16 bits."""
_VISITED: Final = (0, 16, _PROGRAM_HEADERS, 32, 40)

RED_ZONE: Final = 128


class SignalWriter(StubWriter):
    """Writes these stubs; `trap_label` is where a fault goes on that is a trap."""

    trap_label: int

    def __init__(self, host: HostInterface) -> None:
        super().__init__(host)
        self._handler_label = self.a.label()
        self._sigaction_label = self.a.label()
        self._chain_label = self.a.label()

    def signal_handler(self) -> None:
        """(signal rdi, siginfo rsi, context rdx): nothing is called and nothing waited for, on whatever stack this is."""
        a = self.a
        next_region, in_code, next_thread, found = (a.label() for _ in range(4))
        other = self._chain_label
        a.bind(self._handler_label)
        a.load(R8, RDX, _CONTEXT_RIP)
        a.mov_imm64(R11, self.host.process)
        a.load(RCX, R11, PROCESS["code_count"])
        a.lea(R10, R11, CODE_REGIONS_OFFSET)
        a.load32(R9, RSI, _SIGINFO_CODE)
        a.bind(next_region)
        a.test(RCX, RCX)
        a.jump_if(EQUAL, other)
        a.mov(RAX, R8)
        a.reg_mem(SUB, 1, RAX, R10, 0)
        a.reg_mem(CMP, 1, RAX, R10, 8)
        a.jump_if(BELOW, in_code)
        a.add_imm(R10, 16)
        a.sub_imm(RCX, 1)
        a.jump(next_region)
        a.bind(in_code)
        # A signal that somebody sent is no fault.
        a.alu_imm(DIGIT_CMP, 0, R9, 0)
        a.jump_if(GREATER ^ 1, other)
        a.load_thread_pointer(RAX)
        a.load(RCX, R11, PROCESS["thread_count"])
        a.load(R10, R11, PROCESS["threads"])
        a.bind(next_thread)
        a.test(RCX, RCX)
        a.jump_if(EQUAL, other)
        a.reg_mem(CMP_STORED, 1, RAX, R10, THREAD["pointer"])
        a.jump_if(EQUAL, found)
        a.add_imm(R10, THREAD_SIZE)
        a.sub_imm(RCX, 1)
        a.jump(next_thread)
        a.bind(found)
        a.alu_mem_imm(DIGIT_CMP, 1, R10, THREAD["activation"], 0)
        a.jump_if(EQUAL, other)
        self._record_fault()

    def _record_fault(self) -> None:
        """Thread record in r10, pc in r8."""
        a = self.a
        a.store(R10, THREAD["trap_signal"], RDI)
        a.store(R10, THREAD["trap_pc"], R8)
        a.store(R10, THREAD["resume_pc"], R8)
        a.load(RAX, RSI, _SIGINFO_ADDRESS)
        a.store(R10, THREAD["trap_address"], RAX)
        a.load(RAX, RDX, _CONTEXT_RBP)
        a.store(R10, THREAD["trap_frame"], RAX)
        a.load(RAX, RDX, _CONTEXT_RSP)
        a.store(R10, THREAD["trap_stack"], RAX)
        # Nothing may be written there: what the system saved of the vector registers stands right below the red zone.
        a.lea(RCX, RAX, -RED_ZONE)
        a.alu_imm(DIGIT_AND, 1, RCX, -16)
        a.store(RDX, _CONTEXT_RSP, RCX)
        a.lea_label(RAX, self.trap_label)
        a.store(RDX, _CONTEXT_RIP, RAX)
        a.ret()

    def _load_chained(self) -> None:
        """The handler that the signal in edi is passed on to, in rax."""
        a = self.a
        a.mov32(RAX, RDI)
        a.shift_imm(DIGIT_SHL, 1, RAX, 4)
        a.mov_imm64(R10, self.host.signal_actions)
        a.reg_reg(ADD, 1, R10, RAX)
        a.load(RAX, R10, 0)

    def chain(self) -> None:
        """Do what would have been done without us. r9d > 0: it happens again on return, else it was sent."""
        a = self.a
        default, leave, special = a.label(), a.label(), a.label()
        a.bind(self._chain_label)
        self._load_chained()
        a.cmp_imm(RAX, _IGNORE)
        a.jump_if(BELOW_EQUAL, special)
        a.jump_reg(RAX)
        a.bind(special)
        a.jump_if(NOT_EQUAL, default)
        # A fault can not be ignored; the system ends the process then.
        a.alu_imm(DIGIT_CMP, 0, R9, 0)
        a.jump_if(GREATER ^ 1, leave)
        a.bind(default)
        a.mov32(R8, RDI)
        for _ in range(4):
            a.push_imm(0)
        a.mov(RSI, RSP)
        a.zero(RDX)
        a.mov_imm(R10, _SIGNAL_SET_SIZE)
        a.mov_imm(RAX, _SYS_SIGACTION)
        a.syscall()
        a.add_imm(RSP, 32)
        a.alu_imm(DIGIT_CMP, 0, R9, 0)
        a.jump_if(GREATER, leave)
        a.mov_imm(RAX, _SYS_GETPID)
        a.syscall()
        a.mov32(RDI, RAX)
        a.mov_imm(RAX, _SYS_GETTID)
        a.syscall()
        a.mov32(RSI, RAX)
        a.mov32(RDX, R8)
        a.mov_imm(RAX, _SYS_TGKILL)
        a.syscall()
        a.bind(leave)
        a.ret()

    def _unless_fault(self, name: str) -> None:
        """Go on in a C function (signal edi, ...) unless the signal is one of a fault, whose number is then in rcx."""
        a = self.a
        other = a.label()
        a.mov32(RCX, RDI)
        a.cmp_imm(RCX, _FAULT_SIGNALS.bit_length())
        a.jump_if(ABOVE_EQUAL, other)
        a.mov_imm(RAX, _FAULT_SIGNALS)
        a.shift_cl(DIGIT_SHR, 0, RAX)
        a.test_imm(0, RAX, 1)
        a.jump_if(EQUAL, other)

        def write() -> None:
            a.bind(other)
            self.address(RAX, name)
            a.jump_reg(RAX)

        self.later(write)

    def installing_sigaction(self) -> None:
        """(signal edi, new action rsi or 0, place of the old action rdx or 0). Called on any thread, also in signal handlers.

        rbx holds the signal, r12 and r13 the pointers; the stack the action that the kernel has, then a copy of the new one.
        """
        a = self.a
        theirs, no_old, no_new = a.label(), a.label(), a.label()
        a.bind(self._sigaction_label)
        self._unless_fault("sigaction")
        for register in (RBX, R12, R13):
            a.push(register)
        a.sub_imm(RSP, _INSTALLING_FRAME)
        for register, argument in ((RBX, RCX), (R12, RSI), (R13, RDX)):
            a.mov(register, argument)
        a.mov_imm(RAX, _SYS_GETPID)
        a.syscall()
        a.mov_imm64(RCX, self.host.process)
        a.reg_mem(CMP_STORED, 0, RAX, RCX, PROCESS["pid"])
        a.jump_if(NOT_EQUAL, theirs)
        a.mov(RDI, RBX)
        a.zero(RSI)
        a.mov(RDX, RSP)
        a.mov_imm(R10, _SIGNAL_SET_SIZE)
        a.mov_imm(RAX, _SYS_SIGACTION)
        a.syscall()
        a.lea_label(RAX, self._handler_label)
        a.reg_mem(CMP_STORED, 1, RAX, RSP, 0)
        a.jump_if(NOT_EQUAL, theirs)
        a.imul_imm(1, R8, RBX, GIVEN_ACTION_SIZE)
        a.mov_imm64(RAX, self.host.process + GIVEN_ACTIONS_OFFSET)
        a.reg_reg(ADD, 1, R8, RAX)
        a.test(R12, R12)
        a.jump_if(EQUAL, no_new)
        a.mov(RSI, R12)
        a.lea(RDI, RSP, _NEW_ACTION)
        self._copy_action()
        a.bind(no_new)
        a.test(R13, R13)
        a.jump_if(EQUAL, no_old)
        a.mov(RSI, R8)
        a.mov(RDI, R13)
        self._copy_action()
        a.bind(no_old)
        self._give_action()
        leave = a.label()
        a.zero(RAX)
        a.bind(leave)
        a.add_imm(RSP, _INSTALLING_FRAME)
        for register in (R13, R12, RBX):
            a.pop(register)
        a.ret()
        a.bind(theirs)
        for register, argument in ((RDI, RBX), (RSI, R12), (RDX, R13)):
            a.mov(register, argument)
        self.call("sigaction")
        a.mov_imm64(RCX, self.host.process)
        a.store32_imm(RCX, PROCESS["handlers_changed"], 1)
        a.jump(leave)

    def _give_action(self) -> None:
        """If there is a new action (r12), its copy becomes the given one (r8) and the chained one of the signal in rbx."""
        a = self.a
        done = a.label()
        a.test(R12, R12)
        a.jump_if(EQUAL, done)
        a.lea(RSI, RSP, _NEW_ACTION)
        a.mov(RDI, R8)
        self._copy_action()
        a.mov(RCX, RBX)
        a.shift_imm(DIGIT_SHL, 1, RCX, 4)
        a.mov_imm64(RAX, self.host.signal_actions)
        a.reg_reg(ADD, 1, RCX, RAX)
        a.load32(RAX, R8, _ACTION_FLAGS)
        a.store(RCX, 8, RAX)
        a.load(RAX, R8, 0)
        a.store(RCX, 0, RAX)
        a.bind(done)

    def _copy_action(self) -> None:
        """From rsi to rdi."""
        self.a.mov_imm(RCX, GIVEN_ACTION_SIZE)
        self.a.rep_movsb()

    def installing_signal(self, name: str) -> None:
        """(signal edi, handler rsi), the semantics of BSD: by sigaction with SA_RESTART. The stack has the new and the old action."""
        a = self.a
        failed = a.label()
        self._unless_fault(name)
        a.mov32(R8, RDI)
        a.sub_imm(RSP, _SIGNAL_FRAME)
        a.mov(RDI, RSP)
        a.zero(RAX)
        a.mov_imm(RCX, GIVEN_ACTION_SIZE // 8)
        a.rep_stosq()
        a.store(RSP, 0, RSI)
        a.store32_imm(RSP, _ACTION_FLAGS, _SA_RESTART)
        a.mov(RDI, R8)
        a.mov(RSI, RSP)
        a.lea(RDX, RSP, GIVEN_ACTION_SIZE)
        a.call(self._sigaction_label)
        a.test(RAX, RAX)
        a.mov_imm(RAX, -1)
        a.jump_if(NOT_EQUAL, failed)
        a.load(RAX, RSP, GIVEN_ACTION_SIZE)
        a.bind(failed)
        a.add_imm(RSP, _SIGNAL_FRAME)
        a.ret()

    def visit_object(self) -> None:
        """(`struct dl_phdr_info` rdi, its size, data rdx); under a lock of the dynamic linker's, so nothing is called."""
        a = self.a
        full = a.label()
        a.load(RCX, RDX, 0)
        a.reg_mem(INDIRECT, 1, 0, RDX, 0)
        a.reg_mem(CMP, 1, RCX, RDX, 8)
        a.jump_if(ABOVE_EQUAL, full)
        a.imul_imm(1, RCX, RCX, 8 * len(_VISITED))
        a.reg_reg(ADD, 1, RDX, RCX)
        for number, field in enumerate(_VISITED):
            if field == _PROGRAM_HEADERS:
                a.reg_mem(MOVZX16, 0, RAX, RDI, field)
            else:
                a.load(RAX, RDI, field)
            a.store(RDX, 16 + 8 * number, RAX)
        a.bind(full)
        a.zero(RAX)
        a.ret()

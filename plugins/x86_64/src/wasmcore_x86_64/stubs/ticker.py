"""The ticker: a thread of its own that looks after long calls, see `wasmcore.runtime.execution.ticker`."""

from __future__ import annotations

from wasmcore.plugin.layout import ASLEEP, PROCESS, STORE, THREAD, THREAD_SIZE
from wasmcore_x86_64.assembler.instructions import (
    ABOVE,
    BELOW_EQUAL,
    CMP_STORED,
    DIGIT_AND,
    DIGIT_CMP,
    DIGIT_OR,
    EQUAL,
    INDIRECT,
    NOT_EQUAL,
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
)
from wasmcore_x86_64.stubs.writer import StubWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SYS_FUTEX: Final = 202
_FUTEX_WAIT_PRIVATE: Final = 128

TICK: Final = 5
"""Milliseconds between two looks."""
IDLE_TICKS: Final = 200
"""Looks that find nothing to do before it sleeps."""
_KEPT: Final = (RBX, R12, R13, R14, R15)
_FRAME: Final = 24
"""A `struct timespec`, and what aligns the stack."""


class TickerWriter(StubWriter):
    """Writes this stub."""

    def ticker(self) -> None:
        """A C function that a thread of its own runs, in which all signals are blocked.

        r12 holds the process record, ebx how many looks in a row found nothing to do, r13d the word it sleeps on, as it was.
        """
        a = self.a
        look, doze, sleep, asleep, leave = (a.label() for _ in range(5))
        a.push(RBP)
        a.mov(RBP, RSP)
        for register in _KEPT:
            a.push(register)
        a.sub_imm(RSP, _FRAME)
        a.mov_imm64(R12, self.host.process)
        a.zero(RBX)
        a.bind(look)
        a.alu_mem_imm(DIGIT_CMP, 0, R12, PROCESS["ticker_stop"], 0)
        a.jump_if(NOT_EQUAL, leave)
        a.cmp_imm(RBX, IDLE_TICKS)
        a.jump_if(ABOVE, asleep)
        a.load32(R13, R12, PROCESS["ticker_wakes"])
        a.jump_if(NOT_EQUAL, doze)
        # One more tick goes by before it sleeps, for who entered without seeing this.
        a.lock()
        a.alu_mem_imm(DIGIT_OR, 0, R12, PROCESS["ticker_asleep"], ASLEEP)
        a.bind(doze)
        a.store_imm(RSP, 0, 0)
        a.store_imm(RSP, 8, TICK * 1_000_000)
        a.mov(R10, RSP)
        a.jump(sleep)
        a.bind(asleep)
        a.mov_imm(RBX, -1)
        a.zero(R10)
        a.bind(sleep)
        a.lea(RDI, R12, PROCESS["ticker_wakes"])
        a.mov_imm(RSI, _FUTEX_WAIT_PRIVATE)
        a.mov(RDX, R13)
        a.mov_imm(RAX, _SYS_FUTEX)
        a.syscall()
        a.add_imm(RBX, 1)
        self._scan()
        a.jump(look)
        a.bind(leave)
        a.lock()
        a.alu_mem_imm(DIGIT_OR, 0, R12, PROCESS["ticker_asleep"], ASLEEP)
        a.add_imm(RSP, _FRAME)
        for register in reversed(_KEPT):
            a.pop(register)
        a.pop(RBP)
        a.zero(RAX)
        a.ret()

    def _scan(self) -> None:
        """Look at the store that each thread is inside: withdraw its poll page if it was there at the last look, too. Python does not
        free a store meanwhile."""
        a = self.a
        next_thread, note, done, awake = (a.label() for _ in range(4))
        a.reg_mem(INDIRECT, 0, 0, R12, PROCESS["ticker_scans"])
        a.mfence()
        a.load(R14, R12, PROCESS["thread_count"])
        a.load(R15, R12, PROCESS["threads"])
        a.bind(next_thread)
        a.add_imm(R15, THREAD_SIZE)
        a.sub_imm(R14, 1)
        a.jump_if(BELOW_EQUAL, done)
        a.load(RAX, R15, THREAD["store"])
        a.test(RAX, RAX)
        a.jump_if(EQUAL, note)
        a.alu_mem_imm(DIGIT_CMP, 0, RAX, STORE["withdrawn"], 0)
        a.jump_if(NOT_EQUAL, note)
        a.zero(RBX)
        a.reg_mem(CMP_STORED, 1, RAX, R15, THREAD["seen"])
        a.jump_if(NOT_EQUAL, note)
        a.store(RSP, 0, RAX)
        a.store32_imm(RAX, STORE["withdrawn"], 1)
        self.protect_poll_page(0)
        a.mov(RCX, RAX)
        a.load(RAX, RSP, 0)
        a.test(RCX, RCX)
        a.jump_if(EQUAL, note)
        a.store32_imm(RAX, STORE["withdrawn"], 0)
        a.bind(note)
        a.store(R15, THREAD["seen"], RAX)
        a.jump(next_thread)
        a.bind(done)
        a.reg_mem(INDIRECT, 0, 0, R12, PROCESS["ticker_scans"])
        a.test(RBX, RBX)
        a.jump_if(NOT_EQUAL, awake)
        a.lock()
        a.alu_mem_imm(DIGIT_AND, 0, R12, PROCESS["ticker_asleep"], ~ASLEEP)
        a.bind(awake)

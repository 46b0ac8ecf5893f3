"""The x86-64 target on Linux, as core sees it."""

from __future__ import annotations

import ctypes
import os
import sys

from wasmcore.plugin.code import CONTRACT
from wasmcore.plugin.convention import CallingConvention
from wasmcore.types import ValueType
from wasmcore_x86_64 import __version__
from wasmcore_x86_64.assembler.instructions import R8, R9, R12, R13, R14, R15, RAX, RBP, RCX, RDI, RDX, RSI, RSP
from wasmcore_x86_64.cpu import processor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface, Stub

CONVENTION: Final = CallingConvention(
    context=R12,
    integers=(R13, R14, R15, RDI, RSI, RDX, RCX, R8, R9),
    floats=(0, 1, 2, 3, 4, 5, 6, 7),
    integer_results=(RAX, RDX, RCX),
    float_results=(0, 1),
    stack=RSP,
    frame=RBP,
    link=-1,
    alignment=16,
)
"""LLVM's `preserve_none`: nothing but rbp and rsp survives a call."""

_FRAME: Final = ctypes.c_uint64 * 2
_NEEDED: Final = "sse4.1"


class X86_64:
    """`wasmcore.plugin.target.Target` for x86-64 Linux. The modules that write stubs are imported when one is needed."""

    name = "x86_64"
    version = __version__
    contract = CONTRACT
    convention = CONVENTION

    def unsupported(self) -> str | None:
        """Why this process can not run its code, or None."""
        if not sys.platform.startswith("linux"):
            return f"the x86-64 target runs on Linux only, this is {sys.platform}"
        if os.uname().machine != "x86_64" or sys.maxsize < 1 << 32:
            return f"the x86-64 target needs a 64-bit Python on x86-64, this is {os.uname().machine}"
        if sys.implementation.name != "cpython":
            return f"the x86-64 target needs CPython, this is {sys.implementation.name}"
        if "t" in sys.abiflags:
            return "free-threaded builds of Python are not supported yet; use an ordinary one"
        if _NEEDED not in processor().features:
            return f"the processor has no {_NEEDED.upper()}"
        return None

    def features(self) -> frozenset[str]:
        """CPU features of the running processor, by their names in LLVM."""
        return processor().features

    def publish(self, address: int, size: int) -> None:
        """Nothing: instructions are fetched from what was stored."""

    def caller(self, frame: int) -> tuple[int, int]:
        """`push rbp; mov rbp, rsp` has left both at the frame pointer."""
        previous, address = _FRAME.from_address(frame)
        return previous, address

    def disassembler(self) -> tuple[int, int]:
        """`CS_ARCH_X86`, `CS_MODE_64`."""
        return 3, 8

    def process_stubs(self, host: HostInterface) -> Stub:
        """Stubs made once per process."""
        from wasmcore_x86_64.stubs.process import ProcessWriter

        return ProcessWriter(host, self.convention, processor().state_size).write()

    def lazy_stubs(self, count: int, lazy: int, address: int) -> bytes:
        """`count` pieces of equal length that go to `lazy`."""
        from wasmcore_x86_64.stubs.process import lazy_stubs

        return lazy_stubs(count, lazy, address)

    def entry_stub(self, host: HostInterface, params: tuple[ValueType, ...], results: tuple[ValueType, ...], release_gil: bool) -> bytes:
        """Python calls WebAssembly."""
        from wasmcore_x86_64.stubs.entry import EntryWriter

        return EntryWriter(host, self.convention, params, results, release_gil).write()

    def trampolines(self, count: int, address: int, data: int) -> bytes:
        """`count` METH_FASTCALL functions that read a table."""
        from wasmcore_x86_64.stubs.process import trampolines

        return trampolines(count, data)

    def host_stub(self, host: HostInterface, params: tuple[ValueType, ...], results: tuple[ValueType, ...]) -> bytes:
        """WebAssembly calls a Python function."""
        from wasmcore_x86_64.stubs.host import HostWriter

        return HostWriter(host, self.convention, params, results).write()

    def builtin_stub(self, host: HostInterface, params: bytes, results: bytes, function: int) -> bytes:
        """WebAssembly calls a built-in of the runtime."""
        from wasmcore_x86_64.stubs.host import HostWriter

        return HostWriter(host, self.convention, tuple(params), tuple(results)).write_builtin(function)

    def self_test(self) -> bytes:
        """A function that polls and then traps."""
        from wasmcore_x86_64.stubs.process import self_test

        return self_test(self.convention)

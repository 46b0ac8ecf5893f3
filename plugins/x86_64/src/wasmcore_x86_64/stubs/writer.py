"""What all stubs are written with: calls of C functions, constants in the code, code out of the way, Python's objects."""

from __future__ import annotations

from collections.abc import Callable

from wasmcore.plugin.layout import PROCESS
from wasmcore_x86_64.assembler.instructions import (
    CMP_STORED,
    DIGIT_CMP,
    EQUAL,
    INDIRECT,
    NOT_EQUAL,
    R11,
    RAX,
    RCX,
    RDI,
    RDX,
    RSI,
    SIGN,
    TEST,
    Assembler,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasmcore.plugin.target import HostInterface, ObjectLayout


_SYS_MPROTECT: Final = 10
PAGE: Final = 4096
READ_WRITE: Final = 3
"""Protection of pages."""

ARGUMENT_REGISTERS: Final = (RDI, RSI, RDX, RCX, 8, 9)
"""Of C functions."""


def signed(value: int) -> int:
    """The same 64 bits as a signed number."""
    return value - (1 << 64) if value >> 63 else value


class StubWriter:
    """An assembler with what stubs have in common."""

    def __init__(self, host: HostInterface) -> None:
        self.a = Assembler()
        self.host = host
        self.objects = host.objects
        self._later: list[Callable[[], None]] = []
        self._strings: dict[bytes, int] = {}
        self._routines: dict[str, int] = {}

    def later(self, write: Callable[[], None]) -> None:
        """Let something be written out of the way, behind what is written now."""
        self._later.append(write)

    def routine(self, name: str, write: Callable[[], None]) -> int:
        """The label of a local routine, which is written once."""
        label = self._routines.get(name)
        if label is None:
            label = self._routines[name] = self.a.label()

            def bind_and_write(label: int = label) -> None:
                self.a.bind(label)
                write()

            self.later(bind_and_write)
        return label

    def finish(self) -> bytes:
        """The code, after everything that was put off."""
        while self._later:
            self._later.pop(0)()
        for text, label in self._strings.items():
            self.a.bind(label)
            self.a.data(text + b"\0")
        return self.a.code()

    def string(self, register: int, text: bytes) -> None:
        """Address of a C string in the code."""
        label = self._strings.get(text)
        if label is None:
            label = self._strings[text] = self.a.label()
        self.a.lea_label(register, label)

    def address(self, register: int, name: str) -> None:
        """Address of a function or an object of Python's."""
        self.a.mov_imm64(register, self.host.symbols[name])

    def call(self, name: str) -> None:
        """Call a function of Python's or of the C library; the stack is aligned."""
        self.address(RAX, name)
        self.a.call_reg(RAX)

    def call_variadic(self, name: str) -> None:
        """The same with variable arguments, none of them floats."""
        self.address(R11, name)
        self.a.zero(RAX)
        self.a.call_reg(R11)

    def callback(self, name: str, arguments: bytes) -> None:
        """Call a callback with C values (`Py_BuildValue`'s letters), which stand from the third argument register on; the result in rax
        and in the flags: equal for NULL."""
        self.a.mov_imm64(RDI, self.host.callbacks[name])
        self.string(RSI, arguments)
        self.call_variadic("PyObject_CallFunction")
        self.a.test(RAX, RAX)

    def jump_if_asked(self, label: int) -> None:
        """Go somewhere if the process asks for the callback `attend`; uses rax."""
        self.a.mov_imm64(RAX, self.host.process)
        self.a.alu_mem_imm(DIGIT_CMP, 1, RAX, PROCESS["handlers_changed"], 0)
        self.a.jump_if(NOT_EQUAL, label)

    def attend(self, failed: int) -> None:
        """Call the callback `attend` until the process does not ask for it; to a label if that raises. C functions' registers are lost."""
        a = self.a
        look, asked = a.label(), a.label()
        a.bind(look)
        self.jump_if_asked(asked)

        def write() -> None:
            a.bind(asked)
            self.callback("attend", b"")
            a.jump_if(EQUAL, failed)
            a.mov(RDI, RAX)
            self.call("Py_DecRef")
            a.jump(look)

        self.later(write)

    def protect_poll_page(self, protection: int) -> None:
        """Of the store in rax; the result in rax, what system calls use is lost."""
        a = self.a
        a.lea(RDI, RAX, -PAGE)
        a.mov_imm(RSI, PAGE)
        a.mov_imm(RDX, protection)
        a.mov_imm(RAX, _SYS_MPROTECT)
        a.syscall()

    def raise_error(self, exception: str, message: bytes) -> None:
        """Set an exception."""
        self.address(RDI, exception)
        self.a.load(RDI, RDI, 0)
        self.string(RSI, message)
        self.call("PyErr_SetString")

    def decref(self, register: int) -> None:
        """Drop a reference held in a register; what C functions change is lost."""
        a = self.a
        if self.objects is None:
            if register != RDI:
                a.mov(RDI, register)
            self.call("Py_DecRef")
            return
        immortal = self.objects.immortal
        if immortal:
            a.load32(RAX, register, 0)
            a.reg_reg(TEST, 0, RAX, RAX)
            counted = a.short_jump_if(SIGN)
        a.reg_mem(INDIRECT, 0 if immortal else 1, 1, register, 0)
        free = a.label()
        back = a.label()
        a.jump_if(EQUAL, free)
        if immortal:
            a.bind_short(counted)
        a.bind(back)

        def write() -> None:
            a.bind(free)
            if register != RDI:
                a.mov(RDI, register)
            self.call("_Py_Dealloc")
            a.jump(back)

        self.later(write)

    def known_objects(self, register: int, name: str, label: int) -> ObjectLayout | None:
        """The layout of an object that is exactly of a type; goes somewhere if it is not, or if nothing is known of objects. Uses rax."""
        if self.objects is None:
            self.a.jump(label)
            return None
        self.address(RAX, name)
        self.a.reg_mem(CMP_STORED, 1, RAX, register, self.objects.type)
        self.a.jump_if(NOT_EQUAL, label)
        return self.objects

    def set_item(self, items: int, number: int) -> None:
        """Give the object in rax to a new tuple in a register; what C functions change is lost."""
        a = self.a
        if self.objects is not None:
            a.store(items, self.objects.tuple_items + 8 * number, RAX)
            return
        a.mov(RDX, RAX)
        if items != RDI:
            a.mov(RDI, items)
        a.mov_imm(RSI, number)
        self.call("PyTuple_SetItem")

    def get_item(self, items: int, number: int) -> None:
        """rdi = an item of a tuple in a register, a borrowed reference; what C functions change is lost."""
        a = self.a
        if self.objects is not None:
            a.load(RDI, items, self.objects.tuple_items + 8 * number)
            return
        a.mov(RDI, items)
        a.mov_imm(RSI, number)
        self.call("PyTuple_GetItem")
        a.mov(RDI, RAX)

    def compare_size(self, items: int, count: int) -> None:
        """Compare how many items a tuple in a register has; what C functions change is lost."""
        a = self.a
        if self.objects is not None:
            a.alu_mem_imm(DIGIT_CMP, 1, items, self.objects.size, count)
            return
        a.mov(RDI, items)
        self.call("PyTuple_Size")
        a.cmp_imm(RAX, count)

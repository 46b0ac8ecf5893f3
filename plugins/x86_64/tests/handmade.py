"""Functions as a compiler would make them, written by hand, with contexts of their own: what the tests of the stubs call."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import Any

from wasmcore.errors import Frame, TrapKind
from wasmcore.plugin.layout import FUNCREF_SIZE, OVERFLOW_OFFSET, OVERFLOW_SLOT, POLL_OFFSET, STORE, VMCONTEXT, VMCONTEXT_HEAD_SIZE
from wasmcore.runtime.execution import traps
from wasmcore.runtime.execution.code_memory import wasm_code
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.execution.stubs import Machine, machine
from wasmcore.runtime.objects.values import pack_value
from wasmcore.types import FuncType
from wasmcore_x86_64.assembler.instructions import BELOW, CMP, DIGIT_SUB, MOV8, MOVUPS, MOVUPS_STORE, R10, R12, RAX, RBP, RSP, Assembler
from wasmcore_x86_64.stubs.places import machine_classes
from wasmcore_x86_64.target import CONVENTION, X86_64

I32, I64, F32, F64, FUNCREF, EXTERNREF = 1, 2, 3, 4, 6, 14
SLOTS = VMCONTEXT_HEAD_SIZE
"""Where the context's array of imported functions starts."""


def the_machine() -> Machine:
    """The machine, with handlers installed; it knows no references to functions."""
    found = machine(X86_64())
    found.ensure_signals()
    found.unbox_reference = refuse
    found.host_function = lambda context: host_functions[context]
    found.pack_value = pack_value
    return found


host_functions: dict[int, tuple[str, FuncType]] = {}


def refuse(kind: int, value: Any, store: int) -> int:
    """Nothing is a function."""
    raise TypeError("funcref expected")


class Owner:
    """Owner of a function's builtin."""

    def __init__(self) -> None:
        self._trampoline: Any = None
        self.kept: list[Any] = []


class Code:
    """Owner of a function's code."""

    def __init__(self, name: str, sites: dict[int, TrapKind]) -> None:
        self.name = name
        self.traps = sites

    def trap_kind(self, offset: int) -> TrapKind | None:
        return self.traps.get(offset)

    def keep(self) -> object:
        return self

    def frames(self, offset: int, is_return_address: bool) -> list[Frame]:
        return [Frame("handmade", 0, self.name, offset)]

    def function(self, offset: int) -> Frame:
        return Frame("handmade", 0, self.name, None)


class World:
    """A store with functions in it."""

    def __init__(self) -> None:
        self.machine = the_machine()
        self.store = Store()
        self.objects: tuple[dict[int, object], dict[int, object]] = {}, {}
        self.store.share_objects(id(self.objects[0]), id(self.objects[1]), 1 << 20)
        self.kept: list[Any] = []

    def context(self, *imports: int) -> int:
        """A VMContext with imported functions."""
        memory = (ctypes.c_uint64 * ((SLOTS + 8 * len(imports)) // 8))()
        for number, funcref in enumerate(imports):
            memory[SLOTS // 8 + number] = funcref
        self.kept.append(memory)
        self.store.adopt(ctypes.addressof(memory))
        return ctypes.addressof(memory)

    def funcref(self, code: int, context: int) -> int:
        """A funcref record."""
        record = (ctypes.c_uint64 * (FUNCREF_SIZE // 8))(code, context)
        self.kept.append(record)
        return ctypes.addressof(record)

    def host(self, params: tuple[int, ...], results: tuple[int, ...], function: Callable[..., Any]) -> int:
        """The funcref record of a Python function."""
        context = (ctypes.c_uint64 * 2)(0, id(function))
        self.kept += [context, function]
        host_functions[ctypes.addressof(context)] = "host", FuncType(params, results)
        self.store.adopt(ctypes.addressof(context))
        return self.funcref(self.machine.host_code(FuncType(params, results)), ctypes.addressof(context))

    def function(
        self,
        params: tuple[int, ...],
        results: tuple[int, ...],
        write: Callable[[Assembler], dict[int, TrapKind] | None],
        imports: tuple[int, ...] = (),
        name: str = "f",
        release: bool = False,
    ) -> Any:
        """A builtin for code that `write` writes; it may return trap sites."""
        a = Assembler()
        owner = Owner()
        code = Code(name, write(a) or {})
        block = wasm_code.allocate(a.code(), X86_64().publish)
        traps.register(block.address, block.address + block.size, code)
        weakref.finalize(owner, traps.unregister, block.address)
        funcref = self.funcref(block.address, self.context(*imports))
        owner.kept = [self, block, funcref]
        self.kept.append(block)
        call = self.machine.builtin(owner, name, "", FuncType(params, results), funcref, release)
        return call


def funcref_of(builtin: Any) -> int:
    """Address of the funcref record of a builtin."""
    address: int = builtin.__self__.kept[2]
    return address


def prologue(a: Assembler, frame: int = 64, poll: bool = False) -> dict[int, TrapKind]:
    """Frame, stack check, poll; the caller's context goes to [rbp - 8]. The trap site of the check is returned."""
    a.push(RBP)
    a.mov(RBP, RSP)
    a.alu_imm(DIGIT_SUB, 1, RSP, frame)
    a.store(RBP, -8, R12)
    a.load(RAX, R12, VMCONTEXT["store"])
    a.reg_mem(CMP, 1, RSP, RAX, STORE["stack_limit"])
    below = a.short_jump_if(BELOW)
    over = a.short_jump()
    a.bind_short(below)
    site = a.position()
    a.ud2()
    a.bind_short(over)
    if poll:
        a.reg_mem(MOV8, 0, RAX, RAX, POLL_OFFSET)
    return {site: TrapKind.STACK_OVERFLOW}


def epilogue(a: Assembler) -> None:
    """Leave and return."""
    a.leave()
    a.ret()


def call_import(a: Assembler, number: int) -> None:
    """Call an imported function and have the own context back."""
    a.load(RAX, RBP, -8)
    a.load(RAX, RAX, SLOTS + 8 * number)
    a.load(R12, RAX, 8)
    a.call_mem(RAX, 0)
    a.load(R12, RBP, -8)


def overflow_operand(a: Assembler, register: int, slot: int) -> None:
    """The address of an overflow slot."""
    a.load(register, R12, VMCONTEXT["store"])
    a.lea(register, register, OVERFLOW_OFFSET + OVERFLOW_SLOT * slot)


def move_values(a: Assembler, types: tuple[int, ...]) -> None:
    """Turn the arguments into results of the same types, in order: through the stack."""
    frame = 16 * len(types) + 16
    sources = CONVENTION.arguments(machine_classes(types))
    targets = CONVENTION.results(machine_classes(types))
    prologue(a, -(-frame // 16) * 16)
    for number, place in enumerate(sources):
        at = 16 * number - frame
        if place.overflow >= 0:
            overflow_operand(a, R10, place.overflow)
            a.reg_mem(MOVUPS, 0, 8, R10, 0)
            a.reg_mem(MOVUPS_STORE, 0, 8, RBP, at)
        elif place.float:
            a.reg_mem(MOVUPS_STORE, 0, place.register, RBP, at)
        else:
            a.store(RBP, at, place.register)
    for number, place in enumerate(targets):
        at = 16 * number - frame
        if place.overflow >= 0:
            overflow_operand(a, R10, place.overflow)
            a.reg_mem(MOVUPS, 0, 8, RBP, at)
            a.reg_mem(MOVUPS_STORE, 0, 8, R10, 0)
    for number, place in enumerate(targets):
        at = 16 * number - frame
        if place.overflow < 0 and place.float:
            a.reg_mem(MOVUPS, 0, place.register, RBP, at)
        elif place.overflow < 0:
            a.load(place.register, RBP, at)
    epilogue(a)

"""Moving arguments and results between memory and where the calling convention has them."""

from __future__ import annotations

from wasmcore.plugin.convention import Place
from wasmcore.plugin.layout import OVERFLOW_OFFSET, OVERFLOW_SLOT
from wasmcore.stream import CLASS_REF
from wasmcore.types import V128, ValueType
from wasmcore_x86_64.assembler.instructions import MOVSD, MOVSD_STORE, MOVUPS, MOVUPS_STORE, R10, R12, R13, R14, R15, RBX, Assembler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SAVED_REGISTERS: Final = (RBX, R12, R13, R14, R15)
"""Registers that a C function keeps, besides rbp and rsp; the entry stub pushes them below rbp."""
KEPT: Final = (R13, R14, R15)
"""Of them, those that carry arguments: C functions called in between leave them alone."""


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

"""The lowering protocol: what a target provides for this compiler.

A target names a module (or any object) in the entry-point group `wasmcore_singlepass.targets` under its own name; it has the
attributes of `Lowering`. Registers are hardware numbers, below `MOST_REGISTERS`; those of the integer and of the float file are apart.
The context register, the register for the base of memory 0 and whatever scratch registers the encoder needs are not among those listed
here.
"""

from __future__ import annotations

from wasmcore.plugin.convention import CallingConvention

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Protocol
else:
    Protocol = object  # the import of `typing` takes longer than that of all of this

PROTOCOL: Final = (5, 0)
"""Version of this protocol and of the records; a target works when the first number is equal and its second not greater."""
MOST_REGISTERS: Final = 30
"""Registers of each file that values can be in; others are the encoder's own."""
ENTRY_POINT_GROUP: Final = "wasmcore_singlepass.targets"
FUNCTIONS: Final = ("shifts_by_any", "encoder")
"""The attributes of `Lowering` that are called."""


class TargetEncoder(Protocol):
    """Turns records (`wasmcore_singlepass.records`) into machine code; used for one unit after the other."""

    def encode_unit(self, functions: list[bytes]) -> bytes:
        """The code of the functions with these records, one behind the other."""

    def tables(self) -> tuple[bytes, bytes, bytes]:
        """Of that unit: offset and size of each function (little-endian u32), trap table and address map as `CompiledCode` has
        them. Every place has an entry in the address map that POSITION records allow, trap sites and return addresses included."""


class Lowering(Protocol):
    """Attributes of a target's module."""

    @property
    def PROTOCOL(self) -> tuple[int, int]:
        """The version it was written for."""

    @property
    def CONVENTION(self) -> CallingConvention:
        """The calling convention of the target. All result registers are temporaries."""

    @property
    def TEMPORARIES(self) -> tuple[int, ...]:
        """Integer registers for operands: at least five, no callee keeps them."""

    @property
    def PINNED(self) -> tuple[int, ...]:
        """Integer registers for locals, in order of preference."""

    @property
    def FLOAT_TEMPORARIES(self) -> tuple[int, ...]:
        """Float registers for operands: at least four."""

    @property
    def FLOAT_PINNED(self) -> tuple[int, ...]:
        """Float registers for locals, in order of preference."""

    @property
    def VECTOR_TEMPORARIES(self) -> bytes:
        """1 for each vector instruction whose record is to name a free float temporary; by opcode of the stream less 0x200, 0x120 bytes."""

    @property
    def CALL_INDEX(self) -> int:
        """The temporary that holds the index of an indirect call, or the reference to call; no argument register."""

    @property
    def SHIFT_COUNT(self) -> int:
        """The temporary a variable shift count must be in, or -1."""

    @property
    def DIVIDEND(self) -> int:
        """The temporary for the dividend and the quotient, a factor and the low half of a wide product, and what an atomic operation finds;
        or -1 where these take any registers."""

    @property
    def REMAINDER(self) -> int:
        """The temporary for the remainder and the high half of a wide product, which both destroy, or -1."""

    @property
    def NATIVE_ARGUMENTS(self) -> tuple[int, ...]:
        """The first three argument registers of the platform's C convention, all of them temporaries."""

    @property
    def NATIVE_DESTROYED(self) -> tuple[int, ...]:
        """Integer registers that a C function does not keep."""

    @property
    def NATIVE_DESTROYED_FLOATS(self) -> tuple[int, ...]:
        """Float registers that a C function does not keep."""

    def shifts_by_any(self, features: frozenset[str]) -> bool:
        """Whether, with these CPU features, the count of a shift, not of a rotation, may be in any register, whatever `SHIFT_COUNT` is."""

    def encoder(self, features: frozenset[str], signals: bool) -> TargetEncoder:
        """An encoder that may use these CPU features; without `signals`, its code has no instruction that faults (`CompileUnit`)."""

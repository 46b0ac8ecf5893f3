"""What this backend has to know of a processor: attributes of a module that a target package names in the entry-point group
`wasmcore_llvm.targets`, under the name of the target."""

from __future__ import annotations

from functools import cache

from wasmcore.errors import PluginError
from wasmcore.plugin.entry_points import entries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, Protocol
else:
    Protocol = object  # the import of `typing` takes longer than that of all of this

PROTOCOL: Final = (1, 0)
"""Version of this protocol; a target works when the first number is equal and its second not greater."""
ENTRY_POINT_GROUP: Final = "wasmcore_llvm.targets"


class LlvmTarget(Protocol):
    """Attributes of a target's module. The calling convention is in the unit, and that of LLVM's `preserve_nonecc`."""

    @property
    def PROTOCOL(self) -> tuple[int, int]:
        """The version it was written for."""

    @property
    def TRIPLE(self) -> str:
        """LLVM's triple."""

    @property
    def PROCESSOR(self) -> str:
        """LLVM's name of the processor that all of them are like."""

    @property
    def LIBRARY_NAME(self) -> str:
        """What stands in libLLVM's `LLVMInitialize…Target`."""

    @property
    def BASE_LINE(self) -> frozenset[str]:
        """Features of the processor that are always assumed."""

    @property
    def FEATURE_NAMES(self) -> Mapping[str, str]:
        """LLVM's names of features, where they are others than the target's."""

    @property
    def TUNING(self) -> tuple[str, ...]:
        """Features with their sign that say what processors are good at."""

    @property
    def TRAP(self) -> str:
        """An instruction that faults, in assembly."""

    @property
    def GIVE_BACK(self) -> str:
        """Assembly that sets the stack pointer to the frame pointer."""

    @property
    def BELOW_LIMIT(self) -> str:
        """LLVM's text of a call that gives, as i8, whether the stack pointer is below the number that the pointer {limit} points to."""

    @property
    def STACK_POINTER(self) -> str:
        """LLVM's text of a call that gives the stack pointer."""

    @property
    def INTRINSICS(self) -> Mapping[str, str]:
        """LLVM's intrinsics, by what they do:

        - `shuffle_bytes`: byte i of the first vector by the low four bits of each byte of the second, 0 where its highest bit is set.
        - `narrow i16x8 s`, `narrow i16x8 u`, `narrow i32x4 s`, `narrow i32x4 u`: lanes of two vectors in half as many bits, saturated.
        - `dot i16x8`: sums of neighbouring products of i16 lanes, as i32.
        - `dot i8x16`: the same of unsigned bytes and signed bytes, as i16, saturated.
        - `rounded product`: (a * b + 0x4000) >> 15 of i16 lanes; 0x8000 squared is 0x8000.
        - `truncate f32x4`, `truncate f64x2`: to i32, numbers that do not fit as the processor likes; the second with zeros above.
        """

    @property
    def MACHINE(self) -> int:
        """Number of the processor in an ELF file's header."""

    @property
    def FILLER(self) -> bytes:
        """An instruction that stops, between functions."""

    @property
    def ABSOLUTE(self) -> tuple[int, int]:
        """Types of the relocations that are an address of 32 and of 64 bits."""

    @property
    def CALLS(self) -> frozenset[int]:
        """Types of the relocations of calls and jumps, which may go to functions that are not there."""

    def relocate(self, code: bytearray, at: int, kind: int, distance: int) -> bool:
        """Write a relocation of this type at an offset, to a place at a distance; False for a type that is not known."""

    def frame_size(self, code: bytes, at: int) -> int | None:
        """Bytes that the prologue at an offset takes from the stack beyond the frame pointer; None where it makes no frame."""


@cache
def target_names() -> frozenset[str]:
    """Names of the targets there are modules for."""
    return frozenset(entry.name for entry in entries(ENTRY_POINT_GROUP))


@cache
def llvm_target(name: str) -> LlvmTarget:
    """The module of a target; PluginError if there is none, or for another protocol."""
    for entry in entries(ENTRY_POINT_GROUP):
        if entry.name == name:
            found: Any = entry.load()
            version = found.PROTOCOL
            if version[0] != PROTOCOL[0] or version[1] > PROTOCOL[1]:
                raise PluginError(f"{entry.distribution} speaks protocol {version} of wasmcore-llvm, this one is {PROTOCOL}")
            target: LlvmTarget = found
            return target
    raise PluginError(f"no package tells LLVM of target {name!r}: pip install wasmcore-{name.replace('_', '-')}")

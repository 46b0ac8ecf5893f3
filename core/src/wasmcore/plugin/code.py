"""What a backend gives back: bytes and tables only."""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasmcore.plugin.unit import CompileUnit

IN_INLINED = 0x80000000
"""Bit of a place that is a row of `CompiledCode.inlined`."""
CONTRACT = (2, 0)
"""Version of this contract; a plugin works when the first number is equal and the second not greater."""

LARGEST_ALIGNMENT = 64
"""`CompiledCode.code` begins at an address that is a multiple of that many bytes, and may not need more."""


class FunctionCode(NamedTuple):
    """Where one function is in `CompiledCode.code`."""

    function: int
    """Function index."""
    offset: int
    size: int


class CompiledCode(NamedTuple):
    """Position-independent machine code of some functions, with what the loader needs. Tables are little-endian `u32`."""

    code: bytes
    """May need an alignment of at most `LARGEST_ALIGNMENT` bytes."""
    functions: bytes
    """Three numbers per function, in the order of the unit: function index, offset, size."""
    traps: bytes
    """Two numbers per trap site, ascending: code offset of the faulting instruction, `TrapKind`. Accesses to guarded memories
    have no entry."""
    address_map: bytes = b""
    """Two numbers per place, ascending: code offset, index of the stream word it was made from; with bit 31 set, a row of `inlined`."""
    target: str = ""
    """`CompileUnit.target`."""
    features: frozenset[str] = frozenset()
    """CPU features that the code uses, a part of `CompileUnit.features`: where it comes from a cache, the processor must have them."""
    backend: str = ""
    """`Backend.name` and `version` of who made it."""
    backend_version: str = ""
    contract: tuple[int, int] = CONTRACT
    """The contract that it follows."""
    inlined: bytes = b""
    """Three numbers per place in the body of a function that was inlined: its function index, the index of the word in its own stream,
    and the place of the call: a word of the function that has the code or, with bit 31 set, an earlier row of this table."""
    options: tuple[tuple[str, str], ...] = ()
    """What the unit said, `CompileUnit.options`; core sets it."""
    callees: bytes = b""
    """The functions of `CompileUnit.callees`, one number each; core sets it."""
    notes: tuple[str, ...] = ()
    """What the user should know of how this was compiled: each becomes a `CompileWarning`. Not kept with the code."""

    def made_from(self, unit: CompileUnit) -> CompiledCode:
        """The same with what core notes of the unit, to be able to compile it again."""
        return self._replace(options=unit.options, callees=b"".join([stream[:4] for stream in unit.callees]))

    def function_table(self) -> Iterator[FunctionCode]:
        """The functions in order."""
        return map(FunctionCode._make, iter_unpack("<III", self.functions))

    def trap_table(self) -> Iterator[tuple[int, int]]:
        """(code offset, `TrapKind` value), ascending."""
        return iter_unpack("<II", self.traps)

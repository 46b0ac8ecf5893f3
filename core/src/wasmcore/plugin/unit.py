"""What a backend is given: inert data, good to cache or to send to another process."""

from __future__ import annotations

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.plugin.convention import CallingConvention

if TYPE_CHECKING:
    from wasmcore.plugin.target import Target

NO_FUNCTION: Final = 0xFFFFFFFF
"""In `TablePlan.functions`: a null element."""


class MemoryPlan(NamedTuple):
    """How one memory is reached."""

    offset: int
    """Of its {base, length} in the VMContext; memory 0 stands at `VMCONTEXT_HEAD_SIZE`."""
    index64: bool
    guarded: bool
    """Every 33-bit address is mapped or guarded, and the base never changes: no checks. Else check each access against the length
    and read the base again after everything that may grow the memory."""
    page_size_log2: int
    minimum: int = 0
    """Bytes that it always has."""
    shared: bool = False
    """Other threads may change it at any time."""


class TablePlan(NamedTuple):
    """How one table is reached."""

    offset: int
    """Of its {base, length} in the VMContext."""
    index64: bool
    functions: bytes | None = None
    """Of a table that never changes: the function index of each element, `NO_FUNCTION` for null. None where that is not known, and always
    where functions are compiled when they are first called."""


class GlobalPlan(NamedTuple):
    """How one global is reached."""

    offset: int
    """Of its 16 bytes in the VMContext."""
    indirect: bool
    """They hold the address of the cell, not the value."""
    machine_class: int
    mutable: bool


class Environment(NamedTuple):
    """What the functions of one module share. Numbers in `bytes` are little-endian u32."""

    type_pool: bytes
    """Machine classes; runs of types point into it."""
    signatures: bytes
    """Four numbers per type: offset and count of the run of parameters, offset and count of the run of results."""
    function_types: bytes
    """The type index of every function, imports first."""
    imported_functions: int
    memories: tuple[MemoryPlan, ...]
    tables: tuple[TablePlan, ...]
    globals: tuple[GlobalPlan, ...]
    imports_offset: int
    """In the VMContext: 8 bytes per imported function, the address of its funcref record."""
    functions_offset: int
    """In the VMContext: a funcref record per defined function, `FUNCREF_SIZE` apart; direct calls go through its `code`."""
    context_size: int

    def params(self, type_index: int) -> bytes:
        """Machine classes of the parameters of a function type."""
        return self._run(16 * type_index)

    def results(self, type_index: int) -> bytes:
        """Machine classes of the results of a function type."""
        return self._run(16 * type_index + 8)

    def _run(self, at: int) -> bytes:
        offset = int.from_bytes(self.signatures[at : at + 4], "little")
        count = int.from_bytes(self.signatures[at + 4 : at + 8], "little")
        return self.type_pool[offset : offset + count]


class CompileUnit(NamedTuple):
    """Functions of one module, to be compiled together."""

    environment: Environment
    streams: tuple[bytes, ...]
    """Resolved streams (`wasmcore.stream`), one per function."""
    target: str
    """Name of the target."""
    convention: CallingConvention
    """Of the target: what all code that is linked has to follow."""
    features: frozenset[str] = frozenset()
    """CPU features the code may use, in the target's names."""
    address_map: bool = False
    """Whether `CompiledCode.address_map` is wanted. The code must be the same with it and without."""
    signals: bool = True
    """Whether faults become traps and interrupts. If not, no instruction may fault: no memory is guarded, a trap is a call of the built-in
    `trap`, everything that leads to one is compared, and a poll counts `store.polls` down, to call the built-in `poll` below 0."""
    options: tuple[tuple[str, str], ...] = ()
    """The backend's own options (`Backend.options`) that are not at their default, sorted by name."""
    wanted: int = -1
    """Where not negative: only the code of the stream with this number is wanted, as it is when all of them are compiled. A backend
    that compiles each function by itself needs no other stream; what it returns for those is not looked at."""
    callees: tuple[bytes, ...] = ()
    """Streams of small functions of the module that are not in the unit but called from it, for a backend that inlines
    (`wasmcore.plugin.hooks.InliningBackend`). Their code is not wanted here."""

    @classmethod
    def made_for(cls, target: Target, environment: Environment, streams: tuple[bytes, ...], **more: Any) -> CompileUnit:
        """A unit for a target in this process; `more`: the other fields."""
        return cls(environment, streams, target.name, target.convention, target.features(), **more)

"""The hooks a plugin implements, and the protocols of what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wasmcore._typing import TYPE_CHECKING, Any, Protocol
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.markers import hookimpl as hookimpl
from wasmcore.plugin.markers import hookspec
from wasmcore.plugin.unit import CompileUnit
from wasmcore.types import FuncType

if TYPE_CHECKING:
    from wasmcore.plugin.target import Target

ENTRY_POINT_GROUP = "wasmcore"
"""Entry points of this group name modules that hold hook implementations, marked with `hookimpl`. An entry point is named
like the backend or the target it brings; that of a host module, like the first part of the name (`wasi`)."""


class Backend(Protocol):
    """A compiler; what `wasmcore_backend` returns."""

    name: str
    version: str
    contract: tuple[int, int]
    targets: frozenset[str]
    """Names of the targets it can compile for here."""
    features: frozenset[str]
    """Names of the WebAssembly features it compiles (`wasmcore.opcodes.FEATURES`)."""
    options: Mapping[str, tuple[str, ...]]
    """Its own options: for each name the values it can have, the default first. They are part of the key of cached code."""
    unit_size: int
    """Bytes of resolved streams that it likes to compile together when a whole module is compiled."""
    lazy: bool
    """Whether functions had better be compiled when they are first called, unless the user says otherwise."""

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile the functions of a unit; raises `wasmcore.CompileError`, for what it does not compile yet `errors.NotCompiledError`."""


class IsolatedBackend(Backend, Protocol):
    """A backend that may crash, hang or take all memory, so that it never compiles in the process of the program. Optional."""

    def lower(self, unit: CompileUnit) -> tuple[str, CompileUnit] | None:
        """What to compile instead of a unit where that fails: the name of the backend, itself or another one, and the unit for it, or
        None where there is nothing else. Where it is itself again, the next step is asked for if that fails, too."""


def is_isolated(backend: Backend) -> bool:
    """Whether a backend is an `IsolatedBackend`."""
    return hasattr(backend, "lower")


class InliningBackend(Backend, Protocol):
    """A backend that inlines small functions, and would like to see those of other units. Optional."""

    callee_size: int
    """Bytes of the largest stream that it would inline; `CompileUnit.callees` has none that are larger."""


class QuickBackend(Backend, Protocol):
    """A backend that is not lazy, but so quick that starting processes pays later than usual. Optional."""

    quickness: int
    """How many times as large a module has to be for that: 128 KiB of bodies is usual."""


class ComposedBackend(Backend, Protocol):
    """A backend that is made of other packages than its own, which are part of the key of cached code as its own is. Optional."""

    packages: tuple[str, ...]
    """Their names, as they are imported."""


class ListingBackend(Backend, Protocol):
    """A backend that can show what it makes of a function on the way, for `wasmcore objdump`. Optional."""

    stages: tuple[str, ...]
    """Names of what there is to show, the one that is shown unless another is asked for first."""

    def listing(self, unit: CompileUnit, stage: str) -> list[tuple[int, str]]:
        """What the wanted function of a unit is at a stage, line by line: index of the stream word each was made from, and its text."""


class HostLink(Protocol):
    """What a host module knows of the instance that imports it."""

    def memory(self) -> memoryview:
        """The bytes of the memory that the instance exports as `memory`, as they are now (bytes, writable, length now)."""


HostFunctions = Mapping[str, tuple[FuncType, Callable[..., Any]]]
"""Name -> type and Python function."""


class HostModule(Protocol):
    """A module of imports that somebody else provides; what `wasmcore_host_module` returns."""

    name: str
    """The module name that imports use, for example `wasi_snapshot_preview1`."""
    version: str
    contract: tuple[int, int]

    def functions(self, link: HostLink, options: Mapping[str, Any]) -> HostFunctions:
        """The functions for one instance. Options are the host module's own, by name (WASI: `args`, `env`, `dirs`, `stdin`, …);
        one that is unknown is a TypeError."""


@hookspec
def wasmcore_backend() -> Backend:
    """Return a backend."""
    raise NotImplementedError


@hookspec
def wasmcore_target() -> Target:
    """Return a target."""
    raise NotImplementedError


@hookspec
def wasmcore_host_module() -> HostModule:
    """Return a host module."""
    raise NotImplementedError

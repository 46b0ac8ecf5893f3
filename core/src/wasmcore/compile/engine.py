"""The engine: which backend compiles, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wasmcore import _registry
from wasmcore.errors import PluginError

if TYPE_CHECKING:
    from wasmcore.plugin.hooks import Backend
    from wasmcore.plugin.target import Target


class Engine:
    """How modules are compiled: `Engine(backend="singlepass", lazy=True)`.

    backend: the name of an installed backend, or "auto".
    lazy: compile a function when it is first called, instead of the whole module at once.
    guard: "auto" reserves 8 GiB of address space per memory where the system allows and lets the hardware check accesses; False
        checks every access in code.
    progress: called as `progress(done, total)` while a whole module is compiled, counting functions.
    """

    def __init__(
        self,
        backend: str = "auto",
        *,
        lazy: bool = True,
        guard: bool | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.lazy = lazy
        self.guard = guard
        self.progress = progress
        self.backend: Backend = _registry.default_backend() if backend == "auto" else _registry.backend(backend)
        self.target: Target = _registry.host_target()
        if self.target.name not in self.backend.targets:
            known = ", ".join(sorted(self.backend.targets)) or "nothing"
            raise PluginError(f"backend {self.backend.name!r} can not compile for {self.target.name}, only for {known}")

    def __repr__(self) -> str:
        return f"<wasmcore.Engine {self.backend.name} for {self.target.name}>"


_default: list[Engine] = []


def default_engine() -> Engine:
    """The engine of modules that name none."""
    if not _default:
        _default.append(Engine())
    return _default[0]


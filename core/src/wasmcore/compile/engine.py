"""The engine: which backend compiles, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from wasmcore import _registry
from wasmcore.errors import PluginError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES
from wasmcore.runtime.memory import can_be_guarded
from wasmcore.runtime.stubs import machine

if TYPE_CHECKING:
    from wasmcore.plugin.hooks import Backend
    from wasmcore.plugin.target import Target
    from wasmcore.types import MemoryType


class Engine:
    """How modules are compiled: `Engine(backend="singlepass", lazy=True)`.

    backend: the name of an installed backend, or "auto".
    lazy: compile a function when it is first called, instead of the whole module at once; None leaves that to the backend.
    options: the backend's own, by name (`backend.options` says which there are), as in `{"level": "O3"}`.
    guard: None reserves 8 GiB of address space per memory where the system allows and lets the hardware check accesses; False
        checks every access in code.
    signals: let faults become traps, where the system allows; False compiles code that needs no signal handlers, but checks
        everything itself, which is slower. `WASMCORE_SIGNALS=0` in the environment does that for all engines.
    features: names of the WebAssembly features that modules may use (`wasmcore.FEATURES`); all of 3.0 unless told otherwise. What a
        backend does not implement is a CompileError once it is compiled.
    progress: called as `progress(done, total)` while a whole module is compiled, counting functions.
    """

    def __init__(
        self,
        backend: str = "auto",
        *,
        lazy: bool | None = None,
        options: Mapping[str, str] | None = None,
        guard: bool | None = None,
        signals: bool = True,
        features: Iterable[str] = DEFAULT_FEATURES,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        if guard and not signals:
            raise ValueError("memories can not be guarded without signals")
        self.guard = guard if signals else False
        self._signals = signals
        self.features = frozenset(features)
        unknown = self.features.difference(FEATURES)
        if unknown:
            raise ValueError(f"no such feature: {', '.join(sorted(unknown))}; there are {', '.join(FEATURES)}")
        self.progress = progress
        self.backend: Backend = _registry.default_backend() if backend == "auto" else _registry.backend(backend)
        self.lazy: bool = self.backend.lazy if lazy is None else lazy
        self.options = _checked_options(self.backend, options or {})
        """Those that are not at their default, sorted by name."""
        self.target: Target = _registry.host_target()
        if self.target.name not in self.backend.targets:
            known = ", ".join(sorted(self.backend.targets)) or "nothing"
            raise PluginError(f"backend {self.backend.name!r} can not compile for {self.target.name}, only for {known}")

    @property
    def signals(self) -> bool:
        """Whether its code needs signal handlers; found out once per process by trying them."""
        return self._signals and machine(self.target).signals_work()

    def can_be_guarded(self, memory_type: MemoryType) -> bool:
        """Whether its code may leave the checks of a memory of this type to the hardware."""
        return can_be_guarded(memory_type, self.guard) and self.signals

    def __repr__(self) -> str:
        return f"<wasmcore.Engine {self.backend.name} for {self.target.name}>"


def _checked_options(backend: Backend, options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    for name, value in options.items():
        if name not in backend.options:
            known = ", ".join(backend.options) or "none"
            raise TypeError(f"backend {backend.name!r} has no option {name!r}; there are: {known}")
        if value not in backend.options[name]:
            raise ValueError(f"option {name!r} of backend {backend.name!r} is {' or '.join(backend.options[name])}, not {value!r}")
    return tuple(sorted((name, value) for name, value in options.items() if value != backend.options[name][0]))


_default: list[Engine] = []


def default_engine() -> Engine:
    """The engine of modules that name none."""
    if not _default:
        _default.append(Engine())
    return _default[0]

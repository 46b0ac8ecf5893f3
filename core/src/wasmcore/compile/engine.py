"""The engine: which backend compiles, and when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from wasmcore import _registry
from wasmcore._arguments import check, choices
from wasmcore._build import COMPILED
from wasmcore._features import features_of
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.errors import PluginError
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.objects.memory import can_be_guarded

WORTH_CACHING: Final = 1 << 18
"""Bytes of the smallest module whose code is cached where the backend is so fast that it compiles lazily."""
WORTH_CACHING_PLAIN: Final = 1 << 13
"""The same in the plain-Python build, which is about 50 times slower."""

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from wasmcore.compile.cache import Cache
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
    features: names of the WebAssembly features that modules may use (`wasmcore.FEATURES`); all of 3.0 unless told otherwise. Names with a
        sign change that: `features="+threads"`, `features=["+threads", "-simd"]`. What a backend does not implement is a CompileError
        once it is compiled.
    progress: called as `progress(done, total)` while a whole module is compiled, counting functions.
    cache: keep compiled code on disk for the next process: in the user's cache folder, unless `WASMCORE_CACHE=0` is in the environment;
        or in this folder; False for not at all.
    executor: a `concurrent.futures.Executor` that compiles parts of whole modules, in processes or threads that have the same wasmcore and
        backend. None leaves large modules of backends that take their time, and all of those that might end the program, to processes of
        its own.

    An engine can be pickled, as part of a module, too: all but `progress` and `executor` arrive. Copies are the engine itself.
    TypeError and ValueError for arguments that are wrong, PluginError for a backend that is not there or can not be used here.
    """

    def __init__(
        self,
        backend: str = "auto",
        *,
        lazy: bool | None = None,
        options: Mapping[str, str] | None = None,
        guard: bool | None = None,
        signals: bool = True,
        features: str | Iterable[str] = DEFAULT_FEATURES,
        progress: Callable[[int, int], None] | None = None,
        cache: bool | str | os.PathLike[str] = True,
        executor: Executor | None = None,
    ) -> None:
        check("a backend", backend, isinstance(backend, str), "a name, such as 'singlepass'")
        check("lazy", lazy, lazy is None or isinstance(lazy, bool), "True, False or None")
        check("options", options, options is None or isinstance(options, Mapping), "a mapping of names to values: {'level': 'O3'}")
        check("guard", guard, guard is None or isinstance(guard, bool), "True, False or None")
        check("signals", signals, isinstance(signals, bool), "True or False")
        check("progress", progress, progress is None or callable(progress), "a function")
        check("cache", cache, isinstance(cache, (bool, str, os.PathLike)), "True, False or a folder")
        check("executor", executor, executor is None or hasattr(executor, "submit"), "a concurrent.futures.Executor")
        if guard and not signals:
            raise ValueError("memories can not be guarded without signals")
        self.guard = guard if signals else False
        self._signals = signals
        self.features = features_of(features)
        self.progress = progress
        self.executor = executor
        self._caching = cache
        self._cache: Cache | None = None
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

    def cache_for(self, size: int) -> Cache | None:
        """The cache for a module of so many bytes; None if caching is switched off, or compiling it again is cheaper."""
        if self._caching is False or (self.backend.lazy and size < (WORTH_CACHING if COMPILED else WORTH_CACHING_PLAIN)):
            return None
        if self._cache is None:
            from wasmcore.compile import cache

            if self._caching is True:
                if not cache.enabled():
                    return None
                self._cache = cache.Cache()
            else:
                self._cache = cache.Cache(self._caching)
        return self._cache

    def __reduce__(self) -> tuple[object, tuple[str, dict[str, Any]]]:
        arguments = {
            "lazy": self.lazy,
            "options": dict(self.options),
            "guard": self.guard,
            "signals": self._signals,
            "features": self.features,
            "cache": self._caching,
        }
        return _again, (self.backend.name, arguments)

    def __copy__(self) -> Engine:
        return self

    def __deepcopy__(self, _copied: object) -> Engine:
        return self

    def __repr__(self) -> str:
        return f"<wasmcore.Engine {self.backend.name} for {self.target.name}>"


def _again(backend: str, arguments: dict[str, Any]) -> Engine:
    return Engine(backend, **arguments)


def _checked_options(backend: Backend, options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    for name, value in options.items():
        if name not in backend.options:
            raise TypeError(f"backend {backend.name!r} has no option {name!r}; {choices(name, backend.options)}")
        if value not in backend.options[name]:
            raise ValueError(f"option {name!r} of backend {backend.name!r} is {' or '.join(backend.options[name])}, not {value!r}")
    return tuple(sorted((name, value) for name, value in options.items() if value != backend.options[name][0]))


_default: list[Engine] = []


def default_engine() -> Engine:
    """The engine of modules that name none."""
    if not _default:
        _default.append(Engine())
    return _default[0]

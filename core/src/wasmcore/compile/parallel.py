"""Compiling the units of a module in order: here, in processes, or through any `concurrent.futures.Executor`."""

from __future__ import annotations

import os
import warnings
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError
from itertools import islice

from wasmcore._typing import TYPE_CHECKING, Any, Final, Protocol
from wasmcore.compile.units import compiled_by
from wasmcore.errors import PluginError
from wasmcore.plugin.hooks import is_isolated

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Executor, Future

    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.hooks import Backend
    from wasmcore.plugin.unit import CompileUnit

WORTH_PROCESSES: Final = 1 << 17
"""Bytes of bodies from which on a module is worth starting processes, where the backend takes its time and could do without; `QuickBackend`
says how many times as many."""
_AHEAD: Final = 4
"""Units that wait or are compiled per worker: enough that none is idle, and few enough that memory stays bounded."""


class _Place(Protocol):
    """Where units are compiled."""

    def submit(self, unit: CompileUnit) -> Future[tuple[CompiledCode, ...]] | None:
        """Begin with a unit; None where `results` is to do all of it."""

    def results(self, unit: CompileUnit, future: Future[tuple[CompiledCode, ...]] | None) -> Iterator[CompiledCode]:
        """The code of a unit, in one piece or more, in order; raises what compiling it raised."""

    def abandon(self) -> None:
        """Nobody waits for anything any more."""


def compile_units(
    units: Iterator[CompileUnit], backend: Backend, executor: Executor | None, size: int, name_of: Callable[[int], str | None]
) -> Generator[CompiledCode]:
    """Compile units, in order; `size` is that of all bodies (bytes). The result is the same wherever they are compiled.

    Where a process fails, a unit may come in parts, and not all compiled in the same way (`CompiledCode.backend` and `options`).
    """
    place = _place(backend, name_of)
    if executor is not None:
        place = _Elsewhere(backend, executor, place)
    elif isinstance(place, _Here) and not backend.lazy and size >= WORTH_PROCESSES * _quickness(backend) and processors() > 1:
        # Backends that are so fast that they like to compile lazily are done before a process has started.
        from wasmcore.compile.worker_pool import shared_pool

        place = _Elsewhere(backend, shared_pool(), place)
    ahead = 1 if isinstance(place, _Here) else _AHEAD * processors()
    pending: deque[tuple[CompileUnit, Future[tuple[CompiledCode, ...]] | None]] = deque()
    try:
        while True:
            for unit in islice(units, ahead - len(pending)):
                pending.append((unit, place.submit(unit)))
            if not pending:
                return
            yield from place.results(*pending[0])
            pending.popleft()
    finally:
        place.abandon()


def compile_apart(backend: Backend, unit: CompileUnit, name_of: Callable[[int], str | None]) -> CompiledCode:
    """The code of a unit of one function, by a backend that is isolated."""
    place = _place(backend, name_of)
    try:
        (compiled,) = place.results(unit, None)
        return compiled
    finally:
        place.abandon()


def compile_again(backend: Backend, unit: CompileUnit) -> CompiledCode:
    """What a unit was compiled to before, with an address map or where one function is wanted; PluginError if a process fails."""
    if not is_isolated(backend):
        return compiled_by(backend, unit)
    from wasmcore.compile.isolation import Isolated
    from wasmcore.compile.worker_pool import WorkerDied

    isolated: Any = backend
    place = Isolated(isolated, _without_names)
    try:
        return place.once(unit)
    except WorkerDied as error:
        raise PluginError(f"the process of {backend.name} has failed: {error}") from None
    finally:
        place.abandon()


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quickness(backend: Backend) -> int:
    times: int = getattr(backend, "quickness", 1)
    return times


def _without_names(function: int) -> str | None:
    return None


def _place(backend: Backend, name_of: Callable[[int], str | None]) -> _Place:
    if not is_isolated(backend):
        return _Here(backend)
    from wasmcore.compile.isolation import Isolated

    isolated: Any = backend
    return Isolated(isolated, name_of)


class _Here:
    """This process."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def submit(self, unit: CompileUnit) -> Future[tuple[CompiledCode, ...]] | None:
        return None

    def results(self, unit: CompileUnit, future: Future[tuple[CompiledCode, ...]] | None) -> Iterator[CompiledCode]:
        yield compiled_by(self._backend, unit)

    def abandon(self) -> None:
        pass


class _Elsewhere:
    """An executor, until it breaks; from then on another place."""

    def __init__(self, backend: Backend, executor: Executor, otherwise: _Place) -> None:
        from wasmcore.compile.worker_pool import WorkerPool

        self._backend = backend
        self._executor: Executor | None = executor
        self._pool = executor if isinstance(executor, WorkerPool) else None
        self._futures: list[Future[tuple[CompiledCode, ...]]] = []
        self._otherwise = otherwise

    def submit(self, unit: CompileUnit) -> Future[tuple[CompiledCode, ...]] | None:
        from wasmcore.compile.isolation import compile_unit

        if self._executor is None:
            return None
        try:
            arguments = self._backend.name, self._backend.version, os.getpid(), unit
            if self._pool is not None:
                return self._pool.submit_for(self, None, compile_unit, *arguments)
            future = self._executor.submit(compile_unit, *arguments)
            self._futures = [*(other for other in self._futures if not other.done()), future]
            return future
        except RuntimeError as error:  # it is broken, or shut down
            self._give_up(error)
            return None

    def results(self, unit: CompileUnit, future: Future[tuple[CompiledCode, ...]] | None) -> Iterator[CompiledCode]:
        found = None if future is None else self._found(future)
        if found is None:
            yield from self._otherwise.results(unit, None)
        else:
            from wasmcore.compile.isolation import checked

            yield from found if len(found) > 1 else [checked(unit, *found)]

    def _found(self, future: Future[tuple[CompiledCode, ...]]) -> tuple[CompiledCode, ...] | None:
        try:
            return future.result()
        except (BrokenExecutor, CancelledError) as error:
            self._give_up(error)
            return None

    def abandon(self) -> None:
        self._otherwise.abandon()
        if self._pool is not None:
            self._pool.abandon(self)
        for future in self._futures:
            future.cancel()

    def _give_up(self, error: BaseException) -> None:
        if self._executor is not None:
            self._executor = None
            reason = str(error) or type(error).__name__
            warnings.warn(f"a process that compiles for this one has ended, going on without: {reason}", RuntimeWarning, stacklevel=2)

"""Compiling the units of a module in several processes, through any `concurrent.futures.Executor`."""

from __future__ import annotations

import os
import warnings
from collections import deque
from concurrent.futures import BrokenExecutor, CancelledError
from itertools import islice

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import PluginError
from wasmcore.runtime.execution.stacks import with_room

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Executor, Future

    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.hooks import Backend
    from wasmcore.plugin.unit import CompileUnit

WORTH_PROCESSES: Final = 1 << 17
"""Bytes of bodies from which on a module is worth starting processes, where the backend takes its time."""
_AHEAD: Final = 4
"""Units that wait or are compiled per worker: enough that none is idle, and few enough that memory stays bounded."""


def compile_units(units: Iterator[CompileUnit], backend: Backend, executor: Executor | None, size: int) -> Generator[CompiledCode]:
    """Compile units, in order; `size` is that of all bodies (bytes). The result is the same wherever they are compiled."""
    if executor is not None:
        yield from _through(units, backend, executor, _AHEAD * _processors())
        return
    # Backends that are so fast that they like to compile lazily are done before a process has started.
    workers = 1 if backend.lazy or size < WORTH_PROCESSES else _processors()
    if workers < 2:
        for unit in units:
            yield with_room(backend.compile, unit)
        return
    from wasmcore.compile.worker_pool import WorkerPool

    pool = WorkerPool(workers)
    try:
        yield from _through(units, backend, pool, _AHEAD * workers)
    finally:
        pool.kill()


def _processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _through(units: Iterator[CompileUnit], backend: Backend, executor: Executor, ahead: int) -> Generator[CompiledCode]:
    """The results of an executor, in order."""
    elsewhere = _Elsewhere(backend, executor)
    pending: deque[tuple[CompileUnit, Future[CompiledCode] | None]] = deque()
    try:
        while True:
            for unit in islice(units, ahead - len(pending)):
                pending.append((unit, elsewhere.submit(unit)))
            if not pending:
                return
            unit, future = pending.popleft()
            yield elsewhere.result(unit, future)
    finally:
        for _, future in pending:
            if future is not None:
                future.cancel()


class _Elsewhere:
    """An executor, until it breaks; from then on this process."""

    def __init__(self, backend: Backend, executor: Executor) -> None:
        self._backend = backend
        self._executor: Executor | None = executor

    def submit(self, unit: CompileUnit) -> Future[CompiledCode] | None:
        """What will be the result; None where `result` is to compile."""
        if self._executor is None:
            return None
        try:
            return self._executor.submit(compile_unit, self._backend.name, self._backend.version, unit)
        except BrokenExecutor as error:
            self._give_up(error)
            return None

    def result(self, unit: CompileUnit, future: Future[CompiledCode] | None) -> CompiledCode:
        """The code of a unit; raises what compiling it raised."""
        if future is not None:
            try:
                return _checked(unit, future.result())
            except (BrokenExecutor, CancelledError) as error:
                self._give_up(error)
        return with_room(self._backend.compile, unit)

    def _give_up(self, error: BaseException) -> None:
        if self._executor is not None:
            self._executor = None
            reason = str(error) or type(error).__name__
            warnings.warn(f"a process that compiles for this one has ended, going on without: {reason}", RuntimeWarning, stacklevel=2)


def compile_unit(backend: str, version: str, unit: CompileUnit) -> CompiledCode:
    """What a worker does; PluginError where it does not have the same backend."""
    from wasmcore import _registry

    found = _registry.backend(backend)
    if found.version != version:
        raise PluginError(f"a worker has backend {backend!r} {found.version}, this process {version}")
    return with_room(found.compile, unit)


def _checked(unit: CompileUnit, compiled: CompiledCode) -> CompiledCode:
    """Refuse what is no result for a unit."""
    wanted = [int.from_bytes(stream[:8], "little") for stream in unit.streams]
    if [function.function for function in compiled.function_table()] != wanted:
        raise PluginError(f"backend {compiled.backend!r} returned code for other functions than it was given")
    return compiled

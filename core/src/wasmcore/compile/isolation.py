"""Compiling apart from the program, with backends that may crash, hang or take all memory: whatever happens to a process that compiles
costs its functions some speed, and the program nothing.

The functions of a unit that could not be compiled are compiled in halves, until those are found that can not be, each by itself; they
go down the backend's ladder (`IsolatedBackend.lower`), at the end of which may be another backend.
"""

from __future__ import annotations

import os
from concurrent.futures import CancelledError

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.compile.worker_pool import Bounds, NoWorker, WorkerDied, shared_pool
from wasmcore.errors import CompileError, PluginError
from wasmcore.plugin.checking import check
from wasmcore.plugin.hooks import is_isolated
from wasmcore.runtime.execution.stacks import with_room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.hooks import IsolatedBackend
    from wasmcore.plugin.unit import CompileUnit

SECONDS: Final = 20
"""Of processor time, that compiling anything may take."""
SECONDS_PER_BYTE: Final = 1e-4
"""The same for each byte of its streams: some twenty times of what it takes."""
MEMORY: Final = 2 << 30
"""Bytes that a process may write to, whatever it compiles."""
MEMORY_PER_BYTE: Final = 2 << 10
"""The same for each byte of the streams."""


def bounds_of(unit: CompileUnit) -> Bounds:
    """What compiling a unit may use."""
    size = sum(map(len, unit.streams))
    return Bounds(SECONDS + int(SECONDS_PER_BYTE * size), MEMORY + MEMORY_PER_BYTE * size)


class Isolated:
    """A backend in processes of its own."""

    def __init__(self, backend: IsolatedBackend, name_of: Callable[[int], str | None]) -> None:
        self._backend = backend
        self._name_of = name_of
        self._pool = shared_pool()

    def submit(self, unit: CompileUnit) -> Future[tuple[CompiledCode, ...]] | None:
        """Let a process begin with a unit; None where that is left to `results`."""
        try:
            return self._submit(unit)
        except WorkerDied:
            return None

    def _submit(self, unit: CompileUnit) -> Future[tuple[CompiledCode, ...]]:
        arguments = self._backend.name, self._backend.version, os.getpid(), unit
        while True:
            try:
                return self._pool.submit_for(self, bounds_of(unit), compile_unit, *arguments)
            except RuntimeError:  # another thread has forked, and the pool is gone
                if self._pool is shared_pool():
                    raise
                self._pool = shared_pool()

    def abandon(self) -> None:
        """Nobody waits for anything any more."""
        self._pool.abandon(self)

    def results(self, unit: CompileUnit, future: Future[tuple[CompiledCode, ...]] | None) -> Iterator[CompiledCode]:
        """The code of a unit, in one piece or more, in order; raises what compiling it raised."""
        try:
            yield self.once(unit) if future is None else self._result(unit, future)
        except NoWorker as error:
            yield self._lowered(unit, f"no process could be started for {self._backend.name}: {error}", elsewhere=True)
        except WorkerDied as error:
            yield from self._in_parts(unit, str(error))

    def once(self, unit: CompileUnit) -> CompiledCode:
        """The code that a process makes of a unit; WorkerDied if it fails, in whatever way."""
        return self._result(unit, self._submit(unit))

    def _result(self, unit: CompileUnit, future: Future[tuple[CompiledCode, ...]]) -> CompiledCode:
        try:
            (compiled,) = future.result()
            return checked(unit, compiled)
        except (CompileError, WorkerDied, WrongWorker):
            raise
        except ImportError as error:
            raise PluginError(f"backend {self._backend.name!r} can not be used: {error}") from None
        except (Exception, CancelledError) as error:
            raise WorkerDied(f"{type(error).__name__}: {error}") from None

    def _in_parts(self, unit: CompileUnit, why: str) -> Iterator[CompiledCode]:
        if len(unit.streams) > 1:
            middle = len(unit.streams) // 2
            for streams in (unit.streams[:middle], unit.streams[middle:]):
                yield from self.results(unit._replace(streams=streams), None)
            return
        function = function_of(unit.streams[0])
        name = self._name_of(function)
        where = f"function {function}" + (f" (${name})" if name is not None else "")
        yield self._lowered(unit, f"{where}: the process of {self._backend.name}{_shown(unit)} that compiled it has failed: {why}")

    def _lowered(self, unit: CompileUnit, what: str, elsewhere: bool = False) -> CompiledCode:
        """The code of the first step down the ladder that gives one, with a note on it; `elsewhere`: of another backend."""
        step = self._backend.lower(unit)
        while step is not None:
            backend, lower = step
            own = backend == self._backend.name
            if not (own and elsewhere):
                try:
                    compiled = self.once(lower) if own else _compile_here(backend, lower)
                    return compiled._replace(notes=(*compiled.notes, f"{what}; compiled with {backend}{_shown(lower)}"))
                except (WorkerDied, PluginError):
                    pass
            step = self._backend.lower(lower) if own else None
        raise CompileError(f"{what}, and there is nothing else to compile it with")


def _compile_here(backend: str, unit: CompileUnit) -> CompiledCode:
    """The code of another backend, which is not isolated itself; PluginError where there is none."""
    from wasmcore import _registry

    return checked(unit, with_room(_registry.backend(backend).compile, unit))


def _shown(unit: CompileUnit) -> str:
    return "".join(f" {name}={value}" for name, value in unit.options)


def function_of(stream: bytes) -> int:
    """The index of the function of a stream."""
    return int.from_bytes(stream[:8], "little")


class WrongWorker(PluginError):
    """A process has another backend than the program."""


def compile_unit(backend: str, version: str, program: int, unit: CompileUnit) -> tuple[CompiledCode, ...]:
    """What a worker does; WrongWorker where it does not have the same backend.

    An executor of threads runs it in the process of the program itself (`program` is its id), which then has another one do it.
    """
    from wasmcore import _registry

    found = _registry.backend(backend)
    if found.version != version:
        raise WrongWorker(f"a worker has backend {backend!r} {found.version}, this process {version}")
    if is_isolated(found) and os.getpid() == program:
        isolated: Any = found
        return tuple(Isolated(isolated, lambda index: None).results(unit, None))
    return (with_room(found.compile, unit),)


def checked(unit: CompileUnit, compiled: CompiledCode) -> CompiledCode:
    """What came from another process, with what it was compiled as; PluginError where it is not code for this unit."""
    check(unit, compiled)
    return compiled.made_from(unit)

"""What the disk cache has of one module, and what it is to get from this process."""

from __future__ import annotations

import atexit
from hashlib import sha256
from threading import Event, Thread
from weakref import WeakSet

from wasmcore._build import COMPILED
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.compile.artifact import Artifact, MadeFor, difference, joined
from wasmcore.compile.build_identity import build_of
from wasmcore.compile.cache import enabled
from wasmcore.errors import ArtifactError
from wasmcore.runtime.system.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wasmcore.compile.cache import Cache
    from wasmcore.compile.engine import Engine
    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.unit import Environment

ENOUGH: Final = 1 << 14
"""Bytes of machine code that are worth an entry, or a new one, where a backend is so fast that it likes to compile lazily."""
ENOUGH_PLAIN: Final = 1 << 10
"""The same in the plain-Python build, which is about 50 times slower."""
ENOUGH_OF: Final = 16
"""A new entry must also have more than the old one by that part of it."""
_BACKGROUND: Final = 1 << 19
"""Bytes of a module from which on its digest is worth a thread; hashing does not hold the interpreter lock."""


class ModuleDigest:
    """SHA-256 of a module, found while the module is decoded."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._digest: bytes | None = None
        self._thread: Thread | None = None
        if len(data) >= _BACKGROUND:
            begun = Event()
            thread = Thread(target=self._find, args=(begun,), daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # no more threads, or the interpreter is about to end
            # Compiled code, such as the decoder, never lets go of the interpreter lock: the thread would begin when it is done.
            begun.wait()
            self._thread = thread

    def is_of(self, data: bytes) -> bool:
        """Whether it is that of this very object."""
        return self._data is data

    def _find(self, begun: Event | None = None) -> None:
        if begun is not None:
            begun.set()
        self._digest = sha256(self._data).digest()

    def digest(self) -> bytes:
        """The digest (32 bytes)."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._digest is None:
            self._find()
        assert self._digest is not None
        return self._digest


_prepared: Final[list[ModuleDigest]] = []


def prepare(data: bytes) -> None:
    """Begin with the digest of a large module that is about to be compiled."""
    if len(data) >= _BACKGROUND and enabled():
        _prepared[:] = [ModuleDigest(data)]


def digest_of(data: bytes) -> ModuleDigest:
    """The digest of a module, begun now or by `prepare`."""
    prepared = _prepared.pop() if _prepared else None
    return prepared if prepared is not None and prepared.is_of(data) else ModuleDigest(data)


def made_for(engine: Engine, environment: Environment, module: bytes, signals: bool, version: str, build: bytes | None = None) -> MadeFor:
    """What an engine of a version of wasmcore compiles for: the module with this digest, to run in this environment."""
    backend = engine.backend
    return MadeFor(
        module,
        version,
        backend.name,
        backend.version,
        build_of(engine) if build is None else build,
        backend.contract,
        engine.options,
        engine.target.name,
        engine.target.features(),
        engine.features,
        signals,
        engine.lazy,
        tuple([(plan.offset, plan.index64, plan.guarded, plan.page_size_log2) for plan in environment.memories]),
        (environment.imported_functions, environment.imports_offset, environment.functions_offset, environment.context_size),
    )


def engine_for(wanted: MadeFor) -> Engine:
    """An engine like the one that made an artifact; PluginError where its backend is missing."""
    from wasmcore.compile.engine import Engine

    guard = None if any(guarded for _, _, guarded, _ in wanted.memories) or not wanted.memories else False
    try:
        return Engine(
            wanted.backend,
            options=dict(wanted.options),
            features=wanted.wasm_features,
            signals=wanted.signals,
            guard=guard if wanted.signals else None,
        )
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"precompiled code does not fit: {error}") from None


def check_fits(artifact: Artifact, engine: Engine, environment: Environment, version: str) -> None:
    """Raise ArtifactError unless code from a file can run here, as far as that can be told."""
    found = artifact.made_for
    wanted = made_for(engine, environment, found.module, engine.signals, version, found.build)
    # What a backend needs beyond what it was given is what it needs on every processor.
    missing = (artifact.required_features() & found.features).difference(wanted.features)
    if missing:
        raise ArtifactError(f"precompiled code does not fit: it needs a processor with {', '.join(sorted(missing))}")
    wanted = wanted._replace(features=found.features, lazy=found.lazy)
    if found != wanted:
        raise ArtifactError(f"precompiled code does not fit: {difference(found, wanted)}")


class SavedCode:
    """The entry of one module. Functions that are compiled one by one are written together, at the end."""

    def __init__(self, cache: Cache, made_for: MadeFor, fast: bool) -> None:
        self._cache = cache
        self._enough = 1 if not fast else ENOUGH if COMPILED else ENOUGH_PLAIN
        self._made_for = made_for
        self._lock = Lock()
        self._new: list[CompiledCode] = []
        self.found: Artifact | None = cache.find(made_for)
        """The entry as it was, until it is taken."""
        self.hit: Final = self.found is not None

    def usable(self, lazy: bool) -> bool:
        """Whether the entry saves compiling: all functions, or some where the rest can follow one by one."""
        return self.found is not None and (lazy or self.found.complete)

    def take(self, lazy: bool) -> Artifact | None:
        """The entry as it was, once, if it saves compiling."""
        found = self.found
        if found is None or not (lazy or found.complete):
            return None
        self.found = None
        return found

    def add(self, unit: CompiledCode) -> None:
        """Remember a function that was compiled because it was called."""
        if not self._new:
            _waiting.add(self)
        self._new.append(unit)

    def store(self, units: Iterable[CompiledCode]) -> None:
        """Write an entry for the whole module."""
        self._cache.store(Artifact(self._made_for, tuple(units), True))

    def flush(self) -> None:
        """Write what is new, if it is enough, together with what the entry has by now."""
        with self._lock:
            new, self._new = self._new, []
            size = sum([len(unit.code) for unit in new])
            if size < self._enough:
                return
            current = self._cache.find(self._made_for)
            old: Sequence[CompiledCode] = current.units if current else ()
            if current is not None:
                if current.complete:
                    return
                known = {function.function for unit in old for function in unit.function_table()}
                new = [unit for unit in new if not known.issuperset([function.function for function in unit.function_table()])]
                size = sum([len(unit.code) for unit in new])
                if size < self._enough or (self._enough > 1 and size < current.size() // ENOUGH_OF):
                    return
            self._cache.store(Artifact(self._made_for, (joined([*old, *new]),), False))

    def __del__(self) -> None:
        if self._new:
            self.flush()


_waiting: Final[WeakSet[SavedCode]] = WeakSet()


def flush_all() -> None:
    """Write what is to be written of all modules; at the end of the process."""
    for saved in list(_waiting):
        saved.flush()


atexit.register(flush_all)

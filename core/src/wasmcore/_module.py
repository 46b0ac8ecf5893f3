"""Modules: decoded, validated, ready to be instantiated."""

from __future__ import annotations

from wasmcore import __version__
from wasmcore._features import features_of
from wasmcore._named_tuple import NamedTuple
from wasmcore._source import bytes_of, read_source
from wasmcore._typing import TYPE_CHECKING
from wasmcore.binary import decode
from wasmcore.compile.engine import Engine, default_engine
from wasmcore.compile.module_code import ModuleCode
from wasmcore.errors import ArtifactError
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.instances.memory_images import Images
from wasmcore.runtime.instances.plan import plan
from wasmcore.runtime.objects.type_ids import ProcessTypes
from wasmcore.runtime.system.locks import Lock
from wasmcore.validation import validate as validate_module
from wasmcore.validation import validate_declarations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wasmcore._source import Source
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.compile.cache import Cache
    from wasmcore.compile.saved_code import ModuleDigest, SavedCode
    from wasmcore.plugin.unit import Environment
    from wasmcore.types import ExternType


class ImportType(NamedTuple):
    """What a module wants to be given."""

    module: str
    name: str
    type: ExternType


class ExportType(NamedTuple):
    """What an instance of a module offers."""

    name: str
    type: ExternType


class Module:
    """A WebAssembly module: `Module("gcd.wasm")` or `Module("gcd.wat")`, from the path of a file or from bytes.

    Files and bytes may be binary or text. A string that begins with `(`, behind blanks and comments, is no path but text itself:
    `Module("(module ...)")`; a file whose name begins like that can be given as a `pathlib.Path`.

    Decodes and validates (CompileError), and compiles now or later, as its engine says. `backend` names the compiler where no engine is
    given. Can be shared by threads; copies are the module itself. What is pickled is the WebAssembly and what its engine was told, never
    machine code.
    """

    def __init__(self, source: Source, *, backend: str | None = None, engine: Engine | None = None) -> None:
        if engine is not None and backend is not None:
            raise TypeError("give a module a backend or an engine, not both")
        _check_engine(engine)
        if engine is None:
            engine = default_engine() if backend is None else Engine(backend)
        self._decode(read_source(source), engine, engine.cache_for)
        guarded = self._usual_guards()
        saved = self._saved(guarded)[1]
        known = saved is not None and saved.usable(engine.lazy)
        # Bodies are valid that were compiled from the same bytes before, or are to be compiled now.
        if engine.lazy and not known:
            validate_module(self.info, engine.features)
        else:
            validate_declarations(self.info, engine.features)
            self._code(guarded)

    def _decode(self, data: bytes, engine: Engine, cache_for: Callable[[int], Cache | None]) -> None:
        self._engine = engine
        self._cache = cache_for(len(data))
        self._digest: ModuleDigest | None = None
        if self._cache is not None:
            from wasmcore.compile.saved_code import digest_of

            self._digest = digest_of(data)
        self._info = decode(data, engine.features)
        self._types = ProcessTypes(self._info)
        self._images = Images(self._info)
        self._codes: dict[tuple[bool, ...], ModuleCode] = {}
        self._known: dict[tuple[bool, ...], tuple[Environment, SavedCode | None]] = {}
        self._lock = Lock()

    def _usual_guards(self) -> tuple[bool, ...]:
        """Which of its memories are guarded if it defines them itself or they come from modules like it."""
        return tuple([self.engine.can_be_guarded(memory.type) for memory in self.info.memories])

    def _saved(self, guarded: tuple[bool, ...]) -> tuple[Environment, SavedCode | None]:
        """The environment for memories that are guarded or not, and what the cache has for it; None without a cache."""
        found = self._known.get(guarded)
        if found is None:
            environment = plan(self.info, guarded)
            saved = None
            if self._cache is not None and self._digest is not None:
                from wasmcore.compile.saved_code import SavedCode, made_for

                engine = self.engine
                # Its thread may still be hashing, so it is asked last.
                wanted = made_for(engine, environment, b"", engine.signals, __version__)
                saved = SavedCode(self._cache, wanted._replace(module=self._digest.digest()), engine.backend.lazy)
            found = self._known[guarded] = environment, saved
        return found

    @property
    def engine(self) -> Engine:
        """How it is compiled."""
        return self._engine

    @property
    def info(self) -> ModuleInfo:
        """What it says: sections, index spaces, names."""
        return self._info

    @property
    def types(self) -> ProcessTypes:
        """Its types as those of the process, for linking."""
        return self._types

    @property
    def name(self) -> str | None:
        """Its name in the name section."""
        return self.info.names.module

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What it wants, in order."""
        return tuple([ImportType(item.module, item.name, item.type) for item in self.info.imports])

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What it offers, in order."""
        return tuple([ExportType(item.name, self.info.extern_type(item.kind, item.index)) for item in self.info.exports])

    def custom_sections(self, name: str) -> list[bytes]:
        """The payloads of all custom sections of a name."""
        return [self.info.data[section.start : section.end] for section in self.info.custom_sections if section.name == name]

    def _code(self, guarded: tuple[bool, ...]) -> ModuleCode:
        """Its machine code for memories that are guarded or not."""
        with self._lock:
            found = self._codes.get(guarded)
            if found is None:
                engine = self.engine
                environment, saved = self._saved(guarded)
                found = ModuleCode(self.info, self.types, environment, engine, engine.signals, saved)
                artifact = None if saved is None else saved.take(engine.lazy)
                if artifact is not None:
                    found.load_saved(machine(engine.target), artifact)
                elif engine.lazy:
                    found.make_lazy(machine(engine.target))
                else:
                    found.compile_all(engine.progress)
                self._codes[guarded] = found
            return found

    def serialize(self) -> bytes:
        """The module and its machine code, all of it, for `deserialize` in processes with the same wasmcore and a processor like this
        one."""
        from hashlib import sha256

        from wasmcore.compile.artifact import Artifact, write_artifact
        from wasmcore.compile.saved_code import made_for

        data = self.info.data
        code = self._code(self._usual_guards())
        wanted = made_for(self.engine, code.environment, sha256(data).digest(), code.signals, __version__, b"")
        return write_artifact(Artifact(wanted._replace(lazy=False), tuple(code.all_units(self.engine.progress)), True, data))

    @classmethod
    def deserialize(cls, data: bytes | bytearray | memoryview, *, engine: Engine | None = None) -> Module:
        """The module that `serialize` made bytes of, with its code.

        **Only for bytes you trust like a program you run**: machine code can do anything, and nothing here can tell what it does.
        ArtifactError for what is damaged, or made for another version, backend, processor or engine than this one; without an
        engine, one like that of `serialize` is made.
        """
        from wasmcore.compile.artifact import read_artifact
        from wasmcore.compile.saved_code import check_fits, engine_for

        _check_engine(engine)
        artifact = read_artifact(bytes_of(data, "precompiled code is"))
        if artifact.module is None or not artifact.complete:
            raise ArtifactError("this precompiled code is an entry of a cache, without its module")
        if engine is None:
            engine = engine_for(artifact.made_for)
        module = cls.__new__(cls)
        module._decode(artifact.module, engine, lambda size: None)
        validate_declarations(module.info, engine.features)
        guarded = module._usual_guards()
        environment = module._saved(guarded)[0]
        check_fits(artifact, engine, environment, __version__)
        code = ModuleCode(module.info, module.types, environment, engine, engine.signals)
        code.load_all(artifact.units)
        module._codes[guarded] = code
        return module

    def __reduce__(self) -> tuple[object, tuple[bytes, Engine]]:
        return _again, (self.info.data, self.engine)

    def __copy__(self) -> Module:
        return self

    def __deepcopy__(self, _copied: object) -> Module:
        return self

    def __repr__(self) -> str:
        name = f" {self.name}" if self.name else ""
        return f"<wasmcore.Module{name} of {len(self.info.data)} bytes, {len(self.info.exports)} exports>"


def validate(source: Source, *, features: str | Iterable[str] = DEFAULT_FEATURES) -> None:
    """Raise DecodeError or ValidationError unless the file or bytes are a valid module. Needs no backend; `features` as of an `Engine`."""
    enabled = features_of(features)
    validate_module(decode(read_source(source), enabled), enabled)


def _check_engine(engine: object) -> None:
    if engine is not None and not isinstance(engine, Engine):
        raise TypeError(f"a wasmcore.Engine is expected, not {type(engine).__name__}; a name is given as backend=")


def _again(data: bytes, engine: Engine) -> Module:
    return Module(data, engine=engine)

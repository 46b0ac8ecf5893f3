"""Modules: decoded, validated, ready to be instantiated."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wasmcore._named_tuple import NamedTuple
from wasmcore._source import read_source
from wasmcore.binary import decode
from wasmcore.compile.engine import Engine, default_engine
from wasmcore.compile.module_code import ModuleCode
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.runtime.locks import Lock
from wasmcore.runtime.plan import plan
from wasmcore.runtime.stubs import machine
from wasmcore.runtime.type_ids import ProcessTypes
from wasmcore.validation import validate as validate_module
from wasmcore.validation import validate_declarations

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    given. Can be shared by threads and pickled; what is pickled is the WebAssembly, never machine code.
    """

    def __init__(
        self, source: str | os.PathLike[str] | bytes | bytearray | memoryview, *, backend: str | None = None, engine: Engine | None = None
    ) -> None:
        if engine is not None and backend is not None:
            raise TypeError("give a module a backend or an engine, not both")
        if engine is None:
            engine = default_engine() if backend is None else Engine(backend)
        self.engine = engine
        self.info = decode(read_source(source), engine.features)
        """What the module says: sections, index spaces, names."""
        self.types = ProcessTypes(self.info)
        """Its types as those of the process, for linking."""
        self._codes: dict[tuple[bool, ...], ModuleCode] = {}
        self._lock = Lock()
        if engine.lazy:
            validate_module(self.info, engine.features)
        else:
            validate_declarations(self.info, engine.features)
            self.code(tuple([engine.can_be_guarded(memory.type) for memory in self.info.memories]))

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

    def code(self, guarded: tuple[bool, ...]) -> ModuleCode:
        """Its machine code for memories that are guarded or not."""
        with self._lock:
            found = self._codes.get(guarded)
            if found is None:
                engine = self.engine
                found = ModuleCode(self.info, self.types, plan(self.info, guarded), engine, engine.signals)
                if engine.lazy:
                    found.make_lazy(machine(engine.target))
                else:
                    found.compile_all(engine.progress)
                self._codes[guarded] = found
            return found

    def __reduce__(self) -> tuple[object, tuple[bytes, str, frozenset[str]]]:
        return _unpickle, (self.info.data, self.engine.backend.name, self.engine.features)

    def __repr__(self) -> str:
        return f"<wasmcore.Module {self.name or ''}{len(self.info.data)} bytes, {len(self.info.exports)} exports>"


def validate(source: str | os.PathLike[str] | bytes | bytearray | memoryview, *, features: Iterable[str] = DEFAULT_FEATURES) -> None:
    """Raise DecodeError or ValidationError unless the file or bytes are a valid module. Needs no backend."""
    enabled = frozenset(features)
    validate_module(decode(read_source(source), enabled), enabled)


def _unpickle(data: bytes, backend: str, features: frozenset[str]) -> Module:
    return Module(data, engine=Engine(backend, features=features))

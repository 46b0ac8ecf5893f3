"""The machine code of one module for one way of reaching its memories: compiled lazily, function by function, or all at once."""

from __future__ import annotations

import ctypes
import warnings
from array import array
from bisect import bisect_right
from struct import iter_unpack

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.compile.units import compiled_by
from wasmcore.errors import ArtifactError, CompileWarning, NotCompiledError, PluginError
from wasmcore.opcodes import OPCODES
from wasmcore.plugin.code import IN_INLINED, CompiledCode
from wasmcore.plugin.hooks import is_isolated
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.plugin.unit import CompileUnit, Environment
from wasmcore.runtime.execution.loader import LoadedCode
from wasmcore.runtime.execution.stacks import with_room
from wasmcore.runtime.system.living import Listeners
from wasmcore.runtime.system.locks import Lock
from wasmcore.types import FuncType

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from wasmcore.binary import ModuleInfo
    from wasmcore.compile.artifact import Artifact
    from wasmcore.compile.engine import Engine
    from wasmcore.compile.saved_code import SavedCode
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.runtime.instances.instance import InstanceState
    from wasmcore.runtime.instances.template import Template
    from wasmcore.runtime.objects.type_ids import ProcessTypes
    from wasmcore.validation import StreamWriter

_KEPT_ADDRESS_MAPS: Final = 16
_FUNCTION_SIZE: Final = 12
"""Bytes per function in `CompiledCode.functions`."""


class ModuleCode:
    """Where the functions of a module are in memory. All methods are safe to call from several threads."""

    def __init__(
        self,
        info: ModuleInfo,
        types: ProcessTypes,
        environment: Environment,
        engine: Engine,
        signals: bool,
        saved: SavedCode | None = None,
    ) -> None:
        self.info = info
        self.types = types
        self.environment = environment
        self.signals = signals
        self._saved = saved
        self._executor = engine.executor
        self._backend = engine.backend
        self._options = engine.options
        self._target = engine.target
        self._lock = Lock()
        self._wasm_features = engine.features
        self._made_writer: StreamWriter | None = None
        self._loaded: list[LoadedCode] = []
        self._instances = Listeners()
        self.template: Template | None = None
        self._defined = info.function_count - info.imported_functions
        self._first = environment.imported_functions
        self.entries = array("Q", [0]) * self._defined
        """Address of each defined function: its code, or its lazy stub; 8 bytes each."""
        self._compiled = bytearray(self._defined)
        self._address_maps: dict[int, tuple[list[int], list[int], list[tuple[int, ...]]]] = {}
        self._positions: dict[int, memoryview[int]] = {}
        """Where the words of the streams come from, of functions that were asked for."""
        self._origins: dict[int, tuple[str, str, tuple[tuple[str, str], ...]]] = {}
        """Of functions that were compiled in another way than the engine says: backend, its version, its options."""
        self._whole_environment: Environment | None = None
        """What functions are compiled with that were compiled as a whole module; None before that is known."""
        self._tables: list[CompiledCode] = []
        """Of the units of a whole module, in order, everything but the code."""
        ids = types.ids
        self._type_ids: Any = (ctypes.c_uint32 * max(1, len(ids)))(*ids)
        self.function_type_ids = array("I", [ids[index] for index in memoryview(info.function_types).cast("I")[self._first :]])
        """Type id of each defined function; 4 bytes each."""
        self.most_params = max([len(item.composite.params) for item in info.types if isinstance(item.composite, FuncType)], default=0)
        """No function has more."""
        self.type_ids_address = ctypes.addressof(self._type_ids)

    @property
    def _writer(self) -> StreamWriter:
        """Made when the first function is compiled: where all code was in the cache, nothing of this is imported."""
        if self._made_writer is None:
            from wasmcore.validation import StreamWriter

            self._made_writer = StreamWriter(self.info, self._wasm_features)
        return self._made_writer

    @property
    def module_name(self) -> str | None:
        """The name of the module in its name section."""
        return self.info.names.module

    def function_name(self, index: int) -> str | None:
        """The name of a function in the name section, or that it is exported with."""
        return self.info.function_name(index)

    def attach(self, state: InstanceState) -> None:
        """Patch the funcref records of this instance, too, from now on."""
        self._instances.add(state, state.address)

    def make_lazy(self, machine: Machine) -> None:
        """Give all functions lazy stubs."""
        self._stubs = stubs = machine.lazy_stubs(self._defined)
        self.entries = array("Q", range(stubs.address, stubs.address + stubs.step * self._defined, stubs.step))

    def compile_function(self, number: int) -> int:
        """Compile the n-th defined function, if it is not yet, and let all instances call its code; its address."""
        with self._lock:
            if not self._compiled[number]:
                try:
                    compiled = with_room(self._compile_one, self._first + number)
                except NotCompiledError as error:
                    raise self._explained(error) from None
                if not self._compiled[number]:  # by a signal handler in between
                    self._load(compiled)
                    if self._saved is not None and not self._is_odd(compiled):
                        self._saved.add(compiled)
                    _tell(compiled)
            return self.entries[number]

    def _compile_one(self, index: int) -> CompiledCode:
        """Compile one function by itself."""
        # Whoever waits for this may be interrupted and compile something else before it has ended, with a writer of its own.
        writer, self._made_writer = self._writer, None
        stream = writer.stream(index)
        self._made_writer = writer
        unit = self._unit((stream,))
        if not is_isolated(self._backend):
            return compiled_by(self._backend, unit)
        from wasmcore.compile.parallel import compile_apart

        return compile_apart(self._backend, unit, self.function_name)

    def load_saved(self, machine: Machine, artifact: Artifact) -> None:
        """Load what the cache has of the module, with lazy stubs for what it has not."""
        if artifact.complete:
            self.load_all(artifact.units)
        else:
            self.make_lazy(machine)
            with self._lock:
                for unit in artifact.units:
                    self._load(unit)

    def load_all(self, units: Sequence[CompiledCode]) -> None:
        """Load all functions from code that was compiled for this module and environment before; ArtifactError if some are missing."""
        if sum([len(unit.functions) for unit in units]) != _FUNCTION_SIZE * self._defined:
            raise ArtifactError("precompiled code does not have all functions of its module")
        if any(max(memoryview(unit.callees).cast("I"), default=-1) >= self.info.function_count for unit in units):
            raise ArtifactError("precompiled code was made from functions that its module does not have")
        with self._lock:
            for unit in units:
                self._load_part(unit)

    def _load_part(self, unit: CompiledCode) -> None:
        self._load(unit)
        self._tables.append(unit._replace(code=b""))

    def all_units(self, progress: Callable[[int, int], None] | None = None) -> list[CompiledCode]:
        """All functions, compiled as a whole module; compiles them if that has not been done."""
        with self._lock:
            if self._tables or not self._defined:
                return [unit._replace(code=loaded.code()) for unit, loaded in zip(self._tables, self._loaded, strict=True)]
            before = self._whole_environment
            try:
                return list(self.compiled_units(progress))
            finally:  # address maps of functions compiled one by one must stay what they are
                self._whole_environment = before

    def compile_all(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compile all functions, whose bodies need not have been validated; `progress(done, total)` counts them."""
        with self._lock:
            kept = []
            for unit in self.compiled_units(progress):
                self._load_part(unit)
                if self._saved is not None:
                    kept.append(unit)
            if self._saved is not None:
                self._saved.store(kept)

    def compiled_units(self, progress: Callable[[int, int], None] | None = None) -> Generator[CompiledCode]:
        """Compile all functions in units that the module alone decides; in several processes, if that is worth it."""
        from contextlib import closing

        from wasmcore.compile.parallel import compile_units

        done = 0
        with closing(compile_units(self._units(), self._backend, self._executor, self._code_size(), self.function_name)) as results:
            try:
                for unit in results:
                    _tell(unit)
                    yield unit
                    done += len(unit.functions) // _FUNCTION_SIZE
                    if progress is not None:
                        progress(done, self._defined)
            except NotCompiledError as error:
                raise self._explained(error) from None

    def _explained(self, error: NotCompiledError) -> NotCompiledError:
        """The same with a message that names what has to be known to do something about it."""
        from wasmcore import _registry
        from wasmcore.proposals import needs

        name = self.function_name(error.function)
        where = f"function {error.function}" + (f" (${name})" if name is not None else "")
        message = f"{where}: {needs(error.opcode)}, which the {self._backend.name} backend does not compile yet"
        opcode = OPCODES.get(error.opcode)
        others = sorted(name for name, other in _registry.backends().items() if opcode is not None and opcode.feature in other.features)
        if others and self._backend.name not in others:
            message += f"; {' and '.join(others)} may"
        return NotCompiledError(error.opcode, error.function, error.offset, message)

    def _units(self) -> Iterator[CompileUnit]:
        from wasmcore.compile.units import stream_groups, whole_module

        writer = self._writer
        if self._backend.lazy:
            yield from map(self._unit, stream_groups(writer, self._first, self._defined, self._backend.unit_size))
            return
        self._whole_environment, groups = whole_module(self.info, writer, self.environment, self._backend)
        for streams, callees in groups:
            yield self._unit(streams)._replace(callees=callees)

    def _code_size(self) -> int:
        """Bytes of all bodies."""
        bodies = self.info.bodies
        return int.from_bytes(bodies[-4:], "little") - int.from_bytes(bodies[:4], "little")

    def _unit(self, streams: tuple[bytes, ...]) -> CompileUnit:
        environment = self._whole_environment or self.environment
        return CompileUnit.made_for(self._target, environment, streams, signals=self.signals, options=self._options)

    def _load(self, compiled: CompiledCode) -> None:
        loaded = LoadedCode(compiled, self, self._target.publish)
        self._loaded.append(loaded)
        if self._is_odd(compiled):
            origin = compiled.backend, compiled.backend_version, compiled.options
            self._origins.update(dict.fromkeys([index for index, _ in loaded.entries()], origin))
        entries, known, first = self.entries, self._compiled, self._first
        for index, address in loaded.entries():
            entries[index - first] = address
            known[index - first] = 1
        if self.template is not None:
            for index, address in loaded.entries():
                self.template.set_entry(index - first, address)
        for _, context in self._instances:
            records = context + self.environment.functions_offset - FUNCREF_SIZE * first
            for index, address in loaded.entries():
                ctypes.c_uint64.from_address(records + FUNCREF_SIZE * index).value = address

    def source_places(self, index: int, offset: int) -> list[tuple[int, int | None]]:
        """Where in the module the code at an offset of a function comes from: function and byte offset of the instruction, then those of
        the calls around it that were inlined.

        Compiling is deterministic, so the address map is made only when it is asked for; those of a few functions are kept, since
        a backtrace asks for one function many times.
        """
        with self._lock:
            if index not in self._address_maps:
                if len(self._address_maps) == _KEPT_ADDRESS_MAPS:
                    self._address_maps.clear()
                    self._positions.clear()
                self._address_maps[index] = self._address_map(index)
            offsets, words, inlined = self._address_maps[index]
            at = bisect_right(offsets, offset) - 1
            if at < 0:
                return [(index, None)]
            word = words[at]
            places: list[tuple[int, int | None]] = []
            while word & IN_INLINED:
                function, own, word = inlined[word ^ IN_INLINED]
                places.append((function, self._position(function, own)))
            places.append((index, self._position(index, word)))
            return places

    def _position(self, index: int, word: int) -> int:
        """The byte offset in the module that a stream word of a function was made from."""
        found = self._positions.get(index)
        if found is None:
            found = self._positions[index] = memoryview(self._writer.positions(index)).cast("I")
        return found[word]

    def _address_map(self, index: int) -> tuple[list[int], list[int], list[tuple[int, ...]]]:
        """Of the code of a function: ascending offsets, the place of each, and what the places in inlined bodies are."""
        if self._tables and self._whole_environment is None:  # the code was compiled by another process
            next(self._units(), None)
        together, callees = self._compiled_with(index)
        streams, small = (tuple([self._writer.stream(function) for function in group]) for group in (together, callees))
        unit = self._unit(streams)._replace(address_map=True, wanted=together.index(index), callees=small)
        try:
            compiled = self._compiled_again(index, unit)
        except PluginError:
            return [], [], []
        start, size = next((row.offset, row.size) for row in compiled.function_table() if row.function == index)
        places = [(at - start, word) for at, word in iter_unpack("<II", compiled.address_map) if 0 <= at - start < size]
        return [at for at, _ in places], [word for _, word in places], list(iter_unpack("<III", compiled.inlined))

    def _compiled_again(self, index: int, unit: CompileUnit) -> CompiledCode:
        """The unit of a function by the backend, and with the options, that its code comes from; PluginError if that can not be."""
        from wasmcore.compile.parallel import compile_again

        backend = self._backend
        if index in self._origins:
            from wasmcore import _registry

            name, version, options = self._origins[index]
            backend, unit = _registry.backend(name), unit._replace(options=options)
            if backend.version != version:
                raise PluginError(f"backend {name!r} has another version by now")
        return compile_again(backend, unit)

    def _is_odd(self, compiled: CompiledCode) -> bool:
        """Whether code was compiled in another way than the engine says."""
        return (compiled.backend, compiled.options) != (self._backend.name, self._options)

    def _compiled_with(self, index: int) -> tuple[range, Sequence[int]]:
        """The functions of the unit that the code of a function comes from, and its callees."""
        for unit in self._tables:
            first = int.from_bytes(unit.functions[:4], "little")
            together = range(first, first + len(unit.functions) // _FUNCTION_SIZE)
            if index in together:
                return together, memoryview(unit.callees).cast("I")
        return range(index, index + 1), ()


def _tell(unit: CompiledCode) -> None:
    """Give the notes on a unit as warnings."""
    for note in unit.notes:
        warnings.warn(note, CompileWarning, stacklevel=3)

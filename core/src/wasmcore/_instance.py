"""Instances of modules, and their exports."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from wasmcore import _registry
from wasmcore._typing import TYPE_CHECKING, Any
from wasmcore.binary.module_info import KIND_FUNCTION, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE, KIND_TAG
from wasmcore.errors import LinkError
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.instances.instance import InstanceState, Linked
from wasmcore.runtime.objects.func import ExportedFunction, Func
from wasmcore.runtime.objects.global_ import Global
from wasmcore.runtime.objects.memory import Memory
from wasmcore.runtime.objects.table import Table
from wasmcore.runtime.objects.tag import Tag
from wasmcore.runtime.objects.type_ids import id_matches, type_id, value_type_matches
from wasmcore.types import FuncType, GlobalType, MemoryType, TableType, TagType

if TYPE_CHECKING:
    from wasmcore._module import Module
    from wasmcore.binary.module_info import Import
    from wasmcore.runtime.objects.type_ids import ProcessTypes
    from wasmcore.types import ExternType

Imports = Mapping[str, "Mapping[str, Any] | Instance"]
"""Module name -> name -> function, `Memory`, `Table`, `Global`, number (for a constant global); or an instance for its exports."""


class Exports(Mapping[str, Any]):
    """The exports of an instance, as attributes and as a mapping: `exports.add(2, 3)`, `exports["add"]`."""

    def __init__(self, state: InstanceState) -> None:
        self._state = state
        self._names = {item.name: item for item in state.info.exports}

    def __getitem__(self, name: str) -> Any:
        item = self._names[name]
        return self._state.export(item.kind, item.index)

    def __getattr__(self, name: str) -> Any:
        try:
            value = self[name]
        except KeyError:
            raise AttributeError(f"nothing is exported as {name!r}; there are: {', '.join(self._names) or 'no exports'}") from None
        self.__dict__[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._names]

    def __repr__(self) -> str:
        return f"<exports: {', '.join(self._names)}>"


class Instance:
    """A module brought to life: `Instance(module, {"env": {"log": print}})`.

    imports: by module and name; what they do not hold is taken from installed host modules (WASI), to which `host_options` passes
        options by the name of the plugin, as in `{"wasi": {"args": ["app"]}}`.
    release_gil: let other Python threads run all the time while functions of this instance run, not only every few milliseconds; costs
        some 20 ns a call.
    wait: a thread that calls a function while another one is inside of this instance, or of one that is linked with it, waits until that
        one has left; with False, it gets StoreBusyError.

    LinkError where an import is missing or has another type; Trap where initialisation traps.
    """

    def __init__(
        self,
        module: Module,
        imports: Imports | None = None,
        *,
        host_options: Mapping[str, Mapping[str, Any]] | None = None,
        release_gil: bool = False,
        wait: bool = True,
    ) -> None:
        self.module = module
        link = _Link()
        values = _Provided(imports or {}, host_options or {}, link)
        linked = Linked()
        for item in module.info.imports:
            _add(linked, item, module.types, values.find(item))
        engine = module.engine
        linked.memories += [Memory.of_type(memory.type, guarded=engine.guard) for memory in module.info.memories[len(linked.memories) :]]
        code = module.code(tuple([memory.guarded and engine.signals for memory in linked.memories]))
        self._state = InstanceState(code, module.info, linked, machine(engine.target), release_gil, wait)
        self.exports = Exports(self._state)
        link.complete(self._state)
        self._state.initialize()

    def __repr__(self) -> str:
        return f"<wasmcore.Instance of {self.module!r}>"


class _Link:
    """What host modules know of the instance: the memory it exports as `memory`. Does not keep the instance alive."""

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def complete(self, state: InstanceState) -> None:
        """The instance is there."""
        for item in state.info.exports:
            if item.kind == KIND_MEMORY and item.name == "memory":
                self._memory = state.memories[item.index]

    def memory(self) -> memoryview:
        """The bytes of the exported memory as they are now."""
        if self._memory is None:
            raise LinkError("the module exports no memory with the name 'memory', which its host module needs")
        return self._memory.view()


class _Provided:
    """The values that imports may be satisfied with."""

    def __init__(self, imports: Imports, options: Mapping[str, Mapping[str, Any]], link: _Link) -> None:
        self._imports = imports
        self._options = options
        self._link = link
        self._hosts: dict[str, Mapping[str, tuple[FuncType, Callable[..., Any]]]] = {}

    def find(self, item: Import) -> Any:
        """The value of an import; LinkError if there is none."""
        given = self._imports.get(item.module)
        names: Mapping[str, Any] = given.exports if isinstance(given, Instance) else {} if given is None else given
        if item.name in names:
            return names[item.name]
        hosted = self._host(item.module).get(item.name)
        if hosted is not None:
            return Func(hosted[0].params, hosted[0].results, hosted[1])
        raise LinkError(f"import {item.module}.{item.name} is missing: expected {_describe(item.type)}")

    def _host(self, module: str) -> Mapping[str, tuple[FuncType, Callable[..., Any]]]:
        if module not in self._hosts:
            found = _registry.find_host_module(module)
            self._hosts[module] = {} if found is None else found[1].functions(self._link, self._options.get(found[0], {}))
        return self._hosts[module]


def _add(linked: Linked, item: Import, types: ProcessTypes, value: Any) -> None:
    """Put the value of an import where it belongs, if its type matches."""
    behind = getattr(value, "__self__", None)
    if item.kind == KIND_FUNCTION and isinstance(behind, ExportedFunction):
        _match(item, behind.type, id_matches(behind.type_id, types.ids[item.type_index]))
        linked.functions.append(behind)
    elif item.kind == KIND_FUNCTION and isinstance(value, Func):
        _match(item, value.type, id_matches(type_id(value.type), types.ids[item.type_index]))
        linked.functions.append(value.function)
    elif item.kind == KIND_FUNCTION and callable(value):
        linked.functions.append(value)
    elif item.kind == KIND_TABLE and isinstance(value, Table):
        assert isinstance(item.type, TableType)
        same_element = value.element == types.value(item.type.element)
        _match(item, value.type, same_element and value.type.limits.matches(item.type.limits))
        linked.tables.append(value)
    elif item.kind == KIND_MEMORY and isinstance(value, Memory):
        assert isinstance(item.type, MemoryType)
        same_pages = value.type.page_size_log2 == item.type.page_size_log2
        _match(item, value.type, same_pages and value.type.limits.matches(item.type.limits))
        linked.memories.append(value)
    elif item.kind == KIND_GLOBAL and isinstance(value, Global):
        assert isinstance(item.type, GlobalType)
        _match(item, value.type, _global_matches(value.type, types.variable(item.type)))
        linked.globals.append(value)
    elif item.kind == KIND_TAG and isinstance(value, Tag):
        _match(item, value.type, value.type_id == types.ids[item.type_index])
        linked.tags.append(value)
    elif item.kind == KIND_GLOBAL and isinstance(item.type, GlobalType) and not item.type.mutable and _is_number(value):
        linked.globals.append(Global(item.type.value, value))
    else:
        _match(item, value, False)


def _global_matches(found: GlobalType, wanted: GlobalType) -> bool:
    """Whether a global may be imported as another type: a variable only as its own (specification 3.3.5.7)."""
    return found == wanted or (not found.mutable and not wanted.mutable and value_type_matches(found.value, wanted.value))


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return True
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _match(item: Import, given: Any, matches: bool) -> None:
    if not matches:
        shown = (
            _describe(given)
            if isinstance(given, (FuncType, TableType, MemoryType, GlobalType, TagType))
            else f"a Python {type(given).__name__}"
        )
        raise LinkError(f"incompatible import type: {item.module}.{item.name}: expected {_describe(item.type)}, given {shown}")


def _describe(extern_type: ExternType) -> str:
    return f"func {extern_type}" if isinstance(extern_type, FuncType) else str(extern_type)

"""Instances of modules, and their exports."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice, repeat

from wasmcore import _registry
from wasmcore._arguments import check, near
from wasmcore._exports import Exports, exports_of
from wasmcore._module import Module
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.binary.module_info import KIND_FUNCTION, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE, KIND_TAG
from wasmcore.errors import LinkError
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.instances.instance import NOTHING, InstanceState, Linked
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.func import ExportedFunction, Func, refuse_async
from wasmcore.runtime.objects.global_ import Global
from wasmcore.runtime.objects.memory import Memory, MemorySpace
from wasmcore.runtime.objects.table import Table
from wasmcore.runtime.objects.tag import Tag
from wasmcore.runtime.objects.type_ids import id_matches, type_id, value_type_matches
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import FuncType, GlobalType, MemoryType, TableType, TagType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import Import
    from wasmcore.runtime.objects.type_ids import ProcessTypes
    from wasmcore.types import ExternType

Imports = Mapping[str, "Mapping[str, Any] | Instance"]
"""Module name -> name -> function, `Memory`, `Table`, `Global`, number (for a constant global); or an instance for its exports."""

_MOST_NAMED: Final = 100
"""A LinkError names so many imports."""


class Instance(Unique):
    """A module brought to life: `Instance(module, {"env": {"log": print}})`.

    imports: by module and name; what they do not hold is taken from installed host modules (WASI), to which `host_options` passes
        options by the name of the plugin, as in `{"wasi": {"args": ["app"]}}`.
    release_gil: let other Python threads run all the time while functions of this instance run, not only every few milliseconds; costs
        some 20 ns a call.
    wait: a thread that calls a function while another one is inside of this instance, or of one that is linked with it, waits until that
        one has left; with False, it gets StoreBusyError.

    LinkError that names every import that is missing or has another type; TypeError for what is no import at all, such as an async
    function; Trap where initialisation traps. An instance can not be copied or pickled, its module can.
    """

    _instead = ": instantiate its module again"

    def __init__(
        self,
        module: Module,
        imports: Imports | None = None,
        *,
        host_options: Mapping[str, Mapping[str, Any]] | None = None,
        release_gil: bool = False,
        wait: bool = True,
    ) -> None:
        if not isinstance(module, Module):
            raise _no_module(module)
        for name, value in (("release_gil", release_gil), ("wait", wait)):
            if value is not True and value is not False:
                check(name, value, False, "True or False")
        self.module = module
        info, engine = module.info, module.engine
        linked, link = NOTHING, None
        if info.imports or imports is not None or host_options is not None:
            link = _Link()
            linked = _linked(module, _Provided(imports, host_options, link))
        images = module._images.for_instance()
        shown = images or repeat(None)
        first = len(linked.memories)
        own = [MemorySpace(memory.type, engine.guard, image) for memory, image in zip(info.memories[first:], islice(shown, first, None))]
        guarded = [memory._space.guarded and engine.signals for memory in linked.memories]
        guarded += [memory.guarded and engine.signals for memory in own]
        code = module._code(tuple(guarded))
        self._state = InstanceState(code, info, linked, own, machine(engine.target), release_gil, wait)
        if link is not None:
            link.complete(self._state)
        self._state.initialize(images is not None)

    @cached_property
    def exports(self) -> Exports:
        """What the module exports, as attributes and as a mapping."""
        return exports_of(self._state)

    def __repr__(self) -> str:
        return f"<wasmcore.Instance of {self.module!r}>"


def _no_module(value: object) -> TypeError:
    advice = f": Instance(Module({value!r}))" if isinstance(value, (str, os.PathLike)) else ""
    return TypeError(f"a wasmcore.Module is expected, not {type(value).__name__}{advice}")


class _Link:
    """What host modules know of the instance: the memory it exports as `memory`. Does not keep the instance alive."""

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def complete(self, state: InstanceState) -> None:
        """The instance is there."""
        for item in state.info.exports:
            if item.kind == KIND_MEMORY and item.name == "memory":
                self._memory = state.object_of(KIND_MEMORY, item.index)

    def memory(self) -> memoryview:
        """The bytes of the exported memory as they are now."""
        if self._memory is None:
            raise LinkError("the module exports no memory with the name 'memory', which its host module needs")
        return self._memory.view()


class _Provided:
    """The values that imports may be satisfied with."""

    def __init__(self, imports: Imports | None, options: Mapping[str, Mapping[str, Any]] | None, link: _Link) -> None:
        self._imports: Imports = {} if imports is None else imports
        self._options: Mapping[str, Mapping[str, Any]] = {} if options is None else options
        self._link = link
        self._hosts: dict[str, Mapping[str, tuple[FuncType, Callable[..., Any]]]] = {}
        _check_mapping("imports", self._imports, "module names to mappings: {'env': {'log': print}}")
        _check_mapping("host_options", self._options, "names of plugins to options: {'wasi': {'args': ['app']}}")
        for name, given in self._imports.items():
            if not isinstance(given, Instance):
                _check_mapping(f"imports[{name!r}]", given, "names to values, or an instance")
        for name, given in self._options.items():
            _check_mapping(f"host_options[{name!r}]", given, "options to values")
        _registry.check_host_options(self._options)

    def find(self, item: Import) -> Any:
        """The value of an import; LinkError if there is none."""
        names = self._given(item.module)
        if item.name in names:
            return names[item.name]
        hosted = self._host(item.module).get(item.name)
        if hosted is not None:
            return Func(hosted[0].params, hosted[0].results, hosted[1])
        meant = near(item.name, names)
        question = "" if meant is None else f"; there is {item.module}.{meant}"
        raise LinkError(f"import {item.module}.{item.name} is missing: expected {_describe(item.type)}{question}")

    def _given(self, module: str) -> Mapping[str, Any]:
        given = self._imports.get(module)
        return given.exports if isinstance(given, Instance) else {} if given is None else given

    def _host(self, module: str) -> Mapping[str, tuple[FuncType, Callable[..., Any]]]:
        if module not in self._hosts:
            found = _registry.find_host_module(module)
            self._hosts[module] = {} if found is None else found[1].functions(self._link, self._options.get(found[0], {}))
        return self._hosts[module]


def _check_mapping(name: str, value: object, wanted: str) -> None:
    check(name, value, isinstance(value, Mapping), f"a mapping of {wanted}")


def _linked(module: Module, values: _Provided) -> Linked:
    """What the imports are resolved to; LinkError with all that can not be."""
    linked = Linked()
    lacking = {}
    for item in module.info.imports:
        try:
            _add(linked, item, module.types, values.find(item))
        except LinkError as error:
            lacking[str(error)] = item.module
    if lacking:
        lines = [*lacking][:_MOST_NAMED]
        if len(lacking) > 1:
            lines.insert(0, f"{len(lacking)} imports can not be satisfied:")
        if len(lacking) > _MOST_NAMED:
            lines.append(f"and {len(lacking) - _MOST_NAMED} more")
        lines += filter(None, map(_registry.advice, dict.fromkeys(lacking.values())))
        raise LinkError("\n  ".join(lines))
    return linked


def _add(linked: Linked, item: Import, types: ProcessTypes, value: Any) -> None:
    """Put the value of an import where it belongs, if its type matches."""
    behind = references.function_object(value)
    if item.kind == KIND_FUNCTION and isinstance(behind, ExportedFunction):
        _match(item, behind.type, id_matches(references.funcref_type_id(behind._funcref), types.ids[item.type_index]))
        linked.functions.append(behind)
    elif item.kind == KIND_FUNCTION and isinstance(value, Func):
        _match(item, value._type, id_matches(type_id(value._type), types.ids[item.type_index]))
        linked.functions.append(value._function)
    elif item.kind == KIND_FUNCTION and callable(value):
        refuse_async(value, f"import {item.module}.{item.name}")
        linked.functions.append(value)
    elif item.kind == KIND_TABLE and isinstance(value, Table):
        assert isinstance(item.type, TableType)
        table_type = value._present_type()
        same_element = table_type.element == types.value(item.type.element)
        _match(item, table_type, same_element and table_type.limits.matches(item.type.limits))
        linked.tables.append(value)
    elif item.kind == KIND_MEMORY and isinstance(value, Memory):
        assert isinstance(item.type, MemoryType)
        memory_type = value._present_type()
        same_pages = memory_type.page_size_log2 == item.type.page_size_log2
        _match(item, memory_type, same_pages and memory_type.limits.matches(item.type.limits))
        linked.memories.append(value)
    elif item.kind == KIND_GLOBAL and isinstance(value, Global):
        assert isinstance(item.type, GlobalType)
        _match(item, value._type, _global_matches(value._type, types.variable(item.type)))
        linked.globals.append(value)
    elif item.kind == KIND_TAG and isinstance(value, Tag):
        _match(item, value._type, value._type_id == types.ids[item.type_index])
        linked.tags.append(value)
    elif item.kind == KIND_GLOBAL and isinstance(item.type, GlobalType) and not item.type.mutable and _is_number(value):
        linked.globals.append(_constant(item, item.type, value))
    else:
        _match(item, value, False)


def _constant(item: Import, wanted: GlobalType, number: Any) -> Global:
    try:
        return Global(wanted.value, number)
    except (TypeError, OverflowError) as error:
        raise LinkError(f"incompatible import value: {item.module}.{item.name}: {error}") from None


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

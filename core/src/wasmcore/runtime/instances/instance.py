"""The native side of an instance: its context in memory, and what keeps it alive."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from weakref import WeakValueDictionary

from wasmcore._typing import TYPE_CHECKING, Any, Protocol
from wasmcore.binary.module_info import KIND_FUNCTION, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE, KIND_TAG
from wasmcore.plugin.layout import FUNCREF_SIZE, VMCONTEXT
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, ContextBlock, funcref_records, write_host_function
from wasmcore.runtime.instances.builtins import builtins_table, contexts
from wasmcore.runtime.instances.constant import evaluate
from wasmcore.runtime.instances.plan import shares_references
from wasmcore.runtime.instances.segments import Segments
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.func import ExportedFunction, exported_function
from wasmcore.runtime.objects.global_ import Global, new_global
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.memory import Memory
from wasmcore.runtime.objects.table import Table, new_tables
from wasmcore.runtime.objects.tag import Tag, new_tag
from wasmcore.types import NULLABLE_REFERENCE, FuncType, TagType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ConstantExpression, ModuleInfo
    from wasmcore.plugin.unit import Environment
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.runtime.objects.type_ids import ProcessTypes


class Code(Protocol):
    """The code of a module, as an instance sees it."""

    environment: Environment
    types: ProcessTypes
    """The types of the module."""
    signals: bool
    """Whether it needs signal handlers."""
    entries: array[int]
    """Address of each defined function; 8 bytes each."""
    function_type_ids: array[int]
    """Type id of each defined function; 4 bytes each."""
    type_ids_address: int
    most_params: int
    """No function has more."""

    def attach(self, state: InstanceState) -> None:
        """Patch the funcref records of this instance when functions are compiled."""

    def compile_function(self, number: int) -> int:
        """Compile the n-th defined function; the address of its code."""


class Linked:
    """What the imports of a module were resolved to, by kind, in order; the memories include those the module defines."""

    def __init__(self) -> None:
        self.functions: list[ExportedFunction | Callable[..., Any]] = []
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.tags: list[Tag] = []


class InstanceState:
    """One instance: builds its VMContext, then answers what its exports are.

    The Python objects of its functions hold it; it holds what it imports, its code and its group.
    """

    def __init__(self, code: Code, info: ModuleInfo, linked: Linked, machine: Machine, release_gil: bool, wait: bool) -> None:
        self.code = code
        self.info = info
        self.machine = machine
        self.release_gil = release_gil
        if code.signals:
            machine.ensure_signals()
        self.imported = linked.functions
        self.tables = linked.tables
        self.memories = linked.memories
        self.globals = linked.globals
        self.tags = linked.tags
        self._functions: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self.segments = Segments(info)
        self.number = references.register_owner(self)
        self.group = Group()
        environment = code.environment
        hosts = sum(not isinstance(function, ExportedFunction) for function in linked.functions)
        self._join()
        if not wait:
            self.group.store.waits = False
        self._block = ContextBlock(environment.context_size + hosts * (HOST_CONTEXT_SIZE + FUNCREF_SIZE), self.group)
        self.address = self._block.address
        """Of its VMContext."""
        contexts[self.address] = self
        self._write_head()
        self._write_functions()
        self._define_spaces()
        self._define_globals()
        if shares_references(info):
            self.group.keep_when_shared(self)
            if info.imports:
                self.group.share()

    def _join(self) -> None:
        """Make one group of all through which functions may be called."""
        for function in self.imported:
            if isinstance(function, ExportedFunction):
                self.group = self.group.join(function._group)
        for table in self.tables:
            self.group = table._space.join(self.group)
        for cell in self.globals:
            if cell.type.value & 7 >= NULLABLE_REFERENCE:
                self.group = cell._join(self.group)

    def _write_head(self) -> None:
        values = {
            "store": self.group.store.address,
            "builtins": builtins_table(self.machine),
            "type_ids": self.code.type_ids_address,
            "owner": self.number,
        }
        for name, value in values.items():
            ctypes.c_uint64.from_address(self.address + VMCONTEXT[name]).value = value
        self._block.adopt(self.address)

    def _write_functions(self) -> None:
        environment = self.code.environment
        imports = (ctypes.c_uint64 * len(self.imported)).from_address(self.address + environment.imports_offset)
        position = self.address + environment.context_size
        for index, function in enumerate(self.imported):
            if isinstance(function, ExportedFunction):
                imports[index] = function._funcref
                continue
            type_index = self.info.function_type_index(index)
            func_type = self.code.types.function(self.info.function_type(type_index))
            write_host_function(position, self.machine, func_type, self.code.types.ids[type_index], function, self.number, index)
            self._block.adopt(position)
            imports[index] = position + HOST_CONTEXT_SIZE
            position += HOST_CONTEXT_SIZE + FUNCREF_SIZE
        records = funcref_records(self.code.entries, self.address, self.code.function_type_ids, len(self.imported), self.number)
        ctypes.memmove(self.address + environment.functions_offset, (ctypes.c_char * len(records)).from_buffer(records), len(records))
        self.code.attach(self)

    def _define_spaces(self) -> None:
        environment = self.code.environment
        for table in new_tables([self.code.types.table(table.type) for table in self.info.tables[len(self.tables) :]]):
            table._space.join(self.group)
            self.tables.append(table)
        for type_index in self.info.tags[len(self.tags) :]:
            function = self.code.types.function(self.info.function_type(type_index))
            self.tags.append(new_tag(TagType(function), self.code.types.ids[type_index]))
        for table_object, table_plan in zip(self.tables, environment.tables):
            table_object._space.attach(self, self.address + table_plan.offset)
        for memory_object, memory_plan in zip(self.memories, environment.memories):
            memory_object._space.attach(self, self.address + memory_plan.offset)

    def _define_globals(self) -> None:
        """Imported constants are copied, imported variables reached through the address of their cell."""
        imported = len(self.globals)
        for number, (item, place) in enumerate(zip(self.info.globals, self.code.environment.globals)):
            address = self.address + place.offset
            if number >= imported:
                assert item.init is not None
                ctypes.memmove(address, self.evaluate(item.init).to_bytes(16, "little"), 16)
                self.globals.append(new_global(address, self.code.types.variable(item.type), self._block))
                if item.type.value & 7 >= NULLABLE_REFERENCE:
                    self.globals[-1]._join(self.group)
            elif place.indirect:
                ctypes.c_uint64.from_address(address).value = self.globals[number]._address
            else:
                ctypes.memmove(address, self.globals[number]._address, 16)
        for number, table in enumerate(self.info.tables):
            bits = 0 if table.init is None else self.evaluate(table.init)
            if bits:
                self.tables[number]._space.fill(0, bits, self.tables[number]._space.length)

    def evaluate(self, expression: ConstantExpression) -> int:
        """The bits of a constant expression of the module."""
        return evaluate(expression, self._global_bits, self.funcref)

    def _global_bits(self, index: int) -> int:
        return int.from_bytes(ctypes.string_at(self.globals[index]._address, 16), "little")

    def funcref(self, index: int) -> int:
        """Address of the funcref record of a function."""
        environment = self.code.environment
        if index < environment.imported_functions:
            address: int = ctypes.c_uint64.from_address(self.address + environment.imports_offset + 8 * index).value
            return address
        return self.address + environment.functions_offset + FUNCREF_SIZE * (index - environment.imported_functions)

    def funcrefs(self, indices: memoryview) -> array[int]:
        """The addresses of many of them; 8 bytes each."""
        environment = self.code.environment
        imported = environment.imported_functions
        base = self.address + environment.functions_offset - FUNCREF_SIZE * imported
        return array("Q", [base + FUNCREF_SIZE * index if index >= imported else self.funcref(index) for index in indices])

    def function_at(self, index: int) -> Any:
        """The builtin of a function; of an imported WebAssembly function that of the instance it comes from."""
        if index < len(self.imported):
            imported = self.imported[index]
            if isinstance(imported, ExportedFunction):
                return imported._owner.function_at(imported._index)
        found = self._functions.get(index)
        if found is None:
            func_type = self.code.types.function(self.info.function_type(self.info.function_type_index(index)))
            name = self.info.function_name(index) or f"func[{index}]"
            owner = exported_function(self, index, func_type, self.funcref(index), name)
            found = self.machine.builtin(owner, name, str(func_type), func_type, owner._funcref, self.release_gil)
            self._functions[index] = found
        return found

    def host_function(self, index: int) -> tuple[str, FuncType]:
        """Name and type of an imported function."""
        item = [item for item in self.info.imports if item.kind == KIND_FUNCTION][index]
        func_type = self.code.types.function(self.info.function_type(self.info.function_type_index(index)))
        return f"{item.module}.{item.name}", func_type

    def export(self, kind: int, index: int) -> Any:
        """The Python object of something that can be exported."""
        if kind == KIND_FUNCTION:
            return self.function_at(index)
        if kind in (KIND_TABLE, KIND_GLOBAL):
            self.group.share()
        spaces: dict[int, list[Any]] = {KIND_TABLE: self.tables, KIND_MEMORY: self.memories, KIND_GLOBAL: self.globals}
        spaces[KIND_TAG] = self.tags
        return spaces[kind][index]

    def initialize(self) -> None:
        """Run the active segments and the start function."""
        self.segments.initialize(self)
        if self.info.start is not None:
            self.function_at(self.info.start)()

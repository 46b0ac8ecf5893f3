"""The native side of an instance: its context in memory, and what keeps it alive."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from weakref import WeakValueDictionary, ref

from wasmcore._typing import TYPE_CHECKING, Any, Final, Protocol
from wasmcore.binary.module_info import KIND_FUNCTION, KIND_GLOBAL, KIND_MEMORY, KIND_TABLE
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.runtime.execution.blocks import Block, owners
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, write_host_function
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.instances.constant import evaluate
from wasmcore.runtime.instances.segments import Segments
from wasmcore.runtime.instances.template import Template, template_of
from wasmcore.runtime.objects.func import ExportedFunction, exported_function
from wasmcore.runtime.objects.global_ import Global, new_global
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.memory import Memory, MemorySpace, memory_of
from wasmcore.runtime.objects.table import Table, TableSpace, table_of
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
    template: Template | None
    """What its instances have in common, once it is known."""

    def attach(self, state: InstanceState) -> None:
        """Patch the funcref records of this instance when functions are compiled."""

    def compile_function(self, number: int) -> int:
        """Compile the n-th defined function; the address of its code."""


class Linked:
    """What the imports of a module were resolved to, by kind, in order."""

    def __init__(self) -> None:
        self.functions: list[ExportedFunction | Callable[..., Any]] = []
        self.tables: list[Table] = []
        self.memories: list[Memory] = []
        self.globals: list[Global] = []
        self.tags: list[Tag] = []


NOTHING: Final = Linked()
"""For a module without imports."""


class InstanceState:
    """One instance: builds its VMContext, then answers what its exports are.

    The Python objects of its functions hold it; it holds what it imports, its code and its group. What can be exported is made into a
    Python object when somebody asks for it.
    """

    __slots__ = (
        "__weakref__",
        "_block",
        "_functions",
        "_objects",
        "_segments",
        "address",
        "code",
        "group",
        "info",
        "linked",
        "machine",
        "memories",
        "release_gil",
        "tables",
        "template",
    )

    def __init__(
        self, code: Code, info: ModuleInfo, linked: Linked, own: list[MemorySpace], machine: Machine, release_gil: bool, wait: bool
    ) -> None:
        """`own`: the memories that the module defines."""
        self.code = code
        self.info = info
        self.machine = machine
        self.release_gil = release_gil
        if code.signals:
            machine.ensure_signals()
        self.template = template = template_of(info, code, machine)
        self.linked = linked
        self.memories = [memory._space for memory in linked.memories]
        self.memories += own
        self.tables = [table._space for table in linked.tables]
        self._functions: WeakValueDictionary[int, Any] | None = None
        self._objects: dict[tuple[int, int], Any] = {}
        """What was made of what the module defines, by kind and index."""
        self._segments: Segments | None = None
        self._block = block = Block(template.size, template.room)
        self.address = block.content
        """Of its VMContext."""
        store = Store(block)
        store.waits = wait
        self.group = Group(store)
        self._write(store)
        if linked is not NOTHING:
            self._link()
        for number in template.computed:
            self._compute_global(number)
        self._fill_tables()
        if template.shares_references:
            self.group.keep_when_shared(self)
            if info.imports:
                self.group.share()

    def _write(self, store: Store) -> None:
        """The context, with all that the module defines in it."""
        template, context, block = self.template, self.address, self._block
        owners[context] = me = ref(self)
        block.hold(context, store)
        self.code.attach(self)
        words = []
        for memory, place in zip(self.memories[template.imported_memories :], template.memory_places):
            memory.be_at_home(me, context + place + 8)
            words += [memory.address, memory.length]
        if template.table_places:
            together: list[ref[TableSpace]] = []
            for table_type, cells, place in template.table_places:
                table = TableSpace(table_type, together, None if cells is None else block, context + (cells or 0))
                table.be_at_home(me, context + place + 8)
                self.tables.append(table)
                words += [table.address, table.length]
        template.write(context, store.address, words)
        for table in self.tables[template.imported_tables :]:
            table.join(self.group)

    def _link(self) -> None:
        """Make one group of all through which functions may be called, and write what is imported."""
        linked, environment = self.linked, self.code.environment
        for function in linked.functions:
            if isinstance(function, ExportedFunction):
                self.group = self.group.join(function._group)
        for table in linked.tables:
            self.group = table._space.join(self.group)
        for cell in linked.globals:
            if cell.type.value & 7 >= NULLABLE_REFERENCE:
                self.group = cell._join(self.group)
        self._write_functions()
        for table, table_plan in zip(linked.tables, environment.tables):
            table._space.attach(self, self.address + table_plan.offset)
        for memory, memory_plan in zip(linked.memories, environment.memories):
            memory._space.attach(self, self.address + memory_plan.offset)
        for cell, place in zip(linked.globals, environment.globals):
            # Imported constants are copied, imported variables reached through the address of their cell.
            if place.indirect:
                ctypes.c_uint64.from_address(self.address + place.offset).value = cell._address
            else:
                ctypes.memmove(self.address + place.offset, cell._address, 16)

    def _write_functions(self) -> None:
        imports = (ctypes.c_uint64 * len(self.linked.functions)).from_address(self.address + self.code.environment.imports_offset)
        position = self.address + self.template.hosts
        for index, function in enumerate(self.linked.functions):
            if isinstance(function, ExportedFunction):
                imports[index] = function._funcref
                continue
            type_index = self.info.function_type_index(index)
            func_type = self.code.types.function(self.info.function_type(type_index))
            write_host_function(position, self.machine, func_type, self.code.types.ids[type_index], function, self.address, index)
            self._block.adopt(position, self.group.current_store)
            imports[index] = position + HOST_CONTEXT_SIZE
            position += HOST_CONTEXT_SIZE + FUNCREF_SIZE

    def _compute_global(self, number: int) -> None:
        item, place = self.info.globals[number], self.code.environment.globals[number]
        assert item.init is not None
        ctypes.memmove(self.address + place.offset, self.evaluate(item.init).to_bytes(16, "little"), 16)
        if item.type.value & 7 >= NULLABLE_REFERENCE:
            self.object_of(KIND_GLOBAL, number)._join(self.group)

    def _fill_tables(self) -> None:
        for number, table in enumerate(self.info.tables):
            bits = 0 if table.init is None else self.evaluate(table.init)
            if bits:
                self.tables[number].fill(0, bits, self.tables[number].length)

    @property
    def segments(self) -> Segments:
        """Which it still has; made when code asks for it where nothing was to be copied in the beginning."""
        found = self._segments
        if found is None:
            found = Segments(self.info)
            found.initialize(self, True, True)
            if self._segments is None:  # no other thread was faster
                self._segments = found
        return self._segments or found

    def evaluate(self, expression: ConstantExpression) -> int:
        """The bits of a constant expression of the module."""
        return evaluate(expression, self._global_bits, self.funcref)

    def _global_bits(self, index: int) -> int:
        imported = self.linked.globals
        address = imported[index]._address if index < len(imported) else self.address + self.code.environment.globals[index].offset
        return int.from_bytes(ctypes.string_at(address, 16), "little")

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
        if index < len(self.linked.functions):
            imported = self.linked.functions[index]
            if isinstance(imported, ExportedFunction):
                return imported._owner.function_at(imported._index)
        functions = self._functions
        if functions is None:
            functions = self._functions = WeakValueDictionary()
        found = functions.get(index)
        if found is None:
            func_type = self.code.types.function(self.info.function_type(self.info.function_type_index(index)))
            name = self.info.function_name(index) or f"func[{index}]"
            owner = exported_function(self, index, func_type, self.funcref(index), name)
            found = self.machine.builtin(owner, name, str(func_type), func_type, owner._funcref, self.release_gil)
            functions[index] = found
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
        return self.object_of(kind, index)

    def object_of(self, kind: int, index: int) -> Any:
        """The Python object of a table, a memory, a global or a tag: one for each."""
        if self.linked is not NOTHING:
            imported = self._imported(kind)
            if index < len(imported):
                return imported[index]
        found = self._objects.get((kind, index))
        if found is None:
            found = self._objects.setdefault((kind, index), self._make(kind, index))
        return found

    def _imported(self, kind: int) -> list[Any]:
        linked = self.linked
        kinds: dict[int, list[Any]] = {KIND_TABLE: linked.tables, KIND_MEMORY: linked.memories, KIND_GLOBAL: linked.globals}
        return kinds.get(kind, linked.tags)

    def _make(self, kind: int, index: int) -> Any:
        if kind == KIND_TABLE:
            return table_of(self.template.table_types[index], self.tables[index])
        if kind == KIND_MEMORY:
            return memory_of(self.template.memory_types[index], self.memories[index])
        if kind == KIND_GLOBAL:
            address = self.address + self.code.environment.globals[index].offset
            return new_global(address, self.code.types.variable(self.info.globals[index].type), self._block)
        type_index = self.info.tags[index]
        return new_tag(TagType(self.code.types.function(self.info.function_type(type_index))), self.code.types.ids[type_index])

    def initialize(self, data_shown: bool) -> None:
        """Run the active segments, but for those of data where the memories show that, and the start function."""
        if not (self.template.writes_elements and data_shown):
            self._segments = segments = Segments(self.info)
            segments.initialize(self, self.template.writes_elements, data_shown)
        if self.info.start is not None:
            self.function_at(self.info.start)()

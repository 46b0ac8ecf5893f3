"""Where everything of an instance stands in its VMContext."""

from __future__ import annotations

from collections.abc import Sequence

from wasmcore._typing import TYPE_CHECKING
from wasmcore.plugin.layout import FUNCREF_SIZE, GLOBAL_SIZE, MEMORY_SIZE, TABLE_SIZE, VMCONTEXT_HEAD_SIZE
from wasmcore.plugin.unit import Environment, GlobalPlan, MemoryPlan, TablePlan
from wasmcore.types import FuncType, GlobalType, TableType

if TYPE_CHECKING:
    from wasmcore.binary import ModuleInfo
    from wasmcore.types import ExternType


def plan(info: ModuleInfo, guarded: Sequence[bool]) -> Environment:
    """The environment of a module whose memories are guarded or not."""
    position = VMCONTEXT_HEAD_SIZE
    memories = []
    for memory, is_guarded in zip(info.memories, guarded):
        limits, page_size = memory.type.limits, memory.type.page_size_log2
        memories.append(MemoryPlan(position, limits.index64, is_guarded, page_size, limits.minimum << page_size, limits.shared))
        position += MEMORY_SIZE
    tables = []
    for table in info.tables:
        tables.append(TablePlan(position, table.type.limits.index64))
        position += TABLE_SIZE
    globals_ = []
    imported_globals = sum(isinstance(item.type, GlobalType) for item in info.imports)
    position = -(-position // GLOBAL_SIZE) * GLOBAL_SIZE
    for number, item in enumerate(info.globals):
        indirect = number < imported_globals and item.type.mutable
        machine_class = min(item.type.value & 7, 6)
        globals_.append(GlobalPlan(position, indirect, machine_class, item.type.mutable))
        position += GLOBAL_SIZE
    imports_offset = position
    position += -(-8 * info.imported_functions // 16) * 16
    functions_offset = position
    position += FUNCREF_SIZE * (info.function_count - info.imported_functions)
    return Environment(
        info.type_pool,
        info.signatures,
        info.function_types,
        info.imported_functions,
        tuple(memories),
        tuple(tables),
        tuple(globals_),
        imports_offset,
        functions_offset,
        position,
    )


def shares_references(info: ModuleInfo) -> bool:
    """Whether references to functions of an instance may get to others through its imports or exports."""
    shared = [item.type for item in info.imports]
    shared += [info.extern_type(item.kind, item.index) for item in info.exports]
    return any(map(_carries_references, shared))


def _carries_references(extern_type: ExternType) -> bool:
    if isinstance(extern_type, FuncType):
        return any(value & 7 >= 6 for value in extern_type.params + extern_type.results)
    if isinstance(extern_type, GlobalType):
        return extern_type.value & 7 >= 6
    return isinstance(extern_type, TableType)

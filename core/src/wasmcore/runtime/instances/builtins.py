"""The Python side of the functions that generated code calls through its table of built-ins."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.errors import Trap, TrapKind
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution import traps
from wasmcore.runtime.execution.blocks import owners
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import group_of
from wasmcore.runtime.objects.type_ids import id_matches
from wasmcore.runtime.objects.values import pack_value

if TYPE_CHECKING:
    from wasmcore.runtime.execution.stubs import Machine
    from wasmcore.runtime.instances.instance import InstanceState

_MASK: Final = 0xFFFFFFFFFFFFFFFF


def _instance(context: int) -> InstanceState:
    found: InstanceState | None = owners.find(context)
    if found is None:  # a finalizer calls it, or has kept it
        raise RuntimeError("this instance was being collected: only functions that are compiled can be called, and nothing grows in them")
    return found


def _memory_grow(context: int, memory: int, pages: int) -> int:
    try:
        return _instance(context).memories[memory].grow_pages(pages & _MASK)
    except MemoryError:
        return -1


def _memory_init(context: int, memory: int, segment: int, to: int, start: int, size: int) -> None:
    state = _instance(context)
    state.segments.memory_init(state, memory, segment, to & _MASK, start & _MASK, size & _MASK)


def _data_drop(context: int, segment: int) -> None:
    _instance(context).segments.drop_data(segment)


def _table_grow(context: int, table: int, elements: int, value: int) -> int:
    try:
        return _instance(context).tables[table].grow(elements & _MASK, value & _MASK)
    except MemoryError:
        return -1


def _table_fill(context: int, table: int, at: int, value: int, elements: int) -> None:
    target = _instance(context).tables[table]
    if (at & _MASK) + (elements & _MASK) > target.length:
        raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
    target.fill(at, value & _MASK, elements)


def _table_copy(context: int, to_table: int, from_table: int, to: int, start: int, elements: int) -> None:
    state = _instance(context)
    target, source = state.tables[to_table], state.tables[from_table]
    if (to & _MASK) + (elements & _MASK) > target.length or (start & _MASK) + (elements & _MASK) > source.length:
        raise Trap(TrapKind.TABLE_OUT_OF_BOUNDS)
    target.copy_from(source, to, start, elements)


def _table_init(context: int, table: int, segment: int, to: int, start: int, elements: int) -> None:
    state = _instance(context)
    state.segments.table_init(state, table, segment, to & _MASK, start & _MASK, elements & _MASK)


def _table_function(context: int, table: int, wanted: int, index: int) -> int:
    state = _instance(context)
    reference = state.tables[table].bits_at(index & _MASK)
    if reference is None:
        raise Trap(TrapKind.UNDEFINED_ELEMENT)
    if reference == 0:
        raise Trap(TrapKind.UNINITIALIZED_ELEMENT)
    if not id_matches(references.funcref_type_id(reference), state.code.types.ids[wanted]):
        raise Trap(TrapKind.INDIRECT_CALL_TYPE_MISMATCH)
    return reference


def _elem_drop(context: int, segment: int) -> None:
    _instance(context).segments.drop_elements(segment)


def _trap(context: int, kind: int) -> None:
    raise Trap(TrapKind(kind))


def _with_backtrace(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a trap of a built-in name the WebAssembly code that called it."""

    def call(*arguments: int) -> Any:
        try:
            return function(*arguments)
        except Trap as trap:
            raise traps.with_frames(trap) from None

    return call


BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    "memory_grow": _memory_grow,
    "memory_init": _with_backtrace(_memory_init),
    "data_drop": _data_drop,
    "table_grow": _table_grow,
    "table_fill": _with_backtrace(_table_fill),
    "table_copy": _with_backtrace(_table_copy),
    "table_init": _with_backtrace(_table_init),
    "elem_drop": _elem_drop,
    "table_function": _with_backtrace(_table_function),
    "trap": _with_backtrace(_trap),
}
"""By their names in `wasmcore.plugin.builtins.BUILTINS`; called with the address of the caller's VMContext and the arguments."""


def _compile_function(context: int, number: int) -> int:
    """Compile the n-th defined function of the instance with this VMContext; the address of its code."""
    code = _instance(context).code
    store = ctypes.c_uint64.from_address(context).value
    arguments = stores.save_overflow(store, code.most_params)
    try:
        return code.compile_function(number)
    finally:
        stores.restore_overflow(store, arguments)


def _unbox_reference(value_type: int, value: Any, store: int) -> int:
    """The bits of an object that is given to code of a store: functions may be called from there from now on."""
    function = references.function_object(value)
    if function is not None:
        group = group_of(store)
        if group is not None:
            group.join(function._group)
    return references.to_bits(value_type, value)


def _sweep(store: int) -> None:
    """Let go of objects that code of the store can not reach any more."""
    group = group_of(store)
    if group is not None:
        group.externs.sweep()


_tables: Final[dict[str, int]] = {}


def builtins_table(machine: Machine) -> int:
    """Address of the table of built-ins; the first call also gives the machine what it needs of the runtime."""
    found = _tables.get(machine.target.name)
    if found is None:
        machine.compile_function = _compile_function
        machine.box_reference = references.from_bits
        machine.unbox_reference = _unbox_reference
        machine.host_function = lambda context: references.host_function(context + HOST_CONTEXT_SIZE)
        machine.sweep = _sweep
        machine.pack_value = pack_value
        found = _tables[machine.target.name] = machine.builtins_table(BUILTINS)
    return found

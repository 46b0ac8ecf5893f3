"""The machine interface: what generated code finds where in memory, stated once.

Each structure is a table of fields; the `ctypes` structures, the offsets that backends use and the page in the
documentation all come from it. All numbers are bytes.
"""

from __future__ import annotations

import ctypes

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final


class Field(NamedTuple):
    """One field of a structure."""

    name: str
    ctype: type[ctypes._SimpleCData[int]]
    meaning: str


_u64 = ctypes.c_uint64
_u32 = ctypes.c_uint32

VMCONTEXT_FIELDS: Final = (
    Field("store", _u64, "address of the store record"),
    Field("builtins", _u64, "address of the table of built-in functions"),
    Field("type_ids", _u64, "address of one u32 per type of the module: its process-wide type id"),
)
"""Head of the VMContext, one per instance. Its arrays follow, at the offsets of `Environment`."""

MEMORY_FIELDS: Final = (
    Field("base", _u64, "address of byte 0"),
    Field("length", _u64, "length in bytes"),
)
TABLE_FIELDS: Final = (
    Field("base", _u64, "address of element 0; an element is 8 bytes: the address of a funcref record, or an externref (see `EXTERN_TAG`)"),
    Field("length", _u64, "number of elements"),
)
FUNCREF_FIELDS: Final = (
    Field("code", _u64, "address of the code; the one slot to patch, by a single store"),
    Field("context", _u64, "what the context register holds when it is called"),
    Field("type_id", _u32, "process-wide type id"),
    Field("index", _u32, "function index in its module"),
    Field("owner", _u64, "what it belongs to, for Python: the address of the VMContext of an instance, or of the context of a `Func`"),
)
GLOBAL_SIZE: Final = 16
"""A global takes 16 aligned bytes: its value, or the address of its cell when it is an imported mutable one."""

STORE_FIELDS: Final = (
    Field("activation", _u64, "innermost activation of this store, 0 at rest"),
    Field("stack_limit", _u64, "the stack pointer may not go below"),
    Field("thread", _u64, "thread record of the thread that is or was last inside"),
    Field("polls", _u32, "code that does without signals counts its polls down here, and calls the built-in `poll` below 0"),
    Field("withdrawn", _u32, "1 from when the poll page is withdrawn until a poll has given it back"),
    Field("waiter", _u64, "the lock (`PyThread_type_lock`), free or not, to release when the outermost activation ends; 0: nobody waits"),
    Field("recent", _u64, "address of the `dict` that objects given as externref are put into, by their bits"),
    Field("settled", _u64, "address of the `dict` that has the other objects of the store"),
    Field("room", _u64, "when `recent` has so many objects, the callback `sweep` is called before another one is put in"),
)
EXTERN_TAG: Final = 0x5AE5 << 48
"""An externref is the address of a Python object plus this, so that nothing else on a stack is easily taken for one."""
POLL_OFFSET: Final = -8
"""A word of the poll page, from the store record, which begins a page: the page before it, whatever the size of a page. The word is loaded
at loop heads and function entries; the page is withdrawn (nothing may touch it) to interrupt."""
OVERFLOW_SLOT: Final = 16
OVERFLOW_SLOTS: Final = 1024
LARGEST_PAGE: Final = 1 << 16
"""No processor that runs generated code has larger pages."""
OVERFLOW_OFFSET: Final = -(LARGEST_PAGE + OVERFLOW_SLOT * OVERFLOW_SLOTS)
"""The overflow area, from the store record: 16 bytes per argument or result that has no register."""

THREAD_FIELDS: Final = (
    Field("pointer", _u64, "the thread pointer (fs:0 on x86-64), 0 while the record is free"),
    Field("activation", _u64, "innermost activation of this thread, 0 outside WebAssembly"),
    Field("stack_limit", _u64, "lowest stack pointer that generated code may use on this thread"),
    Field("trap_signal", _u64, "signal of the last fault"),
    Field("trap_pc", _u64, "program counter at the last fault"),
    Field("trap_address", _u64, "address that the last fault was about"),
    Field("trap_frame", _u64, "frame pointer at the last fault"),
    Field("trap_stack", _u64, "stack pointer at the last fault"),
    Field("resume_pc", _u64, "where an interrupt continues when no exception came of it"),
    Field("store", _u64, "address of the store record of the innermost activation, 0 outside WebAssembly and in the callback `trap`"),
    Field("seen", _u64, "what `store` was when the ticker last looked"),
)
THREAD_SIZE: Final = 128
"""Thread records stand in one array, so that the signal handler can search it."""

ACTIVATION_FIELDS: Final = (
    Field("previous", _u64, "the activation around this one on the same thread, or 0"),
    Field("store", _u64, "address of the store record"),
    Field("outer", _u64, "what `store.activation` was before"),
    Field("stack", _u64, "stack pointer that unwinding restores"),
    Field("thread_state", _u64, "the saved PyThreadState while the interpreter lock is released, else 0"),
    Field("host_frame", _u64, "frame pointer of the host call that is running inside, else 0"),
    Field("outer_store", _u64, "what `thread.store` was before"),
    Field("host_stack", _u64, "lowest stack pointer of the last host call: while it runs, all references are above; 0 before"),
)
"""An activation stands on the native stack, made by the entry stub."""

PROCESS_FIELDS: Final = (
    Field("thread_count", _u64, "how many thread records have ever been used"),
    Field("threads", _u64, "address of the array of thread records"),
    Field("code_count", _u64, "how many code regions to look at; those that are not in use are empty"),
    Field("unwind", _u64, "address of the stub that leaves the innermost activation with NULL"),
    Field("handlers_changed", _u32, "1 when somebody has installed a handler for a fault since"),
    Field("ticker_asleep", _u32, "not 0 when the ticker has to be started or woken: 1 says the ticker itself, 2 who stops it"),
    Field("ticker_wakes", _u32, "the word that the ticker sleeps on (a futex)"),
    Field("ticker_stop", _u32, "1 to end the ticker"),
    Field("ticker_scans", _u32, "odd while the ticker looks at stores"),
    Field("pid", _u32, "the process whose signal actions these are: a child of `vfork` that resets its own has this memory, too"),
)
"""The process record, one per process; behind it the code regions {start, size}, the chained signal actions and the given ones. Each
entry and each return from a host call look at `handlers_changed` and `ticker_asleep` as one u64, and call the callback `attend` if that is
not zero."""
ASLEEP: Final = 1
STOPPED: Final = 2
"""Bits of `ticker_asleep`. The ticker changes its own by single instructions."""
CODE_REGIONS_OFFSET: Final = 64
CODE_REGIONS: Final = 64
SIGNAL_ACTIONS_OFFSET: Final = CODE_REGIONS_OFFSET + 16 * CODE_REGIONS
"""{handler, flags} of the action before ours, by signal number (64 of them)."""
GIVEN_ACTIONS_OFFSET: Final = SIGNAL_ACTIONS_OFFSET + 16 * 64
"""`struct sigaction` of the C library as others gave it for a signal, by number, for the signals of faults."""
GIVEN_ACTION_SIZE: Final = 152
GIVEN_ACTIONS: Final = 12
PROCESS_SIZE: Final = GIVEN_ACTIONS_OFFSET + GIVEN_ACTION_SIZE * GIVEN_ACTIONS


def offsets(fields: tuple[Field, ...]) -> dict[str, int]:
    """Byte offset of each field."""
    result = {}
    position = 0
    for field in fields:
        size = ctypes.sizeof(field.ctype)
        position = -(-position // size) * size
        result[field.name] = position
        position += size
    return result


def size(fields: tuple[Field, ...]) -> int:
    """Bytes a structure takes, a multiple of eight."""
    last = fields[-1]
    return -(-(offsets(fields)[last.name] + ctypes.sizeof(last.ctype)) // 8) * 8


def structure(name: str, fields: tuple[Field, ...]) -> type[ctypes.Structure]:
    """The `ctypes` structure of a table of fields."""
    return type(name, (ctypes.Structure,), {"_fields_": [(field.name, field.ctype) for field in fields]})


VMCONTEXT: Final = offsets(VMCONTEXT_FIELDS)
STORE: Final = offsets(STORE_FIELDS)
THREAD: Final = offsets(THREAD_FIELDS)
ACTIVATION: Final = offsets(ACTIVATION_FIELDS)
FUNCREF: Final = offsets(FUNCREF_FIELDS)
PROCESS: Final = offsets(PROCESS_FIELDS)

VMCONTEXT_HEAD_SIZE: Final = size(VMCONTEXT_FIELDS)
MEMORY_SIZE: Final = size(MEMORY_FIELDS)
TABLE_SIZE: Final = size(TABLE_FIELDS)
FUNCREF_SIZE: Final = size(FUNCREF_FIELDS)
ACTIVATION_SIZE: Final = size(ACTIVATION_FIELDS)

"""The process record and the threads that run WebAssembly code."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from itertools import count
from threading import local as thread_local

from wasmcore._typing import Any, Final
from wasmcore.plugin.layout import (
    ACTIVATION_FIELDS,
    CODE_REGIONS,
    CODE_REGIONS_OFFSET,
    GIVEN_ACTIONS_OFFSET,
    PROCESS_FIELDS,
    PROCESS_SIZE,
    SIGNAL_ACTIONS_OFFSET,
    STORE_FIELDS,
    THREAD_FIELDS,
    THREAD_SIZE,
    structure,
)
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock

MAXIMUM_THREADS: Final = 4096
"""Threads that can be inside WebAssembly code at the same time."""
STACK_RESERVE: Final = 256 << 10
"""Bytes of stack below the limit of generated code, for Python functions called from there and for signal handlers. Small stacks keep
half of themselves."""
PYTHON_MARGIN: Final = 32 << 10 if sys.version_info >= (3, 14) else 0
"""Bytes at the end of a stack that Python does not use itself: it raises RecursionError before."""

ProcessRecord: Final[Any] = structure("ProcessRecord", PROCESS_FIELDS)
ThreadRecord: Final[Any] = structure("ThreadRecord", THREAD_FIELDS)
StoreRecord: Final[Any] = structure("StoreRecord", STORE_FIELDS)
ActivationRecord: Final[Any] = structure("ActivationRecord", ACTIVATION_FIELDS)


class Process:
    """The process record, and the array of thread records behind it.

    The record 0 of the array belongs to no thread ever: stores name it that nobody has entered.
    """

    def __init__(self) -> None:
        self.address = platform.allocate(platform.round_up(PROCESS_SIZE))
        self.threads = platform.allocate(platform.round_up(THREAD_SIZE * MAXIMUM_THREADS))
        self.nobody = self.threads
        self.signal_actions = self.address + SIGNAL_ACTIONS_OFFSET
        self.given_actions = self.address + GIVEN_ACTIONS_OFFSET
        self._record = ProcessRecord.from_address(self.address)
        self._record.threads = self.threads
        self._record.thread_count = 1
        self._record.code_count = CODE_REGIONS
        self._record.pid = os.getpid()
        self._exit_key: int | None = None
        self.attend: Callable[[], None] = lambda: None
        """The callback of this name, which the machine sets."""
        self.caller: Callable[[int], tuple[int, int]] = lambda frame: (0, 0)
        """`Target.caller`, which the machine sets."""
        self._region_numbers = count()
        self._current = thread_local()
        self._lock = Lock()
        os.register_at_fork(after_in_child=self._after_fork)

    def set_stubs(self, unwind: int, thread_exit: int) -> None:
        """Tell where the stubs are that belong to the process."""
        self._record.unwind = unwind
        self._exit_key = platform.thread_exit_key(thread_exit)

    def add_code_region(self, start: int, size: int) -> None:
        """From now on, a fault in this range is a trap; MemoryError when there are too many."""
        number = next(self._region_numbers)
        if number >= CODE_REGIONS:
            raise MemoryError(f"more than {CODE_REGIONS} regions of machine code")
        region = (ctypes.c_uint64 * 2).from_address(self.address + CODE_REGIONS_OFFSET + 16 * number)
        region[0] = start
        region[1] = size

    def current_thread(self, pointer: int) -> int:
        """Address of the record of the current thread, whose thread pointer this is."""
        address = self.this_thread()
        return self._bind(pointer) if address is None else address

    def this_thread(self) -> int | None:
        """Address of the record of the current thread, None if it was never inside."""
        address: int | None = getattr(self._current, "address", None)
        return address

    def is_current(self, address: int) -> bool:
        """Whether this record is the current thread's."""
        return bool(getattr(self._current, "address", None) == address)

    def others_inside(self) -> bool:
        """Whether any thread but the current one is inside of a call."""
        return self._inside(self.this_thread())

    def anybody_inside(self) -> bool:
        """Whether any thread is inside of a call."""
        return self._inside(None)

    def _inside(self, without: int | None) -> bool:
        records = range(self.threads + THREAD_SIZE, self.threads + THREAD_SIZE * self._record.thread_count, THREAD_SIZE)
        return any(ThreadRecord.from_address(address).activation for address in records if address != without)

    def _bind(self, pointer: int) -> int:
        """Give the current thread a record. May be broken off by an exception at any place, and is then done again."""
        low, high = platform.stack_bounds()
        with self._lock:
            address = self._find_record(pointer)
            record = ThreadRecord.from_address(address)
            usable = high - low - PYTHON_MARGIN
            record.stack_limit = high - usable + min(STACK_RESERVE, usable // 2)
            record.pointer = pointer
        if self._exit_key is not None:
            platform.set_thread_exit_value(self._exit_key, address)
        self._current.address = address
        return address

    def _find_record(self, pointer: int) -> int:
        """The record with this thread pointer, else a free one."""
        used: int = self._record.thread_count
        free = 0
        for address in range(self.threads + THREAD_SIZE, self.threads + THREAD_SIZE * used, THREAD_SIZE):
            found = ThreadRecord.from_address(address).pointer
            if found == pointer:
                return address
            if not found:
                free = address
        if free:
            return free
        if used == MAXIMUM_THREADS:
            raise MemoryError(f"more than {MAXIMUM_THREADS - 1} threads run WebAssembly code")
        self._record.thread_count = used + 1
        return self.threads + THREAD_SIZE * used

    def _after_fork(self) -> None:
        """Only the thread that forked is left."""
        self._record.pid = os.getpid()
        kept = getattr(self._current, "address", 0)
        for address in range(self.threads + THREAD_SIZE, self.threads + THREAD_SIZE * self._record.thread_count, THREAD_SIZE):
            if address != kept:
                ctypes.memset(address, 0, THREAD_SIZE)


process: Final = Process()
"""The one of this process."""

"""From a fault in generated code to an exception: what stands at an address, why it faulted, and the calls that led there."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from signal import SIGSEGV

from wasmcore._typing import Any, Final, Protocol, overload
from wasmcore.errors import Frame, Trap, TrapKind
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution.host_errors import traceback_entry
from wasmcore.runtime.execution.threads import ActivationRecord, ThreadRecord, process
from wasmcore.runtime.system import platform

MAXIMUM_FRAMES: Final = 100
"""A backtrace shows so many of the innermost calls."""
_NEAR: Final = 64
"""Bytes around the pc in which a report looks for trap sites."""


class CodeOwner(Protocol):
    """Who knows what some machine code is; offsets are from the start it was registered with."""

    def trap_kind(self, offset: int) -> TrapKind | None:
        """Why the instruction at an offset faults; None if it is no trap site."""

    def frames(self, offset: int, is_return_address: bool) -> list[Frame]:
        """The calls whose pc is at an offset, innermost first, several where calls were inlined; a return address stands behind the
        call instruction."""

    def function(self, offset: int) -> Frame:
        """The function whose code is at an offset, without where in it; what is inlined there does not count."""

    def keep(self) -> object:
        """What a backtrace has to keep alive so that it can ask for frames later."""


class _Ranges:
    """Address ranges that do not overlap, each with something, found by the unit of `2**shift` bytes that an address is in; no two of them
    begin in one unit.

    Whatever comes between two bytecodes (another thread, a finalizer, a handler of a signal) finds what is there: each step is one of a
    dictionary.
    """

    def __init__(self, shift: int) -> None:
        self._shift = shift
        self._beginning: dict[int, tuple[int, int, Any]] = {}
        """(start, end, what) by the unit that the start is in."""
        self._covering: dict[int, tuple[int, int, Any]] = {}
        """The same by the other units."""

    def add(self, start: int, end: int, what: Any) -> None:
        found = start, end, what
        self._beginning[start >> self._shift] = found
        self._covering.update(dict.fromkeys(self._others(start, end), found))

    def _others(self, start: int, end: int) -> range:
        return range((start >> self._shift) + 1, (end - 1 >> self._shift) + 1)

    def remove(self, start: int) -> None:
        """Of one that was not added, or not wholly, since that was broken off: nothing, or the rest."""
        found = self._beginning.get(start >> self._shift)
        if found is not None and found[0] == start:
            for unit in self._others(start, found[1]):
                self._covering.pop(unit, None)
            self._beginning.pop(start >> self._shift, None)

    def find(self, address: int) -> tuple[int, Any] | None:
        """(start, what) of the range an address is in."""
        unit = address >> self._shift
        for ranges in (self._beginning, self._covering):
            found = ranges.get(unit)
            if found is not None and found[0] <= address < found[1]:
                return found[0], found[2]
        return None


_code: Final = _Ranges(platform.PAGE_SIZE.bit_length() - 1)
"""Each piece of code has pages of its own."""
_reservations: Final = _Ranges(32)
"""Each is larger than that."""


def register(start: int, end: int, owner: CodeOwner) -> None:
    """Say whose code is at these addresses, in pages where nothing else begins, until `unregister`. The owner is kept alive: weak
    references are gone when the collector calls finalizers, which may call the code."""
    _code.add(start, end, owner)


def unregister(start: int) -> None:
    """The code that starts there is about to go."""
    _code.remove(start)


def find_code(pc: int) -> tuple[int, CodeOwner] | None:
    """The start of the registered range that an address is in, and its owner."""
    found = _code.find(pc)
    return found


def add_reservation(start: int, size: int) -> None:
    """A fault at these addresses, no fewer than 4 GiB of them, is an access beyond the end of a memory."""
    _reservations.add(start, start + size, None)


def remove_reservation(start: int) -> None:
    """The memory that starts there is about to go."""
    _reservations.remove(start)


class Backtrace(Sequence[Frame]):
    """The calls that were active, innermost first; looked up when asked for."""

    def __init__(self, places: list[tuple[CodeOwner, int, bool]]) -> None:
        self._places = places
        self._kept = {id(owner): owner.keep() for owner, _, _ in places}
        self._frames: list[Frame] | None = None

    def _found(self) -> list[Frame]:
        frames = self._frames
        if frames is None:
            frames = []
            for owner, offset, is_return in self._places:
                frames += owner.frames(offset, is_return)
                if len(frames) >= MAXIMUM_FRAMES:
                    break
            del frames[MAXIMUM_FRAMES:]
            self._frames = frames
            self._kept.clear()
        return frames

    def __len__(self) -> int:
        return len(self._found())

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        return self._found()[index]

    def __reduce__(self) -> tuple[type[list[Frame]], tuple[list[Frame]]]:
        return list, (list(self),)


def backtrace(thread: int, pc: int, frame: int) -> Backtrace:
    """The calls of a thread (the address of its record) that is at `pc` with this frame pointer, through calls of Python functions.

    With pc 0, `frame` is that of a host call.
    """
    places: list[tuple[CodeOwner, int, bool]] = []
    if pc:
        _add_place(places, pc, False)
    activation = ThreadRecord.from_address(thread).activation
    while len(places) < MAXIMUM_FRAMES:
        if frame:
            _walk(places, frame)
        activation = ActivationRecord.from_address(activation).previous if activation else 0
        if not activation:
            break
        frame = ActivationRecord.from_address(activation).host_frame
    return Backtrace(places)


def _walk(places: list[tuple[CodeOwner, int, bool]], frame: int) -> None:
    """Follow frame pointers up to the entry stub, whose code is not registered."""
    while frame and len(places) < MAXIMUM_FRAMES:
        frame, pc = process.caller(frame)
        if not _add_place(places, pc, True):
            return


def _add_place(places: list[tuple[CodeOwner, int, bool]], pc: int, is_return: bool) -> bool:
    found = find_code(pc - is_return)
    if found is None:
        return False
    start, owner = found
    places.append((owner, pc - start, is_return))
    return True


def through_calls(error: BaseException) -> BaseException:
    """An exception that leaves a host function, with the WebAssembly calls that led there, up to the next call from Python, in its
    traceback: by their names only, since where in a function a call stands takes compiling it again."""
    thread = process.this_thread()
    activation = ThreadRecord.from_address(thread).activation if thread is not None else 0
    if activation:
        places: list[tuple[CodeOwner, int, bool]] = []
        _walk(places, ActivationRecord.from_address(activation).host_frame)
        traceback = error.__traceback__
        for owner, offset, is_return in places:
            traceback = traceback_entry(traceback, owner.function(offset - is_return))
        error.__traceback__ = traceback
    return error


def with_frames(trap: Trap) -> Trap:
    """A trap that Python code raises on behalf of the WebAssembly code that called it, with the backtrace of that."""
    thread = process.this_thread()
    if thread is not None:
        activation = ThreadRecord.from_address(thread).activation
        if activation:
            return Trap(trap.kind, backtrace(thread, 0, ActivationRecord.from_address(activation).host_frame))
    return trap


def trap(thread: int, pc: int, address: int, frame: int) -> None:
    """The callback `trap`: raise what a fault means; return from an interrupt that means nothing."""
    activation = ThreadRecord.from_address(thread).activation
    record = ActivationRecord.from_address(activation)
    if stores.is_poll_address(record.store, address):
        _interrupted(record.store, stores.at_address(record.store), True)
        return
    stopped = Trap(_kind(pc, address), backtrace(thread, pc, frame))
    if stopped.kind is TrapKind.INTERNAL:
        stopped.detail = _about_fault(ThreadRecord.from_address(thread).trap_signal, pc, address)
    raise stopped


def poll(store: int) -> None:
    """The callback `poll`: answer an interrupt if there is one, as `trap` does."""
    found = stores.at_address(store)
    if found is not None:
        turn = found.count_polls()
        _interrupted(store, found, turn)
        found.go_on(turn)


def _interrupted(address: int, store: stores.Store | None, turn: bool) -> None:
    overflow = stores.save_overflow(address)
    try:
        process.attend()
        request = None if store is None else store.take_request()
        if request is not None:
            request()
        exception = None if store is None else store.take_interrupt()
        if exception is not None:
            raise exception
        ctypes.pythonapi.PyErr_CheckSignals()
        if turn:
            platform.give_others_a_turn()
    finally:
        stores.restore_overflow(address, overflow)


def _kind(pc: int, address: int) -> TrapKind:
    found = find_code(pc)
    if found is not None:
        start, owner = found
        kind = owner.trap_kind(pc - start)
        if kind is not None:
            return kind
    return TrapKind.INTERNAL if _reservations.find(address) is None else TrapKind.MEMORY_OUT_OF_BOUNDS


def _about_fault(signal: int, pc: int, address: int) -> str:
    """What a report about a fault that no table knows has to say."""
    said = [f"signal {signal}", f"pc {pc:#x}", f"address {address:#x}"]
    found = find_code(pc)
    if found is not None:
        start, owner = found
        offset = pc - start
        near = [at - offset for at in range(max(0, offset - _NEAR), offset + _NEAR) if owner.trap_kind(at) is not None]
        said.append(f"code offset {offset:#x}, trap sites near it: {', '.join([f'{at:+}' for at in near]) or 'none'}")
    if address != pc or signal != SIGSEGV:
        said.append(f"instruction {ctypes.string_at(pc, min(8, -pc % platform.PAGE_SIZE or 8)).hex()}")
    return ", ".join(said)

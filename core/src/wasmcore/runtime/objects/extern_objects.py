"""The Python objects that WebAssembly code holds as `externref`: kept as long as something can reach them.

Stubs put an object into `recent` when it goes in, and find it there or in `settled` when it comes out; both are looked at without letting
another Python thread run. A sweep first moves what is in `recent` to `settled`, then reads all places where a reference can be, and lets
go of those in `settled` that are nowhere. So what goes in during a sweep stays, and what is found nowhere can not come back but by going in
again. The places are

- the cells of tables and globals, read by one call that no other thread can come into, with the word that says who is running: if another
  thread has entered the store by then, the sweep lets nothing go;
- the stack of the thread that sweeps, where it is inside the store: of each activation what lies between the entry stub and
  `host_stack`, below which nothing of WebAssembly is, taken for references wherever the bits look like it. Stubs store argument
  registers there before they call Python;
- the overflow area, in the store and saved by callbacks;
- what Python code is just writing to a cell: `held` says so before the object goes in.

Copies of imported constants and element segments need no look: the global they come from is alive with the instance. A store that
another thread is inside of is not swept, since its registers can not be seen: that thread is asked to do it at its next poll.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock
from weakref import ref

from wasmcore._typing import TYPE_CHECKING, Any, Final, Protocol
from wasmcore.plugin.layout import EXTERN_TAG, STORE
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution.threads import ActivationRecord, ThreadRecord, process

if TYPE_CHECKING:
    from wasmcore.runtime.execution.store import Store

SMALLEST_ROOM: Final = 256
"""Objects that go in before the first sweep."""
WORDS_PER_OBJECT: Final = 8
"""So many words of cells and stack may be read, on average, for each object that went in."""
_PIECE: Final = 1 << 12
_ZEROS: Final = bytes(_PIECE)
_MISSING: Final = object()
_READ: Final = 0x100
"""`PyBUF_READ`."""
_view_of: Final[Any] = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)(
    ("PyMemoryView_FromMemory", ctypes.pythonapi)
)
_root_numbers: Final = count()
_in_flight: Final[dict[object, int]] = {}
"""Bits that Python code is just writing to a cell."""
_turn = Lock()
"""One sweep at a time. It is not waited for: a sweep may come in between one of the same thread, from a collection."""


class Root(Protocol):
    """A table or a global of extern references."""

    def extern_cells(self) -> tuple[int, int]:
        """Address and number of its cells."""


class ExternObjects:
    """The objects of one group, by their bits."""

    __slots__ = ("_recent", "_roots", "_settled", "_store")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: dict[int, object] = {}
        self._settled: dict[int, object] = {}
        self._roots: dict[int, ref[Root]] = {}

    def sharing(self) -> Iterable[None]:
        """Let stubs know of it, as a step for `platform.at_once`."""
        return self._store.sharing(id(self._recent), id(self._settled), SMALLEST_ROOM)

    def __len__(self) -> int:
        return len(self._recent.keys() | self._settled.keys())

    def add_root(self, root: Root) -> None:
        """Look for references there, as long as it is alive. Call it before code of the group can reach it."""
        self._roots[next(_root_numbers)] = ref(root)

    def add(self, bits: int, value: object) -> None:
        """Keep an object."""
        self._recent[bits] = value

    def find(self, bits: int) -> Any:
        """The object of these bits; KeyError if there is none."""
        # Between two looks, a sweep may move it from the first to the second, or it may go in again.
        for objects in (self._recent, self._settled):
            found = objects.get(bits, _MISSING)
            if found is not _MISSING:
                return found
        return self._recent[bits]

    def take(self, other: ExternObjects) -> None:
        """Keep what another group keeps, and look where it looks."""
        self._roots.update(other._roots)
        self._recent.update(other._recent)
        self._recent.update(other._settled)

    def make_room(self) -> None:
        """Sweep if it is time to."""
        if len(self._recent) >= self._store.room:
            self.sweep()

    def sweep(self) -> None:
        """Let go of the objects that nothing can reach. Nothing happens while another sweep is under way."""
        turn = _turn
        if (self._recent or self._settled) and turn.acquire(blocking=False):
            try:
                unreachable = self._unreachable()
            finally:
                turn.release()
            # The finalizers run here.
            del unreachable

    def _unreachable(self) -> list[object]:
        """Take out what nothing can reach."""
        store, settled, recent = self._store, self._settled, self._recent
        store.room = 2 * len(recent) + SMALLEST_ROOM
        activation = store.own_activation
        if not activation and store.activation:
            store.call_at_poll(self.sweep)
            return []
        for bits in list(recent):
            settled[bits] = recent[bits]
            del recent[bits]
        live = settled.keys() & list(_in_flight.values())
        places = self._places(activation)
        if places is None:
            return []
        words = 0
        for place in places:
            words += len(place) // 8
            for start in range(0, len(place), _PIECE):
                piece = place[start : start + _PIECE]
                if piece != _ZEROS[: len(piece)]:
                    live |= settled.keys() & memoryview(piece).cast("Q")
        store.room = max(SMALLEST_ROOM, len(live), words // WORDS_PER_OBJECT)
        return [settled.pop(bits) for bits in settled.keys() - live]

    def _places(self, activation: int) -> list[bytes] | None:
        """What is where references can be while this activation of the current thread is the innermost one, or 0 if no thread is inside;
        None if another thread came in between."""
        store = self._store
        roots = self._living_roots()
        where = [root.extern_cells() for root in roots]
        cells = b"".join([_view_of(store.address + STORE["activation"], 8, _READ)] + [_view_of(at, 8 * n, _READ) for at, n in where if n])
        if cells[:8] != activation.to_bytes(8, "little") or where != [root.extern_cells() for root in self._living_roots()]:
            return None
        return [cells, *_stacks(), *stores.overflow_areas(store)] if activation else [cells]

    def _living_roots(self) -> list[Root]:
        living = []
        for number, reference in list(self._roots.items()):
            root = reference()
            if root is None:
                self._roots.pop(number, None)
            else:
                living.append(root)
        return living


def _stacks() -> Iterator[bytes]:
    """What the current thread's activations have on the stack."""
    thread = process.this_thread()
    activation = 0 if thread is None else ThreadRecord.from_address(thread).activation
    while activation:
        record = ActivationRecord.from_address(activation)
        if record.host_stack:
            yield ctypes.string_at(record.host_stack, activation - record.host_stack)
        activation = record.previous


@contextmanager
def in_flight(value: object) -> Iterator[int]:
    """The bits of an object. No sweep lets go of it within."""
    key = object()
    bits = EXTERN_TAG + id(value)
    try:
        _in_flight[key] = bits
        yield bits
    finally:
        _in_flight.pop(key, None)


def _after_fork() -> None:
    global _turn
    _turn = Lock()
    _in_flight.clear()


os.register_at_fork(after_in_child=_after_fork)

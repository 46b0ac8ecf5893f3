"""Stores: what linked instances share, entered by one thread at a time."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from itertools import repeat
from operator import attrgetter, is_not, setitem
from time import monotonic
from weakref import ref

from wasmcore._typing import Any, Final
from wasmcore.plugin.layout import OVERFLOW_OFFSET, OVERFLOW_SLOT, OVERFLOW_SLOTS
from wasmcore.runtime.execution.blocks import Block, stores
from wasmcore.runtime.execution.threads import StoreRecord, process
from wasmcore.runtime.system import platform

FIRST_POLLS: Final = 1 << 10
MOST_POLLS: Final = 1 << 18
"""Code that does without signals looks for interrupts after so many of its polls; how many, its own speed decides."""
SOON: Final = 0.005
LATE: Final = 0.05
"""Seconds between two looks."""
_NO_OBJECTS: Final[dict[int, object]] = {}
"""What a store has until it is told of dictionaries: since there is room for none, stubs call `sweep` before they put one in."""
_FRESH: Final = StoreRecord(thread=process.nobody, polls=FIRST_POLLS, recent=id(_NO_OBJECTS), settled=id(_NO_OBJECTS))
_FRESH_ADDRESS: Final = ctypes.addressof(_FRESH)
"""What a record is in the beginning."""
_saved: Final[dict[int, bytes]] = {}
"""Contents of overflow areas, by their `id`, until they are put back."""


class Store:
    """A store record, its poll page and its overflow area, in a block that it keeps. Freed with the last reference; contexts do not keep it
    alive."""

    __slots__ = (
        *("__weakref__", "_block", "_contexts", "_edition", "_interrupt", "_looked", "_own_context", "_polls", "_request", "_turned"),
        *("address", "group", "queue", "waits"),
    )

    def __init__(self, block: Block | None = None) -> None:
        """In this block, which has none yet, or one of its own."""
        self._block = block if block is not None else Block(0)
        self.address = self._block.store
        platform.copy(self.address, _FRESH_ADDRESS, ctypes.sizeof(StoreRecord))
        self._polls = FIRST_POLLS
        self._looked = self._turned = monotonic()
        self._own_context = 0
        """The first context, which most stores have no other beside."""
        self._contexts: dict[int, None] = {}
        self._edition = object()
        """Another one whenever they have changed."""
        self._interrupt: BaseException | None = None
        self._request: Callable[[], object] | None = None
        self.group: ref[Any] | None = None
        """The group that has it."""
        self.waits = True
        """Whether threads wait while another one is inside."""
        self.queue: list[Any] = []
        """Who waits to get in (`turns`)."""
        stores[self.address] = ref(self)

    @property
    def freed(self) -> bool:
        """Whether its memory is given back: only finalizers see it so."""
        return self._block.freed

    @property
    def _record(self) -> Any:
        return StoreRecord.from_address(self.address)

    @property
    def activation(self) -> int:
        """Address of the innermost activation, 0 at rest."""
        return 0 if self.freed else int(self._record.activation)

    @property
    def own_activation(self) -> int:
        """The same if the current thread is inside, else 0."""
        # In this order: whoever else is inside can not have become the current thread in between.
        activation = self.activation
        return activation if process.is_current(self._record.thread) else 0

    @property
    def busy_elsewhere(self) -> bool:
        """Whether another thread than the current one is running code of the store."""
        return bool(self.activation) and not process.is_current(self._record.thread)

    def adopt(self, context: int) -> None:
        """Write the store's address into a context, now and whenever stores are merged, until `forget`. Both with `contexts_lock`."""
        self._contexts[context] = None
        self._edition = object()
        ctypes.c_uint64.from_address(context).value = self.address

    def contexts(self) -> list[int]:
        """Addresses of those that are to know it."""
        return [*self._contexts, self._own_context] if self._own_context else [*self._contexts]

    def know(self, context: int) -> None:
        """As `adopt`, of the first one, where the address is there already and nobody else knows of the store."""
        self._own_context = context

    def forget(self, context: int) -> None:
        """The memory of a context is about to go."""
        self._contexts.pop(context, None)
        if context == self._own_context:
            self._own_context = 0
        self._edition = object()

    def merge(self, other: Store, before: Iterable[Any] = (), behind: Iterable[Any] = ()) -> bool:
        """Take over all contexts of another store, at once, between further steps (as for `platform.at_once`); False where one of those
        before refuses, or a thread is inside. Call it with `contexts_lock`."""
        while True:
            edition = other._edition
            contexts = other.contexts()
            cells = [ctypes.c_uint64.from_address(context) for context in contexts]
            refused = map(attrgetter("activation"), (other._record,))
            changed = map(is_not, map(attrgetter("_edition"), (other,)), (edition,))
            told = map(setattr, cells, repeat("value"), repeat(self.address))
            if platform.at_once(before, refused, changed, told, map(setitem, repeat(self._contexts), contexts, repeat(None)), behind):
                self._edition = object()
                self.waits = self.waits and other.waits
                return True
            if other._edition is edition:
                return False

    def share_objects(self, recent: int, settled: int, room: int) -> None:
        """Tell stubs where the objects are that code of the store holds: addresses of two dictionaries, which the caller keeps alive."""
        platform.at_once(self.sharing(recent, settled, room))

    def sharing(self, recent: int, settled: int, room: int) -> Iterable[None]:
        """`share_objects` as a step for `platform.at_once`."""
        return map(setattr, repeat(self._record), ("recent", "settled", "room"), (recent, settled, room))

    @property
    def room(self) -> int:
        """How many objects are put into `recent` before stubs call `sweep`."""
        return int(self._record.room)

    @room.setter
    def room(self, objects: int) -> None:
        if not self.freed:
            self._record.room = objects

    def call_at_poll(self, request: Callable[[], object]) -> None:
        """Let the thread that is inside call this at its next poll, once."""
        self._request = request
        self.request_poll()

    def interrupt(self, exception: BaseException) -> bool:
        """Let the code that is running in the store raise this exception soon; False if nothing is running. Any thread may ask."""
        if not self.activation:
            return False
        self._interrupt = exception
        self.request_poll()
        return True

    def request_poll(self) -> None:
        """Let code that runs in the store, or is the next to run, call back at its next poll."""
        self._record.polls = 0
        self._record.withdrawn = 1
        platform.protect(self.address - platform.PAGE_SIZE, platform.PAGE_SIZE, platform.NO_ACCESS)

    def count_polls(self) -> bool:
        """Let code that does without signals make some polls before it looks again: more than before if that was soon, less if late.
        Whether it has run for so long that others are to have their turn."""
        now = monotonic()
        elapsed = now - self._looked
        self._looked = now
        if elapsed < SOON:
            self._polls = min(2 * self._polls, MOST_POLLS)
        elif elapsed > LATE:
            self._polls = max(self._polls // 8, 1)
        self._record.polls = self._polls
        return now - self._turned >= SOON

    def go_on(self, turned: bool) -> None:
        """What has happened in Python since `count_polls` does not count, however long it took; others have had their turn, or not."""
        self._looked = monotonic()
        if turned:
            self._turned = self._looked

    def take_interrupt(self) -> BaseException | None:
        """The exception that somebody asked for, once."""
        exception, self._interrupt = self._interrupt, None
        return exception

    def take_request(self) -> Callable[[], object] | None:
        """What somebody wants to be called, once."""
        request, self._request = self._request, None
        return request


def is_poll_address(store: int, address: int) -> bool:
    """Whether an address is in the poll page of the store whose record is at another one."""
    return 0 < store - address <= platform.PAGE_SIZE


def at_address(address: int) -> Store | None:
    """The store whose record is there; None where finalizers use one that is being collected."""
    found: Store | None = stores.find(address)
    return found


def save_overflow(store: int, slots: int = OVERFLOW_SLOTS) -> bytes:
    """What is in the overflow area of the store record at an address, or its first slots, before Python code runs that may use it."""
    data = ctypes.string_at(store + OVERFLOW_OFFSET, OVERFLOW_SLOT * slots)
    _saved[id(data)] = data
    return data


def restore_overflow(store: int, data: bytes) -> None:
    """Put it back."""
    ctypes.memmove(store + OVERFLOW_OFFSET, data, len(data))
    _saved.pop(id(data), None)


def overflow_areas(store: Store) -> list[bytes]:
    """What is in the overflow area of a store, and all that is saved of others."""
    return [ctypes.string_at(store.address + OVERFLOW_OFFSET, OVERFLOW_SLOT * OVERFLOW_SLOTS), *_saved.values()]


def _after_fork() -> None:
    """Other threads are gone, so nobody is inside of the stores they had entered."""
    for store in stores.everything():
        record = store._record
        record.waiter = 0
        store.queue.clear()
        if record.activation and not process.is_current(record.thread):
            record.activation = 0


os.register_at_fork(after_in_child=_after_fork)

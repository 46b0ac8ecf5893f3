"""Blocks: the memory of an instance, in one piece, and that of other things that have a store or a context of their own.

From lower addresses to higher ones: the overflow area, the poll page, the store record, which begins a page, and behind it what the owner
puts there: contexts, cells of tables. All that an instance of a small module needs is one page that is touched. Whoever has a block writes
all that it will read: a block that was used before may hold anything.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from itertools import chain

from wasmcore._typing import Any, Final
from wasmcore.plugin.layout import OVERFLOW_OFFSET, STORE
from wasmcore.runtime.execution.threads import StoreRecord
from wasmcore.runtime.execution.ticker import wait_for_scan
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.areas import Area, Areas, Mapping
from wasmcore.runtime.system.living import AtAddress
from wasmcore.runtime.system.locks import Lock
from wasmcore.runtime.system.resources import GiveBack

_BELOW: Final = platform.round_up(-OVERFLOW_OFFSET)
"""Bytes below the store record."""
CONTENT_OFFSET: Final = -(-ctypes.sizeof(StoreRecord) // 64) * 64
"""What the owner of a block puts there, from the store record (bytes)."""
_SMALL: Final = 16 << 10
"""A block with more content gives its memory back before it is kept for others."""

stores: Final = AtAddress()
"""By the addresses of their records."""
owners: Final = AtAddress()
"""By the addresses of their contexts: what `owner` in a funcref record stands for."""
contexts_lock: Final = Lock()
"""Held where it is decided to which store a context belongs, so that none is forgotten by a merge."""


class Block(Mapping):
    """Memory from a store record on: `store` is its address, `content` that of what is behind."""

    __slots__ = ("_contexts", "content", "store")

    def __init__(self, content: int, room: int = 0) -> None:
        """So many bytes of content, and address space for more, which may be opened later, as much as there is; MemoryError if there is no
        memory for the content."""
        self._contexts: list[int] = []
        writable = _BELOW + platform.round_up(CONTENT_OFFSET + content)
        super().__init__(_blocks, writable + platform.round_up(room), writable)
        self.area.open(writable)
        self.store = self.address + _BELOW
        self.content = self.store + CONTENT_OFFSET

    @property
    def end(self) -> int:
        """Where its address space ends."""
        return self.address + self.area.size

    def hold(self, context: int, store: Any) -> None:
        """Let a store that nobody else knows yet know of a context in this memory, in which it is written."""
        self._contexts.append(context)
        store.know(context)

    def adopt(self, context: int, store: Any) -> None:
        """Let a context in this memory know its store: what `store()` says, whichever it is."""
        self._contexts.append(context)
        with contexts_lock:
            found = None
            while found is not store():  # what comes in between may join it with another one
                found = store()
                found.adopt(context)

    def _giving(self, give_back: GiveBack, area: Area) -> tuple[Any, ...]:
        return _giving_back, give_back, area, self._contexts


def _giving_back(give_back: GiveBack, area: Area, contexts: list[int]) -> Iterable[object]:
    if area.address:
        wait_for_scan()
        for context in contexts:
            owners.pop(context, None)
            with contexts_lock:
                _disown(context)
        stores.pop(area.address + _BELOW, None)
    return give_back(area)


def _disown(context: int) -> None:
    """The memory of a context is about to go. Call it with `contexts_lock`."""
    cell = ctypes.c_uint64.from_address(context)
    left = None
    while True:
        store = stores.find(cell.value)
        if store is None or store is left:
            return
        store.forget(context)
        left = store  # what comes in between may give it another one


def _emptying(area: Area) -> Iterable[object]:
    """The poll page may be withdrawn still, and others are not to find it so."""
    store, size = area.address + _BELOW, area.writable - _BELOW
    if size <= 0:
        return ()
    withdrawn = ctypes.c_uint32.from_address(store + STORE["withdrawn"]).value
    given_back = platform.protecting(store - platform.PAGE_SIZE, platform.PAGE_SIZE, platform.READ_WRITE) if withdrawn else ()
    return chain(given_back, platform.emptying(store, size) if size > _SMALL else ())


_blocks: Final = Areas(_emptying)

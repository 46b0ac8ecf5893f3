"""Groups of linked instances: who shares a store, and who keeps whom alive."""

from __future__ import annotations

import weakref

from wasmcore._typing import Final
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.execution.turns import wait_until_left
from wasmcore.runtime.objects import references
from wasmcore.runtime.system.locks import Lock

_lock: Final = Lock()
_alive: Final[weakref.WeakSet[Group]] = weakref.WeakSet()
_of_store: Final[weakref.WeakValueDictionary[int, Group]] = weakref.WeakValueDictionary()
"""By the address of the store record."""


class Group:
    """Instances that may call each other: one store, entered by one thread at a time.

    Groups are found through `root()`, since two of them become one when an instance links them.
    """

    def __init__(self) -> None:
        self._store: Store | None = Store()
        self._parent: Group | None = None
        self._escaped: set[object] = set()
        _alive.add(self)
        _of_store[self._store.address] = self
        weakref.finalize(self, _last_group_gone)

    def root(self) -> Group:
        """The group this one is part of by now."""
        group = self
        while group._parent is not None:
            group = group._parent
        if group is not self:
            self._parent = group
        return group

    @property
    def store(self) -> Store:
        """The store record shared by all of the group."""
        store = self.root()._store
        assert store is not None
        return store

    def keep(self, owner: object) -> None:
        """Keep an owner of functions alive as long as anybody of the group, since references to them may be anywhere in it."""
        self.root()._escaped.add(owner)

    def join(self, other: Group) -> Group:
        """Make one group of two, when no other thread is inside of one of them; StoreBusyError where this one is inside of both."""
        while True:
            with _lock:
                first, second = self.root(), other.root()
                if first is second:
                    return first
                if second.store.activation:
                    first, second = second, first
                busy = second.store
                if not busy.busy_elsewhere:
                    first._take(second)
                    return first
            wait_until_left(busy.address)

    def _take(self, other: Group) -> None:
        self.store.merge(other.store)
        self._escaped |= other._escaped
        other._escaped = set()
        other._store = None
        other._parent = self


def group_of(store: int) -> Group | None:
    """The group whose store record is at this address."""
    return _of_store.get(store)


def _last_group_gone() -> None:
    if not _alive:
        references.forget_handles()

"""Groups of linked instances: who shares a store, and who keeps whom alive."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import repeat
from operator import attrgetter, is_not
from weakref import ref

from wasmcore._typing import Any, Final
from wasmcore.errors import StoreBusyError
from wasmcore.runtime.execution.blocks import contexts_lock, stores
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.execution.turns import wait_until_left
from wasmcore.runtime.objects.extern_objects import ExternObjects, Root, in_flight
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.locks import Lock
from wasmcore.runtime.system.resources import NOT_NOW

_lock: Final = Lock()


class Group:
    """Instances that may call each other: one store, entered by one thread at a time.

    Groups are found through `root()`, since two of them become one when an instance links them.
    """

    __slots__ = ("__weakref__", "_escaped", "_externs", "_members", "_parent", "_store")

    def __init__(self, store: Store | None = None) -> None:
        """With this store, which is nobody's yet, or another new one."""
        if store is None:
            store = Store()
        self._store: Store | None = store
        self._parent: Group | None = None
        self._escaped: dict[object, None] = {}
        self._members: list[ref[object]] = []
        """Owners of functions to be kept when references to those can get out of this group."""
        self._externs: ExternObjects | None = None
        store.group = ref(self)

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
        store = None
        while store is None:  # this group may become part of another one in between
            store = self.root()._store
        return store

    def current_store(self) -> Store:
        """`store`, to be asked again."""
        return self.store

    @property
    def externs(self) -> ExternObjects:
        """The objects that its code holds as externref."""
        while True:
            group = self.root()
            if group._externs is not None:
                return group._externs
            made = ExternObjects(group.store)
            if _at_collections not in gc.callbacks:
                gc.callbacks.append(_at_collections)
            # Unless another thread, a finalizer or the handler of a signal has come in between.
            changed = map(is_not, map(getattr, repeat(group), ("_parent", "_externs")), repeat(None))
            platform.at_once(changed, map(setattr, (group,), ("_externs",), (made,)), made.sharing())

    def add_root(self, root: Root) -> None:
        """Objects live as long as references to them are in this table or global. Call it before code of the group can reach it."""
        group = None
        while group is not self.root():
            group = self.root()
            group.externs.add_root(root)

    @contextmanager
    def holding(self, value: object) -> Iterator[int]:
        """The bits of an object as an externref, to be written to a cell of the group within."""
        with in_flight(value) as bits:
            self.externs.make_room()
            self.externs.add(bits, value)
            yield bits
            # The groups of others may have been joined meanwhile.
            self.externs.add(bits, value)

    def extern_at(self, address: int) -> Any:
        """The object whose externref is in the cell at an address of the group, None for null."""
        cell = ctypes.c_uint64.from_address(address)
        while True:
            bits, externs = cell.value, self.externs
            try:
                return externs.find(bits) if bits else None
            except KeyError:
                # Another thread may have changed it in between.
                if (cell.value, self.externs) == (bits, externs):
                    raise

    def keep(self, owner: object) -> None:
        """Keep an owner of functions alive as long as anybody of the group, since references to them may be anywhere in it."""
        self.root()._escaped[owner] = None

    def keep_when_shared(self, owner: object) -> None:
        """The same from when `share` is called, or the group becomes one with another: until then no cycle keeps the owner."""
        self._members.append(ref(owner))
        if self._parent is not None:
            self.share()

    def share(self) -> None:
        """References to functions of the group can get out of it."""
        members = list(self._members)
        if members:
            self.root()._escaped.update((owner, None) for member in members if (owner := member()) is not None)
            del self._members[: len(members)]

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
                first.share()
                second.share()
                if first._take(second):
                    return first
            if busy.activation and not busy.busy_elsewhere:
                raise StoreBusyError("instances can not be linked with others whose code is running")
            wait_until_left(busy)

    def _take(self, other: Group) -> bool:
        # Before and after: until all contexts know the one store, code may still use the other.
        self._take_externs(other)
        with contexts_lock:
            mine, theirs = self._store, other._store
            # A finalizer, or the handler of a signal, may have joined one of them in between.
            joined = map(attrgetter("_parent"), (self, other))
            if mine is None or theirs is None or not mine.merge(theirs, joined, map(setattr, (other,), ("_parent",), (self,))):
                return False
            self._take_externs(other)
            other._externs = self._externs
            self._escaped.update(other._escaped)
            other._escaped = {}
            other._store = None
        return True


    def _take_externs(self, other: Group) -> None:
        if other._externs is not None:
            self.externs.take(other._externs)


def group_of(store: int) -> Group | None:
    """The group whose store record is at this address."""
    found = stores.find(store)
    return None if found is None or found.group is None else found.group()


def sweep_all() -> None:
    """Let go of all objects that WebAssembly code can not reach any more."""
    for store in stores.everything():
        group = None if store.group is None else store.group()
        if group is not None and group._parent is None and group._externs is not None:
            group._externs.sweep()


class _Collections:
    """What the collector tells, as attributes: no Python code runs at the end of a collection."""

    __slots__ = ("stop",)

    def _start(self, info: dict[str, int]) -> None:
        # A full collection then finds the cycles that only WebAssembly code kept alive.
        if info["generation"] == 2:
            with suppress(*NOT_NOW):
                sweep_all()

    start = property(fset=_start)


_at_collections: Final = partial(setattr, _Collections())
"""A callback of the collector from when the first store holds objects: what the handler of a signal raises while it runs is lost, so those
who hold none are better off without."""

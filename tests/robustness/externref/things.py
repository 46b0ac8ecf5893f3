"""Objects that can be told from others, who makes and checks them, and a module that holds them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet, ref

from wasmcore.runtime.objects.group import sweep_all


class Thing:
    """An object that can be told from others, and seen to go."""

    def __init__(self, number: int = 0) -> None:
        self.number = number


@contextmanager
def sweeping_everywhere() -> Iterator[None]:
    """Sweep whenever a Python function of this thread is entered or left, those of the runtime included."""
    sys.setprofile(lambda *_: sweep_all())
    try:
        yield
    finally:
        sys.setprofile(None)


def check_gone(seen: ref[Thing]) -> None:
    gc.collect()
    assert seen() is None


class Host:
    """Makes numbered objects that only WebAssembly keeps, and checks that they come back."""

    def __init__(self) -> None:
        self.alive: WeakSet[Thing] = WeakSet()
        self.checked = 0
        self.most = 0

    def make(self, number: int) -> Thing:
        thing = Thing(number)
        self.alive.add(thing)
        self.most = max(self.most, len(self.alive))
        return thing

    def pair(self, number: int) -> Iterator[Thing]:
        yield self.make(number)
        gc.collect()
        yield self.make(number + 1)

    def check(self, number: int, thing: Thing) -> None:
        assert thing.number == number and thing in self.alive
        self.checked += 1

    def functions(self) -> dict[str, Callable[..., Any]]:
        return {"make": self.make, "pair": self.pair, "check": self.check, "collect": sweep_all}

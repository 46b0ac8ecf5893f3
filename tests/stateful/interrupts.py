"""Exceptions wherever the runtime can be interrupted, as by Ctrl-C: what they break off has no effect, or all of it.

Python runs handlers of signals where a function begins, and after a call of a builtin.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import wasmcore.runtime

from .guests import ONLY_LINKS
from .operations import INDICES, PICK, new_instance, operation
from .world import NothingToDo, TimeIsUp, World

RUNTIME: Final = wasmcore.runtime.__path__[0]
LATEST: Final = 260
"""Places of the runtime after which an exception comes at the latest; most of what is interrupted passes fewer."""


def interrupted(action: Callable[[], Any], at: int) -> bool:
    """Whether an action was broken off at this place of the runtime, rather than done before it came to that."""
    left = at

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event in ("call", "c_return") and frame.f_code.co_filename.startswith(RUNTIME):
            left -= 1
            if left == -1:
                raise TimeIsUp

    sys.setprofile(profile)
    try:
        action()
    except TimeIsUp:
        return True
    finally:
        sys.setprofile(None)
    return False


@operation(at=LATEST, imports=7)
def interrupted_link(world: World, at: int, imports: int) -> None:
    """An instance that imports everything, perhaps not made."""
    if world.depth:
        raise NothingToDo
    make, model, _ = new_instance(world, ONLY_LINKS, 0, imports, {})
    made: list[wasmcore.Instance] = []
    if not interrupted(lambda: made.append(make()), at):
        world.hold("instances", made.pop(), model)


@operation(at=30, table=PICK, index=4, function=PICK)
def interrupted_put(world: World, at: int, table: int, index: int, function: int) -> None:
    """A function that is perhaps put into a table."""
    if world.depth:
        raise NothingToDo
    held, model = world.pick("functions_tables", table)
    value, place = world.function(function), INDICES[index]
    if place >= len(model.cells):
        raise NothingToDo
    held[place] = None
    model.put(place, None)
    interrupted(lambda: held.__setitem__(place, value.object), at)
    if held[place] is not None:
        model.put(place, value.model)


@operation(at=30, memory=PICK)
def interrupted_grow(world: World, at: int, memory: int) -> None:
    """A memory that perhaps grows, as a whole: for Python and for all guests."""
    held, model = world.pick("memories", memory)
    try:
        before = held.size
        interrupted(lambda: held.grow(1), at)
    except MemoryError:
        return
    assert held.size in (before, before + 1)
    model.grow(held.size - before)

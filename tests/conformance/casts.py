"""Which backends take part in a chain of calls, and with which engine each; instances of modules written as text."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import wasmcore
from tests.backends import tested_backends

Exports = Any
"""`wasmcore.Exports`, whose attributes are what the modules here say."""


class Player(NamedTuple):
    """One engine in a chain."""

    backend: str
    options: tuple[tuple[str, str], ...]
    signals: bool
    guard: bool | None
    lazy: bool


MODES = {
    "guarded": ((True, None, False), (True, None, True)),
    "checked": ((True, False, True), (True, False, False)),
    "no signals": ((False, False, False), (False, False, True)),
    "mixed": ((True, None, True), (False, False, False)),
}
"""Signals, guard and lazy of the engines in turn."""


@cache
def compiled(text: str, player: Player) -> wasmcore.Module:
    """A module on an engine; the same one for the same text."""
    engine = wasmcore.Engine(
        player.backend, options=dict(player.options), signals=player.signals, guard=player.guard, lazy=player.lazy, cache=False
    )
    return wasmcore.Module(text, engine=engine)


class Cast(NamedTuple):
    """The backends of a chain of calls: link number n is compiled by the n-th player, round and round."""

    players: tuple[Player, ...]

    def instance(self, number: int, text: str, imports: Any = None, *, release_gil: bool = False) -> wasmcore.Instance:
        """An instance of a module compiled for a link of a chain."""
        module = compiled(text, self.players[number % len(self.players)])
        return wasmcore.Instance(module, imports, release_gil=release_gil)

    def exports(self, number: int, text: str, imports: Any = None, *, release_gil: bool = False) -> Exports:
        """Its exports."""
        return self.instance(number, text, imports, release_gil=release_gil).exports

    def chain(self, length: int, text: Callable[[int], str], imports: Any = None, *, release_gil: bool = False) -> list[Exports]:
        """Instances of `text(0)`, `text(1)`, …: each imports the exports of the one after it as "next". The last one is made first."""
        links: list[Exports] = []
        for number in reversed(range(length)):
            given = dict(imports or {})
            if links:
                given["next"] = links[0]
            links.insert(0, self.exports(number, text(number), given, release_gil=release_gil))
        return links


def cast_of(mode: str, *members: tuple[str, tuple[tuple[str, str], ...]]) -> Cast:
    """Backends with their options in a mode."""
    return Cast(tuple(Player(name, options, *settings) for (name, options), settings in zip(members, itertools.cycle(MODES[mode]))))


def usual_casts() -> Iterator[tuple[str, Cast, bool]]:
    """All ordered pairs of backends, and one triple, in all modes: name, cast, and whether others show nearly as much in less time."""
    names = tested_backends()
    triple = [names[number % len(names)] for number in range(3)]
    for members in [*map(list, itertools.product(names, repeat=2)), triple]:
        alone = len(names) > 1 and len(set(members)) == 1
        for mode in MODES:
            less = mode != "guarded" and (alone or (members == triple and mode != "mixed"))
            yield f"{'-'.join(members)} {mode}", cast_of(mode, *((name, ()) for name in members)), less


def option_casts() -> Iterator[tuple[str, Cast]]:
    """Each other value of each option of each backend, before and behind the backend as it usually is."""
    for name in tested_backends():
        for option, values in wasmcore.backends()[name].options.items():
            for value in values[1:]:
                special = (name, ((option, value),))
                for mode in MODES:
                    yield f"{name} {option}={value} {mode}", cast_of(mode, special, (name, ()), special)


def has_features(cast: Cast, *features: str) -> bool:
    """Whether all backends of a cast compile these features."""
    return all(set(features) <= wasmcore.backends()[player.backend].features for player in cast.players)

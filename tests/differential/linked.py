"""Runs any module, linked to the host module and observed, and tells all that can be seen: results, traps and the state that is left."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import zip_longest
from random import Random
from typing import NamedTuple, Protocol

import wasmtime

import wasmcore
from wasmcore.types import F32, F64, I32, I64, V128, ValueType

from . import host, module_builder
from .observer import Observer
from .runners import ORACLE, TRAPS, kind_of
from .values import random_value

MODES: Mapping[str, Mapping[str, bool]] = {
    "lazy": {"lazy": True},
    "eager": {"lazy": False},
    "unguarded": {"guard": False},
    "without signals": {"signals": False},
}
"""Ways to compile and to run a module that must not differ, as arguments of an engine."""
STACK = "stack"
"""A trap that comes at another depth in each engine: what comes after it can not be compared."""
MODULE = "module"
REFUEL = "refuel"
"""A function of this name is called before each call."""
KINDS = {
    I32: (module_builder.I32, "i"),
    I64: (module_builder.I64, "q"),
    F32: (module_builder.F32, "f"),
    F64: (module_builder.F64, "d"),
}


class Seen(NamedTuple):
    """One thing that was seen."""

    what: str
    result: object


class Trapped(Exception):
    """A trap; the message is its kind."""


class Player(Protocol):
    """A store of an engine, and the instances in it by name."""

    def link(self, name: str, binary: bytes) -> None:
        """Instantiate a module against what is there; raises `Trapped`."""

    def call(self, name: str, function: str, arguments: tuple[int, ...]) -> object:
        """Call an export with signed numbers; raises `Trapped`."""

    def memory(self, name: str, memory: str) -> bytes:
        """The content of an exported memory."""


class OnWasmtime:
    """The oracle."""

    def __init__(self) -> None:
        self._store = wasmtime.Store(ORACLE)
        self._linker = wasmtime.Linker(ORACLE)

    def link(self, name: str, binary: bytes) -> None:
        try:
            instance = self._linker.instantiate(self._store, _oracle_module(binary))
        except wasmtime.Trap as trap:
            raise Trapped(kind_of(trap)) from None
        self._linker.define_instance(self._store, name, instance)

    def call(self, name: str, function: str, arguments: tuple[int, ...]) -> object:
        found = self._linker.get(self._store, name, function)
        assert isinstance(found, wasmtime.Func)
        try:
            return found(self._store, *arguments)
        except wasmtime.Trap as trap:
            raise Trapped(kind_of(trap)) from None

    def memory(self, name: str, memory: str) -> bytes:
        found = self._linker.get(self._store, name, memory)
        assert isinstance(found, wasmtime.Memory)
        return bytes(found.read(self._store, 0, found.data_len(self._store)))


@lru_cache(maxsize=8)
def _oracle_module(binary: bytes) -> wasmtime.Module:
    return wasmtime.Module(ORACLE, binary)


class OnWasmcore:
    """A backend of wasmcore in some mode; host and observers are compiled by singlepass, so that a slow backend has less to do."""

    def __init__(self, backend: str, mode: str) -> None:
        self._backend = backend
        self._mode = mode
        self._instances: dict[str, wasmcore.Exports] = {}

    def link(self, name: str, binary: bytes) -> None:
        module = _module(binary, self._backend if name == MODULE else "singlepass", self._mode)
        try:
            self._instances[name] = wasmcore.Instance(module, self._instances).exports
        except wasmcore.Trap as trap:
            raise Trapped(TRAPS[trap.kind.name]) from None

    def call(self, name: str, function: str, arguments: tuple[int, ...]) -> object:
        try:
            return self._instances[name][function](*arguments)
        except wasmcore.Trap as trap:
            raise Trapped(TRAPS[trap.kind.name]) from None

    def memory(self, name: str, memory: str) -> bytes:
        return bytes(self._instances[name][memory].view())


@lru_cache(maxsize=16)
def _module(binary: bytes, backend: str, mode: str) -> wasmcore.Module:
    return wasmcore.Module(binary, engine=wasmcore.Engine(backend, features=wasmcore.FEATURES, **MODES[mode]))


def arguments(random: Random, parameters: tuple[ValueType, ...]) -> Iterator[int]:
    """Numbers for the parameters of a view."""
    for kind in parameters:
        if kind in KINDS:
            builder_kind, code = KINDS[kind]
            bits = struct.pack(f"<{code}", random_value(random, builder_kind))
            yield int.from_bytes(bits, "little", signed=True)
        elif kind == V128:
            yield from struct.unpack("<qq", int(random_value(random, module_builder.V128)).to_bytes(16, "little"))


@lru_cache(maxsize=8)
def _observer(name: str, binary: bytes) -> tuple[Observer, bytes]:
    """What observes a module, and its binary."""
    observer = Observer(name, wasmcore.Module(binary, engine=wasmcore.Engine(features=wasmcore.FEATURES)).exports)
    return observer, bytes(wasmtime.wat2wasm(observer.to_text()))


def play(binary: bytes, player: Player, backwards: bool) -> Iterator[Seen]:
    """Instantiate a module, call its functions in one order or the other, and look at what is left of it and of the host."""
    observed = {host.NAME: host.host(), MODULE: binary}
    player.link(host.NAME, host.host())
    try:
        player.link(MODULE, binary)
    except Trapped as trap:
        yield Seen("instantiation", str(trap))
        del observed[MODULE]
    for name, content in observed.items():
        player.link(f"observer of {name}", _observer(name, content)[1])
    if MODULE in observed:
        random = Random(backwards)
        calls = _observer(MODULE, binary)[0].calls
        refuel = next((view for view in calls if view.function == REFUEL), None)
        for view in reversed(calls) if backwards else calls:
            if refuel:
                _result(player, MODULE, refuel.name, ())
            given = tuple(arguments(random, view.parameters))
            yield Seen(f"{view.name} {given}", _result(player, MODULE, view.name, given))
    for name, content in observed.items():
        observer = _observer(name, content)[0]
        for state in observer.states:
            yield Seen(f"{name}: {state}", _result(player, name, state, ()))
        for memory in observer.memories:
            data = player.memory(f"observer of {name}", memory)
            yield Seen(f"{name}: {memory}", (len(data), sha256(data).hexdigest()))


def _result(player: Player, name: str, function: str, given: tuple[int, ...]) -> object:
    """Numbers, or the kind of a trap."""
    try:
        returned = player.call(f"observer of {name}", function, given)
    except Trapped as trap:
        return str(trap)
    return tuple(returned) if isinstance(returned, list) else returned


def difference(binary: bytes, backend: str, mode: str) -> str:
    """The first thing in which a backend differs from wasmtime, in words; nothing if it is the same."""
    for backwards in (False, True):
        ours = play(binary, OnWasmcore(backend, mode), backwards)
        theirs = play(binary, OnWasmtime(), backwards)
        for mine, other in zip_longest(ours, theirs):
            if mine != other:
                if mine and other and STACK in (mine.result, other.result):
                    break
                return f"{mine} and {other}"
            if mine.result == STACK:
                break
    return ""

"""The objects an embedder holds, each beside its model, and the comparison of the two."""

from __future__ import annotations

import gc
import os
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import wasmcore
from tests.backends import tested_backends
from wasmcore.compile.engine import WORTH_CACHING

from .guests import GUESTS, Guest, padded, text
from .model import FunctionModel, GuestModel, MemoryModel, Trapped, host_function

Step = list[Any]
"""The name of an operation and its arguments: numbers, or a step that runs inside of this one."""

_SINGLEPASS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("singlepass", {"cache": False}),
    ("singlepass", {"cache": False, "guard": False}),
    ("singlepass", {"cache": False, "signals": False}),
    ("singlepass", {"cache": False, "lazy": False}),
    ("singlepass", {}),
)
_LLVM: tuple[tuple[str, dict[str, Any]], ...] = (("llvm", {}), ("llvm", {"signals": False}))
ENGINES = _SINGLEPASS + _SINGLEPASS[:4] + _SINGLEPASS[:3] + _LLVM
"""Backend and arguments of an engine; LLVM is rare, since it is slow where the cache has nothing yet."""


class NothingToDo(Exception):
    """What the operation needs is not there."""


class EndOfProgram(BaseException):
    """The process is to end with everything alive."""


class HostError(Exception):
    """What a host function raises."""


class TimeIsUp(Exception):
    """What a signal handler raises."""


class Thing:
    """An object to pass as an externref."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.keeps: object = None
        """What it keeps alive."""


class Held(NamedTuple):
    """An object, and the model of it."""

    object: Any
    model: Any


class View(NamedTuple):
    """What a view shows: the first bytes of a memory."""

    memory: MemoryModel
    size: int


class Outcome(NamedTuple):
    """How an action ended: a value, a trap or an exception."""

    kind: str
    value: Any


OUTCOMES = (MemoryError, IndexError, TypeError, ValueError, AttributeError, HostError, TimeIsUp, wasmcore.LinkError)
POOLS = (
    "instances",
    "memories",
    "functions_tables",
    "objects_tables",
    "counters",
    "kept",
    "functions",
    "things",
    "views",
    "errors",
    "odds",
)


class World:
    """What a program has made so far."""

    def __init__(self, operations: dict[str, Any]) -> None:
        self._operations = operations
        self.pools: dict[str, list[Held]] = {name: [] for name in POOLS}
        self._all_things: dict[int, weakref.ref[Thing]] = {}
        self._engines: dict[int, wasmcore.Engine] = {}
        self._modules: dict[tuple[int, int], wasmcore.Module] = {}
        self.host_steps: list[Step] = []
        """What the host function is to do when it is called next."""
        self.host_raises = False
        self.depth = 0
        """How many host functions are active."""
        self.may_be_busy = False
        """Whether some instance does not wait for its turn where another thread is inside of its group."""
        self.worker: Any = None
        self._level = 0

    def run(self, step: Step) -> None:
        """One operation, and the comparison of everything after it."""
        name, *arguments = step
        os.write(1, f"{'  ' * self._level}{step}\n".encode())
        self._level += 1
        try:
            self._operations[name].run(self, *arguments)
        except NothingToDo:
            os.write(1, f"{'  ' * self._level}nothing to do\n".encode())
        finally:
            self._level -= 1
        self.check()

    def pick(self, pool: str, number: int) -> Held:
        """One of the objects of a kind; ends the operation where there is none."""
        held = self.pools[pool]
        if not held:
            raise NothingToDo
        return held[number % len(held)]

    def hold(self, pool: str, held: object, model: object = None) -> None:
        """Keep an object."""
        self.pools[pool].append(Held(held, model))

    def thing(self, number: int) -> Thing | None:
        """None, a new object, or one that there is."""
        if number == 0:
            return None
        if number == 1 or not self.pools["things"]:
            thing = Thing(len(self._all_things) + 1)
            self._all_things[thing.number] = weakref.ref(thing)
            self.hold("things", thing)
            return thing
        found: Thing = self.pick("things", number).object
        return found

    def function(self, number: int) -> Held:
        """A function or null, with its model."""
        return self.pick("functions", number - 1) if number else Held(None, None)

    def engine(self, number: int) -> wasmcore.Engine:
        """One of the engines, made when first asked for."""
        number %= len(ENGINES)
        if number not in self._engines:
            backend, options = ENGINES[number]
            if backend not in tested_backends():
                backend = tested_backends()[0]
            self._engines[number] = wasmcore.Engine(backend, **{"cache": os.environ["WASMCORE_CACHE_DIR"], **options})
        return self._engines[number]

    def module(self, guest: int, engine: int) -> tuple[Guest, wasmcore.Module]:
        """One of the modules."""
        guest %= len(GUESTS)
        key = guest, engine % len(ENGINES)
        if key not in self._modules:
            compiler = self.engine(engine)
            data = _binary(guest)
            if "cache" not in ENGINES[key[1]][1]:
                data = padded(data, WORTH_CACHING)
            self._modules[key] = wasmcore.Module(data, engine=compiler)
        return GUESTS[guest], self._modules[key]

    def host(self, value: int) -> int:
        """The host function that all guests import."""
        raises, self.host_raises = self.host_raises, False
        if self.host_steps:
            self.depth += 1
            try:
                self.run(self.host_steps.pop())
            finally:
                self.depth -= 1
        if raises:
            raise HostError(value)
        return host_function(value)

    def agree(self, real: Callable[[], Any], modelled: Callable[[], Any]) -> Any:
        """Do it, let the model do the same, compare how the two end, and return the value."""
        try:
            found, value = self._outcome(real)
        except wasmcore.StoreBusyError:
            # Two groups whose code is running, in host functions of each other, can not become one.
            if self.may_be_busy or self.depth > 1:
                raise NothingToDo from None
            raise
        expected, model = _modelled(modelled)
        assert found == expected, f"{found} where {expected} is right"
        if isinstance(model, FunctionModel):
            self.hold("functions", value, model)
        return value

    def _outcome(self, action: Callable[[], Any]) -> tuple[Outcome, Any]:
        try:
            value = action()
        except wasmcore.Trap as trap:
            self.hold("errors", trap, trap.kind.text)
            return Outcome("trap", trap.kind.name), None
        except OUTCOMES as error:
            self.hold("errors", error, str(error))
            return Outcome("raised", type(error).__name__), None
        return Outcome("value", _comparable(value)), value

    def check(self) -> None:
        """Compare every object held with its model."""
        for memory, model in self.pools["memories"]:
            assert (memory.size, len(memory)) == (model.pages, len(model.data)), f"{memory} where {model.pages} pages are right"
            assert memory.read(0, len(memory)) == model.data, f"{memory} contains something else"
        for view, shown in self.pools["views"]:
            _check_view(view, shown)
        for table, model in self.pools["functions_tables"]:
            assert [cell is None for cell in _elements(table)] == [cell is None for cell in model.cells]
        for table, model in self.pools["objects_tables"]:
            self._check_things(_elements(table), model.cells)
        for variable, model in self.pools["counters"]:
            assert variable.value == model.value
        for variable, model in self.pools["kept"]:
            self._check_things([variable.value], [model.value])
        for instance, model in self.pools["instances"]:
            assert len(instance.exports.memory) == len(model.memory.data)
            assert instance.exports.counter.value == model.counter.value

    def _check_things(self, found: list[Any], expected: list[int | None]) -> None:
        assert [_comparable(thing) for thing in found] == expected
        for thing in found:
            assert thing is None or thing is self._all_things[thing.number]()

    def things_alive(self) -> int:
        """How many of the objects passed as externref have not been let go."""
        return sum(thing() is not None for thing in self._all_things.values())

    def clear(self) -> None:
        """Let go of everything."""
        for pool in self.pools.values():
            pool.clear()
        self._modules.clear()
        self._engines.clear()
        if self.worker is not None:
            self.worker.stop()
            self.worker = None


def _binary(guest: int) -> bytes:
    if guest not in _BINARIES:
        _BINARIES[guest] = wasmcore.wat2wasm(text(GUESTS[guest]))
    return _BINARIES[guest]


_BINARIES: dict[int, bytes] = {}


def prepare() -> None:
    """Import what programs use, so that a process forked from here is quick; signal handlers stay as they are."""
    engine = wasmcore.Engine("singlepass", signals=False, cache=False)
    modules = [wasmcore.Module(_binary(guest), engine=engine) for guest in range(len(GUESTS))]
    exports = wasmcore.Instance(modules[0], {"env": {"host": host_function}}).exports
    assert exports.add(5) == GuestModel(GUESTS[0], {}).add(5)
    assert len(dict(exports)) == len(exports)  # each function makes the stub of its type
    tested_backends()
    gc.collect()
    gc.freeze()


def objects_of_wasmcore() -> Counter[str]:
    """Objects of the engine that the collector knows, counted by type."""
    return Counter(type(found).__name__ for found in gc.get_objects() if type(found).__module__.startswith("wasmcore."))


def _modelled(action: Callable[[], Any]) -> tuple[Outcome, Any]:
    try:
        value = action()
    except Trapped as trap:
        return Outcome("trap", trap.kind.name), None
    except OUTCOMES as error:
        return Outcome("raised", type(error).__name__), None
    return Outcome("value", _comparable(value)), value


def _comparable(value: Any) -> Any:
    """Things by their number; of functions only that they are some, since what they are shows when they are called."""
    return "function" if callable(value) or isinstance(value, FunctionModel) else getattr(value, "number", value)


def _elements(table: Any) -> list[Any]:
    return [table[index] for index in range(len(table))]


def _check_view(view: Any, shown: View) -> None:
    try:
        found = view.tobytes()
    except (ValueError, BufferError):
        assert len(shown.memory.data) > shown.size, "a view refuses though its memory never grew"
        return
    assert found == shown.memory.data[: shown.size], "a view is stale"

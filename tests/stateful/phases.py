"""What is done again and again while nothing may pile up.

`python -m tests.stateful.phases NAME SECONDS` prints the counts after each block of rounds.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any, Final

import wasmcore
from tests.backends import tested_backends

from . import interrupts as interrupts
from . import surroundings as surroundings
from .counts import Counts, count
from .guests import GUESTS, TRAPS, padded, text
from .model import GuestModel, host_function
from .operations import INNER, OPERATIONS
from .world import HostError, Step, Thing, TimeIsUp, World

BLOCKS: Final = 6
WARM_UP: Final = 0.3
"""The share of the time that is not counted."""
EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
BINARIES: Final = [wasmcore.wat2wasm(text(guest)) for guest in GUESTS]
HOST: Final = {"host": host_function}

PHASES: Final[dict[str, Callable[[], Callable[[], object]]]] = {}
"""By name, what makes ready and returns one round."""
_watched: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def phase(make: Callable[[], Callable[[], object]]) -> Callable[[], Callable[[], object]]:
    """Add a phase."""
    PHASES[make.__name__] = make
    return make


def _engine(backend: str = "", **options: Any) -> wasmcore.Engine:
    return wasmcore.Engine(backend or tested_backends()[-1], **{"cache": False, **options})


def _module(guest: int = 0, **options: Any) -> wasmcore.Module:
    return wasmcore.Module(BINARIES[guest], engine=_engine(**options))


def _instance(module: wasmcore.Module, imports: dict[str, Any] = HOST, **options: Any) -> wasmcore.Instance:
    made = wasmcore.Instance(module, {"env": imports}, **options)
    _watched.add(made)
    return made


@phase
def instances() -> Callable[[], object]:
    modules = [_module(guest, **options) for options in ({}, {"guard": False}, {"signals": False}) for guest in (0, 1, 2)]
    modules += [_module(backend=backend) for backend in tested_backends()]

    def round_() -> None:
        for module in modules:
            exports = _instance(module).exports
            assert exports.add(2) == 2
            assert exports.size() == GuestModel(GUESTS[0], {}).size() or module.info.data != BINARIES[0]

    return round_


@phase
def linked_instances() -> Callable[[], object]:
    first, second, sharing = _module(0), _module(3), _module(8)

    def round_() -> None:
        linker = wasmcore.Linker()
        linker.define("env", "host", wasmcore.Func(["i64"], ["i64"], host_function))
        linker.instantiate(first, name="env")
        middle = linker.instantiate(second)
        last = linker.instantiate(sharing)
        middle.exports.set_function(1, last.exports.add)
        last.exports.set_function(2, middle.exports.host_and_add)
        assert (last.exports.call(1, 3), middle.exports.call(2, 3)) == (3, 4 + middle.exports.counter.value)
        cycle: list[Any] = [middle, last]
        cycle.append(cycle)
        middle.exports.set_object(0, cycle)
        _watched.update((middle, last))

    return round_


@phase
def memories_grown() -> Callable[[], object]:
    modules = [_module(guest, **options) for guest in (0, 2) for options in ({}, {"guard": False})]

    def round_() -> None:
        for module in modules:
            exports = _instance(module).exports
            view = exports.memory.view()
            assert exports.grow_and_store(2, 2 * 65536, 7) == 1
            exports.memory.grow(1)
            assert (exports.load(2 * 65536), exports.size(), exports.grow(9), len(view)) == (7, 4, -1, 65536)
        memory = wasmcore.Memory(1, guarded=False)
        _watched.add(memory)
        memory.grow(20)
        memory.write(20 * 65536, b"end")

    return round_


@phase
def tables_grown() -> Callable[[], object]:
    module = _module(0)

    def round_() -> None:
        exports = _instance(module).exports
        assert exports.grow_objects(None, 3000) == 2
        exports.functions.grow(5, exports.add)
        assert exports.grow_functions(exports.add, 4) == 8 and exports.call(11, 1) == 1
        table = wasmcore.Table(1000, element=wasmcore.types.EXTERNREF)
        _watched.add(table)
        table.grow(100_000)

    return round_


@phase
def traps() -> Callable[[], object]:
    exports = [_instance(_module(**options)).exports for options in ({}, {"signals": False})]

    def round_() -> None:
        for of_instance in exports:
            for name, kind in TRAPS.items():
                try:
                    getattr(of_instance, name)()
                except wasmcore.Trap as trap:
                    assert trap.kind is kind and name in str(trap)

    return round_


@phase
def host_exceptions() -> Callable[[], object]:
    def host(value: int) -> int:
        if value > 3:
            raise HostError(value)
        return made.exports.host_and_add(value + 1)  # type: ignore[no-any-return]

    made = _instance(_module(), {"host": host})

    def round_() -> None:
        try:
            made.exports.host_and_add(0)
        except HostError as error:
            _watched.add(error)

    return round_


@phase
def threads() -> Callable[[], object]:
    exports = [_instance(_module(), release_gil=released).exports for released in (False, True)]

    def round_() -> None:
        for of_instance in exports:
            running = [threading.Thread(target=of_instance.add, args=(1,)) for _ in range(4)]
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()

    return round_


@phase
def forks() -> Callable[[], object]:
    exports = _instance(_module()).exports

    def round_() -> None:
        child = os.fork()
        if not child:
            signal.alarm(60)
            os._exit(exports.load(3) != ord("s"))
        assert os.waitpid(child, 0)[1] == 0

    return round_


@phase
def objects() -> Callable[[], object]:
    exports = _instance(_module()).exports
    ours = wasmcore.Global("externref", None, mutable=True)

    def round_() -> None:
        for number in range(500):
            thing = Thing(number)
            _watched.add(thing)
            exports.set_object(0, thing)
            assert exports.get_object(0) is thing and exports.same(thing) is thing
        exports.set_object(0, None)
        exports.keep(thing)
        exports.objects[1] = ours.value = thing

    return round_


@phase
def lazy_compilation() -> Callable[[], object]:
    def round_() -> None:
        module = _module()
        _watched.add(module)
        exports = _instance(module).exports
        exports.store(1, 2)
        assert (exports.add(1), exports.load(1), exports.size()) == (1, 2, 1)

    return round_


@phase
def cached_code() -> Callable[[], object]:
    folder = tempfile.mkdtemp(prefix="wasmcore-soak-")
    data = padded(BINARIES[0], 1 << 18)

    def round_() -> None:
        for backend in tested_backends():
            module = wasmcore.Module(data, engine=_engine(backend, cache=folder))
            _watched.add(module)
            assert _instance(module).exports.add(1) == 1

    return round_


@phase
def pickles() -> Callable[[], object]:
    module = _module()

    def round_() -> None:
        again = pickle.loads(pickle.dumps(module))
        _watched.add(again)
        try:
            _instance(again).exports.divide()
        except wasmcore.Trap as trap:
            assert pickle.loads(pickle.dumps(trap)).kind is trap.kind
        whole = wasmcore.Module.deserialize(module.serialize())
        _watched.add(whole)
        assert _instance(whole).exports.add(4) == 4

    return round_


@phase
def failures() -> Callable[[], object]:
    trapping, importing = _module(6), _module(3)
    attempts: tuple[tuple[type[Exception], Callable[[], object]], ...] = (
        (wasmcore.Trap, lambda: _instance(trapping, {**HOST, "functions": wasmcore.Table(1), "kept": _kept()})),
        (wasmcore.LinkError, lambda: _instance(importing)),
        (wasmcore.TextError, lambda: wasmcore.Module("(module (fun))")),
        (wasmcore.ValidationError, lambda: wasmcore.Module("(module (func (result i32)))")),
        (wasmcore.DecodeError, lambda: wasmcore.Module(BINARIES[0][:-3])),
        (MemoryError, lambda: wasmcore.Memory(1, 2).grow(2)),
    )

    def round_() -> None:
        for kind, attempt in attempts:
            try:
                attempt()
            except kind:
                continue
            raise AssertionError(f"{kind.__name__} expected")

    return round_


def _kept() -> wasmcore.Global:
    return wasmcore.Global("externref", object(), mutable=True)


@phase
def programs() -> Callable[[], object]:
    module = wasmcore.Module(EXAMPLES / "sha256sum.wasm", engine=_engine())
    file = tempfile.mkstemp(prefix="wasmcore-soak-")[0]

    def round_() -> None:
        options = {"args": ["sha256sum", "/texts/poem.txt"], "dirs": {"/texts": str(EXAMPLES)}, "stdout": file, "stdin": file}
        made = wasmcore.Instance(module, host_options={"wasi": options})
        _watched.add(made)
        try:
            made.exports._start()
        except wasmcore.Exit as ended:
            assert ended.code == 0
        os.ftruncate(file, 0)

    return round_


@phase
def alarms() -> Callable[[], object]:
    exports = _instance(_module()).exports

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    def round_() -> None:
        signal.signal(signal.SIGALRM, stop)
        gc.disable()  # what is raised while the collector calls somebody is lost
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        try:
            exports.forever()
        except TimeIsUp as error:
            _watched.add(error)
        finally:
            gc.enable()

    return round_


NOT_REPEATED: Final = {"end", "fault_handler", "in_fork", "alarm"}
"""Operations that end the process, or leave more behind than a world."""


@phase
def random_steps() -> Callable[[], object]:
    os.environ["WASMCORE_CACHE_DIR"] = tempfile.mkdtemp(prefix="wasmcore-soak-")
    numbers = random.Random(1)
    names = [name for name in OPERATIONS if name not in NOT_REPEATED]
    simple = [name for name in names if INNER not in OPERATIONS[name].bounds.values()]

    def step(choices: list[str]) -> Step:
        name = numbers.choice(choices)
        bounds = OPERATIONS[name].bounds.values()
        return [name, *[step(simple) if bound == INNER else numbers.randint(0, bound) for bound in bounds]]

    programs = [[["instance", guest % 3, guest, 0, 0]] + [step(names) for _ in range(15)] for guest in range(8)]

    def round_() -> None:
        for program in programs:
            world = World(OPERATIONS)
            for each in program:
                world.run(each)
            world.clear()

    return round_


def measure(name: str, seconds: float) -> list[Counts]:
    """The counts after each block of as many rounds as the time allows, at least one."""
    one_round = PHASES[name]()
    start = monotonic()
    rounds = 0
    while rounds < 2 or monotonic() < start + WARM_UP * seconds:
        one_round()
        rounds += 1
    per_block = max(int(rounds * (1 - WARM_UP) / WARM_UP / BLOCKS), 1)
    blocks = []
    for _ in range(BLOCKS):
        for _ in range(per_block):
            one_round()
        blocks.append(count(_watched))
    return blocks


if __name__ == "__main__":
    ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX: arenas that come with threads are no leak
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.write(output, json.dumps(measure(sys.argv[1], float(sys.argv[2]))).encode())

"""What goes on around the engine: references dropped, the collector, threads, signals, fork, copies and pickles."""

from __future__ import annotations

import copy
import faulthandler
import gc
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import wasmcore

from .operations import INNER, PICK, operation
from .world import POOLS, EndOfProgram, NothingToDo, Step, TimeIsUp, World

SPIN = 2_000_000
"""Rounds of a loop, a few milliseconds."""
MOST_SPINS = 2000
PATIENCE = 60
"""Seconds before a thread counts as stuck."""


@operation(pool=len(POOLS) - 1, number=PICK)
def drop(world: World, pool: int, number: int) -> None:
    """Let go of an object."""
    held = world.pools[POOLS[pool]]
    if not held:
        raise NothingToDo
    del held[number % len(held)]


@operation(pool=len(POOLS) - 1)
def drop_all(world: World, pool: int) -> None:
    """Let go of all objects of a kind."""
    world.pools[POOLS[pool]].clear()


@operation(eager=1)
def collect(world: World, eager: int) -> None:
    """Collect garbage, now or from now on at every few allocations."""
    gc.set_threshold(3 if eager else 700)
    gc.collect()


@operation(pool=len(POOLS) - 1, number=PICK)
def leave_in_cycle(world: World, pool: int, number: int) -> None:
    """Let go of an object that only the collector finds then."""
    held = world.pools[POOLS[pool]]
    if not held:
        raise NothingToDo
    cycle: list[Any] = [held.pop(number % len(held))]
    cycle.append(cycle)


@operation(error=PICK, how=1)
def use_error(world: World, error: int, how: int) -> None:
    """Print or pickle an exception that was kept, perhaps after all that it tells about is gone."""
    held, text = world.pick("errors", error)
    shown = str(held)
    assert shown.startswith(text), f"{shown!r} where {text!r} is right"
    assert traceback.format_exception(type(held), held, held.__traceback__)
    if how:
        again = pickle.loads(pickle.dumps(held))
        assert (type(again), str(again), again.args) == (type(held), shown, held.args)
        assert getattr(again, "kind", None) == getattr(held, "kind", None)
        assert [str(frame) for frame in getattr(again, "frames", ())] == [str(frame) for frame in getattr(held, "frames", ())]


COPIES: tuple[Callable[[Any], Any], ...] = (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)))
NATIVE = (wasmcore.Memory, wasmcore.Table, wasmcore.Global)


@operation(pool=6, number=PICK, how=len(COPIES) - 1)
def copy_object(world: World, pool: int, number: int, how: int) -> None:
    """Copy or pickle something with native memory, which is refused, or makes something of its own; the original stays whole."""
    original = world.pick(POOLS[pool], number).object
    try:
        copied = COPIES[how](original)
    except TypeError as error:
        assert str(error)
    except (pickle.PicklingError, AttributeError):
        assert how == 2 and not isinstance(original, NATIVE), f"{original} can not be pickled, and does not say so by a TypeError"
    else:
        assert not isinstance(original, NATIVE) or _is_independent(original, copied), f"{copied} shares something with {original}"
        del copied
        gc.collect()


def _is_independent(original: Any, copied: Any) -> bool:
    if isinstance(original, wasmcore.Memory):
        copied.grow(1)
        return len(copied) != len(original)
    if isinstance(original, wasmcore.Table):
        copied.grow(1)
        return len(copied) != len(original)
    before = original.value
    copied.value = 99 if isinstance(before, int) else None
    return bool(original.value == before)


@operation(instance=PICK)
def pickle_module(world: World, instance: int) -> None:
    """Pickle a module; what comes out can be used like it."""
    made = world.pick("instances", instance).object
    again = pickle.loads(pickle.dumps(made.module))
    assert [item.name for item in again.exports] == list(made.exports)
    assert again.engine.signals == made.module.engine.signals and again.engine.lazy == made.module.engine.lazy


class Worker:
    """A thread that lives on between the steps it runs."""

    def __init__(self) -> None:
        self._steps: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            step = self._steps.get()
            if step is None:
                return
            step()
            del step

    def do(self, action: Callable[[], None]) -> None:
        """Run it there."""
        self._steps.put(action)

    def stop(self) -> None:
        """End the thread."""
        self._steps.put(None)
        self._thread.join(PATIENCE)


def _start_fresh(action: Callable[[], None]) -> None:
    threading.Thread(target=action, daemon=True).start()


class _Elsewhere:
    """An action on another thread, whose exceptions come out here."""

    def __init__(self, start: Callable[[Callable[[], None]], None], action: Callable[[], None]) -> None:
        self._ended = threading.Event()
        self._error: BaseException | None = None
        start(lambda: self._run(action))

    def _run(self, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def join(self) -> None:
        """Wait for it."""
        assert self._ended.wait(PATIENCE), "a thread is stuck"
        error, self._error = self._error, None
        if error is not None:
            raise error


@operation(fresh=1, inner=INNER)
def on_thread(world: World, fresh: int, inner: Step) -> None:
    """Run a step on another thread, which is new or one that has run others."""
    if world.depth or threading.current_thread() is not threading.main_thread():
        raise NothingToDo
    if not fresh and world.worker is None:
        world.worker = Worker()
    _Elsewhere(_start_fresh if fresh else world.worker.do, lambda: world.run(inner)).join()


@operation(instance=PICK, threads=3)
def call_on_threads(world: World, instance: int, threads: int) -> None:
    """Several threads call one instance: they are served one after the other."""
    if world.depth:
        raise NothingToDo
    made, model = world.pick("instances", instance)
    add = made.exports.add
    good: list[int] = []
    barrier = threading.Barrier(threads + 2)

    def work() -> None:
        barrier.wait(PATIENCE)
        for _ in range(20):
            try:
                good.append(add(1))
            except wasmcore.StoreBusyError:
                if not world.may_be_busy:
                    raise

    running = [_Elsewhere(_start_fresh, work) for _ in range(threads + 1)]
    barrier.wait(PATIENCE)
    for thread in running:
        thread.join()
    model.add(len(good))


@operation(instance=PICK, inner=INNER)
def during_call(world: World, instance: int, inner: Step) -> None:
    """Run a step while another thread is in a long call."""
    if world.depth or threading.current_thread() is not threading.main_thread():
        raise NothingToDo
    spin = world.pick("instances", instance).object.exports.spin

    def work() -> None:
        try:
            assert spin(SPIN) == SPIN
        except wasmcore.StoreBusyError:
            if not world.may_be_busy:
                raise

    running = _Elsewhere(_start_fresh, work)
    world.run(inner)
    running.join()


def _count(counts: list[int]) -> Callable[[int, FrameType | None], None]:
    return lambda number, frame: counts.append(number)


def _raise(number: int, frame: FrameType | None) -> None:
    raise TimeIsUp


@operation(instance=PICK, raises=1, late=1)
def alarm(world: World, instance: int, raises: int, late: int) -> None:
    """A timer whose handler raises ends an endless loop; one that does not is called during a long one. `late` sets it anew."""
    if threading.current_thread() is not threading.main_thread():
        raise NothingToDo
    exports = world.pick("instances", instance).object.exports
    counts: list[int] = []
    if late or signal.getsignal(signal.SIGALRM) is not _raise or not raises:
        signal.signal(signal.SIGALRM, _raise if raises else _count(counts))

    def spin_for_ever() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.02)  # which may be over before the call begins
        exports.forever()

    gc.disable()  # what is raised while the collector calls somebody is lost
    try:
        if raises:
            world.agree(spin_for_ever, lambda: _raise(0, None))
        else:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            spins = 0
            while not counts and spins < MOST_SPINS:
                world.agree(lambda: exports.spin(SPIN), lambda: SPIN)
                spins += 1
            assert counts, "the handler of a signal was never called"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.enable()


def _never(number: int, frame: FrameType | None) -> None:
    raise AssertionError("the handler of a fault was called for a trap")


FAULT_HANDLERS: tuple[Callable[[], object], ...] = (
    lambda: faulthandler.enable(sys.__stderr__),
    faulthandler.disable,
    lambda: signal.signal(signal.SIGSEGV, signal.SIG_DFL),
    lambda: signal.signal(signal.SIGILL, signal.SIG_DFL),
    lambda: signal.signal(signal.SIGFPE, _never),
    lambda: signal.signal(signal.SIGSEGV, _never),
)


@operation(what=len(FAULT_HANDLERS) - 1)
def fault_handler(world: World, what: int) -> None:
    """Somebody else installs a handler for faults, or takes it away: traps stay traps."""
    if threading.current_thread() is not threading.main_thread():
        raise NothingToDo
    FAULT_HANDLERS[what]()


@operation(inner=INNER)
def in_fork(world: World, inner: Step) -> None:
    """A child process runs a step, compares everything, and ends."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, f"the forked process ended with status {status}"
        return
    code = 3
    try:
        world.worker = None
        world.run(inner)
        code = 0
    except EndOfProgram:
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


@operation()
def end(world: World) -> None:
    """The process ends with everything alive."""
    raise EndOfProgram

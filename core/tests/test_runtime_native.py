"""The lower layer of the runtime, as far as it needs no machine code: memory, resources, stores, threads, address ranges."""

from __future__ import annotations

import ctypes
import gc
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wasmcore.errors import Frame, StoreBusyError, TrapKind
from wasmcore.plugin.layout import POLL_OFFSET, THREAD_FIELDS, THREAD_SIZE, size
from wasmcore.runtime.execution import code_memory, traps, turns
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution.blocks import Block
from wasmcore.runtime.execution.code_memory import CodeMemory, wasm_code
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.execution.threads import StoreRecord, ThreadRecord, process
from wasmcore.runtime.system import platform, resources
from wasmcore.runtime.system.locks import Lock


def nothing(address: int, size: int) -> None:
    """Where no processor runs the code."""


def protection(address: int) -> str:
    """What `/proc/self/maps` says of an address."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, flags = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if start <= address < end:
                return flags
    return "unmapped"


def test_code_is_executable_and_never_writable() -> None:
    block = wasm_code.allocate(b"\xc3" * 5000, nothing)
    assert protection(block.address) == "r-xp"
    assert ctypes.string_at(block.address, 5000) == b"\xc3" * 5000
    block.free()
    assert protection(block.address) == "---p"


def test_freed_pages_are_used_again() -> None:
    memory = CodeMemory((1 << 20,), None)
    choose = random.Random(1)
    blocks: list[code_memory.CodeBlock] = []
    for step in range(3000):
        if blocks and choose.random() < 0.5:
            blocks.pop(choose.randrange(len(blocks))).free()
        elif len(blocks) < 30:
            content = bytes([step & 255]) * choose.randrange(1, 20_000)
            blocks.append(memory.allocate(content, nothing))
            assert ctypes.string_at(blocks[-1].address, len(content)) == content
    spans = sorted((block.address, block.address + block.size) for block in blocks)
    assert all(first[1] <= second[0] for first, second in zip(spans, spans[1:], strict=False))
    for block in blocks:
        block.free()
        block.free()
    assert all(end - start == 1 << 20 for start, end in memory.free_extents())


def test_blocks_go_with_their_last_reference() -> None:
    memory = CodeMemory((1 << 20,), None)
    block = memory.allocate(b"\xc3", nothing)
    del block
    assert [end - start for start, end in memory.free_extents()][0] == 1 << 20


def test_a_failed_allocation_leaves_nothing() -> None:
    memory = CodeMemory((1 << 20,), None)
    with pytest.raises(ZeroDivisionError):
        memory.allocate_at(1, lambda address: bytes(1 // 0), nothing)
    assert [end - start for start, end in memory.free_extents()][0] == 1 << 20
    with pytest.raises(MemoryError):
        memory.allocate(bytes((1 << 20) + 1), nothing)


def test_smaller_regions_where_address_space_is_short() -> None:
    script = """
import resource
from wasmcore.runtime.execution.code_memory import wasm_code
from wasmcore.runtime.system.platform import reserve
resource.setrlimit(resource.RLIMIT_AS, (800 << 20, 800 << 20))
block = wasm_code.allocate(b"\\xc3" * 100, lambda address, size: None)
print(block.size)
try:
    reserve(8 << 30)
except MemoryError as error:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=100, env=os.environ)
    assert done.stdout == "100\nrefused\n"


class Probe(resources.Resource):
    """Notes when it is freed."""

    __slots__ = ()

    def __init__(self, log: list[str]) -> None:
        super().__init__(lambda: map(log.append, ("freed",)))


def test_resources_go_after_all_finalizers_of_a_cycle() -> None:
    log: list[str] = []

    class User:
        def __init__(self) -> None:
            self.me = self
            self.first = Probe(log)
            self.second = [Probe(log), self]

        def __del__(self) -> None:
            log.append("used")

    class Wrapper:
        """Its own `__del__` uses what only the other one holds."""

        def __init__(self, user: User) -> None:
            self.user = user
            user.wrapper = self  # type: ignore[attr-defined]

        def __del__(self) -> None:
            log.append("used")

    Wrapper(User())
    gc.collect()
    assert log == ["used", "used", "freed", "freed"]
    Probe(log)
    assert len(log) == 5


def test_stores_merge_and_follow_their_contexts() -> None:
    first, second = Store(), Store()
    contexts = (ctypes.c_uint64 * 3)()
    addresses = [ctypes.addressof(contexts) + 8 * number for number in range(3)]
    first.adopt(addresses[0])
    for address in addresses[1:]:
        second.adopt(address)
    assert list(contexts) == [first.address, second.address, second.address]
    assert first.merge(second)
    assert list(contexts) == [first.address] * 3
    assert stores.at_address(first.address) is first
    address = second.address
    del second
    assert stores.at_address(address) is None


def test_contexts_in_a_block_are_forgotten_with_it() -> None:
    store, block = Store(), Block(8)
    block.adopt(block.content, lambda: store)
    assert store.contexts() == [block.content]
    del block
    assert store.contexts() == []


def test_running_stores_do_not_merge() -> None:
    first, second = Store(), Store()
    StoreRecord.from_address(second.address).activation = 1
    assert not first.merge(second)
    StoreRecord.from_address(second.address).activation = 0


def test_store_memory_is_given_back() -> None:
    store = Store()
    address = store.address
    assert protection(address) == "rw-p"
    store.request_poll()
    assert protection(address + POLL_OFFSET) == "---p"
    del store
    seen = {Store().address for _ in range(50)}
    assert len(seen) < 5


def test_an_interrupt_at_rest_is_refused() -> None:
    store = Store()
    assert not store.interrupt(ValueError())
    assert store.take_interrupt() is None
    assert protection(store.address + POLL_OFFSET) == "rw-p"


class Actor:
    """A thread that enters stores, with a thread pointer made up."""

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer
        self.thread = ThreadPoolExecutor(1)

    def enter(self, store: Store) -> int:
        """Ask for one's turn as the entry stub does, which then makes the store one's own; the record of the thread."""
        thread = self.thread.submit(turns.enter, store.address, self.pointer).result()
        record = StoreRecord.from_address(store.address)
        if record.thread != thread:
            record.activation, record.thread = 0, thread
        return int(thread)


def test_entering() -> None:
    assert size(THREAD_FIELDS) <= THREAD_SIZE
    store = Store()
    record = StoreRecord.from_address(store.address)
    assert record.thread == process.nobody
    actors = [Actor(16 * number) for number in (1, 2, 3)]
    mine = actors[0].enter(store)
    other = actors[1].enter(store)
    assert len({mine, other, process.nobody}) == 3
    assert actors[0].enter(store) == mine
    record.activation = 1
    store.waits = False
    with pytest.raises(StoreBusyError):
        actors[1].enter(store)
    assert actors[0].enter(store) == mine
    # A thread that ended inside leaves the store to others.
    ThreadRecord.from_address(mine).pointer = 0
    assert actors[1].enter(store) == other
    assert actors[2].enter(store) == mine
    for address in (mine, other):
        ThreadRecord.from_address(address).pointer = 0
    for actor in actors:
        actor.thread.shutdown()


def test_stack_limits() -> None:
    before = threading.stack_size()
    for wanted in (64 << 10, 1 << 20, 16 << 20):
        threading.stack_size(wanted)
        try:
            bounds: list[tuple[int, int]] = []
            thread = threading.Thread(target=lambda found=bounds: found.append(platform.stack_bounds()))
            thread.start()
            thread.join()
        finally:
            threading.stack_size(before)
        low, high = bounds[0]
        assert wanted // 2 < high - low <= wanted + (1 << 16)


class Owner:
    def keep(self) -> object:
        return self

    def trap_kind(self, offset: int) -> TrapKind | None:
        return None

    def frames(self, offset: int, is_return_address: bool) -> list[Frame]:
        return [Frame(None, offset, None, None)]


def test_address_ranges() -> None:
    owners = {start: Owner() for start in range(1 << 60, (1 << 60) + 50 * 4 * platform.PAGE_SIZE, 4 * platform.PAGE_SIZE)}
    shuffled = list(owners)
    random.Random(2).shuffle(shuffled)
    for start in shuffled:
        traps.register(start, start + 3 * platform.PAGE_SIZE - 4, owners[start])
    for start, owner in owners.items():
        for offset in (0, 30, platform.PAGE_SIZE, 3 * platform.PAGE_SIZE - 5):
            assert traps.find_code(start + offset) == (start, owner)
        assert traps.find_code(start + 3 * platform.PAGE_SIZE - 4) is None
    for start in shuffled:
        traps.unregister(start)
        assert traps.find_code(start) is None
    assert traps.find_code(0) is None


def test_symbols() -> None:
    symbols = platform.Symbols()
    assert symbols["_Py_NoneStruct"] == id(None)
    assert symbols["PyLong_Type"] == id(int)
    assert symbols["memmove"]
    with pytest.raises(KeyError):
        symbols["no_such_function"]


def test_locks_are_free_after_fork() -> None:
    script = """
import os, signal, threading
from wasmcore.runtime.system.locks import Lock
mine, other = Lock(), Lock()
held = threading.Event()
done = threading.Event()
def hold():
    with other:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
with mine:
    child = os.fork()
    if not child:
        signal.alarm(60)
        with other, mine:
            pass
if not child:
    with mine:
        os._exit(0)
assert os.waitpid(child, 0)[1] == 0
done.set()
thread.join()
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=100, env=os.environ)
    assert (done.returncode, done.stderr) == (0, "")


def test_locks_are_free_after_an_exception_wherever_handlers_of_signals_run() -> None:
    """That is where a Python function begins, and after a call of a builtin."""

    def use(lock: Any) -> None:
        with lock:
            len("")

    def interrupt(at: int) -> bool:
        left = at

        def profile(frame: Any, event: str, argument: object) -> None:
            nonlocal left
            left -= event in ("call", "c_return")
            if not left:
                raise KeyboardInterrupt

        lock = Lock()
        sys.setprofile(profile)
        try:
            use(lock)
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        taken: list[bool] = []
        other = threading.Thread(target=lambda: taken.append(lock.acquire(timeout=60)))
        other.start()
        other.join()
        assert taken == [True], f"held after event {at}"
        return left <= 0

    at = 1
    while interrupt(at):
        at += 1
    assert at > 2


def test_ranges_of_code_on_many_threads() -> None:
    ranges = traps._Ranges(3)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(1_000):
                start = 2_000 * number + 20 * (step % 100)
                ranges.add(start, start + 20, step)
                assert ranges.find(start) == ranges.find(start + 10) == ranges.find(start + 19) == (start, step)
                ranges.remove(start)
        except BaseException as error:
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures
    assert not ranges._beginning
    assert not ranges._covering

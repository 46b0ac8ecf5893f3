"""Faults in code become traps: every signal, nested, on threads, many times; interrupts leave no trace."""

from __future__ import annotations

import ctypes
import gc
import pickle
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from handmade import I32, I64, SLOTS, World, call_import, epilogue, funcref_of, prologue

from wasmcore.errors import StoreBusyError, Trap, TrapKind
from wasmcore.plugin.builtins import BUILTIN_NUMBERS, BUILTINS
from wasmcore.plugin.layout import FUNCREF, OVERFLOW_OFFSET, POLL_OFFSET, VMCONTEXT
from wasmcore.runtime.execution import traps
from wasmcore.runtime.execution.threads import ThreadRecord, process
from wasmcore.runtime.system import platform
from wasmcore_x86_64.assembler.instructions import (
    ABOVE,
    CMP,
    DIGIT_DIV,
    MOV8,
    MOVUPS,
    MOVUPS_STORE,
    NOT_EQUAL,
    OVERFLOW,
    R11,
    R12,
    R13,
    R14,
    R15,
    RAX,
    RBP,
    RCX,
    RDX,
    Assembler,
)

Sites = dict[int, TrapKind]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def undefined(kind: TrapKind) -> Callable[[Assembler], Sites]:
    def write(a: Assembler) -> Sites:
        sites = prologue(a)
        sites[a.position()] = kind
        a.ud2()
        return sites

    return write


def divide(a: Assembler) -> Sites:
    """r13 / r14."""
    sites = prologue(a)
    a.mov32(RAX, R13)
    a.zero(RDX)
    sites[a.position()] = TrapKind.INTEGER_DIVIDE_BY_ZERO
    a.unary(DIGIT_DIV, 0, R14)
    epilogue(a)
    return sites


def load(a: Assembler) -> Sites:
    """The byte at r13, which is no trap site."""
    sites = prologue(a)
    a.zero(RAX)
    a.reg_mem(MOV8, 0, RAX, R13, 0)
    epilogue(a)
    return sites


def null_function(a: Assembler) -> Sites:
    """The type of a null funcref."""
    sites = prologue(a)
    a.zero(RAX)
    sites[a.position()] = TrapKind.UNINITIALIZED_ELEMENT
    a.load32(RAX, RAX, FUNCREF["type_id"])
    epilogue(a)
    return sites


def forward(a: Assembler) -> Sites:
    sites = prologue(a)
    call_import(a, 0)
    epilogue(a)
    return sites


def recurse(a: Assembler) -> Sites:
    """Call import 0, which is patched to be the function itself."""
    return forward(a)


def spin(a: Assembler) -> Sites:
    """Poll until [context + SLOTS] is not 0."""
    sites = prologue(a)
    top = a.label()
    a.bind(top)
    a.load(RAX, R12, VMCONTEXT["store"])
    a.reg_mem(MOV8, 0, RAX, RAX, POLL_OFFSET)
    a.alu_mem_imm(7, 1, R12, SLOTS, 0)
    a.jump_if(4, top)
    a.zero(RAX)
    epilogue(a)
    return sites


def kind_of(call: Callable[[], Any]) -> TrapKind:
    with pytest.raises(Trap) as raised:
        call()
    return raised.value.kind


@pytest.mark.parametrize("release", [False, True])
def test_every_signal(world: World, release: bool) -> None:
    for kind in TrapKind:
        assert kind_of(world.function((), (), undefined(kind), release=release)) is kind
    quotient = world.function((I32, I32), (I32,), divide, release=release)
    assert quotient(7, 2) == 3
    assert kind_of(lambda: quotient(7, 0)) is TrapKind.INTEGER_DIVIDE_BY_ZERO
    assert kind_of(world.function((), (), null_function, release=release)) is TrapKind.UNINITIALIZED_ELEMENT
    assert quotient(9, 3) == 3
    assert world.store.activation == 0


def test_memory(world: World) -> None:
    start = platform.reserve(1 << 20)
    platform.protect(start, 4096, platform.READ_WRITE)
    traps.add_reservation(start, 1 << 20)
    byte = world.function((I64,), (I32,), load)
    assert byte(start + 4095) == 0
    assert kind_of(lambda: byte(start + 4096)) is TrapKind.MEMORY_OUT_OF_BOUNDS
    assert kind_of(lambda: byte(start + (1 << 20) - 1)) is TrapKind.MEMORY_OUT_OF_BOUNDS
    traps.remove_reservation(start)
    platform.release(start, 1 << 20)
    assert kind_of(lambda: byte(start + 4096)) is TrapKind.INTERNAL
    assert kind_of(lambda: byte(16)) is TrapKind.INTERNAL
    # Not a canonical address: the processor reports it without one.
    assert kind_of(lambda: byte(1 << 60)) is TrapKind.INTERNAL


def test_a_fault_that_should_not_be_says_what_is_known_of_it(world: World) -> None:
    with pytest.raises(Trap, match=r"^fault in generated code \(signal 11, pc 0x\w+, address 0x10, code offset .*, trap sites") as raised:
        world.function((I64,), (I32,), load)(16)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_backtrace(world: World) -> None:
    inner = world.function((), (), undefined(TrapKind.UNREACHABLE), name="inner")
    middle = world.function((), (), forward, (funcref_of(inner),), name="middle")
    outer = world.function((), (), forward, (funcref_of(middle),), name="outer")
    with pytest.raises(Trap) as raised:
        outer()
    assert [frame.function_name for frame in raised.value.frames] == ["inner", "middle", "outer"]
    assert str(raised.value).splitlines()[0] == "unreachable"
    copy = pickle.loads(pickle.dumps(raised.value.frames))
    assert [str(frame) for frame in copy] == [str(frame) for frame in raised.value.frames]

    def call_outer() -> None:
        outer()

    through = world.function((), (), forward, (world.host((), (), call_outer),), name="python")
    outermost = world.function((), (), forward, (funcref_of(through),), name="outermost")
    with pytest.raises(Trap) as raised:
        outermost()
    assert [frame.function_name for frame in raised.value.frames] == ["inner", "middle", "outer", "python", "outermost"]


def test_a_nested_trap_ends_the_inner_call_only(world: World) -> None:
    bad = world.function((), (), undefined(TrapKind.UNREACHABLE))
    kinds = []

    def host(n: int) -> int:
        kinds.append(kind_of(bad))
        return n + 1

    for release in (False, True):
        f = world.function((I32,), (I32,), forward, (world.host((I32,), (I32,), host),), release=release)
        for n in range(100):
            assert f(n) == n + 1
    assert len(kinds) == 200
    assert world.store.activation == 0


@pytest.mark.parametrize("release", [False, True])
def test_stack_overflow(world: World, release: bool) -> None:
    slots: list[Any] = []
    f = world.function((), (), recurse, (0,), name="deep", release=release)
    record = (ctypes.c_uint64 * 2).from_address(funcref_of(f))
    ctypes.c_uint64.from_address(record[1] + SLOTS).value = funcref_of(f)

    def run() -> None:
        for _ in range(3):
            with pytest.raises(Trap) as raised:
                f()
            assert raised.value.kind is TrapKind.STACK_OVERFLOW
            assert len(raised.value.frames) == traps.MAXIMUM_FRAMES
        slots.append(1)

    run()
    before = threading.stack_size()
    for size in (0, 64 << 10, 256 << 10, 64 << 20):
        threading.stack_size(size)
        try:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
        finally:
            threading.stack_size(before)
    assert len(slots) == 5


def test_traps_leave_nothing_behind(world: World) -> None:
    bad = world.function((), (), undefined(TrapKind.UNREACHABLE))
    released = world.function((), (), undefined(TrapKind.UNREACHABLE), release=True)
    quotient = world.function((I32, I32), (I32,), divide)

    def work(times: int) -> None:
        for _ in range(times):
            for call in (bad, released):
                try:
                    call()
                except Trap:
                    pass
            try:
                quotient(1, 0)
            except Trap:
                pass

    work(100)
    gc.collect()
    before = sys.getallocatedblocks()
    references = sys.getrefcount(bad.__self__)
    work(3_000)
    gc.collect()
    assert sys.getallocatedblocks() - before < 200
    assert abs(sys.getrefcount(bad.__self__) - references) < 3
    assert world.store.activation == 0


@pytest.mark.slow
def test_a_hundred_thousand_traps_on_threads() -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            world = World()
            bad = world.function((), (), undefined(TrapKind.UNREACHABLE), release=True)
            nested = world.function((), (), forward, (world.host((), (), bad),))
            for _ in range(12_500):
                for call in (bad, nested):
                    try:
                        call()
                    except Trap as trap:
                        assert trap.kind is TrapKind.UNREACHABLE
                    else:
                        raise AssertionError
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_another_thread_finds_the_store_busy(world: World) -> None:
    inside = threading.Event()
    go_on = threading.Event()

    def wait() -> None:
        inside.set()
        assert go_on.wait(20)

    world.store.waits = False
    f = world.function((), (), forward, (world.host((), (), wait),))
    free = world.function((), (), undefined(TrapKind.UNREACHABLE))
    thread = threading.Thread(target=f)
    thread.start()
    assert inside.wait(20)
    for _ in range(3):
        with pytest.raises(StoreBusyError):
            free()
        assert kind_of(World().function((), (), undefined(TrapKind.UNREACHABLE))) is TrapKind.UNREACHABLE
    go_on.set()
    thread.join()
    assert kind_of(free) is TrapKind.UNREACHABLE


def test_records_of_ended_threads_are_used_again(world: World) -> None:
    f = world.function((I32, I32), (I32,), divide)
    for _ in range(3):
        threads = [threading.Thread(target=f, args=(1, 1)) for _ in range(100)]
        for thread in threads:
            thread.start()
            thread.join()
    assert ThreadRecord.from_address(process.nobody).pointer == 0
    assert process._record.thread_count < 20


def test_one_store_on_many_threads_in_turn(world: World) -> None:
    f = world.function((I32, I32), (I32,), divide)
    results: list[int] = []
    for number in range(40):
        thread = threading.Thread(target=lambda number=number: results.append(f(number * 3, 3)))
        thread.start()
        thread.join()
    assert results == list(range(40))


def flag_of(builtin: Any) -> Any:
    record = (ctypes.c_uint64 * 2).from_address(funcref_of(builtin))
    return ctypes.c_uint64.from_address(record[1] + SLOTS)


def test_released_lock_lets_others_run(world: World) -> None:
    f = world.function((), (I32,), spin, (0,), release=True)
    flag = flag_of(f)
    ran = []

    def stop() -> None:
        ran.append(1)
        flag.value = 1

    timer = threading.Timer(0.05, stop)
    timer.start()
    assert f() == 0
    assert ran
    timer.join()


def test_interrupt_with_an_exception(world: World) -> None:
    f = world.function((), (I32,), spin, (0,), release=True)
    error = TimeoutError("enough")
    assert not world.store.interrupt(error)

    def interrupt() -> None:
        while not world.store.interrupt(error):  # nothing runs in the store yet
            time.sleep(0.001)

    for _ in range(3):
        timer = threading.Timer(0.02, interrupt)
        timer.start()
        with pytest.raises(TimeoutError) as raised:
            f()
        assert raised.value is error
        timer.join()
    flag_of(f).value = 1
    assert f() == 0


def sum_with_everything_live(a: Assembler) -> Sites:
    """Counts to r13 with live registers, vectors and flags at every poll; the result is right if a poll changes none."""
    sites = prologue(a, 256)
    others = (RCX, RDX, 3, 6, 7, 8, 9, 10, R14, R15)
    wrong = a.label()
    top = a.label()
    a.mov(R11, R13)
    a.load(R12, R12, VMCONTEXT["store"])
    for number in range(8):
        a.mov_imm(RAX, 0x01010101 * (number + 1))
        for at in (0, 8):
            a.store(RBP, -64 + at, RAX)
        a.reg_mem(MOVUPS, 0, 8 + number, RBP, -64)
    for number, register in enumerate(others):
        a.mov_imm(register, 1000 + number)
    a.zero(RAX)
    a.bind(top)
    a.add_imm(RAX, 1)
    # The largest signed number plus one overflows; that flag has to be there after the poll.
    a.mov_imm64(R13, (1 << 63) - 1)
    a.add_imm(R13, 1)
    a.reg_mem(MOV8, 0, R13, R12, POLL_OFFSET)
    a.jump_if(OVERFLOW ^ 1, wrong)
    for number, register in enumerate(others):
        a.cmp_imm(register, 1000 + number)
        a.jump_if(NOT_EQUAL, wrong)
    for number in range(8):
        a.reg_mem(MOVUPS_STORE, 0, 8 + number, RBP, -64)
        a.mov_imm(R13, 0x01010101 * (number + 1))
        a.reg_mem(CMP, 1, R13, RBP, -64)
        a.jump_if(NOT_EQUAL, wrong)
        a.reg_mem(CMP, 1, R13, RBP, -56)
        a.jump_if(NOT_EQUAL, wrong)
    a.reg_reg(CMP, 1, R11, RAX)
    a.jump_if(ABOVE, top)
    epilogue(a)
    a.bind(wrong)
    a.mov_imm(RAX, -1)
    epilogue(a)
    return sites


def test_an_interrupt_that_means_nothing_changes_nothing(world: World) -> None:
    """Poll requests from another thread, without an exception; the callback also calls into the store again."""
    f = world.function((I64,), (I64,), sum_with_everything_live, release=True)
    count = 3_000_000
    requests = 0
    done = threading.Event()

    def ask() -> None:
        nonlocal requests
        while not done.is_set():
            if world.store.activation:
                world.store.request_poll()
                requests += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        while requests < 4:
            assert f(count) == count
    finally:
        done.set()
        thread.join()


def upper_half_live(a: Assembler, frame: int) -> Sites:
    """Fills ymm8 with ones, polls with a stack frame of this size, and returns what the third quarter of ymm8 is then."""
    sites = prologue(a, frame)
    a.load(R12, R12, VMCONTEXT["store"])
    a.data(bytes.fromhex("c4413d76c0"))  # vpcmpeqd ymm8, ymm8, ymm8
    a.reg_mem(MOV8, 0, R13, R12, POLL_OFFSET)
    a.data(bytes.fromhex("c4637d19c001"))  # vextractf128 xmm0, ymm8, 1
    a.data(bytes.fromhex("66480f7ec0"))  # movq rax, xmm0
    a.data(bytes.fromhex("c5f877"))  # vzeroupper
    epilogue(a)
    return sites


def test_an_interrupt_keeps_the_overflow_area(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    area = (ctypes.c_uint64 * 16).from_address(world.store.address + OVERFLOW_OFFSET)
    f = world.function((), (I32,), spin, (0,))
    flag = flag_of(f)

    def scribble() -> None:
        area[3] = 99
        flag.value = 1

    monkeypatch.setattr(world.store.__class__, "take_interrupt", lambda self: scribble())
    area[3] = 7
    world.store.request_poll()
    assert f() == 0
    assert area[3] == 7


def lazily(world: World, compile_function: Callable[[int, int], int], release: bool = False) -> Any:
    """A function that is a lazy stub: number 1 of two."""
    world.machine.compile_function = compile_function
    stubs = world.machine.lazy_stubs(2)
    f = world.function((I32, I32), (I32,), divide, release=release)
    record = (ctypes.c_uint64 * 2).from_address(funcref_of(f))
    f.__self__.kept += [stubs, record[0]]
    record[0] = stubs.address + stubs.step
    return f


@pytest.mark.parametrize("release", [False, True])
def test_first_calls_compile(world: World, release: bool) -> None:
    seen: list[tuple[bool, int]] = []

    def compile_function(context: int, number: int) -> int:
        record = (ctypes.c_uint64 * 2).from_address(funcref_of(f))
        seen.append((context == record[1], number))
        record[0] = f.__self__.kept[-1]
        return int(record[0])

    f = lazily(world, compile_function, release)
    assert f(84, 2) == 42
    assert f(10, 5) == 2
    assert seen == [(True, 1)]


def test_first_calls_may_fail(world: World) -> None:
    def compile_function(context: int, number: int) -> int:
        raise LookupError("not today")

    for release in (False, True):
        f = lazily(world, compile_function, release)
        for _ in range(3):
            with pytest.raises(LookupError, match="not today"):
                f(1, 1)
        assert world.store.activation == 0


def test_builtins_of_the_runtime(world: World) -> None:
    seen: list[tuple[int, ...]] = []

    def answer(value: int) -> Callable[..., int]:
        def function(*arguments: int) -> int:
            seen.append(arguments)
            return value

        return function

    table = world.machine.builtins_table({b.name: answer(-1) for b in BUILTINS if not b.native})
    addresses = (ctypes.c_uint64 * len(BUILTINS)).from_address(table)

    def grow(a: Assembler) -> Sites:
        sites = prologue(a)
        a.mov_imm64(RAX, addresses[BUILTIN_NUMBERS["memory_grow"]])
        a.call_reg(RAX)
        epilogue(a)
        return sites

    f = world.function((I32, I64), (I64,), grow)
    assert f(3, -2) == -1
    assert seen[0][1:] == (3, 2**64 - 2)
    assert seen[0][0] == (ctypes.c_uint64 * 2).from_address(funcref_of(f))[1]

"""Signals and forks, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wasmcore_x86_64.cpu import processor

HERE = Path(__file__).parent
PRELUDE = """
import ctypes, faulthandler, os, signal, subprocess, sys, threading, time
os.register_at_fork(after_in_child=lambda: signal.alarm(60))
sys.path.insert(0, HERE)
from handmade import *
from test_stubs_traps import *
from wasmcore.errors import *

def crash():
    ctypes.string_at(8)

def trap_once():
    try:
        world.function((), (), undefined(TrapKind.UNREACHABLE))()
    except Trap as trap:
        assert trap.kind == TrapKind.UNREACHABLE
    else:
        raise AssertionError

def later(seconds, number):
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -{int(number)} {os.getpid()}"])

def endless(release=False):
    return world.function((), (I32,), spin, (0,), release=release)
"""


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"HERE = {str(HERE)!r}" + PRELUDE + script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )


def check(script: str, **environment: str) -> str:
    done = run(script, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_real_crash_kills() -> None:
    done = run("world = World(); trap_once(); print('before', flush=True); crash(); print('after')")
    assert done.returncode == -signal.SIGSEGV
    assert done.stdout == "before\n"


@pytest.mark.parametrize("number", ["SIGSEGV", "SIGFPE", "SIGILL", "SIGBUS"])
def test_a_signal_sent_by_somebody_kills(number: str) -> None:
    done = run(f"world = World(); trap_once(); os.kill(os.getpid(), signal.{number}); time.sleep(5); print('after')")
    assert done.returncode == -getattr(signal, number), done.stderr
    assert done.stdout == ""


def test_a_signal_sent_while_code_runs_kills() -> None:
    done = run("world = World(); later(0.05, signal.SIGSEGV); endless(True)()")
    assert done.returncode == -signal.SIGSEGV, done.stderr


def test_a_crash_in_a_host_function_kills() -> None:
    done = run("world = World(); world.function((), (), forward, (world.host((), (), crash),))()")
    assert done.returncode == -signal.SIGSEGV, done.stderr


def test_an_ignored_signal_stays_ignored() -> None:
    script = """
signal.signal(signal.SIGILL, signal.SIG_IGN)
world = World()
trap_once()
os.kill(os.getpid(), signal.SIGILL)
trap_once()
print("alive")
"""
    assert check(script) == "alive\n"


@pytest.mark.parametrize("when", ["before", "after", "both", "again", "disabled"])
def test_faulthandler(when: str) -> None:
    """Traps stay traps whenever it is enabled, and a crash still gets its report and kills."""
    before = "faulthandler.enable()" if when != "after" else ""
    after = {
        "before": "",
        "after": "faulthandler.enable()",
        "both": "faulthandler.disable(); faulthandler.enable()",
        "again": "[(faulthandler.disable(), the_machine(), faulthandler.enable(), the_machine()) for _ in range(20)]",
        "disabled": "faulthandler.disable()",
    }[when]
    script = f"""
{before}
world = World()
trap_once()
{after}
the_machine()
for _ in range(10): trap_once()
assert len(world.machine._signals._copies) < 4
print("before", flush=True)
crash()
print("after")
"""
    done = run(script)
    assert done.stdout == "before\n", done.stderr
    assert done.returncode == -signal.SIGSEGV, done.stderr
    assert done.stderr.count("Fatal Python error: Segmentation fault") == (when != "disabled"), done.stderr


@pytest.mark.parametrize("release", [False, True])
def test_interrupt_by_keyboard(release: bool) -> None:
    script = f"""
world = World()
f = endless({release})
for _ in range(3):
    try:
        later(0.1, signal.SIGINT)
        f()
    except KeyboardInterrupt:
        assert world.store.activation == 0
        print("interrupted")
trap_once()
"""
    assert check(script) == "interrupted\n" * 3


@pytest.mark.parametrize("release", [False, True])
def test_a_python_handler_that_does_nothing(release: bool) -> None:
    """It was installed after ours, and is found again; the code goes on with all it had in registers."""
    script = f"""
world = World()
f = world.function((I64,), (I64,), sum_with_everything_live, release={release})
calls = []
signal.signal(signal.SIGINT, lambda *arguments: calls.append(1))
the_machine()
stop = False
def send():
    while not stop:
        time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)
thread = threading.Thread(target=send)
thread.start()
total = 0
while len(calls) < 20:
    assert f(2_000_000) == 2_000_000
stop = True
thread.join()
print("right")
"""
    assert check(script) == "right\n"


def test_a_python_handler_that_runs_code() -> None:
    """In the same store, through the overflow area, from within an endless loop."""
    script = """
world = World()
types = (I64,) * 30
inner = world.function(types, types, lambda a: move_values(a, types))
f = endless()
def handler(*arguments):
    assert inner(*range(30)) == tuple(range(30))
    trap_once()
    flag_of(f).value = 1
signal.signal(signal.SIGINT, handler)
the_machine()
later(0.05, signal.SIGINT)
assert f() == 0
print("done")
"""
    assert check(script) == "done\n"


def test_other_signals_with_python_handlers() -> None:
    """An alarm ends a loop, too."""
    script = """
world = World()
class Alarm(Exception): pass
def ring(*arguments): raise Alarm
signal.signal(signal.SIGALRM, ring)
the_machine()
f = endless()
try:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    f()
except Alarm:
    print("alarm")
"""
    assert check(script) == "alarm\n"


def test_fork() -> None:
    script = """
world = World()
f = world.function((I32, I32), (I32,), divide)
assert f(6, 3) == 2
inside = threading.Event()
other = World()
block = threading.Event()
busy = other.function((), (), forward, (other.host((), (), lambda: (inside.set(), block.wait())),))
thread = threading.Thread(target=busy, daemon=True)
thread.start()
inside.wait()
def in_child():
    trap_once()
    assert f(9, 3) == 3
    assert other.store.activation == 0
    assert kind_of(other.function((), (), undefined(TrapKind.UNREACHABLE))) == TrapKind.UNREACHABLE
    worker = threading.Thread(target=trap_once)
    worker.start()
    worker.join()
    try:
        later(0.05, signal.SIGINT)
        endless()()
    except KeyboardInterrupt:
        pass
    sys.stdout.write("child\\n")
    sys.stdout.flush()
child = os.fork()
if not child:
    in_child()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
def fork_inside():
    child = os.fork()
    if not child:
        return 0
    assert os.waitpid(child, 0)[1] == 0
    return 1
g = world.function((), (I32,), forward, (world.host((), (I32,), fork_inside),))
if not g():
    in_child()
    os._exit(0)
def fork_on_thread():
    if not g():
        in_child()
        os._exit(0)
worker = threading.Thread(target=fork_on_thread)
worker.start()
worker.join()
block.set()
thread.join()
trap_once()
print("parent")
"""
    assert check(script) == "child\nchild\nchild\nparent\n"


def test_signals_forbidden() -> None:
    script = """
try:
    World()
except PluginError as error:
    print(error)
"""
    assert "WASMCORE_SIGNALS=0" in check(script, WASMCORE_SIGNALS="0")


def test_a_processor_without_xsave() -> None:
    """The other way of saving the state of the floating-point unit."""
    script = """
from wasmcore_x86_64 import cpu, target
old = cpu.processor()
target.processor = lambda: cpu.Processor(old.features, 0)
world = World()
trap_once()
f = world.function((I64,), (I64,), sum_with_everything_live)
world.store.request_poll()
assert f(1000) == 1000
print("saved")
"""
    assert check(script) == "saved\n"


@pytest.mark.skipif("avx" not in processor().features, reason="this processor has no wide vectors")
def test_an_interrupt_keeps_wide_vectors() -> None:
    """However the stack is aligned to what the system saves of them below the red zone. (`faulthandler`, which test runners switch on, has
    the system save them elsewhere.)"""
    script = """
from functools import partial
world = World()
for frame in range(256, 384, 8):
    f = world.function((), (I64,), partial(upper_half_live, frame=frame))
    for _ in range(20):
        world.store.request_poll()
        assert f() == -1, frame
print("kept")
"""
    assert check(script) == "kept\n"


def test_subinterpreters_are_refused() -> None:
    script = """
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
own = interpreters.create("legacy") if sys.version_info >= (3, 13) else interpreters.create(isolated=False)
failure = interpreters.run_string(own, f'''
import sys
sys.path[:] = {sys.path!r}
from wasmcore.errors import PluginError
try:
    from handmade import World
    World()
except PluginError as error:
    assert "subinterpreters" in str(error), error
else:
    raise AssertionError
''')
assert failure is None, failure
print("refused")
"""
    assert check(script) == "refused\n"


def test_the_end_of_the_interpreter_while_a_thread_is_inside() -> None:
    script = """
world = World()
f = endless(True)
threading.Thread(target=f, daemon=True).start()
time.sleep(0.1)
print("end")
"""
    assert check(script) == "end\n"


def test_unlimited_main_stack() -> None:
    script = """
world = World()
f = world.function((), (), recurse, (0,))
record = (ctypes.c_uint64 * 2).from_address(funcref_of(f))
ctypes.c_uint64.from_address(record[1] + SLOTS).value = funcref_of(f)
assert kind_of(f) == TrapKind.STACK_OVERFLOW
print("limited")
"""
    done = subprocess.run(
        ["bash", "-c", 'ulimit -s unlimited; exec "$0" -c "$1"', sys.executable, f"HERE = {str(HERE)!r}" + PRELUDE + script],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout == "limited\n", done.stderr

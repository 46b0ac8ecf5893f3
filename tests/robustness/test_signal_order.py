"""Signal handlers that somebody installs at any time: traps stay traps, and handlers in Python end running code.

Each order runs in a process of its own: one with a fault that is no trap dies of it.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PRELUDE = """
import asyncio, ctypes, faulthandler, os, signal, subprocess, sys, threading, time
import wasmcore

TEXT = '''(module (import "host" "f" (func $f)) (memory 1) (type $n (func)) (table 1 funcref)
  (func (export "unreachable") unreachable)
  (func (export "outside") (drop (i32.load (i32.const -1))))
  (func (export "divide") (drop (i32.div_u (i32.const 1) (i32.load (i32.const 0)))))
  (func (export "null") (call_indirect (type $n) (i32.const 0)))
  (func $deep (export "deep") (call $deep))
  (func (export "call_and_trap") (call $f) unreachable)
  (func (export "spin") (loop (br 0)))
  (func (export "spin_and_call") (loop (call $f) (br 0))))'''
class Ended(Exception): pass
def end(*arguments): raise Ended
hook = [lambda: None]
def make(**options):
    return wasmcore.Instance(wasmcore.Module(TEXT, backend=sys.argv[1]), {"host": {"f": lambda: hook[0]()}}, **options).exports
def trap_all(e, names=("unreachable", "outside", "divide", "null", "deep")):
    for name in names:
        try:
            e[name]()
        except wasmcore.Trap as trap:
            pass
        else:
            raise AssertionError(name)
def later(seconds, number):
    subprocess.Popen([sys.executable, "-S", "-c", f"import os, time; time.sleep({seconds}); os.kill({os.getpid()}, {int(number)})"])
def ends(f, number, error=Ended):
    later(0.2, number)
    try:
        f()
    except error:
        print("ended", end=" ")
def say(*words):
    print(*words, end=" ", flush=True)
signal.signal(signal.SIGINT, signal.default_int_handler)
"""


def run(script: str, backend: str, timeout: int = 100) -> str:
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", PRELUDE + script, backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


INSTALL = {
    "faulthandler": "faulthandler.enable()",
    "faulthandler off and on": "faulthandler.enable(); faulthandler.disable(); faulthandler.enable()",
    "faulthandler on and off": "faulthandler.enable(); faulthandler.disable()",
    "faulthandler register": "faulthandler.register(signal.SIGUSR1, chain=True)",
    "python handlers": "[signal.signal(n, end) for n in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)]",
    "default": "[signal.signal(n, signal.SIG_DFL) for n in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)]",
    "ignored": "[signal.signal(n, signal.SIG_IGN) for n in (signal.SIGSEGV, signal.SIGFPE, signal.SIGILL)]",
    "twice": "faulthandler.enable(); signal.signal(signal.SIGSEGV, end); faulthandler.disable(); faulthandler.enable()",
}
WHEN = {
    "before": "{install}\ne = make(); trap_all(e)",
    "after": "e = make()\n{install}\ntrap_all(e)",
    "between calls": "e = make(); trap_all(e)\n{install}\ntrap_all(e)\n{install}\ntrap_all(e)",
    "in a host function": "e = make()\ndef install():\n    {install}\nhook[0] = install\ntrap_all(e, ['call_and_trap'] * 3)\ntrap_all(e)",
    "on a thread": "e = make()\ndef install():\n    {install}\n"
    "def work():\n    if threading.current_thread() is threading.main_thread(): install()\n"
    "    trap_all(e)\nfor _ in range(2):\n    t = threading.Thread(target=work); install(); t.start(); t.join(); work()",
    "during a call": "e = make(release_gil=True); other = make(); r = []\ndef spin():\n"
    "    try: e.spin_and_call()\n    except Ended: r.append(1)\n"
    "stop = []\nhook[0] = lambda: end() if stop else None\n"
    "t = threading.Thread(target=spin); t.start(); time.sleep(0.1)\n{install}\ntime.sleep(0.1); trap_all(other); stop.append(1); t.join()\n"
    "assert r\nstop.clear(); trap_all(e)",
}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("install", INSTALL)
def test_traps_stay_traps(install: str, when: str, backend: str) -> None:
    assert run(WHEN[when].format(install=INSTALL[install]) + "\nsay('right')", backend) == "right"


def test_handlers_that_are_installed_unseen(backend: str) -> None:
    """Its calls are not seen before the next instantiation."""
    script = """
e = make()
library = ctypes.CDLL(None)
library.signal.restype = ctypes.c_void_p
trap_all(e)
ours = library.signal(11, None)  # found by dlsym: not seen
make()
trap_all(e)
library.signal(11, ctypes.c_void_p(ours))  # which wants to be told more than this says
make()
trap_all(e)
say("right")
"""
    assert run(script, backend) == "right"


@pytest.mark.parametrize("between", ["pass", "subprocess.run(['true'])", "os.waitpid(os.fork() or os._exit(0), 0)"])
def test_a_crash_after_a_trap_still_has_its_report(between: str, backend: str) -> None:
    """Children that reset their handlers do not reset the chain of their parent."""
    script = PRELUDE + f"e = make(); faulthandler.enable(); trap_all(e); {between}; trap_all(e); say('before'); ctypes.string_at(8)"
    done = subprocess.run([sys.executable, "-c", script, backend], capture_output=True, text=True, timeout=100)
    assert done.returncode == -signal.SIGSEGV
    assert done.stdout.strip() == "before"
    assert done.stderr.count("Fatal Python error: Segmentation fault") == 1


HANDLERS = {
    "alarm before": "signal.signal(signal.SIGALRM, end)\ne = make()\nends(e.spin, signal.SIGALRM)",
    "alarm after": "e = make()\nsignal.signal(signal.SIGALRM, end)\nends(e.spin, signal.SIGALRM)",
    "alarm between": "e = make(); trap_all(e)\nsignal.signal(signal.SIGALRM, end)\ntrap_all(e)\nends(e.spin, signal.SIGALRM)",
    "timer": "e = make()\nsignal.signal(signal.SIGALRM, end)\nsignal.setitimer(signal.ITIMER_REAL, 0.2)\n"
    "try: e.spin()\nexcept Ended: say('ended')",
    "in a host function": "e = make(); begun = []\ndef install():\n"
    "    if not begun: begun.append(signal.signal(signal.SIGUSR1, end)); later(0.2, signal.SIGUSR1)\n"
    "hook[0] = install\ntry: e.spin_and_call()\nexcept Ended: say('ended')",
    "another handler": "signal.signal(signal.SIGTERM, print)\ne = make()\nsignal.signal(signal.SIGTERM, end)\nends(e.spin, signal.SIGTERM)",
    "real-time signal": "e = make()\nsignal.signal(signal.SIGRTMIN + 3, end)\nends(e.spin, signal.SIGRTMIN + 3)",
    "sigint": "e = make()\nends(e.spin, signal.SIGINT, KeyboardInterrupt)",
    "sigint of one's own": "e = make()\nsignal.signal(signal.SIGINT, end)\nends(e.spin, signal.SIGINT)",
    "restored": "e = make()\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "ends(e.spin, signal.SIGINT, KeyboardInterrupt)",
    "siginterrupt": "e = make()\nsignal.signal(signal.SIGUSR2, end)\nsignal.siginterrupt(signal.SIGUSR2, False)\n"
    "ends(e.spin, signal.SIGUSR2)",
    "wakeup fd": "import socket\na, b = socket.socketpair(); a.setblocking(False)\nsignal.set_wakeup_fd(a.fileno())\ne = make()\n"
    "signal.signal(signal.SIGALRM, end)\nends(e.spin, signal.SIGALRM)\nassert b.recv(10) == bytes([signal.SIGALRM])",
    "asyncio": "e = make()\nasync def main(): e.spin()\nlater(0.3, signal.SIGINT)\n"
    "if sys.version_info >= (3, 11): later(0.8, signal.SIGINT)\ntry: asyncio.run(main())\nexcept KeyboardInterrupt: say('ended')",
    "released lock": "e = make(release_gil=True)\nsignal.signal(signal.SIGALRM, end)\nends(e.spin, signal.SIGALRM)",
    "second time": "e = make()\nsignal.signal(signal.SIGALRM, end)\nends(e.spin, signal.SIGALRM)\nends(e.spin, signal.SIGALRM)\n"
    "time.sleep(1.3)\nends(e.spin, signal.SIGALRM)\ntrap_all(e)",
}


@pytest.mark.parametrize("order", HANDLERS)
def test_a_handler_ends_a_running_loop(order: str, backend: str) -> None:
    words = run(HANDLERS[order], backend).split()
    assert words and set(words) == {"ended"}


def test_a_timeout_as_test_runners_have_it(backend: str) -> None:
    """`pytest-timeout` and others raise in a handler of SIGALRM that they set and restore around each test."""
    script = """
e = make()
for _ in range(3):
    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        e.spin()
    except Ended:
        say("ended")
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
"""
    assert run(script, backend) == "ended ended ended"


def test_a_handler_that_returns_changes_nothing(backend: str) -> None:
    script = """
e = make()
calls = []
def handle(*arguments):
    if len(calls) == 20:
        signal.setitimer(signal.ITIMER_REAL, 0)
        end()
    calls.append(1)
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
try:
    e.spin()
except Ended:
    say(len(calls))
"""
    assert run(script, backend) == "20"

"""Where signals can not be used, or shall not: the same results, traps, backtraces and interrupts from code that never faults."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import wasmtime

import wasmcore
from wasmcore.binary import decode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.runtime.execution import store
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter

from ..differential.test_differential import BATCH, check
from .modules import TRAP_KINDS, TRAPS, instance
from .test_interrupts import LOOPS, check_ctrl_c
from .test_traps import on_a_thread

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
USUAL = {name: value for name, value in os.environ.items() if name != "WASMCORE_SIGNALS"}
SWITCHED_OFF = {**USUAL, "WASMCORE_SIGNALS": "0"}
HANDLERS = "import signal\nfrom wasmcore.runtime.system import platform\nprint([platform.signal_action(n)[0] for n in (4, 7, 8, 11)])\n"
RUN_TRAPS = """
import sys, wasmcore
{before}
module = wasmcore.Module(bytes.fromhex(sys.argv[1]), engine=wasmcore.Engine(sys.argv[2], lazy={lazy}))
instance = wasmcore.Instance(module)
{after}
for name, kind in {kinds}.items():
    try:
        instance.exports[name]()
    except wasmcore.Trap as trap:
        assert trap.kind.name == kind and trap.frames, name
    else:
        raise SystemExit(name + " did not trap")
    assert instance.exports.answer() == 42
print(instance.exports.memory.guarded, module.engine.signals)
"""


def run_traps(backend: str, before: str = "", lazy: bool = True, environment: dict[str, str] = USUAL, after: str = "") -> str:
    """What a process prints in which every trap happens after some preparations, before there is an instance and after that: whether
    memories are guarded, whether signals work."""
    script = RUN_TRAPS.format(before=before, after=after, lazy=lazy, kinds=TRAP_KINDS)
    command = [sys.executable, "-c", script, bytes(wasmtime.wat2wasm(TRAPS)).hex(), backend]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize(("function", "kind"), TRAP_KINDS.items(), ids=TRAP_KINDS)
def test_the_same_traps(function: str, kind: str, backend: str) -> None:
    usual = instance(TRAPS, backend).exports
    exports = instance(TRAPS, backend, signals=False).exports

    def frames(function: str, exports: wasmcore.Exports) -> list[str]:
        with pytest.raises(wasmcore.Trap) as caught:
            exports[function]()
        assert caught.value.kind.name == kind
        return [str(frame) for frame in caught.value.frames]

    def compare() -> None:
        for _ in range(3):
            assert frames(function, exports)[:20] == frames(function, usual)[:20]
            assert exports.answer() == 42

    compare()
    on_a_thread(compare)
    assert not exports.memory.guarded and not any(exports.memory.view())


def test_traps_nested_through_the_host(backend: str) -> None:
    text = """(module (import "host" "again" (func $again (param i32)))
      (func $go (export "go") (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
        (call $again (i32.sub (local.get 0) (i32.const 1)))))"""
    imports = {"host": {"again": lambda depth: exports.go(depth)}}
    exports: wasmcore.Exports = instance(text, backend, imports, signals=False).exports
    for _ in range(200):
        with pytest.raises(wasmcore.Trap) as caught:
            exports.go(4)
        assert len(caught.value.frames) == 5


@pytest.mark.parametrize("batch", range(4))
def test_same_as_wasmtime(batch: int, backend: str) -> None:
    check(range(batch * BATCH, (batch + 1) * BATCH), backend, signals=False)


def test_a_poll_keeps_all_registers(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random programs in which every poll calls back."""
    monkeypatch.setattr(store, "FIRST_POLLS", 0)
    monkeypatch.setattr(store, "MOST_POLLS", 0)
    check(range(1000, 1000 + BATCH), backend, signals=False)


def test_no_code_faults(backend: str) -> None:
    engine = wasmcore.Engine(backend)
    for file in sorted(EXAMPLES.glob("*.wasm")):
        info = decode(file.read_bytes())
        environment = plan(info, [False] * len(info.memories))
        writer = StreamWriter(info)
        for index in range(info.imported_functions, info.function_count, 5):
            unit = CompileUnit.made_for(engine.target, environment, (writer.stream(index),), signals=False)
            compiled = engine.backend.compile(unit)
            assert compiled.traps == b"" and engine.backend.compile(unit._replace(address_map=True)).code == compiled.code


def test_code_with_signals_calls_code_without(backend: str) -> None:
    """They share a memory, which one accesses with checks, the other without."""
    inner_text = """(module (import "m" "memory" (memory 1)) (func (export "load") (param i32) (result i32) (i32.load (local.get 0))))"""
    outer_text = """(module (import "inner" "load" (func $load (param i32) (result i32))) (memory (export "memory") 1)
      (func (export "far") (param i32) (result i32) (call $load (local.get 0)))
      (func (export "near") (param i32) (result i32) (i32.load (local.get 0))))"""
    for inner_signals, outer_signals in ((False, True), (True, False), (False, False)):
        memory = wasmcore.Memory(1)
        memory.write(8, b"\x07")
        inner = instance(inner_text, backend, {"m": {"memory": memory}}, signals=inner_signals).exports
        outer = instance(outer_text, backend, {"inner": inner}, signals=outer_signals).exports
        assert outer.far(8) == 7 and outer.near(8) == 0
        for function in (outer.far, outer.near):
            with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
                function(65533)


def interrupt(code_store: store.Store, error: BaseException) -> None:
    """Interrupt the code of a store once some runs."""
    while not code_store.interrupt(error):
        time.sleep(0.001)


def test_an_interrupt_from_another_thread(backend: str) -> None:
    owner = instance(LOOPS["calling"], backend, signals=False)
    spin = wasmcore.Instance(owner.module, release_gil=True).exports.spin
    group = spin.__self__._owner.group
    error = TimeoutError("enough")
    timer = threading.Timer(0.1, interrupt, (group.store, error))
    timer.start()
    with pytest.raises(TimeoutError) as caught:
        spin()
    assert caught.value is error
    timer.join()


def test_other_threads_get_their_turn_in_an_endless_loop(backend: str) -> None:
    """Polls call Python now and then, so that even a loop that holds the interpreter lock gives it away."""
    exports = instance(LOOPS["counting"], backend, signals=False).exports
    group = exports.spin.__self__._owner.group
    timer = threading.Timer(0.05, interrupt, (group.store, TimeoutError()))
    timer.start()
    with pytest.raises(TimeoutError):
        exports.spin()
    timer.join()


SLOW = """(module (memory 320)
  (func (export "spin") (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 20000000)) (br 0))))"""


@pytest.mark.parametrize("gil", ["held", "released"])
@pytest.mark.parametrize("loop", [*LOOPS, "slow"])
def test_ctrl_c(loop: str, gil: str, backend: str) -> None:
    check_ctrl_c({**LOOPS, "slow": SLOW}[loop], gil, backend, SWITCHED_OFF)


@pytest.mark.parametrize("lazy", [True, False])
def test_switched_off_by_the_environment(lazy: bool, backend: str) -> None:
    handlers = "import atexit\natexit.register(lambda: exec(" + repr(HANDLERS) + ", {}))"
    assert run_traps(backend, handlers, lazy, SWITCHED_OFF) == "False False\n[0, 0, 0, 0]"


REFUSED = """
from wasmcore.runtime.system import platform
def refuse(number, handler, flags):
    raise OSError(1, "Operation not permitted")
platform.set_signal_action = refuse
"""
IGNORED = "from wasmcore.runtime.system import platform\nplatform.set_signal_action = lambda number, handler, flags: None\n"
BLOCKED = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSEGV])\n"


@pytest.mark.parametrize("before", [REFUSED, IGNORED, BLOCKED], ids=["refused", "ignored", "blocked"])
@pytest.mark.parametrize("after", ["", "import faulthandler\nfaulthandler.enable()"], ids=["alone", "with others"])
def test_signals_do_not_work(before: str, after: str, backend: str) -> None:
    """Also where somebody else installs handlers later."""
    assert run_traps(backend, before, after=after) == "True False"


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("room", [3 << 30, 640 << 20, 440 << 20, 200 << 20])
def test_little_address_space(room: int, lazy: bool, backend: str) -> None:
    """No memory can be guarded, and code gets smaller regions: modules are compiled for that, again if they were already."""
    if room < 1 << 30 and not wasmcore.backends()[backend].lazy:
        pytest.skip("the library of an optimising compiler needs more itself")
    before = f"import resource\nresource.setrlimit(resource.RLIMIT_AS, ({room}, {room}))"
    assert run_traps(backend, before, lazy) == "False True"


def test_programs_of_the_command_line(backend: str) -> None:
    command = [sys.executable, "-m", "wasmcore", "run", f"--backend={backend}"]
    sieve = subprocess.run([*command, str(EXAMPLES / "sieve.wasm"), "1000"], capture_output=True, text=True, env=SWITCHED_OFF, timeout=100)
    usual = subprocess.run([*command, str(EXAMPLES / "sieve.wasm"), "1000"], capture_output=True, text=True, timeout=100)
    assert (sieve.stdout, sieve.returncode) == (usual.stdout, 0), sieve.stderr
    trap = subprocess.run([*command, str(EXAMPLES / "trap.wasm"), "divide"], capture_output=True, text=True, env=SWITCHED_OFF, timeout=100)
    assert trap.returncode == 134 and "integer divide by zero" in trap.stderr and "go_wrong" in trap.stderr


def test_guarded_memories_need_signals() -> None:
    with pytest.raises(ValueError, match="without signals"):
        wasmcore.Engine(guard=True, signals=False)

"""Ctrl-C, threads that share an instance, and fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import wasmtime

import wasmcore

from .modules import TRAPS, instance

LOOPS = {
    "empty": '(module (func (export "spin") (loop (br 0))))',
    "counting": '(module (func (export "spin") (local i64) (loop (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br 0))))',
    "calling": '(module (func $f (param i32)) (func (export "spin") (loop (call $f (i32.const 1)) (br 0))))',
    "tail calls": '(module (func $spin (export "spin") (return_call $spin)))',
    "host": '(module (import "env" "f" (func $f)) (func (export "spin") (loop (call $f) (br 0))))',
}

SPIN = """
import sys, wasmcore
imports = {"env": {"f": lambda: None}}
release_gil = sys.argv[3] == "released"
module = wasmcore.Module(bytes.fromhex(sys.argv[1]), backend=sys.argv[2])
spin = wasmcore.Instance(module, imports, release_gil=release_gil).exports.spin
try:
    print("ready", flush=True)
    spin()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def check_ctrl_c(loop: str, gil: str, backend: str, environment: dict[str, str] | None = None) -> None:
    """Ctrl-C ends the function `spin` of a module in a process of its own."""
    command = [sys.executable, "-c", SPIN, bytes(wasmtime.wat2wasm(loop)).hex(), backend, gil]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        killer = threading.Timer(100, process.kill)
        killer.start()
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
        finally:
            killer.cancel()
            process.kill()
        assert (output, process.returncode) == ("interrupted\n", 0), errors


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
@pytest.mark.parametrize("gil", ["held", "released"])
@pytest.mark.parametrize("loop", LOOPS)
def test_ctrl_c_ends_an_endless_loop(loop: str, gil: str, backend: str) -> None:
    check_ctrl_c(LOOPS[loop], gil, backend)


def test_other_python_threads_run_while_the_gil_is_released(backend: str) -> None:
    text = """(module (memory (export "memory") 1) (func (export "wait") (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0)))))))"""
    module = instance(text, backend).module
    exports = wasmcore.Instance(module, release_gil=True).exports
    view = exports.memory.view()

    def release() -> None:
        time.sleep(0.2)
        view[0] = 1

    threading.Thread(target=release).start()
    exports.wait()


def test_a_second_thread_that_does_not_want_to_wait_is_refused(backend: str) -> None:
    text = """(module (memory (export "memory") 2) (func (export "nothing"))
      (func (export "wait") (i32.store8 (i32.const 1) (i32.const 1)) (loop (br_if 0 (i32.eqz (i32.load8_u (i32.const 0)))))))"""
    exports = wasmcore.Instance(instance(text, backend).module, release_gil=True, wait=False).exports
    view = exports.memory.view()
    thread = threading.Thread(target=exports.wait)
    thread.start()
    try:
        while not view[1]:
            time.sleep(0.001)
        with pytest.raises(wasmcore.StoreBusyError):
            exports.nothing()
    finally:
        view[0] = 1
        thread.join()
    exports.nothing()


def test_one_instance_on_many_threads_in_turn(backend: str) -> None:
    exports = instance(TRAPS, backend).exports
    results: list[int] = []

    def run() -> None:
        for _ in range(100):
            with pytest.raises(wasmcore.Trap):
                exports.UNREACHABLE()
            results.append(exports.answer())

    for _ in range(4):
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert results == [42] * 400


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_after_fork(backend: str) -> None:
    """In a process of its own, since pytest may have threads."""
    script = (
        "import os, signal, sys, wasmcore\n"
        "exports = wasmcore.Instance(wasmcore.Module(bytes.fromhex(sys.argv[1]), backend=sys.argv[2])).exports\n"
        "assert exports.answer() == 42\n"
        "child = os.fork()\n"
        "signal.alarm(60)\n"
        "for name in ('UNREACHABLE', 'MEMORY_OUT_OF_BOUNDS', 'STACK_OVERFLOW', 'INTEGER_DIVIDE_BY_ZERO'):\n"
        "    try:\n"
        "        exports[name]()\n"
        "    except wasmcore.Trap as trap:\n"
        "        assert trap.kind.name == name\n"
        "    else:\n"
        "        raise SystemExit(3)\n"
        "assert exports.answer() == 42\n"
        "if child == 0:\n"
        "    os._exit(0)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    command = [sys.executable, "-c", script, bytes(wasmtime.wat2wasm(TRAPS)).hex(), backend]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 0, ended.stderr

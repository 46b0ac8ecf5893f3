"""Compiling in several processes: the same bytes, errors as themselves, and nothing that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from wasmcore import _registry
from wasmcore.compile import isolation, parallel, worker_pool
from wasmcore.compile.worker_pool import WorkerDied, WorkerPool
from wasmcore.plugin.hooks import is_isolated

from .programs import FUNCTIONS, expected, module

WASM = module()


class SmallUnits:
    """A backend that likes its units small."""

    unit_size = 1 << 13

    def __init__(self, backend: Any, lazy: bool | None = None) -> None:
        self._backend = backend
        self.lazy = backend.lazy if lazy is None else lazy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)


def engine(backend: str, executor: Executor | None = None, lazy: bool | None = None, **settings: Any) -> wasmcore.Engine:
    made = wasmcore.Engine(backend, lazy=False, cache=False, executor=executor, **settings)
    made.backend = SmallUnits(made.backend, lazy)  # type: ignore[assignment]
    return made


def serialized(backend: str, executor: Executor | None = None) -> bytes:
    compiled = wasmcore.Module(WASM, engine=engine(backend, executor))
    assert wasmcore.Instance(compiled).exports.all(3) == expected(3)
    return compiled.serialize()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One processor, so no processes are started unless a test says so."""
    monkeypatch.setattr(parallel, "processors", lambda: 1)


def test_the_same_bytes_everywhere(backend: str, alone: None) -> None:
    here = serialized(backend)
    with ThreadPoolExecutor(2) as threads:
        assert serialized(backend, threads) == here
    with WorkerPool(2) as workers:
        assert serialized(backend, workers) == here


def test_a_pool_of_the_standard_library(backend: str, alone: None) -> None:
    import multiprocessing

    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        assert serialized(backend, processes) == serialized(backend)


def test_large_modules_of_slow_backends_get_processes(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = serialized(backend)
    monkeypatch.setattr(parallel, "processors", lambda: 2)
    monkeypatch.setattr(parallel, "WORTH_PROCESSES", 1)
    given: list[Any] = []

    class Seen(WorkerPool):
        def submit_for(self, client: object, bounds: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            given.append(fn)
            return super().submit_for(client, bounds, fn, *args, **kwargs)

    with Seen(2) as pool:
        monkeypatch.setattr(worker_pool, "_shared", [pool])
        compiled = wasmcore.Module(WASM, engine=engine(backend, lazy=False))
        assert compiled.serialize() == here
        assert len(given) > 1
        given.clear()
        wasmcore.Module(WASM, engine=engine(backend, lazy=True))
        assert bool(given) == is_isolated(_registry.backend(backend))


def test_progress_counts_functions(backend: str, alone: None) -> None:
    seen: list[tuple[int, int]] = []
    with ThreadPoolExecutor(2) as threads:
        wasmcore.Module(WASM, engine=engine(backend, threads, progress=lambda done, total: seen.append((done, total))))
    assert seen == sorted(seen) and len(seen) > 2
    assert seen[-1] == (FUNCTIONS + 2, FUNCTIONS + 2)


class Dying(Executor):
    """Compiles some units, then loses its workers."""

    def __init__(self, good: int, when: str) -> None:
        self.good = good
        self.when = when

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.good -= 1
        if self.good >= 0:
            future.set_result(fn(*args, **kwargs))
        elif self.when == "submit":
            raise BrokenExecutor("gone")
        else:
            future.set_exception(BrokenExecutor("gone"))
        return future


@pytest.mark.parametrize("when", ["submit", "result"])
@pytest.mark.parametrize("good", [0, 1, 3])
def test_workers_that_end_too_early(backend: str, alone: None, good: int, when: str) -> None:
    with pytest.warns(RuntimeWarning, match="has ended, going on without: gone") as caught:
        found = serialized(backend, Dying(good, when))
    assert len(caught) == 1
    assert found == serialized(backend)


def kill_one(pool: WorkerPool) -> None:
    while not pool._processes:
        time.sleep(0.001)
    pool._processes[0].kill()


def test_a_killed_worker(backend: str, alone: None) -> None:
    pool = WorkerPool(1)
    thread = threading.Thread(target=kill_one, args=(pool,))
    thread.start()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = serialized(backend, pool)
    thread.join()
    pool.shutdown()
    assert found == serialized(backend)
    assert len(caught) <= 1  # none if the worker was that fast
    for warning in caught:
        assert "it was ended by signal 9" in str(warning.message)


def test_errors_of_the_compiler_are_errors_of_the_module(backend: str, alone: None) -> None:
    def refuse(name: str, version: str, program: int, unit: Any) -> Any:
        raise wasmcore.CompileError("too hard", 77)

    wrong = WASM.replace(b"\x41\x07\x20\x00\x6d\x0b", b"\x41\x07\x20\x00\x7f\x0b")
    with WorkerPool(1) as pool, pytest.raises(wasmcore.ValidationError):
        wasmcore.Module(wrong, engine=engine(backend, pool))
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(isolation, "compile_unit", refuse)
        with pytest.raises(wasmcore.CompileError, match=r"too hard \(at offset 0x4d\)"):
            wasmcore.Module(WASM, engine=engine(backend, threads))


def test_another_backend_on_the_other_side(backend: str, alone: None) -> None:
    made = engine(backend)
    made.backend.version = "0.0.0"  # type: ignore[misc]
    made.executor = WorkerPool(1)
    with pytest.raises(wasmcore.PluginError, match=r"a worker has backend .*, this process 0\.0\.0"):
        wasmcore.Module(WASM, engine=made)
    made.executor.shutdown()


def raising(error: BaseException) -> None:
    raise error


class Unsendable(Exception):
    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def test_the_pool_itself() -> None:
    pool = WorkerPool(2)
    futures = [pool.submit(pow, 2, number) for number in range(20)]
    assert [future.result(60) for future in futures] == [2**number for number in range(20)]
    assert pool.submit(os.getpid).result(60) != os.getpid()
    with pytest.raises(wasmcore.CompileError, match=r"no \(at offset 0x5\)"):
        pool.submit(exec, "import wasmcore; raise wasmcore.CompileError('no', 5)").result(60)
    assert pool.submit(print, "is no answer").result(60) is None
    with pytest.raises(SystemExit):
        pool.submit(sys.exit, 3).result(60)
    assert pool.submit(pow, 2, 3).result(60) == 8
    with pytest.raises(WorkerDied, match="its exit code was 3"):
        pool.submit(os._exit, 3).result(60)
    assert pool.submit(pow, 2, 3).result(60) == 8
    pool.shutdown()


def test_killing_the_pool() -> None:
    pool = WorkerPool(2)
    futures = [pool.submit(time.sleep, 1000) for _ in range(5)]
    while len(pool._processes) < 2:
        time.sleep(0.01)
    pool.kill()
    for future in futures:
        assert future.cancelled() or isinstance(future.exception(60), BrokenExecutor)
    assert all(process.poll() is not None for process in pool._processes)


SCRIPT = """
    import os, signal, sys, threading, time
    import wasmcore
    from wasmcore.compile import parallel, worker_pool
    parallel.WORTH_PROCESSES = 1
    parallel.processors = lambda: 2
    backend, file, folder = sys.argv[1:]
    engine = wasmcore.Engine(backend, lazy=False, cache=folder)
    class Backend:
        lazy = False
        unit_size = 1 << 12
        def __getattr__(self, name):
            return getattr(self.inner, name)
    Backend.inner = engine.backend
    engine.backend = Backend()
    pools = []
    class Slow(worker_pool.WorkerPool):
        def __init__(self, count):
            super().__init__(count)
            pools.append(self)
        def submit_for(self, client, bounds, fn, /, *args, **kwargs):
            return super().submit_for(client, bounds, time.sleep, 1000)
    worker_pool.WorkerPool = Slow
    processes = []
    def interrupt():
        while not (pools and len(pools[0]._running) == 2):
            time.sleep(0.01)
        processes[:] = pools[0]._processes
        print(*[process.pid for process in processes])
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        wasmcore.Module(file, engine=engine)
    except KeyboardInterrupt:
        assert all(process.wait(60) == -signal.SIGKILL for process in processes)
        assert not os.path.exists(folder)
        print("interrupted")
"""


def test_ctrl_c(backend: str, tmp_path: Path) -> None:
    file = tmp_path / "module.wasm"
    file.write_bytes(WASM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), backend, str(file), str(tmp_path / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    pids, said = done.stdout.splitlines()
    assert said == "interrupted"
    for pid in map(int, pids.split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("processors", [1, 2])
@pytest.mark.parametrize("command", ["compile", "run"])
def test_ctrl_c_on_the_command_line(backend: str, tmp_path: Path, command: str, processors: int) -> None:
    """Nothing is left: no worker, no half of a file, no traceback."""
    file, cache, output = tmp_path / "module.wasm", tmp_path / "cache", tmp_path / "module.cwasm"
    file.write_bytes(WASM)
    script = f"""
        import os, signal, sys, time
        import wasmcore._registry
        from wasmcore import cli
        from wasmcore.compile import parallel, worker_pool
        parallel.WORTH_PROCESSES = 1
        parallel.processors = lambda: {processors}
        backend = type(wasmcore._registry.backend({backend!r}))
        here = {processors} == 1 and not hasattr(backend, "lower")
        backend.lazy = False
        backend.unit_size = 1 << 12
        compile, start = backend.compile, worker_pool.WorkerPool._start
        pids = []
        def compiled(self, unit):
            result = compile(self, unit)
            os.kill(os.getpid(), signal.SIGINT)
            return result
        def started(self):
            process = start(self)
            os.write(1, b"%d\\n" % process.pid)
            pids.append(process.pid)
            if len(pids) == {processors}:
                os.kill(os.getpid(), signal.SIGINT)
            return process
        if here:
            backend.compile = compiled
        else:
            worker_pool.WorkerPool._start = started
        sys.argv[1:] = [{command!r}, *({["-o", str(output)]} if {command!r} == "compile" else []), "--backend", {backend!r}, {str(file)!r}]
        cli.console()
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "WASMCORE_CACHE": "1",
        "WASMCORE_CACHE_DIR": str(cache),
    }
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, timeout=120)
    said = [line for line in done.stderr.splitlines() if line and "plain-Python" not in line]
    assert (done.returncode, said) == (130, [])
    assert not output.exists() and not list(cache.glob("*.cwasm")) and not list(tmp_path.glob("*.tmp"))
    pids = [int(line) for line in done.stdout.splitlines()]
    assert len(pids) == (0 if processors == 1 and not is_isolated(_registry.backend(backend)) else processors)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_other_threads_go_on(backend: str, alone: None) -> None:
    """Two that compile do not wait for each other for ever, and where a backend takes its time, one that counts goes on meanwhile."""
    counted, done = [0], threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1
            time.sleep(0)

    results: list[bytes] = []
    counter = threading.Thread(target=count)
    compilers = [threading.Thread(target=lambda: results.append(serialized(backend))) for _ in range(2)]
    counter.start()
    before = counted[0]
    for thread in compilers:
        thread.start()
    for thread in compilers:
        thread.join(120)
    after = counted[0]
    done.set()
    counter.join()
    assert len(results) == 2 and results[0] == results[1]
    assert _registry.backend(backend).lazy or after > before + 10


def test_a_script_without_a_guard_is_not_run_again(backend: str, tmp_path: Path) -> None:
    """A main module that compiles at its top level, as most scripts do."""
    (tmp_path / "module.wasm").write_bytes(WASM)
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            print("once", flush=True)
            import wasmcore
            from wasmcore.compile import parallel
            parallel.WORTH_PROCESSES = 1
            parallel.processors = lambda: 2
            engine = wasmcore.Engine({backend!r}, lazy=False, cache=False)
            compiled = wasmcore.Module({str(tmp_path / "module.wasm")!r}, engine=engine)
            print(wasmcore.Instance(compiled).exports.all(3))
            """
        )
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == (f"once\n{expected(3)}\n", "")

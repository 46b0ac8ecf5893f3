"""Whatever happens to a process that compiles: the code is right, a warning says what it cost, and the program goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wasmcore
from tests.isolation.faulty_backend import FAULTS, FAULTY, NONE_WORKS
from wasmcore import _registry
from wasmcore.compile import isolation, worker_pool
from wasmcore.compile.worker_pool import Bounds, NoWorker, WorkerDied, WorkerPool

FUNCTIONS = 12
HANGING = [fault for fault in FAULTS if fault.__name__ in ("_spin", "_sleep", "_stop")]
PATIENCE = 2


@pytest.fixture(autouse=True)
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    """The backend is installed, and its processes have narrow bounds."""
    shutil.copy(Path(__file__).with_name("faulty_backend.py"), tmp_path)
    info = tmp_path / "faulty_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[wasmcore]\nfaulty = faulty_backend\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for known in ("_entries", "_listing"):
        monkeypatch.setattr(_registry._registry, known, None)
    monkeypatch.setattr(isolation, "bounds_of", lambda unit: Bounds(1, 400 << 20))
    monkeypatch.setattr(worker_pool, "PATIENCE", PATIENCE)
    monkeypatch.setattr(worker_pool, "ENDING", 0.3)
    with WorkerPool(2) as pool:
        monkeypatch.setattr(worker_pool, "_shared", [pool])
        yield pool
        pool.kill()


def text(faults: dict[int, int], functions: int) -> str:
    """Functions that add their number to 7 divided by what they are given, after they have called the one before."""
    texts = []
    for number in range(functions):
        fault = f"(drop (i32.const {faults[number]}))" if number in faults else ""
        before = f"(drop (call {number - 1} (local.get 0)))" if number else ""
        body = f"{fault} {before} (i32.add (i32.const {number}) (i32.div_u (i32.const 7) (local.get 0)))"
        texts.append(f'(func $n{number} (export "{number}") (param i32) (result i32) {body})')
    return f"(module {' '.join(texts)})"


def fault_of(fault: Any, works: int) -> int:
    return FAULTY + (FAULTS.index(fault) << 4) + works


def made(faults: dict[int, int], functions: int = FUNCTIONS, **settings: Any) -> tuple[wasmcore.Instance, list[str]]:
    """The instance, after a look at its results, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        engine = wasmcore.Engine("faulty", **{"cache": False, **settings})
        instance = wasmcore.Instance(wasmcore.Module(text(faults, functions), engine=engine))
        for number in range(functions):
            assert instance.exports[str(number)](1) == number + 7
    assert {warning.category for warning in caught} <= {wasmcore.CompileWarning}
    return instance, [str(warning.message) for warning in caught]


def places(instance: wasmcore.Instance) -> list[tuple[int | None, int | None]]:
    """Functions and offsets of a backtrace through all of them."""
    with pytest.raises(wasmcore.Trap, match="divide by zero") as caught:
        instance.exports[str(FUNCTIONS - 1)](0)
    return [(frame.function_index, frame.offset) for frame in caught.value.frames]


def test_without_faults_nothing_is_said() -> None:
    assert made({})[1] == []


@pytest.mark.parametrize("works", [pytest.param(1, marks=pytest.mark.slow), pytest.param(0, marks=pytest.mark.slow), NONE_WORKS])
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in HANGING], ids=lambda fault: fault.__name__)
def test_every_fault(fault: Any, works: int) -> None:
    check_fault(fault, works, 7, FUNCTIONS)


@pytest.mark.parametrize("works", [pytest.param(1, marks=pytest.mark.slow), pytest.param(0, marks=pytest.mark.slow), NONE_WORKS])
@pytest.mark.parametrize("fault", [HANGING[0], *(pytest.param(fault, marks=pytest.mark.slow) for fault in HANGING[1:])])
def test_every_fault_that_takes_time(fault: Any, works: int) -> None:
    check_fault(fault, works, 0, 1)


def check_fault(fault: Any, works: int, where: int, functions: int) -> None:
    _, said = made({where: fault_of(fault, works)}, functions)
    assert len(said) == 1
    assert said[0].startswith(f"function {where} ($n{where}): the process of faulty that compiled it has failed: ")
    level = {1: "faulty level=O1", 0: "faulty level=O0", NONE_WORKS: "singlepass"}[works]
    assert said[0].endswith(f"; compiled with {level}")


@pytest.mark.parametrize("works", [1, 0])
def test_every_level(works: int) -> None:
    check_fault(FAULTS[0], works, 7, FUNCTIONS)


def test_several_faults_at_once() -> None:
    _, said = made({3: fault_of(FAULTS[0], 1), 4: fault_of(FAULTS[6], 0), 11: fault_of(FAULTS[1], NONE_WORKS)})
    assert [line.partition(":")[0] for line in said] == ["function 3 ($n3)", "function 4 ($n4)", "function 11 ($n11)"]


def test_a_backend_that_can_not_work_is_no_fault_of_a_function() -> None:
    with pytest.raises(wasmcore.PluginError, match="backend 'faulty' can not be used: no compiler in here"):
        made({7: FAULTY + (len(FAULTS) << 4) + NONE_WORKS})


def test_one_by_one() -> None:
    _, said = made({7: fault_of(FAULTS[0], 1)}, lazy=True)
    assert len(said) == 1 and said[0].endswith("failed: it was ended by signal 11; compiled with faulty level=O1")


def test_no_other_backend_where_that_is_forbidden() -> None:
    with pytest.raises(wasmcore.CompileError, match=r"function 7 \(\$n7\).* and there is nothing else to compile it with"):
        made({7: fault_of(FAULTS[0], NONE_WORKS)}, options={"fallback": "none"})


def test_backtraces_and_the_cache_know_how_it_was_compiled(tmp_path: Path) -> None:
    faults = {7: fault_of(FAULTS[0], NONE_WORKS), 8: fault_of(FAULTS[0], 1)}
    engine = {"cache": str(tmp_path / "cache")}
    instance, said = made(faults, **engine)
    assert len(said) == 2
    again, said = made(faults, **engine)
    assert said == []  # it came from the cache
    copy = wasmcore.Instance(wasmcore.Module.deserialize(instance.module.serialize()))
    plain = wasmcore.Instance(wasmcore.Module(text(faults, FUNCTIONS), engine=wasmcore.Engine("singlepass")))
    wanted = places(plain)
    assert len(wanted) == FUNCTIONS and all(offset for _, offset in wanted)
    for each in (instance, again, copy):
        assert places(each) == wanted


@pytest.mark.parametrize("attempts", range(6))
def test_killed_at_any_time(faulty: WorkerPool, attempts: int) -> None:
    """By somebody else: the code is right, whatever it cost."""
    done = threading.Event()

    def kill() -> None:
        while not done.is_set():
            time.sleep(0.03 * (attempts + 1))
            for process in list(faulty._processes):
                process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        made({})
    finally:
        done.set()
        killer.join()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    instance, said = made({})
    assert set(said) == {
        "no process could be started for faulty: this process does not know the interpreter that it runs in; compiled with singlepass"
    }


def test_processes_that_end_before_they_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "_START", "import os; os._exit(7)")
    assert all("no process could be started for faulty: its exit code was 7" in line for line in made({})[1])


def test_a_pool_whose_threads_can_not_be_started(faulty: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(NoWorker, match="can't start new thread"):
        faulty.submit(pow, 2, 3)


def test_a_pool_goes_on(faulty: WorkerPool) -> None:
    for _ in range(3):
        with pytest.raises(WorkerDied, match="it was ended by signal 9"):
            faulty.submit(os.kill, 0, signal.SIGKILL).result(60)
        assert faulty.submit(pow, 2, 3).result(60) == 8


def test_idle_processes_end(faulty: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "IDLE", 0.2)
    assert faulty.submit(pow, 2, 3).result(60) == 8
    end = time.monotonic() + 60
    while faulty._processes and time.monotonic() < end:
        time.sleep(0.05)
    assert not faulty._processes
    assert faulty.submit(pow, 2, 3).result(60) == 8


def test_an_idle_process_that_does_not_end_is_killed(faulty: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "IDLE", 0.2)
    process = faulty.submit(os.getpid).result(60)
    os.kill(process, signal.SIGSTOP)
    end = time.monotonic() + 60
    while faulty._processes and time.monotonic() < end:
        time.sleep(0.05)
    assert not faulty._processes
    assert faulty.submit(pow, 2, 3).result(60) == 8


FORK = """
    import os
    import wasmcore
    engine = wasmcore.Engine("faulty", cache=False)
    def value(number):
        made = wasmcore.Module('(module (func (export "f") (result i32) (i32.const %d)))' % number, engine=engine)
        return wasmcore.Instance(made).exports.f()
    assert value(1) == 1
    child = os.fork()  # Python 3.12 and later warn of any thread there is
    if child == 0:
        os._exit(0 if value(2) == 2 else 1)
    assert value(3) == 3
    assert os.waitpid(child, 0)[1] == 0
    assert value(4) == 4
    print("well")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, timeout=120)


def test_fork() -> None:
    done = run(FORK)
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_nothing_is_left_when_the_program_ends() -> None:
    done = run(
        """
        import wasmcore
        from wasmcore.compile.worker_pool import shared_pool
        pool = shared_pool()
        pool.submit(pow, 2, 3).result()
        print(*[process.pid for process in pool._processes])
        """
    )
    assert done.stderr == ""
    for pid in map(int, done.stdout.split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_an_unknown_backend_of_the_ladder_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    lower = _registry.backend("faulty").lower  # type: ignore[attr-defined]

    def to_nobody(unit: Any) -> Any:
        step = lower(unit)
        return ("nobody", step[1]) if step and step[0] == "singlepass" else step

    monkeypatch.setattr(type(_registry.backend("faulty")), "lower", lambda self, unit: to_nobody(unit))
    with pytest.raises(wasmcore.CompileError, match="nothing else to compile it with"):
        made({7: fault_of(FAULTS[0], NONE_WORKS)})

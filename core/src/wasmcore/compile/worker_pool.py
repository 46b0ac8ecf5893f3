"""An executor of processes that know nothing of the program that wants something compiled.

`ProcessPoolExecutor` runs the program's main module again in each of its processes, which is not for a library to do behind the back of a
script; and it can not be stopped while a worker is busy. These processes import wasmcore only, and are killed when nobody waits for
them any more.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from struct import Struct
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

_LENGTH: Final = Struct("<Q")
_START: Final = "import sys; sys.path[:] = sys.argv[1:]; from wasmcore.compile.worker_pool import work; work()"
_Job = tuple["Future[Any]", bytes]


class WorkerPool(Executor):
    """Processes, each of which does one thing at a time, started when there is something to do."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads: list[Thread] = []
        self._count = count
        self._closed = False
        self._broken: str | None = None

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a process call a function; BrokenExecutor if one of them died before."""
        if self._broken is not None:
            raise BrokenExecutor(self._broken)
        if self._closed:
            raise RuntimeError("the pool is shut down")
        future: Future[T] = Future()
        self._jobs.put((future, pickle.dumps((fn, args, kwargs), pickle.HIGHEST_PROTOCOL)))
        if len(self._threads) < self._count:
            thread = Thread(target=self._serve, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end when they are done."""
        self._closed = True
        if cancel_futures:
            self._cancel()
        for _ in self._threads:
            self._jobs.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def kill(self) -> None:
        """End the processes now, whatever they do."""
        self._broken = self._broken or "the pool was stopped"
        self._cancel()
        for process in self._processes:
            process.kill()
        self.shutdown()

    def _cancel(self) -> None:
        with suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    job[0].cancel()

    def _serve(self) -> None:
        """Pass jobs to one process; runs in a thread."""
        process: subprocess.Popen[bytes] | None = None
        try:
            while (job := self._jobs.get()) is not None:
                future, request = job
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    if self._broken is not None:
                        raise BrokenExecutor(self._broken)
                    if process is None:
                        process = self._start()
                    worked, value = _ask(process, request)
                except BaseException as error:
                    self._broken = self._broken or f"{type(error).__name__}: {error}"
                    future.set_exception(error if isinstance(error, BrokenExecutor) else BrokenExecutor(self._broken))
                else:
                    if worked:
                        future.set_result(value)
                    else:
                        future.set_exception(value)
        finally:
            if process is not None:
                process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise BrokenExecutor("this process does not know the interpreter that it runs in")
        path = [os.path.abspath(folder) for folder in sys.path]
        # A session of its own: Ctrl-C is for the program, which stops its workers.
        command = [sys.executable, "-I", "-c", _START, *path]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self._processes.append(process)
        if self._broken is not None:
            process.kill()
        return process


def _ask(process: subprocess.Popen[bytes], request: bytes) -> tuple[bool, Any]:
    """Whether a call returned, and what it returned or raised; BrokenExecutor if the process has ended."""
    assert process.stdin is not None and process.stdout is not None
    try:
        _send(process.stdin, request)
        answer = _receive(process.stdout)
    except OSError:
        answer = None
    if answer is None:
        code = process.wait()
        raise BrokenExecutor(f"it was ended by signal {-code}" if code < 0 else f"its exit code was {code}")
    worked, value = pickle.loads(answer)
    return worked, value


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes | None:
    """The next message, None at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    length: int = _LENGTH.unpack(head)[0]
    data = stream.read(length)
    return data if len(data) == length else None


def work() -> None:
    """What a process does: calls functions until nobody wants any more."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What a backend prints is no answer.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    while (request := _receive(requests)) is not None:
        try:
            function, args, kwargs = pickle.loads(request)
            answer = pickle.dumps((True, function(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
        except BaseException as error:
            answer = _failure(error)
        try:
            _send(answers, answer)
        except BrokenPipeError:
            os._exit(1)


def _failure(error: BaseException) -> bytes:
    """An exception as an answer, in words where it can not be sent."""
    try:
        data = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))

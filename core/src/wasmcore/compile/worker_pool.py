"""An executor of processes that know nothing of the program that wants something compiled.

`ProcessPoolExecutor` runs the program's main module again in each of its processes, which is not for a library to do behind the back of a
script; it can not be stopped while a worker is busy, and it is broken for good when one has died. These processes import wasmcore only,
have bounds of time and memory, are killed when nobody waits for them any more, and end when there has been nothing to do for a while.
"""

from __future__ import annotations

import atexit
import os
import pickle
import resource
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from select import POLLIN, POLLOUT, poll
from signal import SIGXCPU
from struct import Struct
from threading import Thread, current_thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")

IDLE: Final = 60.0
"""Seconds after which a process that has nothing to do ends."""
PATIENCE: Final = 5
"""How many times as long as its bound of processor time something may take, on a machine with other things to do."""
START: Final = 60.0
"""Seconds that a process may take to start."""
ENDING: Final = 5.0
"""Seconds that the end of one that was killed, or has closed its pipe, is waited for."""
ATTEMPTS: Final = 2
"""To start one."""
_READY: Final = b"ready"
_NOBODY: Final = object()
_LENGTH: Final = Struct("<Q")
_START: Final = "import sys; sys.path[:] = sys.argv[1:]; from wasmcore.compile.worker_pool import work; work()"


class Bounds(NamedTuple):
    """What a process may use for one call."""

    seconds: int
    """Of processor time."""
    memory: int
    """Bytes that it may write to."""


class WorkerDied(BrokenExecutor):
    """The process that a call was given to has ended, for the reason that the message says; another one takes the next call."""


class NoWorker(WorkerDied):
    """No process could be started."""


class _Job(NamedTuple):
    future: Future[Any]
    request: bytes
    bounds: Bounds | None


class WorkerPool(Executor):
    """Processes, each of which does one thing at a time, started when there is something to do."""

    def __init__(self, count: int) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._running: dict[Future[Any], subprocess.Popen[bytes]] = {}
        self._clients: dict[Future[Any], object] = {}
        """Who waits for what is not done."""
        self._threads: list[Thread] = []
        self._waiting: set[Thread] = set()
        self._count = count
        self._closed = False
        self._stopped = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Let a process call a function; the future raises WorkerDied if that ends the process."""
        return self.submit_for(None, None, fn, *args, **kwargs)

    def submit_for(self, client: object, bounds: Bounds | None, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The same for somebody who may `abandon` it; a process that goes beyond the bounds is ended."""
        if self._closed:
            raise RuntimeError("the pool is shut down")
        future: Future[T] = Future()
        self._clients[future] = client
        self._jobs.put(_Job(future, pickle.dumps((fn, args, kwargs, bounds), pickle.HIGHEST_PROTOCOL), bounds))
        if self._jobs.qsize() > len(self._waiting) and len(self._threads) < self._count:
            self._start_thread(future)
        return future

    def _start_thread(self, future: Future[Any]) -> None:
        thread = Thread(target=self._serve, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError as error:
            self._threads.remove(thread)
            if not self._threads:
                future.cancel()
                raise NoWorker(str(error)) from None

    @property
    def busy(self) -> bool:
        """Whether somebody waits for something."""
        return bool(self._clients)

    @property
    def threads(self) -> int:
        """How many there are."""
        return len(self._threads)

    def abandon(self, client: object) -> None:
        """A client does not wait for anything any more: it is not begun, or the process that is at it is ended."""
        begun = [future for future, its in list(self._clients.items()) if its is client and not future.cancel()]
        for future in begun:
            self._clients[future] = _NOBODY
            process = self._running.get(future)
            if process is not None:
                process.kill()
        # A process that is just being started is not yet known here.
        wait(begun, ENDING)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end when they are done."""
        self._closed = True
        if cancel_futures:
            self._cancel()
        for _ in self._threads:
            self._jobs.put(None)
        if wait:
            for thread in list(self._threads):
                thread.join()

    def kill(self) -> None:
        """End the processes now, whatever they do."""
        self._closed = self._stopped = True
        self._cancel()
        for process in self._processes:
            process.kill()
        self.shutdown()

    def _cancel(self) -> None:
        with suppress(Empty):
            while True:
                job = self._jobs.get_nowait()
                if job is not None:
                    job.future.cancel()
                    self._clients.pop(job.future, None)

    def _next(self) -> _Job | None:
        thread = current_thread()
        self._waiting.add(thread)
        try:
            return self._jobs.get(timeout=IDLE)
        finally:
            self._waiting.discard(thread)

    def _serve(self) -> None:
        """Pass jobs to one process at a time; runs in a thread."""
        process: subprocess.Popen[bytes] | None = None
        while True:
            try:
                job = self._next()
            except Empty:
                self._end(process)
                process = None
                continue
            if job is None:
                self._end(process)
                return
            if not job.future.set_running_or_notify_cancel():
                self._clients.pop(job.future, None)
                continue
            try:
                if process is None:
                    process = self._started(job.future)
                self._give(job.future, process)
                worked, value = _ask(process, job.request, job.bounds)
            except BaseException as error:
                self._end(process)
                process = None
                worked, value = False, error if isinstance(error, WorkerDied) else WorkerDied(f"{type(error).__name__}: {error}")
            finally:
                self._running.pop(job.future, None)
                self._clients.pop(job.future, None)
            if worked:
                job.future.set_result(value)
            else:
                job.future.set_exception(value)
            del job, value

    def _give(self, future: Future[Any], process: subprocess.Popen[bytes]) -> None:
        self._running[future] = process
        self._check(future)

    def _check(self, future: Future[Any]) -> None:
        if self._clients.get(future) is _NOBODY:
            raise WorkerDied("nobody waits for it")

    def _started(self, future: Future[Any]) -> subprocess.Popen[bytes]:
        """A process that has said that it is ready; NoWorker if the second one does not, either."""
        why = ""
        for _ in range(ATTEMPTS):
            self._check(future)
            try:
                process = self._start()
            except OSError as error:
                raise NoWorker(str(error)) from None
            try:
                self._give(future, process)
                assert process.stdout is not None
                if _receive(process.stdout.fileno(), monotonic() + START) == _READY:
                    return process
                why = _ending(_exit_code(process))
            except TimeoutError:
                why = "it took too long to start"
            except WorkerDied:
                process.kill()
                self._end(process)
                raise
            process.kill()
            self._end(process)
        raise NoWorker(why)

    def _start(self) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise NoWorker("this process does not know the interpreter that it runs in")
        path = [os.path.abspath(folder) for folder in sys.path]
        # A session of its own: Ctrl-C is for the program, which stops its workers.
        command = [sys.executable, "-I", "-c", _START, *path]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        self._processes.append(process)
        if self._stopped:
            process.kill()
        return process

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        """Let a process end, if there is one; one that does not is killed."""
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            with suppress(OSError):
                process.stdin.close()
            _exit_code(process)
            process.stdout.close()
            with suppress(ValueError):
                self._processes.remove(process)

    def disconnect(self) -> None:
        """In a process that forked: the processes are the other one's, who is to be the only one to have their pipes."""
        nothing = os.open(os.devnull, os.O_RDWR)
        for process in self._processes:
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError, ValueError):
                    if pipe is not None:
                        os.dup2(nothing, pipe.fileno(), inheritable=False)
        os.close(nothing)


_shared: Final[list[WorkerPool]] = []


def shared_pool() -> WorkerPool:
    """The one of this process, with as many workers as it may use processors."""
    if not _shared:
        from wasmcore.compile.parallel import processors

        pool = WorkerPool(processors())
        if not _shared:  # no other thread was faster
            _shared.append(pool)
    return _shared[0]


def stop_shared() -> None:
    """Kill the processes of the shared pool, and wait for their ends."""
    while _shared:
        _shared.pop().kill()


def _before_fork() -> None:
    """A pool that has nothing to do goes, since its threads would not be in the other process."""
    if _shared and not _shared[0].busy:
        from wasmcore.runtime.system import platform

        fewer = platform.thread_count() - _shared[0].threads + 1
        stop_shared()
        platform.wait_for_fewer_threads(fewer)


def _after_fork() -> None:
    while _shared:
        _shared.pop().disconnect()


atexit.register(stop_shared)
os.register_at_fork(before=_before_fork, after_in_child=_after_fork)


def _ask(process: subprocess.Popen[bytes], request: bytes, bounds: Bounds | None) -> tuple[bool, Any]:
    """Whether a call returned, and what it returned or raised; WorkerDied if the process has ended, or had to be."""
    assert process.stdin is not None and process.stdout is not None
    end = None if bounds is None else monotonic() + PATIENCE * bounds.seconds
    try:
        _write(process.stdin.fileno(), request, end)
        answer = _receive(process.stdout.fileno(), end)
    except TimeoutError:
        process.kill()
        process.wait()
        raise WorkerDied("it took too long") from None
    except OSError:
        answer = None
    if answer is None:
        raise WorkerDied(_ending(_exit_code(process)))
    try:
        worked, value = pickle.loads(answer)
    except Exception as error:
        process.kill()
        raise WorkerDied(f"its answer was none: {type(error).__name__}") from None
    return worked, value


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Of a process that says nothing any more; one that has closed its pipe and goes on is killed."""
    try:
        return process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _ending(code: int) -> str:
    if code == -SIGXCPU:
        return "it took too long"
    return f"it was ended by signal {-code}" if code < 0 else f"its exit code was {code}"


def _write(stream: int, data: bytes, end: float | None) -> None:
    """Write a message to a pipe; TimeoutError if nobody reads it in time."""
    ready = poll()
    ready.register(stream, POLLOUT)
    rest = memoryview(_LENGTH.pack(len(data)) + data)
    while rest:
        _wait_for(ready, end)
        rest = rest[os.write(stream, rest) :]


def _receive(stream: int, end: float | None) -> bytes | None:
    """The next message of a pipe, None if that ends before; TimeoutError if it does not come in time."""
    head = _read(stream, _LENGTH.size, end)
    if head is None:
        return None
    return _read(stream, _LENGTH.unpack(head)[0], end)


def _read(stream: int, size: int, end: float | None) -> bytes | None:
    ready = poll()
    ready.register(stream, POLLIN)
    data = bytearray()
    while len(data) < size:
        _wait_for(ready, end)
        part = os.read(stream, min(size - len(data), 1 << 20))
        if not part:
            return None
        data += part
    return bytes(data)


def _wait_for(ready: poll, end: float | None) -> None:
    if not ready.poll(None if end is None else max(0.0, 1000 * (end - monotonic()))):
        raise TimeoutError


def work() -> None:
    """What a process does: says that it is ready, then calls functions until nobody wants any more."""
    requests, answers = os.dup(0), os.dup(1)
    # What a backend prints is no answer.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    answer = _READY
    while True:
        try:
            _write(answers, answer, None)
        except BrokenPipeError:
            os._exit(1)
        request = _receive(requests, None)
        if request is None:
            return
        answer = _answer(request)


def _answer(request: bytes) -> bytes:
    try:
        function, args, kwargs, bounds = pickle.loads(request)
        if bounds is not None:
            _keep_within(bounds)
        return pickle.dumps((True, function(*args, **kwargs)), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:
        return _failure(error)


def _keep_within(bounds: Bounds) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + bounds.seconds)
    _limit(resource.RLIMIT_DATA, bounds.memory)


def _limit(kind: int, amount: int) -> None:
    _, most = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if most == resource.RLIM_INFINITY else min(amount, most), most))


def _failure(error: BaseException) -> bytes:
    """An exception as an answer, in words where it can not be sent."""
    try:
        data = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))

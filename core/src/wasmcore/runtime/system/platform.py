"""What the runtime asks of the operating system and of the C API of Python, by `ctypes`."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from itertools import chain, compress, repeat
from operator import not_

from wasmcore._typing import Any, Final

PAGE_SIZE: Final = os.sysconf("SC_PAGE_SIZE")

NO_ACCESS: Final = 0
READ_ONLY: Final = 1
READ_WRITE: Final = 3
READ_EXECUTE: Final = 5
_MAP_PRIVATE: Final = 0x02
_MAP_FIXED: Final = 0x10
_MAP_ANONYMOUS: Final = 0x20
_MAP_NORESERVE: Final = 0x4000
_MADV_DONTNEED: Final = 4
_FAILED: Final = 2**64 - 1

_SIG_BLOCK: Final = 0

LARGEST_STACK: Final = 64 << 20
"""Of a stack without limit, only so much counts (bytes): the kernel keeps at least twice that free below the main stack."""
_ROOM: Final = 128 << 20
"""Bytes of address space that are left where there is little, for stacks, which crash if they can not grow, and what threads allocate."""
_NATIVE_STACK: Final = 256 << 10
"""Bytes of stack of a thread that does not run Python."""
_MOST_LOOKS: Final = 1000
_SYS_FUTEX: Final = {"x86_64": 202}.get(os.uname().machine, 98)
_FUTEX_WAKE_PRIVATE: Final = 129
_MOST_WAITERS: Final = 0x7FFFFFFF
_ATTRIBUTES_SIZE: Final = 64
"""Bytes of a `pthread_attr_t`, rounded up."""

# The interpreter lock stays held: these calls are short, and nobody may see a half-made change.
_library: Final = ctypes.PyDLL(None, use_errno=True)
_address = ctypes.c_size_t

_mmap: Any = _library.mmap
_mmap.restype = _address
_mmap.argtypes = [_address, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_mprotect: Any = _library.mprotect
_mprotect.argtypes = [_address, ctypes.c_size_t, ctypes.c_int]
_munmap: Any = _library.munmap
_munmap.argtypes = [_address, ctypes.c_size_t]
_madvise = _library.madvise
_madvise.argtypes = [_address, ctypes.c_size_t, ctypes.c_int]
_memmove = _library.memmove
_memmove.restype = None
_memmove.argtypes = [_address, _address, ctypes.c_size_t]
_view = ctypes.PYFUNCTYPE(ctypes.py_object, _address, ctypes.c_ssize_t, ctypes.c_int)(("PyMemoryView_FromMemory", ctypes.pythonapi))
_WRITABLE_VIEW: Final = 0x200


def round_up(size: int) -> int:
    """The next multiple of the page size (bytes)."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE


def reserve(size: int) -> int:
    """Address of so many bytes of address space that nothing may touch yet; MemoryError if there is none."""
    return _map(size, NO_ACCESS, _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_NORESERVE)


def reserving(owner: object, size: int) -> Iterable[object]:
    """The same as a step for `at_once`, which it ends if there is none; else an attribute `address` has it from that instant on, so that no
    exception loses it."""
    flags = _MAP_PRIVATE | _MAP_ANONYMOUS | _MAP_NORESERVE
    reserved = map(_mmap, (0,), (size,), (NO_ACCESS,), (flags,), (-1,), (0,))
    return chain(map(setattr, (owner,), ("address",), filter(_FAILED.__ne__, reserved)), map(not_, map(getattr, (owner,), ("address",))))


def no_address_space(size: int) -> MemoryError:
    """The error where so many bytes were refused just now."""
    return MemoryError(f"no {size} bytes of address space: {os.strerror(ctypes.get_errno())}")


def leaves_room(size: int) -> bool:
    """Whether the system would give so many bytes of address space and still have some for the rest of the process."""
    try:
        release(reserve(size + _ROOM), size + _ROOM)
    except MemoryError:
        return False
    return True


def allocate(size: int) -> int:
    """Address of so many bytes of zeroed memory in pages of its own; MemoryError if there is none."""
    return _map(size, READ_WRITE, _MAP_PRIVATE | _MAP_ANONYMOUS)


def _map(size: int, protection: int, flags: int) -> int:
    found: int = _mmap(0, size, protection, flags, -1, 0)
    if found == _FAILED:
        raise no_address_space(size)
    return found


def protect(address: int, size: int, protection: int) -> None:
    """Change what may be done with whole pages; MemoryError if the system has no memory for them, else OSError."""
    if size and _mprotect(address, size, protection):
        error = ctypes.get_errno()
        if error == errno.ENOMEM:
            raise MemoryError(f"no memory for {size} bytes: {os.strerror(error)}")
        raise OSError(error, os.strerror(error))


def protecting(address: int, size: int, protection: int) -> Iterable[int]:
    """`protect` as a step for `at_once`."""
    return map(_mprotect, (address,), (size,), (protection,))


def copy(to: int, source: int, size: int) -> None:
    """Copy bytes, which may overlap. Unlike `ctypes.memmove` it keeps the interpreter lock."""
    _memmove(to, source, size)


def mapping_file(address: int, size: int, descriptor: int) -> Iterable[int]:
    """Replace pages by those of a file, private and writable, as a step for `at_once`, which it ends where the system refuses."""
    flags = _MAP_PRIVATE | _MAP_FIXED | _MAP_NORESERVE
    return filter(_FAILED.__eq__, map(_mmap, (address,), (size,), (READ_WRITE,), (flags,), (descriptor,), (0,)))


def mapping_nothing(address: int, size: int) -> Iterable[int]:
    """Replace pages by reserved address space, as a step for `at_once`, which it ends where the system refuses."""
    flags = _MAP_PRIVATE | _MAP_FIXED | _MAP_ANONYMOUS | _MAP_NORESERVE
    return filter(_FAILED.__eq__, map(_mmap, (address,), (size,), (NO_ACCESS,), (flags,), (-1,), (0,)))


def copying(to: int, source: int, size: int) -> Iterable[None]:
    """`copy` as a step for `at_once`."""
    return map(_memmove, (to,), (source,), (size,))


def filling(address: int, word: int, words: int) -> Iterable[None]:
    """Fill with a word of 8 bytes over and over, as a step for `at_once`: writes it once, then copies what is there already."""
    if not words:
        return ()
    first = map(setattr, (ctypes.c_uint64.from_address(address),), ("value",), (word,))
    there = [8 << doubling for doubling in range((words - 1).bit_length())]
    sizes = [min(size, 8 * words - size) for size in there]
    return chain(first, map(_memmove, [address + size for size in there], repeat(address), sizes))


def at_once(*steps: Iterable[Any]) -> bool:
    """Take steps with nothing in between: no other thread, no signal handler, no exception that one raises. Each step is an iterator
    of the C API, as `map` of a function written in C. Whether all went well: a value that is true, an error, ends it."""
    return not any(chain.from_iterable(steps))


def bytes_at(address: int, size: int) -> memoryview:
    """The bytes at an address. Nothing keeps them alive: not for others than those who do."""
    view: memoryview = _view(address, size, _WRITABLE_VIEW)
    return view


def discard(address: int, size: int) -> None:
    """Give the memory of whole pages back, keeping the address space, which nothing may touch any more. It can not fail: where a process
    has so many mappings that none can be divided, the pages can still be touched, and are zero."""
    _mprotect(address, size, NO_ACCESS)
    _madvise(address, size, _MADV_DONTNEED)


def emptying(address: int, size: int) -> Iterable[int]:
    """Let whole pages be what they were in the beginning, as a step for `at_once`."""
    return map(_madvise, (address,), (size,), (_MADV_DONTNEED,)) if size else ()


def releasing(address: int, size: int) -> Iterable[int]:
    """`release` as a step for `at_once`."""
    refused = map(_munmap, (address,), (size,))
    return map(_madvise, compress((address,), refused), (size,), (_MADV_DONTNEED,))


def release(address: int, size: int) -> None:
    """Give memory and address space back; only the memory where a process has so many mappings that none can be divided."""
    if _munmap(address, size):
        error = ctypes.get_errno()
        if error != errno.ENOMEM:
            raise OSError(error, os.strerror(error))
        discard(address, size)


class Refusal:
    """For tests: inside of its `with` block the system refuses the n-th request for memory or address space, where 0 is none of them."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.requests = 0
        """How many there were."""
        self.held: dict[int, int] = {}
        """Address -> size of what was given and not given back."""

    def __enter__(self) -> Refusal:
        global _mmap, _mprotect, _munmap
        self._system = system = _mmap, _mprotect, _munmap

        def mmap(hint: int, size: int, *how: int) -> Any:
            address = _FAILED if self._refused() else system[0](hint, size, *how)
            if address != _FAILED:
                self.held[address] = size
            return address

        def mprotect(*arguments: int) -> Any:
            return -1 if self._refused() else system[1](*arguments)

        def munmap(address: int, size: int) -> Any:
            self.held.pop(address, None)
            return system[2](address, size)

        _mmap, _mprotect, _munmap = mmap, mprotect, munmap
        return self

    def __exit__(self, *error: object) -> None:
        global _mmap, _mprotect, _munmap
        _mmap, _mprotect, _munmap = self._system

    def _refused(self) -> bool:
        self.requests += 1
        if self.requests == self.number:
            ctypes.set_errno(errno.ENOMEM)
        return self.requests == self.number


_signals_enabled: Final = os.environ.get("WASMCORE_SIGNALS") != "0"


def signals_enabled() -> bool:
    """Whether signal handlers may be installed: not with `WASMCORE_SIGNALS=0` when this was imported."""
    return _signals_enabled


def stack_bounds() -> tuple[int, int]:
    """Lowest and highest address of the stack of the current thread, all of which can be used.

    The main thread's takes a quarter of a millisecond to find.
    """
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
    low = _address()
    size = _address()
    _library.pthread_self.restype = _address
    error = _library.pthread_getattr_np(_address(_library.pthread_self()), attributes)
    if error:
        raise OSError(error, os.strerror(error))
    _library.pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size))
    _library.pthread_attr_destroy(attributes)
    high = low.value + size.value
    return _grown(max(low.value, high - LARGEST_STACK), high), high


def _grown(low: int, high: int) -> int:
    """Let a stack grow down to `low` now, or as far as the system lets it: the main one grows when it is touched, and where there is no
    address space for that then, the process ends. The lowest address it has."""
    while _library.pthread_sigmask(_SIG_BLOCK, None, _address(low)):  # the system writes there, and says if it can not
        low = round_up((low + high) // 2)
    return low


def start_thread(function: int, name: str, thread: ctypes.c_size_t) -> None:
    """Start a C function with a NULL argument on a thread of its own, which Python does not know; MemoryError if there is none.

    `thread` is set to what identifies it in the instant it is made, so that no exception of Python's can lose it.
    """
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
    _library.pthread_attr_init(attributes)
    _library.pthread_attr_setstacksize(attributes, _address(_NATIVE_STACK))
    error = _library.pthread_create(ctypes.byref(thread), attributes, _address(function), None)
    _library.pthread_attr_destroy(attributes)
    if error:
        raise MemoryError(f"no thread {name!r}: {os.strerror(error)}")
    _library.pthread_setname_np(thread, name.encode())


def join_thread(thread: ctypes.c_size_t) -> None:
    """Wait for the end of a thread that `start_thread` made, and until the system does not count it any more; sets `thread` to 0."""
    before = thread_count()
    _library.pthread_join(thread, None)
    thread.value = 0
    wait_for_fewer_threads(before)


def wait_for_fewer_threads(count: int) -> None:
    """Wait until the system counts fewer threads than that: it still counts one for a moment that has been joined."""
    for _ in range(_MOST_LOOKS):
        if thread_count() < count:
            return
        os.sched_yield()


def thread_count() -> int:
    """How many threads the system counts in this process; 0 where it does not say."""
    try:
        return os.stat("/proc/self/task").st_nlink
    except OSError:
        return 0


_some_function: Final = ctypes.CDLL(None).abs
"""Any function of the C library that takes no time: a `CDLL` releases the interpreter lock around it."""


def give_others_a_turn() -> None:
    """Let a Python thread run that has asked for the interpreter lock; at once if there is none."""
    _some_function(0)


def wake_futex(address: int) -> None:
    """Wake the threads that sleep on a word."""
    _library.syscall(_SYS_FUTEX, _address(address), _FUTEX_WAKE_PRIVATE, _MOST_WAITERS)


def thread_exit_key(destructor: int) -> int:
    """A pthread key whose values are given to a C function when their thread ends."""
    key = ctypes.c_uint()
    error = _library.pthread_key_create(ctypes.byref(key), ctypes.c_void_p(destructor))
    if error:
        raise OSError(error, os.strerror(error))
    return key.value


def set_thread_exit_value(key: int, value: int) -> None:
    """What the destructor of a key gets for this thread."""
    error = _library.pthread_setspecific(ctypes.c_uint(key), ctypes.c_void_p(value))
    if error:
        raise OSError(error, os.strerror(error))


class SignalAction(ctypes.Structure):
    """`struct sigaction` of the GNU C library."""

    _fields_ = [("handler", ctypes.c_void_p), ("mask", ctypes.c_ubyte * 128), ("flags", ctypes.c_int), ("restorer", ctypes.c_void_p)]


SA_SIGINFO: Final = 4
SA_ONSTACK: Final = 0x08000000
SA_RESTART: Final = 0x10000000

_sigaction = _library.sigaction
_sigaction.argtypes = [ctypes.c_int, ctypes.POINTER(SignalAction), ctypes.POINTER(SignalAction)]


def signal_action(number: int) -> tuple[int, int]:
    """Address of the handler and flags of a signal."""
    action = SignalAction()
    if _sigaction(number, None, action):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return action.handler or 0, action.flags


class SignalActions:
    """The actions of some signals, all at once."""

    def __init__(self, numbers: tuple[int, ...]) -> None:
        self._numbers = numbers
        self._actions = (SignalAction * len(numbers))()
        self._bytes = memoryview(self._actions).cast("B")
        self._places = [ctypes.pointer(action) for action in self._actions]

    def now(self) -> bytes:
        """What they are now, for comparison."""
        any(map(_sigaction, self._numbers, repeat(None), self._places))
        return self._bytes.tobytes()


def copy_signal_action(number: int, address: int) -> None:
    """Write the action of a signal to an address, as the C library has it."""
    _sigaction(number, None, SignalAction.from_address(address))


def set_signal_action(number: int, handler: int, flags: int) -> None:
    """Let a signal call a function at this address."""
    action = SignalAction(handler=handler, flags=flags)
    if _sigaction(number, action, None):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class Symbols(dict[str, int]):
    """Addresses of what Python and the C library export, found when asked for; KeyError for what they do not."""

    def __missing__(self, name: str) -> int:
        try:
            symbol = getattr(ctypes.pythonapi, name)
        except AttributeError:
            raise KeyError(name) from None
        address = ctypes.cast(symbol, ctypes.c_void_p).value
        assert address is not None
        self[name] = address
        return address


def in_main_interpreter() -> bool:
    """Whether this is no subinterpreter."""
    state = ctypes.PyDLL(None)
    for name in ("PyInterpreterState_Get", "PyInterpreterState_Main"):
        getattr(state, name).restype = _address
    return bool(state.PyInterpreterState_Get() == state.PyInterpreterState_Main())

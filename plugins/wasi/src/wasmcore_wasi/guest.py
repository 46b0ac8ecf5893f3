"""What the WASI functions of one instance share, made from the host module's options."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from io import TextIOBase

from wasmcore_wasi import rights as right
from wasmcore_wasi.descriptors import Descriptor, DescriptorTable, FileObject, filetype_of
from wasmcore_wasi.errors import FAULT, INVAL, Failure
from wasmcore_wasi.layout import CLOCK_REALTIME, FILETYPE_CHARACTER_DEVICE, FILETYPE_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

_CLOCKS: Final = (time.time_ns, time.monotonic_ns, time.process_time_ns, time.thread_time_ns)


def system_clock(clock: int) -> int:
    """The time in ns of the WASI clock of this number."""
    return _CLOCKS[clock]()


class Guest:
    """One program: its arguments, environment, open files, clock and source of random bytes. Keyword arguments are the options."""

    def __init__(
        self,
        memory: Callable[[], memoryview],
        *,
        args: Iterable[str] = (),
        env: Mapping[str, str] | None = None,
        dirs: Mapping[str, str | os.PathLike[str]] | None = None,
        stdin: Any = 0,
        stdout: Any = 1,
        stderr: Any = 2,
        clock: Callable[[int], int] = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.memory = memory
        """The guest's memory, as long as it is now."""
        self.arguments = _strings("args", args)
        self.environment = _variables(env or {})
        for option, function in (("clock", clock), ("random", random)):
            if not callable(function):
                raise TypeError(f"{option} must be a function, not {type(function).__name__}")
        self.clock = clock
        self.random = random
        self.files = DescriptorTable()
        for name, stream, rights in (
            ("stdin", stdin, ~right.FD_WRITE),
            ("stdout", stdout, ~right.FD_READ),
            ("stderr", stderr, ~right.FD_READ),
        ):
            self.files.add(_stream(name, stream, rights))
        for path, host in _items("dirs", dirs or {}, "guest paths to host paths", "{'/data': 'data'}"):
            self.files.add(_preopen(path, host))

    def now(self, clock: int) -> int:
        """The time of a clock in ns; INVAL for one that does not exist."""
        if not 0 <= clock < len(_CLOCKS):
            raise Failure(INVAL)
        return self.clock(clock)

    def realtime(self) -> int:
        """The time of day in ns since 1970."""
        return self.clock(CLOCK_REALTIME)

    def writable(self, address: int, length: int) -> None:
        """FAULT unless a result of `length` bytes fits at `address`, for calls that must not have done their work by then."""
        if (address & 0xFFFFFFFF) + length > len(self.memory()):
            raise Failure(FAULT)


def _items(option: str, given: object, wanted: str, example: str) -> Iterable[tuple[Any, Any]]:
    if not isinstance(given, Mapping):
        raise TypeError(f"{option} must be a mapping of {wanted}, such as {example}, not {type(given).__name__}")
    return given.items()


def _variables(env: object) -> tuple[bytes, ...]:
    """`KEY=value` strings as the guest gets them."""
    strings = []
    for name, value in _items("env", env, "names to values", "{'HOME': '/'}"):
        for each in (name, value):
            if not isinstance(each, str):
                raise TypeError(f"env must have strings as names and values, not {type(each).__name__}: {name!r}: {value!r}")
        if not name or "=" in name:
            raise ValueError(f"env has a name that is empty or has a '=': {name!r}")
        strings.append(f"{name}={value}")
    return _strings("env", strings)


def _strings(option: str, strings: Iterable[str]) -> tuple[bytes, ...]:
    """Strings as the guest gets them, each with a NUL at its end."""
    if isinstance(strings, (str, bytes, Mapping)) or not isinstance(strings, Iterable):
        raise TypeError(f"{option} must be a sequence of strings, not {type(strings).__name__}")
    encoded = []
    for number, string in enumerate(strings):
        if not isinstance(string, str):
            raise TypeError(f"{option} must be a sequence of strings, but item {number} is {type(string).__name__}: {string!r}")
        if "\0" in string:
            raise ValueError(f"{option} has a string with a NUL character: {string!r}")
        encoded.append(string.encode("utf-8", "surrogateescape") + b"\0")
    return tuple(encoded)


def _stream(name: str, stream: Any, rights: int) -> Descriptor:
    if not isinstance(stream, int) or isinstance(stream, bool):
        if isinstance(stream, TextIOBase) or not hasattr(stream, "read" if name == "stdin" else "write"):
            advice = "; a text stream has a binary one as its `buffer`" if hasattr(stream, "buffer") else ""
            raise TypeError(f"{name} must be a file descriptor or a binary file object, not {type(stream).__name__}{advice}")
        return FileObject(stream, right.STREAM & rights)
    if stream < 0:
        raise ValueError(f"{name} must be a file descriptor, not {stream}")
    try:
        filetype = filetype_of(os.fstat(stream).st_mode)
    except OSError:  # the process was started with this stream closed: the program learns it when it uses the stream
        return Descriptor(stream, 0, right.STREAM & rights, owned=False)
    terminal = filetype == FILETYPE_CHARACTER_DEVICE and os.isatty(stream)
    return Descriptor(stream, filetype, right.applicable(filetype, terminal) & rights, owned=False)


def _preopen(path: str, host: str | os.PathLike[str]) -> Descriptor:
    if not isinstance(path, str) or not isinstance(host, (str, os.PathLike)):
        raise TypeError(f"dirs must have paths on both sides, not {path!r}: {host!r}")
    if "\0" in path:
        raise ValueError(f"dirs has a guest path with a NUL character: {path!r}")
    opened = os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    descriptor = Descriptor(opened, FILETYPE_DIRECTORY, right.DIRECTORY, right.ALL)
    descriptor.preopen = path.encode("utf-8", "surrogateescape")
    return descriptor

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
        self.environment = _strings("env", (f"{key}={value}" for key, value in (env or {}).items()))
        self.clock = clock
        self.random = random
        self.files = DescriptorTable()
        for name, stream, rights in (
            ("stdin", stdin, ~right.FD_WRITE),
            ("stdout", stdout, ~right.FD_READ),
            ("stderr", stderr, ~right.FD_READ),
        ):
            self.files.add(_stream(name, stream, rights))
        for path, host in (dirs or {}).items():
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


def _strings(option: str, strings: Iterable[str]) -> tuple[bytes, ...]:
    """Strings as the guest gets them, each with a NUL at its end."""
    if isinstance(strings, (str, bytes)):
        raise TypeError(f"{option} must be a sequence of strings, not a string")
    encoded = tuple(string.encode("utf-8", "surrogateescape") + b"\0" for string in strings)
    for string in encoded:
        if string.index(b"\0") != len(string) - 1:
            raise ValueError(f"{option} has a string with a NUL character: {string[:-1]!r}")
    return encoded


def _stream(name: str, stream: Any, rights: int) -> Descriptor:
    if not isinstance(stream, int):
        if isinstance(stream, TextIOBase) or not (hasattr(stream, "read") or hasattr(stream, "write")):
            raise TypeError(f"{name} must be a file descriptor or a binary file object, not {type(stream).__name__}")
        return FileObject(stream, right.STREAM & rights)
    try:
        filetype = filetype_of(os.fstat(stream).st_mode)
    except OSError:  # the process was started with this stream closed: the program learns it when it uses the stream
        return Descriptor(stream, 0, right.STREAM & rights, owned=False)
    terminal = filetype == FILETYPE_CHARACTER_DEVICE and os.isatty(stream)
    return Descriptor(stream, filetype, right.applicable(filetype, terminal) & rights, owned=False)


def _preopen(path: str, host: str | os.PathLike[str]) -> Descriptor:
    if "\0" in path:
        raise ValueError(f"dirs has a guest path with a NUL character: {path!r}")
    opened = os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    descriptor = Descriptor(opened, FILETYPE_DIRECTORY, right.DIRECTORY, right.ALL)
    descriptor.preopen = path.encode("utf-8", "surrogateescape")
    return descriptor

"""A guest without WebAssembly: functions are called on a `bytearray`, with arguments as an engine passes them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from wasmcore_wasi.functions import FUNCTIONS
from wasmcore_wasi.plugin import wasmcore_host_module

ALL_RIGHTS = (1 << 30) - 1
READ_RIGHTS = ALL_RIGHTS & ~(1 << 6 | 1 << 8 | 1 << 22)


def signed(value: int, bits: int) -> int:
    """An integer as WebAssembly gives it to Python."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


class FakeGuest:
    """Calls WASI functions by name; has a memory with a bump allocator."""

    def __init__(self, size: int = 1 << 17, **options: Any) -> None:
        self.bytes = bytearray(size)
        self.functions = wasmcore_host_module().functions(self, options)
        self._free = 64

    def memory(self) -> memoryview:
        return memoryview(self.bytes)

    def call(self, name: str, *arguments: int) -> Any:
        params = FUNCTIONS[name][0]
        assert len(params) == len(arguments), name
        values = [signed(value, 32 if letter == "i" else 64) for letter, value in zip(params, arguments, strict=True)]
        result = self.functions[name][1](*values)
        self.bytes.append(0)  # BufferError if the function still holds a view of the memory
        self.bytes.pop()
        return result

    def ok(self, name: str, *arguments: int) -> None:
        assert self.call(name, *arguments) == 0, name

    def space(self, size: int) -> int:
        address = self._free
        self._free += (size + 15) & ~7
        assert self._free <= len(self.bytes)
        return address

    def put(self, data: bytes) -> tuple[int, int]:
        address = self.space(len(data))
        self.bytes[address : address + len(data)] = data
        return address, len(data)

    def path(self, path: str | bytes) -> tuple[int, int]:
        return self.put(path if isinstance(path, bytes) else path.encode())

    def u32(self, address: int) -> int:
        return int(struct.unpack_from("<I", self.bytes, address)[0])

    def u64(self, address: int) -> int:
        return int(struct.unpack_from("<Q", self.bytes, address)[0])

    def iovecs(self, *sizes: int) -> tuple[int, int, list[int]]:
        """Address and number of iovecs of these sizes, and the addresses of their buffers."""
        buffers = [self.space(size) for size in sizes]
        table, _ = self.put(b"".join(struct.pack("<II", *pair) for pair in zip(buffers, sizes, strict=True)))
        return table, len(sizes), buffers

    def try_open(
        self,
        path: str | bytes,
        *,
        fd: int = 3,
        lookup: int = 1,
        oflags: int = 0,
        rights: int = READ_RIGHTS,
        inheriting: int = ALL_RIGHTS,
        fdflags: int = 0,
    ) -> tuple[int, int]:
        """(errno, descriptor)."""
        mark = self._free
        result = self.space(4)
        errno = self.call("path_open", fd, lookup, *self.path(path), oflags, rights, inheriting, fdflags, result)
        self._free = mark
        return errno, self.u32(result)

    def open(self, path: str | bytes, **options: Any) -> int:
        errno, fd = self.try_open(path, **options)
        assert errno == 0, errno
        return fd

    def write(self, fd: int, *pieces: bytes) -> tuple[int, int]:
        """(errno, bytes written)."""
        mark = self._free
        table, count, buffers = self.iovecs(*map(len, pieces))
        for address, piece in zip(buffers, pieces, strict=True):
            self.bytes[address : address + len(piece)] = piece
        result = self.space(4)
        errno = self.call("fd_write", fd, table, count, result)
        self._free = mark
        return errno, self.u32(result)

    def read(self, fd: int, size: int = 1000) -> tuple[int, bytes]:
        """(errno, bytes read)."""
        mark = self._free
        table, count, buffers = self.iovecs(size)
        result = self.space(4)
        errno = self.call("fd_read", fd, table, count, result)
        self._free = mark
        return errno, bytes(self.bytes[buffers[0] : buffers[0] + self.u32(result)]) if errno == 0 else b""


@pytest.fixture
def make_guest() -> Callable[..., FakeGuest]:
    """Make a guest from options."""
    return FakeGuest

"""Open files of a guest and the table of their numbers."""

from __future__ import annotations

import errno
import os
from io import RawIOBase
from stat import S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK

from wasmcore_wasi import rights as right
from wasmcore_wasi.errors import BADF, ISDIR, NOTCAPABLE, NOTDIR, Failure
from wasmcore_wasi.layout import (
    FILETYPE_BLOCK_DEVICE,
    FILETYPE_CHARACTER_DEVICE,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    FILETYPE_SOCKET_STREAM,
    FILETYPE_SYMBOLIC_LINK,
    FILETYPE_UNKNOWN,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

_FILETYPES: Final = {
    S_IFBLK: FILETYPE_BLOCK_DEVICE,
    S_IFCHR: FILETYPE_CHARACTER_DEVICE,
    S_IFDIR: FILETYPE_DIRECTORY,
    S_IFREG: FILETYPE_REGULAR_FILE,
    S_IFLNK: FILETYPE_SYMBOLIC_LINK,
    S_IFSOCK: FILETYPE_SOCKET_STREAM,
}
_CHUNK: Final = 1 << 16
_TRANSFER_MAX: Final = 0x7FFFF000
"""Bytes in one call, as in Linux."""


def filetype_of(mode: int) -> int:
    """The WASI file type of a `st_mode`."""
    return _FILETYPES.get(S_IFMT(mode), FILETYPE_UNKNOWN)


class Entry:
    """One entry of a directory."""

    __slots__ = ("filetype", "inode", "name")

    def __init__(self, name: bytes, inode: int, filetype: int) -> None:
        self.name = name
        self.inode = inode
        self.filetype = filetype


class Descriptor:
    """An open file, directory or stream that is a file descriptor of the host."""

    __slots__ = ("directory", "entries", "filetype", "flags", "host", "inheriting", "owned", "preopen", "rights")

    def __init__(self, host: int, filetype: int, rights: int, inheriting: int = 0, *, owned: bool = True) -> None:
        self.host = host
        """The host's descriptor; -1 when there is none."""
        self.filetype = filetype
        self.directory = filetype == FILETYPE_DIRECTORY
        self.rights = rights
        self.inheriting = inheriting
        self.flags = 0
        self.owned = owned
        """Whether closing this closes the host's descriptor."""
        self.preopen: bytes | None = None
        """The guest's path of a preopened directory."""
        self.entries: list[Entry] | None = None
        """What `fd_readdir` lists, as it was when it was last called with cookie 0."""

    def read(self, views: list[memoryview]) -> int:
        """Fill buffers from the current position; number of bytes."""
        return os.readv(self.host, views)

    def write(self, views: list[memoryview]) -> int:
        """Write buffers at the current position; number of bytes."""
        if len(views) == 1:
            return os.write(self.host, views[0])
        return os.writev(self.host, views)

    def sync(self, data_only: bool) -> None:
        """Wait until what was written is stored."""
        (os.fdatasync if data_only else os.fsync)(self.host)

    def stat(self) -> os.stat_result:
        """The host's status."""
        return os.fstat(self.host)

    def close(self) -> None:
        """Close the host's descriptor if this owns it."""
        host, self.host = self.host, -1
        if self.owned and host >= 0:
            os.close(host)

    def __del__(self) -> None:
        if self.owned and self.host >= 0:
            os.close(self.host)


class FileObject(Descriptor):
    """A standard stream that is a binary file object of Python."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any, rights: int) -> None:
        super().__init__(-1, FILETYPE_UNKNOWN, rights, owned=False)
        self.stream = stream

    def read(self, views: list[memoryview]) -> int:
        """Fill the first buffer that is not empty with what there is."""
        for view in views:
            if len(view):
                fill = getattr(self.stream, "readinto1", None) or getattr(self.stream, "readinto", None)
                if fill is not None:
                    return _transferred(fill(view))
                data = self.stream.read(min(len(view), _CHUNK))
                view[: len(data)] = data
                return len(data)
        return 0

    def write(self, views: list[memoryview]) -> int:
        """Write copies of the buffers, in pieces, and flush."""
        total = 0
        for view in views:
            position = 0
            while position < len(view) and total < _TRANSFER_MAX:
                piece = bytes(view[position : position + _CHUNK])
                written = self.stream.write(piece)
                written = len(piece) if written is None and not isinstance(self.stream, RawIOBase) else _transferred(written)
                position += written
                total += written
                if written < len(piece):
                    return total
        self.sync(False)
        return total

    def sync(self, data_only: bool) -> None:
        """Flush."""
        flush = getattr(self.stream, "flush", None)
        if flush is not None:
            flush()

    def stat(self) -> os.stat_result:
        """A status without contents."""
        return os.stat_result((0,) * 10, {"st_atime_ns": 0, "st_mtime_ns": 0, "st_ctime_ns": 0})


def _transferred(count: int | None) -> int:
    if count is None:
        raise BlockingIOError(errno.EAGAIN, "the stream is not ready")
    return count


class DescriptorTable:
    """The guest's numbers of its open files; a new one gets the lowest free number."""

    def __init__(self) -> None:
        self._open: dict[int, Descriptor] = {}
        self._lowest = 0

    def get(self, fd: int, rights: int = 0) -> Descriptor:
        """The open file `fd`, which must have all of `rights`: else BADF, or NOTCAPABLE (NOTDIR, ISDIR where the type of file is the
        reason)."""
        descriptor = self._open.get(fd)
        if descriptor is None:
            raise Failure(BADF)
        if rights & ~descriptor.rights:
            raise Failure(self._why_not(descriptor, rights))
        return descriptor

    @staticmethod
    def _why_not(descriptor: Descriptor, rights: int) -> int:
        if descriptor.directory:
            return NOTCAPABLE if rights & right.DIRECTORY == rights else ISDIR
        return NOTCAPABLE if rights & right.FILE == rights else NOTDIR

    def add(self, descriptor: Descriptor) -> int:
        """Give a file the lowest free number."""
        fd = self._lowest
        while fd in self._open:
            fd += 1
        self._open[fd] = descriptor
        self._lowest = fd + 1
        return fd

    def close(self, fd: int) -> None:
        """Close a file; its number is free even when closing reports an error."""
        descriptor = self._open.pop(fd, None)
        if descriptor is None:
            raise Failure(BADF)
        self._lowest = min(self._lowest, fd)
        descriptor.close()

    def renumber(self, old: int, new: int) -> None:
        """Move a file to the number of another, which is closed."""
        moved, replaced = self.get(old), self.get(new)
        if old == new:
            return
        self._open[new] = self._open.pop(old)
        self._lowest = min(self._lowest, old)
        assert self._open[new] is moved
        replaced.close()

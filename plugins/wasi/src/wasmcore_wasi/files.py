"""Functions on open files."""

from __future__ import annotations

import os

from wasmcore_wasi import rights as right
from wasmcore_wasi.descriptors import filetype_of
from wasmcore_wasi.errors import BADF, INVAL, NAMETOOLONG, NOTCAPABLE, NOTSUP, Failure
from wasmcore_wasi.guest import Guest
from wasmcore_wasi.layout import (
    FDFLAGS_APPEND,
    FDFLAGS_NONBLOCK,
    FDSTAT,
    FILESTAT,
    FSTFLAGS_ATIM,
    FSTFLAGS_ATIM_NOW,
    FSTFLAGS_MTIM,
    FSTFLAGS_MTIM_NOW,
    PRESTAT,
    U32,
    U32_MASK,
    U64,
    U64_MASK,
)
from wasmcore_wasi.memory import buffers, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_ADVICE: Final = (
    os.POSIX_FADV_NORMAL,
    os.POSIX_FADV_SEQUENTIAL,
    os.POSIX_FADV_RANDOM,
    os.POSIX_FADV_WILLNEED,
    os.POSIX_FADV_DONTNEED,
    os.POSIX_FADV_NOREUSE,
)
_WHENCE: Final = (os.SEEK_SET, os.SEEK_CUR, os.SEEK_END)


def fd_read(guest: Guest, fd: int, iovecs: int, count: int, result: int) -> None:
    """Read at the current position; number of bytes."""
    descriptor = guest.files.get(fd, right.FD_READ)
    memory = guest.memory()
    views = buffers(memory, iovecs, count)
    try:
        U32.pack_into(memory, result & U32_MASK, descriptor.read(views))
    finally:
        for view in views:  # a traceback must not keep the memory
            view.release()
        memory.release()


def fd_write(guest: Guest, fd: int, iovecs: int, count: int, result: int) -> None:
    """Write at the current position; number of bytes."""
    descriptor = guest.files.get(fd, right.FD_WRITE)
    memory = guest.memory()
    views = buffers(memory, iovecs, count)
    try:
        U32.pack_into(memory, result & U32_MASK, descriptor.write(views))
    finally:
        for view in views:  # a traceback must not keep the memory
            view.release()
        memory.release()


def fd_pread(guest: Guest, fd: int, iovecs: int, count: int, offset: int, result: int) -> None:
    """Read at an offset; number of bytes."""
    host = guest.files.get(fd, right.FD_READ | right.FD_SEEK).host
    memory = guest.memory()
    views = buffers(memory, iovecs, count)
    try:
        U32.pack_into(memory, result & U32_MASK, os.preadv(host, views, _offset(offset)))
    finally:
        for view in views:  # a traceback must not keep the memory
            view.release()
        memory.release()


def fd_pwrite(guest: Guest, fd: int, iovecs: int, count: int, offset: int, result: int) -> None:
    """Write at an offset; number of bytes."""
    host = guest.files.get(fd, right.FD_WRITE | right.FD_SEEK).host
    memory = guest.memory()
    views = buffers(memory, iovecs, count)
    try:
        U32.pack_into(memory, result & U32_MASK, os.pwritev(host, views, _offset(offset)))
    finally:
        for view in views:  # a traceback must not keep the memory
            view.release()
        memory.release()


def _offset(offset: int) -> int:
    """An offset in a file; the host gives -1 a meaning of its own."""
    if offset < 0:
        raise Failure(INVAL)
    return offset


def fd_seek(guest: Guest, fd: int, offset: int, whence: int, result: int) -> None:
    """Move the current position; the new one."""
    if not 0 <= whence < len(_WHENCE):
        raise Failure(INVAL)
    only_asks = offset == 0 and _WHENCE[whence] == os.SEEK_CUR
    descriptor = guest.files.get(fd, right.FD_TELL if only_asks else right.FD_SEEK)
    U64.pack_into(guest.memory(), result & U32_MASK, os.lseek(descriptor.host, offset, _WHENCE[whence]))


def fd_tell(guest: Guest, fd: int, result: int) -> None:
    """The current position."""
    descriptor = guest.files.get(fd, right.FD_TELL)
    U64.pack_into(guest.memory(), result & U32_MASK, os.lseek(descriptor.host, 0, os.SEEK_CUR))


def fd_advise(guest: Guest, fd: int, offset: int, length: int, advice: int) -> None:
    """Tell how a file will be used."""
    descriptor = guest.files.get(fd, right.FD_ADVISE)
    if not 0 <= advice < len(_ADVICE) or offset < 0 or length < 0:
        raise Failure(INVAL)
    os.posix_fadvise(descriptor.host, offset, length, _ADVICE[advice])


def fd_allocate(guest: Guest, fd: int, offset: int, length: int) -> None:
    """Make sure that there is space for a part of a file; it grows where needed."""
    os.posix_fallocate(guest.files.get(fd, right.FD_ALLOCATE).host, offset, length)


def fd_close(guest: Guest, fd: int) -> None:
    """Close; preopened directories and standard streams as well, which stay open in the host."""
    guest.files.close(fd)


def fd_renumber(guest: Guest, old: int, new: int) -> None:
    """Move an open file to the number of another, which is closed."""
    guest.files.renumber(old, new)


def fd_datasync(guest: Guest, fd: int) -> None:
    """Wait until a file's data is stored."""
    guest.files.get(fd, right.FD_DATASYNC).sync(True)


def fd_sync(guest: Guest, fd: int) -> None:
    """Wait until a file's data and status are stored."""
    guest.files.get(fd, right.FD_SYNC).sync(False)


def fd_fdstat_get(guest: Guest, fd: int, result: int) -> None:
    """File type, flags and rights."""
    descriptor = guest.files.get(fd)
    address = result & U32_MASK
    FDSTAT.pack_into(guest.memory(), address, descriptor.filetype, descriptor.flags, descriptor.rights, descriptor.inheriting)


def fd_fdstat_set_flags(guest: Guest, fd: int, flags: int) -> None:
    """Set APPEND and NONBLOCK. Those of a standard stream can not be changed: the host's other users of it would be affected."""
    descriptor = guest.files.get(fd, right.FD_FDSTAT_SET_FLAGS)
    if flags & ~(FDFLAGS_APPEND | FDFLAGS_NONBLOCK):
        raise Failure(INVAL)
    if flags == descriptor.flags:
        return
    if not descriptor.owned:
        raise Failure(NOTSUP)
    from fcntl import F_SETFL, fcntl

    fcntl(descriptor.host, F_SETFL, (os.O_APPEND if flags & FDFLAGS_APPEND else 0) | (os.O_NONBLOCK if flags & FDFLAGS_NONBLOCK else 0))
    descriptor.flags = flags


def fd_fdstat_set_rights(guest: Guest, fd: int, rights: int, inheriting: int) -> None:
    """Give up rights; NOTCAPABLE when one would be new."""
    descriptor = guest.files.get(fd)
    if rights & ~descriptor.rights or inheriting & ~descriptor.inheriting:
        raise Failure(NOTCAPABLE)
    descriptor.rights = rights
    descriptor.inheriting = inheriting


def fd_filestat_get(guest: Guest, fd: int, result: int) -> None:
    """Status of an open file."""
    store_filestat(guest, result, guest.files.get(fd, right.FD_FILESTAT_GET).stat())


def fd_filestat_set_size(guest: Guest, fd: int, size: int) -> None:
    """Cut or lengthen a file."""
    os.ftruncate(guest.files.get(fd, right.FD_FILESTAT_SET_SIZE).host, size)


def fd_filestat_set_times(guest: Guest, fd: int, access: int, modification: int, flags: int) -> None:
    """Set the times of access and modification in ns."""
    descriptor = guest.files.get(fd, right.FD_FILESTAT_SET_TIMES)
    if descriptor.host < 0:
        raise Failure(NOTSUP)
    os.utime(descriptor.host, ns=times(guest, access, modification, flags, descriptor.stat()))


def fd_prestat_get(guest: Guest, fd: int, result: int) -> None:
    """Length of the name of a preopened directory."""
    PRESTAT.pack_into(guest.memory(), result & U32_MASK, 0, len(_preopen(guest, fd)))


def fd_prestat_dir_name(guest: Guest, fd: int, address: int, length: int) -> None:
    """Name of a preopened directory."""
    name = _preopen(guest, fd)
    if length & U32_MASK < len(name):
        raise Failure(NAMETOOLONG)
    span(guest.memory(), address, len(name))[:] = name


def _preopen(guest: Guest, fd: int) -> bytes:
    name = guest.files.get(fd).preopen
    if name is None:
        raise Failure(BADF)
    return name


def store_filestat(guest: Guest, address: int, status: os.stat_result) -> None:
    """Write the structure `filestat`."""
    FILESTAT.pack_into(
        guest.memory(),
        address & U32_MASK,
        status.st_dev & U64_MASK,
        status.st_ino & U64_MASK,
        filetype_of(status.st_mode),
        status.st_nlink,
        status.st_size,
        status.st_atime_ns & U64_MASK,
        status.st_mtime_ns & U64_MASK,
        status.st_ctime_ns & U64_MASK,
    )


def times(guest: Guest, access: int, modification: int, flags: int, status: os.stat_result) -> tuple[int, int]:
    """The times to set, in ns, for `fstflags`; what is not named stays as it is."""
    if flags & ~(FSTFLAGS_ATIM | FSTFLAGS_ATIM_NOW | FSTFLAGS_MTIM | FSTFLAGS_MTIM_NOW):
        raise Failure(INVAL)
    return (
        _time(guest, access, flags, FSTFLAGS_ATIM, FSTFLAGS_ATIM_NOW, status.st_atime_ns),
        _time(guest, modification, flags, FSTFLAGS_MTIM, FSTFLAGS_MTIM_NOW, status.st_mtime_ns),
    )


def _time(guest: Guest, given: int, flags: int, use_given: int, use_now: int, old: int) -> int:
    if flags & use_given and flags & use_now:
        raise Failure(INVAL)
    if flags & use_given:
        return given & U64_MASK
    return guest.realtime() if flags & use_now else old

"""Functions on directories and on paths relative to them."""

from __future__ import annotations

import os

from wasmcore_wasi import rights as right
from wasmcore_wasi.descriptors import Descriptor, Entry, filetype_of
from wasmcore_wasi.errors import INVAL, ISDIR, NOTCAPABLE, PERM, Failure
from wasmcore_wasi.files import store_filestat, times
from wasmcore_wasi.guest import Guest
from wasmcore_wasi.layout import (
    DIRENT,
    FDFLAGS_APPEND,
    FDFLAGS_DSYNC,
    FDFLAGS_NONBLOCK,
    FDFLAGS_RSYNC,
    FDFLAGS_SYNC,
    FILETYPE_CHARACTER_DEVICE,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    FILETYPE_SYMBOLIC_LINK,
    LOOKUPFLAGS_SYMLINK_FOLLOW,
    OFLAGS_CREAT,
    OFLAGS_DIRECTORY,
    OFLAGS_EXCL,
    OFLAGS_TRUNC,
    U32,
    U32_MASK,
    U64_MASK,
)
from wasmcore_wasi.memory import path as guest_path
from wasmcore_wasi.memory import span
from wasmcore_wasi.paths import Location

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OPEN_FLAGS: Final = (
    (OFLAGS_CREAT, os.O_CREAT, right.PATH_CREATE_FILE),
    (OFLAGS_DIRECTORY, os.O_DIRECTORY, 0),
    (OFLAGS_EXCL, os.O_EXCL, 0),
    (OFLAGS_TRUNC, os.O_TRUNC, right.PATH_FILESTAT_SET_SIZE),
)
"""WASI flag, host flag, right that the directory must have."""
_STATUS_FLAGS: Final = (
    (FDFLAGS_APPEND, os.O_APPEND),
    (FDFLAGS_DSYNC, os.O_DSYNC),
    (FDFLAGS_NONBLOCK, os.O_NONBLOCK),
    (FDFLAGS_RSYNC, os.O_RSYNC),
    (FDFLAGS_SYNC, os.O_SYNC),
)
_OFLAGS: Final = sum(flag for flag, _, _ in _OPEN_FLAGS)
_FDFLAGS: Final = sum(flag for flag, _ in _STATUS_FLAGS)
_FIXED_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY


def _locate(guest: Guest, fd: int, rights: int, address: int, length: int, follow: bool = False) -> Location:
    """What a path names, relative to the directory `fd`, which must have `rights`. Use in a `with`."""
    base = guest.files.get(fd, rights).host
    return Location(base, guest_path(guest.memory(), address, length), follow)


def path_open(
    guest: Guest, fd: int, lookup: int, path: int, length: int, oflags: int, rights: int, inheriting: int, fdflags: int, result: int
) -> None:
    """Open or create a file, or open a directory; its number."""
    base = guest.files.get(fd, right.PATH_OPEN)
    rights &= right.ALL
    inheriting &= right.ALL
    if (rights | inheriting) & ~base.inheriting:
        raise Failure(NOTCAPABLE)
    flags, needed = _open_flags(oflags, fdflags)
    if needed & ~base.rights:
        raise Failure(NOTCAPABLE)
    flags |= _access(oflags, rights)
    guest.writable(result, U32.size)
    follow = bool(lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) and not oflags & OFLAGS_EXCL
    with Location(base.host, guest_path(guest.memory(), path, length), follow or _ends_in_slash(guest, path, length)) as location:
        if location.slash and oflags & OFLAGS_CREAT:
            raise Failure(ISDIR)
        host = os.open(location.name, flags | (os.O_DIRECTORY if location.slash else 0), 0o666, dir_fd=location.parent)
    descriptor = _opened(host, rights, inheriting)
    descriptor.flags = fdflags
    U32.pack_into(guest.memory(), result & U32_MASK, guest.files.add(descriptor))


def _ends_in_slash(guest: Guest, path: int, length: int) -> bool:
    return bytes(span(guest.memory(), path, length)[-1:]) == b"/"


def _open_flags(oflags: int, fdflags: int) -> tuple[int, int]:
    """The host's flags, and the rights that they need."""
    if oflags & ~_OFLAGS or fdflags & ~_FDFLAGS:
        raise Failure(INVAL)
    flags, needed = _FIXED_FLAGS, 0
    for flag, host_flag, rights in _OPEN_FLAGS:
        if oflags & flag:
            flags |= host_flag
            needed |= rights
    for flag, host_flag in _STATUS_FLAGS:
        if fdflags & flag:
            flags |= host_flag
    if oflags & OFLAGS_DIRECTORY and oflags & (OFLAGS_CREAT | OFLAGS_EXCL | OFLAGS_TRUNC):
        raise Failure(INVAL)
    return flags, needed


def _access(oflags: int, rights: int) -> int:
    if oflags & OFLAGS_DIRECTORY or not rights & right.NEED_WRITING:
        return os.O_RDONLY
    return os.O_RDWR if rights & right.NEED_READING else os.O_WRONLY


def _opened(host: int, rights: int, inheriting: int) -> Descriptor:
    descriptor = Descriptor(host, FILETYPE_REGULAR_FILE, 0)
    filetype = filetype_of(os.fstat(host).st_mode)
    terminal = filetype == FILETYPE_CHARACTER_DEVICE and os.isatty(host)
    descriptor.filetype = filetype
    descriptor.directory = filetype == FILETYPE_DIRECTORY
    descriptor.rights = rights & right.applicable(filetype, terminal)
    descriptor.inheriting = inheriting if descriptor.directory else 0
    return descriptor


def path_create_directory(guest: Guest, fd: int, path: int, length: int) -> None:
    """Create a directory."""
    with _locate(guest, fd, right.PATH_CREATE_DIRECTORY, path, length) as location:
        os.mkdir(location.name, dir_fd=location.parent)


def path_remove_directory(guest: Guest, fd: int, path: int, length: int) -> None:
    """Remove an empty directory."""
    with _locate(guest, fd, right.PATH_REMOVE_DIRECTORY, path, length) as location:
        os.rmdir(location.name, dir_fd=location.parent)


def path_unlink_file(guest: Guest, fd: int, path: int, length: int) -> None:
    """Remove what is no directory."""
    with _locate(guest, fd, right.PATH_UNLINK_FILE, path, length) as location:
        if location.slash:
            location.require_directory()
        os.unlink(location.name, dir_fd=location.parent)


def path_rename(guest: Guest, fd: int, path: int, length: int, new_fd: int, new_path: int, new_length: int) -> None:
    """Rename, replacing what is there."""
    with (
        _locate(guest, fd, right.PATH_RENAME_SOURCE, path, length) as old,
        _locate(guest, new_fd, right.PATH_RENAME_TARGET, new_path, new_length) as new,
    ):
        if old.slash or new.slash:
            old.require_directory()
        os.rename(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent)


def path_link(guest: Guest, fd: int, lookup: int, path: int, length: int, new_fd: int, new_path: int, new_length: int) -> None:
    """Give a file another name."""
    follow = bool(lookup & LOOKUPFLAGS_SYMLINK_FOLLOW)
    with (
        _locate(guest, fd, right.PATH_LINK_SOURCE, path, length, follow) as old,
        _locate(guest, new_fd, right.PATH_LINK_TARGET, new_path, new_length) as new,
    ):
        new.require_name()
        if old.slash:
            old.require_directory()
        os.link(old.name, new.name, src_dir_fd=old.parent, dst_dir_fd=new.parent, follow_symlinks=False)


def path_symlink(guest: Guest, target: int, target_length: int, fd: int, path: int, length: int) -> None:
    """Create a symbolic link. Its target may point nowhere, but an absolute one, which only the host could follow, is PERM."""
    text = guest_path(guest.memory(), target, target_length)
    if text.startswith(b"/"):
        raise Failure(PERM)
    with _locate(guest, fd, right.PATH_SYMLINK, path, length) as location:
        location.require_name()
        os.symlink(text, location.name, dir_fd=location.parent)


def path_readlink(guest: Guest, fd: int, path: int, length: int, buffer: int, size: int, result: int) -> None:
    """Target of a symbolic link, as much as fits; its length."""
    with _locate(guest, fd, right.PATH_READLINK, path, length) as location:
        if location.slash:
            location.require_directory()
        target = os.readlink(location.name, dir_fd=location.parent)[: size & U32_MASK]
    memory = guest.memory()
    span(memory, buffer, len(target))[:] = target
    U32.pack_into(memory, result & U32_MASK, len(target))


def path_filestat_get(guest: Guest, fd: int, lookup: int, path: int, length: int, result: int) -> None:
    """Status of what a path names."""
    follow = bool(lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) or _ends_in_slash(guest, path, length)
    with _locate(guest, fd, right.PATH_FILESTAT_GET, path, length, follow) as location:
        if location.slash:
            location.require_directory()
        status = os.stat(location.name, dir_fd=location.parent, follow_symlinks=False)
    store_filestat(guest, result, status)


def path_filestat_set_times(guest: Guest, fd: int, lookup: int, path: int, length: int, access: int, modification: int, flags: int) -> None:
    """Set the times of access and modification in ns of what a path names."""
    follow = bool(lookup & LOOKUPFLAGS_SYMLINK_FOLLOW) or _ends_in_slash(guest, path, length)
    with _locate(guest, fd, right.PATH_FILESTAT_SET_TIMES, path, length, follow) as location:
        if location.slash:
            location.require_directory()
        status = os.stat(location.name, dir_fd=location.parent, follow_symlinks=False)
        new = times(guest, access, modification, flags, status)
        os.utime(location.name, ns=new, dir_fd=location.parent, follow_symlinks=False)


def fd_readdir(guest: Guest, fd: int, buffer: int, size: int, cookie: int, result: int) -> None:
    """Entries of a directory from a cookie on (0: from the first, read anew), the last one cut where the buffer ends; bytes used,
    less than the buffer's size at the end."""
    descriptor = guest.files.get(fd, right.FD_READDIR)
    memory = guest.memory()
    target = span(memory, buffer, size)
    position = cookie & U64_MASK
    if descriptor.entries is None or position == 0:
        descriptor.entries = _entries(descriptor.host)
    used = 0
    while position < len(descriptor.entries) and used < len(target):
        entry = descriptor.entries[position]
        position += 1
        record = DIRENT.pack(position, entry.inode, len(entry.name), entry.filetype) + entry.name
        record = record[: len(target) - used]
        target[used : used + len(record)] = record
        used += len(record)
    U32.pack_into(memory, result & U32_MASK, used)


def _entries(host: int) -> list[Entry]:
    """All entries. The parent directory has the number of the directory itself, so as to tell nothing of what is outside."""
    inode = os.fstat(host).st_ino
    entries = [Entry(b".", inode, FILETYPE_DIRECTORY), Entry(b"..", inode, FILETYPE_DIRECTORY)]
    with os.scandir(host) as scan:
        for found in scan:
            entries.append(Entry(os.fsencode(found.name), found.inode(), _entry_type(found)))
    return entries


def _entry_type(found: os.DirEntry[str]) -> int:
    """The file type, from the directory itself where that has it."""
    if found.is_symlink():
        return FILETYPE_SYMBOLIC_LINK
    if found.is_file(follow_symlinks=False):
        return FILETYPE_REGULAR_FILE
    if found.is_dir(follow_symlinks=False):
        return FILETYPE_DIRECTORY
    try:
        return filetype_of(found.stat(follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0

"""Numbers and structures of WASI preview 1, as in its `typenames.witx`."""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FILETYPE_UNKNOWN: Final = 0
FILETYPE_BLOCK_DEVICE: Final = 1
FILETYPE_CHARACTER_DEVICE: Final = 2
FILETYPE_DIRECTORY: Final = 3
FILETYPE_REGULAR_FILE: Final = 4
FILETYPE_SOCKET_STREAM: Final = 6
FILETYPE_SYMBOLIC_LINK: Final = 7

FDFLAGS_APPEND: Final = 1
FDFLAGS_DSYNC: Final = 2
FDFLAGS_NONBLOCK: Final = 4
FDFLAGS_RSYNC: Final = 8
FDFLAGS_SYNC: Final = 16

OFLAGS_CREAT: Final = 1
OFLAGS_DIRECTORY: Final = 2
OFLAGS_EXCL: Final = 4
OFLAGS_TRUNC: Final = 8

LOOKUPFLAGS_SYMLINK_FOLLOW: Final = 1

FSTFLAGS_ATIM: Final = 1
FSTFLAGS_ATIM_NOW: Final = 2
FSTFLAGS_MTIM: Final = 4
FSTFLAGS_MTIM_NOW: Final = 8

CLOCK_REALTIME: Final = 0
CLOCK_MONOTONIC: Final = 1
CLOCK_PROCESS_CPUTIME: Final = 2
CLOCK_THREAD_CPUTIME: Final = 3

EVENTTYPE_CLOCK: Final = 0
EVENTTYPE_FD_READ: Final = 1
EVENTTYPE_FD_WRITE: Final = 2
SUBCLOCKFLAGS_ABSTIME: Final = 1
EVENTRWFLAGS_HANGUP: Final = 1

U32: Final = Struct("<I")
U64: Final = Struct("<Q")
PAIR: Final = Struct("<II")
"""Two u32: an iovec (address, length), and the two results of `args_sizes_get`."""
PRESTAT: Final = Struct("<B3xI")
"""Tag (0: directory), length of its name."""
FDSTAT: Final = Struct("<BxH4xQQ")
"""File type, flags, rights, inheriting rights."""
FILESTAT: Final = Struct("<QQB7xQQQQQ")
"""Device, inode, file type, links, size, times of access, modification and status change in ns."""
DIRENT: Final = Struct("<QQIB3x")
"""Cookie of the next entry, inode, length of the name that follows, file type."""
SUBSCRIPTION: Final = Struct("<QB7xI4xQQH6x")
"""User data, event type, clock id or file descriptor, timeout in ns, precision in ns, clock flags."""
EVENT: Final = Struct("<QHB5xQH6x")
"""User data, error, event type, bytes available, read-write flags."""

U32_MASK: Final = 0xFFFFFFFF
U64_MASK: Final = 0xFFFFFFFFFFFFFFFF

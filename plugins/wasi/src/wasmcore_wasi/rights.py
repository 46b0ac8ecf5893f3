"""What a file descriptor may be used for, one bit each."""

from __future__ import annotations

from wasmcore_wasi.layout import FILETYPE_BLOCK_DEVICE, FILETYPE_CHARACTER_DEVICE, FILETYPE_DIRECTORY, FILETYPE_REGULAR_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FD_DATASYNC: Final = 1 << 0
FD_READ: Final = 1 << 1
FD_SEEK: Final = 1 << 2
FD_FDSTAT_SET_FLAGS: Final = 1 << 3
FD_SYNC: Final = 1 << 4
FD_TELL: Final = 1 << 5
FD_WRITE: Final = 1 << 6
FD_ADVISE: Final = 1 << 7
FD_ALLOCATE: Final = 1 << 8
PATH_CREATE_DIRECTORY: Final = 1 << 9
PATH_CREATE_FILE: Final = 1 << 10
PATH_LINK_SOURCE: Final = 1 << 11
PATH_LINK_TARGET: Final = 1 << 12
PATH_OPEN: Final = 1 << 13
FD_READDIR: Final = 1 << 14
PATH_READLINK: Final = 1 << 15
PATH_RENAME_SOURCE: Final = 1 << 16
PATH_RENAME_TARGET: Final = 1 << 17
PATH_FILESTAT_GET: Final = 1 << 18
PATH_FILESTAT_SET_SIZE: Final = 1 << 19
PATH_FILESTAT_SET_TIMES: Final = 1 << 20
FD_FILESTAT_GET: Final = 1 << 21
FD_FILESTAT_SET_SIZE: Final = 1 << 22
FD_FILESTAT_SET_TIMES: Final = 1 << 23
PATH_SYMLINK: Final = 1 << 24
PATH_REMOVE_DIRECTORY: Final = 1 << 25
PATH_UNLINK_FILE: Final = 1 << 26
POLL_FD_READWRITE: Final = 1 << 27
SOCK_SHUTDOWN: Final = 1 << 28
SOCK_ACCEPT: Final = 1 << 29

ALL: Final = (1 << 30) - 1

_EITHER: Final = FD_DATASYNC | FD_FDSTAT_SET_FLAGS | FD_SYNC | FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES
DIRECTORY: Final = (
    _EITHER | PATH_CREATE_DIRECTORY | PATH_CREATE_FILE | PATH_LINK_SOURCE | PATH_LINK_TARGET | PATH_OPEN | FD_READDIR
    | PATH_READLINK | PATH_RENAME_SOURCE | PATH_RENAME_TARGET | PATH_FILESTAT_GET | PATH_FILESTAT_SET_SIZE
    | PATH_FILESTAT_SET_TIMES | PATH_SYMLINK | PATH_REMOVE_DIRECTORY | PATH_UNLINK_FILE
)  # fmt: skip
"""Rights that mean something for a directory."""
STREAM: Final = _EITHER | FD_READ | FD_WRITE | POLL_FD_READWRITE
"""Rights that mean something for what has no position: terminals, pipes, sockets."""
FILE: Final = STREAM | FD_SEEK | FD_TELL | FD_ADVISE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE
"""Rights that mean something for a file with a position."""

NEED_READING: Final = FD_READ | FD_READDIR
NEED_WRITING: Final = FD_WRITE | FD_ALLOCATE | FD_FILESTAT_SET_SIZE
"""Rights for which the host's file must be open for reading, and for writing."""


def applicable(filetype: int, terminal: bool) -> int:
    """The rights that mean something for a file of this type. C programs take a character device without SEEK and TELL for a
    terminal, so only terminals lack them."""
    if filetype == FILETYPE_DIRECTORY:
        return DIRECTORY
    if filetype in (FILETYPE_REGULAR_FILE, FILETYPE_BLOCK_DEVICE):
        return FILE
    if filetype == FILETYPE_CHARACTER_DEVICE and not terminal:
        return STREAM | FD_SEEK | FD_TELL
    return STREAM

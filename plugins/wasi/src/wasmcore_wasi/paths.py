"""Finding what a guest's path names without ever leaving the directory it is relative to.

The path is walked component by component. Each directory on the way is opened relative to the one before (`openat`) with O_NOFOLLOW,
so the kernel never follows a symbolic link; links are read and their targets walked here. `..` goes back to the directory this
walk came through and is never given to the kernel; where there is none left, as with absolute paths and absolute links, it is
PERM. Renaming directories during the walk can not change that.
"""

from __future__ import annotations

import errno
import os

from wasmcore_wasi.errors import LOOP, NAMETOOLONG, NOENT, NOTDIR, PERM, Failure
from wasmcore_wasi.memory import PATH_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

LINKS_MAX: Final = 40
"""Symbolic links followed for one path, as in Linux."""
_STEP: Final = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_PATH


class Location:
    """A place in the host's file system: `name`, which is no path, in the directory `parent`. Leaving the `with` closes what was opened.

    `parent` is a host descriptor, `name` a file name or `.`; with `slash` (the path ended in one) it must be a directory.
    """

    __slots__ = ("_opened", "name", "parent", "slash")

    def __init__(self, base: int, path: bytes, follow: bool) -> None:
        """Walk `path` from the directory `base`; `follow`: a symbolic link at the end as well."""
        self.parent = base
        self.name = b"."
        self.slash = False
        self._opened: list[int] = []
        try:
            self._walk(base, path, follow)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Location:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directories on the way."""
        while self._opened:
            os.close(self._opened.pop())

    def require_directory(self) -> None:
        """NOTDIR unless what is there is a directory and no link to one; NOENT if there is nothing."""
        if os.stat(self.name, dir_fd=self.parent, follow_symlinks=False).st_mode & 0o170000 != 0o040000:
            raise Failure(NOTDIR)

    def require_name(self) -> None:
        """NOENT when the path names something new in a way that only fits an existing directory."""
        if self.slash:
            raise Failure(NOENT)

    def _walk(self, base: int, path: bytes, follow: bool) -> None:
        pending = _components(path)
        self.slash = path.endswith(b"/")
        links = 0
        while pending:
            name = pending.pop()
            if name == b"." or name == b"..":
                if name == b".." and not self._opened:
                    raise Failure(PERM)
                if name == b"..":
                    os.close(self._opened.pop())
                    self.parent = self._opened[-1] if self._opened else base
                self.name = b"."
                continue
            self.name = name
            target = self._step(name) if pending else self._link(name) if follow else None
            if target is None:
                continue
            links += 1
            if links > LINKS_MAX:
                raise Failure(LOOP)
            if not pending:
                self.slash = self.slash or target.endswith(b"/")
            pending += _components(target)
            self.name = b"."

    def _step(self, name: bytes) -> bytes | None:
        """Go into a directory, or give the target of the link that is there."""
        try:
            self.parent = os.open(name, _STEP, dir_fd=self.parent)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            target = self._link(name)
            if target is None:
                raise Failure(NOTDIR) from None
            return target
        self._opened.append(self.parent)
        return None

    def _link(self, name: bytes) -> bytes | None:
        """The target of a symbolic link, or None when there is none of this name."""
        try:
            return os.readlink(name, dir_fd=self.parent)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return None
            raise


def _components(path: bytes) -> list[bytes]:
    """The names of a relative path, last first."""
    if not path:
        raise Failure(NOENT)
    if path.startswith(b"/"):
        raise Failure(PERM)
    if len(path) > PATH_MAX:
        raise Failure(NAMETOOLONG)
    names = [name for name in path.split(b"/") if name]
    names.reverse()
    return names

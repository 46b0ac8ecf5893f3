"""The cache of compiled code on disk: one folder of one user, shared by all their processes.

Cached code is code that will run, so the folder and everything in it must belong to the user and be writable by nobody else, no symbolic
link is followed, and entries are authenticated with a key that only the user can read. Whatever is not as it should be, is
missing, full, broken or foreign is as if there were no cache: no method for storing and finding raises an exception.

    key           32 random bytes, made by the first process
    <hex>.cwasm   an entry, named by what it was made for; written beside and renamed, so it is there as a whole or not at all
    <...>.tmp     what is being written; locked as long as its writer lives
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
import time

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import ArtifactError

if TYPE_CHECKING:
    from wasmcore.compile.artifact import Artifact, MadeFor

DEFAULT_SIZE: Final = 1 << 30
"""Bytes that all entries may have together."""
_KEY: Final = "key"
_KEY_SIZE: Final = 32
_SUFFIX: Final = ".cwasm"
_TEMPORARY: Final = ".tmp"
_NAME_LENGTH: Final = 64 + len(_SUFFIX)
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_MAY: Final = stat.S_IRWXG | stat.S_IRWXO
_USED_AGAIN: Final = 60
"""Seconds after which the time of use of an entry is worth writing again."""
_LOOK_EACH: Final = 32
"""Thousands of entries take a while to list, so for one that is less than that part of the limit it is done only each so many times."""
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Entry(NamedTuple):
    """An entry as the file system sees it."""

    name: str
    size: int
    """Bytes."""
    used: float
    """When it was last used or written, in seconds since the epoch."""


def default_folder() -> str | None:
    """Where the cache is unless told otherwise: `$WASMCORE_CACHE_DIR`, else where platformdirs has it; None if there is no such place."""
    named = os.environ.get("WASMCORE_CACHE_DIR")
    if named:
        return os.path.abspath(named)
    if sys.platform == "linux":
        # What platformdirs says, without the time its import takes.
        base = os.environ.get("XDG_CACHE_HOME", "").strip() or os.path.expanduser("~/.cache")
        folder = os.path.join(base, "wasmcore")
    else:
        from platformdirs import user_cache_dir

        folder = user_cache_dir("wasmcore")
    return folder if os.path.isabs(folder) else None


def default_size() -> int:
    """The limit of the size of all entries, in bytes: `$WASMCORE_CACHE_SIZE`, as in `500M`, else `DEFAULT_SIZE`."""
    size = parsed_size(os.environ.get("WASMCORE_CACHE_SIZE", ""))
    return DEFAULT_SIZE if size is None else size


def parsed_size(text: str) -> int | None:
    """The bytes that a text such as `500M` or `1 GiB` means, None if it means nothing."""
    text = text.strip().upper().removesuffix("B").removesuffix("I")
    digits = text.rstrip("KMGT").rstrip()
    factor = _UNITS.get(text[len(digits) :].strip())
    return int(digits) * factor if factor and digits.isdecimal() and digits.isascii() else None


def enabled() -> bool:
    """Whether engines cache that were not told which folder: not with `WASMCORE_CACHE=0`."""
    return os.environ.get("WASMCORE_CACHE") != "0"


class Cache:
    """A folder of entries. Safe to use from many threads and processes; keeps nothing open."""

    def __init__(self, folder: str | os.PathLike[str] | None = None, size: int | None = None) -> None:
        self.folder: str | None = default_folder() if folder is None else os.path.abspath(os.fspath(folder))
        """None where there is no place for one."""
        self.size: int = default_size() if size is None else size
        self._key: bytes | None = None

    # What engines do

    def find(self, made_for: MadeFor) -> Artifact | None:
        """The entry for exactly that, None if there is none that can be used."""
        from wasmcore.compile.artifact import read_artifact

        try:
            with self._open() as folder:
                data = _read(folder, entry_name(made_for))
                return read_artifact(data, self._read_key(folder), made_for=made_for)
        except (OSError, ArtifactError, MemoryError):
            return None

    def store(self, artifact: Artifact) -> bool:
        """Write an entry in place of what is there; whether that worked."""
        from wasmcore.compile.artifact import artifact_parts

        try:
            with self._open(make=True) as folder:
                parts = artifact_parts(artifact, self._read_key(folder, make=True))
                size = sum(map(len, parts))
                if size > self.size:
                    return False
                name = entry_name(artifact.made_for)
                self._make_room(folder, size, name)
                _write(folder, name, parts)
                return True
        except (OSError, ArtifactError, MemoryError):
            return False

    # What people do

    def problem(self) -> str | None:
        """Why the folder can not be used, None if it can or is still to be made."""
        try:
            with self._open():
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self.folder}: {error.strerror}"

    def entries(self) -> list[Entry]:
        """All entries, the least recently used first."""
        try:
            with self._open() as folder:
                return _entries(folder)
        except OSError:
            return []

    def describe(self, name: str) -> Artifact | None:
        """What is in an entry, None if it can not be used."""
        from wasmcore.compile.artifact import read_artifact

        try:
            with self._open() as folder:
                return read_artifact(_read(folder, name, touch=False), self._read_key(folder))
        except (OSError, ArtifactError, MemoryError):
            return None

    def clear(self) -> int:
        """Remove all entries, temporary files of writers that are no more, and the key; how many entries there were."""
        try:
            with self._open() as folder:
                _remove_abandoned(folder)
                removed = sum([_unlink(folder, entry.name) for entry in _entries(folder)])
                _unlink(folder, _KEY)
        except OSError:
            return 0
        self._key = None
        return removed

    def prune(self, size: int | None = None) -> tuple[int, int]:
        """Remove temporary files of writers that are no more, entries that can not be used, and the least recently used ones until what
        is left is no larger than `size` bytes; how many temporary files and entries were removed."""
        try:
            with self._open() as folder:
                abandoned = _remove_abandoned(folder)
                removed = 0
                for entry in _entries(folder):
                    if self.describe(entry.name) is None:
                        removed += _unlink(folder, entry.name)
                return abandoned, removed + _shrink(folder, self.size if size is None else size)
        except OSError:
            return 0, 0

    # Files

    def _open(self, make: bool = False) -> _Folder:
        return _Folder(self.folder, make)

    def _read_key(self, folder: int, make: bool = False) -> bytes:
        """The key of the folder; OSError if there is none. With `make`, one that is missing or not fit is made anew."""
        if self._key is None:
            try:
                self._key = _found_key(folder)
            except OSError:
                if not make:
                    raise
                self._key = _make_key(folder)
        return self._key

    def _make_room(self, folder: int, size: int, name: str) -> None:
        if size * _LOOK_EACH < self.size and os.urandom(1)[0] % _LOOK_EACH:
            return
        entries = _entries(folder)
        used = sum([entry.size for entry in entries if entry.name != name])
        if used + size > self.size:
            # Some more than needed, so that not every entry that comes has to look again.
            _remove_abandoned(folder)
            _shrink(folder, max(0, self.size - self.size // 10 - size), keep=name)


class _Folder:
    """The folder of a cache, open inside a `with`, which gives its descriptor; OSError if it is not there or not safe."""

    def __init__(self, path: str | None, make: bool) -> None:
        self._path = path
        self._make = make
        self._descriptor = -1

    def __enter__(self) -> int:
        if self._path is None:
            raise FileNotFoundError(2, "no place for a cache")
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            if not self._make:
                raise
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            try:
                os.mkdir(self._path, 0o700)
            except FileExistsError:
                pass
            self._descriptor = os.open(self._path, flags)
        try:
            _check_owner(os.fstat(self._descriptor), _OTHERS_MAY_WRITE)
        except BaseException:
            os.close(self._descriptor)
            raise
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def entry_name(made_for: MadeFor) -> str:
    """The name of the file for code made for that."""
    from hashlib import sha256

    return sha256(made_for.pack()).hexdigest() + _SUFFIX


def _check_owner(status: os.stat_result, forbidden: int) -> None:
    """Refuse what belongs to somebody else or gives others a permission that it should not."""
    if status.st_uid != os.geteuid():
        raise PermissionError(1, "belongs to another user")
    if status.st_mode & forbidden:
        raise PermissionError(1, "others than its owner may use it")


def _read(folder: int, name: str, touch: bool = True, forbidden: int = _OTHERS_MAY_WRITE) -> bytes:
    """The content of a file of ours; OSError if it is anything else."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    with open(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PermissionError(1, "not a file")
        _check_owner(status, forbidden)
        data = stream.readall()
        if touch and time.time() - status.st_mtime > _USED_AGAIN:
            try:
                os.utime(descriptor)
            except OSError:
                pass  # a file system that can only be read
    return data


def _write(folder: int, name: str, parts: list[bytes], replace: bool = True) -> None:
    """Put a file in its place, as a whole or not at all; FileExistsError if there is one and it is not to be replaced."""
    temporary = f"{name}.{os.getpid()}.{os.urandom(6).hex()}{_TEMPORARY}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        with open(descriptor, "wb") as stream:
            # Held until the file is closed or its writer is dead; see `_remove_abandoned`.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stream.writelines(parts)
            stream.flush()
            if replace:
                os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                _unlink(folder, temporary)
    except BaseException:
        _unlink(folder, temporary)
        raise


def _unlink(folder: int, name: str) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    return True


def _found_key(folder: int) -> bytes:
    key = _read(folder, _KEY, touch=False, forbidden=_OTHERS_MAY)
    if len(key) != _KEY_SIZE:
        raise OSError(5, "not a key")
    return key


def _make_key(folder: int) -> bytes:
    """A new key; of several processes that make one at once, all get the same."""
    key = os.urandom(_KEY_SIZE)
    try:
        _write(folder, _KEY, [key], replace=False)
    except FileExistsError:
        try:
            return _found_key(folder)
        except OSError:
            # Damaged, or others could have read it: entries made with it are of no use any more.
            _write(folder, _KEY, [key])
    except OSError:
        _write(folder, _KEY, [key])  # a file system without hard links
    return key


def _entries(folder: int) -> list[Entry]:
    """The least recently used first."""
    found = []
    for name in os.listdir(folder):
        if len(name) == _NAME_LENGTH and name.endswith(_SUFFIX):
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError:
                continue
            found.append(Entry(name, status.st_size, status.st_mtime))
    return sorted(found, key=lambda entry: (entry.used, entry.name))


def _shrink(folder: int, size: int, keep: str = "") -> int:
    """Remove the least recently used entries until the others have at most so many bytes; how many were removed."""
    entries = [entry for entry in _entries(folder) if entry.name != keep]
    total = sum([entry.size for entry in entries])
    removed = 0
    for entry in entries:
        if total <= size:
            break
        total -= entry.size
        removed += _unlink(folder, entry.name)
    return removed


def _remove_abandoned(folder: int) -> int:
    """Remove temporary files that nobody is writing any more; how many there were."""
    removed = 0
    for name in os.listdir(folder):
        if name.endswith(_TEMPORARY):
            try:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                finally:
                    os.close(descriptor)
            except OSError:
                continue
            removed += _unlink(folder, name)
    return removed

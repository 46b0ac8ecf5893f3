"""Writes what a command makes: to a file, which is there as a whole or not at all, or to standard output."""

from __future__ import annotations

import os
import stat
import sys
from typing import Final

STANDARD: Final = "-"
"""Stands for standard input or output."""


def write_output(file: str, data: bytes) -> None:
    """Write a file, or standard output for `-`."""
    if file == STANDARD:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, "standard output") from None
    elif _is_special(file):
        try:
            with open(file, "wb") as stream:
                stream.write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, file) from None
    else:
        _replace(os.path.realpath(file), data, file)


def _is_special(file: str) -> bool:
    """Whether it is a device or a pipe, which can not be replaced."""
    try:
        return not stat.S_ISREG(os.stat(file).st_mode)
    except FileNotFoundError:
        return False


def _replace(file: str, data: bytes, shown: str) -> None:
    """Write beside the file and rename, so that a full disk or a kill never leaves half of it."""
    folder, name = os.path.split(file)
    temporary = os.path.join(folder, f".{name[:200]}.{os.getpid()}.tmp")
    try:
        try:
            mode = stat.S_IMODE(os.stat(file).st_mode)
        except FileNotFoundError:
            mode = None
        with open(temporary, "xb") as stream:
            stream.write(data)
            if mode is not None:
                os.fchmod(stream.fileno(), mode)
        os.replace(temporary, file)
    except BaseException as error:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, shown) from None
        raise

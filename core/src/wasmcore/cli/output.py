"""Writes what a command makes: to a file, which is there as a whole or not at all, or to standard output."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from wasmcore.cli.report import STANDARD, UsageError
from wasmcore.errors import WasmcoreError

_OPEN_FILES: Final = ("/dev/fd/", "/dev/std", "/proc/")


class OutputError(WasmcoreError):
    """What a command made can not be written."""


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Standard output for a `with` statement, behind which all is written, or an OutputError."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        raise OutputError(f"standard output: {error.strerror}") from None


def show_line(text: str) -> None:
    """Write a line to standard output."""
    with standard_output() as output:
        print(text, file=output)


def output_beside(file: str, suffix: str) -> str:
    """Where the result goes if nobody says: beside the source, or to standard output where that is standard input."""
    if file != STANDARD:
        return os.path.splitext(file)[0] + suffix
    if sys.stdout is not None and sys.stdout.buffer.isatty():
        raise UsageError("standard output is a terminal; say with -o where the result goes (`-o -` for the terminal all the same)")
    return STANDARD


def write_output(file: str, data: bytes) -> None:
    """Write a file, or standard output for `-`; OutputError if it can not be written."""
    if file == STANDARD:
        with standard_output() as output:
            output.flush()
            output.buffer.write(data)
            output.buffer.flush()
        return
    try:
        if _is_special(file):
            with open(file, "wb") as stream:
                stream.write(data)
        else:
            _replace(os.path.realpath(file), data)
    except OSError as error:
        raise OutputError(f"{file or repr(file)}: {error.strerror}") from None


def _is_special(file: str) -> bool:
    """Whether it can not be replaced: a device, a pipe, a directory, a name for what this process has open."""
    if not file or file.startswith(_OPEN_FILES):
        return True
    try:
        return not stat.S_ISREG(os.stat(file).st_mode)
    except FileNotFoundError:
        return False


def _replace(file: str, data: bytes) -> None:
    """Write beside the file and rename, so that a full disk or a kill never leaves half of it."""
    temporary = os.path.join(os.path.dirname(file), f".wasmcore.{os.urandom(8).hex()}.tmp")
    try:
        mode = stat.S_IMODE(os.stat(file).st_mode)
    except FileNotFoundError:
        mode = None
    with open(temporary, "xb") as stream:
        try:
            stream.write(data)
            stream.close()
            if mode is not None:
                os.chmod(temporary, mode)
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise

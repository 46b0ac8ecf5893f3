"""What the command line says when something goes wrong, and the exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from wasmcore._source import read_file
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import CompileError, TextError, Trap, WasmcoreError

if TYPE_CHECKING:
    from typing import TextIO

FAILED: Final = 1
"""The module can not be read, compiled, linked or called."""
INTERRUPTED: Final = 130
"""Ctrl-C: 128 + SIGINT, as shells have it."""
TRAPPED: Final = 134
"""The program trapped: 128 + SIGABRT, as other engines have it."""


class UsageError(WasmcoreError):
    """The command line asks for something that is not there."""


def say(message: str) -> None:
    """Write one message to standard error."""
    print(f"wasmcore: {message}", file=sys.stderr)


def say_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None, line: str | None = None
) -> None:
    """What `warnings.showwarning` is in a process of the command line: one line, without a place in this program."""
    say(str(message).removeprefix("wasmcore: "))


def exit_code(action: Callable[[], int]) -> int:
    """Do something and turn the errors that a user can do something about into messages; the exit code."""
    try:
        try:
            return action()
        finally:
            progress = sys.modules.get("wasmcore.cli.progress")
            if progress is not None:
                progress.stop_all()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads what we write; keep Python from saying so when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Trap as trap:
        say(f"trap: {trap}")
        return TRAPPED
    except WasmcoreError as error:
        say(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        say(f"{error.filename}: {error.strerror}")
    return FAILED


def read_module(file: str) -> bytes:
    """The binary of the module in a file, which holds it as it is or as text. Errors name the file."""
    return read_file(file)


class naming:
    """A `with` statement in which the message of a `CompileError` begins with the file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, CompileError) or error.message.startswith(self._file):
            return
        message = f"{self._file}: {error.message}"
        if isinstance(error, TextError):
            raise TextError(message, error.line, error.column, error.source_line) from None
        raise CompileError(message, error.offset) from None


def say_if_plain() -> None:
    """Tell, in one line, that this is the build without compiled modules."""
    from wasmcore._build import COMPILED

    if not COMPILED:
        say("plain-Python build, compiles about 50 times slower; reinstall where there is a C compiler for the fast one")

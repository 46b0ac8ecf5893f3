"""What the commands read, what they say when something goes wrong, and the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable

from wasmcore._source import read_bytes, read_stream, to_binary
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import CompileError, DecodeError, TextError, Trap, WasmcoreError

if TYPE_CHECKING:
    from typing import TextIO

FAILED: Final = 1
"""The module can not be read, compiled, linked or called, or the result not be written."""
WRONG_USAGE: Final = 2
"""The command line is wrong."""
INTERRUPTED: Final = 130
"""Ctrl-C: 128 + SIGINT, as shells have it."""
TRAPPED: Final = 134
"""The program trapped: 128 + SIGABRT, as other engines have it."""

LAYOUT: Final = "\n\t"
"""Control characters that messages of several lines have."""
STANDARD: Final = "-"
"""Stands for standard input or output where a file is named."""


class UsageError(WasmcoreError):
    """The command line is wrong: it can not be understood, or asks for something that is not there."""


def say(message: str) -> None:
    """Write one message to standard error, if there is one."""
    if sys.stderr is not None:
        try:
            print(f"wasmcore: {visible(message, LAYOUT)}", file=sys.stderr)
        except OSError:
            pass


def visible(text: str, kept: str = "") -> str:
    """A text with escapes for what a terminal would obey instead of showing it, except for the characters that are kept."""
    if text.isprintable():
        return text
    return "".join([character if character.isprintable() or character in kept else ascii(character)[1:-1] for character in text])


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
    except Trap as trap:
        say(f"trap: {trap}")
        return TRAPPED
    except UsageError as error:
        say(str(error))
        return WRONG_USAGE
    except (WasmcoreError, OSError, MemoryError) as error:
        say(message_of(error))
    return FAILED


def message_of(error: WasmcoreError | OSError | MemoryError) -> str:
    """What to say about an error that the user can do something about."""
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return reason if error.filename is None else f"{error.filename or repr('')}: {reason}"
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    return str(error)


def source_name(file: str) -> str:
    """What messages call a file to read."""
    return "standard input" if file == STANDARD else file


def read_input(file: str) -> bytes:
    """What a file or, for `-`, standard input holds. Errors name it."""
    if file != STANDARD:
        return read_bytes(file)
    if sys.stdin is None:
        raise DecodeError("standard input is closed")
    return read_stream(sys.stdin.buffer, source_name(file))


def read_module(file: str) -> bytes:
    """The binary of the module in a file or standard input, which holds it as it is or as text. Errors name it."""
    return to_binary(read_input(file), source_name(file))


class naming:
    """A `with` statement in which the message of a `CompileError` begins with the file."""

    def __init__(self, file: str) -> None:
        self._file = source_name(file)

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

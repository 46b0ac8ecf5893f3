"""The command line.

`wasmcore run` decides how long a small program takes altogether, so `main` gives its options to a parser of a few lines. Whatever
that one does not understand, and every other command, goes to click, whose import takes longer than a hello world.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False  # `typing` is imported when no time goes into looking for garbage any more
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ["console", "main"]


def console() -> NoReturn:
    """Run the command line of this process and end it, without taking the interpreter apart first: that takes 9 ms."""
    import warnings

    from wasmcore.cli.report import INTERRUPTED, say_warning

    warnings.showwarning = say_warning
    try:
        code = main()
        saved_code = sys.modules.get("wasmcore.compile.saved_code")
        if saved_code is not None:
            saved_code.flush_all()
    except KeyboardInterrupt:  # before or behind the command
        code = INTERRUPTED
    worker_pool = sys.modules.get("wasmcore.compile.worker_pool")
    if worker_pool is not None:
        from contextlib import suppress

        with suppress(KeyboardInterrupt):  # its processes end without that, too, but later than this one
            worker_pool.stop_shared()
    os._exit(_flushed(code))


def _flushed(code: int) -> int:
    """The exit code when everything is written: another one if it can not be, and nobody said so yet."""
    from wasmcore.cli.report import FAILED, say

    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            if code == 0 and stream is sys.stdout:
                say(f"standard output: {error.strerror}")
                code = FAILED
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Until the program runs nothing is garbage, and looking for it costs 8 ms.
    gc.disable()
    try:
        from wasmcore.cli.options import begins_run, parse_run
        from wasmcore.cli.report import exit_code

        if words and begins_run(words[0]):
            words.insert(0, "run")
        request = parse_run(words[1:]) if words and words[0] == "run" else None
        if request is not None:
            from wasmcore.cli.run import run

            return exit_code(lambda: run(request))
    finally:
        gc.enable()

    def understand() -> int:
        from wasmcore.cli.commands import run_command

        return run_command(words)

    return exit_code(understand)

"""Faults, and whatever else may come in between, at every place in turn."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Any


def interrupted(number: int, action: Callable[[], Any]) -> bool:
    """Run with a KeyboardInterrupt at the n-th bytecode; whether there are so many."""

    def happen() -> None:
        raise KeyboardInterrupt

    gc.disable()  # what is raised in a finalizer gets lost
    try:
        return between(number, happen, action)
    except KeyboardInterrupt:
        return True
    finally:
        gc.enable()


def between(number: int, happen: Callable[[], Any], action: Callable[[], Any], within: tuple[str, ...] = ("",)) -> bool:
    """Run, and call `happen` before the n-th bytecode of functions in files whose path has one of these parts; whether there are so many.

    What happens is what a signal handler may do, and a finalizer, which the collector may run at any bytecode.
    """
    seen = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal seen
        if event == "call" and not any(part in frame.f_code.co_filename for part in within):
            return None
        frame.f_trace_opcodes = True
        seen += event == "opcode"
        if event == "opcode" and seen == number:
            sys.settrace(None)
            happen()
        return trace

    before = sys.gettrace()
    _prepare()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return seen >= number


def near_the_limit(remaining: int, action: Callable[[], object]) -> bool:
    """Run it where Python's limit of recursion is so many calls away; whether that was enough."""

    def nest(calls: int) -> None:
        if calls:
            nest(calls - 1)
        else:
            action()

    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    try:
        nest(200 - remaining)
    except (RecursionError, ctypes.ArgumentError):  # the other one is what ctypes makes of it
        return False
    finally:
        sys.setrecursionlimit(before)
    return True


def _prepare() -> None:
    """Python 3.12 traces bytecodes from the `settrace` on that follows the first wish for it."""

    def trace(frame: Any, event: str, argument: Any) -> None:
        frame.f_trace_opcodes = True

    sys.settrace(trace)
    (lambda: None)()
    sys.settrace(None)

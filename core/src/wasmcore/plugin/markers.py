"""Marks hook specifications and implementations as pluggy's own markers do, without importing pluggy (14 ms)."""

from __future__ import annotations

from collections.abc import Callable

from wasmcore._typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import TypeVar

    _Hook = TypeVar("_Hook", bound=Callable[..., Any])

PROJECT: Final = "wasmcore"
"""The pluggy project name."""
SPECIFICATION: Final = PROJECT + "_spec"
IMPLEMENTATION: Final = PROJECT + "_impl"
"""The attribute of a function in which pluggy looks for the options of its marker."""


def hookspec(function: _Hook) -> _Hook:
    """Mark a function as the specification of a hook."""
    setattr(function, SPECIFICATION, {"firstresult": False, "historic": False, "warn_on_impl": None, "warn_on_impl_args": None})
    return function


def hookimpl(function: _Hook) -> _Hook:
    """Mark a function of a plugin as the implementation of the hook of the same name."""
    options = {"wrapper": False, "hookwrapper": False, "optionalhook": False, "tryfirst": False, "trylast": False, "specname": None}
    setattr(function, IMPLEMENTATION, options)
    return function

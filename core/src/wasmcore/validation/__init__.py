"""Validation of modules, and the resolved stream of their functions."""

from __future__ import annotations

from importlib import import_module

from wasmcore._typing import TYPE_CHECKING, Any
from wasmcore.validation.module_rules import validate as validate
from wasmcore.validation.module_rules import validate_declarations as validate_declarations

if TYPE_CHECKING:
    from wasmcore.validation.checker import check_stream as check_stream
    from wasmcore.validation.listing import stream_text as stream_text
    from wasmcore.validation.stream_writer import StreamWriter as StreamWriter

_LATER = {"StreamWriter": "stream_writer", "check_stream": "checker", "stream_text": "listing"}
"""What is not needed where nothing is compiled, imported at first use."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"wasmcore.validation.{_LATER[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

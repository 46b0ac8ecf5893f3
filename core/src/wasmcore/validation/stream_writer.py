"""The resolved stream (`wasmcore.stream`) of one function at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.validation.body import BodyValidator

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo


@final
class StreamWriter:
    """Writes streams for one module. Not to be shared between threads."""

    def __init__(self, module: ModuleInfo, features: frozenset[str] = DEFAULT_FEATURES) -> None:
        self.module = module
        self.validator = BodyValidator(module, features, True)

    def stream(self, function_index: int) -> bytes:
        """Resolved stream of a defined function, whose body is validated in passing."""
        start, end = self.module.body(function_index)
        self.validator.function(function_index, start, end)
        return self.validator.stream_bytes()

    def positions(self, function_index: int) -> bytes:
        """For each word of that stream the offset in the module of the instruction it was made from: one little-endian u32 each."""
        start, end = self.module.body(function_index)
        return self.validator.position_bytes(function_index, start, end)

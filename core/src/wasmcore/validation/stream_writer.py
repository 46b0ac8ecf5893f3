"""The resolved stream (`wasmcore.stream`) of one function at a time."""

from __future__ import annotations

from wasmcore._native import i64, read_i32_le
from wasmcore._typing import TYPE_CHECKING, Final, final
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.validation.body import BodyValidator

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo


@final
class StreamWriter:
    """Writes streams for one module. Not to be shared between threads."""

    def __init__(self, module: ModuleInfo, features: frozenset[str] = DEFAULT_FEATURES) -> None:
        self.module: Final = module
        self.bodies: Final = module.bodies
        self.imported_functions: i64 = module.imported_functions
        self.validator: Final = BodyValidator(module, features, True)

    @property
    def written_tables(self) -> frozenset[int]:
        """Tables that the functions whose streams were written so far may change."""
        return frozenset(self.validator.written_tables)

    def place(self, function_index: i64) -> i64:
        """Where the span of the body of a defined function is."""
        at = 8 * (function_index - self.imported_functions)
        if at < 0 or at >= len(self.bodies):
            raise IndexError(f"function {function_index} is not defined in the module")
        return at

    def stream(self, function_index: int) -> bytes:
        """Resolved stream of a defined function, whose body is validated in passing."""
        at = self.place(function_index)
        bodies = self.bodies
        self.validator.function(function_index, i64(read_i32_le(bodies, at)), i64(read_i32_le(bodies, at + 4)))
        return self.validator.stream_bytes()

    def streams(self, function_index: i64, size: i64) -> list[bytes]:
        """Streams of this and the following functions, until they have so many bytes together or there are no more functions."""
        module = self.module
        bodies = module.bodies
        at: i64 = 8 * (function_index - i64(module.imported_functions))
        end: i64 = len(bodies)
        result: list[bytes] = []
        while at < end and size > 0:
            self.validator.function(function_index, i64(read_i32_le(bodies, at)), i64(read_i32_le(bodies, at + 4)))
            stream = self.validator.stream_bytes()
            result.append(stream)
            size -= i64(len(stream))
            function_index += 1
            at += 8
        return result

    def positions(self, function_index: int) -> bytes:
        """For each word of that stream the offset in the module of the instruction it was made from: one little-endian u32 each."""
        at = self.place(function_index)
        bodies = self.bodies
        return self.validator.position_bytes(function_index, i64(read_i32_le(bodies, at)), i64(read_i32_le(bodies, at + 4)))

"""What can go wrong, as one hierarchy of exceptions."""

from __future__ import annotations

from enum import IntEnum

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


class WasmcoreError(Exception):
    """Base of every error that this project raises on purpose. All can be copied and pickled, and then say the same."""

    def __reduce__(self) -> tuple[object, tuple[Any, ...], dict[str, Any]]:
        # The one of BaseException calls the class with the message, but constructors here take more, or something else.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[WasmcoreError], arguments: tuple[Any, ...]) -> WasmcoreError:
    """An exception as it is before its constructor runs; the attributes follow."""
    return kind.__new__(kind, *arguments)


class CompileError(WasmcoreError, ValueError):
    """The module can not be turned into code; `offset` is the byte offset in the binary, where known."""

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset

    def __str__(self) -> str:
        return self.message if self.offset is None else f"{self.message} (at offset {self.offset:#x})"


class CompileWarning(UserWarning):
    """The code of a module is right, but may be slower than was asked for."""


class DecodeError(CompileError):
    """The bytes are not a WebAssembly module (malformed, in the specification's word)."""


_EXCERPT = 120
"""Characters of a line that are shown before and behind the column of an error: programs write modules of one line."""


class TextError(DecodeError):
    """The text is not a WebAssembly module or script; `line` and `column` count from 1, columns in characters."""

    def __init__(self, message: str, line: int, column: int, source_line: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.source_line = source_line

    def __str__(self) -> str:
        start = max(self.column - 1 - _EXCERPT, 0)
        end = self.column - 1 + _EXCERPT
        before = ("..." if start else "") + self.source_line[start : self.column - 1]
        behind = self.source_line[self.column - 1 : end] + ("..." if len(self.source_line) > end else "")
        blank = "".join("\t" if character == "\t" else " " for character in before)
        return f"{self.message} (line {self.line}, column {self.column})\n  {before}{behind}\n  {blank}^"


class ValidationError(CompileError):
    """The module is well-formed but breaks a rule of the type system (invalid, in the specification's word)."""


class NotCompiledError(CompileError):
    """A valid function has an instruction that the backend does not compile yet: the code of it, and the index of the function."""

    def __init__(self, opcode: int, function: int, offset: int | None = None, message: str = "") -> None:
        super().__init__(message or f"instruction {opcode:#x} of function {function} is not compiled yet", offset)
        self.opcode = opcode
        self.function = function


class ArtifactError(WasmcoreError):
    """Precompiled code can not be used: it is damaged, or made for something else."""


class LinkError(WasmcoreError):
    """An import is missing or has another type than the module asks for."""


class PluginError(WasmcoreError):
    """A backend, target or host module can not be used; the message says why and what to do."""


class Exit(WasmcoreError):
    """The program ended itself through a host function; `code` is its exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code

    def __str__(self) -> str:
        return f"exit code {self.code}"


class StoreBusyError(WasmcoreError):
    """Another thread is running code of the same group of linked instances, and waiting for it would never end, or is not wanted."""


class TrapKind(IntEnum):
    """Why execution stopped."""

    UNREACHABLE = 0
    MEMORY_OUT_OF_BOUNDS = 1
    TABLE_OUT_OF_BOUNDS = 2
    UNDEFINED_ELEMENT = 3
    UNINITIALIZED_ELEMENT = 4
    INDIRECT_CALL_TYPE_MISMATCH = 5
    INTEGER_DIVIDE_BY_ZERO = 6
    INTEGER_OVERFLOW = 7
    INVALID_CONVERSION_TO_INTEGER = 8
    STACK_OVERFLOW = 9
    NULL_REFERENCE = 10
    INTERRUPTED = 11
    OUT_OF_FUEL = 12
    INTERNAL = 13
    UNALIGNED_ATOMIC = 14

    @property
    def text(self) -> str:
        """The reference interpreter's words for it."""
        return _TRAP_TEXTS[self]


_TRAP_TEXTS = (
    "unreachable",
    "out of bounds memory access",
    "out of bounds table access",
    "undefined element",
    "uninitialized element",
    "indirect call type mismatch",
    "integer divide by zero",
    "integer overflow",
    "invalid conversion to integer",
    "call stack exhausted",
    "null reference",
    "interrupted",
    "out of fuel",
    "fault in generated code",
    "unaligned atomic",
)


class Frame(NamedTuple):
    """One WebAssembly call in a backtrace; `offset` is the byte offset in the binary, where known."""

    module_name: str | None
    function_index: int
    function_name: str | None
    offset: int | None

    def __str__(self) -> str:
        name = self.function_name or f"func[{self.function_index}]"
        where = f"{self.module_name}!{name}" if self.module_name else name
        return where if self.offset is None else f"{where} (offset {self.offset:#x})"

    def __repr__(self) -> str:
        return str(self)


class Trap(WasmcoreError):
    """Execution of WebAssembly code was stopped; `kind` says why, `frames` where, innermost first."""

    detail: str = ""
    """Of a fault that should not be (`INTERNAL`): what is known of it, for a report."""

    def __init__(self, kind: TrapKind, frames: Sequence[Frame] = ()) -> None:
        kind = TrapKind(kind)
        super().__init__(kind.text)
        self.kind = kind
        self._frames = frames

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The calls that were active, innermost first."""
        return tuple(self._frames)

    def __str__(self) -> str:
        lines = [f"{self.kind.text} ({self.detail})" if self.detail else self.kind.text]
        lines.extend(f"  at {frame}" for frame in self.frames)
        return "\n".join(lines)

"""What an exception of a host function says: which import it is about, and the WebAssembly functions it went through."""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType, TracebackType

from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.types import NULLABLE_REFERENCE, ValueType, value_type_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from wasmcore.errors import Frame

RAISED: Final = -1
WRONG_COUNT: Final = -2
"""What failed, if it is not the result of that number: see the callback `host_error`."""
LONGEST_INT: Final = 128
"""Bits of an int that is shown."""


def wrong_result(error: BaseException, name: str, results: Sequence[ValueType], what: int, result: Any) -> BaseException:
    """The exception, of the same kind, that says what a host function returned and what is expected of it. What a number raised while it
    was converted stays as it is."""
    is_number = what == WRONG_COUNT or results[what] & 7 < NULLABLE_REFERENCE
    if type(error) not in (TypeError, OverflowError) or (is_number and _raised_by_others(error.__traceback__)):
        return error
    if what == WRONG_COUNT:
        if isinstance(result, tuple):
            return TypeError(f"{name} returned {len(result)} value{'' if len(result) == 1 else 's'}, {len(results)} expected")
        return TypeError(f"{name} returned {shown(result)} where {len(results)} values are expected")
    expected = value_type_name(results[what])
    returned = f"{name} returned {shown(result)}" if len(results) == 1 else f"{name} returned {shown(result[what])} as result {what + 1}"
    if isinstance(error, OverflowError):
        return OverflowError(f"{returned}, which does not fit {expected}")
    return TypeError(f"{returned} where {expected} is expected")


def _raised_by_others(entry: TracebackType | None) -> bool:
    """Whether an exception comes from Python code that is not ours."""
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return entry is not None and str(entry.tb_frame.f_globals.get("__name__")).partition(".")[0] != "wasmcore"


def shown(value: object) -> str:
    """A value in a message: of large and foreign objects only what they are."""
    if value is None or isinstance(value, (bool, float)) or (type(value) is int and value.bit_length() <= LONGEST_INT):
        return repr(value)
    return f"an int of {value.bit_length()} bits" if type(value) is int else f"a Python {type(value).__name__}"


def traceback_entry(following: TracebackType | None, frame: Frame) -> TracebackType:
    """An entry of a traceback for a WebAssembly call, which shows the names of module and function."""
    shown = _frame_object(frame.module_name or "module", frame.function_name or f"func[{frame.function_index}]")[0]
    return TracebackType(following, shown, 0, 1)


@lru_cache(maxsize=1024)
def _frame_object(module: str, function: str) -> tuple[FrameType, object]:
    """The frame of a generator, which holds nothing, not even the frame of a caller; and the generator, which has to stay with it."""
    # Nobody looks for the source of a file with such a name.
    code = _nothing.__code__.replace(co_name=function, co_filename=f"<WebAssembly {module}>", co_firstlineno=1)
    generator = FunctionType(code, {})()
    return generator.gi_frame, generator


def _nothing() -> Iterator[None]:
    yield

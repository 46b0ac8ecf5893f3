"""Functions that are so small that they may stand in place of their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore._native import BytesWriter, i64, read_i64_le, write_i64_le
from wasmcore.plugin.streams import CALLEE_SIZE
from wasmcore.plugin.streams.bodies import Body, UnknownRecord, has_tail_calls
from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_I32, CLASS_I64, CLASS_V128, EXTENDED, HAS_CALLS, HEADER_RECORDS_END, HEADER_WORDS

if TYPE_CHECKING:
    from wasmcore.plugin.streams.bodies import FunctionTypes

SMALL_IN_LOOP: Final = 60
"""Stream words of the largest function that is inlined anywhere."""
MOST_LOCALS: Final = 64
_ZEROS: Final = {CLASS_I32: (0x41,), CLASS_I64: (0x42,), CLASS_F32: (0x43,), CLASS_F64: (0x44,), CLASS_V128: (0x20C | EXTENDED, 0, 0)}
_NULL: Final = (0xD0,)


class Callee:
    """A function that may stand in place of a call of it."""

    def __init__(self, body: Body) -> None:
        self.body: Final = body
        self.calls: Final = body.flags & HAS_CALLS != 0
        self.is_straight: Final = body.falls and body.returns == 1
        """Whether it only returns at its end, so that no block is needed around it."""
        self.weights: Final = body.weights()
        zeroed = any(self.weights[len(body.params) :])
        self.height: Final = max(body.height, int(zeroed))
        """Of the operand stack, above what is below the arguments."""
        self.entry: Final = self._entry()
        """The records that take arguments into locals, which are numbered from 0, and set the other locals to zero."""

    def _entry(self) -> bytes:
        body = self.body
        writer = BytesWriter()
        params = len(body.params)
        for local in reversed(range(params)):
            taken = 0x21 | local << 32 if self.weights[local] else 0x1A
            write_i64_le(writer, taken | body.classes[local] << 16)
        for local in range(params, len(body.classes)):
            if self.weights[local]:
                machine_class = body.classes[local]
                for word in _ZEROS.get(machine_class, _NULL):
                    write_i64_le(writer, word)
                write_i64_le(writer, 0x21 | machine_class << 16 | local << 32)
        return writer.getvalue()


def small_callee(types: FunctionTypes, stream: bytes) -> Callee | None:
    """A function as a callee; None if it is too large, has loops without calls, or does what can not be done elsewhere."""
    words = (read_i64_le(stream, 8 * HEADER_RECORDS_END) >> 3) - HEADER_WORDS
    if words > SMALL_IN_LOOP + MOST_LOCALS or i64(len(stream)) > CALLEE_SIZE or has_tail_calls(stream):
        return None
    body = Body(types, stream)
    if body.size > SMALL_IN_LOOP or len(body.classes) > MOST_LOCALS:
        return None
    try:
        body.look_through()
    except UnknownRecord:
        return None
    return Callee(body) if body.returns and not body.innermost else None

"""Functions that generated code calls through the table of built-ins, `[context.builtins + 8 * number]`."""

from __future__ import annotations

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Final
from wasmcore.stream import CLASS_I32, CLASS_I64, CLASS_REF


class Builtin(NamedTuple):
    """One built-in function.

    With `native`, it is a C function of the platform's C convention. Else it follows the WebAssembly calling convention, the
    context register holding the caller's VMContext; it may trap and may call Python. `poll` is a stub of the target's: it keeps all
    registers, but for the flags.
    """

    name: str
    params: bytes
    results: bytes
    native: bool
    meaning: str


_I32, _I64, _REF = (bytes([c]) for c in (CLASS_I32, CLASS_I64, CLASS_REF))

BUILTINS: Final = (
    Builtin("memmove", _I64 * 3, _I64, True, "C memmove(to, from, bytes)"),
    Builtin("memset", _I64 * 3, _I64, True, "C memset(to, byte, bytes)"),
    Builtin("memory_grow", _I32 + _I64, _I64, False, "(memory, pages) -> old size in pages or -1"),
    Builtin("memory_init", _I32 * 2 + _I64 * 3, b"", False, "(memory, segment, to, from, bytes)"),
    Builtin("data_drop", _I32, b"", False, "(segment)"),
    Builtin("table_grow", _I32 + _I64 + _REF, _I64, False, "(table, elements, value) -> old size or -1"),
    Builtin("table_fill", _I32 + _I64 + _REF + _I64, b"", False, "(table, at, value, elements)"),
    Builtin("table_copy", _I32 * 2 + _I64 * 3, b"", False, "(to table, from table, to, from, elements)"),
    Builtin("table_init", _I32 * 2 + _I64 * 3, b"", False, "(table, segment, to, from, elements)"),
    Builtin("elem_drop", _I32, b"", False, "(segment)"),
    Builtin("trap", _I32, b"", False, "(kind): does not return"),
    Builtin("poll", b"", b"", False, "answers interrupts, keeps all registers but the flags"),
    Builtin("table_function", _I32 * 2 + _I64, _I64, False, "(table, type, index) -> the reference there, checked as by TABLE_FUNCTION"),
)
"""All built-ins, in the order of the table. Sizes and offsets are zero-extended to 64 bits by the caller."""

BUILTIN_NUMBERS: Final = {builtin.name: number for number, builtin in enumerate(BUILTINS)}

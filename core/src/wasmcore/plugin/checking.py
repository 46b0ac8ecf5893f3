"""Whether what a backend gave back is code for the unit it was given."""

from __future__ import annotations

from collections.abc import Container
from itertools import islice
from operator import add, le
from struct import iter_unpack

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import PluginError, TrapKind
from wasmcore.plugin.code import CONTRACT, IN_INLINED, CompiledCode

if TYPE_CHECKING:
    from wasmcore.plugin.unit import CompileUnit

_ROWS: Final = {"functions": 12, "traps": 8, "address_map": 8, "inlined": 12, "callees": 4}
"""Bytes of a row of each table."""
_KINDS: Final = frozenset(int(kind) for kind in TrapKind)


def check(unit: CompileUnit, code: object) -> None:
    """Look at all that can be wrong with code without running it; PluginError that names what gave it, and what is wrong.

    For tests of backends. The runtime itself does what `accepted` does, which takes no time that can be measured.
    """
    found = accepted(unit, code)
    wrong = wrong_tables(found, unit.environment.imported_functions) or _wrong_words(unit, found)
    if wrong is not None:
        raise PluginError(f"backend {found.backend!r} gave wrong code: {wrong}")


def accepted(unit: CompileUnit, code: object, backend: str | None = None) -> CompiledCode:
    """Code that is for this unit, as far as that can be seen at once; PluginError otherwise. `backend`: who gave it, if that is known."""
    wrong = _wrong_kind(code)
    if wrong is None and isinstance(code, CompiledCode):
        wrong = _wrong_maker(unit, code, backend) or _wrong_functions(unit, code)
        if wrong is None:
            return code
    named = backend if backend is not None else getattr(code, "backend", "?")
    raise PluginError(f"backend {named!r} gave wrong code: {wrong}")


def _wrong_kind(code: object) -> str | None:
    if not isinstance(code, CompiledCode):
        return f"a {type(code).__name__} in place of CompiledCode"
    for name in ("code", *_ROWS):
        table = getattr(code, name)
        if not isinstance(table, bytes):
            return f"{name} is a {type(table).__name__}, not bytes"
        if len(table) % _ROWS.get(name, 1):
            return f"{name} has {len(table)} bytes, which are no rows of {_ROWS[name]}"
    return None


def _wrong_maker(unit: CompileUnit, code: CompiledCode, backend: str | None) -> str | None:
    if backend is not None and code.backend != backend:
        return f"it says that {code.backend!r} made it"
    if code.target != unit.target:
        return f"it is for target {code.target!r}, not {unit.target!r}"
    if not code.features <= unit.features:
        return f"it needs {', '.join(sorted(code.features - unit.features))} of the processor, which the unit does not say"
    if code.contract[0] != CONTRACT[0] or code.contract[1] > CONTRACT[1]:
        return f"it follows contract {'.'.join(map(str, code.contract))}, not {'.'.join(map(str, CONTRACT))}"
    return None


def _wrong_functions(unit: CompileUnit, code: CompiledCode) -> str | None:
    table = memoryview(code.functions).cast("I")
    given, starts, sizes = table[0::3].tolist(), table[1::3].tolist(), table[2::3].tolist()
    asked = [int.from_bytes(stream[:4], "little") for stream in unit.streams]
    if unit.wanted < 0 and given != asked:
        return f"it has {_functions(given)}, not {_functions(asked)}"
    if unit.wanted >= 0 and given.count(asked[unit.wanted]) != 1:
        return f"it has not function {asked[unit.wanted]}, which is the one that is wanted"
    ends = list(map(add, starts, sizes))
    if not all(map(le, ends, islice(starts, 1, None))) or (ends and ends[-1] > len(code.code)) or not all(sizes):
        return f"its functions are not one behind the other in {len(code.code)} bytes"
    return None


def _functions(indices: list[int]) -> str:
    shown = ", ".join(map(str, indices[:5]))
    return f"functions {shown}{', ...' if len(indices) > 5 else ''}" if indices else "no functions"


def wrong_tables(code: CompiledCode, imported: int) -> str | None:
    """What is wrong with the entries of the tables of code for functions of a module with so many imported ones; None if nothing is."""
    size, end = len(code.code), 0
    seen: set[int] = set()
    for function, offset, length in iter_unpack("<III", code.functions):
        if function < imported or function in seen:
            return f"function {function} is in it twice or is imported"
        if offset < end or offset + length > size:
            return f"function {function} is not within the code"
        seen.add(function)
        end = offset + length
    if min(memoryview(code.callees).cast("I"), default=imported) < imported:
        return "a callee is an imported function"
    rows = len(code.inlined) // _ROWS["inlined"]
    for number, (_, _, call) in enumerate(iter_unpack("<III", code.inlined)):
        if call >= IN_INLINED + number:
            return "an inlined call is in none that stands before it"
    places = range(IN_INLINED + rows)
    return _wrong_places(code.traps, 1, size, _KINDS, "trap") or _wrong_places(code.address_map, 0, size + 1, places, "place")


def _wrong_places(table: bytes, apart: int, size: int, allowed: Container[int], what: str) -> str | None:
    """Offsets ascend, so many bytes apart at least."""
    last = -apart
    for offset, value in iter_unpack("<II", table):
        if not last + apart <= offset < size:
            return f"a {what} at {offset} is not within the {size} bytes of code, or not behind the one before"
        if value not in allowed:
            return f"a {what} at {offset} is of no known kind"
        last = offset
    return None


def _wrong_words(unit: CompileUnit, code: CompiledCode) -> str | None:
    """Places name words of the streams."""
    words = max([len(stream) // 8 for stream in (*unit.streams, *unit.callees)], default=0)
    known = {int.from_bytes(stream[:4], "little") for stream in (*unit.streams, *unit.callees)}
    for _, place in iter_unpack("<II", code.address_map):
        if words <= place < IN_INLINED:
            return f"a place of the address map is word {place}, where no stream has more than {words}"
    for function, word, call in iter_unpack("<III", code.inlined):
        if function not in known or word >= words or words <= call < IN_INLINED:
            return f"word {word} of function {function} is inlined, which is not in the unit"
    return None

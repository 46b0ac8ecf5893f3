"""Writes the tables of docs/contract.md and docs/lowering.md from the code they describe: `python tools/page_tables.py`."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from wasmcore import stream
from wasmcore.errors import TrapKind
from wasmcore.plugin import builtins, layout
from wasmcore_singlepass import protocol, records
from wasmcore_singlepass.text import OPERANDS

PAGES: Final = [Path(__file__).parents[1] / "docs" / name for name in ("contract.md", "lowering.md")]
_CLASSES: Final = {
    stream.CLASS_I32: "i32",
    stream.CLASS_I64: "i64",
    stream.CLASS_F32: "f32",
    stream.CLASS_F64: "f64",
    stream.CLASS_V128: "v128",
    stream.CLASS_REF: "ref",
}
_HEADER: Final = {
    "HEADER_FUNCTION": "function index",
    "HEADER_TYPE": "type index, into `Environment.signatures`",
    "HEADER_LOCALS": "number of locals, parameters included",
    "HEADER_HEIGHT": "greatest height of the operand stack",
    "HEADER_LABELS": "number of labels",
    "HEADER_FLAGS": "`HAS_CALLS`, `USES_MEMORY`, `HAS_LOOPS`, `HAS_VECTORS`",
    "HEADER_RECORDS_END": "byte offset where the records end and the weights of the locals begin",
    "HEADER_VERSION": "version of the format",
}


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _fields(fields: tuple[layout.Field, ...]) -> Callable[[], str]:
    def rows() -> str:
        at = layout.offsets(fields)
        sizes = [8 * ctypes.sizeof(field.ctype) for field in fields]
        found = [(at[field.name], f"`{field.name}`", f"u{bits}", field.meaning) for field, bits in zip(fields, sizes, strict=True)]
        return _table(("offset", "field", "type", "meaning"), found)

    return rows


def _records() -> str:
    rows = [(", ".join(f"`{name}`" for name in names.split(", ")) if _named(names) else names, fields or "none")
            for names, fields in stream.RECORDS.items()]
    return _table(("record", "fields"), rows)


def _named(names: str) -> bool:
    return " " not in names.replace(", ", "")


def _header() -> str:
    rows = sorted((getattr(stream, name), f"`{name}`", meaning) for name, meaning in _HEADER.items())
    return _table(("word", "name", "meaning"), rows)


def _traps() -> str:
    return _table(("number", "kind", "text"), [(kind.value, f"`{kind.name}`", kind.text) for kind in TrapKind])


def _builtins() -> str:
    rows = [
        (number, f"`{each.name}`", " ".join(_CLASSES[c] for c in each.params), " ".join(_CLASSES[c] for c in each.results) or "none",
         "C" if each.native else "WebAssembly", each.meaning)
        for number, each in enumerate(builtins.BUILTINS)
    ]  # fmt: skip
    return _table(("number", "name", "parameters", "results", "convention", "meaning"), rows)


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _lowering() -> str:
    members = [(name, each) for name, each in vars(protocol.Lowering).items() if name.isupper() or name in protocol.FUNCTIONS]
    rows = [(f"`{name}`", _sentence(each.fget.__doc__ if isinstance(each, property) else each.__doc__)) for name, each in members]
    return _table(("name", "what it is"), rows)


def _operations() -> str:
    rows = [(number, f"`{name}`", f"`{OPERANDS.get(number, '')}`" if number in OPERANDS else "none", meaning)
            for number, (name, meaning) in sorted(records.OPERATIONS.items())]  # fmt: skip
    return _table(("number", "record", "operands", "meaning"), rows)


def _constants(names: Sequence[str]) -> Callable[[], str]:
    def rows() -> str:
        return _table(("number", "name"), [(getattr(records, name), f"`{name}`") for name in names])

    return rows


def _shapes() -> str:
    names = {name: getattr(records, name) for name in vars(records) if name.startswith("SHAPE_")}
    rows = [(f"`{chr(letter)}`", f"`{name.removeprefix('SHAPE_')}`", records.VECTOR_SHAPES.count(letter)) for name, letter in names.items()]
    return _table(("letter", "shape", "instructions"), rows)


_CONDITIONS: Final = (
    *("EQUAL", "NOT_EQUAL", "LESS_S", "GREATER_EQUAL_S", "LESS_U", "GREATER_EQUAL_U"),
    *("GREATER_S", "LESS_EQUAL_S", "GREATER_U", "LESS_EQUAL_U"),
    *("FLOAT_EQUAL", "FLOAT_NOT_EQUAL", "FLOAT_GREATER", "FLOAT_NOT_GREATER", "FLOAT_GREATER_EQUAL", "FLOAT_NOT_GREATER_EQUAL"),
)

TABLES: Final[dict[str, Callable[[], str]]] = {
    "stream header": _header,
    "stream records": _records,
    "trap kinds": _traps,
    "built-ins": _builtins,
    "VMContext": _fields(layout.VMCONTEXT_FIELDS),
    "memory": _fields(layout.MEMORY_FIELDS),
    "table": _fields(layout.TABLE_FIELDS),
    "funcref": _fields(layout.FUNCREF_FIELDS),
    "store": _fields(layout.STORE_FIELDS),
    "thread": _fields(layout.THREAD_FIELDS),
    "activation": _fields(layout.ACTIVATION_FIELDS),
    "process": _fields(layout.PROCESS_FIELDS),
    "target": _lowering,
    "operations": _operations,
    "ALU": _constants(("ADD", "SUB", "AND", "OR", "XOR", "MUL")),
    "SHIFT": _constants(("SHL", "SHR_S", "SHR_U", "ROTL", "ROTR")),
    "DIVIDE": _constants(("DIV_S", "DIV_U", "REM_S", "REM_U", "DIVISOR_SAFE")),
    "UNARY": _constants(("CLZ", "CTZ", "POPCNT", "EXTEND8", "EXTEND16", "EXTEND32")),
    "FLOAT_ALU": _constants(tuple(f"FLOAT_{name}" for name in ("ADD", "SUB", "MUL", "DIV", "MIN", "MAX", "COPYSIGN"))),
    "FLOAT_UNARY": _constants(tuple(f"FLOAT_{name}" for name in ("ABS", "NEG", "CEIL", "FLOOR", "TRUNC", "NEAREST", "SQRT"))),
    "ATOMIC_UPDATE": _constants(tuple(f"ATOMIC_{name}" for name in ("ADD", "SUB", "AND", "OR", "XOR", "EXCHANGE"))),
    "conditions": _constants(_CONDITIONS),
    "shapes": _shapes,
}
"""Text of each table, by the name that its place in the page has."""

_PLACE: Final = re.compile(r"<!-- table: (.+?) -->\n(.*?)<!-- end -->", re.DOTALL)


def places(page: str) -> list[str]:
    """Names of the tables that a page has."""
    return [name for name, _ in _PLACE.findall(page)]


def filled(page: str) -> str:
    """The page with its tables as the code has them."""
    return _PLACE.sub(lambda place: f"<!-- table: {place[1]} -->\n{TABLES[place[1]]()}\n<!-- end -->", page)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8")), "utf-8")

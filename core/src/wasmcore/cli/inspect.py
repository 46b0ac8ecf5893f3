"""`wasmcore inspect`: what a module is made of, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TextIO

from wasmcore.binary import ModuleInfo, decode
from wasmcore.binary.module_info import (
    ACTIVE,
    KIND_FUNCTION,
    KIND_GLOBAL,
    KIND_MEMORY,
    KIND_NAMES,
    KIND_TABLE,
    KIND_TAG,
    PASSIVE,
    ArrayType,
    StructType,
    SubType,
)
from wasmcore.binary.sections import SECTION_NAMES, sections
from wasmcore.cli.output import standard_output
from wasmcore.cli.report import naming, read_module, source_name, visible
from wasmcore.cli.run import enabled_features
from wasmcore.cli.tables import show_table
from wasmcore.types import FuncType, value_type_name

_MODES: Final = ("active", "passive", "declarative")
_PACKED: Final = {-8: "i8", -16: "i16"}


class Part(NamedTuple):
    """One table of the description."""

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def inspect(file: str, as_json: bool, enable: Sequence[str]) -> int:
    """Describe one module on standard output."""
    features = enabled_features(enable)
    data = read_module(file)
    with naming(file):
        info = decode(data, features)
    parts = describe(info)
    with standard_output() as output:
        (_write_json if as_json else _write_tables)(output, source_name(file), info, parts)
    return 0


def _write_json(output: TextIO, file: str, info: ModuleInfo, parts: Sequence[Part]) -> None:
    import json

    tables = {part.title.lower(): [dict(zip(part.heads, row, strict=True)) for row in part.rows] for part in parts}
    summary = {"file": file, "size": len(info.data), "name": info.names.module, "start": info.start}
    print(json.dumps({**summary, **tables}, indent=2), file=output)


def _write_tables(output: TextIO, file: str, info: ModuleInfo, parts: Sequence[Part]) -> None:
    name = f" ({info.names.module})" if info.names.module else ""
    start = "" if info.start is None else f", starts with {_function(info, info.start)}"
    summary = f"{file}{name}: {len(info.data)} bytes, {info.function_count} functions ({info.imported_functions} imported){start}"
    print(f"{visible(summary)}\n", file=output)
    for part in parts:
        show_table(output, part.title, part.heads, part.rows)


def describe(info: ModuleInfo) -> list[Part]:
    """Everything that a module declares."""
    return [Part(title, heads, list(rows(info))) for title, heads, rows in _PARTS]


def _sections(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    custom = iter(info.custom_sections)
    for number, start, end in sections(info.data):
        yield SECTION_NAMES[number], next(custom).name if number == 0 else "", start, end - start


def _types(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for index, each in enumerate(info.types):
        yield index, type_text(each)


def type_text(defined: SubType) -> str:
    """A defined type in one line."""
    composite = defined.composite
    if isinstance(composite, FuncType):
        text = str(composite)
    elif isinstance(composite, StructType):
        text = f"struct {{{', '.join(_field(field.storage, field.mutable) for field in composite.fields)}}}"
    else:
        assert isinstance(composite, ArrayType)
        text = f"array {_field(composite.element.storage, composite.element.mutable)}"
    above = f" sub {' '.join(map(str, defined.supertypes))}" if defined.supertypes else ""
    return text + above


def _field(storage: int, mutable: bool) -> str:
    name = _PACKED.get(storage) or value_type_name(storage)
    return f"mut {name}" if mutable else name


def _imports(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for each in info.imports:
        yield each.module, each.name, KIND_NAMES[each.kind], each.index, _bare(each.kind, str(each.type))


def _exports(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for each in info.exports:
        yield each.name, KIND_NAMES[each.kind], each.index, _bare(each.kind, str(info.extern_type(each.kind, each.index)))


def _bare(kind: int, text: str) -> str:
    """A type's text without its kind, which stands in a column of its own."""
    return text.removeprefix(f"{KIND_NAMES[kind]} ")


def _functions(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for index in range(info.imported_functions, info.function_count):
        start, end = info.body(index)
        yield index, info.names.functions.get(index, ""), str(info.extern_type(KIND_FUNCTION, index)), start, end - start


def _space(kind: int, items: Callable[[ModuleInfo], tuple[Any, ...]]) -> Callable[[ModuleInfo], Iterator[tuple[Any, ...]]]:
    def rows(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
        imported = info.imported(kind)
        for index in range(len(items(info))):
            yield index, "imported" if index < imported else "defined", _bare(kind, str(info.extern_type(kind, index)))

    return rows


def _elements(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for index, each in enumerate(info.elements):
        yield index, _MODES[each.mode], each.table if each.mode == ACTIVE else "", value_type_name(each.type), len(each)


def _data(info: ModuleInfo) -> Iterator[tuple[Any, ...]]:
    for index, each in enumerate(info.data_segments):
        yield index, _MODES[each.mode], "" if each.mode == PASSIVE else each.memory, each.start, each.end - each.start


def _function(info: ModuleInfo, index: int) -> str:
    name = info.function_name(index)
    return f"function {index} ({name})" if name else f"function {index}"


_SPACE: Final = ("index", "origin", "type")
_PARTS: Final[tuple[tuple[str, tuple[str, ...], Callable[[ModuleInfo], Iterator[tuple[Any, ...]]]], ...]] = (
    ("Sections", ("section", "name", "offset", "size"), _sections),
    ("Types", ("index", "type"), _types),
    ("Imports", ("module", "name", "kind", "index", "type"), _imports),
    ("Exports", ("name", "kind", "index", "type"), _exports),
    ("Tables", _SPACE, _space(KIND_TABLE, lambda info: info.tables)),
    ("Memories", _SPACE, _space(KIND_MEMORY, lambda info: info.memories)),
    ("Globals", _SPACE, _space(KIND_GLOBAL, lambda info: info.globals)),
    ("Tags", _SPACE, _space(KIND_TAG, lambda info: info.tags)),
    ("Elements", ("index", "mode", "table", "type", "length"), _elements),
    ("Data", ("index", "mode", "memory", "offset", "size"), _data),
    ("Functions", ("index", "name", "type", "offset", "size"), _functions),
)
"""The tables, in order."""

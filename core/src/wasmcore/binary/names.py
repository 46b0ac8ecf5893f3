"""The `name` custom section (specification, appendix "Custom Sections", and the extended-name-section proposal)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import Names
from wasmcore.binary.reader import Reader
from wasmcore.errors import CompileError, DecodeError

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

MODULE: Final = 0
FUNCTIONS: Final = 1
LOCALS: Final = 2
LABELS: Final = 3
TYPES: Final = 4
TABLES: Final = 5
MEMORIES: Final = 6
GLOBALS: Final = 7
ELEMENTS: Final = 8
DATA: Final = 9
FIELDS: Final = 10
TAGS: Final = 11
PARAMETERS: Final = 12
"""Of function types, by type index; no part of the proposal, but other tools write it."""

_NESTED: Final = frozenset((LOCALS, LABELS, FIELDS, PARAMETERS))

NameMap = Mapping[int, str]
"""Names by index."""


class AllNames:
    """Everything that a `name` section says, by the numbers of its parts (`FUNCTIONS`, `TYPES`, ...)."""

    def __init__(self) -> None:
        self.module: str | None = None
        self._maps: dict[int, dict[int, str]] = {}
        self._nested: dict[int, dict[int, dict[int, str]]] = {}

    def of(self, part: int) -> NameMap:
        """Names of functions, types, tables, memories, globals, segments or tags."""
        return self._maps.get(part, {})

    def nested(self, part: int) -> Mapping[int, NameMap]:
        """Names of locals and labels, by function index, or of fields and parameters, by type index."""
        return self._nested.get(part, {})

    def read(self, part: int, reader: Reader) -> None:
        """Read one part; one that is unknown is passed over."""
        if part == MODULE:
            self.module = reader.name()
        elif part in _NESTED:
            maps = self._nested.setdefault(part, {})
            for _ in range(reader.count()):
                index = int(reader.u32())
                _read_map(reader, maps.setdefault(index, {}))
        elif part <= TAGS:
            _read_map(reader, self._maps.setdefault(part, {}))
        else:
            reader.position = reader.end


def read_names(module: ModuleInfo) -> Names:
    """Names of the module and its functions; what follows a malformed part is left out, since names change nothing."""
    module_name: str | None = None
    functions: dict[int, str] = {}
    section = next((section for section in module.custom_sections if section.name == "name"), None)
    if section is None:
        return Names(None, functions)
    try:
        for part, reader in _parts(module.data, section.start, section.end):
            if part == MODULE:
                module_name = reader.name()
            elif part == FUNCTIONS:
                _read_map(reader, functions)
    except CompileError:
        pass
    return Names(module_name, functions)


def read_all_names(module: ModuleInfo) -> AllNames:
    """Names of everything. Raises DecodeError unless the module has one `name` section at most, and that is well-formed."""
    names = AllNames()
    sections = [section for section in module.custom_sections if section.name == "name"]
    if len(sections) > 1:
        raise DecodeError("more than one name section", sections[1].start)
    for section in sections:
        for part, reader in _parts(module.data, section.start, section.end):
            names.read(part, reader)
            if reader.position != reader.end:
                raise DecodeError("length mismatch in the name section", reader.position)
    return names


def _parts(data: bytes, start: int, end: int) -> Iterator[tuple[int, Reader]]:
    """Number of each part of the section, and a reader of its content."""
    outer = Reader(data, start, end, frozenset())
    while outer.position < end:
        part = int(outer.byte())
        size = outer.u32()
        at = outer.skip(size)
        yield part, Reader(data, at, at + size, frozenset())


def _read_map(reader: Reader, names: dict[int, str]) -> None:
    for _ in range(reader.count()):
        index = int(reader.u32())
        names[index] = reader.name()

"""Identifiers, from the `name` section, and how definitions and uses are written with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, final

from wasmcore.binary.names import (
    DATA,
    ELEMENTS,
    FIELDS,
    FUNCTIONS,
    GLOBALS,
    LABELS,
    LOCALS,
    MEMORIES,
    PARAMETERS,
    TABLES,
    TAGS,
    TYPES,
    AllNames,
)
from wasmcore.text.printer_literals import name_text
from wasmcore.types import HEAP_CONCRETE, NULLABLE_REFERENCE, REFERENCE, heap_type_name, value_type_name

if TYPE_CHECKING:
    from wasmcore.binary.names import NameMap
    from wasmcore.types import FuncType

_PLAIN: Final = re.compile(r"[0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]+")
_LONGEST: Final = 500
"""Longer names (in characters) are written where the thing is defined only, since every use would repeat them."""


def identifier(name: str) -> str:
    """`$name`, or `$"name"` with quotes where it needs them; empty if a name can be no identifier."""
    if not name or len(name) > _LONGEST:
        return ""
    return f"${name}" if _PLAIN.fullmatch(name) else f"${name_text(name)}"


def annotation(name: str) -> str:
    """`(@name "...")`: a name without an identifier."""
    return f"(@name {name_text(name)})"


@final
class IndexSpace:
    """How the things of one index space are called."""

    def __init__(self, names: NameMap) -> None:
        uses = Counter(names.values())
        self.names: Final = names
        self.identifiers: Final = {index: name for index, name in ((i, identifier(n)) for i, n in names.items() if uses[n] == 1) if name}

    def use(self, index: int) -> str:
        """Identifier or number."""
        return self.identifiers.get(index) or str(index)

    def named(self, index: int) -> str:
        """Identifier or name annotation; empty for what has no name."""
        found = self.identifiers.get(index)
        if found is None and index in self.names:
            return annotation(self.names[index])
        return found or ""

    def definition(self, index: int) -> str:
        """What stands behind the keyword of a definition: a blank, the identifier or the number in a comment, and the name without one."""
        if index in self.identifiers:
            return " " + self.identifiers[index]
        if index in self.names:
            return f" {annotation(self.names[index])} (;{index};)"
        return f" (;{index};)"


@final
class Identifiers:
    """The index spaces of a module, and types written with the identifiers of types."""

    def __init__(self, names: AllNames) -> None:
        self.module: Final = names.module
        self.functions: Final = IndexSpace(names.of(FUNCTIONS))
        self.types: Final = IndexSpace(names.of(TYPES))
        self.tables: Final = IndexSpace(names.of(TABLES))
        self.memories: Final = IndexSpace(names.of(MEMORIES))
        self.globals: Final = IndexSpace(names.of(GLOBALS))
        self.elements: Final = IndexSpace(names.of(ELEMENTS))
        self.data: Final = IndexSpace(names.of(DATA))
        self.tags: Final = IndexSpace(names.of(TAGS))
        self.fields: Final = {index: IndexSpace(fields) for index, fields in names.nested(FIELDS).items()}
        self._parameters: Final = names.nested(PARAMETERS)
        self._locals: Final = names.nested(LOCALS)
        self._labels: Final = names.nested(LABELS)
        self._value_types: dict[int, str] = {}

    def parameters(self, type_index: int) -> IndexSpace:
        """Parameters of a function type."""
        return IndexSpace(self._parameters.get(type_index, _NONE))

    def locals(self, function: int) -> IndexSpace:
        """Parameters and locals of a function."""
        return IndexSpace(self._locals.get(function, _NONE))

    def labels(self, function: int) -> Mapping[int, str]:
        """Names of the blocks of a function, by their order."""
        return self._labels.get(function, _NONE)

    def field(self, type_index: int, field: int) -> str:
        """The use of a field."""
        fields = self.fields.get(type_index)
        return str(field) if fields is None else fields.use(field)

    def declarations(self, keyword: str, types: Sequence[int], first: int, names: IndexSpace) -> str:
        """Parameters or locals from the number `first` on: those with names one by one, others together; each with a blank before."""
        parts: list[str] = []
        together: list[str] = []
        for index, value_type in enumerate(types, first):
            name = names.named(index)
            text = self.value_type(value_type)
            if name:
                if together:
                    parts.append(f" ({keyword} {' '.join(together)})")
                    together = []
                parts.append(f" ({keyword} {name} {text})")
            else:
                together.append(text)
        if together:
            parts.append(f" ({keyword} {' '.join(together)})")
        return "".join(parts)

    def signature(self, function: FuncType, names: IndexSpace | None = None) -> str:
        """Parameters and results, each with a blank before."""
        params = self.declarations("param", function.params, 0, names or _NAMELESS)
        return params + self.declarations("result", function.results, 0, _NAMELESS)

    def heap_type(self, heap_type: int) -> str:
        """A heap type."""
        return heap_type_name(heap_type) if heap_type < HEAP_CONCRETE else self.types.use(heap_type - HEAP_CONCRETE)

    def reference_type(self, heap_type: int, nullable: bool) -> str:
        """A reference type, written out."""
        return f"(ref {'null ' if nullable else ''}{self.heap_type(heap_type)})"

    def value_type(self, value_type: int) -> str:
        """A value type."""
        text = self._value_types.get(value_type)
        if text is None:
            kind = value_type & 7
            if kind >= NULLABLE_REFERENCE and value_type >> 3 >= HEAP_CONCRETE:
                text = self.reference_type(value_type >> 3, kind != REFERENCE)
            else:
                text = value_type_name(value_type)
            self._value_types[value_type] = text
        return text


_NONE: Final[Mapping[int, str]] = {}
_NAMELESS: Final = IndexSpace(_NONE)

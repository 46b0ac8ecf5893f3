"""The `name` custom section (specification, appendix "Custom Sections")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.binary.module_info import Names
from wasmcore.binary.reader import Reader
from wasmcore.errors import CompileError

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_MODULE: Final = 0
_FUNCTIONS: Final = 1


def read_names(module: ModuleInfo) -> Names:
    """Names of the module and its functions; what follows a malformed part is left out, since names change nothing."""
    module_name: str | None = None
    functions: dict[int, str] = {}
    section = next((section for section in module.custom_sections if section.name == "name"), None)
    if section is None:
        return Names(None, functions)
    reader = Reader(module.data, section.start, section.end, frozenset())
    try:
        while reader.position < section.end:
            reader.end = section.end
            kind = reader.byte()
            size = reader.u32()
            reader.end = reader.position + size
            if reader.end > section.end:
                break
            if kind == _MODULE:
                module_name = reader.name()
            elif kind == _FUNCTIONS:
                for _ in range(reader.count()):
                    index = int(reader.u32())
                    functions[index] = reader.name()
            reader.position = reader.end
    except CompileError:
        pass
    return Names(module_name, functions)

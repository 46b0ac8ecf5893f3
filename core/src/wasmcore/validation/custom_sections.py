"""Custom sections that say something of the code: the branch hints (`metadata.code.branch_hint`, of that proposal).

What is wrong in a custom section does not make a module invalid, so `validate` does not look here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore.binary.reader import Reader
from wasmcore.errors import DecodeError, ValidationError

if TYPE_CHECKING:
    from wasmcore.binary.module_info import CustomSection, ModuleInfo

_BRANCH_HINTS: Final = "metadata.code.branch_hint"
_IF: Final = 0x04
_BR_IF: Final = 0x0D


def validate_custom_sections(module: ModuleInfo) -> None:
    """Check the branch hints of a valid module: DecodeError where they are malformed, ValidationError where they hint at no branch."""
    found = [section for section in module.custom_sections if section.name == _BRANCH_HINTS]
    if len(found) > 1:
        raise DecodeError(f"custom section {_BRANCH_HINTS}: multiple sections", found[1].start)
    for section in found:
        _check_branch_hints(module, section)


def _check_branch_hints(module: ModuleInfo, section: CustomSection) -> None:
    """Functions in order, and for each of them its hints in order: offset from the start of the body, size 1, the hint."""
    reader = Reader(module.data, section.start, section.end, frozenset())
    last_function = -1
    for _ in range(reader.count()):
        at = reader.position
        function = reader.u32()
        if not last_function < function < module.function_count or function < module.imported_functions:
            raise ValidationError(f"branch hints: unexpected function {function}", at)
        last_function = function
        start, end = module.body(function)
        last_offset = -1
        for _ in range(reader.count()):
            at = reader.position
            offset = reader.u32()
            if not last_offset < offset < end - start or module.data[start + offset] not in (_IF, _BR_IF):
                raise ValidationError(
                    f"@metadata.code.branch_hint annotation: invalid target at offset {offset} of function {function}", at
                )
            last_offset = offset
            if reader.u32() != 1 or reader.byte() > 1:
                raise DecodeError("branch hints: a hint is one byte, 0 or 1", at)
    if reader.position != section.end:
        raise DecodeError("branch hints: section size mismatch", reader.position)

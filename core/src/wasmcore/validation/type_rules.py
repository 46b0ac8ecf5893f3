"""Rules for the types that a module defines (specification, section 3.2.11 "Recursive Types")."""

from __future__ import annotations

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import ValidationError

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.validation.subtyping import TypeRelations

_MAX_DEPTH: Final = 63
"""Most supertypes above a type; an implementation limit of the JavaScript API."""


def check_supertypes(module: ModuleInfo, relations: TypeRelations) -> None:
    """Check the declared supertypes; the decoder has seen to it that they stand before their subtypes."""
    types = module.types
    depths: dict[int, int] = {}
    index = -1
    for item in types:
        index += 1
        if not item.supertypes:
            continue
        offset = module.type_offsets[index]
        if len(item.supertypes) > 1:
            raise ValidationError(f"sub type {index} has {len(item.supertypes)} supertypes, one is allowed", offset)
        above = item.supertypes[0]
        if types[above].final:
            raise ValidationError(f"sub type {index} does not match super type {above}, which is final", offset)
        depth = depths.get(above, 0) + 1
        if depth > _MAX_DEPTH:
            raise ValidationError(f"sub type {index} is too deep, the limit is {_MAX_DEPTH} supertypes", offset)
        depths[index] = depth
        if not relations.composite_type_matches(item.composite, types[above].composite):
            raise ValidationError(f"sub type {index} does not match super type {above}", offset)

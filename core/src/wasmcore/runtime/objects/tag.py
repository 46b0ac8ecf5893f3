"""Exception tags."""

from __future__ import annotations

from collections.abc import Sequence

from wasmcore.runtime.objects.type_ids import type_id
from wasmcore.types import FuncType, TagType, ValueType, as_value_types


class Tag:
    """An exception tag: `Tag(["i32"])`. Two tags are never the same, whatever their types."""

    __slots__ = ("type", "type_id")

    def __init__(self, params: Sequence[ValueType | str]) -> None:
        function = FuncType(as_value_types(params), ())
        self.type = TagType(function)
        self.type_id = type_id(function)

    @classmethod
    def of_type(cls, tag_type: TagType, identity: int) -> Tag:
        """A tag of this process type, and the type id of its function type."""
        tag = cls.__new__(cls)
        tag.type = tag_type
        tag.type_id = identity
        return tag

    def __repr__(self) -> str:
        return f"<wasmcore.Tag {self.type}>"

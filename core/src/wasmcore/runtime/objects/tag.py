"""Exception tags."""

from __future__ import annotations

from collections.abc import Sequence

from wasmcore.runtime.objects.type_ids import type_id, value_types
from wasmcore.runtime.system.resources import Unique
from wasmcore.types import FuncType, TagType, ValueType


class Tag(Unique):
    """An exception tag: `Tag(["i32"])`. Two tags are never the same, whatever their types."""

    __slots__ = ("__weakref__", "_type", "_type_id")
    _instead = ": a copy would be another tag, so use the same"

    def __init__(self, params: Sequence[ValueType | str]) -> None:
        function = FuncType(value_types(params), ())
        self._setup(TagType(function), type_id(function))

    def _setup(self, tag_type: TagType, identity: int) -> None:
        self._made_once("_type")
        self._type_id = identity
        self._type = tag_type

    @property
    def type(self) -> TagType:
        """The types of what it carries."""
        return self._type

    def __repr__(self) -> str:
        return f"<wasmcore.Tag {self.type}>"


def new_tag(tag_type: TagType, identity: int) -> Tag:
    """A tag of this process type, and the type id of its function type."""
    tag = Tag.__new__(Tag)
    tag._setup(tag_type, identity)
    return tag

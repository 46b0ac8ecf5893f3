"""The exports of an instance."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping

from wasmcore._arguments import choices
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.runtime.system.resources import Unique

if TYPE_CHECKING:
    from wasmcore.binary.module_info import Export
    from wasmcore.runtime.instances.instance import InstanceState


class Exports(Unique, Mapping[str, Any]):
    """The exports of an instance, as attributes and as a mapping: `exports.add(2, 3)`, `exports["add"]`.

    The module's names come first: where it exports `get`, `exports.get` is that export, not the method of mappings, which
    `Mapping.get(exports, name)` still calls. Names between double underscores are Python's: `exports["__class__"]` is an export,
    `exports.__class__` is not. Item access, `in`, `len`, iteration, `==`, `dict(exports)` and `{**exports}` work whatever the names are.

    KeyError and AttributeError say what there is.
    """

    _instead = ": dict(exports) has what is exported"

    __state: InstanceState
    __items: dict[str, Export]

    def __init__(self, state: InstanceState, items: dict[str, Export]) -> None:
        self.__dict__.update(_Exports__state=state, _Exports__items=items)
        for name in items.keys() & _METHODS:
            self.__dict__[name] = self[name]

    def __getitem__(self, name: str) -> Any:
        item = self.__items.get(name)
        if item is None:
            raise KeyError(_missing(name, self.__items))
        return self.__state.export(item.kind, item.index)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" == name[-2:]:
            raise AttributeError(f"exports have no attribute {name!r}; what is exported as that is exports[{name!r}]")
        if name not in self.__items:
            raise AttributeError(_missing(name, self.__items))
        value = self.__dict__[name] = self[name]
        return value

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"exports can not be replaced; a variable is set by exports.{name}.value = {value!r}")

    def __contains__(self, name: object) -> bool:
        return name in self.__items

    def __iter__(self) -> Iterator[str]:
        return iter(self.__items)

    def __len__(self) -> int:
        return len(self.__items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and dict(ItemsView(self)) == dict(ItemsView(other))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__items})

    def __repr__(self) -> str:
        return f"<exports: {', '.join(self.__items)}>"


class _ExportsWithKeys(Exports, dict[str, Any]):
    """Exports with one of the name `keys`: `dict` calls that of every mapping but of its own kind, of which it copies the content."""

    def __init__(self, state: InstanceState, items: dict[str, Export]) -> None:
        super().__init__(state, items)
        dict.update(self, {name: self[name] for name in items})

    __iter__ = dict.__iter__  # what `dict` knows its own kind by


_METHODS: Final = frozenset(name for name in dir(_ExportsWithKeys) if not name.startswith("__"))
"""Attributes that a name of a module takes the place of."""


def _missing(name: object, items: dict[str, Export]) -> str:
    return f"nothing is exported as {name!r}; {choices(name, items)}"


def exports_of(state: InstanceState) -> Exports:
    """The exports of an instance."""
    items = state.template.exports
    return (_ExportsWithKeys if "keys" in items else Exports)(state, items)

"""Linking instances by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wasmcore._instance import Instance

if TYPE_CHECKING:
    from wasmcore._module import Module


class Linker:
    """Names for what modules import: define values, instantiate modules against them, use their exports for the next."""

    def __init__(self, *, host_options: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._names: dict[str, dict[str, Any]] = {}
        self._host_options = host_options

    def define(self, module: str, name: str, value: Any) -> None:
        """Provide one import."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise TypeError(f"an import has two names, such as 'env', 'log', not {module!r}, {name!r}")
        self._names.setdefault(module, {})[name] = value

    def define_instance(self, module: str, instance: Instance) -> None:
        """Provide all exports of an instance under a module name."""
        if not isinstance(instance, Instance):
            raise TypeError(f"a wasmcore.Instance is expected, not {type(instance).__name__}")
        self._names.setdefault(module, {}).update(instance.exports)

    def instantiate(self, module: Module, *, name: str | None = None, release_gil: bool = False, wait: bool = True) -> Instance:
        """An instance of a module, its exports defined under `name` for those that follow; see `Instance`."""
        instance = Instance(module, self._names, host_options=self._host_options, release_gil=release_gil, wait=wait)
        if name is not None:
            self.define_instance(name, instance)
        return instance

    def __copy__(self) -> Linker:
        other = Linker(host_options=self._host_options)
        other._names = {module: dict(values) for module, values in self._names.items()}
        return other

    def __repr__(self) -> str:
        return f"<wasmcore.Linker of {', '.join(self._names) or 'no modules'}>"

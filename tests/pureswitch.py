"""The uncompiled twin of a compiled distribution in the same process, to compare what both make.

Two ways: `load(name)` imports a module and all it needs of this project afresh from the `.py` files; `WASMCORE_IMPORT=py` in the
environment and `install()` do the same for a whole process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIXES = ("wasmcore.", "wasmcore_")
KEPT = ("wasmcore.errors", "wasmcore.types", "wasmcore.plugin")
"""Modules that are never compiled and stay the same for both twins, so that their classes are."""


class SourceFinder(MetaPathFinder):
    """Finds the `.py` files of this project's packages even where extension modules lie beside them."""

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The source file of a module in a package of this project."""
        if fullname.startswith(PREFIXES):
            for folder in path if path is not None else sys.path:
                spec = FileFinder(folder or ".", (SourceFileLoader, [".py"])).find_spec(fullname)
                if spec is not None:
                    return spec
        return None


def install() -> None:
    """Use the source files from now on, when `WASMCORE_IMPORT=py`."""
    if os.environ.get("WASMCORE_IMPORT") == "py":
        sys.meta_path.insert(0, SourceFinder())


def _project_modules() -> list[str]:
    return [name for name in sys.modules if (name + ".").startswith(PREFIXES) and not (name + ".").startswith(tuple(f"{k}." for k in KEPT))]


@contextmanager
def source_modules() -> Iterator[None]:
    """Inside, imports of this project's modules give uncompiled twins."""
    import_module("wasmcore.errors")
    saved = {name: sys.modules.pop(name) for name in _project_modules() if name != "wasmcore"}
    finder = SourceFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in _project_modules():
            if name != "wasmcore":
                del sys.modules[name]
        sys.modules.update(saved)
        _restore_attributes(saved)


def _restore_attributes(modules: dict[str, ModuleType]) -> None:
    """Imports of twins have set the attributes of the packages to them."""
    for name, module in modules.items():
        parent, _, last = name.rpartition(".")
        if parent in sys.modules:
            setattr(sys.modules[parent], last, module)


def load(name: str) -> ModuleType:
    """The uncompiled twin of a module."""
    with source_modules():
        return import_module(name)


def is_compiled(module: ModuleType) -> bool:
    """Whether a module is an extension module."""
    return not (module.__file__ or "").endswith(".py")

"""Tells builds of the same version apart, for who works on a compiler: nobody raises the version at each edit."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.plugin.entry_points import entries

if TYPE_CHECKING:
    from wasmcore.compile.engine import Engine

_SOURCES: Final = (".py", ".so", ".pyd")
_seen: Final[dict[tuple[str, ...], bytes]] = {}


def build_of(engine: Engine) -> bytes:
    """A digest of names, sizes and times of change of the files of wasmcore, of the backend with what it is made of, of the target, and of
    what makes the backend compile for it, which may be in a third distribution: entry points named like the target, in the group
    `PACKAGE.targets` of one of the backend's packages."""
    backends = (_package(engine.backend), *getattr(engine.backend, "packages", ()))
    points = [point for package in backends for point in entries(f"{package}.targets") if point.name == engine.target.name]
    lowerings = [point.value.partition(":")[0].partition(".")[0].strip() for point in points]
    packages = tuple(sorted({"wasmcore", *backends, _package(engine.target), *lowerings}))
    found = _seen.get(packages)
    if found is None:
        from hashlib import sha256

        listing = [line for package in packages for line in _files(package)]
        found = _seen[packages] = sha256("\n".join(listing).encode("utf-8", "surrogateescape")).digest()[:16]
    return found


def _package(plugin: object) -> str:
    return type(plugin).__module__.partition(".")[0]


def _folders(package: str) -> list[str]:
    """Where a package is, imported or not; of a module without a folder of its own, the folder it is in."""
    module = sys.modules.get(package)
    spec = module.__spec__ if module is not None else find_spec(package)
    if spec is None:
        return []
    return list(spec.submodule_search_locations or [os.path.dirname(spec.origin or "")])


def _files(package: str) -> list[str]:
    """One line per file of a package."""
    lines = []
    for folder in _folders(package):
        waiting = [folder]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as items:
                    for item in sorted(items, key=lambda item: item.name):
                        if item.name.endswith(_SOURCES):
                            status = item.stat()
                            lines.append(f"{package} {item.path[len(folder) :]} {status.st_size} {status.st_mtime_ns}")
                        elif item.name != "__pycache__" and item.is_dir():
                            waiting.append(item.path)
            except OSError:
                continue  # in an archive: the version has to do
    return lines

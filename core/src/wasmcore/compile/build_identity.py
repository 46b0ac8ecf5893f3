"""Tells builds of the same version apart, for who works on a compiler: nobody raises the version at each edit."""

from __future__ import annotations

import os
import sys

from wasmcore._typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasmcore.compile.engine import Engine

_SOURCES: Final = (".py", ".so", ".pyd")
_seen: Final[dict[tuple[str, ...], bytes]] = {}


def build_of(engine: Engine) -> bytes:
    """A digest of names, sizes and times of change of the files of wasmcore, of the backend and of the target."""
    packages = tuple(sorted({"wasmcore", _package(engine.backend), _package(engine.target)}))
    found = _seen.get(packages)
    if found is None:
        from hashlib import sha256

        listing = [line for package in packages for line in _files(package)]
        found = _seen[packages] = sha256("\n".join(listing).encode("utf-8", "surrogateescape")).digest()[:16]
    return found


def _package(plugin: object) -> str:
    return type(plugin).__module__.partition(".")[0]


def _files(package: str) -> list[str]:
    """One line per file of a package."""
    module = sys.modules.get(package)
    lines = []
    for folder in getattr(module, "__path__", None) or [os.path.dirname(getattr(module, "__file__", None) or "")]:
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

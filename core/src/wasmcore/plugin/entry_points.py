"""Entry points of one group, read straight from the `*.dist-info` folders on `sys.path`.

`importlib.metadata` gives the same answer, but importing and asking it costs ten times as much (29 ms against 2.5); it is used
where `sys.path` has something else than folders or another finder brings distributions.
"""

from __future__ import annotations

import os
import sys

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TypeAlias

_OWN_FINDERS = frozenset({"_frozen_importlib_external", "importlib_metadata"})
"""Modules of the finders on `sys.meta_path` that look for distributions only in the folders of `sys.path`."""
_LIBRARY_ARCHIVE = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"


class Entry(NamedTuple):
    """One entry point."""

    name: str
    distribution: str
    value: str

    def load(self) -> object:
        """Import what the entry point names."""
        from importlib import import_module

        module, _, attributes = self.value.partition("[")[0].strip().partition(":")
        found: object = import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            found = getattr(found, attribute)
        return found


def entries(group: str) -> list[Entry]:
    """All entry points of a group, sorted; of several distributions of one name, those of the first on `sys.path`."""
    if _only_folders():
        return sorted(_in_folders().get(group, ()))
    from importlib.metadata import entry_points

    return sorted({Entry(point.name, point.dist.name if point.dist else "?", point.value) for point in entry_points(group=group)})


def _only_folders() -> bool:
    """Whether all distributions are folders directly below those of `sys.path`."""
    for finder in sys.meta_path:
        if hasattr(finder, "find_distributions") and getattr(finder, "__module__", "") not in _OWN_FINDERS:
            return False
    return not any(path.endswith(".egg") or (os.path.isfile(path) and not path.endswith(_LIBRARY_ARCHIVE)) for path in sys.path)


_Groups: TypeAlias = dict[str, list[Entry]]
_scanned: dict[tuple[tuple[str, int], ...], _Groups] = {}
"""What was found the last time, by the folders and when they were changed."""


def _in_folders() -> _Groups:
    """All entry points by their group."""
    state = tuple([(path, _changed(path)) for path in sys.path])
    found = _scanned.get(state)
    if found is None:
        _scanned.clear()
        found = _scanned[state] = _scan()
    return found


def _changed(path: str) -> int:
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return 0


def _scan() -> _Groups:
    found: _Groups = {}
    seen: set[str] = set()
    for path in sys.path:
        try:
            names = sorted(os.listdir(path or "."))
        except OSError:
            continue
        for name in names:
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            distribution = name.rpartition(".")[0].partition("-")[0].lower().replace("_", "-").replace(".", "-")
            if distribution not in seen:
                seen.add(distribution)
                _read(os.path.join(path, name, "entry_points.txt"), distribution, found)
    return found


def _read(path: str, distribution: str, found: _Groups) -> None:
    """Add the entry points of an `entry_points.txt`."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except (OSError, UnicodeDecodeError):
        return
    group = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            group = line.strip("[]")
        elif not line.startswith(("#", ";")):
            name, equals, value = line.partition("=")
            if equals:
                found.setdefault(group, []).append(Entry(name.strip(), distribution, value.strip()))

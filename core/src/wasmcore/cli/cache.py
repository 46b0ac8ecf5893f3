"""`wasmcore cache`: what is in the cache of compiled code, and how to be rid of it."""

from __future__ import annotations

import time

from wasmcore.cli.output import show_line, standard_output
from wasmcore.cli.report import FAILED, UsageError, say
from wasmcore.cli.tables import show_table
from wasmcore.compile.cache import Cache, Entry, enabled, parsed_size


def show_folder() -> int:
    """Write where the cache is; 1 if it can not be used."""
    cache = Cache()
    if cache.folder is None:
        say("there is no place for a cache; name one by WASMCORE_CACHE_DIR")
        return FAILED
    show_line(cache.folder)
    problem = cache.problem()
    if problem is not None:
        say(f"the cache can not be used: {problem}")
        return FAILED
    if not enabled():
        say("the cache is switched off by WASMCORE_CACHE=0")
    return 0


def show_entries() -> int:
    """Write a table of all entries."""
    cache = Cache()
    rows = [_row(cache, entry) for entry in cache.entries()]
    with standard_output() as output:
        show_table(output, "Entries", ("entry", "MB", "used", "module", "backend", "options", "functions"), rows)
    return 0


def _row(cache: Cache, entry: Entry) -> tuple[str, ...]:
    head = (entry.name[:12], f"{entry.size / 1e6:.1f}", time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used)))
    artifact = cache.describe(entry.name)
    if artifact is None:
        return (*head, "", "can not be used", "", "")
    made_for = artifact.made_for
    options = " ".join([f"{name}={value}" for name, value in made_for.options])
    count = sum([len(list(unit.function_table())) for unit in artifact.units])
    functions = f"all {count}" if artifact.complete else str(count)
    return (*head, made_for.module.hex()[:12], f"{made_for.backend} {made_for.backend_version}", options, functions)


def show_size() -> int:
    """Write how large it is."""
    cache = Cache()
    entries = cache.entries()
    show_line(f"{sum([entry.size for entry in entries])} bytes in {len(entries)} entries, at most {cache.size} bytes")
    return 0


def clear() -> int:
    """Remove everything."""
    show_line(f"{Cache().clear()} entries removed")
    return 0


def prune(size: str | None) -> int:
    """Remove what is of no use, or too much."""
    limit = None if size is None else parsed_size(size)
    if size is not None and limit is None:
        raise UsageError(f"{size!r} is no size; write it as 100M or 2G")
    abandoned, removed = Cache().prune(limit)
    show_line(f"{removed} entries and {abandoned} temporary files removed")
    return 0

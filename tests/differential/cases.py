"""Modules by number, and the verdict on them.

`python -m tests.differential.cases SOURCE FIRST LAST BACKEND MODE` writes line after line: each number before its module runs, so that
whoever started it knows which one ended the process, and behind it what is wrong. `... FILE BACKEND MODE` judges the module of a file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from . import smith
from .generator import generate
from .linked import difference

SOURCES: Mapping[str, Callable[[int], bytes]] = {
    "smith": smith.module,
    "programs": lambda number: generate(number).to_bytes(),
}
"""The generators: what makes the module of a number."""


def verdict(binary: bytes, backend: str, mode: str) -> str:
    """What is wrong with a backend, its kind before the first colon; nothing if all is well."""
    try:
        found = difference(binary, backend, mode)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"difference: {found}" if found else ""


def judge_numbers(source: str, first: str, last: str, backend: str, mode: str) -> None:
    """Judge the modules from one number to another."""
    for number in range(int(first), int(last) + 1):
        print(number, flush=True)
        found = verdict(SOURCES[source](number), backend, mode)
        if found:
            print(" ".join(found.split()), flush=True)


def judge_file(path: str, backend: str, mode: str) -> None:
    """Judge a module."""
    print(" ".join(verdict(Path(path).read_bytes(), backend, mode).split()))


if __name__ == "__main__":
    (judge_numbers if len(sys.argv) > 4 else judge_file)(*sys.argv[1:])

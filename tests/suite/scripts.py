"""Which scripts of the official test suite are run, and with which features."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from wasmcore import DEFAULT_FEATURES

from .place import COMMIT, VARIABLE, WITHOUT, find_suite, places

FOLDERS: Final = {
    "": DEFAULT_FEATURES,
    "custom": DEFAULT_FEATURES,
    "proposals/threads": DEFAULT_FEATURES.union({"threads"}) - {"multi_memory", "reference_types", "memory64"},
    "proposals/wide-arithmetic": DEFAULT_FEATURES.union({"wide_arithmetic"}),
    "proposals/custom-page-sizes": DEFAULT_FEATURES.union({"custom_page_sizes"}),
}
"""Folders of the suite, with the features that their scripts are written for. Left out are `legacy` (instructions that are no part of
WebAssembly 3.0) and `proposals/custom-descriptors` (a proposal that is not implemented)."""


COUNT: Final = 270
DIGEST: Final = "0fa60c2399a41f6ec1cf6a201cd18ea0bfbe5f8ada094e419e80edb3efb32197"
"""How many scripts the pinned commit has in these folders, and the digest of their names and contents."""


class Script(NamedTuple):
    """One file of the suite."""

    name: str
    """Its path in the suite."""
    path: Path
    features: frozenset[str]


def find_scripts() -> list[Script]:
    """All scripts that are run; none where there is no suite."""
    suite = find_suite()
    if suite is None:
        return []
    scripts = []
    for folder, features in FOLDERS.items():
        for path in sorted((suite / folder).glob("*.wast")):
            scripts.append(Script(path.relative_to(suite).as_posix(), path, features))
    return scripts


def remark() -> str:
    """What has to be said of a run: that the suite is not there or not the pinned one. Nothing where all is well."""
    if os.environ.get(VARIABLE) == WITHOUT:
        return f"THE OFFICIAL TEST SUITE IS NOT RUN: {VARIABLE}={WITHOUT}"
    scripts = find_scripts()
    if not scripts:
        looked = ", ".join(str(place) for place in places())
        return f"THE OFFICIAL TEST SUITE IS NOT RUN: no scripts in {looked}; `python -m tests.suite.place` fetches them"
    if len(scripts) == COUNT and digest(scripts) == DIGEST:
        return ""
    return f"THE OFFICIAL TEST SUITE IS NOT COMMIT {COMMIT[:12]}: {find_suite()} has {len(scripts)} scripts of {COUNT}, or others"


def digest(scripts: list[Script]) -> str:
    """A digest of the names and contents of scripts."""
    found = sha256()
    for script in scripts:
        content = script.path.read_bytes()
        found.update(f"{script.name} {len(content)}\n".encode() + content)
    return found.hexdigest()

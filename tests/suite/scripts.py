"""Where the official test suite is, and which of its scripts are run with which features."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from wasmcore import DEFAULT_FEATURES

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_BESIDE: Final = _CHECKOUT.parent / "shared" / "spec-testsuite"
_INSIDE: Final = _CHECKOUT / "tests" / "spec-testsuite"
WITHOUT: Final = "none"
"""Value of `WASM_TESTSUITE` that says to do without the suite."""

FOLDERS: Final = {
    "": DEFAULT_FEATURES,
    "custom": DEFAULT_FEATURES,
    "proposals/threads": DEFAULT_FEATURES.union({"threads"}) - {"multi_memory", "reference_types", "memory64"},
    "proposals/wide-arithmetic": DEFAULT_FEATURES.union({"wide_arithmetic"}),
    "proposals/custom-page-sizes": DEFAULT_FEATURES.union({"custom_page_sizes"}),
}
"""Folders of the suite, with the features that their scripts are written for. Left out are `legacy` (instructions that are no part of
WebAssembly 3.0) and `proposals/custom-descriptors` (a proposal that is not implemented)."""


class Script(NamedTuple):
    """One file of the suite."""

    name: str
    """Its path in the suite."""
    path: Path
    features: frozenset[str]


def find_suite() -> Path | None:
    """The folder of the suite: beside the checkout, or `$WASM_TESTSUITE`, or a clone or submodule in `tests/spec-testsuite`."""
    named = os.environ.get("WASM_TESTSUITE")
    if named == WITHOUT:
        return None
    places = (_BESIDE, Path(named), _INSIDE) if named else (_BESIDE, _INSIDE)
    return next((place for place in places if next(place.glob("*.wast"), None)), None)


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

"""The version of the backend, which names that of llvmlite and so that of LLVM: each makes code of its own."""

from __future__ import annotations

import os
from importlib.machinery import PathFinder

from wasmcore_llvm import __version__

_ASSIGNMENT = "version_version = "


def backend_version() -> str:
    """As in 0.1.0+llvmlite0.50.0. Llvmlite is looked at but not imported, since that takes longer than to load cached code."""
    return f"{__version__}+llvmlite{_llvmlite_version()}"


def _llvmlite_version() -> str:
    spec = PathFinder.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return "-missing"
    try:
        with open(os.path.join(os.path.dirname(spec.origin), "_version.py"), encoding="utf-8") as file:
            found = [line[len(_ASSIGNMENT) :].strip(" '\"\n") for line in file if line.startswith(_ASSIGNMENT)]
    except OSError:
        found = []
    if len(found) != 1:
        import llvmlite

        return str(llvmlite.__version__)
    return found[0]

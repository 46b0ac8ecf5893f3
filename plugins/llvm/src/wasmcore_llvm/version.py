"""The version of the backend, which names the installed libraries: each makes code of its own.

They are looked at but not imported, since that takes longer than to load cached code.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.machinery import PathFinder

from wasmcore_llvm import __version__

_ASSIGNMENT = "version_version = "
_LIBLLVM = "karellen_llvm_core-"
"""How the directory begins that describes the distribution with libLLVM, which the extra `libllvm` asks for."""
_DESCRIBES = ".dist-info"


def backend_version() -> str:
    """As in 0.1.0+llvmlite0.50.0, or 0.1.0+llvmlite0.50.0.libllvm23.1.4."""
    found = installed_libllvm()
    return f"{__version__}+llvmlite{_llvmlite_version()}{f'.libllvm{found[0]}' if found is not None else ''}"


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


@cache
def installed_libllvm() -> tuple[str, str] | None:
    """Version of the distribution with a libLLVM of its own, and the directory that describes it; None where there is none.

    One answer for all of a process: code must be of the library that the backend's version names, whatever is installed meanwhile.
    """
    for directory in sys.path:
        try:
            names = os.listdir(directory or ".")
        except OSError:
            continue
        for name in names:
            if name.startswith(_LIBLLVM) and name.endswith(_DESCRIBES):
                return name[len(_LIBLLVM) : -len(_DESCRIBES)], os.path.join(directory, name)
    return None

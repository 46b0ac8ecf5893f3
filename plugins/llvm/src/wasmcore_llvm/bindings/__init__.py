"""LLVM itself, by either of two libraries: text in, an object file out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wasmcore_llvm.version import installed_libllvm

if TYPE_CHECKING:
    from wasmcore_llvm.target import LlvmTarget


def object_file(library: str, text: str, target: LlvmTarget, features: frozenset[str], level: str) -> bytes:
    """An ELF object made from LLVM's text by a library: `libllvm`, `llvmlite`, or the first of them that is installed.

    Raises ImportError where the library is missing, PluginError where it refuses the text.
    """
    if library == "libllvm" or library == "any" and installed_libllvm() is not None:
        from wasmcore_llvm.bindings import libllvm

        return libllvm.object_file(text, target, features, level)
    from wasmcore_llvm.bindings import llvmlite

    return llvmlite.object_file(text, target, features, level)

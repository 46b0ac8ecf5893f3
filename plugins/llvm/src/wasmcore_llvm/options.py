"""What the options of a unit ask for."""

from __future__ import annotations

from wasmcore_llvm.version import installed_libllvm

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from wasmcore.plugin.unit import CompileUnit

OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "level": ("O2", "O0", "O1", "O3"),
    "portable": ("no", "yes"),
    "fallback": ("singlepass", "none"),
    "library": ("any", "libllvm", "llvmlite"),
}
"""The values of each, the default first."""


def installed_options() -> Mapping[str, tuple[str, ...]]:
    """The same without the library that is not installed."""
    if installed_libllvm() is not None:
        return OPTIONS
    return {**OPTIONS, "library": tuple(each for each in OPTIONS["library"] if each != "libllvm")}


def option(unit: CompileUnit, name: str) -> str:
    """The value of an option."""
    return dict(unit.options).get(name, OPTIONS[name][0])


def level_of(unit: CompileUnit) -> str:
    """How much LLVM optimises."""
    return option(unit, "level")


def features_of(unit: CompileUnit) -> frozenset[str]:
    """Features of the processor, beside the base line, that the code of a unit uses."""
    return frozenset() if option(unit, "portable") == "yes" else unit.features

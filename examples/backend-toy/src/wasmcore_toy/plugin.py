"""The backend as wasmcore sees it. The compiler is imported when something is compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from wasmcore.plugin.hooks import Backend, hookimpl
from wasmcore_toy import __version__

if TYPE_CHECKING:
    from wasmcore.plugin.code import CompiledCode
    from wasmcore.plugin.unit import CompileUnit


class Toy:
    """`wasmcore.plugin.hooks.Backend`."""

    name = "toy"
    version = __version__
    contract = (2, 0)
    targets = frozenset({"x86_64"})
    features = frozenset({"mvp", "sign_extension", "multi_value", "extended_const"})
    options: Mapping[str, tuple[str, ...]] = {}
    unit_size = 1 << 16
    lazy = True

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile the functions of a unit."""
        from wasmcore_toy.compiler import compile_unit

        return compile_unit(self.name, self.version, unit)


@hookimpl
def wasmcore_backend() -> Backend:
    """The hook."""
    return Toy()

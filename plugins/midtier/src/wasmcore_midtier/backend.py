"""The backend as core sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wasmcore.errors import PluginError
from wasmcore.plugin.code import CONTRACT, CompiledCode
from wasmcore.plugin.entry_points import entries
from wasmcore.plugin.streams import CALLEE_SIZE
from wasmcore_midtier import __version__
from wasmcore_singlepass.backend import Singlepass
from wasmcore_singlepass.protocol import ENTRY_POINT_GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wasmcore.plugin.unit import CompileUnit
    from wasmcore_midtier.module_compiler import ModuleCompiler, Workspace


class Midtier:
    """`wasmcore.plugin.hooks.Backend`."""

    name = "midtier"
    version = f"{__version__}+singlepass{Singlepass.version}"
    contract = CONTRACT
    features = Singlepass.features
    options: Mapping[str, tuple[str, ...]] = {}
    unit_size = 1 << 18
    callee_size = CALLEE_SIZE
    quickness = 16
    stages = ("records", "ssa", "opt")
    lazy = False
    packages = ("wasmcore_singlepass",)

    def __init__(self) -> None:
        self._entries = entries(ENTRY_POINT_GROUP)
        self.targets = frozenset(entry.name for entry in self._entries)
        self._idle: dict[str, list[Workspace]] = {name: [] for name in self.targets}
        """By target: at most one for each thread that has compiled at the same time as others."""

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile all functions of a unit, or the one that is wanted."""
        compiler = self._compiler(unit)
        code = compiler.compile(self.version)
        if not compiler.workspace.is_large():
            self._idle[unit.target].append(compiler.workspace)
        return code

    def listing(self, unit: CompileUnit, stage: str) -> list[tuple[int, str]]:
        """The wanted function of a unit: its graph as it was built, without dead code, or its macro records."""
        from wasmcore_midtier.listing import listing

        return listing(self._compiler(unit._replace(address_map=True)), stage)

    def _compiler(self, unit: CompileUnit) -> ModuleCompiler:
        from wasmcore_midtier.module_compiler import ModuleCompiler

        for entry in self._entries:
            if entry.name == unit.target:
                lowering: Any = entry.load()
                try:
                    workspace = self._idle[entry.name].pop()
                except IndexError:
                    workspace = None
                return ModuleCompiler(unit, lowering, workspace)
        raise PluginError(f"nothing installed lets midtier compile for {unit.target}")

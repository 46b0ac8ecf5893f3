"""The backend as core sees it. The compiler is imported when something is to be compiled: code may all be in the cache."""

from __future__ import annotations

from wasmcore.errors import PluginError
from wasmcore.plugin.code import CONTRACT, CompiledCode
from wasmcore.plugin.entry_points import entries
from wasmcore_singlepass import __version__
from wasmcore_singlepass.protocol import ENTRY_POINT_GROUP, PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from wasmcore.plugin.unit import CompileUnit
    from wasmcore_singlepass.module_compiler import ModuleCompiler
    from wasmcore_singlepass.protocol import Lowering

_FEATURES = (
    "mvp sign_extension saturating_conversions multi_value bulk_memory reference_types tail_calls multi_memory extended_const memory64 "
    "custom_page_sizes simd relaxed_simd function_references wide_arithmetic threads"
)


class Singlepass:
    """`wasmcore.plugin.hooks.ListingBackend`. The compiler of the last module is kept for the next call."""

    name = "singlepass"
    version = __version__
    contract = CONTRACT
    features = frozenset(_FEATURES.split())
    options: Mapping[str, tuple[str, ...]] = {}
    unit_size = 1 << 18
    stages = ("records",)
    lazy = True

    def __init__(self) -> None:
        self._lowerings: dict[str, Lowering] = {}
        self._kept: list[ModuleCompiler] = []  # at most one; who uses it takes it out, so that threads do not share it
        self._entries = entries(ENTRY_POINT_GROUP)
        self.targets = frozenset(entry.name for entry in self._entries)

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile all functions of a unit, or the one that is wanted."""
        if unit.wanted >= 0:
            unit = unit._replace(streams=unit.streams[unit.wanted : unit.wanted + 1])
        compiler = self._take(unit)
        try:
            return compiler.compile(unit, self.version)
        finally:
            self._kept[:] = [compiler]

    def listing(self, unit: CompileUnit, stage: str) -> list[tuple[int, str]]:
        """The macro records of the wanted function of a unit, each with the index of the stream word it was made from."""
        from wasmcore_singlepass.records import POSITION
        from wasmcore_singlepass.text import records

        result = []
        word = 0
        unit = unit._replace(address_map=True, streams=unit.streams[unit.wanted :][:1])
        for record in records(self._take(unit).records(unit)[0]):
            if record.operation == POSITION:
                word = record.immediate
            else:
                result.append((word, str(record)))
        return result

    def _take(self, unit: CompileUnit) -> ModuleCompiler:
        """The compiler kept from the last call if it is for the same module, else a new one."""
        try:
            compiler = self._kept.pop()
        except IndexError:
            pass
        else:
            if compiler.fits(unit):
                return compiler
        from wasmcore_singlepass.module_compiler import ModuleCompiler

        return ModuleCompiler(unit, self._lowering(unit.target))

    def _lowering(self, target: str) -> Lowering:
        """The lowering of a target; PluginError if there is none that works."""
        found = self._lowerings.get(target)
        if found is not None:
            return found
        for entry in self._entries:
            if entry.name == target:
                lowering: Any = entry.load()
                version = lowering.PROTOCOL
                if version[0] != PROTOCOL[0] or version[1] > PROTOCOL[1]:
                    raise PluginError(f"{entry.distribution} speaks version {version} of singlepass's lowering protocol, not {PROTOCOL}")
                self._lowerings[target] = lowering
                return self._lowerings[target]
        raise PluginError(f"nothing installed lets singlepass compile for {target}; try `pip install wasmcore-{target.replace('_', '-')}`")

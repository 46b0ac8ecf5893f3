"""A compile unit through the graph to records, and through the target's encoder to code."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from wasmcore.plugin.code import IN_INLINED, CompiledCode
from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore.plugin.streams.inlining import Inliner, Origins
from wasmcore.plugin.streams.places import InlinedPlaces
from wasmcore.stream import HEADER_TYPE
from wasmcore_midtier.loops.vectorize import Vectorizer
from wasmcore_midtier.lowering.lowering import Lowering
from wasmcore_midtier.ssa.build import Builder
from wasmcore_midtier.ssa.dead_code import DeadCode
from wasmcore_midtier.ssa.renumbering import Renumbering
from wasmcore_midtier.ssa.values import NotBuilt
from wasmcore_singlepass.module_compiler import ModuleCompiler as Singlepass

if TYPE_CHECKING:
    from wasmcore.plugin.unit import CompileUnit
    from wasmcore_midtier.ssa.graph import Graph
    from wasmcore_singlepass.protocol import Lowering as Target


MOST_CALLING: Final = 8
"""Stream words of functions that are inlined though they call others: all that is saved is one of two calls."""


class Workspace:
    """The arrays that functions are compiled in, one after the other."""

    def __init__(self, types: FunctionTypes, target: Target) -> None:
        self.builder = Builder(types)
        self.dead_code = DeadCode(self.builder.graph)
        self.renumbering = Renumbering(self.builder.graph)
        self.lowering = Lowering(self.builder.graph, types, target, frozenset(), False)

    def is_large(self) -> bool:
        """Whether it has become too large to be kept for what is compiled next."""
        return len(self.builder.graph.operation) > MOST_VALUES or len(self.builder.locals.kept) + len(self.lowering.states) > MOST_NUMBERS


MOST_VALUES: Final = 1 << 15
"""Of a graph that is kept; each takes some 400 bytes."""
MOST_NUMBERS: Final = 1 << 20
"""Of the arrays that grow with blocks and locals, or with edges and registers."""


class ModuleCompiler:
    """Compiles one unit. What this compiler does not know, singlepass compiles, to records of the same kind."""

    def __init__(self, unit: CompileUnit, target: Target, workspace: Workspace | None = None) -> None:
        self.unit = unit
        self.target = target
        self.types = FunctionTypes(unit.environment)
        self.inliner = Inliner(self.types, (*unit.streams, *unit.callees), MOST_CALLING)
        self.singlepass = Singlepass(unit, target)
        self.workspace = workspace or Workspace(self.types, target)
        self.builder = self.workspace.builder
        self.dead_code = self.workspace.dead_code
        self.lowering = self.workspace.lowering
        self.builder.begin_unit(self.types)
        self.lowering.begin_unit(self.types, unit.features, unit.address_map)
        self.vectorizer = Vectorizer(self.builder.graph, unit.environment, self.workspace.renumbering)
        self.is_verified = os.environ.get("WASMCORE_VERIFY", "0") != "0"

    def graph(self, stream: bytes) -> Graph:
        """The graph of a function, optimised, until the next one; raises `NotBuilt`."""
        graph = self.builder.build(stream)
        self.dead_code.remove()
        if self.vectorizer.run():
            self.dead_code.remove()
        self.workspace.renumbering.remove_empty_blocks()
        return graph

    def records(self, stream: bytes) -> tuple[bytes, Origins | None]:
        """The records of a function, and where the words of the stream that they name come from."""
        expanded, origins = self.inliner.expanded(stream)
        try:
            self.graph(expanded)
        except NotBuilt:
            return self.singlepass.records(self.unit._replace(streams=(stream,)))[0], None
        type_index = memoryview(expanded).cast("q")[HEADER_TYPE]
        if self.is_verified:
            self.verify(type_index)
        return self.lowering.write(type_index), origins

    def verify(self, type_index: int) -> None:
        """Prove what can be proven of the graph and of its records; raises an exception that says what is wrong."""
        from wasmcore_midtier.lowering.verify import Verifier
        from wasmcore_midtier.ssa.verify import verify

        verify(self.builder.graph)
        self.lowering.checked = True
        records = self.lowering.write(type_index)
        self.lowering.checked = False
        Verifier(self.lowering, records).verify()

    def compile(self, version: str) -> CompiledCode:
        """All functions of the unit, or the one that is wanted, one behind the other."""
        unit = self.unit
        streams = unit.streams if unit.wanted < 0 else unit.streams[unit.wanted : unit.wanted + 1]
        records = [self.records(stream) for stream in streams]
        encoder = self.target.encoder(unit.features, unit.signals)
        code = encoder.encode_unit([each for each, _ in records])
        extents, traps, positions = encoder.tables()
        functions = [(int.from_bytes(stream[:8], "little"), *extent) for stream, extent in zip(streams, struct.iter_unpack("<II", extents))]
        places, inlined = self.places(functions, [origins for _, origins in records], positions)
        return CompiledCode(
            code=code,
            functions=b"".join([struct.pack("<III", *row) for row in functions]),
            traps=traps,
            address_map=places,
            target=unit.target,
            features=unit.features,
            backend="midtier",
            backend_version=version,
            inlined=inlined,
        )

    def places(self, functions: list[tuple[int, ...]], origins: list[Origins | None], positions: bytes) -> tuple[bytes, bytes]:
        """`CompiledCode.address_map` and `inlined` of what an encoder says."""
        inlined = InlinedPlaces()
        found = []
        at = 0
        for place, word in struct.iter_unpack("<II", positions):
            while at + 1 < len(functions) and place >= functions[at + 1][1]:
                at += 1
            origin = origins[at]
            if origin is not None and not word & IN_INLINED:
                word = inlined.place(functions[at][0], origin, *origin.origin(word))
            found.append(struct.pack("<II", place, word))
        return b"".join(found), b"".join([struct.pack("<III", *row) for row in inlined.rows])

"""Prints digests of what each stage makes of modules, as JSON: `python digests.py [--plain] FILE...`.

With `--plain`, the Python source of every module is run even where a compiled one lies beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wasmcore.plugin.code import CompiledCode


class PlainFinder:
    """Finds the `.py` files of wasmcore and its plug-ins."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The source of a module inside one of our packages, None for all others."""
        if path is None or not name.startswith(("wasmcore.", "wasmcore_")):
            return None
        for folder in path:
            spec = FileFinder(folder, (SourceFileLoader, [".py"])).find_spec(name)
            if spec is not None:
                return spec
        return None


def digests(file: str) -> dict[str, str]:
    """One digest per stage: verdict, streams, positions, code with its tables."""
    from wasmcore import Engine, backends
    from wasmcore.binary import decode
    from wasmcore.compile.fixed_tables import with_fixed_tables
    from wasmcore.errors import CompileError
    from wasmcore.opcodes import FEATURES
    from wasmcore.plugin.unit import CompileUnit
    from wasmcore.runtime.instances.plan import plan
    from wasmcore.validation import StreamWriter, validate

    with open(file, "rb") as source:
        data = source.read()
    features = frozenset(FEATURES)
    stages = {name: sha256() for name in ("streams", "positions", "guarded", "checked", "without signals", "midtier")}
    try:
        info = decode(data, features)
        validate(info, features)
    except CompileError as error:
        return {"verdict": f"{type(error).__name__}: {error}"}
    engine = Engine("singlepass")
    writer = StreamWriter(info, features)
    streams = [writer.stream(index) for index in range(info.imported_functions, info.function_count)]
    for index, stream in enumerate(streams, info.imported_functions):
        stages["streams"].update(stream)
        stages["positions"].update(writer.positions(index))
        for name, guarded, signals in (("guarded", True, True), ("checked", False, True), ("without signals", False, False)):
            environment = plan(info, [guarded] * len(info.memories))
            unit = CompileUnit.made_for(engine.target, environment, (stream,), address_map=True, signals=signals)
            add(stages[name], engine.backend.compile(unit))
    if "midtier" in backends() and streams:
        environment = with_fixed_tables(plan(info, [True] * len(info.memories)), info, writer.written_tables)
        unit = CompileUnit.made_for(engine.target, environment, tuple(streams), address_map=True)
        add(stages["midtier"], Engine("midtier").backend.compile(unit))
    return {"verdict": "valid", **{name: stage.hexdigest() for name, stage in stages.items()}}


def add(stage: Any, compiled: CompiledCode) -> None:
    """Code, with its tables."""
    for part in (compiled.code, compiled.functions, compiled.traps, compiled.address_map, compiled.inlined):
        stage.update(part)


def main() -> None:
    files = sys.argv[1:]
    if files[0] == "--plain":
        sys.meta_path.insert(0, PlainFinder)
        files = files[1:]
    from wasmcore._build import COMPILED

    print(json.dumps({"compiled": COMPILED, "digests": {file: digests(file) for file in files}}))


if __name__ == "__main__":
    main()

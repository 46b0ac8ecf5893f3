"""`wasmcore new backend NAME`: the folder of a distribution to begin with."""

from __future__ import annotations

import re
from pathlib import Path

from wasmcore import __version__
from wasmcore.cli.report import UsageError
from wasmcore.plugin.code import CONTRACT

_FILES = {
    "pyproject.toml": """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "wasmcore-{name}"
version = "0.1.0"
description = "A backend of wasmcore."
requires-python = ">=3.10"
dependencies = ["wasmcore>={version}"]

[project.entry-points.wasmcore]
{name} = "wasmcore_{name}.plugin"

[tool.setuptools.packages.find]
where = ["src"]
""",
    "src/wasmcore_{name}/__init__.py": '''"""A backend of wasmcore."""

__version__ = "0.1.0"
''',
    "src/wasmcore_{name}/plugin.py": '''"""The backend as wasmcore sees it. The compiler is imported when something is compiled."""

from __future__ import annotations

from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.hooks import Backend, hookimpl
from wasmcore.plugin.unit import CompileUnit
from wasmcore_{name} import __version__


class {kind}:
    """`wasmcore.plugin.hooks.Backend`."""

    name = "{name}"
    version = __version__
    contract = {contract}
    targets = frozenset({{"x86_64"}})
    features = frozenset[str]()
    options: dict[str, tuple[str, ...]] = {{}}
    unit_size = 1 << 16
    lazy = True

    def compile(self, unit: CompileUnit) -> CompiledCode:
        """Compile the functions of a unit."""
        from wasmcore_{name}.compiler import compile_unit

        return compile_unit(self.name, self.version, unit)


@hookimpl
def wasmcore_backend() -> Backend:
    """The hook."""
    return {kind}()
''',
    "src/wasmcore_{name}/compiler.py": '''"""From streams to machine code."""

from __future__ import annotations

import struct

from wasmcore import stream as s
from wasmcore.errors import NotCompiledError
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.unit import CompileUnit
from wasmcore.records import header, records


def compile_unit(backend: str, version: str, unit: CompileUnit) -> CompiledCode:
    """All functions of a unit, one behind the other."""
    code, functions = bytearray(), []
    for stream in unit.streams:
        start = len(code)
        code += compile_function(unit, stream)
        functions.append(struct.pack("<III", header(stream)[s.HEADER_FUNCTION], start, len(code) - start))
    return CompiledCode(bytes(code), b"".join(functions), b"", target=unit.target, backend=backend, backend_version=version)


def compile_function(unit: CompileUnit, stream: bytes) -> bytes:
    """One function. `unit.convention` says where its arguments are, and its results go."""
    for record in records(stream):
        raise NotCompiledError(record.operation, header(stream)[s.HEADER_FUNCTION], record.word)
    return b""
''',
    "tests/test_{name}.py": '''"""What the backend compiles, and what it says of the rest."""

import pytest

import wasmcore


def test_it_is_found() -> None:
    assert "{name}" in wasmcore.backends()


def test_what_it_does_not_compile_is_named() -> None:
    module = wasmcore.Module('(module (func (export "f") (result i32) (i32.const 42)))', backend="{name}")
    with pytest.raises(wasmcore.CompileError, match="i32.const needs .*, which the {name} backend does not compile yet"):
        wasmcore.Instance(module).exports.f()
''',
}


def new_backend(name: str, folder: str | None) -> int:
    """Write the files of a backend with this name; UsageError for a name that can be none, and a folder that is there."""
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise UsageError(f"{name!r} is no name for a backend: small letters, digits and _ are expected, a letter first")
    place = Path(folder or f"wasmcore-{name}")
    if place.exists():
        raise UsageError(f"{place} is there already")
    words = {"name": name, "kind": name.title().replace("_", ""), "contract": CONTRACT, "version": __version__}
    for file, text in _FILES.items():
        path = place / file.format(**words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.format(**words), "utf-8")
    print(f"{place}: now `pip install -e {place}`, `python -m pytest {place}/tests`, and docs/write-a-backend.md")
    return 0

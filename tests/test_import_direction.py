"""Lower never imports higher: inside core by layers, between distributions only through the contract."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "core/src"
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/src/*/__init__.py"))

LAYERS = [
    {"errors", "types", "stream", "opcodes", "records", "proposals", "_arguments", "_features", "_formats"}
    | {"_native", "_named_tuple", "_typing", "_build"},
    {"binary"},
    {"validation"},
    {"text"},
    {"plugin"},
    {"_registry"},
    {"runtime.system"},
    {"runtime.execution"},
    {"runtime.objects"},
    {"runtime", "runtime.instances"},
    {"compile"},
    {"", "_exports", "_instance", "_linker", "_module", "_source"},
    {"script"},
    {"cli", "__main__"},
]
"""Parts of core, lowest first; the empty name is `wasmcore` itself. A part may import its own layer and those below."""
ADMITTED = {("plugin", part) for part in ("_named_tuple", "_native", "_typing", "errors", "types", "stream", "opcodes")}
"""The contract is read by strangers: beside itself it imports only these (`_native` is what its hot modules are compiled to)."""
CONTRACT = ("wasmcore.plugin", "wasmcore.errors", "wasmcore.types", "wasmcore.stream", "wasmcore.opcodes", "wasmcore.records")
"""What a plugin may import of core."""
LOWERING = {
    "wasmcore_x86_64": ("wasmcore_singlepass.target",),
    "wasmcore_midtier": (
        *("wasmcore_singlepass.protocol", "wasmcore_singlepass.records", "wasmcore_singlepass.text"),
        *("wasmcore_singlepass.backend", "wasmcore_singlepass.module_compiler"),
    ),
}
"""What a plugin may import of another: a target, the lowering protocol of a compiler; midtier, whose records are those of singlepass,
also the compiler of functions that it leaves to it."""


def modules(package: Path) -> Iterator[tuple[str, Path]]:
    """Dotted name and file of every module of a package."""
    for file in sorted(package.rglob("*.py")):
        parts = [*file.relative_to(package.parent).with_suffix("").parts]
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def imports(name: str, file: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a module imports, also inside functions; not what only type checkers import."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(file.read_text("utf-8"), str(file))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            origin = ".".join(filter(None, (start, node.module)))
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def part(dotted: str) -> str:
    """The part of core that a dotted name belongs to."""
    names = dotted.split(".")[1:]
    known = {each for layer in LAYERS for each in layer}
    return next((each for each in (".".join(names[:2]), names[0] if names else "") if each in known), "")


def layer(of: str) -> int:
    return next(number for number, names in enumerate(LAYERS) if of in names)


@pytest.mark.parametrize(("name", "file"), [pytest.param(*each, id=each[0]) for each in modules(CORE / "wasmcore")])
def test_core_imports_downwards(name: str, file: Path) -> None:
    mine = part(name)
    for line, imported in imports(name, file):
        if imported.split(".")[0] != "wasmcore":
            continue
        theirs = part(imported)
        assert layer(theirs) <= layer(mine), f"{file}:{line}: {name} imports {imported}, which stands above it"
        if mine == "plugin" and theirs != "plugin":
            assert (mine, theirs) in ADMITTED, f"{file}:{line}: the contract imports {imported}"


@pytest.mark.parametrize(("name", "file"), [pytest.param(*each, id=each[0]) for each in modules(CORE / "wasmcore")])
def test_core_imports_no_plugin(name: str, file: Path) -> None:
    for line, imported in imports(name, file):
        assert not imported.startswith("wasmcore_"), f"{file}:{line}: core imports {imported}"


@pytest.mark.parametrize(("name", "file"), [pytest.param(*each, id=each[0]) for package in PLUGINS for each in modules(package)])
def test_plugins_import_only_the_contract(name: str, file: Path) -> None:
    own = name.split(".")[0]
    for line, imported in imports(name, file):
        if imported.split(".")[0] == own or not imported.startswith("wasmcore"):
            continue
        allowed = (*CONTRACT, *LOWERING.get(own, ()))
        assert any(f"{imported}.".startswith(f"{each}.") for each in allowed), f"{file}:{line}: {name} imports {imported}"


def test_every_part_of_core_has_a_layer() -> None:
    parts = {path.stem for path in (CORE / "wasmcore").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {each for layer in LAYERS for each in layer} == {"__init__"} & parts


def test_nothing_but_declared_dependencies() -> None:
    """A module that only a developer has installed must not be imported."""
    declared = {"pluggy", "mypy_extensions", "librt", "click", "rich", "capstone", "llvmlite", "platformdirs"}
    declared |= {"matplotlib", "numpy", "wasmtime"}
    for package in (CORE / "wasmcore", *PLUGINS):
        for name, file in modules(package):
            for line, imported in imports(name, file):
                top = imported.split(".")[0]
                known = top in sys.stdlib_module_names or top in declared or top.startswith("wasmcore")
                assert known, f"{file}:{line}: {name} imports {imported}"


def test_what_every_run_imports_does_without_typing() -> None:
    """Its import takes longer than that of all of these: `wasmcore._typing` stands in for it."""
    script = "import sys, wasmcore.cli; wasmcore.cli.main(['run', sys.argv[1]]); print(*sys.modules)"
    hello = str(ROOT / "examples/hello.wasm")
    printed = subprocess.run([sys.executable, "-c", script, hello], capture_output=True, text=True, check=True, timeout=300).stdout
    imported = set(printed.split("\n")[-2].split())
    assert len(imported) > 50
    for package in (CORE / "wasmcore", *PLUGINS):
        for name, file in modules(package):
            if name in imported:
                found = [line for line, origin in imports(name, file) if origin.split(".")[0] in ("typing", "mypy_extensions")]
                assert not found or name.endswith("._native"), f"{file}:{found}: {name} imports typing"


@pytest.mark.parametrize("package", PLUGINS, ids=lambda package: package.name)
def test_the_rooms_of_a_plugin_import_without_circles(package: Path) -> None:
    """A room is a module or package directly below the plugin's own; what a function imports counts, too."""
    needs: dict[str, set[str]] = {}
    for name, file in modules(package):
        room = (name.split(".") + [""])[1]
        theirs = {each.split(".")[1] for _, each in imports(name, file) if each.startswith(f"{package.name}.")}
        needs.setdefault(room, set()).update(theirs - {room})
    rooms = set(needs)
    while rooms:
        free = {room for room in rooms if not needs[room] & rooms}
        assert free, f"{package.name}: {sorted(rooms)} import each other"
        rooms -= free

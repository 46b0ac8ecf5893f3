"""Discovery of plugins: distributions made on the fly, good and broken, each in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

from wasmcore.plugin.entry_points import Entry, entries

BACKEND = """
from wasmcore.plugin.hooks import hookimpl
class Backend:
    name, version, contract, targets, features = {name!r}, "1", {contract}, frozenset(), frozenset()
    options, unit_size, lazy = {{}}, 1, True
    def compile(self, unit): ...
@hookimpl
def wasmcore_backend():
    return Backend()
"""
TARGET = """
from wasmcore.plugin.hooks import hookimpl
from wasmcore.plugin.target import Target
class Machine(Target):
    name, version, contract, convention = {name!r}, "1", (2, 0), None
    def unsupported(self):
        return {reason!r}
@hookimpl
def wasmcore_target():
    return Machine()
"""
HOST_MODULE = """
from wasmcore.plugin.hooks import hookimpl
class Module:
    name, version, contract = {name!r}, "1", (2, 0)
    def functions(self, link, options):
        return {{}}
@hookimpl
def wasmcore_host_module():
    return Module()
"""
MARKED = "from wasmcore.plugin.hooks import hookimpl\n@hookimpl\n"
BROKEN = {
    "b_import": ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
    "c_contract": (BACKEND.format(name="c_contract", contract=(3, 0)), "backend is made for contract 3.0, this wasmcore has 2.0"),
    "d_newer": (BACKEND.format(name="d_newer", contract=(1, 99)), "backend is made for contract 1.99"),
    "e_unknown": (MARKED + "def wasmcore_backnd(): pass", "unknown hook wasmcore_backnd"),
    "f_arguments": (MARKED + "def wasmcore_backend(what): pass", "PluginValidationError"),
    "g_nothing": ("x = 1", "implements no hook"),
    "h_syntax": ("def :", "SyntaxError"),
    "i_exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "j_raises": (MARKED + "def wasmcore_backend(): raise RuntimeError('no\\n  such processor')", "RuntimeError: no such processor"),
    "k_object": (MARKED + "def wasmcore_backend(): return 5", "returned 5, which is no backend (it has no contract version)"),
    "l_none": (MARKED + "def wasmcore_target(): return None", "returned None, which is no target"),
    "m_half": (BACKEND.format(name="m_half", contract=(2, 0)).replace("targets", "goals"), "is no backend (wanting: targets)"),
    "n_taken": (BACKEND.format(name="good", contract=(2, 0)), "backend name 'good' is already taken by 'good' of good"),
}


def install(folder: Path, name: str, text: str, point: str | None = None, module: str | None = None) -> None:
    """A distribution of one module with one entry point."""
    module = module or name
    (folder / f"{module}.py").write_text(textwrap.dedent(text))
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = f"[console_scripts]\nx = y:z\n\n[wasmcore]\n# comment\n{point or name} = {module}\n[other]\na = b\n"
    (info / "entry_points.txt").write_text(points)


ONLY_OURS = "registry.entries = lambda group, all=registry.entries: [e for e in all(group) if not e.distribution.startswith('wasmcore')]"


def ask(folder: Path, expression: str, before: str = "") -> object:
    """The value of an expression in an interpreter that has these distributions, and none of wasmcore's own."""
    code = f"import json, sys\nfrom wasmcore import _registry as registry\n{ONLY_OURS}\n{before}\nprint(json.dumps({expression}))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def message(folder: Path, call: str, before: str = "") -> object:
    """The message of the PluginError that a call raises."""
    catch = f"{before}\ntry:\n    registry.{call}\nexcept registry.PluginError as error:\n    text = str(error)"
    return ask(folder, "text", catch)


def test_broken_plugins_are_reported_and_break_nothing(tmp_path: Path) -> None:
    install(tmp_path, "good", BACKEND.format(name="good", contract=(2, 0)))
    for name, (text, _) in BROKEN.items():
        install(tmp_path, name, text)
    assert ask(tmp_path, "list(registry.backends())") == ["good"]
    found = ask(tmp_path, "registry.problems()")
    assert isinstance(found, list)
    assert [problem[0] for problem in found] == sorted(BROKEN)
    for name, distribution, reason in found:
        assert distribution == name.replace("_", "-")
        assert BROKEN[name][1] in reason
        assert "\n" not in reason


def test_what_is_broken_is_warned_of(tmp_path: Path) -> None:
    install(tmp_path, "broken", "import not_there")
    caught = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    registry.backends()
"""
    warned = ask(tmp_path, "[str(each.message) for each in caught]", caught)
    assert warned == ["wasmcore: plugin 'broken' of broken: ModuleNotFoundError: No module named 'not_there'"]


def test_a_named_backend_loads_alone_and_without_pluggy(tmp_path: Path) -> None:
    install(tmp_path, "good", BACKEND.format(name="good", contract=(2, 0)))
    install(tmp_path, "other", BACKEND.format(name="other", contract=(2, 0)))
    before = "name = registry.backend('good').name"
    assert ask(tmp_path, "[name, *(each in sys.modules for each in ('good', 'other', 'pluggy'))]", before) == ["good", True, False, False]
    assert ask(tmp_path, "registry.backend('good') is registry.backends()['good']") is True


def test_a_backend_is_found_under_another_entry_point(tmp_path: Path) -> None:
    install(tmp_path, "odd", BACKEND.format(name="fancy", contract=(2, 0)))
    assert ask(tmp_path, "registry.backend('fancy').name") == "fancy"


def test_who_is_named_like_what_it_brings_comes_first(tmp_path: Path) -> None:
    install(tmp_path, "aaa", BACKEND.format(name="good", contract=(2, 0)))
    install(tmp_path, "good", BACKEND.format(name="good", contract=(2, 0)))
    assert ask(tmp_path, "[type(registry.backends()['good']).__module__, registry.problems()[0][0]]") == ["good", "aaa"]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("backend('nothing')", "unknown backend 'nothing'; installed: good"),
        ("backend('goood')", "unknown backend 'goood'; did you mean 'good'? installed: good"),
        ("backend('lvm')", "unknown backend 'lvm'; did you mean 'llvm'? installed: good; `pip install wasmcore-llvm` brings 'llvm'"),
        ("backend('llvm')", "backend 'llvm' is not installed; try `pip install wasmcore-llvm`"),
        ("backend('broken')", "backend 'broken' can not be used: ImportError: no such thing (installed by broken)"),
        ("host_module('wasi_snapshot_preview1')", "host module 'wasi_snapshot_preview1' is not installed; try `pip install wasmcore-wasi`"),
        ("host_module('env')", "unknown host module 'env'; installed: none"),
    ],
)
def test_unknown_names(tmp_path: Path, call: str, text: str) -> None:
    install(tmp_path, "good", BACKEND.format(name="good", contract=(2, 0)))
    install(tmp_path, "broken", "raise ImportError('no such thing')")
    assert message(tmp_path, call) == text


def test_nothing_installed(tmp_path: Path) -> None:
    assert message(tmp_path, "default_backend()") == "backend 'singlepass' is not installed; try `pip install wasmcore-singlepass`"
    assert ask(tmp_path, "registry.find_host_module('env')") is None


def test_default_backend(tmp_path: Path) -> None:
    install(tmp_path, "good", BACKEND.format(name="good", contract=(2, 0)))
    assert ask(tmp_path, "registry.default_backend().name") == "good"


def test_host_target(tmp_path: Path) -> None:
    machine = "registry._machine = lambda: 'vax'"
    missing = f"unsupported platform: vax under {sys.platform}: unknown target 'vax'; installed: none"
    assert message(tmp_path, "host_target()", machine) == missing
    install(tmp_path, "vax", TARGET.format(name="vax", reason="it wants 32-bit Python"))
    refused = "unsupported platform: target 'vax' can not run here: it wants 32-bit Python"
    assert message(tmp_path, "host_target()", machine) == refused
    install(tmp_path, "vax-like", TARGET.format(name="vax2", reason=None), module="vax2")
    assert ask(tmp_path, "registry.host_target().name", machine) == "vax2"


def test_host_module_by_the_first_part_of_its_name(tmp_path: Path) -> None:
    install(tmp_path, "some-wasi", HOST_MODULE.format(name="wasi_preview"), point="wasi", module="some_wasi")
    install(tmp_path, "other", BACKEND.format(name="other", contract=(2, 0)))
    before = "plugin, module = registry.find_host_module('wasi_preview')"
    assert ask(tmp_path, "[plugin, module.name, 'other' in sys.modules]", before) == ["wasi", "wasi_preview", False]


def test_own_scan_equals_importlib_metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one", "", point="first")
    (tmp_path / "later").mkdir()
    install(tmp_path / "later", "one", "", point="shadowed")
    install(tmp_path / "later", "two", "", module="two.module:attribute")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / "later"), *sys.path])
    own = [entry for entry in entries("wasmcore") if entry.distribution in ("one", "two")]
    assert own == [Entry("first", "one", "one"), Entry("two", "two", "two.module:attribute")]
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("three-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: three\nVersion: 1.0\n")
        writer.writestr("three-1.0.dist-info/entry_points.txt", "[wasmcore]\nthird = three\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(archive)])
    both = [entry for entry in entries("wasmcore") if entry.distribution in ("one", "two", "three")]
    assert both == [own[0], Entry("third", "three", "three"), own[1]]

"""LLVM by llvmlite, and by libLLVM where it is installed: which is taken, what it is called, and what is said when it does not work."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wasmcore
import wasmcore_llvm
from wasmcore_llvm import options, version
from wasmcore_llvm.backend import Llvm
from wasmcore_llvm.bindings import object_file
from wasmcore_llvm.options import OPTIONS
from wasmcore_llvm.target import llvm_target

INSTALLED = version.installed_libllvm()
LIBRARIES = [each for each in OPTIONS["library"][1:] if each != "libllvm" or INSTALLED is not None]
DIRECTORY = "karellen_llvm_core-{}.dist-info"
FUNCTION = 'define weak i32 @f0(i32 %x) "frame-pointer"="all" { %y = mul i32 %x, 7\n ret i32 %y }'

needs_libllvm = pytest.mark.skipif(INSTALLED is None, reason="no libLLVM: pip install 'wasmcore-llvm[libllvm]'")


@pytest.fixture
def looked_for_anew() -> Iterator[None]:
    """What is installed is not remembered from before, nor for later."""
    version.installed_libllvm.cache_clear()
    yield
    version.installed_libllvm.cache_clear()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("level", OPTIONS["level"])
def test_each_library_compiles_at_each_level(library: str, level: str) -> None:
    engine = wasmcore.Engine("llvm", cache=False, options={"library": library, "level": level})
    source = '(module (memory 1) (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))) (data (i32.const 9) "\\2a"))'
    f = wasmcore.Instance(wasmcore.Module(source, engine=engine)).exports.f
    assert f(9) == 42
    with pytest.raises(wasmcore.Trap, match="out of bounds memory access"):
        f(-1)


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_llvm_refuses_is_told(library: str) -> None:
    with pytest.raises(wasmcore.PluginError, match="(?s)refuses the code made for it: .*expected top-level entity"):
        object_file(library, "nonsense", llvm_target("x86_64"), frozenset(), "O2")


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_same_text_is_the_same_object(library: str) -> None:
    first, again = (object_file(library, FUNCTION, llvm_target("x86_64"), frozenset(("avx2", "bmi1")), "O2") for _ in range(2))
    assert first == again and first[:4] == b"\x7fELF"


@needs_libllvm
def test_libllvm_comes_first() -> None:
    target = llvm_target("x86_64")
    assert object_file("any", FUNCTION, target, frozenset(), "O2") == object_file("libllvm", FUNCTION, target, frozenset(), "O2")


@needs_libllvm
def test_libllvm_gives_back_what_it_takes() -> None:
    """A module's memory goes with it, also when it is refused."""
    script = """
import resource
from wasmcore.errors import PluginError
from wasmcore_llvm.bindings import object_file
from wasmcore_llvm.target import llvm_target
good = open(0).read()
def many():
    for _ in range(20):
        object_file("libllvm", good, llvm_target("x86_64"), frozenset(), "O2")
        try:
            object_file("libllvm", good + "nonsense", llvm_target("x86_64"), frozenset(), "O2")
        except PluginError:
            pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
many()
print(many() - many())
"""
    functions = "\n".join(FUNCTION.replace("@f0", f"@f{number}") for number in range(300))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], input=functions, env=environment, capture_output=True, text=True, timeout=300)
    assert done.stderr == "" and int(done.stdout) < 256  # KiB; the texts alone are a MiB each time


def test_the_version_is_that_of_the_libraries_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import llvmlite

    llvmlites = f"{wasmcore_llvm.__version__}+llvmlite{llvmlite.__version__}"
    assert Llvm().version == (llvmlites if INSTALLED is None else f"{llvmlites}.libllvm{INSTALLED[0]}")
    monkeypatch.setattr(version, "installed_libllvm", lambda: None)
    assert Llvm().version == llvmlites
    other = tmp_path / "llvmlite"
    other.mkdir()
    (other / "__init__.py").write_text("")
    (other / "_version.py").write_text("version_version = '0.99.1'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert Llvm().version == f"{wasmcore_llvm.__version__}+llvmlite0.99.1"
    (other / "_version.py").unlink()
    assert Llvm().version == llvmlites  # of the module that is imported


@pytest.mark.usefixtures("looked_for_anew")
def test_libllvm_is_found_by_the_description_of_its_distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / DIRECTORY.format("99.1.2")).mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert version.installed_libllvm() == ("99.1.2", str(tmp_path / DIRECTORY.format("99.1.2")))
    assert Llvm().version.endswith(".libllvm99.1.2")
    (tmp_path / DIRECTORY.format("99.1.2")).rmdir()
    assert Llvm().version.endswith(".libllvm99.1.2")  # what a process has begun with


@pytest.mark.usefixtures("looked_for_anew")
def test_a_path_that_can_not_be_read_has_no_libllvm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), str(tmp_path / "file")])
    assert version.installed_libllvm() is None


def asked_for(monkeypatch: pytest.MonkeyPatch, found: tuple[str, str] | None) -> str:
    """What is said when libLLVM is asked for that was found like this."""
    from wasmcore_llvm.bindings import libllvm

    monkeypatch.setattr(libllvm, "installed_libllvm", lambda: found)
    libllvm._library.cache_clear()
    libllvm._machine.cache_clear()
    try:
        with pytest.raises(ImportError) as caught:
            object_file("libllvm", FUNCTION, llvm_target("x86_64"), frozenset(), "O2")
    finally:
        libllvm._library.cache_clear()
        libllvm._machine.cache_clear()
    return str(caught.value)


def test_libllvm_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_for(monkeypatch, None) == "libLLVM is not installed: pip install 'wasmcore-llvm[libllvm]'"
    assert asked_for(monkeypatch, ("23.1", str(tmp_path))).startswith("libLLVM can not be found: ")
    (tmp_path / "RECORD").write_text("../../other.so,,\n")
    assert asked_for(monkeypatch, ("23.1", str(tmp_path))) == f"libLLVM can not be found: {tmp_path} lists 0 files libLLVM.so.*, expected 1"
    (tmp_path / "RECORD").write_text("../lib/libLLVM.so.23.1,sha256=x,3\n")
    assert asked_for(monkeypatch, ("23.1", str(tmp_path / "site"))).startswith("libLLVM can not be found: ")
    assert "lib/libLLVM.so.23.1: cannot open shared object file" in asked_for(monkeypatch, ("23.1", str(tmp_path)))


@needs_libllvm
def test_libllvm_needs_no_links_beside_it(tmp_path: Path) -> None:
    """Whoever installs may not be who runs Python first, which makes them."""
    from wasmcore_llvm.bindings.libllvm import _files

    assert INSTALLED is not None
    (tmp_path / "site" / DIRECTORY.format("23.1")).mkdir(parents=True)
    files = [Path(file) for file in _files(INSTALLED[1])]
    for file in files:
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "site" / DIRECTORY.format("23.1") / "RECORD").write_text("".join(f"../{file.name},,\n" for file in files))
    script = f"""
from wasmcore_llvm.bindings import libllvm
libllvm.installed_libllvm = lambda: ("23.1", {str(tmp_path / "site" / DIRECTORY.format("23.1"))!r})
from wasmcore_llvm.target import llvm_target
assert libllvm.object_file({FUNCTION!r}, llvm_target("x86_64"), frozenset(), "O2")[:4] == b"\x7fELF"
print("well")"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("well\n", "")


def test_a_library_without_the_functions_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (other,) = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so.6" in line}
    shutil.copy(other, tmp_path / "libLLVM.so.1.0")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory/RECORD").write_text("libLLVM.so.1.0,,\n")
    said = asked_for(monkeypatch, ("1.0", str(tmp_path / "directory")))
    assert said.startswith("libLLVM 1.0 can not be loaded: ") and "undefined symbol: LLVM" in said


@needs_libllvm
def test_an_old_libllvm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from wasmcore_llvm.bindings import libllvm

    assert INSTALLED is not None
    monkeypatch.setattr(libllvm, "OLDEST", 99)
    assert asked_for(monkeypatch, INSTALLED) == f"libLLVM {INSTALLED[0]} is too old: expected 99 or later"


def test_what_is_not_installed_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "installed_libllvm", lambda: None)
    assert Llvm().options["library"] == ("any", "llvmlite")
    if INSTALLED is None:
        with pytest.raises(ValueError, match="option 'library' of backend 'llvm' is any or llvmlite, not 'libllvm'"):
            wasmcore.Engine("llvm", options={"library": "libllvm"})
    monkeypatch.setattr(options, "installed_libllvm", lambda: ("23.1", ""))
    assert Llvm().options["library"] == ("any", "libllvm", "llvmlite")


def test_finding_the_backend_imports_no_library() -> None:
    script = (
        "import sys, wasmcore; wasmcore.Engine('llvm', cache=False).backend.version; "
        "assert not {'llvmlite', 'ctypes', 'wasmcore_llvm.bindings'} & {*sys.modules} - {*before}"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    script = f"import sys, wasmcore; wasmcore.Engine('singlepass', cache=False); before = tuple(sys.modules); {script}"
    subprocess.run([sys.executable, "-c", script], env=environment, check=True, timeout=60)

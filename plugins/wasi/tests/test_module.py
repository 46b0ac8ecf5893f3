"""The host module as a whole: names, types, options, imports."""

from __future__ import annotations

import gc
import inspect
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wasmcore.errors import LinkError
from wasmcore.types import I32, I64, FuncType
from wasmcore_wasi import Exit
from wasmcore_wasi.functions import FUNCTIONS
from wasmcore_wasi.plugin import OPTIONS, wasmcore_host_module

MakeGuest = Callable[..., Any]


def test_there_are_all_46_functions() -> None:
    assert len(FUNCTIONS) == 46
    for name, (params, _, function) in FUNCTIONS.items():
        parameters = list(inspect.signature(function).parameters.values())
        variable = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        assert variable or len(parameters) == 1 + len(params), name


def test_types_are_the_contracts(make_guest: MakeGuest) -> None:
    functions = make_guest().functions
    assert functions["fd_seek"][0] == FuncType((I32, I64, I32, I32), (I32,))
    assert functions["proc_exit"][0] == FuncType((I32,), ())


def test_unknown_option_is_named(make_guest: MakeGuest) -> None:
    with pytest.raises(TypeError, match=r"unknown WASI option 'argv'; there are args, "):
        make_guest(argv=["x"])


def test_options_are_those_of_the_guest() -> None:
    from wasmcore_wasi.guest import Guest

    assert list(OPTIONS) == list(inspect.signature(Guest).parameters)[1:]


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("args", "program", TypeError),
        ("args", None, TypeError),
        ("args", 5, TypeError),
        ("args", {"a": "b"}, TypeError),
        ("args", [1], TypeError),
        ("args", ["a", b"b"], TypeError),
        ("args", ["a\0b"], ValueError),
        ("env", ["A=1"], TypeError),
        ("env", [("A", "1")], TypeError),
        ("env", "A=1", TypeError),
        ("env", {"A": 1}, TypeError),
        ("env", {1: "A"}, TypeError),
        ("env", {"A": None}, TypeError),
        ("env", {"A": "\0"}, ValueError),
        ("env", {"A=B": "1"}, ValueError),
        ("env", {"": "1"}, ValueError),
        ("stdout", io.StringIO(), TypeError),
        ("stdout", b"", TypeError),
        ("stdin", "file", TypeError),
        ("stdin", None, TypeError),
        ("stdin", True, TypeError),
        ("stdin", -1, ValueError),
        ("stderr", print, TypeError),
        ("dirs", ["/"], TypeError),
        ("dirs", "/", TypeError),
        ("dirs", {"/": None}, TypeError),
        ("dirs", {"/": 5}, TypeError),
        ("dirs", {5: "/"}, TypeError),
        ("dirs", {"/\0": "/"}, ValueError),
        ("clock", 5, TypeError),
        ("random", b"4", TypeError),
    ],
)
def test_wrong_options_are_named(make_guest: MakeGuest, option: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"^{option} (must|has)"):
        make_guest(**{option: value})


def test_a_folder_that_is_not_there_is_named(make_guest: MakeGuest) -> None:
    with pytest.raises(FileNotFoundError, match="/does/not/exist"):
        make_guest(dirs={"/": "/does/not/exist"})


def test_a_text_stream_is_refused_with_what_to_give(make_guest: MakeGuest) -> None:
    with pytest.raises(TypeError, match="`buffer`"):
        make_guest(stdout=io.TextIOWrapper(io.BytesIO()))


def test_a_file_is_no_directory_to_preopen(make_guest: MakeGuest, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_guest(dirs={"/": tmp_path / "file"})


def test_exit(make_guest: MakeGuest) -> None:
    with pytest.raises(Exit) as caught:
        make_guest().call("proc_exit", 3)
    assert caught.value.code == 3
    assert str(caught.value) == "exit code 3"
    with pytest.raises(Exit) as caught:
        make_guest().call("proc_exit", -1)
    assert caught.value.code == 0xFFFFFFFF
    assert not isinstance(caught.value, SystemExit)


def test_a_program_without_memory_is_told() -> None:
    class Link:
        def memory(self) -> memoryview:
            raise LinkError("no memory")

    with pytest.raises(LinkError, match="no memory"):
        wasmcore_host_module().functions(Link(), {})["random_get"][1](0, 0)


def test_what_is_not_there_says_so(make_guest: MakeGuest) -> None:
    guest = make_guest()
    assert guest.call("proc_raise", 6) == 52
    assert guest.call("sock_accept", 0, 0, 100) == 58
    assert guest.call("sock_recv", 0, 100, 1, 0, 200, 204) == 58
    assert guest.call("sock_send", 1, 100, 1, 0, 200) == 58
    assert guest.call("sock_shutdown", 9, 0) == 8


def test_descriptors_of_the_host_are_closed_with_the_guest(make_guest: MakeGuest, tmp_path: Path) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    guest = make_guest(dirs={"/": tmp_path})
    (tmp_path / "file").touch()
    (tmp_path / "a/b").mkdir(parents=True)
    guest.open("file")
    guest.open("a/b/../b")
    assert guest.try_open("a/b/missing")[0] == 44
    assert len(os.listdir("/proc/self/fd")) == before + 3
    del guest
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def test_importing_is_cheap() -> None:
    code = """if True:
        import sys, wasmcore.errors, wasmcore.plugin.markers
        before = set(sys.modules)
        import wasmcore_wasi.plugin
        print(*set(sys.modules) - before)"""
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=100).stdout
    assert set(output.split()) == {"wasmcore_wasi", "wasmcore_wasi.plugin"}


def test_the_hook_is_marked() -> None:
    pluggy = pytest.importorskip("pluggy")
    from wasmcore.plugin import hooks, markers
    from wasmcore_wasi import plugin

    manager = pluggy.PluginManager(markers.PROJECT)
    manager.add_hookspecs(hooks)
    manager.register(plugin)
    (module,) = manager.hook.wasmcore_host_module()
    assert (module.name, module.contract) == ("wasi_snapshot_preview1", (2, 0))

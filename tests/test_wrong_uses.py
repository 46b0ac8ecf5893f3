"""What goes wrong at the first attempt: the error says what is wrong, what is expected, and what to do."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

import wasmcore
from wasmcore import _registry
from wasmcore.plugin.entry_points import entries
from wasmcore.plugin.hooks import ENTRY_POINT_GROUP

LOGS = '(module (import "env" "log" (func)))'
NUMBER = '(module (import "env" "number" (global i32)))'
PROGRAM = '(module (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))) (memory (export "memory") 1))'
ADD = '(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
MANY = """(module (import "env" "log" (func (param i32))) (import "env" "memory" (memory 1))
  (import "env" "seed" (global i64)) (import "other" "table" (table 1 funcref)))"""

api: Any = wasmcore
"""The public names, without their types: all uses here are wrong."""


async def coroutine(*_arguments: object) -> None:
    """Has to be awaited."""


async def generator(*_arguments: object) -> Any:
    """Has to be iterated by `async for`."""
    yield


class Asynchronous:
    """Has to be awaited, whether the object or its method is called."""

    async def __call__(self) -> None:
        pass

    async def method(self) -> None:
        pass


ASYNCHRONOUS: list[Any] = [
    coroutine,
    generator,
    functools.partial(coroutine, 1),
    functools.partial(functools.partial(generator, 1), 2),
    Asynchronous(),
    Asynchronous().method,
]


def add(*arguments: Any) -> Any:
    """The sum of two numbers, in WebAssembly."""
    return wasmcore.Instance(wasmcore.Module(ADD)).exports.add(*arguments)


def link(text: str, imports: Any = None, **options: Any) -> wasmcore.Instance:
    """An instance of the text of a module."""
    return wasmcore.Instance(wasmcore.Module(text), imports, **options)


Case = tuple[Callable[[], object], type[Exception], str]

INSTANCES: list[Case] = [
    (lambda: api.Instance("x.wasm"), TypeError, r"a wasmcore.Module is expected, not str: Instance(Module('x.wasm'))"),
    (lambda: api.Instance(Path("x.wasm")), TypeError, r"a wasmcore.Module is expected, not PosixPath"),
    (lambda: link("(module)", release_gil=None), TypeError, "release_gil is True or False, not NoneType"),
    (lambda: link("(module)", wait=1), TypeError, "wait is True or False, not int"),
    (lambda: api.Instance(None), TypeError, "a wasmcore.Module is expected, not NoneType"),
    (lambda: link(LOGS, [print]), TypeError, "imports is a mapping of module names to mappings: {'env': {'log': print}}, not list"),
    (lambda: link(LOGS, link("(module)")), TypeError, "imports is a mapping of module names to mappings"),
    (lambda: link(LOGS, {"env": print}), TypeError, "imports['env'] is a mapping of names to values, or an instance, not builtin"),
    (lambda: link(LOGS, {"env": None}), TypeError, "imports['env'] is a mapping of names to values, or an instance, not NoneType"),
    (
        lambda: link(LOGS, {"env": wasmcore.Module(LOGS)}),
        TypeError,
        "imports['env'] is a mapping of names to values, or an instance, not Mod",
    ),
    (lambda: link(LOGS, {"env": {"Log": print}}), wasmcore.LinkError, "env.log is missing: expected func [] -> []; there is env.Log"),
    (lambda: link(LOGS, {"env": {"log": 5}}), wasmcore.LinkError, "env.log: expected func [] -> [], given a Python int"),
    (lambda: link(NUMBER, {"env": {"number": 1.5}}), wasmcore.LinkError, "env.number: i32 expected: an integer, got float"),
    (lambda: link(NUMBER, {"env": {"number": 2**40}}), wasmcore.LinkError, "env.number: 1099511627776 does not fit i32"),
    (lambda: link("(module)", host_options={"wsi": {}}), TypeError, "'wsi', which is no host module; did you mean 'wasi'? there are: wasi"),
    (lambda: link("(module)", host_options=["wasi"]), TypeError, "host_options is a mapping of names of plugins to options"),
    (
        lambda: link("(module)", host_options={"wasi": ["args"]}),
        TypeError,
        "host_options['wasi'] is a mapping of options to values, not list",
    ),
    (lambda: link(PROGRAM, host_options={"wasi": {"arg": []}}), TypeError, "unknown WASI option 'arg'"),
    (lambda: link(PROGRAM, host_options={"wasi": {"env": ["A=1"]}}), TypeError, "env must be a mapping of names to values"),
    (lambda: link('(module (import "wasi_unstable" "proc_exit" (func)))'), wasmcore.LinkError, "compile for wasi_snapshot_preview1"),
    (lambda: api.Linker().define_instance("env", {"log": print}), TypeError, "a wasmcore.Instance is expected, not dict"),
    (lambda: api.Linker().define("env", print, "log"), TypeError, "an import has two names, such as 'env', 'log', not 'env', <built-in"),
    (lambda: api.Linker().instantiate("x.wasm"), TypeError, "a wasmcore.Module is expected, not str"),
]
MODULES: list[Case] = [
    (lambda: api.Module(5), TypeError, "a module is given as path, text or bytes, not as int"),
    (lambda: api.Module(None), TypeError, "a module is given as path, text or bytes, not as NoneType"),
    (lambda: api.Module(["(module)"]), TypeError, "a module is given as path, text or bytes, not as list"),
    (lambda: api.Module(io.BytesIO(b"")), TypeError, "not as BytesIO; give what it reads, opened with 'rb': file.read()"),
    (lambda: api.Module(""), ValueError, "an empty string is neither the path of a module nor its text"),
    (lambda: api.Module("\0asm\1\0\0\0"), TypeError, "a binary module is given as bytes, not as str"),
    (lambda: api.Module("(module)", engine="llvm"), TypeError, "a wasmcore.Engine is expected, not str; a name is given as backend="),
    (lambda: api.Module("(module)", backend="singlepas"), wasmcore.PluginError, "unknown backend 'singlepas'; did you mean 'singlepass'?"),
    (lambda: api.Module("(component)"), wasmcore.TextError, "this is a component, not a core module"),
    (lambda: api.Module.deserialize("x"), TypeError, "precompiled code is bytes, not as str"),
    (lambda: api.validate(None), TypeError, "a module is given as path, text or bytes, not as NoneType"),
    (lambda: api.validate("(module)", features="threads"), ValueError, "'+threads' adds one to the default"),
    (lambda: api.wat2wasm(5), TypeError, "int"),
    (lambda: api.wasm2wat(5), TypeError, "int"),
    (lambda: api.wasm2wat("(module)"), TypeError, "str"),
]
ENGINES: list[Case] = [
    (lambda: api.Engine(5), TypeError, "a backend is a name, such as 'singlepass', not int"),
    (lambda: api.Engine("Singlepass"), wasmcore.PluginError, "did you mean 'singlepass'?"),
    (lambda: api.Engine(options=["level=O3"]), TypeError, "options is a mapping of names to values"),
    (lambda: api.Engine("singlepass", options={"level": "O3"}), TypeError, "backend 'singlepass' has no option 'level'; there are none"),
    (lambda: api.Engine(features="+thread"), ValueError, "no such feature: thread; did you mean 'threads'? there are: mvp"),
    (lambda: api.Engine(features="threads"), ValueError, "names without a sign would be all features; '+threads' adds one to the default"),
    (lambda: api.Engine(features=["+threads", "simd"]), ValueError, "'+simd' adds one to the default"),
    (lambda: api.Engine(features=["+-threads"]), ValueError, "no such feature: -threads"),
    (lambda: api.Engine(features=5), TypeError, "features are names, such as '+threads' or a set of them, not int"),
    (lambda: api.Engine(features=[5]), TypeError, "a feature is a name, not int"),
    (lambda: api.Engine(guard="yes"), TypeError, "guard is True, False or None, not str"),
    (lambda: api.Engine(signals=None), TypeError, "signals is True or False, not NoneType"),
    (lambda: api.Engine(lazy=2), TypeError, "lazy is True, False or None, not int"),
    (lambda: api.Engine(cache=None), TypeError, "cache is True, False or a folder, not NoneType"),
    (lambda: api.Engine(progress=True), TypeError, "progress is a function, not bool"),
    (lambda: api.Engine(executor=4), TypeError, "executor is a concurrent.futures.Executor, not int"),
]
OBJECTS: list[Case] = [
    (lambda: api.Global("i33", 1), ValueError, "'i33' is no value type; there are i32, i64"),
    (lambda: api.Global(int, 1), ValueError, "<class 'int'> is no value type"),
    (lambda: api.Global("i32", "x"), TypeError, "i32 expected: an integer, got str"),
    (lambda: api.Global("f64", "1"), TypeError, "f64 expected: a real number, got str"),
    (lambda: api.Global("v128", 1.5), TypeError, "v128 expected: 16 bytes or an integer, got float"),
    (lambda: api.Global("v128", b"12"), TypeError, "v128 expected: 16 bytes, got 2"),
    (lambda: api.Global("v128", -1), OverflowError, "-1 does not fit v128"),
    (lambda: api.Table(1, element="i32"), ValueError, "there are funcref and externref"),
    (lambda: api.Table("1"), TypeError, "str"),
    (lambda: api.Table(1).grow(-1), ValueError, "a table can not shrink"),
    (lambda: api.Memory(1.5), TypeError, "float"),
    (lambda: api.Memory(-1), ValueError, "there can be 0 to 65536 pages, not -1"),
    (lambda: api.Memory(1, 1 << 20), ValueError, "there can be 0 to 65536 pages, not 1048576"),
    (lambda: api.Memory(2, 1), ValueError, "the maximum, 1 pages, is less than the minimum, 2"),
    (lambda: api.Table(5, 2), ValueError, "the maximum, 2 elements, is less than the minimum, 5"),
    (lambda: api.Memory(1).grow(-1), ValueError, "a memory can not shrink"),
    (lambda: api.Func("i32", [], print), TypeError, "value types are given as a sequence, such as ['i32', 'f64'], not as 'i32'"),
    (lambda: api.Func([], None, print), TypeError, "value types are given as a sequence, such as ['i32', 'f64'], not as None"),
    (lambda: api.Func(["i33"], [], print), ValueError, "'i33' is no value type"),
    (lambda: api.Func([99], [], print), ValueError, "99 is no value type"),
    (lambda: api.Func([], [], 5), TypeError, "a callable is expected as function, not int"),
    (lambda: api.Tag("i32"), TypeError, "value types are given as a sequence"),
]
CALLS: list[Case] = [
    (lambda: add(1), TypeError, "add() takes 2 arguments (1 given)"),
    (lambda: add("1", 2), TypeError, "add() argument 1: i32 expected: an integer, got str"),
    (lambda: add(1, 2.0), TypeError, "add() argument 2: i32 expected: an integer, got float"),
    (lambda: add(1, bytearray(4)), TypeError, "add() argument 2: i32 expected: an integer, got bytearray"),
    (lambda: add(1 << 40, 2), OverflowError, "add() argument 1: 1099511627776 does not fit i32"),
    (lambda: api.Trap("unreachable"), ValueError, "'unreachable' is not a valid TrapKind"),
    (lambda: setattr(link(ADD).exports, "add", 5), AttributeError, "a variable is set by exports.add.value = 5"),
]


@pytest.mark.parametrize(("call", "error", "message"), [*INSTANCES, *MODULES, *ENGINES, *OBJECTS, *CALLS])
def test_wrong_use_is_explained(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert message in str(caught.value)


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_async_functions_are_refused(function: Any) -> None:
    with pytest.raises(TypeError, match=r"import env.log is an async function, which WebAssembly can not await"):
        link(LOGS, {"env": {"log": function}})
    with pytest.raises(TypeError, match=r"is an async function"):
        wasmcore.Func([], [], function)
    linker = wasmcore.Linker()
    linker.define("env", "log", function)
    with pytest.raises(TypeError, match=r"import env.log is an async function"):
        linker.instantiate(wasmcore.Module(LOGS))


@pytest.mark.parametrize("function", [lambda: None, functools.partial(print, end=""), [].clear, dict, Asynchronous])
def test_other_callables_are_taken(function: Any) -> None:
    link(LOGS, {"env": {"log": function}})


def test_all_imports_that_lack_are_named_at_once() -> None:
    with pytest.raises(wasmcore.LinkError) as caught:
        link(MANY, {"env": {"memory": wasmcore.Memory(0), "seed": "x"}})
    assert str(caught.value).splitlines() == [
        "4 imports can not be satisfied:",
        "  import env.log is missing: expected func [i32] -> []",
        "  incompatible import type: env.memory: expected memory 1, given memory 0",
        "  incompatible import type: env.seed: expected global i64, given a Python str",
        "  import other.table is missing: expected table 1 funcref",
    ]


def test_a_thousand_imports_that_lack_are_counted() -> None:
    text = "".join(f'(import "env" "f{number}" (func))' for number in range(1000))
    with pytest.raises(wasmcore.LinkError) as caught:
        link(f"(module {text})")
    lines = str(caught.value).splitlines()
    assert lines[0] == "1000 imports can not be satisfied:" and lines[-1] == "  and 900 more" and len(lines) == 102


OTHER_FORMATS = {
    b"": "it is empty",
    b"\0as": "it ends within its first bytes",
    b"\x1f\x8b\x08\0\0\0\0\0": "compressed by gzip",
    b"PK\3\4\x14\0\0\0": "zip archive",
    b"\x7fELF\2\1\1\0": "native program or library (ELF)",
    b"<!doctype html><title>404</title>": "failed download",
    b"\n\n<html lang=en>": "failed download",
    "(module)".encode("utf-16"): "UTF-16",
    "(module)".encode("utf-16-le"): "UTF-16",
    "(module)".encode("utf-8-sig"): "byte order mark",
    b'{"error": "not found"}': "JSON",
    b"version https://git-lfs.github.com/spec/v1\n": "git lfs pull",
    b"!<arch>\n/               ": "wasm-ld",
}


@pytest.mark.parametrize("suffix", [".wasm", ".wat"])
@pytest.mark.parametrize("data", OTHER_FORMATS)
def test_other_formats_are_named(data: bytes, suffix: str, tmp_path: Path) -> None:
    message = OTHER_FORMATS[data]
    file = tmp_path / f"module{suffix}"
    file.write_bytes(data)
    for source in (data, bytearray(data), file, str(file)):
        with pytest.raises(wasmcore.DecodeError) as caught:
            wasmcore.Module(source)
        assert message in str(caught.value)
        named = source in (file, str(file))
        assert str(caught.value).startswith(f"{file} is not a WebAssembly module: " if named else ("magic header", "unexpected end"))


def test_components_are_named(tmp_path: Path) -> None:
    component = b"\0asm\x0d\0\1\0"
    (tmp_path / "component.wasm").write_bytes(component)
    for read in (wasmcore.Module, wasmcore.validate):
        for source in (component, tmp_path / "component.wasm"):
            with pytest.raises(wasmcore.DecodeError, match="unknown binary version: this is a component, not a core module; compile for"):
                read(source)
    with pytest.raises(wasmcore.DecodeError, match="this is a component"):
        wasmcore.wasm2wat(component)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("(module)", "<wasmcore.Module of 8 bytes, 0 exports>"), ("(module $app)", "<wasmcore.Module app of 21 bytes, 0 exports>")],
)
def test_objects_say_what_they_are(text: str, shown: str) -> None:
    module = wasmcore.Module(text)
    assert repr(module) == shown
    assert repr(wasmcore.Instance(module)) == f"<wasmcore.Instance of {shown}>"
    assert repr(wasmcore.Linker()) == "<wasmcore.Linker of no modules>"
    assert repr(wasmcore.Instance(module).exports) == "<exports: >"


def test_features_change_the_default() -> None:
    default = wasmcore.DEFAULT_FEATURES
    for given in ("+threads,-simd", ["+threads", "-simd"], {"-simd", "+threads"}, " +threads , -simd "):
        assert wasmcore.Engine(features=given).features == (default | {"threads"}) - {"simd"}
    assert wasmcore.Engine(features=default | {"threads"}).features == wasmcore.Engine(features="+threads").features
    assert wasmcore.Engine(features=[]).features == frozenset()
    wasmcore.validate("(module (memory 1 1 shared))", features="+threads")


@pytest.fixture
def without_wasi(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed, but for WASI."""
    registry = _registry.Registry()
    registry._entries = [entry for entry in entries(ENTRY_POINT_GROUP) if entry.name != "wasi"]
    monkeypatch.setattr(_registry, "_registry", registry)


@pytest.mark.usefixtures("without_wasi")
def test_a_program_without_wasi_says_which_package_brings_it() -> None:
    with pytest.raises(wasmcore.LinkError) as caught:
        link(PROGRAM, host_options={"wasi": {"args": ["app"]}})
    assert str(caught.value).splitlines() == [
        "import wasi_snapshot_preview1.proc_exit is missing: expected func [i32] -> []",
        "  host module 'wasi_snapshot_preview1' is not installed; try `pip install wasmcore-wasi`",
    ]
    link("(module)", host_options={"wasi": {"args": ["app"]}})
    with pytest.raises(TypeError, match="'wazi', which is no host module; did you mean 'wasi'"):
        link("(module)", host_options={"wazi": {}})


KINDS = ("i32", "i64", "v128")
IMPORTS = " ".join(f'(import "env" "{kind}" (func ${kind} (param {kind}) (result {kind})))' for kind in KINDS)
CALLERS = " ".join(f'(func (export "{kind}") (param {kind}) (result {kind}) (call ${kind} (local.get 0)))' for kind in KINDS)
VECTOR = bytes(range(16))
VALUES = [
    ("i32", numpy.True_, 1),
    ("i32", numpy.int8(-5), -5),
    ("i32", numpy.uint32(0xFFFFFFFF), -1),
    ("i64", numpy.False_, 0),
    ("i64", numpy.uint64(2**64 - 1), -1),
    ("v128", bytearray(VECTOR), VECTOR),
    ("v128", memoryview(VECTOR), VECTOR),
    ("v128", memoryview(bytes(32))[::2], bytes(16)),
    ("v128", numpy.arange(16, dtype=numpy.uint8), VECTOR),
    ("v128", numpy.ones(2, dtype=numpy.int64), b"\1\0\0\0\0\0\0\0" * 2),
    ("v128", numpy.int64(5), b"\5" + bytes(15)),
]


@pytest.mark.parametrize(("kind", "value", "taken"), VALUES)
def test_what_stands_for_a_value_is_taken(kind: str, value: Any, taken: object, backend: str) -> None:
    """As argument, as result of a host function, and in a global."""
    module = wasmcore.Module(f"(module {IMPORTS} {CALLERS})", backend=backend)
    exports = wasmcore.Instance(module, {"env": dict.fromkeys(KINDS, lambda _given: value)}).exports
    calls: list[Callable[[], object]] = [lambda: exports[kind](value), lambda: exports[kind](1), lambda: wasmcore.Global(kind, value).value]
    assert [call() for call in calls] == [taken] * 3

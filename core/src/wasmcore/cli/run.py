"""`wasmcore run`: run a program, or call one function of a module."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from threading import Event, Thread

import wasmcore
from wasmcore._source import PRECOMPILED, to_binary
from wasmcore._typing import Any, Final
from wasmcore.cli.options import RunRequest
from wasmcore.cli.report import UsageError, naming, say_if_plain
from wasmcore.errors import Exit, WasmcoreError
from wasmcore.types import F32, F64, I32, I64, FuncType, value_type_name


def _integer(text: str) -> int:
    return int(text, 0)


_LARGE: Final = 1 << 20
"""Bytes of a module for which the cache may begin before the backend is there."""
_kept: Final[list[object]] = []
"""The last instance: the process ends with the program, and takes less time to do so than the instance would on its own."""

_READERS: Final[dict[int, Callable[[str], int | float]]] = {I32: _integer, I64: _integer, F32: float, F64: float}


def run(request: RunRequest) -> int:
    """Run what is asked for; the exit code of the program."""
    content = _Content(request.file)
    try:
        engine = make_engine(request.backend, request.option)
    except WasmcoreError:
        to_binary(content.get(), request.file)  # what is wrong with the file comes first
        raise
    from wasmcore import _instance as _instance  # takes as long as is left of reading a big file

    data = content.get()
    if not data.startswith(PRECOMPILED):
        data = to_binary(data, request.file)
    say_if_plain()
    with naming(request.file):
        module = _module(request, data, engine)
        function, arguments = _function(request, module)
        try:
            instance = wasmcore.Instance(module, host_options=_host_options(request))
            _kept[:] = [instance]
            if request.invoke is not None and "_initialize" in instance.exports:
                instance.exports["_initialize"]()
            gc.freeze()  # what the program may leave behind is garbage, not what was made to run it
            gc.enable()
            result = instance.exports[function](*arguments)
        except Exit as ended:
            return ended.code & 0xFF
    for value in result if isinstance(result, tuple) else () if result is None else (result,):
        print(value)
    return 0


class _Content:
    """What is in a file, read in a thread: for a big one that takes as long as importing a backend."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._data = b""
        self._error: BaseException | None = None
        self._read = Event()
        Thread(target=self._prepare, daemon=True).start()

    def _prepare(self) -> None:
        try:
            with open(self._file, "rb", buffering=0) as stream:
                self._data = stream.readall()
            if len(self._data) >= _LARGE:
                from wasmcore.compile.saved_code import prepare

                prepare(self._data)
        except BaseException as error:
            self._error = error
        finally:
            self._read.set()

    def get(self) -> bytes:
        """The bytes of the file."""
        self._read.wait()
        if self._error is not None:
            raise self._error
        return self._data


def make_engine(backend: str | None, options: Sequence[str], lazy: bool | None = None) -> wasmcore.Engine:
    """The engine that a command line asks for, by the name of a backend and its options as `NAME=VALUE`."""
    named = {}
    for text in options:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--option takes NAME=VALUE, such as level=O3, not {text!r}")
        named[name] = value
    try:
        return wasmcore.Engine(backend or "auto", lazy=lazy, options=named, progress=_progress())
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None


def _module(request: RunRequest, data: bytes, engine: wasmcore.Engine) -> wasmcore.Module:
    """The module in the content of a file: WebAssembly or, if that is allowed, machine code."""
    if data.startswith(PRECOMPILED):
        if request.backend or request.option:
            raise UsageError(f"{request.file} is compiled already, so --backend and --option have no effect")
        from wasmcore.cli.precompiled import load_precompiled

        return load_precompiled(request.file, data, request.allow_precompiled)
    return wasmcore.Module(data, engine=engine)


def _host_options(request: RunRequest) -> dict[str, dict[str, Any]]:
    arguments = request.arguments if request.invoke is None else ()
    options = {
        "args": [request.file, *arguments],
        "env": dict(map(_variable, request.env)),
        "dirs": dict(map(_directory, request.dir)),
    }
    return {"wasi": options}


def _function(request: RunRequest, module: wasmcore.Module) -> tuple[str, list[int | float]]:
    """The exported function to call, and its arguments."""
    functions = {export.name: export.type for export in module.exports if isinstance(export.type, FuncType)}
    name = "_start" if request.invoke is None else request.invoke
    if name not in functions:
        choice = f"--invoke can call: {', '.join(functions)}" if functions else "it exports no function at all"
        lack = "it is no program (it exports no _start)" if request.invoke is None else f"it exports no function {name!r}"
        raise UsageError(f"{request.file}: {lack}; {choice}")
    return name, [] if request.invoke is None else _arguments(request, functions[name])


def _arguments(request: RunRequest, function: FuncType) -> list[int | float]:
    """The arguments of the command line as values of the function's parameters."""
    texts = request.arguments
    if len(texts) != len(function.params):
        raise UsageError(f"{request.invoke} takes {len(function.params)} arguments, {function}, and {len(texts)} were given")
    values = []
    for text, wanted in zip(texts, function.params, strict=True):
        reader = _READERS.get(wanted)
        if reader is None:
            raise UsageError(f"{request.invoke} takes a {value_type_name(wanted)}, which can not be written on a command line")
        try:
            values.append(reader(text))
        except ValueError:
            raise UsageError(f"{text!r} is no {value_type_name(wanted)}") from None
    return values


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    return name, value if equals else os.environ.get(name, "")


def _directory(text: str) -> tuple[str, str]:
    """Guest name and host path of `HOST::GUEST` or `HOST`."""
    host, colons, guest = text.partition("::")
    return (guest if colons else host), host


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None
    from wasmcore.cli.progress import Progress

    return Progress()

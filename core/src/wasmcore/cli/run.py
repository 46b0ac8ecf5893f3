"""`wasmcore run`: run a program, or call one function of a module."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from typing import Any, Final

import wasmcore
from wasmcore.cli.options import RunRequest
from wasmcore.cli.report import UsageError, naming, read_module, say_if_plain
from wasmcore.errors import Exit
from wasmcore.types import F32, F64, I32, I64, FuncType, value_type_name


def _integer(text: str) -> int:
    return int(text, 0)


_kept: Final[list[object]] = []
"""The last instance: the process ends with the program, and takes less time to do so than the instance would on its own."""

_READERS: Final[dict[int, Callable[[str], int | float]]] = {I32: _integer, I64: _integer, F32: float, F64: float}


def run(request: RunRequest) -> int:
    """Run what is asked for; the exit code of the program."""
    data = read_module(request.file)
    say_if_plain()
    with naming(request.file):
        engine = wasmcore.Engine(request.backend or "auto", progress=_progress())
        module = wasmcore.Module(data, engine=engine)
        function, arguments = _function(request, module)
        try:
            instance = wasmcore.Instance(module, host_options=_host_options(request))
            _kept[:] = [instance]
            if request.invoke is not None and "_initialize" in instance.exports:
                instance.exports["_initialize"]()
            gc.enable()
            result = instance.exports[function](*arguments)
        except Exit as ended:
            return ended.code & 0xFF
    for value in result if isinstance(result, tuple) else () if result is None else (result,):
        print(value)
    return 0


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

"""`wasmcore run`: run a program, or call one function of a module."""

from __future__ import annotations

import os
import sys
from typing import Any

import wasmcore
from wasmcore.cli.options import RunRequest
from wasmcore.cli.report import naming, read_module, say_if_plain
from wasmcore.errors import Exit, WasmcoreError
from wasmcore.types import F32, F64, I32, I64, FuncType, value_type_name

_READERS = {I32: lambda text: int(text, 0), I64: lambda text: int(text, 0), F32: float, F64: float}


class UsageError(WasmcoreError):
    """The command line asks for something that the module does not have."""


def run(request: RunRequest) -> int:
    """Run what is asked for; the exit code of the program."""
    data = read_module(request.file)
    say_if_plain()
    options = {
        "args": [request.file, *(request.arguments if request.invoke is None else ())],
        "env": dict(map(_variable, request.env)),
        "dirs": dict(map(_directory, request.dir)),
    }
    engine = wasmcore.Engine(backend=request.backend, progress=_progress())
    with naming(request.file):
        module = wasmcore.Module(data, engine=engine)
    uses_wasi = any(each.module.startswith("wasi") for each in module.imports)
    try:
        instance = wasmcore.Instance(module, {}, host_options={"wasi": options} if uses_wasi else {})
        return _call(request, instance)
    except Exit as ended:
        return ended.code & 0xFF


def _call(request: RunRequest, instance: Any) -> int:
    exports = instance.exports
    if request.invoke is None:
        if "_start" not in exports:
            raise UsageError(f"{request.file} is no program (it exports no _start); {_callable(instance)}")
        exports["_start"]()
        return 0
    if "_initialize" in exports and request.invoke != "_initialize":
        exports["_initialize"]()
    function = exports[request.invoke] if request.invoke in exports else None
    if function is None or not isinstance(function.type, FuncType):
        raise UsageError(f"{request.file} exports no function {request.invoke!r}; {_callable(instance)}")
    result = function(*_arguments(request, function.type))
    for value in result if isinstance(result, tuple) else () if result is None else (result,):
        print(value)
    return 0


def _callable(instance: Any) -> str:
    names = [name for name, value in instance.exports.items() if isinstance(getattr(value, "type", None), FuncType)]
    return f"--invoke can call {', '.join(names)}" if names else "it exports no function at all"


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

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
from wasmcore.cli.report import UsageError, naming, read_input, say_if_plain, source_name
from wasmcore.errors import Exit, PluginError
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES
from wasmcore.types import F32, F64, I32, I64, FuncType, value_type_name


def _i32(text: str) -> int:
    return _integer(text, 32)


def _i64(text: str) -> int:
    return _integer(text, 64)


def _integer(text: str, bits: int) -> int:
    """A signed or unsigned number of so many bits; ValueError for anything else."""
    number = int(text, 0)
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise ValueError
    return number


_LARGE: Final = 1 << 20
"""Bytes of a module for which the cache may begin before the backend is there."""
_kept: Final[list[object]] = []
"""The last instance: the process ends with the program, and takes less time to do so than the instance would on its own."""

_READERS: Final[dict[int, Callable[[str], int | float]]] = {I32: _i32, I64: _i64, F32: float, F64: float}


def run(request: RunRequest) -> int:
    """Run what is asked for; the exit code of the program."""
    content = _Content(request.file)
    options = host_options(request)
    features = enabled_features(request.enable)
    try:
        engine = make_engine(request.backend, request.option, features)
    except PluginError:
        to_binary(content.get(), source_name(request.file))  # what is wrong with the file comes first
        raise
    from wasmcore import _instance as _instance  # takes as long as is left of reading a big file

    data = content.get()
    if not data.startswith(PRECOMPILED):
        data = to_binary(data, source_name(request.file))
    say_if_plain()
    with naming(request.file):
        module = _module(request, data, engine)
        function, arguments = requested_function(request, module)
        try:
            instance = wasmcore.Instance(module, host_options=options)
            _kept[:] = [instance]
            if request.invoke is not None and "_initialize" in instance.exports:
                instance.exports["_initialize"]()
            gc.freeze()  # what the program may leave behind is garbage, not what was made to run it
            gc.enable()
            result = instance.exports[function](*arguments)
        except Exit as ended:
            return ended.code & 0xFF
    if result is not None:
        from wasmcore.cli.output import standard_output

        with standard_output() as output:
            for value in result if isinstance(result, tuple) else (result,):
                print(value, file=output)
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
            self._data = read_input(self._file)
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


def enabled_features(enable: Sequence[str], disable: Sequence[str] = ()) -> frozenset[str]:
    """The default features with those of `--enable` and without those of `--disable`; UsageError for what is none."""
    for name in (*enable, *disable):
        if name not in FEATURES:
            from wasmcore._arguments import choices

            raise UsageError(f"no feature {name!r}; {choices(name, FEATURES)}")
    return DEFAULT_FEATURES.union(enable).difference(disable)


def make_engine(
    backend: str | None,
    options: Sequence[str] = (),
    features: frozenset[str] = DEFAULT_FEATURES,
    lazy: bool | None = None,
    cache: bool = True,
) -> wasmcore.Engine:
    """The engine that a command line asks for: the name of a backend and its options as `NAME=VALUE`, the rest as `Engine` has it."""
    named = {}
    for text in options:
        option, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--option takes NAME=VALUE, such as level=O3, not {text!r}")
        named[option] = value
    try:
        name = "auto" if backend is None else backend
        return wasmcore.Engine(name, lazy=lazy, options=named, features=features, progress=_progress(), cache=cache)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from None
    except PluginError as error:
        if backend is None or _is_installed(backend):
            raise
        raise UsageError(str(error)) from None


def _is_installed(backend: str) -> bool:
    """Whether there is a backend of this name, and be it one that can not be used."""
    from wasmcore import _registry as registry

    found = registry.listing()
    return backend in found.provided[registry.BACKEND] or backend in [problem.plugin for problem in found.problems]


def _module(request: RunRequest, data: bytes, engine: wasmcore.Engine) -> wasmcore.Module:
    """The module in the content of a file: WebAssembly or, if that is allowed, machine code."""
    if data.startswith(PRECOMPILED):
        if request.backend or request.option or request.enable:
            raise UsageError(f"{source_name(request.file)} is compiled already, so --backend, --option and --enable have no effect")
        from wasmcore.cli.precompiled import load_precompiled

        return load_precompiled(source_name(request.file), data, request.allow_precompiled)
    return wasmcore.Module(data, engine=engine)


def host_options(request: RunRequest) -> dict[str, dict[str, Any]]:
    """What a program may see, by host module."""
    arguments = request.arguments if request.invoke is None else ()
    options = {
        "args": [request.file, *arguments],
        "env": dict([variable for text in request.env for variable in _variable(text)]),
        "dirs": dict(map(_directory, request.dir)),
    }
    return {"wasi": options}


def requested_function(request: RunRequest, module: wasmcore.Module) -> tuple[str, list[int | float]]:
    """The exported function to call, and its arguments."""
    functions = {export.name: export.type for export in module.exports if isinstance(export.type, FuncType)}
    name = "_start" if request.invoke is None else request.invoke
    choice = f"--invoke can call: {', '.join(functions)}" if functions else "it exports no function at all"
    if name not in functions:
        if request.invoke is None and "--invoke" in request.arguments:
            choice += "; what is behind the file belongs to the program, so --invoke goes before it"
        lack = "it is no program (it exports no _start)" if request.invoke is None else f"it exports no function {name!r}"
        raise UsageError(f"{source_name(request.file)}: {lack}; {choice}")
    if request.invoke is not None:
        return name, _arguments(request, functions[name])
    if functions[name].params:
        raise UsageError(f"{source_name(request.file)}: it is no program (its _start takes arguments); {choice}")
    return name, []


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
            raise UsageError(f"{request.invoke} takes {function}, and {text!r} is no {value_type_name(wanted)}") from None
    return values


def _variable(text: str) -> list[tuple[str, str]]:
    """Name and value of `NAME=VALUE`, or of the variable `NAME` of this process, if there is one."""
    name, equals, value = text.partition("=")
    if not name:
        raise UsageError(f"--env takes NAME=VALUE or NAME, not {text!r}")
    return [(name, value)] if equals else [(name, os.environ[name])] if name in os.environ else []


def _directory(text: str) -> tuple[str, str]:
    """Guest name and host path of `HOST::GUEST` or `HOST`."""
    host, colons, guest = text.partition("::")
    if not os.path.isdir(host):
        raise UsageError(f"--dir takes HOST::GUEST or HOST, and there is no directory {host!r}")
    return (guest if colons else host), host


def _progress() -> Any:
    if not sys.stderr.isatty():
        return None
    from wasmcore.cli.progress import Progress

    return Progress()

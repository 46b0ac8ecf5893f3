"""The options of `wasmcore run`, as data for both of its parsers, and the quick parser."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import Any, Final

COMMANDS: Final = ("run", "bench", "compile", "validate", "inspect", "objdump", "wat2wasm", "wasm2wat", "wast", "backends", "cache")
"""Names of the commands."""


class Option(NamedTuple):
    """An option that takes a value, or is a flag, which has no metavar."""

    name: str
    metavar: str
    multiple: bool
    help: str

    @property
    def field(self) -> str:
        """Its name as a Python name."""
        return self.name.replace("-", "_")


ENABLE: Final = "Enable a feature that is no part of WebAssembly 3.0, such as threads."
"""Help of the option that several commands have."""

RUN_OPTIONS: Final = (
    Option("backend", "NAME", False, "Compile with this backend (see `wasmcore backends`)."),
    Option("option", "NAME=VALUE", True, "An option of the backend, such as level=O3."),
    Option("enable", "FEATURE", True, ENABLE),
    Option("allow-precompiled", "", False, "Run FILE even if it holds machine code, which may do anything; only for files you trust."),
    Option("dir", "HOST::GUEST", True, "Let the program see a directory, under another name if one is given."),
    Option("env", "NAME=VALUE", True, "Set an environment variable of the program; NAME alone passes on the one set here, if it is."),
    Option("invoke", "NAME", False, "Call this exported function with the arguments, instead of running the program."),
)


class RunRequest(NamedTuple):
    """What to run, and how."""

    file: str
    arguments: tuple[str, ...] = ()
    backend: str | None = None
    option: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    allow_precompiled: bool = False
    dir: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    invoke: str | None = None


_RUN_OPTIONS: Final = {f"--{option.name}": option for option in RUN_OPTIONS}


def begins_run(word: str) -> bool:
    """Whether a first word is a file to run or an option of `run`; not what is, or was meant to be, a command or another option."""
    if word.startswith("-"):
        return word in ("-", "--") or word.partition("=")[0] in _RUN_OPTIONS
    return word not in COMMANDS and (not word.replace("-", "").isalnum() or os.path.exists(word))


def parse_run(words: Sequence[str]) -> RunRequest | None:
    """Read `[OPTIONS] FILE [ARGUMENTS]`; None for what click is to explain. Everything behind the file is the program's."""
    values: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            return RunRequest(word, tuple(rest), **values)
        name, equals, value = word.partition("=")
        option = _RUN_OPTIONS.get(name)
        if option is not None and not option.metavar and not equals:
            values[option.field] = True
            continue
        found = value if equals else next(rest, None)
        if option is None or found is None or not option.metavar:
            return None
        values[option.field] = (*values.get(option.field, ()), found) if option.multiple else found
    return None

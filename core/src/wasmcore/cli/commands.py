"""The commands, for click."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

import wasmcore
from wasmcore.cli.options import RUN_OPTIONS, RunRequest
from wasmcore.cli.report import FAILED, exit_code, naming, read_module, say, say_if_plain

_FILE = click.Path(dir_okay=False)
_REST = {"allow_interspersed_args": False}
_HELP = {"help_option_names": ["-h", "--help"]}


def run_command(words: Sequence[str]) -> int:
    """Run a command line; the exit code."""
    try:
        code: Any = main.main(list(words), prog_name="wasmcore", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # click's name for Ctrl-C
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


@click.group(context_settings=_HELP, epilog="`wasmcore FILE` is short for `wasmcore run FILE`.")
@click.version_option(wasmcore.__version__, message="%(prog)s %(version)s")
def main() -> None:
    """WebAssembly for Python, with compilers as plug-ins."""


def _with_run_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(RUN_OPTIONS):
        kind: dict[str, Any] = {"metavar": option.metavar, "multiple": option.multiple} if option.metavar else {"is_flag": True}
        command = click.option(f"--{option.name}", help=option.help, **kind)(command)
    return command


@main.command(context_settings=_REST)
@_with_run_options
@click.argument("file", type=_FILE)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(**options: Any) -> int:
    """Run a program.

    Everything behind FILE is the program's. Its exit code is the exit code; a trap gives 134, Ctrl-C 130, and a module that can
    not be read, compiled or linked 1.
    """
    from wasmcore.cli.run import run

    return run(RunRequest(**options))


@main.command(name="compile")
@click.option("-o", "--output", metavar="OUT", type=_FILE, help="Write to this file; `-` is standard output.")
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="An option of the backend, such as level=O3.")
@click.argument("file", type=_FILE)
def compile_(file: str, output: str | None, backend: str | None, options: tuple[str, ...]) -> int:
    """Compile a whole module ahead of time, to FILE.cwasm unless told otherwise.

    `wasmcore run --allow-precompiled` runs the result, with this version of wasmcore and on processors like this one.
    """
    from wasmcore.cli.precompiled import compile_file

    return compile_file(file, output, backend, options)


@main.group()
def cache() -> None:
    """Show and tidy the cache of compiled code.

    It is where WASMCORE_CACHE_DIR says, has at most WASMCORE_CACHE_SIZE bytes (1G, unless set), and is not used with WASMCORE_CACHE=0.
    """


@cache.command(name="dir")
def cache_dir() -> int:
    """Show where it is."""
    from wasmcore.cli.cache import show_folder

    return show_folder()


@cache.command(name="list")
def cache_list() -> int:
    """List what is in it, the least recently used first."""
    from wasmcore.cli.cache import show_entries

    return show_entries(sys.stdout)


@cache.command(name="size")
def cache_size() -> int:
    """Show how many bytes it has, and may have."""
    from wasmcore.cli.cache import show_size

    return show_size()


@cache.command(name="clear")
def cache_clear() -> int:
    """Remove everything in it."""
    from wasmcore.cli.cache import clear

    return clear()


@cache.command(name="prune")
@click.option("--size", metavar="SIZE", help="Keep no more than this, such as 100M.")
def cache_prune(size: str | None) -> int:
    """Remove what can not be used, what killed processes left, and what is too much, the least recently used first."""
    from wasmcore.cli.cache import prune

    return prune(size)


@main.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
def validate(files: tuple[str, ...]) -> int:
    """Check modules, compiling nothing."""
    say_if_plain()
    return max([exit_code(partial(_validate, file)) for file in files])


def _validate(file: str) -> int:
    from wasmcore.binary import decode
    from wasmcore.validation import validate as validate_module

    data = read_module(file)
    with naming(file):
        validate_module(decode(data))
    return 0


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.argument("file", type=_FILE)
def inspect(file: str, as_json: bool) -> int:
    """Show what a module is made of."""
    from wasmcore.cli.inspect import inspect

    return inspect(file, as_json)


@main.command()
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@click.option("--function", metavar="NAME", help="Only this function, by name or number.")
@click.argument("file", type=_FILE)
def objdump(file: str, backend: str | None, function: str | None) -> int:
    """Show the machine code of a module beside what it was made from."""
    try:
        import capstone  # noqa: F401
    except ImportError:
        say("objdump needs capstone; try `pip install wasmcore[objdump]`")
        return FAILED
    from wasmcore.cli.objdump import objdump

    return objdump(file, backend, function)


@main.command()
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@click.option("--enable", metavar="FEATURE", multiple=True, help="Enable a feature that is no part of WebAssembly 3.0, such as threads.")
@click.option("--disable", metavar="FEATURE", multiple=True, help="Do without a feature, such as multi_memory.")
@click.option("--verbose", is_flag=True, help="Show each failure, with its line.")
@click.argument("files", nargs=-1, required=True, type=_FILE)
def wast(backend: str | None, enable: tuple[str, ...], disable: tuple[str, ...], verbose: bool, files: tuple[str, ...]) -> int:
    """Run scripts of the official test suite.

    Writes one line per file, then what passed and failed by feature; the exit code is 0 if everything passed.
    """
    from wasmcore.cli.wast import wast
    from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES

    unknown = [name for name in enable + disable if name not in FEATURES]
    if unknown:
        raise click.BadParameter(f"no feature {', '.join(unknown)}; there are {', '.join(FEATURES)}")
    return wast(files, backend, DEFAULT_FEATURES.union(enable).difference(disable), verbose)


@main.command()
@click.option("-o", "--output", metavar="OUT", type=_FILE, help="Write to this file; `-` is standard output.")
@click.argument("file", type=_FILE)
def wat2wasm(file: str, output: str | None) -> int:
    """Turn text into a binary module, beside FILE unless told otherwise.

    FILE `-` is standard input. The module is not validated.
    """
    from wasmcore.cli.text import to_wasm

    say_if_plain()
    return to_wasm(file, output)


@main.command()
@click.option("-o", "--output", metavar="OUT", type=_FILE, help="Write to this file instead of standard output.")
@click.option("--fold", is_flag=True, help="Write operands inside of the instructions that take them.")
@click.argument("file", type=_FILE)
def wasm2wat(file: str, output: str | None, fold: bool) -> int:
    """Turn a module into text.

    FILE `-` is standard input. wat2wasm turns the text into the same module again.
    """
    from wasmcore.cli.text import to_text

    return to_text(file, output, fold)


@main.command()
def backends() -> int:
    """List backends, targets and host modules, and plugins that can not be used."""
    from wasmcore.cli.plugins import show_plugins

    return show_plugins(sys.stdout)

"""The commands, for click."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

import wasmcore
from wasmcore._arguments import choices
from wasmcore.cli.options import ENABLE, RUN_OPTIONS, RunRequest
from wasmcore.cli.report import FAILED, UsageError, exit_code, naming, read_module, say, say_if_plain

_REST = {"allow_interspersed_args": False}
_HELP = {"help_option_names": ["-h", "--help"]}


def run_command(words: Sequence[str]) -> int:
    """Run a command line; the exit code. UsageError for what can not be understood."""
    output = sys.__stdout__
    if output is not None and output is sys.stdout:
        # Without a buffer, as with PYTHONUNBUFFERED, a stream forgets what did not fit; and names of a module may be in any script.
        sys.stdout = open(output.fileno(), "w", encoding=output.encoding, errors="backslashreplace", closefd=False)
    # Not `main.main`, which ends the process when a pipe is closed, and has its own mind about Ctrl-C.
    try:
        with main.make_context("wasmcore", list(words) or ["--help"]) as context:
            code: int = main.invoke(context)
            return code
    except click.exceptions.Exit as ended:  # `--help`, `--version`
        return ended.exit_code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx is not None else " ".join(["wasmcore", *words[:1]])
        raise UsageError(f"{_reason(error)}; see `{command} --help`") from None


def _reason(error: click.UsageError) -> str:
    """What is wrong with a command line, in click's words where they do."""
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        commands = (main, run) if error.ctx.command is main else (error.ctx.command,)
        options = [name for command in commands for each in command.params if isinstance(each, click.Option) for name in each.opts]
        return f"no option {error.option_name!r}; {choices(error.option_name, [*options, '--help'])}"
    message = error.format_message().rstrip(".")
    return message[:1].lower() + message[1:]


class _Group(click.Group):
    """A group of commands that knows what else may have been meant by a word that is none of them."""

    def resolve_command(self, context: click.Context, words: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if words[0] not in self.commands and not words[0].startswith("-"):
            kind = "command or file" if self is main else "command"
            raise click.UsageError(f"no {kind} {words[0]!r}; {choices(words[0], self.commands)}", context)
        return super().resolve_command(context, words)


@click.group(cls=_Group, context_settings=_HELP, epilog="`wasmcore FILE` is short for `wasmcore run FILE`.")
@click.version_option(wasmcore.__version__, message="%(prog)s %(version)s")
def main() -> None:
    """WebAssembly for Python, with compilers as plug-ins."""


def _enable(command: Callable[..., int]) -> Callable[..., int]:
    return click.option("--enable", metavar="FEATURE", multiple=True, help=ENABLE)(command)


def _with_run_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(RUN_OPTIONS):
        kind: dict[str, Any] = {"metavar": option.metavar, "multiple": option.multiple} if option.metavar else {"is_flag": True}
        command = click.option(f"--{option.name}", help=option.help, **kind)(command)
    return command


@main.command(context_settings=_REST)
@_with_run_options
@click.argument("file")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(**options: Any) -> int:
    """Run a program.

    Everything behind FILE is the program's. Its exit code is the exit code; a trap gives 134, Ctrl-C 130, and a module that can
    not be read, compiled or linked 1. FILE `-` is standard input, as for all commands.
    """
    from wasmcore.cli.run import run

    return run(RunRequest(**options))


@main.command(context_settings=_REST)
@click.option("--invoke", metavar="NAME", help="Call this exported function with the arguments, instead of running the program.")
@click.option("--backend", "backends", metavar="NAME", multiple=True, help="Only this backend; can be given again.")
@click.option("--rounds", metavar="N", type=click.IntRange(1), default=3, show_default=True, help="How often; the best time counts.")
@click.option("--json", "json_file", metavar="OUT", help="Write what was measured to this file, too.")
@click.option("--plot", "plot_file", metavar="OUT", help="Draw it: a name that ends with .svg or .png (needs matplotlib).")
@click.option("--dir", "directories", metavar="HOST::GUEST", multiple=True, help="Let the program see a directory.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="Set an environment variable of the program.")
@_enable
@click.argument("file")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(
    file: str,
    arguments: tuple[str, ...],
    invoke: str | None,
    backends: tuple[str, ...],
    rounds: int,
    json_file: str | None,
    plot_file: str | None,
    directories: tuple[str, ...],
    env: tuple[str, ...],
    enable: tuple[str, ...],
) -> int:
    """Compile and run a module with every installed backend and level (and wasmtime, where it is installed).

    Shows what compiling all of it takes, and what running it takes then. What the program prints is forgotten.
    """
    from wasmcore.cli.bench import bench

    request = RunRequest(file, arguments, enable=enable, dir=directories, env=env, invoke=invoke)
    return bench(request, backends, rounds, json_file, plot_file)


@main.command(name="compile")
@click.option("-o", "--output", metavar="OUT", help="Write to this file; `-` is standard output.")
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="An option of the backend, such as level=O3.")
@_enable
@click.argument("file")
def compile_(file: str, output: str | None, backend: str | None, options: tuple[str, ...], enable: tuple[str, ...]) -> int:
    """Compile a whole module ahead of time, to FILE.cwasm unless told otherwise.

    `wasmcore run --allow-precompiled` runs the result, with this version of wasmcore and on processors like this one.
    """
    from wasmcore.cli.precompiled import compile_file

    return compile_file(file, output, backend, options, enable)


@main.group(cls=_Group, no_args_is_help=False)
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

    return show_entries()


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


@main.group(cls=_Group)
def new() -> None:
    """Begin a plug-in of one's own."""


@new.command(name="backend")
@click.option("--folder", metavar="FOLDER", help="Put it there; else into wasmcore-NAME.")
@click.argument("name")
def new_backend(name: str, folder: str | None) -> int:
    """Write the files of a backend to begin with."""
    from wasmcore.cli.new import new_backend

    return new_backend(name, folder)


@main.command()
@_enable
@click.argument("files", nargs=-1, required=True)
def validate(files: tuple[str, ...], enable: tuple[str, ...]) -> int:
    """Check modules, compiling nothing."""
    from wasmcore.cli.run import enabled_features

    features = enabled_features(enable)
    say_if_plain()
    return max([exit_code(partial(_validate, file, features)) for file in files])


def _validate(file: str, features: frozenset[str]) -> int:
    from wasmcore.binary import decode
    from wasmcore.validation import validate as validate_module

    data = read_module(file)
    with naming(file):
        validate_module(decode(data, features), features)
    return 0


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@_enable
@click.argument("file")
def inspect(file: str, as_json: bool, enable: tuple[str, ...]) -> int:
    """Show what a module is made of."""
    from wasmcore.cli.inspect import inspect

    return inspect(file, as_json, enable)


@main.command()
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@click.option("--function", metavar="NAME", help="Only this function, by name or number.")
@click.option("--stage", metavar="NAME", help="Show this stage of the compiler.")
@_enable
@click.argument("file")
def objdump(file: str, backend: str | None, function: str | None, stage: str | None, enable: tuple[str, ...]) -> int:
    """Show the machine code of a module beside what it was made from."""
    try:
        import capstone  # noqa: F401
    except ImportError:
        say("objdump needs capstone; try `pip install wasmcore[objdump]`")
        return FAILED
    from wasmcore.cli.objdump import objdump

    return objdump(file, backend, function, stage, enable)


@main.command()
@click.option("--backend", metavar="NAME", help="Compile with this backend.")
@_enable
@click.option("--disable", metavar="FEATURE", multiple=True, help="Do without a feature, such as multi_memory.")
@click.option("--verbose", is_flag=True, help="Show each failure, with its line.")
@click.argument("files", nargs=-1, required=True)
def wast(backend: str | None, enable: tuple[str, ...], disable: tuple[str, ...], verbose: bool, files: tuple[str, ...]) -> int:
    """Run scripts of the official test suite.

    Writes one line per file, then what passed and failed by feature; the exit code is 0 if everything passed.
    """
    from wasmcore.cli.wast import wast

    return wast(files, backend, enable, disable, verbose)


@main.command()
@click.option("-o", "--output", metavar="OUT", help="Write to this file; `-` is standard output.")
@click.argument("file")
def wat2wasm(file: str, output: str | None) -> int:
    """Turn text into a binary module, beside FILE unless told otherwise.

    What was read from standard input goes to standard output. The module is not validated.
    """
    from wasmcore.cli.text import to_wasm

    say_if_plain()
    return to_wasm(file, output)


@main.command()
@click.option("-o", "--output", metavar="OUT", help="Write to this file instead of standard output, which is `-`.")
@click.option("--fold", is_flag=True, help="Write operands inside of the instructions that take them.")
@click.argument("file")
def wasm2wat(file: str, output: str | None, fold: bool) -> int:
    """Turn a module into text.

    wat2wasm turns the text into the same module again.
    """
    from wasmcore.cli.text import to_text

    return to_text(file, output, fold)


@main.command()
def backends() -> int:
    """List backends, targets and host modules, and plugins that can not be used."""
    from wasmcore.cli.plugins import show_plugins

    return show_plugins()

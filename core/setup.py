"""Names the extension modules; everything else is in pyproject.toml. The same file in every distribution."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


def extensions() -> list[Extension]:
    """The modules that `[tool.wasmcore-build]` names, compiled as one group; none in a plain build."""
    if not os.environ.get("_WASMCORE_COMPILE"):
        return []
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        from setuptools.compat.py310 import tomllib
    from mypyc.build import mypycify

    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["wasmcore-build"]
    found = mypycify(
        ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent", *settings["compile"]],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        group_name=settings["group"],
        target_dir=f"build/mypyc-{sys.implementation.cache_tag}",
        multi_file=True,
        strict_dunder_typing=True,
    )
    for extension in found:
        extension.sources = in_rooms(extension.sources, settings["group"])
        if os.name == "posix":  # mypyc adds -Werror, which newer compilers turn into failures
            extension.extra_compile_args = [*extension.extra_compile_args, "-Wno-error", "-fno-semantic-interposition"]
    return found


def in_rooms(sources: list[str], group: str) -> list[str]:
    """Sources of modules in one folder as one, so that the C compiler sees them together; the largest first."""
    rooms: dict[str, list[str]] = {}
    alone = []
    prefix = f"__native_{group}___"
    for source in sources:
        name = Path(source).name
        if name.startswith(prefix):
            rooms.setdefault(name.removeprefix(prefix).rpartition("___")[0], []).append(source)
        else:
            alone.append(source)
    made = []
    for room, parts in sorted(rooms.items(), key=lambda each: -sum(Path(part).stat().st_size for part in each[1])):
        path = Path(parts[0]).with_name(f"room_{room}.c")
        path.write_text("".join(f'#include "{Path(part).name}"\n' for part in parts))
        made.append(str(path))
    return made + alone


class SideBySide(build_ext):
    """Compiles as many sources at a time as there are processors."""

    def build_extensions(self) -> None:
        compile_one_by_one = self.compiler.compile

        def compile_side_by_side(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                found = threads.map(lambda source: compile_one_by_one([source], **options), sources)
                return [path for paths in found for path in paths]

        self.compiler.compile = compile_side_by_side
        super().build_extensions()


setup(ext_modules=extensions(), cmdclass={"build_ext": SideBySide})

"""Names the extension modules; everything else is in pyproject.toml. The same file in every distribution."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from setuptools import Extension, setup


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
        ["--ignore-missing-imports", "--follow-imports=silent", *settings["compile"]],
        opt_level=os.environ.get("MYPYC_OPT_LEVEL", "3"),
        group_name=settings["group"],
        target_dir=f"build/mypyc-{sys.implementation.cache_tag}",
        strict_dunder_typing=True,
    )
    if os.name == "posix":  # mypyc adds -Werror, which newer compilers turn into failures
        for extension in found:
            extension.extra_compile_args = [*extension.extra_compile_args, "-Wno-error", "-fno-semantic-interposition"]
    return found


setup(ext_modules=extensions())

"""PEP 517 build backend: setuptools, plus mypyc for the modules named in `[tool.wasmcore-build]` of pyproject.toml.

`WASMCORE_PURE=1` builds plain Python, `WASMCORE_PURE=0` compiles or fails; unset, it compiles where that works and else builds plain
Python (a `py3-none-any` wheel). All modules are compiled or none. Where the distribution can not be used, nothing is built. This file and
setup.py are the same in every distribution.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

OLDEST = (3, 10)
COMPILER = ["mypy>=2.4.1,<2.5", "librt>=0.16,<0.18"]

Settings = dict[str, Any] | None


def _mode() -> str:
    mode = {"1": "plain", "0": "compiled"}.get(os.environ.get("WASMCORE_PURE", ""), "either")
    return "plain" if mode == "either" and not _compiler_works() else mode


@cache
def _compiler_works() -> bool:
    """Whether the C compiler that extension modules are built with is there, and finds Python's headers."""
    if os.name != "posix":
        return True  # whoever looks for it there is the build itself
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "empty.c")
        source.write_text("#include <Python.h>\n")
        headers = f"-I{sysconfig.get_path('include')}"
        try:
            done = subprocess.run([*compiler, headers, "-c", str(source), "-o", f"{source}.o"], capture_output=True, check=False)
        except OSError:
            return False
    if done.returncode:
        print(f"wasmcore: no C compiler that finds Python.h ({shlex.join(compiler)}): building plain Python", file=sys.stderr)
    return done.returncode == 0


def unsupported(platform: str | None) -> str | None:
    """Why a distribution for a platform (as `sysconfig.get_platform` names it, None for any) can not be used here; None if it can."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] < OLDEST:
        return f"wasmcore is for CPython 3.10 and newer, and this is {sys.implementation.name} {sys.version.split()[0]}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "wasmcore can not be used with free-threaded builds of Python yet; use an ordinary one"
    if platform not in (None, sysconfig.get_platform()):
        return f"this distribution of wasmcore is for {platform} only, and this is {sysconfig.get_platform()}"
    return None


def _refuse_unsupported() -> None:
    """End the build with one line where its result could not be used."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        from setuptools.compat.py310 import tomllib
    settings = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]["wasmcore-build"]
    reason = unsupported(settings.get("platform"))
    if reason is not None:
        raise SystemExit(reason)


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """What the build needs beside setuptools; asked for before anything is built."""
    _refuse_unsupported()
    return [*build_meta.get_requires_for_build_wheel(config_settings), *([] if _mode() == "plain" else COMPILER)]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """What an editable build needs beside setuptools; asked for before anything is built."""
    _refuse_unsupported()
    return [*build_meta.get_requires_for_build_editable(config_settings), *(COMPILER if _mode() == "compiled" else [])]


def _build(hook: Callable[..., str], *arguments: Any) -> str:
    if _mode() == "plain":
        return hook(*arguments)
    os.environ["_WASMCORE_COMPILE"] = "1"
    try:
        return hook(*arguments)
    except (Exception, SystemExit) as error:
        if _mode() == "compiled":
            raise
        print(f"wasmcore: not compiled, building plain Python (about 40 times slower): {error}", file=sys.stderr)
    finally:
        del os.environ["_WASMCORE_COMPILE"]
    return hook(*arguments)


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel."""
    return _build(build_meta.build_wheel, wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build an editable wheel: plain unless `WASMCORE_PURE=0`, for an extension module in `src` hides later edits of its source."""
    if _mode() == "compiled":
        return _build(build_meta.build_editable, wheel_directory, config_settings, metadata_directory)
    for pattern in ("*.so", "*.pyd"):
        for stale in Path("src").rglob(pattern):
            stale.unlink()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)

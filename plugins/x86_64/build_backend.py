"""PEP 517 build backend: setuptools, plus mypyc for the modules named in `[tool.wasmcore-build]` of pyproject.toml.

`WASMCORE_PURE=1` builds plain Python, `WASMCORE_PURE=0` compiles or fails; unset, it compiles where that works and else builds plain
Python (a `py3-none-any` wheel). All modules are compiled or none. This file and setup.py are the same in every distribution.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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

COMPILER = ["mypy>=2.4.1,<2.5", "librt>=0.16,<0.17"]

Settings = dict[str, Any] | None


def _mode() -> str:
    return {"1": "plain", "0": "compiled"}.get(os.environ.get("WASMCORE_PURE", ""), "either")


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """What the build needs beside setuptools."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *([] if _mode() == "plain" else COMPILER)]


def get_requires_for_build_editable(config_settings: Settings = None) -> list[str]:
    """What an editable build needs beside setuptools."""
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

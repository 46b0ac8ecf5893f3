"""What tells builds apart: an edit of anything that makes code."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wasmcore.compile import build_identity


def package(folder: Path, name: str, points: str = "") -> Path:
    """A package with a module in it, and a distribution that brings entry points."""
    (folder / name / "inner").mkdir(parents=True)
    (folder / name / "__init__.py").write_text("")
    (folder / name / "inner" / "code.py").write_text("A = 1\n")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    return folder / name / "inner" / "code.py"


def plugin(package_name: str, **attributes: Any) -> Any:
    kind = type("Plugin", (), {"__module__": f"{package_name}.plugin"})
    made = kind()
    made.__dict__.update(attributes)
    return made


def test_everything_that_makes_code_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "backend": package(tmp_path, "some_backend"),
        "target": package(tmp_path, "some_target"),
        "part": package(tmp_path, "some_part"),
        "lowering": package(tmp_path, "some_lowering", "[some_backend.targets]\nmips = some_lowering.inner.code:A\n"),
        "lowering of the part": package(tmp_path, "part_lowering", "[some_part.targets]\nmips = part_lowering.inner\n"),
    }
    others = [
        package(tmp_path, "other_lowering", "[some_backend.targets]\nsparc = other_lowering.inner\n"),
        package(tmp_path, "stranger", "[other.targets]\nmips = stranger.inner\n"),
    ]
    monkeypatch.syspath_prepend(str(tmp_path))
    engine: Any = SimpleNamespace(backend=plugin("some_backend", packages=("some_part",)), target=plugin("some_target", name="mips"))

    def build() -> bytes:
        build_identity._seen.clear()
        return build_identity.build_of(engine)

    try:
        seen = {build()}
        for number, file in enumerate(files.values(), 1):
            os.utime(file, ns=(number, number))
            seen.add(build())
            assert len(seen) == number + 1, file
        for file in others:
            os.utime(file, ns=(1, 1))
        assert build() in seen
        assert not {name for name in sys.modules if name.startswith(("some_", "part_"))}, "nothing is imported for it"
    finally:
        build_identity._seen.clear()

"""docs/contract.md and docs/lowering.md say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("contract.md", "lowering.md")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page_tables", ROOT / "tools/page_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PAGES)
def test_tables_are_those_of_the_code(name: str, tables: ModuleType) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    assert page == tables.filled(page), "run `python tools/page_tables.py`"


def test_pages_have_every_table(tables: ModuleType) -> None:
    found = [place for name in PAGES for place in tables.places((ROOT / "docs" / name).read_text("utf-8"))]
    assert sorted(found) == sorted(tables.TABLES)


def test_pages_name_the_versions() -> None:
    from wasmcore.plugin.code import CONTRACT
    from wasmcore_singlepass.protocol import PROTOCOL

    for name, version in zip(PAGES, (CONTRACT, PROTOCOL), strict=True):
        assert f"Version {version[0]}.{version[1]} " in (ROOT / "docs" / name).read_text("utf-8")

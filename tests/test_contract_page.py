"""docs/contract.md says what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("contract_tables", ROOT / "tools/contract_tables.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_are_those_of_the_code(tables: ModuleType) -> None:
    page = (ROOT / "docs/contract.md").read_text("utf-8")
    assert page == tables.filled(page), "run `python tools/contract_tables.py`"


def test_page_has_every_table(tables: ModuleType) -> None:
    page = (ROOT / "docs/contract.md").read_text("utf-8")
    assert sorted(tables.places(page)) == sorted(tables.TABLES)


def test_page_names_the_version() -> None:
    from wasmcore.plugin.code import CONTRACT

    assert f"Version {CONTRACT[0]}.{CONTRACT[1]} " in (ROOT / "docs/contract.md").read_text("utf-8")

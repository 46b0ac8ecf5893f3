"""SECURITY.md names the tests that show its promises, and those are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text("utf-8")


def test_the_tests_that_are_named_exist() -> None:
    files = [file for folder in ("core", "plugins", "tests") for file in (ROOT / folder).rglob("test_*.py")]
    functions = {name for file in files for name in re.findall(r"^def (test_\w+)\(", file.read_text("utf-8"), re.M)}
    named = re.findall(r"`((?:core|plugins|tests)/[\w/.]+|test_\w+)`", PAGE)
    assert len(named) > 20
    assert [name for name in named if not ((ROOT / name).exists() if "/" in name else name in functions)] == []


def test_every_promise_names_a_test() -> None:
    """Each point of the sections that promise something, but for what is said not to be promised."""
    promises = PAGE.partition("## What the sandbox promises")[2].partition("## The cache")[0]
    points = re.findall(r"^- .*(?:\n  .*)*", promises, re.M)
    assert len(points) > 6
    assert [point for point in points if "test" not in point] == []

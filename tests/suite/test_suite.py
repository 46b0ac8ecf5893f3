"""Every script of the official test suite on every backend.

What is known to fail stands in `expected_failures.txt`; that something on the list passes is a failure, too.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

import wasmcore
from tests.suite.expected import expected_failures
from tests.suite.scripts import FOLDERS, WITHOUT, Script, find_scripts, find_suite
from wasmcore.script import read_script, run_script

_SCRIPTS = find_scripts()


def test_the_suite_is_there() -> None:
    if os.environ.get("WASM_TESTSUITE") == WITHOUT:
        pytest.skip("THE OFFICIAL TEST SUITE IS NOT RUN: WASM_TESTSUITE=none")
    assert find_suite() is not None, (
        "the official test suite was not found: put it beside the checkout (../shared/spec-testsuite), let WASM_TESTSUITE name its folder, "
        "or clone https://github.com/WebAssembly/testsuite into tests/spec-testsuite; WASM_TESTSUITE=none does without"
    )
    assert {os.path.dirname(script.name) for script in _SCRIPTS} == set(FOLDERS)


@pytest.mark.parametrize("script", _SCRIPTS, ids=[script.name for script in _SCRIPTS])
def test_script(script: Script, backend: str) -> None:
    engine = wasmcore.Engine(backend, features=script.features)
    report = run_script(read_script(script.path.read_bytes()), engine)
    found = Counter(failure.subject for failure in report.failures)
    expected = {entry.subject: entry.count for entry in expected_failures() if (entry.backend, entry.script) == (backend, script.name)}
    surprising = [failure for failure in report.failures if found[failure.subject] != expected.get(failure.subject)]
    shown = "\n".join(f"{script.name}:{failure.line}: {failure.command} ({failure.subject}): {failure.error}" for failure in surprising)
    assert dict(found) == expected, f"expected failures {expected}, found {dict(found)}\n{shown}"


@pytest.mark.skipif(not _SCRIPTS, reason="the official test suite is not there")
def test_the_list_of_expected_failures_names_scripts() -> None:
    names = {script.name for script in _SCRIPTS}
    assert [entry for entry in expected_failures() if entry.script not in names or not entry.reason] == []

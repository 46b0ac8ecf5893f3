"""Every script of the official test suite on every backend.

What is known to fail stands in `expected_failures.txt`; that something on the list passes is a failure, too.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

import wasmcore
from tests.suite.expected import expected_failures
from tests.suite.place import VARIABLE, WITHOUT
from tests.suite.scripts import Script, find_scripts, remark
from wasmcore.script import read_script, run_script

_SCRIPTS = find_scripts()


def test_the_suite_is_there() -> None:
    """CI demands the pinned suite, and who names a folder has scripts there; all others are told in the last lines of the run."""
    named = os.environ.get(VARIABLE, "")
    if os.environ.get("CI") == "true" and named != WITHOUT:
        assert remark() == ""
    elif remark() and named in ("", WITHOUT):
        pytest.skip(remark())
    else:
        assert _SCRIPTS, remark()


@pytest.mark.parametrize("script", _SCRIPTS, ids=[script.name for script in _SCRIPTS])
def test_script(script: Script, backend: str) -> None:
    engine = wasmcore.Engine(backend, features=script.features)
    report = run_script(read_script(script.path.read_bytes()), engine)
    found = Counter(failure.subject for failure in report.failures)
    expected = {entry.subject: entry.count for entry in expected_failures() if (entry.backend, entry.script) == (backend, script.name)}
    surprising = [failure for failure in report.failures if found[failure.subject] != expected.get(failure.subject)]
    shown = "\n".join(f"{script.name}:{failure.line}: {failure.command} ({failure.subject}): {failure.error}" for failure in surprising)
    assert dict(found) == expected, f"expected failures {expected}, found {dict(found)}\n{shown}"


@pytest.mark.skipif(remark() != "", reason=remark())
def test_the_list_of_expected_failures_names_scripts() -> None:
    names = {script.name for script in _SCRIPTS}
    assert [entry for entry in expected_failures() if entry.script not in names or not entry.reason] == []

"""Python's objects are found where they are, or left to functions of the stable C API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from wasmcore.runtime.system import objects

ROOT = Path(__file__).parents[1]
CALLS = (
    "plugins/x86_64/tests/test_stubs_calls.py",
    "plugins/x86_64/tests/test_stubs_traps.py",
    "tests/test_vectors_from_python.py",
    "tests/test_linking.py",
    "tests/conformance",
)
ONE_CALL = """
import wasmcore
text = '(module (func (export "add") (param i32 f64) (result f64 i32) (f64.add (local.get 1) (f64.const 1)) (local.get 0)))'
add = wasmcore.Instance(wasmcore.Module(text)).exports.add
print(add(1 << 29, 2.5), add(-3, 1))
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=500)


def test_this_python_is_known() -> None:
    """Each field was compared with what samples have; a version that is newer than `NEWEST` is what a test run has to be made on."""
    assert sys.version_info[:2] <= objects.NEWEST, "run all tests, then raise NEWEST"
    found = objects.object_layout()
    assert found is not None
    assert found.immortal == (sys.version_info >= (3, 12)) == found.tagged_ints


def test_all_kinds_of_calls_by_the_stable_c_api() -> None:
    options = ("-q", "-W", "ignore:the objects of Python")
    done = run("-m", "pytest", *options, *CALLS, WASMCORE_STABLE_ABI="1", WASMCORE_TEST_BACKENDS="singlepass")
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_python_that_is_not_known_is_no_error() -> None:
    """A warning, once."""
    later = "from wasmcore.runtime.system import objects\nobjects.NEWEST = (3, 9)\n"
    done = run("-c", later + ONE_CALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "(3.5, 536870912) (2.0, -3)\n"
    assert done.stderr.count("Warning: the objects of Python") == 1


@pytest.mark.parametrize("change", ["_DIGIT = 1", "_REFERENCES = -1", "_LOOKED_AT = 16"])
def test_what_is_not_found_is_not_used(change: str) -> None:
    """One sample that does not have what it should have is enough."""
    changed = f"from wasmcore.runtime.system import objects\nobjects.{change}\nprint(objects.object_layout())\n"
    done = run("-W", "ignore", "-c", changed + ONE_CALL)
    assert (done.returncode, done.stdout) == (0, "None\n(3.5, 536870912) (2.0, -3)\n"), done.stderr

"""Programs of random steps, and those that once went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .children import FOUND, Children
from .machine import WrongProgram, check
from .operations import OPERATIONS
from .world import Step

PROGRAMS: dict[str, list[Step]] = {
    "a memory of no pages is read": [["instance", 1, 0, 0, 0], ["load", 0, 0, 0]],
    "a memory of no pages does not grow and is written": [["instance", 1, 9, 0, 0], ["grow", 5, 3, 0]],
    "an imported memory of no pages": [["memory", 1, 1], ["instance", 8, 0, 0, 0], ["store", 0, 0, 1]],
    "a 64-bit memory of no pages": [["instance", 7, 0, 0, 0], ["load", 0, 0, 0], ["grow", 0, 0, 0], ["load", 0, 0, 0]],
    "a forked process writes to a memory of no pages": [["instance", 1, 0, 0, 0], ["in_fork", ["store", 0, 0, 0]]],
    "an older view of an unguarded memory": [["memory", 0, 0], ["view", 0, 0], ["grow_memory", 0, 0], ["write", 0, 0, 0]],
    "an older view of a memory that its guest grew": [["instance", 8, 10, 0, 1], ["view", 5, 0], ["grow", 5, 1, 0]],
    "objects in a table without an instance": [["objects_table", 2], ["put_object", 3, 0, 1]],
    "an object in a global without an instance": [["kept", 1]],
    "objects in a table and a global of a guest": [["instance", 0, 0, 0, 0], ["set_object", 0, 0, 1]],
    "an object keeps the instance whose table it is in": [["instance", 0, 0, 0, 0], ["tie", 0, 0, 1]],
    "a memory is copied": [["instance", 0, 0, 0, 0], ["export", 0, 0], ["copy_object", 1, 0, 0], ["store", 0, 0, 1]],
    "a table is copied deep": [["functions_table", 0], ["copy_object", 2, 0, 1], ["put_function", 0, 0, 0]],
    "a global is copied deep": [["counter"], ["copy_object", 4, 0, 1], ["set_counter", 0, 0]],
    "a trap is pickled": [["instance", 0, 0, 0, 0], ["trap", 0, 1], ["use_error", 0, 1]],
    "a module without signals is pickled": [["instance", 0, 2, 0, 0], ["pickle_module", 0]],
    "faulthandler is enabled after the instance": [["instance", 0, 0, 0, 0], ["fault_handler", 0], ["trap", 0, 0]],
    "a default handler comes back": [
        ["instance", 0, 0, 0, 0],
        ["fault_handler", 2],
        ["fault_handler", 3],
        ["load", 0, 9, 0],
        ["trap", 0, 0],
    ],
    "a Python handler for faults": [["instance", 0, 0, 0, 0], ["fault_handler", 5], ["load", 0, 9, 0]],
    "a handler that is set after the instance raises": [["instance", 0, 0, 0, 0], ["alarm", 0, 1, 1]],
    "a handler that is set after the instance counts": [["instance", 0, 0, 0, 0], ["alarm", 0, 0, 1]],
    "threads call while a function is compiled": [["instance", 0, 0, 0, 0], ["call_on_threads", 0, 3]],
    "a call during the call of another thread": [["instance", 0, 0, 0, 0], ["during_call", 0, ["call", 0, 0, 1]]],
    "a start function traps and leaves a function in a table": [
        ["functions_table", 0],
        ["instance", 6, 0, 0, 0],
        ["instance", 5, 0, 0, 0],
        ["collect", 0],
        ["call", 0, 0, 1],
    ],
    "an instance goes while its host function runs": [
        ["instance", 0, 0, 0, 0],
        ["call_host", 0, 1, 0, 0, ["call_host", 0, 1, 0, 1, ["drop_all", 0]]],
        ["collect", 0],
    ],
    "a host function forks": [["instance", 0, 0, 0, 0], ["call_host", 0, 0, 0, 0, ["in_fork", ["grow", 0, 0, 6]]], ["store", 0, 6, 1]],
    "LLVM and singlepass share a memory": [
        ["instance", 0, 12, 0, 0],
        ["export", 0, 0],
        ["instance", 3, 0, 0, 0],
        ["grow", 0, 0, 6],
        ["store", 1, 6, 1],
        ["load", 0, 6, 0],
    ],
    "the process ends with everything alive": [
        ["instance", 0, 0, 0, 0],
        ["set_object", 0, 0, 1],
        ["export", 0, 0],
        ["view", 0, 1],
        ["end"],
    ],
}


PROGRAMS |= {path.stem: json.loads(path.read_text()) for path in sorted(FOUND.glob("*.json"))}


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    made = Children()
    yield made
    made.close()


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_went_wrong_once(name: str, children: Children) -> None:
    report = children.run(PROGRAMS[name])
    assert report.passed, report


def test_random_programs(children: Children) -> None:
    check(children, 100)


@pytest.mark.slow
def test_many_random_programs(children: Children) -> None:
    check(children, 1000)


def test_what_goes_wrong_is_found_and_made_small(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not know an operation stands for one that ends in any other way."""
    monkeypatch.setitem(OPERATIONS, "unknown", OPERATIONS["counter"])
    with pytest.raises(WrongProgram) as wrong:
        check(children, 100, without=[name for name in OPERATIONS if name not in ("unknown", "counter", "memory")])
    assert [step[0] for step in wrong.value.program] == ["instance", "unknown"]
    assert "KeyError: 'unknown'" in str(wrong.value)
    assert children.run([["counter"]]).passed

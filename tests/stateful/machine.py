"""Programs as hypothesis makes and shrinks them: a state machine that collects steps, and runs them in a process of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from random import Random
from time import monotonic
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from . import interrupts as interrupts
from . import surroundings as surroundings
from .children import Children, Report
from .operations import INNER, OPERATIONS
from .world import Step

MOST_STEPS = 30
SHRINKING = 60
"""Seconds to look for a smaller program than the first one that goes wrong."""
EXAMPLES = 200
"""Programs that a search makes of one seed."""


class WrongProgram(AssertionError):
    """A program that did not do what its model says."""

    def __init__(self, program: list[Step], report: Report) -> None:
        super().__init__(f"{report}\npython -m tests.stateful --program '{json.dumps(program)}'")
        self.program = program
        self.report = report


class Trials:
    """Runs programs, and remembers those that went wrong, since not every fault shows every time."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._wrong: dict[str, WrongProgram] = {}
        self._first = 0.0

    def run(self, program: list[Step]) -> None:
        """WrongProgram if it goes wrong, or went wrong before. No others are tried when it is time to stop looking for smaller ones."""
        key = json.dumps(program)
        if key not in self._wrong:
            if self._wrong and monotonic() > self._first + SHRINKING:
                return
            report = self._children.run(program)
            if report.passed:
                return
            self._first = self._first or monotonic()
            self._wrong[key] = WrongProgram(program, report)
        raise self._wrong[key]


def _arguments(name: str, inner: st.SearchStrategy[Step]) -> dict[str, st.SearchStrategy[Any]]:
    bounds = OPERATIONS[name].bounds
    return {argument: inner if bound == INNER else st.integers(0, bound) for argument, bound in bounds.items()}


def _steps(names: list[str], inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), *_arguments(name, inner).values())).map(list)


def _inner_steps(names: list[str]) -> st.SearchStrategy[Step]:
    """Steps that run inside of others, two levels deep."""
    simple = [name for name in names if INNER not in OPERATIONS[name].bounds.values()]
    innermost = _steps(simple, st.nothing())
    return innermost | _steps(names, innermost)


class Embedder(RuleBasedStateMachine):
    """What somebody who uses the engine does. The steps are run at the end, so that shrinking is quick and a crash harms nobody."""

    trials: Trials

    def __init__(self) -> None:
        super().__init__()
        self.program: list[Step] = []

    @initialize(**_arguments("instance", st.nothing()))
    def first(self, **arguments: int) -> None:
        """There is an instance to begin with."""
        self.program.append(["instance", *[arguments[argument] for argument in OPERATIONS["instance"].bounds]])

    def teardown(self) -> None:
        """Run what was collected."""
        if self.program:
            self.trials.run(self.program)


def _rule(name: str, inner: st.SearchStrategy[Step]) -> Any:
    def add(self: Embedder, **arguments: Any) -> None:
        self.program.append([name, *[arguments[argument] for argument in OPERATIONS[name].bounds]])

    add.__name__ = name
    return rule(**_arguments(name, inner))(add)


def check(children: Children, examples: int, seed: int | None = None, without: Collection[str] = ()) -> None:
    """Run so many programs, `without` some operations; the same ones each time unless there is a seed.

    WrongProgram with a smallest one that does not do what its model says.
    """
    names = [name for name in OPERATIONS if name not in without]
    inner = _inner_steps(names)
    machine: Any = type("Embedder", (Embedder,), {"trials": Trials(children), **{name: _rule(name, inner) for name in names}})
    run_state_machine_as_test(
        machine if seed is None else with_seed(seed)(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=MOST_STEPS,
            deadline=None,
            derandomize=seed is None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def search(seconds: float, without: Collection[str] = ()) -> list[WrongProgram]:
    """Try new programs for so long; those that were wrong, each as small as it became."""
    found: list[WrongProgram] = []
    children = Children()
    random = Random(os.urandom(8))
    end = monotonic() + seconds
    try:
        while monotonic() < end:
            try:
                check(children, EXAMPLES, random.getrandbits(64), without)
            except WrongProgram as wrong:
                found.append(wrong)
    finally:
        children.close()
    return found

"""Which backends play in the tests of this folder."""

from __future__ import annotations

import itertools

import pytest

from tests.backends import tested_backends

from .casts import cast_of, option_casts, usual_casts


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`cast` is every cast; `pair` every ordered pair of backends in the two modes that differ most, for what takes long."""
    if "cast" in metafunc.fixturenames:
        slow = pytest.mark.slow
        parameters = [pytest.param(cast, id=name, marks=[slow] if less else []) for name, cast, less in usual_casts()]
        parameters += [pytest.param(cast, id=name, marks=slow) for name, cast in option_casts()]
        metafunc.parametrize("cast", parameters)
    if "pair" in metafunc.fixturenames:
        pairs = [(mode, members) for members in itertools.product(tested_backends(), repeat=2) for mode in ("guarded", "no signals")]
        metafunc.parametrize(
            "pair",
            [pytest.param(cast_of(mode, *((name, ()) for name in members)), id=f"{'-'.join(members)} {mode}") for mode, members in pairs],
        )

"""The quick `NamedTuple` does what that of `typing` does."""

from __future__ import annotations

import pickle
import typing
from typing import Any

import pytest

from wasmcore._named_tuple import NamedTuple
from wasmcore.types import FuncType, Limits


class Quick(NamedTuple):
    """Three fields."""

    a: int
    b: str = "b"
    c: tuple[int, ...] = ()

    def text(self) -> str:
        """A method."""
        return f"{self.a}{self.b}"


class Same(typing.NamedTuple):
    """The same."""

    a: int
    b: str = "b"
    c: tuple[int, ...] = ()


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
GOOD: list[Arguments] = [
    ((1,), {}),
    ((1, "x"), {}),
    ((1, "x", (2,)), {}),
    ((), {"a": 1}),
    ((1,), {"c": (3,)}),
    ((), {"c": (), "b": "", "a": 0}),
]
BAD: list[Arguments] = [
    ((), {}),
    ((), {"b": "x"}),
    ((1, "x", (), 4), {}),
    ((1,), {"a": 1}),
    ((1,), {"d": 1}),
    ((1, "x", ()), {"c": ()}),
    ((1,), {"a": 2, "c": ()}),
]


@pytest.mark.parametrize(("values", "named"), GOOD)
def test_made_of(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    quick, same = Quick(*values, **named), Same(*values, **named)
    assert quick == same
    assert hash(quick) == hash(same)
    assert (quick.a, quick.b, quick.c) == tuple(same)
    assert repr(quick) == repr(same).replace("Same", "Quick")
    assert quick._asdict() == same._asdict()
    assert quick._replace(b="y") == same._replace(b="y")
    assert isinstance(quick._replace(b="y"), Quick)


@pytest.mark.parametrize(("values", "named"), BAD)
def test_not_made_of(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    for made in (Quick, Same):
        with pytest.raises(TypeError):
            made(*values, **named)


def test_fields_are_fixed() -> None:
    quick: Any = Quick._make([1, "x", ()])
    assert (Quick._fields, Quick._field_defaults) == (Same._fields, Same._field_defaults)
    assert quick.text() == "1x"
    for name in ("a", "d"):
        with pytest.raises(AttributeError):
            setattr(quick, name, 1)
    match quick:
        case Quick(a, b):
            assert (a, b) == (1, "x")


def test_types_can_be_pickled() -> None:
    for value in (FuncType((1,), (2, 3)), Limits(1, None)):
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value
        assert type(copy) is type(value)

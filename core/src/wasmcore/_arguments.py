"""What error messages say of wrong arguments: values of other types, and names that do not exist."""

from __future__ import annotations

from collections.abc import Iterable

from wasmcore._typing import Final

_SHOWN: Final = 20
_COMPARED: Final = 1000
"""Names beyond are not looked at: comparing takes its time."""


def check(name: str, value: object, right: bool, wanted: str) -> None:
    """TypeError for an argument that would fail later, or far from here."""
    if not right:
        raise TypeError(f"{name} is {wanted}, not {type(value).__name__}")


def near(name: object, known: Iterable[str]) -> str | None:
    """The name that may have been meant, None if there is none like it."""
    from difflib import get_close_matches

    by_letters = {other.casefold(): other for other, _ in zip(known, range(_COMPARED))}
    found = get_close_matches(str(name).casefold(), by_letters, 1)
    return by_letters[found[0]] if found else None


def choices(name: object, known: Iterable[str]) -> str:
    """The name that may have been meant, and those there are: `did you mean 'add'? there are: add, sub`."""
    names = list(known)
    if not names:
        return "there are none"
    meant = near(name, names)
    question = "" if meant is None else f"did you mean {meant!r}? "
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{question}there are: {', '.join(names[:_SHOWN])}{rest}"

"""Which features modules may use, as a user says it."""

from __future__ import annotations

from collections.abc import Iterable

from wasmcore._arguments import choices
from wasmcore.opcodes import DEFAULT_FEATURES, FEATURES


def features_of(given: str | Iterable[str]) -> frozenset[str]:
    """These features; or, of names with a sign, the default changed by them: `"+threads,-simd"`, `["+threads"]`.

    ValueError for a name that does not exist, TypeError for what is no name.
    """
    if not isinstance(given, Iterable):
        raise TypeError(f"features are names, such as '+threads' or a set of them, not {type(given).__name__}")
    names = [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"a feature is a name, not {type(name).__name__}; there are: {', '.join(FEATURES)}")
        plain = name[1:] if name.startswith(("+", "-")) else name
        if plain not in FEATURES:
            raise ValueError(f"no such feature: {plain}; {choices(plain, FEATURES)}")
    exactly = frozenset(name for name in names if name in FEATURES)
    changes = frozenset(names) - exactly
    if exactly and (changes or isinstance(given, str)):
        raise ValueError(f"{', '.join(names)}: names without a sign would be all features; '+{min(exactly)}' adds one to the default")
    if not changes:
        return exactly
    removed = {name[1:] for name in changes if name.startswith("-")}
    return DEFAULT_FEATURES.union(name[1:] for name in changes if name.startswith("+")) - removed

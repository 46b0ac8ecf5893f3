"""What to say about a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def no_such(kind: str, name: str, names: Iterable[str]) -> str:
    """That there is nothing of this kind and name, what may have been meant, and what there is."""
    known = list(names)
    nearest = get_close_matches(name.lower(), known, 1)
    meant = f" (did you mean {nearest[0]}?)" if nearest else ""
    return f"no {kind} {name!r}{meant}; there are {', '.join(known)}"

"""Process-wide numbers of function types, so that an indirect call compares one integer."""

from __future__ import annotations

from typing import Final

from wasmcore.runtime.locks import Lock
from wasmcore.types import FuncType

_ids: Final[dict[FuncType, int]] = {}
_lock: Final = Lock()


def type_id(func_type: FuncType) -> int:
    """The number of a function type; equal types have equal numbers, whatever module they come from."""
    found = _ids.get(func_type)
    if found is None:
        with _lock:
            found = _ids.setdefault(func_type, len(_ids) + 1)
    return found

"""Vector instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from wasmcore_llvm.ir_memory import Memory


class Vectors(Memory):
    """Vectors are <2 x i64> on the stack."""


VECTORS: Final[dict[int, Callable[[Any, int, int, int], None]]] = {}

"""Streams into streams: what is inlined where, and which functions are too large to be optimised."""

from typing import Final

CALLEE_SIZE: Final = 2048
"""Bytes of the largest stream that inlining looks at."""

"""Streams into streams, for compilers that want it: small functions in place of their calls (`inlining`), and what the places in such
a stream are (`places`)."""

from __future__ import annotations

from wasmcore._typing import Final

CALLEE_SIZE: Final = 2048
"""Bytes of the largest stream that is looked at: `InliningBackend.callee_size` of who inlines so."""

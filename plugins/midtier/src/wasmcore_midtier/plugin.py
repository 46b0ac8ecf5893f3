"""What this distribution brings to wasmcore."""

from __future__ import annotations

from wasmcore.plugin.hooks import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmcore.plugin.hooks import Backend


@hookimpl
def wasmcore_backend() -> Backend:
    """The middle compiler."""
    from wasmcore_midtier.backend import Midtier

    return Midtier()

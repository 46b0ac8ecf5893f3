"""What this distribution brings to wasmcore."""

from __future__ import annotations

from wasmcore.plugin.hooks import hookimpl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmcore.plugin.target import Target


@hookimpl
def wasmcore_target() -> Target:
    """The x86-64 target."""
    from wasmcore_x86_64.target import X86_64

    return X86_64()
